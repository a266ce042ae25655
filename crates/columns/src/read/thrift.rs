//! Thrift's compact protocol, as far as footers and headers of pages need it before anything is believed.

use parquet::basic::Encoding;

use super::Damage;

/// How deep structures may be nested.
const MAX_DEPTH: u32 = 32;
/// How deep groups of columns may be nested.
const MAX_GROUPS: usize = 64;
/// The least bytes of a structure in a list, which bounds what is set aside for the list.
const MIN_STRUCTURE: usize = 3;

/// Why a structure could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end within it.
    Short,
    /// It is none.
    Wrong,
}

impl From<Stop> for Damage {
    fn from(_: Stop) -> Damage {
        Damage::new("a structure cannot be read")
    }
}

/// The types of fields.
mod kind {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCTURE: u8 = 12;
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn pass(&mut self, count: u64) -> Result<(), Stop> {
        let left = self.bytes.len() - self.at;
        let count = usize::try_from(count).ok().filter(|count| *count <= left);
        self.at += count.ok_or(Stop::Short)?;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Wrong)
    }

    fn number(&mut self) -> Result<i64, Stop> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The type and number of the next field; none at the end of the structure.
    fn field(&mut self, last: i64) -> Result<Option<(u8, i64)>, Stop> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let id = match head >> 4 {
            0 => self.number()?,
            delta => last.checked_add(i64::from(delta)).ok_or(Stop::Wrong)?,
        };
        Ok(Some((head & 0x0f, id)))
    }

    /// Reads the numbers and truths of a structure, and passes over the rest but what `each` reads itself.
    fn structure<const N: usize>(
        &mut self,
        depth: u32,
        each: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Stop>,
    ) -> Result<[Option<i64>; N], Stop> {
        let (mut numbers, mut last) = ([None; N], 0);
        while let Some((of, id)) = self.field(last)? {
            last = id;
            if each(self, id, of)? {
                continue;
            }
            let slot = usize::try_from(id).ok().and_then(|id| numbers.get_mut(id));
            match (of, slot) {
                (kind::TRUE | kind::FALSE, Some(slot)) => *slot = Some(i64::from(of == kind::TRUE)),
                (kind::I16..=kind::I64, Some(slot)) => *slot = Some(self.number()?),
                _ => self.skip(of, depth + 1)?,
            }
        }
        Ok(numbers)
    }

    fn plain<const N: usize>(&mut self) -> Result<[Option<i64>; N], Stop> {
        self.structure(0, &mut |_, _, _| Ok(false))
    }

    /// The type of a list's elements and how many there are.
    fn list(&mut self) -> Result<(u8, u64), Stop> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Ok((head & 0x0f, count))
    }

    fn skip(&mut self, of: u8, depth: u32) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Wrong);
        }
        match of {
            kind::TRUE | kind::FALSE => Ok(()),
            kind::BYTE => self.pass(1),
            kind::I16..=kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let len = self.varint()?;
                self.pass(len)
            }
            kind::LIST | kind::SET => {
                let (of, count) = self.list()?;
                self.elements(of, count, depth)
            }
            kind::MAP => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                for _ in 0..count {
                    self.element(kinds >> 4, depth)?;
                    self.element(kinds & 0x0f, depth)?;
                }
                Ok(())
            }
            kind::STRUCTURE => {
                let mut last = 0;
                while let Some((of, id)) = self.field(last)? {
                    last = id;
                    self.skip(of, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(Stop::Wrong),
        }
    }

    /// A value that has no header of its own, in which truths take a byte.
    fn element(&mut self, of: u8, depth: u32) -> Result<(), Stop> {
        match of {
            kind::TRUE | kind::FALSE => self.pass(1),
            of => self.skip(of, depth + 1),
        }
    }

    fn elements(&mut self, of: u8, count: u64, depth: u32) -> Result<(), Stop> {
        let start = self.at;
        for _ in 0..count {
            self.element(of, depth)?;
        }
        let least = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(MIN_STRUCTURE);
        if of == kind::STRUCTURE && self.at - start < least { Err(Stop::Wrong) } else { Ok(()) }
    }

    /// The columns as a list of elements, each with the number of its children.
    fn columns(&mut self) -> Result<(), Stop> {
        let (of, count) = self.list()?;
        if of != kind::STRUCTURE {
            return Err(Stop::Wrong);
        }
        // How many children are still to come at each level.
        let mut open: Vec<i64> = Vec::new();
        let start = self.at;
        for index in 0..count {
            let element: [_; 8] = self.plain()?;
            if index > 0 {
                while open.last() == Some(&0) {
                    open.pop();
                }
                *open.last_mut().ok_or(Stop::Wrong)? -= 1;
            }
            let children = element[5].unwrap_or(0);
            if children < 0 || open.len() > MAX_GROUPS {
                return Err(Stop::Wrong);
            }
            if children > 0 {
                open.push(children);
            }
        }
        let least = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(MIN_STRUCTURE);
        let is_whole = open.iter().all(|left| *left == 0);
        if is_whole && self.at - start >= least { Ok(()) } else { Err(Stop::Wrong) }
    }
}

/// Walks over a footer, so that it can be read without setting aside more than it holds, and without going deeper than a
/// stack is.
pub(super) fn check_footer(bytes: &[u8]) -> Result<(), Stop> {
    let mut reader = Reader { bytes, at: 0 };
    let mut has_columns = false;
    let _: [_; 1] = reader.structure(0, &mut |reader, id, of| {
        if id != 2 || of != kind::LIST {
            return Ok(false);
        }
        has_columns = true;
        reader.columns().map(|()| true)
    })?;
    if has_columns { Ok(()) } else { Err(Stop::Wrong) }
}

