//! Data files, as manifests describe them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::avro::{Datum, Record, put_array, put_bytes, put_long, put_option};
use crate::{Error, Kind, Result, Value, invalid};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Rows of the table.
    #[default]
    Data,
    /// Files and positions of rows that are deleted.
    PositionDeletes,
    /// Values by which rows are deleted.
    EqualityDeletes,
}

/// A file of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataFile {
    /// What its rows are.
    pub content: Content,
    /// Its whole URI.
    pub path: String,
    /// `PARQUET`, `AVRO` or `ORC`.
    pub format: String,
    /// What its rows have in common, by the ids of the partition's fields; what is missing is null.
    pub partition: BTreeMap<i32, Value>,
    /// How many rows it has.
    pub records: i64,
    /// How many bytes it has.
    pub bytes: i64,
    /// How many bytes each column takes, by the fields' ids.
    pub column_sizes: BTreeMap<i32, i64>,
    /// How many values each column has, nulls among them.
    pub value_counts: BTreeMap<i32, i64>,
    /// How many nulls each column has.
    pub null_counts: BTreeMap<i32, i64>,
    /// How many values of each column are not numbers.
    pub nan_counts: BTreeMap<i32, i64>,
    /// What no value of a column is below ([`Value::to_bytes`]).
    pub lower_bounds: BTreeMap<i32, Vec<u8>>,
    /// What no value of a column is above.
    pub upper_bounds: BTreeMap<i32, Vec<u8>>,
    /// How its key is found, if it is encrypted.
    pub key_metadata: Option<Vec<u8>>,
    /// Where it may be split.
    pub split_offsets: Vec<i64>,
    /// By which fields it deletes rows.
    pub equality_ids: Vec<i32>,
    /// The order of its rows.
    pub sort_order_id: Option<i32>,
    /// The only file of which it deletes rows.
    pub referenced_data_file: Option<String>,
}

impl DataFile {
    /// Reads `data_file` of a manifest's entry.
    pub(crate) fn read(mut record: Record) -> Result<DataFile> {
        let content = match long(record.take(134))?.unwrap_or(0) {
            0 => Content::Data,
            1 => Content::PositionDeletes,
            2 => Content::EqualityDeletes,
            other => return invalid(format!("Invalid manifest: unknown content {other}")),
        };
        let partition = match record.take(102) {
            Datum::Record(values) => partition_values(values)?,
            Datum::Null => BTreeMap::new(),
            _ => return invalid("Invalid manifest: a partition is no record"),
        };
        Ok(DataFile {
            content,
            path: text(record.take(100))?.ok_or_else(|| missing("file_path"))?,
            format: text(record.take(101))?.ok_or_else(|| missing("file_format"))?,
            partition,
            records: long(record.take(103))?.ok_or_else(|| missing("record_count"))?,
            bytes: long(record.take(104))?.ok_or_else(|| missing("file_size_in_bytes"))?,
            column_sizes: by_id(record.take(108), (117, 118), number)?,
            value_counts: by_id(record.take(109), (119, 120), number)?,
            null_counts: by_id(record.take(110), (121, 122), number)?,
            nan_counts: by_id(record.take(137), (138, 139), number)?,
            lower_bounds: by_id(record.take(125), (126, 127), some_bytes)?,
            upper_bounds: by_id(record.take(128), (129, 130), some_bytes)?,
            key_metadata: bytes(record.take(131))?,
            split_offsets: list(record.take(132), number)?,
            equality_ids: list(record.take(135), |id| Ok(int(id)?.unwrap_or_default()))?,
            sort_order_id: int(record.take(140))?,
            referenced_data_file: text(record.take(143))?,
        })
    }

