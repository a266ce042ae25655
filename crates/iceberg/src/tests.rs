//! Tables that are written and read again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::json;

use super::*;

mod clients;
mod lives;
mod strangers;

/// The objects that were written, in the place of a bucket.
#[derive(Default)]
struct Bucket(BTreeMap<String, Bytes>);

impl Bucket {
    fn take(&mut self, change: Change) -> Table {
        for (path, bytes) in change.objects {
            assert!(self.0.insert(path.clone(), bytes).is_none(), "{path} was written before");
        }
        for path in &change.unreferenced {
            self.0.remove(path);
        }
        // What was written is what is known.
        let location = change.table.metadata_location().expect("a file").to_owned();
        let read = Table::from_json(&self.0[&location], Some(&location)).expect("metadata");
        assert_eq!(read, change.table);
        read
    }

    fn commit(&mut self, mut transaction: Transaction) -> Result<Table> {
        let mut wanted = BTreeSet::new();
        while let Some(path) = transaction.wants().map(str::to_owned) {
            assert!(wanted.insert(path.clone()), "{path} is wanted twice");
            transaction.give(&self.0[&path])?;
        }
        Ok(self.take(transaction.finish()?))
    }

    /// Lets snapshots expire; returns what nothing refers to any more.
    fn expire(&mut self, table: &Table, older_than: i64, keep: usize) -> (Table, Vec<String>) {
        let mut expiry = table.expire_snapshots(older_than, keep, table.last_updated_ms);
        while let Some(path) = expiry.wants().map(str::to_owned) {
            expiry.give(&self.0[&path]).expect("a manifest");
        }
        let change = expiry.finish(&uuid(900_000 + table.last_sequence_number)).expect("a table");
        let unreferenced = change.unreferenced.clone();
        (self.take(change), unreferenced)
    }

    /// The manifests of a snapshot.
    fn manifests(&self, table: &Table, id: i64) -> Vec<ManifestFile> {
        let list = &table.snapshot(id).expect("a snapshot").manifest_list;
        read_manifest_list(&self.0[list]).expect("a list")
    }

    /// All that the table refers to.
    fn reachable(&self, table: &Table) -> BTreeSet<String> {
        let mut reached: BTreeSet<String> =
            table.metadata_log.iter().map(|entry| entry.metadata_file.clone()).collect();
        reached.extend(table.metadata_location().map(str::to_owned));
        for snapshot in &table.snapshots {
            let id = snapshot.snapshot_id;
            reached.insert(snapshot.manifest_list.clone());
            reached.extend(self.manifests(table, id).into_iter().map(|manifest| manifest.path));
            let entries = self.entries(table, id).into_iter();
            let live = entries.filter(|entry| entry.status != Status::Deleted);
            reached.extend(live.map(|entry| entry.file.path));
        }
        reached
    }

    fn entries(&self, table: &Table, id: i64) -> Vec<Entry> {
        let manifests = self.manifests(table, id);
        let entries = manifests.iter().flat_map(|manifest| {
            let bytes = &self.0[&manifest.path];
            assert_eq!(bytes.len() as i64, manifest.length);
            let entries: Vec<_> =
                read_manifest(bytes, manifest).expect("a manifest").map(Result::unwrap).collect();
            let count = |status| entries.iter().filter(|each| each.status == status).count() as i32;
            assert_eq!(count(Status::Added), manifest.added_files);
            assert_eq!(count(Status::Existing), manifest.existing_files);
            assert_eq!(count(Status::Deleted), manifest.deleted_files);
            entries
        });
        entries.collect()
    }

    /// The files of the table.
    fn live(&self, table: &Table) -> BTreeSet<String> {
        let Some(id) = table.current_snapshot_id else { return BTreeSet::new() };
        let entries = self.entries(table, id).into_iter();
        let live = entries.filter(|entry| entry.status != Status::Deleted);
        live.map(|entry| entry.file.path).collect()
    }
}

