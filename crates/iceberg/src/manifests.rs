//! Manifests, which list files, and lists of manifests.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::avro::{
    Datum, FileReader, FileWriter, Record, put_array, put_bytes, put_long, put_option,
};
use crate::files::{avro_type, bytes, int, list, long, missing, text};
use crate::{Content, DataFile, Error, Kind, PartitionSpec, Result, Schema, Value, invalid};

/// How many manifests a snapshot has at most.
const MAX_MANIFESTS: usize = 200_000;

/// What a list says about a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its whole URI.
    pub path: String,
    /// How many bytes it has.
    pub length: i64,
    /// The partition spec of its files.
    pub spec_id: i32,
    /// Whether its files delete rows of others.
    pub is_of_deletes: bool,
    /// The sequence number with which it came to the table.
    pub sequence_number: i64,
    /// The lowest sequence number of its files.
    pub min_sequence_number: i64,
    /// The snapshot that brought it.
    pub added_snapshot_id: i64,
    /// How many of its files it added.
    pub added_files: i32,
    /// How many of its files were there before.
    pub existing_files: i32,
    /// How many files it deleted.
    pub deleted_files: i32,
    /// How many rows it added.
    pub added_rows: i64,
    /// How many of its rows were there before.
    pub existing_rows: i64,
    /// How many rows it deleted.
    pub deleted_rows: i64,
    /// What the partitions of its files are, by the fields of the spec.
    pub partitions: Option<Vec<FieldSummary>>,
    /// How its key is found, if it is encrypted.
    pub key_metadata: Option<Vec<u8>>,
}

/// What the values of a partition's field are in a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSummary {
    /// Whether null is among them.
    pub contains_null: bool,
    /// Whether what is not a number is among them.
    pub contains_nan: Option<bool>,
    /// The lowest of them.
    pub lower_bound: Option<Vec<u8>>,
    /// The highest of them.
    pub upper_bound: Option<Vec<u8>>,
}

/// What an entry says of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was there before.
    Existing,
    /// It was added.
    Added,
    /// It was deleted.
    Deleted,
}

/// A file in a manifest, with all that it inherits from the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened to the file.
    pub status: Status,
    /// The snapshot that added it, or deleted it.
    pub snapshot_id: i64,
    /// The sequence number of its rows.
    pub sequence_number: i64,
    /// The sequence number with which the file came; none where an early writer did not say it.
    pub file_sequence_number: Option<i64>,
    /// The file.
    pub file: DataFile,
}

impl ManifestFile {
    /// Whether some of its files are in the table.
    pub fn is_live(&self) -> bool {
        self.added_files > 0 || self.existing_files > 0
    }
}

/// Reads a list of manifests.
pub fn read_manifest_list(bytes: &[u8]) -> Result<Vec<ManifestFile>> {
    let mut file = FileReader::new(bytes)?;
    let mut manifests = Vec::new();
    while let Some(record) = file.next()? {
        if manifests.len() == MAX_MANIFESTS {
            return Err(Error::Unsupported(format!(
                "A snapshot of more than {MAX_MANIFESTS} manifests cannot be read"
            )));
        }
        manifests.push(manifest_file(record)?);
    }
    Ok(manifests)
}

fn manifest_file(mut record: Record) -> Result<ManifestFile> {
    fn need<T>(value: Option<T>, name: &str) -> Result<T> {
        value.ok_or_else(|| missing(name))
    }
    let count = |record: &mut Record, id, name: &str| match need(int(record.take(id))?, name)? {
        count if count < 0 => invalid(format!("Invalid manifest list: {name} is below 0")),
        count => Ok(count),
    };
    let rows = |record: &mut Record, id, name| need(long(record.take(id))?, name);
    let summaries = match record.take(507) {
        Datum::Null => None,
        other => Some(list(other, field_summary)?),
    };
    Ok(ManifestFile {
        path: need(text(record.take(500))?, "manifest_path")?,
        length: need(long(record.take(501))?, "manifest_length")?,
        spec_id: need(int(record.take(502))?, "partition_spec_id")?,
        is_of_deletes: int(record.take(517))?.unwrap_or(0) != 0,
        sequence_number: long(record.take(515))?.unwrap_or(0),
        min_sequence_number: long(record.take(516))?.unwrap_or(0),
        added_snapshot_id: rows(&mut record, 503, "added_snapshot_id")?,
        added_files: count(&mut record, 504, "added_files_count")?,
        existing_files: count(&mut record, 505, "existing_files_count")?,
        deleted_files: count(&mut record, 506, "deleted_files_count")?,
        added_rows: rows(&mut record, 512, "added_rows_count")?,
        existing_rows: rows(&mut record, 513, "existing_rows_count")?,
        deleted_rows: rows(&mut record, 514, "deleted_rows_count")?,
        partitions: summaries,
        key_metadata: bytes(record.take(519))?,
    })
}

