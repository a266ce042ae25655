//! What clients of a catalog commit.

use serde_json::json;

use super::*;

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
fn tables_of_version_3_count_their_rows() {
    let mut properties = BTreeMap::from([("format-version".to_owned(), "3".to_owned())]);
    let new = |properties: &BTreeMap<String, String>| New {
        uuid: uuid(0),
        location: "s3://bucket".to_owned(),
        fields: vec![Field::optional(1, "at", Kind::Later("timestamp_ns".to_owned()))],
        properties: properties.clone(),
        ..New::default()
    };
    let table = Table::new(new(&properties)).expect("a table");
    let json: serde_json::Value = serde_json::from_slice(&table.to_json()).expect("JSON");
    assert_eq!((&json["next-row-id"], &json["current-snapshot-id"]), (&json!(0), &json!(null)));
    assert_eq!((&json["format-version"], &json["properties"]), (&json!(3), &json!({})));
    let snapshot = |number: i64, first: serde_json::Value| {
        json!([{"action": "add-snapshot", "snapshot": {"snapshot-id": number, "timestamp-ms": 6,
            "sequence-number": number, "manifest-list": "s3://bucket/l", "first-row-id": first,
            "added-rows": 5, "summary": {"operation": "append"}}}])
    };
    let add =
        |table, number, first| Table::updated(Some(table), updates(snapshot(number, first)), "", 7);
    let one = add(&table, 1, json!(0)).expect("a table");
    assert_eq!(one.next_row_id, Some(5));
    assert!(add(&one, 2, json!(4)).is_err() && add(&one, 2, json!(null)).is_err());
    let refused = table.append(commit(2), Vec::new()).finish();
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    properties.clear();
    let refused = Table::new(new(&properties)).expect_err("refused").to_string();
    assert!(refused.contains("timestamp_ns is not supported until v3"), "{refused}");
    properties.insert("format-version".to_owned(), "1".to_owned());
    assert!(matches!(Table::new(new(&properties)), Err(Error::Unsupported(_))));
    let upgraded = json!([{"action": "upgrade-format-version", "format-version": 2}]);
    assert!(Table::updated(Some(&table), updates(upgraded), "", 7).is_err());
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