fn uuid(number: i64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn commit(number: i64) -> Commit {
    Commit { snapshot_id: 1000 + number, uuid: uuid(number), now_millis: 100 * number }
}

fn file(name: &str) -> DataFile {
    DataFile {
        path: format!("s3://bucket/data/{name}.parquet"),
        format: "PARQUET".to_owned(),
        records: 10,
        bytes: 1000,
        ..DataFile::default()
    }
}

fn path(name: &str) -> String {
    file(name).path
}

fn fields() -> Vec<Field> {
    vec![
        Field::required(1, "key", Kind::String).with_doc("Its name"),
        Field::optional(2, "at", Kind::Timestamptz),
        Field::optional(3, "tags", Kind::texts_by_text(4, 5)),
    ]
}

fn table(properties: &[(&str, &str)]) -> Table {
    let properties = properties.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Table::new(New {
        uuid: uuid(0),
        location: "s3://bucket/".to_owned(),
        fields: fields(),
        properties,
        ..New::default()
    })
    .expect("a table")
}

#[test]
fn a_new_table_has_the_json_of_the_specification() {
    let change = table(&[("a", "b")]).write(&uuid(1));
    let location = format!("s3://bucket/metadata/00000-{}.metadata.json", uuid(1));
    assert_eq!(change.table.metadata_location(), Some(&location[..]));
    let json: serde_json::Value = serde_json::from_slice(&change.objects[0].1).expect("JSON");
    let tags = json!({"type": "map", "key-id": 4, "key": "string", "value-id": 5, "value": "string",
        "value-required": false});
    assert_eq!(
        json,
        json!({
            "format-version": 2, "table-uuid": uuid(0), "location": "s3://bucket",
            "last-sequence-number": 0, "last-updated-ms": 0, "last-column-id": 5,
            "current-schema-id": 0, "schemas": [{"type": "struct", "schema-id": 0, "fields": [
                {"id": 1, "name": "key", "required": true, "type": "string", "doc": "Its name"},
                {"id": 2, "name": "at", "required": false, "type": "timestamptz"},
                {"id": 3, "name": "tags", "required": false, "type": tags},
            ]}],
            "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}],
            "last-partition-id": 999,
            "default-sort-order-id": 0, "sort-orders": [{"order-id": 0, "fields": []}],
            "properties": {"a": "b"}, "current-snapshot-id": -1, "refs": {}, "snapshots": [],
            "statistics": [], "partition-statistics": [], "snapshot-log": [], "metadata-log": [],
        })
    );
}

#[test]
fn unknown_members_are_kept() {
    let mut bucket = Bucket::default();
    let base = bucket.take(table(&[]).write(&uuid(1)));
    let appended = bucket.commit(base.append(commit(2), vec![file("a")])).expect("a table");
    let mut json: serde_json::Value = serde_json::from_slice(&appended.to_json()).expect("JSON");
    json["x"] = json!({"y": [1]});
    json["snapshots"][0]["key-id"] = json!("k");
    json["schemas"][0]["fields"][0]["initial-default"] = json!("d");
    let read = Table::from_json(json.to_string().as_bytes(), None).expect("metadata");
    let again: serde_json::Value = serde_json::from_slice(&read.to_json()).expect("JSON");
    assert_eq!(again, json);
}

#[test]
fn appended_files_are_read_with_what_they_inherit() {
    let mut bucket = Bucket::default();
    let mut table = bucket.take(table(&[]).write(&uuid(1)));
    let mut full = file("a");
    full.column_sizes = BTreeMap::from([(1, 5), (2, 6)]);
    full.value_counts = BTreeMap::from([(1, 10)]);
    full.null_counts = BTreeMap::from([(2, 3)]);
    full.nan_counts = BTreeMap::from([(2, 0)]);
    full.lower_bounds = BTreeMap::from([(1, b"a".to_vec()), (2, 7i64.to_le_bytes().to_vec())]);
    full.upper_bounds = BTreeMap::from([(1, b"b".to_vec())]);
    full.split_offsets = vec![4];
    full.sort_order_id = Some(0);
    table = bucket.commit(table.append(commit(2), vec![full.clone()])).expect("a table");
    table = bucket.commit(table.append(commit(3), vec![file("b")])).expect("a table");
    let entries = bucket.entries(&table, 1003);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.status, entry.snapshot_id, entry.sequence_number, &entry.file.path[..]))
        .collect();
    let (a, b) = (path("a"), path("b"));
    assert_eq!(told, [(Status::Added, 1003, 2, &b[..]), (Status::Added, 1002, 1, &a[..])]);
    assert_eq!(entries[1].file, full);
    let snapshot = table.current_snapshot().expect("a snapshot");
    assert_eq!((snapshot.parent_snapshot_id, snapshot.sequence_number), (Some(1002), 2));
    let said = |key: &str| snapshot.summary.get(key).map(String::as_str);
    assert_eq!(said("operation"), Some("append"));
    assert_eq!((said("added-records"), said("total-records")), (Some("10"), Some("20")));
    assert_eq!((said("deleted-data-files"), said("total-data-files")), (None, Some("2")));
    assert_eq!((table.last_sequence_number, table.last_updated_ms), (2, 300));
    assert_eq!(table.metadata_log.len(), 2);
    assert_eq!((table.snapshot_log.len(), table.metadata_log[1].timestamp_ms), (2, 200));
    assert!(table.metadata_location().expect("a file").contains("/00002-"));
    // The first snapshot is as it was.
    assert_eq!(bucket.entries(&table, 1002).len(), 1);
}

