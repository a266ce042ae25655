//! Tables that are written and read again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;

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
        let mut expiry = table.expire_snapshots(older_than, keep, 1_000_000);
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
    let mut wanted = bucket.live(&last);
    let snapshot = last.current_snapshot().expect("a snapshot");
    wanted.insert(snapshot.manifest_list.clone());
    wanted.extend(bucket.manifests(&last, snapshot.snapshot_id).into_iter().map(|each| each.path));
    let metadata = last.metadata_log.iter().map(|entry| entry.metadata_file.clone());
    wanted.extend(metadata.chain(last.metadata_location().map(str::to_owned)));
    assert_eq!(bucket.0.keys().cloned().collect::<BTreeSet<_>>(), wanted);
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

fn updates(json: serde_json::Value) -> Vec<Update> {
    let each = json.as_array().expect("a list").iter();
    each.map(|update| Update::from_json(update.clone()).expect("an update")).collect()
}

#[test]
fn clients_updates_make_and_change_a_table() {
    let schema = json!({"type": "struct", "schema-id": 0, "fields": [
        {"id": 1, "name": "a", "required": false, "type": "long"}]});
    let made = json!([
        {"action": "assign-uuid", "uuid": uuid(5)},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": schema, "last-column-id": 1},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"spec-id": 0, "fields": [
            {"source-id": 1, "name": "a_bucket", "transform": "bucket[8]"}]}},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": [
            {"source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}]}},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": "s3://bucket"},
        {"action": "set-properties", "updates": {"p": "q", "r": "s"}},
    ]);
    Requirement::from_json(json!({"type": "assert-create"})).expect("one").check(None).expect("ok");
    let base = Table::updated(None, updates(made), &uuid(1), 50).expect("a table");
    assert_eq!((&base.table_uuid[..], base.last_updated_ms), (&uuid(5)[..], 50));
    assert_eq!((base.default_sort_order_id, base.last_partition_id), (1, 1000));
    let snapshot = |id: i64, number: i64| {
        json!({"action": "add-snapshot", "snapshot": {"snapshot-id": id, "sequence-number": number,
            "timestamp-ms": 60, "manifest-list": "s3://bucket/l.avro", "summary": {"operation": "append"},
            "schema-id": 0}})
    };
    let branch = |id: i64| json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id});
    let change = json!([
        snapshot(7, 1), branch(7), snapshot(8, 2), branch(8),
        {"action": "remove-properties", "removals": ["p"]},
        {"action": "add-schema", "schema": {"type": "struct", "fields": [
            {"id": 1, "name": "a", "required": false, "type": "long"},
            {"id": 2, "name": "b", "required": false, "type": "string"}]}},
        {"action": "set-current-schema", "schema-id": -1},
    ]);
    let table = Table::updated(Some(&base), updates(change), "", 70).expect("a table");
    assert_eq!((table.current_snapshot_id, table.last_sequence_number), (Some(8), 2));
    assert_eq!((table.current_schema_id, table.last_column_id), (1, 2));
    // The snapshot in the middle never was the table.
    let log: Vec<_> = table.snapshot_log.iter().map(|entry| entry.snapshot_id).collect();
    assert_eq!((log, table.properties.len()), (vec![8], 1));
    let refused = |json| {
        Table::updated(Some(&table), updates(json), "", 70).expect_err("refused").to_string()
    };
    assert!(refused(json!([snapshot(8, 3)])).contains("already exists"));
    assert!(refused(json!([snapshot(9, 2)])).contains("older than last sequence number 2"));
    assert!(refused(json!([branch(9)])).contains("unknown snapshot"));
    assert!(refused(json!([{"action": "set-current-schema", "schema-id": 9}])).contains("9"));
    assert!(refused(json!([{"action": "set-default-spec", "spec-id": -1}])).contains("no spec"));
    let removed = json!([{"action": "remove-snapshots", "snapshot-ids": [8]}]);
    let table = Table::updated(Some(&table), updates(removed), "", 80).expect("a table");
    assert_eq!((table.current_snapshot_id, table.refs.len(), table.last_updated_ms), (None, 0, 80));
}

#[test]
fn requirements_hold_or_conflict() {
    let mut bucket = Bucket::default();
    let table = bucket.take(table(&[]).write(&uuid(1)));
    let table = bucket.commit(table.append(commit(2), Vec::new())).expect("a table");
    let check = |json| Requirement::from_json(json).expect("a requirement").check(Some(&table));
    for held in [
        json!({"type": "assert-table-uuid", "uuid": uuid(0)}),
        json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1002}),
        json!({"type": "assert-ref-snapshot-id", "ref": "other", "snapshot-id": null}),
        json!({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 5}),
        json!({"type": "assert-current-schema-id", "current-schema-id": 0}),
        json!({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999}),
        json!({"type": "assert-default-spec-id", "default-spec-id": 0}),
        json!({"type": "assert-default-sort-order-id", "default-sort-order-id": 0}),
    ] {
        check(held.clone()).unwrap_or_else(|error| panic!("{held}: {error}"));
    }
    let conflict = |json| match check(json) {
        Err(Error::Conflict(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        conflict(json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1})),
        "Requirement failed: branch main has changed: expected id 1 != 1002"
    );
    assert_eq!(
        conflict(json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null})),
        "Requirement failed: branch main was created concurrently"
    );
    assert_eq!(
        conflict(json!({"type": "assert-create"})),
        "Requirement failed: table already exists"
    );
    assert_eq!(
        conflict(json!({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 4})),
        "Requirement failed: last assigned field id changed: expected id 4 != 5"
    );
    assert!(Requirement::from_json(json!({"type": "assert-weather"})).is_err());
}

