//! A file of rows in the order of their keys, written once and then only read: what a snapshot keeps of the rows.
//!
//! | bytes | what |
//! |---|---|
//! | 16 | `fogbank rows 1`, then two zeros |
//! | … | blocks: the rows of about 64 KiB each, every row as the lengths of key and value (LEB128) and then both, compressed as one LZ4 block behind its plain length (`u32`) |
//! | … | the tail: version (one byte), then [`Tail`] in postcard |
//! | 24 | length and CRC-64/NVME of the tail, and [`MAGIC`] |
//!
//! Numbers are little endian. A file without its last 24 bytes was never finished.

use std::cmp::Ordering;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::SnapshotInfo;
use crate::blob::crc;
use crate::blob::disk::DiskFile;
use crate::engine::View;
use crate::tx::{MAX_KEY_BYTES, MAX_VALUE_BYTES, Visit};
use crate::{Error, row};

const HEAD: &[u8; 16] = b"fogbank rows 1\0\0";
const MAGIC: u64 = u64::from_le_bytes(*b"fogrows1");
const END_BYTES: usize = 24;
/// Size of the rows of a block before it is compressed.
const BLOCK_BYTES: usize = 64 << 10;
/// A block ends with the row that fills it, however large that is.
const MAX_BLOCK_BYTES: usize = BLOCK_BYTES + MAX_KEY_BYTES + MAX_VALUE_BYTES + 16;
/// Size of what is written at once.
const WRITE_BYTES: usize = 1 << 20;

/// What is known of the whole file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) info: SnapshotInfo,
    blocks: Vec<Block>,
}
row!(Tail, 1);

/// Where a block is, and the first key in it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Block {
    first: Vec<u8>,
    offset: u64,
    len: u32,
    crc: u64,
}

/// Packs rows into blocks.
#[derive(Default)]
pub(super) struct Packer {
    first: Vec<u8>,
    rows: Vec<u8>,
}

impl Packer {
    /// Adds a row; true if the block is large enough to be taken.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> bool {
        if self.rows.is_empty() {
            self.first = key.to_vec();
        }
        put_len(&mut self.rows, key.len());
        put_len(&mut self.rows, value.len());
        self.rows.extend_from_slice(key);
        self.rows.extend_from_slice(value);
        self.rows.len() >= BLOCK_BYTES
    }

    /// The first key and the compressed rows since the last call; nothing if there were none.
    pub(super) fn take(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.rows.is_empty() {
            return None;
        }
        let packed = lz4_flex::compress_prepend_size(&self.rows);
        self.rows.clear();
        Some((std::mem::take(&mut self.first), packed))
    }
}