    /// Writes it; `partition` is the ids and types of the partition's fields.
    pub(crate) fn put(&self, out: &mut Vec<u8>, partition: &[(i32, String, Kind)]) -> Result<()> {
        put_long(out, self.content as i64);
        put_bytes(out, self.path.as_bytes());
        put_bytes(out, self.format.as_bytes());
        for (id, _, kind) in partition {
            put_value(out, self.partition.get(id), kind)?;
        }
        put_long(out, self.records);
        put_long(out, self.bytes);
        for counts in [&self.column_sizes, &self.value_counts, &self.null_counts, &self.nan_counts]
        {
            put_map(out, counts, |out, count| put_long(out, *count));
        }
        for bounds in [&self.lower_bounds, &self.upper_bounds] {
            put_map(out, bounds, |out, bound| put_bytes(out, bound));
        }
        put_option(out, self.key_metadata.as_ref(), |out, key| put_bytes(out, key));
        let offsets = (!self.split_offsets.is_empty()).then(|| self.split_offsets.iter());
        put_option(out, offsets, |out, offsets| {
            put_array(out, offsets, |out, offset| put_long(out, *offset));
        });
        let ids = (!self.equality_ids.is_empty()).then(|| self.equality_ids.iter());
        put_option(out, ids, |out, ids| {
            put_array(out, ids, |out, id| put_long(out, i64::from(*id)));
        });
        put_option(out, self.sort_order_id, |out, id| put_long(out, i64::from(id)));
        put_option(out, self.referenced_data_file.as_ref(), |out, path| {
            put_bytes(out, path.as_bytes());
        });
        Ok(())
    }
}

fn put_map<T>(out: &mut Vec<u8>, map: &BTreeMap<i32, T>, put: impl Fn(&mut Vec<u8>, &T)) {
    put_option(out, (!map.is_empty()).then(|| map.iter()), |out, entries| {
        put_array(out, entries, |out, (id, value)| {
            put_long(out, i64::from(*id));
            put(out, value);
        });
    });
}

/// Writes a partition's value, of which types that were widened since it was read are the wider ones.
fn put_value(out: &mut Vec<u8>, value: Option<&Value>, kind: &Kind) -> Result<()> {
    put_long(out, i64::from(value.is_some()));
    let Some(value) = value else { return Ok(()) };
    match (kind, value) {
        (Kind::Boolean, Value::Boolean(truth)) => out.push(u8::from(*truth)),
        (
            Kind::Int | Kind::Date | Kind::Long | Kind::Time | Kind::Timestamp | Kind::Timestamptz,
            Value::Int(number),
        ) => put_long(out, i64::from(*number)),
        (Kind::Long | Kind::Time | Kind::Timestamp | Kind::Timestamptz, Value::Long(number)) => {
            put_long(out, *number);
        }
        (Kind::Float, Value::Float(number)) => out.extend_from_slice(&number.to_le_bytes()),
        (Kind::Double, Value::Float(number)) => {
            out.extend_from_slice(&f64::from(*number).to_le_bytes());
        }
        (Kind::Double, Value::Double(number)) => out.extend_from_slice(&number.to_le_bytes()),
        (Kind::String, Value::String(text)) => put_bytes(out, text.as_bytes()),
        (Kind::Binary, Value::Bytes(bytes)) => put_bytes(out, bytes),
        (Kind::Uuid | Kind::Fixed(_), Value::Bytes(bytes)) if bytes.len() == fixed_length(kind) => {
            out.extend_from_slice(bytes);
        }
        (Kind::Decimal { .. }, Value::Bytes(bytes)) if bytes.len() <= fixed_length(kind) => {
            let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
            out.extend(std::iter::repeat_n(sign, fixed_length(kind) - bytes.len()));
            out.extend_from_slice(bytes);
        }
        _ => return invalid(format!("A partition of type {kind:?} cannot hold {value:?}")),
    }
    Ok(())
}

/// How many bytes values of a type of fixed length have.
fn fixed_length(kind: &Kind) -> usize {
    match kind {
        Kind::Uuid => 16,
        Kind::Fixed(length) => *length as usize,
        // As many as hold all numbers of so many digits, and the sign.
        Kind::Decimal { precision, .. } => {
            ((f64::from(*precision) * 10f64.log2() + 1.0) / 8.0).ceil() as usize
        }
        _ => 0,
    }
}

