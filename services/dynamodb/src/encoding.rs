//! Items as bytes: the format of a row.
//!
//! A version byte, a count, then name and value of each attribute in the order of names. Lengths and counts are LEB128.
//! A value is a tag and its content; numbers are their canonical text, so that a row becomes JSON without arithmetic
//! ([`crate::json::write_row`]). A row written once must be readable for ever: a change takes a new version.

use crate::number::Number;
use crate::value::{AttributeValue, Item};

/// The version that this code writes.
const VERSION: u8 = 1;

/// The tag before a value's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    S = 1,
    N = 2,
    B = 3,
    False = 4,
    True = 5,
    Null = 6,
    L = 7,
    M = 8,
    Ss = 9,
    Ns = 10,
    Bs = 11,
}

/// The bytes of a row are not an item: the store is damaged, or a newer version wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row is not an item: {0}")]
pub struct Corrupt(pub &'static str);

/// The bytes of an item.
pub fn encode_item(item: &Item) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + item.len() * 32);
    out.push(VERSION);
    write_members(item, &mut out);
    out
}

/// The item of those bytes.
pub fn decode_item(bytes: &[u8]) -> Result<Item, Corrupt> {
    let mut reader = Reader::open(bytes)?;
    let item = read_members(&mut reader, 0)?;
    reader.end()?;
    Ok(item)
}

/// Bytes that DynamoDB counts for the item of a row, without building it: what [`crate::value::item_size`] counts.
pub fn row_size(bytes: &[u8]) -> Result<usize, Corrupt> {
    let mut reader = Reader::open(bytes)?;
    let count = reader.length()?;
    let size = members_size(&mut reader, count, 0)?;
    reader.end()?;
    Ok(size)
}

fn members_size(reader: &mut Reader<'_>, count: usize, depth: usize) -> Result<usize, Corrupt> {
    let mut size = 0;
    for _ in 0..count {
        size += reader.bytes()?.len() + value_size(reader, depth)?;
    }
    Ok(size)
}

fn value_size(reader: &mut Reader<'_>, depth: usize) -> Result<usize, Corrupt> {
    let number = |reader: &mut Reader<'_>| Ok(Number::size_of(reader.text()?));
    let bytes = |reader: &mut Reader<'_>| Ok(reader.bytes()?.len());
    Ok(match reader.tag(depth)? {
        Tag::S | Tag::B => bytes(reader)?,
        Tag::N => number(reader)?,
        Tag::False | Tag::True | Tag::Null => 1,
        Tag::Ss | Tag::Bs => sum(reader, bytes)?,
        Tag::Ns => sum(reader, number)?,
        Tag::L => 3 + sum(reader, |reader| Ok(1 + value_size(reader, depth + 1)?))?,
        Tag::M => {
            let count = reader.length()?;
            3 + count + members_size(reader, count, depth + 1)?
        }
    })
}

fn sum<'a>(
    reader: &mut Reader<'a>,
    mut size: impl FnMut(&mut Reader<'a>) -> Result<usize, Corrupt>,
) -> Result<usize, Corrupt> {
    let count = reader.length()?;
    (0..count).try_fold(0, |sum, _| Ok(sum + size(reader)?))
}

fn write_members(members: &Item, out: &mut Vec<u8>) {
    write_length(members.len(), out);
    for (name, value) in members {
        write_bytes(name.as_bytes(), out);
        write_value(value, out);
    }
}

fn write_value(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => {
            out.push(Tag::S as u8);
            write_bytes(text.as_bytes(), out);
        }
        AttributeValue::N(number) => {
            out.push(Tag::N as u8);
            write_bytes(number.as_str().as_bytes(), out);
        }
        AttributeValue::B(bytes) => {
            out.push(Tag::B as u8);
            write_bytes(bytes, out);
        }
        AttributeValue::Bool(flag) => out.push(if *flag { Tag::True } else { Tag::False } as u8),
        AttributeValue::Null => out.push(Tag::Null as u8),
        AttributeValue::L(members) => {
            out.push(Tag::L as u8);
            write_length(members.len(), out);
            members.iter().for_each(|member| write_value(member, out));
        }
        AttributeValue::M(members) => {
            out.push(Tag::M as u8);
            write_members(members, out);
        }
        AttributeValue::Ss(members) => write_set(Tag::Ss, members, |m| m.as_bytes(), out),
        AttributeValue::Ns(members) => write_set(Tag::Ns, members, |m| m.as_str().as_bytes(), out),
        AttributeValue::Bs(members) => write_set(Tag::Bs, members, |m| m, out),
    }
}