/// What stands in front of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// How many bytes the page has, as it lies there.
    pub(super) stored: usize,
    /// How many bytes it has after decompression.
    pub(super) size: usize,
    pub(super) of: PageKind,
}

/// What a page holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Dictionary {
        values: u32,
        encoding: Encoding,
    },
    Data {
        values: u32,
        encoding: Encoding,
        definitions: Encoding,
        repetitions: Encoding,
    },
    /// Data whose levels are not compressed.
    DataV2 {
        values: u32,
        nulls: u32,
        rows: u32,
        encoding: Encoding,
        definitions_len: u32,
        repetitions_len: u32,
        is_compressed: bool,
    },
    /// What is to be passed over.
    Other,
}

#[expect(deprecated, reason = "old files have levels packed in bits")]
fn encoding(number: Option<i64>) -> Result<Encoding, Stop> {
    Ok(match number.ok_or(Stop::Wrong)? {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(Stop::Wrong),
    })
}

fn count(number: Option<i64>) -> Result<u32, Stop> {
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.and_then(|number| u32::try_from(number).ok()).ok_or(Stop::Wrong)
}

/// Reads the header of a page, and tells how many bytes it has.
pub(super) fn header(bytes: &[u8]) -> Result<(Header, usize), Stop> {
    let mut reader = Reader { bytes, at: 0 };
    let (mut data, mut dictionary, mut data_v2) = (None, None, None);
    let fields: [_; 4] = reader.structure(0, &mut |reader, id, of| {
        match (id, of) {
            (5, kind::STRUCTURE) => data = Some(reader.plain::<5>()?),
            (7, kind::STRUCTURE) => dictionary = Some(reader.plain::<3>()?),
            (8, kind::STRUCTURE) => data_v2 = Some(reader.plain::<8>()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let size = |number| Ok(count(number)? as usize);
    let of = match (fields[1], data, dictionary, data_v2) {
        (Some(0), Some(data), _, _) => PageKind::Data {
            values: count(data[1])?,
            encoding: encoding(data[2])?,
            definitions: encoding(data[3])?,
            repetitions: encoding(data[4])?,
        },
        (Some(2), _, Some(dictionary), _) => PageKind::Dictionary {
            values: count(dictionary[1])?,
            encoding: encoding(dictionary[2])?,
        },
        (Some(3), _, _, Some(data)) => PageKind::DataV2 {
            values: count(data[1])?,
            nulls: count(data[2])?,
            rows: count(data[3])?,
            encoding: encoding(data[4])?,
            definitions_len: count(data[5])?,
            repetitions_len: count(data[6])?,
            is_compressed: data[7] != Some(0),
        },
        (Some(0 | 2 | 3) | None, ..) => return Err(Stop::Wrong),
        _ => PageKind::Other,
    };
    Ok((Header { stored: size(fields[3])?, size: size(fields[2])?, of }, reader.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// type 0, 10 bytes, 8 of them stored, a data page of 3 values, PLAIN with levels in RLE.
    const DATA: &[u8] =
        &[0x15, 0, 0x15, 20, 0x15, 16, 0x2c, 0x15, 6, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];

    #[test]
    fn headers_are_read_once_they_are_whole() {
        let (read, len) = header(DATA).expect("a header");
        assert_eq!((read.size, read.stored, len), (10, 8, DATA.len()));
        let (encoding, levels) = (Encoding::PLAIN, Encoding::RLE);
        let of = PageKind::Data { values: 3, encoding, definitions: levels, repetitions: levels };
        assert_eq!(read.of, of);
        for len in 0..DATA.len() {
            assert_eq!(header(&DATA[..len]), Err(Stop::Short));
        }
        assert_eq!(header(&[0x15, 1, 0]), Err(Stop::Wrong));
        assert_eq!(header(&[0xff; 40]), Err(Stop::Wrong));
    }

    #[test]
    fn footers_that_promise_more_than_they_hold_are_refused() {
        // A group with two children, of which the second is a group with one.
        let element = |children: u8| match children {
            0 => vec![0x48, 1, b'c', 0],
            children => vec![0x48, 1, b'g', 0x15, children * 2, 0],
        };
        let footer = |children: &[u8], count: u8| {
            let mut bytes = vec![0x15, 2, 0x19, count << 4 | 0x0c];
            bytes.extend(children.iter().flat_map(|children| element(*children)));
            bytes.push(0);
            bytes
        };
        assert_eq!(check_footer(&footer(&[2, 0, 1, 0], 4)), Ok(()));
        assert_eq!(check_footer(&footer(&[2, 0, 1, 0, 0], 5)), Err(Stop::Wrong));
        assert_eq!(check_footer(&footer(&[2, 0, 1], 3)), Err(Stop::Wrong));
        assert!(check_footer(&footer(&[2, 0, 1, 0], 9)).is_err());
        assert_eq!(check_footer(&[0]), Err(Stop::Wrong));
        let mut deep = vec![0x29, 0xfc, 0xe8, 0x07];
        deep.extend((0..1000).flat_map(|_| element(1)));
        assert_eq!(check_footer(&deep), Err(Stop::Wrong));
        let nested = [&[0x1c; 4000][..], &[0; 4000]].concat();
        assert_eq!(check_footer(&nested), Err(Stop::Wrong));
    }
}