fn field_summary(datum: Datum) -> Result<FieldSummary> {
    let truth = |datum| match datum {
        Datum::Boolean(truth) => Some(truth),
        _ => None,
    };
    let Datum::Record(mut record) = datum else {
        return invalid("Invalid manifest list: a summary is no record");
    };
    Ok(FieldSummary {
        contains_null: truth(record.take(509)).ok_or_else(|| missing("contains_null"))?,
        contains_nan: truth(record.take(518)),
        lower_bound: bytes(record.take(510))?,
        upper_bound: bytes(record.take(511))?,
    })
}

/// Writes the list of a snapshot's manifests.
pub(crate) fn write_manifest_list(
    manifests: &[ManifestFile],
    (snapshot_id, parent, sequence_number): (i64, Option<i64>, i64),
    sync: [u8; 16],
) -> Bytes {
    let about = [
        ("snapshot-id", snapshot_id.to_string()),
        ("parent-snapshot-id", parent.map_or("null".to_owned(), |id| id.to_string())),
        ("sequence-number", sequence_number.to_string()),
        ("format-version", "2".to_owned()),
    ];
    let mut file = FileWriter::new(&list_schema().to_string(), &about, sync);
    for manifest in manifests {
        file.push(|out| put_manifest_file(out, manifest));
    }
    file.finish()
}

fn put_manifest_file(out: &mut Vec<u8>, manifest: &ManifestFile) {
    put_bytes(out, manifest.path.as_bytes());
    put_long(out, manifest.length);
    put_long(out, i64::from(manifest.spec_id));
    put_long(out, i64::from(manifest.is_of_deletes));
    put_long(out, manifest.sequence_number);
    put_long(out, manifest.min_sequence_number);
    put_long(out, manifest.added_snapshot_id);
    for count in [manifest.added_files, manifest.existing_files, manifest.deleted_files] {
        put_long(out, i64::from(count));
    }
    for rows in [manifest.added_rows, manifest.existing_rows, manifest.deleted_rows] {
        put_long(out, rows);
    }
    put_option(out, manifest.partitions.as_ref(), |out, summaries| {
        put_array(out, summaries.iter(), |out, summary| {
            out.push(u8::from(summary.contains_null));
            put_option(out, summary.contains_nan, |out, is_there| out.push(u8::from(is_there)));
            put_option(out, summary.lower_bound.as_ref(), |out, bound| put_bytes(out, bound));
            put_option(out, summary.upper_bound.as_ref(), |out, bound| put_bytes(out, bound));
        });
    });
    put_option(out, manifest.key_metadata.as_ref(), |out, key| put_bytes(out, key));
}

/// Reads a manifest's entries one after the other.
pub struct Manifest<'a> {
    file: FileReader<'a>,
    from: &'a ManifestFile,
}

/// Opens a manifest, of which the list says `from`.
pub fn read_manifest<'a>(bytes: &'a [u8], from: &'a ManifestFile) -> Result<Manifest<'a>> {
    let file = FileReader::new(bytes)?;
    if file.about("format-version").is_none_or(|version| version == "1") && from.sequence_number > 0
    {
        return invalid("Invalid manifest: its format version is 1");
    }
    Ok(Manifest { file, from })
}

impl std::fmt::Debug for Manifest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manifest({})", self.from.path)
    }
}

impl Iterator for Manifest<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        match self.file.next() {
            Ok(None) => None,
            Ok(Some(record)) => Some(entry(record, self.from)),
            Err(error) => Some(Err(error)),
        }
    }
}

fn entry(mut record: Record, from: &ManifestFile) -> Result<Entry> {
    let status = match int(record.take(0))? {
        Some(0) => Status::Existing,
        Some(1) => Status::Added,
        Some(2) => Status::Deleted,
        _ => return invalid("Invalid manifest: an entry without a status"),
    };
    // Only what was added with the manifest leaves its numbers to the list.
    let inherits = status == Status::Added || from.sequence_number == 0;
    let inherited = |number: Option<i64>| number.or(inherits.then_some(from.sequence_number));
    let Datum::Record(file) = record.take(2) else { return Err(missing("data_file")) };
    Ok(Entry {
        status,
        snapshot_id: long(record.take(1))?.unwrap_or(from.added_snapshot_id),
        sequence_number: inherited(long(record.take(3))?)
            .ok_or_else(|| missing("sequence_number"))?,
        file_sequence_number: inherited(long(record.take(4))?),
        file: DataFile::read(file)?,
    })
}

