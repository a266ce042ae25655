//! How a table's rows are split among files, and in which order they lie in them.

use serde::{Deserialize, Serialize};

use crate::{Kind, Schema};

/// The highest id of a partition field in a table that has none.
pub const UNPARTITIONED: i32 = 999;

/// How rows are split among files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartitionSpec {
    /// Its number among the table's.
    #[serde(default)]
    pub spec_id: i32,
    /// What is common to the rows of a file; of nothing, the table is not partitioned.
    pub fields: Vec<PartitionField>,
}

/// A value that the rows of a file have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartitionField {
    /// The field of the schema of which the value is made.
    pub source_id: i32,
    /// Its own id, from 1000 on; a client may leave it to the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_id: Option<i32>,
    /// Its name.
    pub name: String,
    /// How the value is made: `identity`, `bucket[16]`, `truncate[4]`, `year`, `month`, `day`, `hour`, `void`.
    pub transform: String,
}

/// In which order the rows of a file lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SortOrder {
    /// Its number among the table's; 0 is no order.
    #[serde(default)]
    pub order_id: i32,
    /// What is compared, the most important first.
    pub fields: Vec<SortField>,
}

/// A field by which rows are ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SortField {
    /// How the value that is compared is made.
    pub transform: String,
    /// The field of the schema.
    pub source_id: i32,
    /// `asc` or `desc`.
    pub direction: String,
    /// `nulls-first` or `nulls-last`.
    pub null_order: String,
}

impl PartitionSpec {
    /// Its field that is the same as another but for the id, which is then used again.
    pub(crate) fn same_field(&self, other: &PartitionField) -> Option<&PartitionField> {
        self.fields
            .iter()
            .find(|field| field.source_id == other.source_id && field.transform == other.transform)
    }

    /// Whether another splits rows in the same way under the same names.
    pub(crate) fn is_same(&self, other: &PartitionSpec) -> bool {
        let same = |(a, b): (&PartitionField, &PartitionField)| {
            a.source_id == b.source_id && a.transform == b.transform && a.name == b.name
        };
        self.fields.len() == other.fields.len() && self.fields.iter().zip(&other.fields).all(same)
    }
}

/// What a transform makes of a type; none if it cannot be applied to it.
pub fn transformed(transform: &str, source: &Kind) -> Option<Kind> {
    let is_moment = match source {
        Kind::Timestamp | Kind::Timestamptz => true,
        Kind::Later(name) => name.starts_with("timestamp"),
        _ => false,
    };
    let argument = |prefix| {
        let number = transform.strip_prefix(prefix)?.strip_suffix(']')?.parse::<i32>().ok()?;
        (number > 0).then_some(number)
    };
    match transform {
        "identity" | "void" => source.is_primitive().then(|| source.clone()),
        "year" | "month" => (is_moment || *source == Kind::Date).then_some(Kind::Int),
        "day" => (is_moment || *source == Kind::Date).then_some(Kind::Date),
        "hour" => is_moment.then_some(Kind::Int),
        _ if argument("bucket[").is_some() => {
            let has_hash = !matches!(source, Kind::Boolean | Kind::Float | Kind::Double)
                && source.is_primitive();
            has_hash.then_some(Kind::Int)
        }
        _ if argument("truncate[").is_some() => {
            let can_be_cut = matches!(
                source,
                Kind::Int | Kind::Long | Kind::String | Kind::Binary | Kind::Decimal { .. }
            );
            can_be_cut.then(|| source.clone())
        }
        _ => None,
    }
}

/// The id, name and type of each partition field. Of a source that no schema has any more, or a transform that is not
/// known, the values are taken for texts: there is nothing to be read but null.
pub(crate) fn kinds(spec: &PartitionSpec, schemas: &[&Schema]) -> Vec<(i32, String, Kind)> {
    let kind = |field: &PartitionField| {
        let source = schemas.iter().find_map(|schema| schema.kind_of(field.source_id));
        source.and_then(|source| transformed(&field.transform, source)).unwrap_or(Kind::String)
    };
    spec.fields
        .iter()
        .map(|field| (field.field_id.unwrap_or_default(), field.name.clone(), kind(field)))
        .collect()
}
