//! One column of a group, record by record.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96Type,
};
use parquet::errors::Result as ParquetResult;
use parquet::schema::types::ColumnDescPtr;

use super::pages::{Budget, Chunk, Turn};
use super::schema::Meaning;
use super::{Damage, Item, Refusal, Room};

/// How many values of a column are decoded at once.
const BATCH: usize = 1024;
/// How many records of a column that is repeated are decoded at once.
const REPEATED_BATCH: usize = 8;

/// Pages that wait to be decoded. The decoder is told to read only what lies here.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<Page>>>);

impl Queue {
    fn push(&self, page: Page) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(page);
    }

    fn pop(&self) -> Option<Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Iterator for Queue {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pop().map(Ok)
    }
}

impl PageReader for Queue {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        Ok(self.pop())
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        Ok(())
    }

    /// Where records end is seen by their levels, which are looked at here and not by the decoder.
    fn at_record_boundary(&mut self) -> ParquetResult<bool> {
        Ok(true)
    }
}

/// A decoder of one physical type and what it has decoded.
struct Typed<T: DataType> {
    decoder: ColumnReaderImpl<T>,
    values: VecDeque<T::T>,
}

impl<T: DataType> Typed<T> {
    fn new(decoder: ColumnReaderImpl<T>) -> Typed<T> {
        Typed { decoder, values: VecDeque::new() }
    }

    fn read(&mut self, records: usize, levels: &mut Levels) -> ParquetResult<usize> {
        let mut values = Vec::new();
        let (definitions, repetitions) = (&mut levels.definitions, &mut levels.repetitions);
        let (_, _, count) = self.decoder.read_records(
            records,
            Some(definitions),
            Some(repetitions),
            &mut values,
        )?;
        self.values.extend(values);
        Ok(count)
    }
}

enum Values {
    Bool(Typed<BoolType>),
    Int32(Typed<Int32Type>),
    Int64(Typed<Int64Type>),
    Int96(Typed<Int96Type>),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Bytes(Typed<ByteArrayType>),
    Fixed(Typed<FixedLenByteArrayType>),
}

impl Values {
    fn new(reader: ColumnReader) -> Values {
        match reader {
            ColumnReader::BoolColumnReader(of) => Values::Bool(Typed::new(of)),
            ColumnReader::Int32ColumnReader(of) => Values::Int32(Typed::new(of)),
            ColumnReader::Int64ColumnReader(of) => Values::Int64(Typed::new(of)),
            ColumnReader::Int96ColumnReader(of) => Values::Int96(Typed::new(of)),
            ColumnReader::FloatColumnReader(of) => Values::Float(Typed::new(of)),
            ColumnReader::DoubleColumnReader(of) => Values::Double(Typed::new(of)),
            ColumnReader::ByteArrayColumnReader(of) => Values::Bytes(Typed::new(of)),
            ColumnReader::FixedLenByteArrayColumnReader(of) => Values::Fixed(Typed::new(of)),
        }
    }

    fn read(&mut self, records: usize, levels: &mut Levels) -> ParquetResult<usize> {
        match self {
            Values::Bool(of) => of.read(records, levels),
            Values::Int32(of) => of.read(records, levels),
            Values::Int64(of) => of.read(records, levels),
            Values::Int96(of) => of.read(records, levels),
            Values::Float(of) => of.read(records, levels),
            Values::Double(of) => of.read(records, levels),
            Values::Bytes(of) => of.read(records, levels),
            Values::Fixed(of) => of.read(records, levels),
        }
    }

    /// The next value; none if there is none left.
    fn take(&mut self, meaning: Meaning) -> Option<Item> {
        Some(match self {
            Values::Bool(of) => Item::Bool(of.values.pop_front()?),
            Values::Int32(of) => integer(of.values.pop_front()?.into(), meaning),
            Values::Int64(of) => integer(of.values.pop_front()?, meaning),
            Values::Int96(of) => {
                let words = of.values.pop_front()?;
                let [low, middle, high] = words.data() else { return None };
                Item::Raw(u128::from(*low) | u128::from(*middle) << 32 | u128::from(*high) << 64)
            }
            Values::Float(of) => Item::Float(of.values.pop_front()?.into()),
            Values::Double(of) => Item::Float(of.values.pop_front()?),
            Values::Bytes(of) => text(of.values.pop_front()?, meaning)?,
            Values::Fixed(of) => text(of.values.pop_front()?.into(), meaning)?,
        })
    }
}

fn integer(value: i64, meaning: Meaning) -> Item {
    match meaning {
        Meaning::Decimal(scale) => Item::Decimal { digits: value.into(), scale },
        Meaning::Date => Item::Date(value),
        Meaning::Time(unit) => Item::Time { value, unit },
        Meaning::Unsigned(bits) => {
            let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
            Item::Long(i128::from(value.cast_unsigned() & mask))
        }
        Meaning::Int(64) => Item::Long(value.into()),
        _ => Item::Int(value),
    }
}

/// A text, or the number that bytes are; none if it is neither.
fn text(bytes: ByteArray, meaning: Meaning) -> Option<Item> {
    if bytes.is_empty() {
        return Some(match meaning {
            Meaning::Decimal(scale) => Item::Decimal { digits: 0, scale },
            _ => Item::Text(Text(bytes)),
        });
    }
    if let Meaning::Decimal(scale) = meaning {
        let bytes = bytes.data();
        let is_negative = bytes[0] >= 0x80;
        let (pad, skip) = (if is_negative { 0xff } else { 0 }, bytes.len().saturating_sub(16));
        if bytes[..skip].iter().any(|byte| *byte != pad) {
            return None;
        }
        let digits = bytes[skip..].iter().fold(if is_negative { -1 } else { 0 }, |digits, byte| {
            (digits << 8) | i128::from(*byte)
        });
        return Some(Item::Decimal { digits, scale });
    }
    std::str::from_utf8(bytes.data()).ok()?;
    Some(Item::Text(Text(bytes)))
}