/// Writes one manifest.
pub(crate) struct ManifestWriter {
    file: FileWriter,
    made: ManifestFile,
    kinds: Vec<(i32, String, Kind)>,
    /// Of each field of the partition, its lowest and highest value.
    ranges: Vec<Option<(Value, Value)>>,
    summaries: Vec<FieldSummary>,
    min_sequence_number: Option<i64>,
}

impl std::fmt::Debug for ManifestWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManifestWriter({} bytes)", self.len())
    }
}

impl ManifestWriter {
    /// A manifest that a snapshot writes. `made` says what is known before: spec, snapshot, sequence number, content.
    pub(crate) fn new(
        made: ManifestFile,
        schema: &Schema,
        (spec, kinds): (&PartitionSpec, Vec<(i32, String, Kind)>),
        sync: [u8; 16],
    ) -> ManifestWriter {
        let about = [
            ("schema", schema.to_json().to_string()),
            ("schema-id", schema.schema_id.to_string()),
            ("partition-spec", json!(spec.fields).to_string()),
            ("partition-spec-id", spec.spec_id.to_string()),
            ("format-version", "2".to_owned()),
            ("content", if made.is_of_deletes { "deletes" } else { "data" }.to_owned()),
        ];
        let file = FileWriter::new(&entry_schema(&kinds).to_string(), &about, sync);
        let ranges = vec![None; kinds.len()];
        let summary = FieldSummary { contains_nan: Some(false), ..FieldSummary::default() };
        let summaries = vec![summary; kinds.len()];
        ManifestWriter { file, made, kinds, ranges, summaries, min_sequence_number: None }
    }

    /// Adds an entry. What the manifest's own snapshot adds inherits its sequence numbers.
    pub(crate) fn push(&mut self, entry: &Entry) -> Result<()> {
        let is_new = entry.status == Status::Added;
        let mut file = Vec::new();
        entry.file.put(&mut file, &self.kinds)?;
        self.file.push(|out| {
            put_long(out, entry.status as i64);
            put_option(out, Some(entry.snapshot_id), put_long);
            put_option(out, (!is_new).then_some(entry.sequence_number), put_long);
            put_option(out, entry.file_sequence_number.filter(|_| !is_new), put_long);
            out.extend_from_slice(&file);
        });
        let (files, rows) = match entry.status {
            Status::Added => (&mut self.made.added_files, &mut self.made.added_rows),
            Status::Existing => (&mut self.made.existing_files, &mut self.made.existing_rows),
            Status::Deleted => (&mut self.made.deleted_files, &mut self.made.deleted_rows),
        };
        *files = files.saturating_add(1);
        *rows = rows.saturating_add(entry.file.records);
        if entry.status != Status::Deleted {
            let number = if is_new { self.made.sequence_number } else { entry.sequence_number };
            let lowest = self.min_sequence_number.map_or(number, |lowest| lowest.min(number));
            self.min_sequence_number = Some(lowest);
        }
        self.summarise(&entry.file.partition);
        Ok(())
    }

    /// How many bytes it has, about.
    pub(crate) fn len(&self) -> usize {
        self.file.len()
    }

    pub(crate) fn finish(mut self, path: &str) -> (ManifestFile, Bytes) {
        let bytes = self.file.finish();
        for (summary, range) in self.summaries.iter_mut().zip(&self.ranges) {
            summary.lower_bound = range.as_ref().map(|(lowest, _)| lowest.to_bytes());
            summary.upper_bound = range.as_ref().map(|(_, highest)| highest.to_bytes());
        }
        let made = ManifestFile {
            path: path.to_owned(),
            length: bytes.len() as i64,
            min_sequence_number: self.min_sequence_number.unwrap_or(self.made.sequence_number),
            partitions: Some(self.summaries),
            ..self.made
        };
        (made, bytes)
    }

    fn summarise(&mut self, partition: &BTreeMap<i32, Value>) {
        let fields = self.kinds.iter().zip(self.ranges.iter_mut().zip(&mut self.summaries));
        for ((id, _, _), (range, summary)) in fields {
            let Some(value) = partition.get(id) else {
                summary.contains_null = true;
                continue;
            };
            if value.is_nan() {
                summary.contains_nan = Some(true);
                continue;
            }
            let (lowest, highest) = range.get_or_insert_with(|| (value.clone(), value.clone()));
            if value.order(lowest) == Some(Ordering::Less) {
                *lowest = value.clone();
            }
            if value.order(highest) == Some(Ordering::Greater) {
                *highest = value.clone();
            }
        }
    }
}