#[test]
fn other_versions_and_broken_metadata_are_refused() {
    let good: serde_json::Value = serde_json::from_slice(&table(&[]).to_json()).expect("JSON");
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        change(&mut json);
        Table::from_json(json.to_string().as_bytes(), None).expect_err("refused")
    };
    assert!(matches!(refused(&|json| json["format-version"] = json!(3)), Error::Unsupported(_)));
    assert!(matches!(refused(&|json| json["current-schema-id"] = json!(7)), Error::Invalid(_)));
    assert!(matches!(refused(&|json| json["current-snapshot-id"] = json!(7)), Error::Invalid(_)));
    assert!(matches!(refused(&|json| json["location"] = json!(null)), Error::Invalid(_)));
    assert!(matches!(refused(&|json| json["schemas"] = json!([])), Error::Invalid(_)));
    assert!(matches!(Table::from_json(b"{", None), Err(Error::Invalid(_))));
    assert!(matches!(Table::from_json(&[0x1f, 0x8b, 0], None), Err(Error::Invalid(_))));
}

/// An uncompressed file of Avro.
fn avro(schema: serde_json::Value, rows: i64, block: &[u8]) -> Vec<u8> {
    let mut file = b"Obj\x01".to_vec();
    avro::put_long(&mut file, 1);
    avro::put_bytes(&mut file, b"avro.schema");
    avro::put_bytes(&mut file, schema.to_string().as_bytes());
    avro::put_long(&mut file, 0);
    file.extend_from_slice(&[7; 16]);
    avro::put_long(&mut file, rows);
    avro::put_bytes(&mut file, block);
    file.extend_from_slice(&[7; 16]);
    file
}

#[test]
fn files_that_promise_too_much_are_refused() {
    let record =
        |kind| json!({"type": "record", "name": "r", "fields": [{"name": "f", "type": kind}]});
    // A list of two thousand million nulls takes five bytes.
    let mut many = Vec::new();
    avro::put_long(&mut many, 2_000_000_000);
    let nulls = avro(record(json!({"type": "array", "items": "null"})), 1, &many);
    assert!(matches!(read_manifest_list(&nulls), Err(Error::Unsupported(_))));
    let nothing = avro(record(json!("null")), i64::MAX, &[]);
    assert!(matches!(read_manifest_list(&nothing), Err(Error::Invalid(_))));
    // Each record is twice the one before.
    let mut fields =
        vec![json!({"name": "f0", "type": {"type": "record", "name": "r0", "fields": [
        {"name": "a", "type": "int"}]}})];
    for number in 1..50 {
        let before = format!("r{}", number - 1);
        fields.push(json!({"name": format!("f{number}"), "type": {"type": "record",
            "name": format!("r{number}"), "fields": [
                {"name": "a", "type": before}, {"name": "b", "type": before}]}}));
    }
    let doubled = json!({"type": "record", "name": "r", "fields": fields});
    assert!(read_manifest_list(&avro(doubled, 1, &vec![0; 1 << 21])).is_err());
    let within = json!({"type": "record", "name": "r", "fields": [{"name": "f", "type": "r"}]});
    assert!(matches!(read_manifest_list(&avro(within, 1, &[])), Err(Error::Invalid(_))));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_manifest_list(&bytes);
        let _ = Table::from_json(&bytes, None);
        let from = ManifestFile::default();
        if let Ok(manifest) = read_manifest(&bytes, &from) {
            manifest.take_while(Result::is_ok).for_each(drop);
        }
    }

    #[test]
    fn damaged_manifests_do_no_harm(places in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let mut bucket = Bucket::default();
        let base = bucket.take(table(&[]).write(&uuid(1)));
        bucket.commit(base.append(commit(2), vec![file("a"), file("b")])).expect("a table");
        for (path, bytes) in &bucket.0 {
            let mut bytes = bytes.to_vec();
            for (place, byte) in &places {
                let length = bytes.len();
                bytes[place % length] = *byte;
            }
            if path.ends_with(".json") {
                let _ = Table::from_json(&bytes, None);
            }
            let _ = read_manifest_list(&bytes);
            let from = ManifestFile { sequence_number: 1, ..ManifestFile::default() };
            if let Ok(manifest) = read_manifest(&bytes, &from) {
                manifest.take_while(Result::is_ok).for_each(drop);
            }
        }
    }
}
