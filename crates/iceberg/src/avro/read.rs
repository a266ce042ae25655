//! Reads container files that anybody may have written: row by row, in bounded memory.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use flate2::read::DeflateDecoder;

use super::MAGIC;
use super::shape::{Fields, Shape};
use crate::{Error, Result, invalid};

/// How many bytes a block has at most when it is unpacked.
const MAX_BLOCK_BYTES: u64 = 64 << 20;
/// How many bytes all blocks of a file have at most when they are unpacked.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;
/// Of how many values a row consists at most.
const MAX_VALUES: usize = 1 << 20;
/// How deep values nest at most.
const MAX_DEPTH: usize = 80;

/// A value.
#[derive(Debug)]
pub(crate) enum Datum {
    Null,
    Boolean(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(Vec<u8>),
    String(String),
    Array(Vec<Datum>),
    /// Iceberg uses none of Avro's own maps; what they hold is read and left.
    Map,
    Record(Record),
}

/// The values of a record, which are taken by their ids.
#[derive(Debug)]
pub(crate) struct Record {
    fields: Arc<Fields>,
    values: Vec<Datum>,
}

impl Record {
    /// The value of a field; null if there is no such field.
    pub(crate) fn take(&mut self, id: i32) -> Datum {
        let place = self.fields.0.iter().position(|(each, _)| *each == Some(id));
        let value = place.and_then(|place| self.values.get_mut(place));
        value.map_or(Datum::Null, |value| std::mem::replace(value, Datum::Null))
    }

    /// All values whose fields have ids.
    pub(crate) fn into_values(self) -> Vec<(i32, Datum)> {
        let ids: Vec<_> = self.fields.0.iter().map(|(id, _)| *id).collect();
        ids.into_iter().zip(self.values).filter_map(|(id, value)| Some((id?, value))).collect()
    }
}

/// How blocks are packed.
#[derive(Clone, Copy)]
enum Codec {
    Null,
    Deflate,
}

/// Reads a file's rows one after the other.
pub(crate) struct FileReader<'a> {
    file: Cursor<'a>,
    about: BTreeMap<String, Vec<u8>>,
    shape: Shape,
    codec: Codec,
    sync: [u8; 16],
    block: Vec<u8>,
    at: usize,
    rows_left: u64,
    unpacked: u64,
}

impl<'a> FileReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<FileReader<'a>> {
        let mut file = Cursor { bytes, at: 0 };
        if file.take(MAGIC.len())? != MAGIC {
            return invalid("Invalid Avro file: it does not begin as one");
        }
        let mut about = BTreeMap::new();
        loop {
            let count = file.count()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let key = file.text()?;
                about.insert(key, file.bytes()?.to_vec());
            }
        }
        let sync = file.take(16)?.try_into().expect("16 bytes");
        let codec = match about.get("avro.codec").map(Vec::as_slice) {
            None | Some(b"null" | b"") => Codec::Null,
            Some(b"deflate") => Codec::Deflate,
            Some(other) => {
                let name = String::from_utf8_lossy(other);
                return Err(Error::Unsupported(format!("Avro's codec {name} is not known")));
            }
        };
        let Some(schema) = about.get("avro.schema") else {
            return invalid("Invalid Avro file: it has no schema");
        };
        let shape = Shape::parse(schema)?;
        let block = Vec::new();
        Ok(FileReader { file, about, shape, codec, sync, block, at: 0, rows_left: 0, unpacked: 0 })
    }

    /// What the file's head says under a name.
    pub(crate) fn about(&self, key: &str) -> Option<&str> {
        self.about.get(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The next row; none after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Record>> {
        while self.rows_left == 0 {
            if self.at < self.block.len() {
                return invalid("Invalid Avro file: a block is longer than its rows");
            }
            if self.file.at == self.file.bytes.len() {
                return Ok(None);
            }
            self.next_block()?;
        }
        self.rows_left -= 1;
        let mut cursor = Cursor { bytes: &self.block, at: self.at };
        let mut left = MAX_VALUES;
        let datum = datum(&self.shape, &mut cursor, &mut left, 0)?;
        if cursor.at == self.at {
            return invalid("Invalid Avro file: rows of no bytes");
        }
        self.at = cursor.at;
        match datum {
            Datum::Record(record) => Ok(Some(record)),
            _ => invalid("Invalid Avro file: its rows are no records"),
        }
    }

    fn next_block(&mut self) -> Result<()> {
        let rows = self.file.long()?;
        let packed = self.file.bytes()?;
        self.block.clear();
        match self.codec {
            Codec::Null => self.block.extend_from_slice(packed),
            Codec::Deflate => {
                let mut unpacked = DeflateDecoder::new(packed).take(MAX_BLOCK_BYTES + 1);
                if let Err(error) = unpacked.read_to_end(&mut self.block) {
                    return invalid(format!(
                        "Invalid Avro file: a block cannot be unpacked: {error}"
                    ));
                }
            }
        }
        self.unpacked += self.block.len() as u64;
        if self.block.len() as u64 > MAX_BLOCK_BYTES || self.unpacked > MAX_UNPACKED_BYTES {
            return Err(Error::Unsupported("The Avro file is too large".to_owned()));
        }
        if self.file.take(16)? != self.sync {
            return invalid("Invalid Avro file: a block does not end as it should");
        }
        self.at = 0;
        match u64::try_from(rows) {
            Ok(rows) => self.rows_left = rows,
            Err(_) => return invalid("Invalid Avro file: a block of less than no rows"),
        }
        Ok(())
    }
}

/// Bytes and how many of them are read.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let taken = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let Some(taken) = taken else { return invalid("Invalid Avro file: it is cut off") };
        self.at += length;
        Ok(taken)
    }

    fn long(&mut self) -> Result<i64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        invalid("Invalid Avro file: a number of more than 64 bits")
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        match usize::try_from(self.long()?) {
            Ok(length) => self.take(length),
            Err(_) => invalid("Invalid Avro file: a length below 0"),
        }
    }

    fn text(&mut self) -> Result<String> {
        match std::str::from_utf8(self.bytes()?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => invalid("Invalid Avro file: a text is not UTF-8"),
        }
    }

    /// How many items follow in a list; a count below 0 is followed by their length, which is of no use here.
    fn count(&mut self) -> Result<u64> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }
}