/// The schema of a list of manifests.
fn list_schema() -> Json {
    let field =
        |id: i32, name: &str, kind: Json| json!({"name": name, "type": kind, "field-id": id});
    let option = |id: i32, name: &str, kind: Json| json!({"name": name, "type": ["null", kind], "default": null, "field-id": id});
    let summary = json!({"type": "record", "name": "r508", "fields": [
        field(509, "contains_null", json!("boolean")),
        option(518, "contains_nan", json!("boolean")),
        option(510, "lower_bound", json!("bytes")),
        option(511, "upper_bound", json!("bytes")),
    ]});
    let summaries = json!({"type": "array", "items": summary, "element-id": 508});
    json!({"type": "record", "name": "manifest_file", "fields": [
        field(500, "manifest_path", json!("string")),
        field(501, "manifest_length", json!("long")),
        field(502, "partition_spec_id", json!("int")),
        field(517, "content", json!("int")),
        field(515, "sequence_number", json!("long")),
        field(516, "min_sequence_number", json!("long")),
        field(503, "added_snapshot_id", json!("long")),
        field(504, "added_files_count", json!("int")),
        field(505, "existing_files_count", json!("int")),
        field(506, "deleted_files_count", json!("int")),
        field(512, "added_rows_count", json!("long")),
        field(513, "existing_rows_count", json!("long")),
        field(514, "deleted_rows_count", json!("long")),
        option(507, "partitions", summaries),
        option(519, "key_metadata", json!("bytes")),
    ]})
}

/// The schema of a manifest whose files have this partition.
fn entry_schema(partition: &[(i32, String, Kind)]) -> Json {
    let field =
        |id: i32, name: &str, kind: Json| json!({"name": name, "type": kind, "field-id": id});
    let option = |id: i32, name: &str, kind: Json| json!({"name": name, "type": ["null", kind], "default": null, "field-id": id});
    let map = |id: i32, name: &str, (key, value): (i32, i32), of: &str| {
        let entry = json!({"type": "record", "name": format!("k{key}_v{value}"), "fields": [
            field(key, "key", json!("int")), field(value, "value", json!(of)),
        ]});
        option(id, name, json!({"type": "array", "logicalType": "map", "items": entry}))
    };
    let list = |id: i32, name: &str, (element, of): (i32, &str)| {
        option(id, name, json!({"type": "array", "items": of, "element-id": element}))
    };
    let values: Vec<Json> = partition
        .iter()
        .map(|(id, name, kind)| option(*id, &avro_name(name), avro_type(kind, *id)))
        .collect();
    let file = json!({"type": "record", "name": "r2", "fields": [
        field(134, "content", json!("int")),
        field(100, "file_path", json!("string")),
        field(101, "file_format", json!("string")),
        field(102, "partition", json!({"type": "record", "name": "r102", "fields": values})),
        field(103, "record_count", json!("long")),
        field(104, "file_size_in_bytes", json!("long")),
        map(108, "column_sizes", (117, 118), "long"),
        map(109, "value_counts", (119, 120), "long"),
        map(110, "null_value_counts", (121, 122), "long"),
        map(137, "nan_value_counts", (138, 139), "long"),
        map(125, "lower_bounds", (126, 127), "bytes"),
        map(128, "upper_bounds", (129, 130), "bytes"),
        option(131, "key_metadata", json!("bytes")),
        list(132, "split_offsets", (133, "long")),
        list(135, "equality_ids", (136, "int")),
        option(140, "sort_order_id", json!("int")),
        option(143, "referenced_data_file", json!("string")),
    ]});
    json!({"type": "record", "name": "manifest_entry", "fields": [
        field(0, "status", json!("int")),
        option(1, "snapshot_id", json!("long")),
        option(3, "sequence_number", json!("long")),
        option(4, "file_sequence_number", json!("long")),
        field(2, "data_file", file),
    ]})
}

/// A name as Avro allows it, made as Iceberg's own library does.
fn avro_name(name: &str) -> String {
    let mut made = String::new();
    for (place, character) in name.chars().enumerate() {
        match character {
            '_' | 'a'..='z' | 'A'..='Z' => made.push(character),
            '0'..='9' if place > 0 => made.push(character),
            '0'..='9' => {
                made.push('_');
                made.push(character);
            }
            other => made.push_str(&format!("_x{:X}", u32::from(other))),
        }
    }
    made
}

/// What of a file's rows a manifest is about.
pub(crate) fn is_of_deletes(content: Content) -> bool {
    content != Content::Data
}