#[test]
fn small_manifests_are_merged() {
    let mut bucket = Bucket::default();
    let mut table =
        bucket.take(table(&[("commit.manifest.min-count-to-merge", "5")]).write(&uuid(1)));
    for number in 2..40 {
        let files = vec![file(&number.to_string())];
        table = bucket.commit(table.append(commit(number), files)).expect("a table");
        assert!(bucket.manifests(&table, 1000 + number).len() <= 5);
        let entries = bucket.entries(&table, 1000 + number);
        // Each file keeps its snapshot and its sequence number.
        for entry in &entries {
            assert_eq!(entry.sequence_number, entry.snapshot_id - 1001);
            assert_eq!(entry.file.path, path(&(entry.snapshot_id - 1000).to_string()));
        }
        assert_eq!(entries.len() as i64, number - 1);
    }
}

#[test]
fn a_table_stays_small_however_often_it_is_written() {
    let mut bucket = Bucket::default();
    let properties = [
        ("commit.manifest.min-count-to-merge", "8"),
        ("write.metadata.previous-versions-max", "5"),
    ];
    let mut table = bucket.take(table(&properties).write(&uuid(1)));
    let (mut objects, mut metadata) = (0, 0);
    for number in 2..400 {
        let files = vec![file(&number.to_string())];
        table = bucket.commit(table.append(commit(number), files)).expect("a table");
        if number % 20 == 0 {
            table = bucket.expire(&table, i64::MAX, 3).0;
            assert_eq!(table.snapshots.len(), 3);
            if number == 100 {
                (objects, metadata) = (bucket.0.len(), table.to_json().len());
            }
        }
    }
    table = bucket.expire(&table, i64::MAX, 3).0;
    assert_eq!(bucket.live(&table).len(), 398);
    assert!(bucket.0.len() <= objects + 8, "{} after {objects}", bucket.0.len());
    assert!(table.to_json().len() <= metadata + 200, "{} after {metadata}", table.to_json().len());
}

#[test]
fn full_manifests_are_not_merged_and_new_ones_are_begun() {
    let mut bucket = Bucket::default();
    let properties = [
        ("commit.manifest.min-count-to-merge", "2"),
        ("commit.manifest.target-size-bytes", "8000"),
    ];
    let mut table = bucket.take(table(&properties).write(&uuid(1)));
    let files = (0..6000).map(|number| file(&format!("{number:x}{}", number * number % 9973)));
    table = bucket.commit(table.append(commit(2), files.collect())).expect("a table");
    let first = bucket.manifests(&table, 1002);
    assert!(first.len() > 1, "{}", first.len());
    table = bucket.commit(table.append(commit(3), vec![file("b")])).expect("a table");
    let second = bucket.manifests(&table, 1003);
    let kept = first.iter().filter(|manifest| second.contains(manifest)).count();
    assert!(kept >= first.len() - 1);
    assert_eq!(bucket.live(&table).len(), 6001);
}

#[test]
fn replaced_files_are_deleted_in_one_snapshot_and_gone_in_the_next() {
    let mut bucket = Bucket::default();
    let mut table = bucket.take(table(&[]).write(&uuid(1)));
    table = bucket.commit(table.append(commit(2), vec![file("a"), file("b")])).expect("a table");
    table = bucket.commit(table.append(commit(3), vec![file("c")])).expect("a table");
    let removal = Removal::Files(BTreeSet::from([path("b")]));
    table = bucket.commit(table.overwrite(commit(4), removal.clone(), vec![file("d")])).expect("");
    let told: Vec<_> = bucket
        .entries(&table, 1004)
        .into_iter()
        .map(|entry| (entry.status, entry.snapshot_id, entry.sequence_number, entry.file.path))
        .collect();
    assert_eq!(
        told,
        [
            (Status::Added, 1004, 3, path("d")),
            (Status::Existing, 1002, 1, path("a")),
            (Status::Deleted, 1004, 1, path("b")),
            (Status::Added, 1003, 2, path("c")),
        ]
    );
    let summary = &table.current_snapshot().expect("a snapshot").summary;
    assert_eq!(summary["operation"], "overwrite");
    assert_eq!((&summary["deleted-records"][..], &summary["total-records"][..]), ("10", "30"));
    let again = bucket.commit(table.overwrite(commit(5), removal, Vec::new()));
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    table =
        bucket.commit(table.overwrite(commit(6), Removal::Everything, vec![])).expect("a table");
    assert_eq!(bucket.live(&table), BTreeSet::new());
    assert_eq!(bucket.entries(&table, 1006).len(), 3);
    let summary = &table.current_snapshot().expect("a snapshot").summary;
    assert_eq!((&summary["operation"][..], &summary["total-data-files"][..]), ("delete", "0"));
    table = bucket.commit(table.append(commit(7), vec![file("e")])).expect("a table");
    assert_eq!(bucket.entries(&table, 1007).len(), 1);
}