/// Visits the rows of a packed block.
pub(super) fn unpack(
    packed: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
) -> Result<ControlFlow<()>, Error> {
    let plain = plain(packed)?;
    let mut rest = &plain[..];
    while let Some((key, value)) = next_row(&mut rest)? {
        if visit(key, value)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Writes such a file.
pub(super) struct RowsWriter {
    file: Arc<dyn DiskFile>,
    offset: u64,
    waiting: Vec<u8>,
    packer: Packer,
    blocks: Vec<Block>,
}

impl RowsWriter {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> RowsWriter {
        let (packer, blocks) = (Packer::default(), Vec::new());
        RowsWriter { file, offset: 0, waiting: HEAD.to_vec(), packer, blocks }
    }

    /// Adds a row, whose key must follow that of the row before.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if self.packer.add(key, value) { self.end_block() } else { Ok(()) }
    }

    /// Writes what is left, and returns when all is on disk.
    pub(super) fn finish(mut self, info: SnapshotInfo) -> Result<RowsFile, Error> {
        self.end_block()?;
        let tail = Tail { info, blocks: std::mem::take(&mut self.blocks) };
        let mut bytes = Vec::new();
        crate::row::Value::encode(&tail, &mut bytes)?;
        let (len, sum) = (bytes.len() as u64, crc(&bytes));
        self.waiting.append(&mut bytes);
        for number in [len, sum, MAGIC] {
            self.waiting.extend_from_slice(&number.to_le_bytes());
        }
        self.write()?;
        self.file.sync().map_err(|error| Error::io("syncing a snapshot", error))?;
        Ok(RowsFile { file: self.file, tail, last: Mutex::default() })
    }

    fn end_block(&mut self) -> Result<(), Error> {
        let Some((first, packed)) = self.packer.take() else { return Ok(()) };
        let offset = self.offset + self.waiting.len() as u64;
        let len = u32::try_from(packed.len())
            .map_err(|_| Error::corrupt("a snapshot", "a block of it is too large"))?;
        self.blocks.push(Block { first, offset, len, crc: crc(&packed) });
        self.waiting.extend_from_slice(&packed);
        if self.waiting.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Error> {
        let bytes = Bytes::from(std::mem::take(&mut self.waiting));
        let len = bytes.len() as u64;
        self.file
            .write_at(&[bytes], self.offset)
            .map_err(|error| Error::io("writing a snapshot", error))?;
        self.offset += len;
        Ok(())
    }
}

/// A finished file. It keeps the index of its blocks in memory, about 60 bytes for each 64 KiB of rows.
pub(super) struct RowsFile {
    file: Arc<dyn DiskFile>,
    tail: Tail,
    /// The block that was read last, for look-ups that follow one another.
    last: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

impl RowsFile {
    /// Opens a file; nothing if it was never finished.
    pub(super) fn open(file: Arc<dyn DiskFile>) -> Result<Option<RowsFile>, Error> {
        let failed = |error| Error::io("reading a snapshot", error);
        let len = file.len().map_err(failed)?;
        let Some(end_at) = len.checked_sub(END_BYTES as u64).filter(|at| *at >= HEAD.len() as u64)
        else {
            return Ok(None);
        };
        let end = read(&*file, end_at, END_BYTES).map_err(failed)?;
        let number = |index: usize| {
            let bytes = end[index * 8..].first_chunk::<8>();
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        if number(2) != MAGIC {
            return Ok(None);
        }
        let head = read(&*file, 0, HEAD.len()).map_err(failed)?;
        let tail_at = end_at.checked_sub(number(0)).filter(|at| *at >= HEAD.len() as u64);
        let (Some(tail_at), true) = (tail_at, head[..] == HEAD[..]) else {
            return Err(Error::corrupt("a snapshot", "its first or last bytes are not as written"));
        };
        let tail = read(&*file, tail_at, (end_at - tail_at) as usize).map_err(failed)?;
        if crc(&tail) != number(1) {
            return Err(Error::corrupt("a snapshot", "its index does not match its checksum"));
        }
        let tail = crate::row::Value::decode(tail)?;
        Ok(Some(RowsFile { file, tail, last: Mutex::default() }))
    }

    pub(super) fn info(&self) -> &SnapshotInfo {
        &self.tail.info
    }

    /// The plain rows of a block.
    fn block(&self, index: usize) -> Result<Arc<Vec<u8>>, Error> {
        if let Some((last, rows)) = &*self.last.lock()
            && *last == index
        {
            return Ok(rows.clone());
        }
        let block = &self.tail.blocks[index];
        let packed = read(&*self.file, block.offset, block.len as usize)
            .map_err(|error| Error::io("reading a snapshot", error))?;
        if crc(&packed) != block.crc {
            let why = format!("the block at {} does not match its checksum", block.offset);
            return Err(Error::corrupt(format!("the snapshot {}", self.info().name), why));
        }
        let rows = Arc::new(plain(&packed)?);
        *self.last.lock() = Some((index, rows.clone()));
        Ok(rows)
    }

    /// The block that may have `key`, or the first.
    fn block_of(&self, key: &[u8]) -> usize {
        self.tail.blocks.partition_point(|block| block.first[..] <= *key).saturating_sub(1)
    }
}

impl View for RowsFile {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if self.tail.blocks.is_empty() {
            return Ok(None);
        }
        let rows = self.block(self.block_of(key))?;
        let mut rest = &rows[..];
        while let Some((found, value)) = next_row(&mut rest)? {
            match found.cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Some(Bytes::copy_from_slice(value))),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let from = self.block_of(start);
        let to = self.tail.blocks.partition_point(|block| block.first[..] < *end);
        let blocks = from..to.max(from);
        if reverse {
            for index in blocks.rev() {
                let rows = self.block(index)?;
                let mut within = Vec::new();
                let mut rest = &rows[..];
                while let Some(row) = next_row(&mut rest)? {
                    within.extend((start <= row.0 && row.0 < end).then_some(row));
                }
                if within.iter().rev().any(|(key, value)| visit(key, value).is_break()) {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return Ok(ControlFlow::Continue(()));
        }
        for index in blocks {
            let rows = self.block(index)?;
            let mut rest = &rows[..];
            while let Some((key, value)) = next_row(&mut rest)? {
                if start <= key && key < end && visit(key, value).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Reads all of `len` bytes; a file in memory gives them in the parts in which they were written.
fn read(file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<Bytes> {
    let first = file.read_at(offset, len)?;
    if first.len() == len {
        return Ok(first);
    }
    let mut all = first.to_vec();
    while all.len() < len {
        let more = file.read_at(offset + all.len() as u64, len - all.len())?;
        if more.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        all.extend_from_slice(&more);
    }
    Ok(all.into())
}

fn plain(packed: &[u8]) -> Result<Vec<u8>, Error> {
    let len = packed.first_chunk::<4>().map_or(0, |len| u32::from_le_bytes(*len) as usize);
    if len > MAX_BLOCK_BYTES {
        return Err(Error::corrupt("a block of rows", format!("it claims to have {len} bytes")));
    }
    lz4_flex::decompress_size_prepended(packed)
        .map_err(|error| Error::corrupt("a block of rows", error.to_string()))
}

fn put_len(out: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        out.push((len & 0x7F) as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

fn take_len(rest: &mut &[u8]) -> Option<usize> {
    let mut len = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        len |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}

/// A key and its value.
type RowBytes<'r> = (&'r [u8], &'r [u8]);

fn next_row<'r>(rest: &mut &'r [u8]) -> Result<Option<RowBytes<'r>>, Error> {
    if rest.is_empty() {
        return Ok(None);
    }
    let lens = take_len(rest).zip(take_len(rest));
    let Some((key_len, value_len)) = lens.filter(|(key, value)| key + value <= rest.len()) else {
        return Err(Error::corrupt("a block of rows", "a row in it is cut short"));
    };
    let (key, after) = rest.split_at(key_len);
    let (value, after) = after.split_at(value_len);
    *rest = after;
    Ok(Some((key, value)))
}

#[cfg(test)]
mod formats {
    use super::*;
    use crate::Value;

    fn hex(row: &impl Value) -> String {
        let mut bytes = Vec::new();
        row.encode(&mut bytes).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whoever changes this must raise the version and read the old form.
    #[test]
    fn the_bytes_of_the_tail() {
        let info = SnapshotInfo {
            name: "n".to_owned(),
            created_millis: 1_767_225_600_000,
            parent: Some("p".to_owned()),
            version: 300,
            rows: 2,
            row_bytes: 70,
            blobs: 1,
            blob_bytes: 5,
        };
        let block = Block { first: b"k".to_vec(), offset: 8, len: 200, crc: u64::MAX };
        let tail = Tail { info, blocks: vec![block] };
        assert_eq!(
            hex(&tail),
            "01016e80a0d5edee66010170ac020246010501016b08c801ffffffffffffffffff01"
        );
    }
}
