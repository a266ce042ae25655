//! Rows written as Parquet.
//!
//! The format itself is the crate `parquet`, without Arrow. Values wait in memory until they are a row group; the file grows in
//! memory, and who writes it ends it when it is long enough.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// How many bytes of values wait for their row group, about.
const GROUP_BYTES: usize = 2 << 20;

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

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Whether every row has a value.
    pub is_required: bool,
}

/// A value of a row. One that is not of its column's kind is written as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    None,
    /// A text.
    Text(String),
    /// A truth.
    Bool(bool),
    /// An integer, or a point in time.
    Int(i64),
}

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("Parquet cannot be written: {0}")]
pub struct Error(#[from] ParquetError);

/// The schema of a file of these columns, in the words and with the spaces that S3's inventories have.
pub fn schema(name: &str, columns: &[Column]) -> String {
    let column = |column: &Column| {
        let repetition = if column.is_required { "required" } else { "optional" };
        let (kind, meaning) = match column.kind {
            Kind::Text => ("binary", " (STRING)"),
            Kind::Bool => ("boolean", ""),
            Kind::Int => ("int64", ""),
            Kind::Millis => ("int64", " (TIMESTAMP(MILLIS,true))"),
        };
        format!("  {repetition} {kind} {}{meaning};", column.name)
    };
    let columns: String = columns.iter().map(column).collect();
    format!("message {name} {{{columns}}}")
}

/// Writes one file.
pub struct Writer {
    columns: Vec<Column>,
    file: SerializedFileWriter<Vec<u8>>,
    /// The values of each column that are in no row group yet.
    waiting: Vec<Vec<Cell>>,
    waiting_bytes: usize,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({} bytes)", self.len())
    }
}

impl Writer {
    /// A file without rows.
    pub fn new(name: &str, columns: Vec<Column>) -> Result<Writer, Error> {
        let schema = Arc::new(parse_message_type(&schema(name, &columns))?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let waiting = columns.iter().map(|_| Vec::new()).collect();
        Ok(Writer { columns, file, waiting, waiting_bytes: 0 })
    }

    /// How many bytes the file has, about, of which those that wait count as they are.
    pub fn len(&self) -> usize {
        self.file.bytes_written() + self.waiting_bytes
    }

    /// Whether the file has no rows.
    pub fn is_empty(&self) -> bool {
        self.waiting_bytes == 0 && self.file.flushed_row_groups().is_empty()
    }

    /// Adds a row: a value for each column.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), Error> {
        let cells = row.into_iter().chain(std::iter::repeat(Cell::None));
        for (column, cell) in self.waiting.iter_mut().zip(cells) {
            self.waiting_bytes += size_of::<Cell>();
            if let Cell::Text(text) = &cell {
                self.waiting_bytes += text.len();
            }
            column.push(cell);
        }
        if self.waiting_bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    /// The file's bytes.
    pub fn finish(mut self) -> Result<Bytes, Error> {
        self.write_group()?;
        Ok(self.file.into_inner()?.into())
    }

    fn write_group(&mut self) -> Result<(), Error> {
        if self.waiting_bytes == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for (column, cells) in self.columns.iter().zip(&mut self.waiting) {
            let Some(mut writer) = group.next_column()? else { break };
            write_column(writer.untyped(), column, std::mem::take(cells))?;
            writer.close()?;
        }
        group.close()?;
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// The rows of a file as text, for tests and those who look into files.
pub fn read(file: Bytes) -> Result<Vec<String>, Error> {
    let reader = SerializedFileReader::new(file)?;
    let rows = reader.get_row_iter(None)?;
    Ok(rows.map(|row| row.map(|row| row.to_string())).collect::<Result<_, _>>()?)
}

fn write_column(
    writer: &mut ColumnWriter<'_>,
    column: &Column,
    cells: Vec<Cell>,
) -> Result<(), ParquetError> {
    // Of a column whose every row has a value, what is none is empty.
    let is_there = |cell: &Cell| match (column.kind, cell) {
        (Kind::Text, Cell::Text(_)) | (Kind::Bool, Cell::Bool(_)) => true,
        (Kind::Int | Kind::Millis, Cell::Int(_)) => true,
        _ => column.is_required,
    };
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(is_there(cell))).collect();
    let levels = (!column.is_required).then_some(&levels[..]);
    let cells = cells.into_iter().filter(is_there);
    match writer {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts = cells.map(|cell| match cell {
                Cell::Text(text) => ByteArray::from(text.into_bytes()),
                _ => ByteArray::from(Vec::new()),
            });
            writer.write_batch(&texts.collect::<Vec<_>>(), levels, None)
        }
        ColumnWriter::BoolColumnWriter(writer) => {
            let truths = cells.map(|cell| cell == Cell::Bool(true));
            writer.write_batch(&truths.collect::<Vec<_>>(), levels, None)
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let numbers = cells.map(|cell| match cell {
                Cell::Int(number) => number,
                _ => 0,
            });
            writer.write_batch(&numbers.collect::<Vec<_>>(), levels, None)
        }
        _ => Err(ParquetError::NYI("columns of other types".to_owned())),
    }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: Kind, is_required: bool) -> Column {
        Column { name: name.to_owned(), kind, is_required }
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let columns = vec![
            column("key", Kind::Text, true),
            column("size", Kind::Int, false),
            column("at", Kind::Millis, false),
            column("is_latest", Kind::Bool, false),
        ];
        assert_eq!(
            schema("s3.inventory", &columns),
            "message s3.inventory {  required binary key (STRING);  optional int64 size;  optional int64 at (TIMESTAMP(MILLIS,true));  optional boolean is_latest;}"
        );
        let mut writer = Writer::new("s3.inventory", columns).expect("a writer");
        assert!(writer.is_empty());
        let rows = 60_000;
        for row in 0..rows {
            let size = if row % 3 == 0 { Cell::None } else { Cell::Int(row) };
            let latest = Cell::Bool(row % 2 == 0);
            writer
                .push(vec![Cell::Text(format!("é{row}")), size, Cell::Int(row), latest])
                .expect("a row");
        }
        assert!(!writer.is_empty());
        let reader = SerializedFileReader::new(writer.finish().expect("a file")).expect("Parquet");
        assert!(reader.metadata().num_row_groups() > 1);
        let mut count = 0;
        for (row, read) in (0i64..).zip(reader.get_row_iter(None).expect("rows")) {
            let read = read.expect("a row").to_string();
            let size = if row % 3 == 0 { "null".to_owned() } else { row.to_string() };
            assert!(
                read.starts_with(&format!("{{key: \"é{row}\", size: {size}, at: 1970-01-01 ")),
                "{read}"
            );
            assert!(read.ends_with(&format!("is_latest: {}}}", row % 2 == 0)), "{read}");
            count += 1;
        }
        assert_eq!(count, rows);
    }

    #[test]
    fn values_of_another_kind_are_none() {
        let columns = vec![column("key", Kind::Text, true), column("size", Kind::Int, false)];
        let mut writer = Writer::new("rows", columns).expect("a writer");
        writer.push(vec![Cell::Int(1), Cell::Text("x".to_owned())]).expect("a row");
        writer.push(Vec::new()).expect("a row");
        let reader = SerializedFileReader::new(writer.finish().expect("a file")).expect("Parquet");
        let rows: Vec<_> = reader.get_row_iter(None).expect("rows").flatten().collect();
        assert_eq!(
            rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["{key: \"\", size: null}"; 2]
        );
    }
}
