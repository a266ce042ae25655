//! Files read again.

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};

use crate::{Cell, Error};

/// The rows of a file as text, for tests and those who look into files.
pub fn read(file: Bytes) -> Result<Vec<String>, Error> {
    let reader = SerializedFileReader::new(file)?;
    let rows = reader.get_row_iter(None)?;
    Ok(rows.map(|row| row.map(|row| row.to_string())).collect::<Result<_, _>>()?)
}

/// The rows of a file that a [`Writer`](crate::Writer) wrote, as they were given to it, but for values that were not of their
/// column's kind. Memory is bounded by a row group.
pub fn cells(file: Bytes) -> Result<Rows, Error> {
    Ok(Rows(RowIter::from_file_into(Box::new(SerializedFileReader::new(file)?))))
}

/// The rows of a file.
pub struct Rows(RowIter<'static>);

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows")
    }
}

impl Iterator for Rows {
    type Item = Result<Vec<Cell>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.map(row).map_err(Error::from))
    }
}

fn row(row: Row) -> Vec<Cell> {
    row.into_columns().into_iter().map(|(_, field)| cell(field)).collect()
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Bool(truth) => Cell::Bool(truth),
        Field::Int(number) | Field::Date(number) => Cell::Int(i64::from(number)),
        Field::Long(number)
        | Field::TimestampMillis(number)
        | Field::TimestampMicros(number)
        | Field::TimeMicros(number) => Cell::Int(number),
        Field::Float(number) => Cell::Float(f64::from(number)),
        Field::Double(number) => Cell::Float(number),
        Field::Str(text) => Cell::Text(text),
        Field::Bytes(bytes) => Cell::Bytes(Bytes::copy_from_slice(bytes.data())),
        Field::Group(group) => Cell::Struct(row(group)),
        Field::ListInternal(list) => {
            Cell::List(list.elements().iter().cloned().map(cell).collect())
        }
        Field::MapInternal(map) => {
            let entry = |(key, value): &(Field, Field)| (cell(key.clone()), cell(value.clone()));
            Cell::Map(map.entries().iter().map(entry).collect())
        }
        _ => Cell::None,
    }
}