fn write_set<T>(tag: Tag, members: &[T], bytes: impl Fn(&T) -> &[u8], out: &mut Vec<u8>) {
    out.push(tag as u8);
    write_length(members.len(), out);
    for member in members {
        write_bytes(bytes(member), out);
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn write_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn read_members(reader: &mut Reader<'_>, depth: usize) -> Result<Item, Corrupt> {
    let count = reader.length()?;
    let mut members = Item::new();
    for _ in 0..count {
        let name = reader.text()?.to_owned();
        let value = read_value(reader, depth)?;
        members.insert(name, value);
    }
    Ok(members)
}

fn read_value(reader: &mut Reader<'_>, depth: usize) -> Result<AttributeValue, Corrupt> {
    Ok(match reader.tag(depth)? {
        Tag::S => AttributeValue::S(reader.text()?.to_owned()),
        Tag::N => AttributeValue::N(Number::from_canonical(reader.text()?)),
        Tag::B => AttributeValue::B(reader.bytes()?.to_vec()),
        Tag::False => AttributeValue::Bool(false),
        Tag::True => AttributeValue::Bool(true),
        Tag::Null => AttributeValue::Null,
        Tag::L => AttributeValue::L(reader.many(|reader| read_value(reader, depth + 1))?),
        Tag::M => AttributeValue::M(read_members(reader, depth + 1)?),
        Tag::Ss => AttributeValue::Ss(reader.many(|reader| Ok(reader.text()?.to_owned()))?),
        Tag::Ns => {
            AttributeValue::Ns(reader.many(|reader| Ok(Number::from_canonical(reader.text()?)))?)
        }
        Tag::Bs => AttributeValue::Bs(reader.many(|reader| Ok(reader.bytes()?.to_vec()))?),
    })
}

/// Reads a row from front to back.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks the version and stands before the count of attributes.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        match bytes {
            [VERSION, rest @ ..] => Ok(Self { rest }),
            _ => Err(Corrupt("unknown version")),
        }
    }

    pub(crate) fn end(&self) -> Result<(), Corrupt> {
        if self.rest.is_empty() { Ok(()) } else { Err(Corrupt("bytes after the end")) }
    }

    /// The tag of the next value; `depth` bounds the recursion that damaged bytes could cause.
    pub(crate) fn tag(&mut self, depth: usize) -> Result<Tag, Corrupt> {
        if depth > crate::value::MAX_NESTING {
            return Err(Corrupt("nested too deep"));
        }
        let (&tag, rest) = self.rest.split_first().ok_or(Corrupt("cut short"))?;
        self.rest = rest;
        Ok(match tag {
            1 => Tag::S,
            2 => Tag::N,
            3 => Tag::B,
            4 => Tag::False,
            5 => Tag::True,
            6 => Tag::Null,
            7 => Tag::L,
            8 => Tag::M,
            9 => Tag::Ss,
            10 => Tag::Ns,
            11 => Tag::Bs,
            _ => return Err(Corrupt("unknown tag")),
        })
    }

    pub(crate) fn length(&mut self) -> Result<usize, Corrupt> {
        let mut length = 0usize;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Corrupt("cut short"))?;
            self.rest = rest;
            length |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(Corrupt("length too long"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = self.length()?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Corrupt("cut short"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Corrupt("not UTF-8"))
    }

    fn many<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Corrupt>,
    ) -> Result<Vec<T>, Corrupt> {
        let count = self.length()?;
        // A member takes at least one byte, so a damaged count cannot make this reserve much.
        let mut members = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            members.push(read(self)?);
        }
        Ok(members)
    }
}
