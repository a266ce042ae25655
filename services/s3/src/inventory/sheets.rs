//! The files of an inventory while they are written: lines of CSV, compressed, or rows of Parquet or ORC.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use fogbank_columns::{Cell, Column, Kind, Writer, orc};
use fogbank_core::{Fault, ReadTx};

use super::lines::{Columns, Row, Shown, value};
use crate::error::Error;
use crate::model::{InventoryFormat, InventoryOptionalField};
use crate::store::{Bucket, VersionName};
use crate::versions;

/// What the schema of Parquet is called.
const MESSAGE: &str = "s3.inventory";

/// The rows of a page in one form or the other.
#[derive(Default)]
pub(super) struct Rows {
    lines: String,
    cells: Vec<Vec<Cell>>,
}

/// A file.
pub(super) enum Sheet {
    Csv(Box<GzEncoder<Vec<u8>>>),
    Parquet(Box<Writer>),
    Orc(Box<orc::Writer>),
}

impl Sheet {
    pub(super) fn new(format: &InventoryFormat, columns: &Columns) -> Result<Sheet, Error> {
        match format {
            InventoryFormat::Parquet => {
                let writer = Writer::new(MESSAGE, typed(columns)).map_err(Fault::internal)?;
                Ok(Sheet::Parquet(Box::new(writer)))
            }
            InventoryFormat::Orc => {
                Ok(Sheet::Orc(Box::new(orc::Writer::new(orc_columns(columns)))))
            }
            _ => Ok(Sheet::Csv(Box::new(GzEncoder::new(Vec::new(), Compression::fast())))),
        }
    }

    /// How many bytes lie in memory.
    pub(super) fn len(&self) -> usize {
        match self {
            Sheet::Csv(file) => file.get_ref().len(),
            Sheet::Parquet(file) => file.len(),
            Sheet::Orc(file) => file.len(),
        }
    }

    pub(super) fn add(&mut self, rows: Rows) -> Result<(), Error> {
        match self {
            Sheet::Csv(file) => file.write_all(rows.lines.as_bytes()).map_err(Fault::internal)?,
            Sheet::Parquet(file) => {
                for row in rows.cells {
                    file.push(row).map_err(Fault::internal)?;
                }
            }
            Sheet::Orc(file) => rows.cells.into_iter().for_each(|row| file.push(row)),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Bytes, Error> {
        match self {
            Sheet::Csv(file) => Ok(file.finish().map_err(Fault::internal)?.into()),
            Sheet::Parquet(file) => Ok(file.finish().map_err(Fault::internal)?),
            Sheet::Orc(file) => Ok(file.finish()),
        }
    }
}

/// What the names of files end with.
pub(super) fn extension(format: &InventoryFormat) -> &'static str {
    match format {
        InventoryFormat::Parquet => "parquet",
        InventoryFormat::Orc => "orc",
        _ => "csv.gz",
    }
}

/// `fileSchema` of the manifest.
pub(super) fn schema(format: &InventoryFormat, columns: &Columns) -> String {
    match format {
        InventoryFormat::Parquet => fogbank_columns::schema(MESSAGE, &typed(columns)),
        InventoryFormat::Orc => orc::schema(&orc_columns(columns)),
        _ => columns.schema(),
    }
}

impl Rows {
    pub(super) fn add(
        &mut self,
        tx: &ReadTx<'_>,
        (name, bucket): (&str, &Bucket),
        (format, columns): (&InventoryFormat, &Columns),
        row: &Row<'_>,
    ) -> Result<(), Error> {
        match format {
            InventoryFormat::Parquet | InventoryFormat::Orc => {
                self.cells.push(cells(tx, (name, bucket), columns, row)?);
                Ok(())
            }
            _ => columns.write(tx, (name, bucket), row, &mut self.lines),
        }
    }
}

/// The columns with their types.
fn typed(columns: &Columns) -> Vec<Column> {
    let column = Column::new;
    let mut typed = vec![column("bucket", Kind::Text, true), column("key", Kind::Text, true)];
    if columns.is_of_versions {
        typed.push(column("version_id", Kind::Text, false));
        typed.push(column("is_latest", Kind::Bool, false));
        typed.push(column("is_delete_marker", Kind::Bool, false));
    }
    typed.extend(
        columns.fields.iter().map(|field| column(&snake(field.as_str()), kind(field), false)),
    );
    typed
}

/// The same columns for ORC.
fn orc_columns(columns: &Columns) -> Vec<orc::Column> {
    let column = |column: Column| {
        let kind = match column.kind {
            Kind::Bool => orc::Kind::Bool,
            Kind::Int => orc::Kind::Int,
            Kind::Millis => orc::Kind::Millis,
            _ => orc::Kind::Text,
        };
        orc::Column { name: column.name, kind }
    };
    typed(columns).into_iter().map(column).collect()
}

/// A name of AWS's with underscores.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

fn kind(field: &InventoryOptionalField) -> Kind {
    match field {
        InventoryOptionalField::Size | InventoryOptionalField::ObjectLockEventHoldDuration => {
            Kind::Int
        }
        InventoryOptionalField::IsMultipartUploaded => Kind::Bool,
        InventoryOptionalField::LastModifiedDate
        | InventoryOptionalField::ObjectLockRetainUntilDate
        | InventoryOptionalField::LifecycleExpirationDate
        | InventoryOptionalField::IntelligentTieringReferenceDate => Kind::Millis,
        _ => Kind::Text,
    }
}

/// What a version's row holds. Other than in CSV, keys are as they are.
fn cells(
    tx: &ReadTx<'_>,
    (name, bucket): (&str, &Bucket),
    columns: &Columns,
    row: &Row<'_>,
) -> Result<Vec<Cell>, Error> {
    let mut cells = vec![Cell::Text(name.to_owned()), Cell::Text(row.key.to_owned())];
    if columns.is_of_versions {
        cells.push(match row.shown.version_name() {
            VersionName::Id => Cell::Text(versions::id(row.number)),
            VersionName::Null | VersionName::Unversioned => Cell::None,
        });
        cells.push(Cell::Bool(row.is_latest));
        cells.push(Cell::Bool(matches!(row.shown, Shown::Marker(_))));
    }
    for field in &columns.fields {
        let text = value(tx, (name, bucket), row, field)?;
        cells.push(match kind(field) {
            _ if text.is_empty() => Cell::None,
            Kind::Bool => Cell::Bool(text == "true"),
            Kind::Int => text.parse().map_or(Cell::None, Cell::Int),
            Kind::Millis => text
                .parse::<jiff::Timestamp>()
                .map_or(Cell::None, |time| Cell::Int(time.as_millisecond())),
            _ => Cell::Text(text),
        });
    }
    Ok(cells)
}
