//! Columns as Parquet's types.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::{Type, TypePtr};

use crate::{Column, Kind};

/// The schema of a file of these columns, in the words and with the spaces that S3's inventories have.
pub fn schema(name: &str, columns: &[Column]) -> String {
    let columns: String = columns.iter().map(|column| format!("  {};", text(column))).collect();
    format!("message {name} {{{columns}}}")
}

fn text(column: &Column) -> String {
    let repetition = if column.is_required { "required" } else { "optional" };
    let within = |columns: &[&Column]| {
        columns.iter().map(|column| format!(" {};", text(column))).collect::<String>()
    };
    let (kind, meaning) = match &column.kind {
        Kind::Text => ("binary", " (STRING)".to_owned()),
        Kind::Bool => ("boolean", String::new()),
        Kind::Int => ("int64", String::new()),
        Kind::Int32 => ("int32", String::new()),
        Kind::Float => ("float", String::new()),
        Kind::Double => ("double", String::new()),
        Kind::Date => ("int32", " (DATE)".to_owned()),
        Kind::Millis => ("int64", " (TIMESTAMP(MILLIS,true))".to_owned()),
        Kind::LocalMicros => ("int64", " (TIMESTAMP(MICROS,false))".to_owned()),
        Kind::Micros => ("int64", " (TIMESTAMP(MICROS,true))".to_owned()),
        Kind::Binary => ("binary", String::new()),
        Kind::List(element) => {
            ("group", format!(" (LIST) {{ repeated group list {{{} }} }}", within(&[&**element])))
        }
        Kind::Map(key, value) => {
            let entry = within(&[&**key, &**value]);
            ("group", format!(" (MAP) {{ repeated group key_value {{{entry} }} }}"))
        }
        Kind::Struct(columns) => {
            ("group", format!(" {{{} }}", within(&columns.iter().collect::<Vec<_>>())))
        }
    };
    format!("{repetition} {kind} {}{meaning}", column.name)
}

/// The schema itself.
pub(crate) fn message(name: &str, columns: &[Column]) -> Result<Type, ParquetError> {
    let fields = columns.iter().map(|column| field(column, &column.name, column.is_required));
    Type::group_type_builder(name).with_fields(fields.collect::<Result<_, _>>()?).build()
}

fn field(column: &Column, name: &str, is_required: bool) -> Result<TypePtr, ParquetError> {
    let repetition = if is_required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    let group = |fields, meaning| {
        let group = Type::group_type_builder(name).with_fields(fields).with_id(column.id);
        group.with_repetition(repetition).with_logical_type(meaning).build()
    };
    let repeated = |name, fields| {
        let group = Type::group_type_builder(name).with_fields(fields);
        group.with_repetition(Repetition::REPEATED).build().map(Arc::new)
    };
    let made = match &column.kind {
        Kind::List(element) => {
            let element = field(element, "element", element.is_required)?;
            group(vec![repeated("list", vec![element])?], Some(LogicalType::List))
        }
        Kind::Map(key, value) => {
            let entry = vec![field(key, "key", true)?, field(value, "value", value.is_required)?];
            group(vec![repeated("key_value", entry)?], Some(LogicalType::Map))
        }
        Kind::Struct(columns) => {
            let fields = columns.iter().map(|each| field(each, &each.name, each.is_required));
            group(fields.collect::<Result<_, _>>()?, None)
        }
        kind => {
            let (physical, meaning) = primitive(kind);
            let made = Type::primitive_type_builder(name, physical).with_repetition(repetition);
            made.with_logical_type(meaning).with_id(column.id).build()
        }
    };
    Ok(Arc::new(made?))
}

fn primitive(kind: &Kind) -> (Physical, Option<LogicalType>) {
    match kind {
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Int => (Physical::INT64, None),
        Kind::Int32 => (Physical::INT32, None),
        Kind::Float => (Physical::FLOAT, None),
        Kind::Double => (Physical::DOUBLE, None),
        Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
        Kind::Millis => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::LocalMicros => {
            (Physical::INT64, Some(LogicalType::timestamp(false, TimeUnit::MICROS)))
        }
        Kind::Micros => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        _ => (Physical::BYTE_ARRAY, None),
    }
}

/// Where a row group's first column begins.
pub(crate) fn start(column: &ColumnChunkMetaData) -> i64 {
    column.dictionary_page_offset().unwrap_or(column.data_page_offset())
}
