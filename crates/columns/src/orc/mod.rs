//! Rows written as ORC, version 0.12, packed by zlib.
//!
//! Of what the format knows this writes what readers need: stripes of columns in their direct encodings, with runs of the first
//! version, and no indexes. Values wait in memory until they are a stripe; the file grows in memory, too.

mod messages;
mod streams;

use bytes::Bytes;

use crate::Cell;
use messages::Message;
use streams::{Bits, Runs, pack};

/// How many bytes of values wait for their stripe, about.
const STRIPE_BYTES: usize = 2 << 20;
const MAGIC: &[u8] = b"ORC";
/// ZLIB, as the format numbers ways to compress.
const ZLIB: u64 = 1;
/// The second at which the format's time begins: 2015-01-01T00:00:00Z.
const EPOCH_SECS: i64 = 1_420_070_400;

/// The streams of a column, as the format numbers them.
mod stream {
    pub(super) const PRESENT: u64 = 0;
    pub(super) const DATA: u64 = 1;
    pub(super) const LENGTH: u64 = 2;
    pub(super) const SECONDARY: u64 = 5;
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Truths.
    Bool,
    /// Integers.
    Int,
    /// Points in time, in milliseconds since 1970.
    Millis,
}

/// A column, of which any row may have no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// The schema of a file of these columns, as Hive writes it.
pub fn schema(columns: &[Column]) -> String {
    let column = |column: &Column| {
        let kind = match column.kind {
            Kind::Text => "string",
            Kind::Bool => "boolean",
            Kind::Int => "bigint",
            Kind::Millis => "timestamp",
        };
        format!("{}:{kind}", column.name)
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!("struct<{}>", columns.join(","))
}

/// Writes one file.
#[derive(Debug)]
pub struct Writer {
    columns: Vec<Column>,
    file: Vec<u8>,
    /// The stripes that are written, as the footer lists them.
    stripes: Message,
    /// How many rows are in stripes.
    rows: u64,
    /// How many values of each column are in stripes.
    values: Vec<u64>,
    /// The values of each column that are in no stripe yet.
    waiting: Vec<Vec<Cell>>,
    waiting_bytes: usize,
}

impl Writer {
    /// A file without rows.
    pub fn new(columns: Vec<Column>) -> Writer {
        let waiting = columns.iter().map(|_| Vec::new()).collect();
        let values = vec![0; columns.len()];
        let (file, stripes) = (MAGIC.to_vec(), Message::default());
        Writer { columns, file, stripes, rows: 0, values, waiting, waiting_bytes: 0 }
    }

    /// How many bytes the file has, about, of which those that wait count as they are.
    pub fn len(&self) -> usize {
        self.file.len() + self.waiting_bytes
    }

    /// Whether the file has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.waiting_bytes == 0
    }

    /// Adds a row: a value for each column. One that is not of its column's kind is written as none.
    pub fn push(&mut self, row: Vec<Cell>) {
        let cells = row.into_iter().chain(std::iter::repeat(Cell::None));
        for (column, cell) in self.waiting.iter_mut().zip(cells) {
            self.waiting_bytes += size_of::<Cell>();
            if let Cell::Text(text) = &cell {
                self.waiting_bytes += text.len();
            }
            column.push(cell);
        }
        if self.waiting_bytes >= STRIPE_BYTES {
            self.write_stripe();
        }
    }

    /// The file's bytes.
    pub fn finish(mut self) -> Bytes {
        self.write_stripe();
        let content = (self.file.len() - MAGIC.len()) as u64;
        let mut footer = Message::default();
        footer.number(1, MAGIC.len() as u64);
        footer.number(2, content);
        footer.append(&self.stripes);
        for of in self.types() {
            footer.message(4, &of);
        }
        footer.number(6, self.rows);
        // Of the root and of each column: how many values there are, and whether some are none.
        for values in std::iter::once(self.rows).chain(self.values.iter().copied()) {
            let mut statistics = Message::default();
            statistics.number(1, values);
            statistics.number(10, u64::from(values < self.rows));
            footer.message(7, &statistics);
        }
        let footer = pack(footer.as_bytes());
        self.file.extend_from_slice(&footer);
        let mut end = Message::default();
        end.number(1, footer.len() as u64);
        end.number(2, ZLIB);
        end.number(3, streams::BLOCK_BYTES as u64);
        end.bytes(4, &[0, 12]);
        end.number(5, 0);
        end.bytes(8000, MAGIC);
        self.file.extend_from_slice(end.as_bytes());
        // It has some dozen bytes.
        self.file.push(end.as_bytes().len() as u8);
        self.file.into()
    }

    /// The types as a tree: the root, which is a structure of the columns, then those.
    fn types(&self) -> Vec<Message> {
        let mut root = Message::default();
        root.number(1, 12);
        let mut children = Message::default();
        (1..=self.columns.len()).for_each(|child| children.varint(child as u64));
        root.bytes(2, children.as_bytes());
        for column in &self.columns {
            root.bytes(3, column.name.as_bytes());
        }
        let kinds = self.columns.iter().map(|column| {
            let mut of = Message::default();
            of.number(
                1,
                match column.kind {
                    Kind::Bool => 0,
                    Kind::Int => 4,
                    Kind::Text => 7,
                    Kind::Millis => 9,
                },
            );
            of
        });
        std::iter::once(root).chain(kinds).collect()
    }

    fn write_stripe(&mut self) {
        let rows = self.waiting.first().map_or(0, Vec::len) as u64;
        if rows == 0 {
            return;
        }
        let offset = self.file.len() as u64;
        let mut footer = Message::default();
        for (index, column) in self.columns.iter().enumerate() {
            let cells = std::mem::take(&mut self.waiting[index]);
            self.values[index] += cells.iter().filter(|cell| is_there(column, cell)).count() as u64;
            for (kind, bytes) in encode(column, &cells) {
                let bytes = pack(&bytes);
                let mut told = Message::default();
                told.number(1, kind);
                told.number(2, index as u64 + 1);
                told.number(3, bytes.len() as u64);
                footer.message(1, &told);
                self.file.extend_from_slice(&bytes);
            }
        }
        // The root and each column are encoded directly.
        let mut direct = Message::default();
        direct.number(1, 0);
        (0..=self.columns.len()).for_each(|_| footer.message(2, &direct));
        footer.bytes(3, b"UTC");
        let footer = pack(footer.as_bytes());
        let mut stripe = Message::default();
        stripe.number(1, offset);
        stripe.number(2, 0);
        stripe.number(3, self.file.len() as u64 - offset);
        stripe.number(4, footer.len() as u64);
        stripe.number(5, rows);
        self.stripes.message(3, &stripe);
        self.file.extend_from_slice(&footer);
        self.rows += rows;
        self.waiting_bytes = 0;
    }
}