/// A text that lies in a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Text(ByteArray);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        // It was looked at when it was made, which cannot be said here without looking again.
        std::str::from_utf8(self.0.data()).unwrap_or_default()
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Default)]
struct Levels {
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

/// A column of a group.
pub(super) struct Leaf {
    of: ColumnDescPtr,
    meaning: Meaning,
    chunk: Chunk,
    queue: Queue,
    values: Values,
    levels: Levels,
    /// How many levels are decoded.
    len: usize,
    /// The next level.
    at: usize,
    /// Where the present record ends.
    end: usize,
    /// How many levels lie in pages that wait.
    waiting: usize,
}

impl Leaf {
    pub(super) fn new(of: ColumnDescPtr, meaning: Meaning, chunk: Chunk) -> Leaf {
        let queue = Queue::default();
        let values = Values::new(get_column_reader(of.clone(), Box::new(queue.clone())));
        let levels = Levels::default();
        Leaf { of, meaning, chunk, queue, values, levels, len: 0, at: 0, end: 0, waiting: 0 }
    }

    pub(super) fn give(&mut self, bytes: Bytes) {
        self.chunk.give(bytes);
    }

    /// Gets a whole record; or says which bytes it takes.
    pub(super) fn ready(&mut self, budget: &mut Budget) -> Result<Option<Range<u64>>, Refusal> {
        self.forget();
        let mut seen = self.at + 1;
        loop {
            if self.is_whole(&mut seen)? {
                return Ok(None);
            }
            if self.waiting > 0 {
                self.decode()?;
                continue;
            }
            match self.chunk.next(budget, &self.of)? {
                Turn::Wanted(range) => return Ok(Some(range)),
                Turn::Page(page) => {
                    if page.is_data_page() {
                        self.waiting += page.num_values() as usize;
                    }
                    self.queue.push(page);
                }
                Turn::End if self.at < self.len => {
                    self.end = self.len;
                    return Ok(None);
                }
                Turn::End => return Err(Damage::new("a column ends before its group").into()),
            }
        }
    }

    /// Drops the levels that were taken.
    fn forget(&mut self) {
        // Half of them at least, so that what is moved is in proportion to what was taken.
        if self.at * 2 >= self.len {
            let taken = self.at.min(self.levels.definitions.len());
            self.levels.definitions.drain(..taken);
            let taken = self.at.min(self.levels.repetitions.len());
            self.levels.repetitions.drain(..taken);
            self.len -= self.at;
            (self.at, self.end) = (0, 0);
        }
    }

    /// Whether the record that begins at the next level ends before others that are decoded.
    fn is_whole(&mut self, seen: &mut usize) -> Result<bool, Refusal> {
        if self.of.max_rep_level() == 0 {
            if self.at < self.len {
                self.end = self.at + 1;
            }
            return Ok(self.at < self.len);
        }
        let repetitions = &self.levels.repetitions;
        if repetitions.get(self.at).is_some_and(|level| *level != 0) {
            return Err(Damage::new("a record begins in its middle").into());
        }
        while let Some(level) = repetitions.get(*seen) {
            if *level == 0 {
                self.end = *seen;
                return Ok(true);
            }
            *seen += 1;
        }
        if self.len - self.at > Room::MAX_VALUES { Err(Refusal::RecordTooLarge) } else { Ok(false) }
    }

    fn decode(&mut self) -> Result<(), Damage> {
        let records = match self.of.max_rep_level() {
            0 => self.waiting.min(BATCH),
            _ => REPEATED_BATCH,
        };
        let count = self.values.read(records, &mut self.levels)?;
        self.len += count;
        // Who has no levels is always there.
        let (definitions, repetitions) =
            (&mut self.levels.definitions, &mut self.levels.repetitions);
        if self.of.max_def_level() == 0 {
            definitions.resize(self.len, 0);
        }
        let has_repetitions = self.of.max_rep_level() == 0 || repetitions.len() == self.len;
        let waiting = self.waiting.checked_sub(count).filter(|_| count > 0);
        let waiting = waiting.filter(|_| definitions.len() == self.len && has_repetitions);
        self.waiting =
            waiting.ok_or_else(|| Damage::new("a page has other levels than it says"))?;
        Ok(())
    }

    /// The definition level of the next value of the record.
    pub(super) fn definition(&self) -> Result<i16, Damage> {
        let level = (self.at < self.end).then(|| self.levels.definitions.get(self.at)).flatten();
        level.copied().ok_or_else(|| Damage::new("columns disagree on how often they are repeated"))
    }

    /// The repetition level of the next value of the record; none after its last.
    pub(super) fn repetition(&self) -> Option<i16> {
        (self.at < self.end).then(|| self.levels.repetitions.get(self.at).copied()).flatten()
    }

    /// Whether the record is taken.
    pub(super) fn is_taken(&self) -> bool {
        self.at == self.end
    }

    /// The next value of the record.
    pub(super) fn take(&mut self) -> Result<Item, Damage> {
        let definition = self.definition()?;
        self.at += 1;
        if definition < self.of.max_def_level() {
            return Ok(Item::Null);
        }
        self.values.take(self.meaning).ok_or_else(|| Damage::new("a value cannot be read"))
    }
}