/// Avro's type of a partition's value.
pub(crate) fn avro_type(kind: &Kind, id: i32) -> Json {
    let named = |logical: &str| {
        json!({"type": "fixed", "name": format!("{logical}_{id}"), "size": fixed_length(kind),
            "logicalType": logical})
    };
    match kind {
        Kind::Boolean => json!("boolean"),
        Kind::Int => json!("int"),
        Kind::Long => json!("long"),
        Kind::Float => json!("float"),
        Kind::Double => json!("double"),
        Kind::Date => json!({"type": "int", "logicalType": "date"}),
        Kind::Time => json!({"type": "long", "logicalType": "time-micros"}),
        Kind::Timestamp => {
            json!({"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": false})
        }
        Kind::Timestamptz => {
            json!({"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": true})
        }
        Kind::Uuid => named("uuid"),
        Kind::Fixed(size) => json!({"type": "fixed", "name": format!("fixed_{id}"), "size": size}),
        Kind::Decimal { precision, scale } => {
            let mut made = named("decimal");
            made["precision"] = json!(precision);
            made["scale"] = json!(scale);
            made
        }
        Kind::Binary => json!("bytes"),
        _ => json!("string"),
    }
}

fn partition_values(record: Record) -> Result<BTreeMap<i32, Value>> {
    let mut values = BTreeMap::new();
    for (id, datum) in record.into_values() {
        let value = match datum {
            Datum::Null => continue,
            Datum::Boolean(truth) => Value::Boolean(truth),
            Datum::Int(number) => Value::Int(number),
            Datum::Long(number) => Value::Long(number),
            Datum::Float(number) => Value::Float(number),
            Datum::Double(number) => Value::Double(number),
            Datum::Bytes(bytes) => Value::Bytes(bytes),
            Datum::String(text) => Value::String(text),
            _ => return invalid("Invalid manifest: a partition's value is not primitive"),
        };
        values.insert(id, value);
    }
    Ok(values)
}

pub(crate) fn missing(field: &str) -> Error {
    Error::Invalid(format!("Invalid manifest: {field} is missing"))
}

fn wrong<T>() -> Result<T> {
    invalid("Invalid manifest: a value is not of its field's type")
}

pub(crate) fn long(datum: Datum) -> Result<Option<i64>> {
    match datum {
        Datum::Null => Ok(None),
        Datum::Int(number) => Ok(Some(i64::from(number))),
        Datum::Long(number) => Ok(Some(number)),
        _ => wrong(),
    }
}

pub(crate) fn int(datum: Datum) -> Result<Option<i32>> {
    match long(datum)?.map(i32::try_from) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => wrong(),
    }
}

pub(crate) fn text(datum: Datum) -> Result<Option<String>> {
    match datum {
        Datum::Null => Ok(None),
        Datum::String(text) => Ok(Some(text)),
        _ => wrong(),
    }
}

pub(crate) fn bytes(datum: Datum) -> Result<Option<Vec<u8>>> {
    match datum {
        Datum::Null => Ok(None),
        Datum::Bytes(bytes) => Ok(Some(bytes)),
        _ => wrong(),
    }
}

fn number(datum: Datum) -> Result<i64> {
    long(datum)?.map_or_else(wrong, Ok)
}

fn some_bytes(datum: Datum) -> Result<Vec<u8>> {
    bytes(datum)?.map_or_else(wrong, Ok)
}

pub(crate) fn list<T>(datum: Datum, each: impl Fn(Datum) -> Result<T>) -> Result<Vec<T>> {
    match datum {
        Datum::Null => Ok(Vec::new()),
        Datum::Array(items) => items.into_iter().map(each).collect(),
        _ => wrong(),
    }
}

/// A map by ids, which Avro has as an array of records.
fn by_id<T>(
    datum: Datum,
    (key, value): (i32, i32),
    each: impl Fn(Datum) -> Result<T>,
) -> Result<BTreeMap<i32, T>> {
    let entry = |datum| match datum {
        Datum::Record(mut record) => {
            let id = int(record.take(key))?.ok_or_else(|| missing("a field's id"))?;
            Ok((id, each(record.take(value))?))
        }
        _ => wrong(),
    };
    Ok(list(datum, entry)?.into_iter().collect())
}
