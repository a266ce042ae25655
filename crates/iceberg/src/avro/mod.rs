//! Avro's object container files, as much of them as Iceberg uses.

mod read;
mod shape;

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::DeflateEncoder;

pub(crate) use read::{Datum, FileReader, Record};

/// What a file begins with.
const MAGIC: &[u8; 4] = b"Obj\x01";
/// How many bytes of rows make a block.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes one file, compressed.
pub(crate) struct FileWriter {
    out: Vec<u8>,
    sync: [u8; 16],
    block: Vec<u8>,
    rows: i64,
}

impl FileWriter {
    /// A file of a schema, with more about it for its readers.
    pub(crate) fn new(schema: &str, about: &[(&str, String)], sync: [u8; 16]) -> FileWriter {
        let mut out = MAGIC.to_vec();
        put_long(&mut out, about.len() as i64 + 2);
        let own = [("avro.schema", schema), ("avro.codec", "deflate")];
        let about = about.iter().map(|(key, value)| (*key, value.as_str()));
        for (key, value) in own.into_iter().chain(about) {
            put_bytes(&mut out, key.as_bytes());
            put_bytes(&mut out, value.as_bytes());
        }
        put_long(&mut out, 0);
        out.extend_from_slice(&sync);
        FileWriter { out, sync, block: Vec::new(), rows: 0 }
    }

    /// Adds a row: `encode` puts its fields.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.block);
        self.rows += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.end_block();
        }
    }

    /// How many bytes were written, but for the block that is open.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.end_block();
        self.out.into()
    }

    fn end_block(&mut self) {
        if self.rows == 0 {
            return;
        }
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&self.block).expect("memory takes all bytes");
        let packed = packed.finish().expect("memory takes all bytes");
        put_long(&mut self.out, self.rows);
        put_bytes(&mut self.out, &packed);
        self.out.extend_from_slice(&self.sync);
        self.block.clear();
        self.rows = 0;
    }
}

/// An `int` or a `long`.
pub(crate) fn put_long(out: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// `bytes` or a `string`.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// A union of null and something else.
pub(crate) fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    put: impl FnOnce(&mut Vec<u8>, T),
) {
    put_long(out, i64::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// An array.
pub(crate) fn put_array<T>(
    out: &mut Vec<u8>,
    items: impl ExactSizeIterator<Item = T>,
    mut put: impl FnMut(&mut Vec<u8>, T),
) {
    if items.len() > 0 {
        put_long(out, items.len() as i64);
        items.for_each(|item| put(out, item));
    }
    put_long(out, 0);
}