/// Whether a cell is a value of its column.
fn is_there(column: &Column, cell: &Cell) -> bool {
    matches!(
        (column.kind, cell),
        (Kind::Text, Cell::Text(_))
            | (Kind::Bool, Cell::Bool(_))
            | (Kind::Int | Kind::Millis, Cell::Int(_))
    )
}

/// The streams of a column.
fn encode(column: &Column, cells: &[Cell]) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    if cells.iter().any(|cell| !is_there(column, cell)) {
        let bits: Bits = cells.iter().map(|cell| is_there(column, cell)).collect();
        all.push((stream::PRESENT, bits.finish()));
    }
    let there = cells.iter().filter(|cell| is_there(column, cell));
    let numbers = there.clone().filter_map(|cell| match cell {
        Cell::Int(number) => Some(*number),
        _ => None,
    });
    match column.kind {
        Kind::Bool => {
            let bits: Bits = there.map(|cell| *cell == Cell::Bool(true)).collect();
            all.push((stream::DATA, bits.finish()));
        }
        Kind::Int => all.push((stream::DATA, Runs::signed(numbers))),
        Kind::Millis => {
            let times: Vec<(i64, i64)> = numbers.map(time).collect();
            let (secs, nanos) = (times.iter().map(|time| time.0), times.iter().map(|time| time.1));
            all.push((stream::DATA, Runs::signed(secs)));
            all.push((stream::SECONDARY, Runs::unsigned(nanos)));
        }
        Kind::Text => {
            let texts = there.filter_map(|cell| match cell {
                Cell::Text(text) => Some(text.as_bytes()),
                _ => None,
            });
            let texts: Vec<&[u8]> = texts.collect();
            all.push((stream::DATA, texts.concat()));
            let lengths = texts.iter().map(|text| text.len() as i64);
            all.push((stream::LENGTH, Runs::unsigned(lengths)));
        }
    }
    all
}

/// A point in time as seconds since the format's time begins, and the nanoseconds after them, whose zeros at the end are
/// counted in three bits.
fn time(millis: i64) -> (i64, i64) {
    let (mut secs, millis) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    // Readers take a second off again.
    if secs < 0 && millis > 0 {
        secs += 1;
    }
    let nanos = match (millis % 10, millis % 100, millis) {
        (.., 0) => 0,
        // A count of n stands for n + 1 zeros.
        (_, 0, _) => (millis / 100) << 3 | 7,
        (0, ..) => (millis / 10) << 3 | 6,
        _ => millis << 3 | 5,
    };
    (secs - EPOCH_SECS, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: Kind) -> Column {
        Column { name: name.to_owned(), kind }
    }

    #[test]
    fn schemas_are_those_of_inventories() {
        let columns = [
            column("bucket", Kind::Text),
            column("is_latest", Kind::Bool),
            column("size", Kind::Int),
            column("last_modified_date", Kind::Millis),
        ];
        assert_eq!(
            schema(&columns),
            "struct<bucket:string,is_latest:boolean,size:bigint,last_modified_date:timestamp>"
        );
    }

    #[test]
    fn times_are_counted_as_the_format_does() {
        let of = |millis| {
            let (secs, nanos) = time(millis);
            let zeros = if nanos & 7 == 0 { 0 } else { (nanos & 7) + 1 };
            (secs + EPOCH_SECS, (nanos >> 3) * 10i64.pow(zeros as u32))
        };
        assert_eq!(of(1_700_000_000_000), (1_700_000_000, 0));
        assert_eq!(of(1_700_000_000_001), (1_700_000_000, 1_000_000));
        assert_eq!(of(1_700_000_000_120), (1_700_000_000, 120_000_000));
        assert_eq!(of(1_700_000_000_300), (1_700_000_000, 300_000_000));
        assert_eq!(of(-1), (0, 999_000_000));
    }

    #[test]
    fn a_file_has_stripes_and_an_end() {
        let mut writer = Writer::new(vec![column("key", Kind::Text), column("size", Kind::Int)]);
        assert!(writer.is_empty());
        for row in 0..100_000 {
            let size = if row % 2 == 0 { Cell::Int(row) } else { Cell::Text("none".to_owned()) };
            writer.push(vec![Cell::Text(format!("key {row}")), size]);
        }
        assert!(!writer.is_empty() && writer.rows > 0 && writer.waiting_bytes < STRIPE_BYTES);
        let file = writer.finish();
        assert!(file.starts_with(b"ORC"));
        let end = usize::from(file[file.len() - 1]);
        assert_eq!(&file[file.len() - 4..file.len() - 1], b"ORC");
        assert!((20..24).contains(&end), "{end}");
    }
}