/// Reads a value. `left` is how many more values the row may have.
fn datum(shape: &Shape, cursor: &mut Cursor<'_>, left: &mut usize, depth: usize) -> Result<Datum> {
    if depth > MAX_DEPTH {
        return invalid("Invalid Avro file: values nest too deep");
    }
    spend(left)?;
    let datum = match shape {
        Shape::Null => Datum::Null,
        Shape::Boolean => Datum::Boolean(cursor.take(1)?[0] != 0),
        Shape::Int => match i32::try_from(cursor.long()?) {
            Ok(number) => Datum::Int(number),
            Err(_) => return invalid("Invalid Avro file: an int of more than 32 bits"),
        },
        Shape::Long => Datum::Long(cursor.long()?),
        Shape::Float => {
            Datum::Float(f32::from_le_bytes(cursor.take(4)?.try_into().expect("4 bytes")))
        }
        Shape::Double => {
            Datum::Double(f64::from_le_bytes(cursor.take(8)?.try_into().expect("8 bytes")))
        }
        Shape::Bytes => Datum::Bytes(cursor.bytes()?.to_vec()),
        Shape::String => Datum::String(cursor.text()?),
        Shape::Fixed(size) => Datum::Bytes(cursor.take(*size)?.to_vec()),
        Shape::Enum => Datum::Long(cursor.long()?),
        Shape::Array(item) => {
            let mut items = Vec::new();
            items_of(cursor, left, |cursor, left| {
                items.push(datum(item, cursor, left, depth + 1)?);
                Ok(())
            })?;
            Datum::Array(items)
        }
        Shape::Map(value) => {
            items_of(cursor, left, |cursor, left| {
                cursor.bytes()?;
                datum(value, cursor, left, depth + 1).map(drop)
            })?;
            Datum::Map
        }
        Shape::Union(shapes) => {
            let chosen = usize::try_from(cursor.long()?).ok();
            match chosen.and_then(|chosen| shapes.get(chosen)) {
                Some(shape) => datum(shape, cursor, left, depth + 1)?,
                None => return invalid("Invalid Avro file: a union has no such branch"),
            }
        }
        Shape::Record(fields) => {
            let values = fields.0.iter().map(|(_, shape)| datum(shape, cursor, left, depth + 1));
            let values = values.collect::<Result<_>>()?;
            Datum::Record(Record { fields: Arc::clone(fields), values })
        }
    };
    Ok(datum)
}

fn items_of(
    cursor: &mut Cursor<'_>,
    left: &mut usize,
    mut each: impl FnMut(&mut Cursor<'_>, &mut usize) -> Result<()>,
) -> Result<()> {
    loop {
        let count = cursor.count()?;
        if count == 0 {
            return Ok(());
        }
        // Items may have no bytes, so that the end of the bytes does not bound their number.
        for _ in 0..count {
            spend(left)?;
            each(cursor, left)?;
        }
    }
}

fn spend(left: &mut usize) -> Result<()> {
    match left.checked_sub(1) {
        Some(less) => {
            *left = less;
            Ok(())
        }
        None => Err(Error::Unsupported("A row of the Avro file is too large".to_owned())),
    }
}
