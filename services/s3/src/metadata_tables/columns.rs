//! The columns of the tables, as AWS's guide lists them, and what a record or a version has in each.
//!
//! Beyond the guide's lists the journal and the inventory have `object_join_key`, of which the guide of annotation tables
//! tells, and the journal `annotation`, of which AWS's example queries read `name`. What else AWS has in it is not known.

use fogbank_columns::Cell;
use fogbank_iceberg::{Field, Kind};
use sha2::{Digest, Sha256};

use super::rows::{Described, Record, RecordKind, Sealed};
use crate::store::VersionName;
use crate::versions;

/// The id of the column of the journal that says when a change was made.
pub(super) const RECORD_TIMESTAMP: i32 = 5;

/// The fields of journals.
pub(super) fn of_journal() -> Vec<Field> {
    let mut fields = vec![
        Field::required(1, "bucket", Kind::String),
        Field::required(2, "key", Kind::String),
        Field::required(3, "sequence_number", Kind::String),
        Field::required(4, "record_type", Kind::String),
        Field::required(RECORD_TIMESTAMP, "record_timestamp", Kind::Timestamp),
    ];
    fields.extend(of_versions(6));
    fields.extend([
        Field::optional(23, "requester", Kind::String),
        Field::optional(24, "source_ip_address", Kind::String),
        Field::optional(25, "request_id", Kind::String),
        Field::optional(26, "object_join_key", Kind::String),
        Field::optional(
            27,
            "annotation",
            Kind::Struct(vec![Field::optional(28, "name", Kind::String)]),
        ),
    ]);
    fields
}

/// The fields of inventories.
pub(super) fn of_inventory() -> Vec<Field> {
    let mut fields = vec![
        Field::required(1, "bucket", Kind::String),
        Field::required(2, "key", Kind::String),
        Field::required(3, "sequence_number", Kind::String),
    ];
    fields.extend(of_versions(4));
    fields.push(Field::optional(21, "object_join_key", Kind::String));
    fields
}

/// The fields of annotation tables.
pub(super) fn of_annotations() -> Vec<Field> {
    vec![
        Field::required(1, "bucket", Kind::String),
        Field::required(2, "object_key", Kind::String),
        Field::optional(3, "object_version_id", Kind::String),
        Field::required(4, "object_join_key", Kind::String),
        Field::required(5, "name", Kind::String),
        Field::required(6, "sequence_number", Kind::String),
        Field::optional(7, "last_modified_date", Kind::Timestamp),
        Field::optional(8, "size", Kind::Long),
        Field::optional(9, "e_tag", Kind::String),
        Field::optional(10, "checksum_algorithm", Kind::String),
        Field::optional(11, "replication_status", Kind::String),
        Field::optional(12, "text_value", Kind::String),
    ]
}

/// The fields that tell of a version, with ids from `first` on, of which they take seventeen.
pub(super) fn of_versions(first: i32) -> Vec<Field> {
    let map = |id| Kind::texts_by_text(id + 1, id + 2);
    vec![
        Field::optional(first, "version_id", Kind::String),
        Field::optional(first + 1, "is_delete_marker", Kind::Boolean),
        Field::optional(first + 2, "size", Kind::Long),
        Field::optional(first + 3, "last_modified_date", Kind::Timestamp),
        Field::optional(first + 4, "e_tag", Kind::String),
        Field::optional(first + 5, "storage_class", Kind::String),
        Field::optional(first + 6, "is_multipart", Kind::Boolean),
        Field::optional(first + 7, "encryption_status", Kind::String),
        Field::optional(first + 8, "is_bucket_key_enabled", Kind::Boolean),
        Field::optional(first + 9, "kms_key_arn", Kind::String),
        Field::optional(first + 10, "checksum_algorithm", Kind::String),
        Field::optional(first + 11, "object_tags", map(first + 11)),
        Field::optional(first + 14, "user_metadata", map(first + 14)),
    ]
}

impl RecordKind {
    fn word(self) -> &'static str {
        match self {
            RecordKind::Create => "CREATE",
            RecordKind::UpdateMetadata => "UPDATE_METADATA",
            RecordKind::Delete | RecordKind::DeleteMarker => "DELETE",
            RecordKind::CreateAnnotation => "CREATE_ANNOTATION",
            RecordKind::DeleteAnnotation => "DELETE_ANNOTATION",
        }
    }
}

