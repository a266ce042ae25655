//! Tables' rows in Parquet: the columns of a schema, and data files of what was written.

use fogbank_columns::{Column, Kind as Of, Statistics};

use crate::{DataFile, Error, Field, Kind, Result, Schema};

impl Schema {
    /// The columns in which Parquet has the rows, with the fields' ids. Refuses times of day, decimals, UUIDs and bytes of fixed
    /// length.
    pub fn columns(&self) -> Result<Vec<Column>> {
        self.fields.iter().map(column).collect()
    }
}

fn column(field: &Field) -> Result<Column> {
    Ok(Column::new(&field.name, of(&field.kind)?, field.required).with_id(field.id))
}

fn of(kind: &Kind) -> Result<Of> {
    let part = |id, name: &str, kind: &Kind, is_required| {
        Ok(Box::new(Column::new(name, of(kind)?, is_required).with_id(id)))
    };
    let kind = match kind {
        Kind::Boolean => Of::Bool,
        Kind::Int => Of::Int32,
        Kind::Long => Of::Int,
        Kind::Float => Of::Float,
        Kind::Double => Of::Double,
        Kind::Date => Of::Date,
        Kind::Timestamp => Of::LocalMicros,
        Kind::Timestamptz => Of::Micros,
        Kind::String => Of::Text,
        Kind::Binary => Of::Binary,
        Kind::List(list) => {
            Of::List(part(list.element_id, "element", &list.element, list.element_required)?)
        }
        Kind::Map(map) => Of::Map(
            part(map.key_id, "key", &map.key, true)?,
            part(map.value_id, "value", &map.value, map.value_required)?,
        ),
        Kind::Struct(fields) => Of::Struct(fields.iter().map(column).collect::<Result<_>>()?),
        other => {
            return Err(Error::Unsupported(format!("Rows of type {other:?} are not written")));
        }
    };
    Ok(kind)
}

impl DataFile {
    /// A file of Parquet with these statistics, which lies at `path` and is so long, of a table that is not partitioned.
    pub fn parquet(path: &str, bytes: usize, statistics: &Statistics) -> DataFile {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut file = DataFile {
            path: path.to_owned(),
            format: "PARQUET".to_owned(),
            records: signed(statistics.rows),
            bytes: signed(bytes as u64),
            split_offsets: statistics.split_offsets.clone(),
            ..DataFile::default()
        };
        for column in &statistics.columns {
            let Some(id) = column.id else { continue };
            file.column_sizes.insert(id, signed(column.bytes));
            file.value_counts.insert(id, signed(column.values));
            file.null_counts.insert(id, signed(column.nulls));
            file.nan_counts.extend(column.nans.map(|nans| (id, signed(nans))));
            file.lower_bounds.extend(column.lower.clone().map(|bound| (id, bound)));
            file.upper_bounds.extend(column.upper.clone().map(|bound| (id, bound)));
        }
        file
    }
}