#[test]
fn expiry_finds_all_that_nothing_refers_to() {
    let mut bucket = Bucket::default();
    let properties = [("commit.manifest.min-count-to-merge", "3")];
    let mut table = bucket.take(table(&properties).write(&uuid(1)));
    for number in 2..20 {
        let name = number.to_string();
        bucket.0.insert(path(&name), Bytes::new());
        let removal = match number % 4 {
            0 => Removal::Files(BTreeSet::from([path(&(number - 1).to_string())])),
            _ => Removal::Nothing,
        };
        table =
            bucket.commit(table.overwrite(commit(number), removal, vec![file(&name)])).expect("");
    }
    let (none, unreferenced) = bucket.expire(&table, 0, 1);
    assert_eq!((none.snapshots.len(), unreferenced), (18, vec![]));
    let (expired, unreferenced) = bucket.expire(&none, 1500, 1);
    assert_eq!(expired.snapshots.len(), 5);
    assert!(unreferenced.contains(&path("3")) && unreferenced.contains(&path("11")));
    // Removed from the table, but in a snapshot that stays.
    assert!(!unreferenced.contains(&path("15")) && !unreferenced.contains(&path("10")));
    let (last, unreferenced) = bucket.expire(&expired, i64::MAX, 1);
    assert_eq!((last.snapshots.len(), last.snapshot_log.len()), (1, 1));
    assert!(unreferenced.contains(&path("15")));
    // What is left is exactly what the table has.
    assert_eq!(bucket.0.keys().cloned().collect::<BTreeSet<_>>(), bucket.reachable(&last));
    assert_eq!(bucket.live(&last).len(), 14);
}

#[test]
fn tags_and_staged_snapshots_outlive_expiry() {
    let mut bucket = Bucket::default();
    let mut table = bucket.take(table(&[]).write(&uuid(1)));
    for number in 2..6 {
        let files = vec![file(&number.to_string())];
        table = bucket.commit(table.append(commit(number), files)).expect("a table");
    }
    let tag = Reference { kind: "tag".to_owned(), ..Reference::branch(1003) };
    table.refs.insert("release".to_owned(), tag);
    let (table, _) = bucket.expire(&table, i64::MAX, 1);
    let ids: Vec<_> = table.snapshots.iter().map(|snapshot| snapshot.snapshot_id).collect();
    assert_eq!(ids, [1003, 1005]);
}

#[test]
fn old_metadata_files_are_forgotten() {
    let mut bucket = Bucket::default();
    let properties = [("write.metadata.previous-versions-max", "2")];
    let mut table = bucket.take(table(&properties).write(&uuid(1)));
    for number in 2..8 {
        table = bucket.commit(table.append(commit(number), Vec::new())).expect("a table");
    }
    assert_eq!(table.metadata_log.len(), 2);
    assert_eq!(bucket.0.keys().filter(|path| path.ends_with(".json")).count(), 3);
}