/// A number that orders the records of a key, and of a version that nobody changed since it was written.
pub(super) fn sequence_number((transaction, place): (u64, u64)) -> String {
    format!("{transaction:016x}{place:016x}")
}

/// What tells a version from all others, in all tables.
pub(super) fn join_key(bucket_id: u64, key: &str, version: u64) -> String {
    let mut digest = Sha256::new();
    digest.update(bucket_id.to_be_bytes());
    digest.update(version.to_be_bytes());
    digest.update(key);
    hex::encode(&digest.finalize()[..16])
}

pub(super) fn text(text: Option<String>) -> Cell {
    text.map_or(Cell::None, Cell::Text)
}

pub(super) fn time(millis: i64) -> Cell {
    Cell::Int(millis.saturating_mul(1000))
}

/// The row of a record.
pub(super) fn of_record(
    (bucket, bucket_id): (&str, u64),
    place: (u64, u64),
    record: Record,
) -> Vec<Cell> {
    let join_key = join_key(bucket_id, &record.key, record.version);
    let mut cells = vec![
        Cell::Text(bucket.to_owned()),
        Cell::Text(record.key),
        Cell::Text(sequence_number(place)),
        Cell::from(record.kind.word()),
        time(record.millis),
    ];
    let name = (record.version, record.version_name);
    let described = record.described.map(|described| *described);
    let is_marker = match record.kind {
        RecordKind::Delete => None,
        RecordKind::DeleteMarker => Some(true),
        _ => Some(false),
    };
    cells.extend(of_version(name, is_marker, described));
    cells.extend([
        text(record.requester),
        text(record.source_ip),
        Cell::Text(record.request_id),
        Cell::Text(join_key),
        match record.annotation {
            Some(name) => Cell::Struct(vec![Cell::Text(name)]),
            None => Cell::None,
        },
    ]);
    cells
}

/// What the columns of a version hold; all but its id is missing where it is gone.
pub(super) fn of_version(
    (number, name): (u64, VersionName),
    is_marker: Option<bool>,
    described: Option<Described>,
) -> Vec<Cell> {
    let version_id = match name {
        VersionName::Id => Cell::Text(versions::id(number)),
        VersionName::Null | VersionName::Unversioned => Cell::None,
    };
    let mut cells = vec![version_id, is_marker.map_or(Cell::None, Cell::Bool)];
    let Some(described) = described else {
        cells.resize(13, Cell::None);
        return cells;
    };
    cells.push(Cell::Int(i64::try_from(described.size).unwrap_or(i64::MAX)));
    cells.push(time(described.modified_millis));
    if is_marker == Some(true) {
        cells.resize(13, Cell::None);
        return cells;
    }
    let (status, bucket_key, kms_key) = match described.sealed {
        Sealed::S3 => ("SSE-S3", false, None),
        Sealed::Customer => ("SSE-C", false, None),
        Sealed::Kms { is_dual: true, key_arn, bucket_key } => {
            ("DSSE-KMS", bucket_key, Some(key_arn))
        }
        Sealed::Kms { is_dual: false, key_arn, bucket_key } => {
            ("SSE-KMS", bucket_key, Some(key_arn))
        }
    };
    let algorithm = described.checksum.map(|algorithm| algorithm.name().to_owned());
    cells.extend([
        text(described.e_tag.map(|e_tag| e_tag.bare())),
        Cell::Text(described.storage_class.unwrap_or_else(|| "STANDARD".to_owned())),
        Cell::Bool(described.e_tag.is_some_and(|e_tag| e_tag.parts > 0)),
        Cell::from(status),
        Cell::Bool(bucket_key),
        text(kms_key),
        text(algorithm),
        map(described.tags),
        map(described.metadata),
    ]);
    cells
}

fn map(pairs: Vec<(String, String)>) -> Cell {
    let entry = |(key, value)| (Cell::Text(key), Cell::Text(value));
    Cell::Map(pairs.into_iter().map(entry).collect())
}
