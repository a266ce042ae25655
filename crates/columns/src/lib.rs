//! Rows written as Parquet, and read again; or written as ORC.
//!
//! The format itself is the crate `parquet`, without Arrow. Values wait in memory until they are a row group; the file grows in
//! memory, and who writes it ends it when it is long enough. With the feature `read`, files of others are read, too.

mod leaves;
pub mod orc;
#[cfg(feature = "read")]
pub mod read;
mod reading;
mod shapes;
mod statistics;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

pub use reading::{Rows, cells, read};
pub use shapes::schema;
pub use statistics::{ColumnStatistics, Statistics};

use leaves::Leaves;

/// How many bytes of values wait for their row group, about.
const GROUP_BYTES: usize = 2 << 20;

/// What the values of a column are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Truths.
    Bool,
    /// Integers.
    Int,
    /// Integers of 32 bits; what does not fit is cut to the nearest that does.
    Int32,
    /// Numbers of 32 bits.
    Float,
    /// Numbers of 64 bits.
    Double,
    /// Days since 1970.
    Date,
    /// Points in time, in milliseconds since 1970.
    Millis,
    /// Points in time of a clock whose zone is not said, in microseconds.
    LocalMicros,
    /// Points in time, in microseconds since 1970.
    Micros,
    /// Bytes.
    Binary,
    /// Lists of values of a column, whose name does not matter.
    List(Box<Column>),
    /// Maps: their keys, of which every entry has one, and their values. The names do not matter.
    Map(Box<Column>, Box<Column>),
    /// Columns within.
    Struct(Vec<Column>),
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
    /// Its id, by which tables find it under any name.
    pub id: Option<i32>,
}

impl Column {
    /// A column without an id.
    pub fn new(name: &str, kind: Kind, is_required: bool) -> Column {
        Column { name: name.to_owned(), kind, is_required, id: None }
    }

    /// The column with an id.
    pub fn with_id(self, id: i32) -> Column {
        Column { id: Some(id), ..self }
    }
}

/// A value of a row. One that is not of its column's kind is written as none.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    None,
    /// A text.
    Text(String),
    /// A truth.
    Bool(bool),
    /// An integer, a day or a point in time.
    Int(i64),
    /// A number.
    Float(f64),
    /// Bytes.
    Bytes(Bytes),
    /// A list.
    List(Vec<Cell>),
    /// A map.
    Map(Vec<(Cell, Cell)>),
    /// The values of columns within.
    Struct(Vec<Cell>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

/// Why rows cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("Parquet cannot be written or read: {0}")]
pub struct Error(#[from] ParquetError);

/// Writes one file.
pub struct Writer {
    columns: Vec<Column>,
    file: SerializedFileWriter<Vec<u8>>,
    /// The values of each column that are in no row group yet.
    waiting: Leaves,
    rows: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({} bytes)", self.len())
    }
}

impl Writer {
    /// A file without rows.
    pub fn new(name: &str, columns: Vec<Column>) -> Result<Writer, Error> {
        let schema = Arc::new(shapes::message(name, &columns)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let waiting = Leaves::new(&columns);
        Ok(Writer { columns, file, waiting, rows: 0 })
    }

    /// How many bytes the file has, about, of which those that wait count as they are.
    pub fn len(&self) -> usize {
        self.file.bytes_written() + self.waiting.bytes
    }

    /// Whether the file has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many rows the file has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row: a value for each column.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), Error> {
        self.waiting.push(&self.columns, row);
        self.rows += 1;
        if self.waiting.bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    /// The file's bytes.
    pub fn finish(self) -> Result<Bytes, Error> {
        Ok(self.finish_with_statistics()?.0)
    }

    /// The file's bytes, and what is in it.
    pub fn finish_with_statistics(mut self) -> Result<(Bytes, Statistics), Error> {
        self.write_group()?;
        let mut statistics = self.waiting.statistics(self.rows);
        for group in self.file.flushed_row_groups() {
            statistics.split_offsets.extend(group.columns().first().map(shapes::start));
            for (column, chunk) in statistics.columns.iter_mut().zip(group.columns()) {
                column.bytes += chunk.compressed_size().unsigned_abs();
            }
        }
        Ok((self.file.into_inner()?.into(), statistics))
    }

    fn write_group(&mut self) -> Result<(), Error> {
        if self.waiting.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for leaf in &mut self.waiting.leaves {
            let Some(mut writer) = group.next_column()? else { break };
            leaf.write(writer.untyped())?;
            writer.close()?;
        }
        group.close()?;
        self.waiting.clear();
        Ok(())
    }
}