#[test]
fn partitions_are_written_and_summarised() {
    let field = |source_id, name: &str, transform: &str| PartitionField {
        source_id,
        field_id: None,
        name: name.to_owned(),
        transform: transform.to_owned(),
    };
    let spec = vec![field(1, "key-prefix", "truncate[1]"), field(2, "at_day", "day")];
    let partition_spec = PartitionSpec { spec_id: 0, fields: spec };
    let new = New {
        uuid: uuid(0),
        location: "s3://bucket".to_owned(),
        fields: fields(),
        partition_spec,
        ..New::default()
    };
    let mut bucket = Bucket::default();
    let mut table = bucket.take(Table::new(new).expect("a table").write(&uuid(1)));
    assert_eq!(table.last_partition_id, 1001);
    let mut files = vec![file("a"), file("b"), file("c")];
    for (file, (prefix, day)) in files.iter_mut().zip([("q", 3), ("b", -1), ("z", 9)]) {
        file.partition =
            BTreeMap::from([(1000, Value::String(prefix.to_owned())), (1001, Value::Int(day))]);
    }
    files[2].partition.remove(&1001);
    table = bucket.commit(table.append(commit(2), files.clone())).expect("a table");
    let read: Vec<_> = bucket.entries(&table, 1002).into_iter().map(|entry| entry.file).collect();
    assert_eq!(read, files);
    let summaries = bucket.manifests(&table, 1002).remove(0).partitions.expect("summaries");
    let bounds: Vec<_> = summaries
        .into_iter()
        .map(|each| (each.contains_null, each.lower_bound.unwrap(), each.upper_bound.unwrap()))
        .collect();
    let day = |day: i32| day.to_le_bytes().to_vec();
    assert_eq!(bounds, [(false, b"b".to_vec(), b"z".to_vec()), (true, day(-1), day(3))]);
    files[0].partition.insert(1000, Value::Long(1));
    let wrong = bucket.commit(table.append(commit(3), files));
    assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
}

#[test]
fn schemas_are_refused_or_numbered() {
    let refused = |json| Schema::from_json(json).expect_err("refused").to_string();
    let field = |id, name: &str, kind: serde_json::Value| json!({"id": id, "name": name, "required": false, "type": kind});
    let schema = |fields: &[serde_json::Value]| json!({"type": "struct", "fields": fields});
    assert!(refused(schema(&[field(1, "a", json!("text"))])).contains("text"));
    let twice = [field(1, "a", json!("int")), field(1, "b", json!("int"))];
    assert!(refused(schema(&twice)).contains("multiple fields for id 1"));
    let twice = [field(1, "a", json!("int")), field(2, "a", json!("int"))];
    assert!(refused(schema(&twice)).contains("multiple fields for name a"));
    let mut deep = json!("int");
    for id in 2..60 {
        deep = json!({"type": "list", "element-id": id, "element": deep, "element-required": true});
    }
    assert!(refused(schema(&[field(1, "a", deep)])).contains("deeper"));
    let nested = json!({"type": "struct", "fields": [field(9, "x", json!("decimal(9,2)"))]});
    let list =
        json!({"type": "list", "element-id": 0, "element": nested, "element-required": true});
    let fresh = Schema::from_json(schema(&[field(7, "l", list), field(3, "b", json!("fixed[4]"))]))
        .expect("a schema")
        .with_fresh_ids();
    let ids: Vec<_> = (1..5).map(|id| fresh.kind_of(id).cloned()).collect();
    let decimal = Some(Kind::Decimal { precision: 9, scale: 2 });
    assert!(matches!(ids[0], Some(Kind::List(_))) && ids[1] == Some(Kind::Fixed(4)));
    assert!(matches!(ids[2], Some(Kind::Struct(_))) && ids[3] == decimal);
    assert_eq!(Schema::from_json(fresh.to_json()).expect("a schema"), fresh);
}

#[test]
fn a_clients_ids_are_replaced_everywhere() {
    let field = PartitionField {
        source_id: 0,
        field_id: Some(1007),
        name: "key".to_owned(),
        transform: "identity".to_owned(),
    };
    let order = SortField {
        transform: "identity".to_owned(),
        source_id: 9,
        direction: "asc".to_owned(),
        null_order: "nulls-first".to_owned(),
    };
    let new = New {
        uuid: uuid(0),
        location: "s3://bucket".to_owned(),
        fields: vec![
            Field::optional(5, "tags", Kind::texts_by_text(3, 4)),
            Field::optional(0, "key", Kind::String),
            Field::optional(9, "at", Kind::Date),
        ],
        partition_spec: PartitionSpec { spec_id: 3, fields: vec![field] },
        sort_order: SortOrder { order_id: 7, fields: vec![order] },
        ..New::default()
    };
    let table = Table::new(new.with_fresh_ids().expect("ids")).expect("a table");
    let ids: Vec<_> = table.current_schema().fields.iter().map(|field| field.id).collect();
    assert_eq!((ids, table.last_column_id), (vec![1, 2, 3], 5));
    let spec = &table.partition_specs[0];
    assert_eq!(
        (spec.spec_id, spec.fields[0].source_id, spec.fields[0].field_id),
        (0, 2, Some(1000))
    );
    let order = &table.sort_orders[0];
    assert_eq!((order.order_id, order.fields[0].source_id), (1, 3));
}
