//! The tables of S3 Metadata: what comes into them, once whatever happens, and what becomes of them.

use std::collections::BTreeSet;

use fogbank_columns::{Cell, cells};
use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Cx, Principal, Service};
use fogbank_iceberg::{Status, Table, read_manifest, read_manifest_list};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::metadata_tables::{configure, configured};
use super::{call, ends_within, put, refused, send, with};
use crate::metadata_tables::rows::{JOURNALS, LIVES, RECORDS, STRETCHES};
use crate::metadata_tables::{DELIVERY, run};

static SERVICES: &[&Service] = &[
    &crate::SERVICE,
    &fogbank_s3tables::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_sts::SERVICE,
    &fogbank_kms::SERVICE,
];
const MINUTE_MILLIS: i64 = 60_000;
const HOUR_MILLIS: i64 = 60 * MINUTE_MILLIS;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

async fn world() -> World {
    let world = World::new(SERVICES);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    world
}

/// A world whose bucket has a configuration with tables that are there.
async fn watched(more: Value) -> World {
    let world = world().await;
    configure(&world, more).await.expect("configured");
    round(&world).await;
    assert_eq!(status(&world, "Journal").await, "ACTIVE");
    world
}

async fn round(world: &World) {
    world.round(&crate::SERVICE, DELIVERY).await;
}

async fn pass(world: &World, millis: i64) {
    world.clock().advance(millis);
    round(world).await;
}

async fn table_of(world: &World, kind: &str) -> Value {
    configured(world).await[format!("{kind}TableConfigurationResult")].clone()
}

async fn status(world: &World, kind: &str) -> String {
    table_of(world, kind).await["TableStatus"].as_str().unwrap_or_default().to_owned()
}

async fn error(world: &World, kind: &str) -> String {
    let told = table_of(world, kind).await;
    told["Error"]["ErrorCode"].as_str().unwrap_or_default().to_owned()
}

async fn read(world: &World, uri: &str) -> Bytes {
    let (bucket, key) = uri.strip_prefix("s3://").and_then(|at| at.split_once('/')).expect("a URI");
    let root = Principal::root(ACCOUNT);
    let input = json!({"Bucket": bucket, "Key": key});
    let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("an object");
    reply.bytes(64 << 20).await.expect("bytes")
}

/// A table's metadata, as its owner reads it.
async fn opened(world: &World, arn: &str) -> Table {
    let told = world.call("s3tables:GetTable", json!({"tableArn": arn})).await.expect("a table");
    let location = told["metadataLocation"].as_str().expect("a location");
    Table::from_json(&read(world, location).await, Some(location)).expect("metadata")
}

/// The rows of a table, file by file, and how many files there are.
async fn rows_of(world: &World, arn: &str) -> (Vec<Vec<Cell>>, usize) {
    let table = opened(world, arn).await;
    let (mut rows, mut files) = (Vec::new(), 0);
    let Some(snapshot) = table.current_snapshot() else { return (rows, files) };
    let list = read_manifest_list(&read(world, &snapshot.manifest_list).await).expect("a list");
    for manifest in &list {
        let bytes = read(world, &manifest.path).await;
        for entry in read_manifest(&bytes, manifest).expect("a manifest") {
            let entry = entry.expect("an entry");
            if entry.status == Status::Deleted {
                continue;
            }
            files += 1;
            let file = cells(read(world, &entry.file.path).await).expect("a file");
            rows.extend(file.map(|row| row.expect("a row")));
        }
    }
    (rows, files)
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::None => "-".to_owned(),
        other => format!("{other:?}"),
    }
}

async fn arn_of(world: &World, kind: &str) -> String {
    table_of(world, kind).await["TableArn"].as_str().expect("an ARN").to_owned()
}

/// The journal in its order: kinds of records and keys.
async fn journal(world: &World) -> Vec<String> {
    let (mut rows, _) = rows_of(world, &arn_of(world, "Journal").await).await;
    rows.sort_by_key(|row| text(&row[2]));
    rows.iter().map(|row| format!("{} {}", text(&row[3]), text(&row[1]))).collect()
}

fn waiting(world: &World) -> usize {
    let cx = Cx::background(world.cloud().clone(), "s3", "test");
    cx.read(|tx| RECORDS.range(&()).count(tx)).expect("a number")
}

/// Lets a round go on until it has waited so often, and stops it there; says whether it ended before.
async fn stopped(world: &World, waits: usize) -> bool {
    let cx = Cx::background(world.cloud().clone(), "s3", DELIVERY);
    ends_within(run(cx), waits).await
}

#[tokio::test]
async fn records_come_into_the_journal_in_their_order_after_a_while() {
    let world = watched(json!({})).await;
    for number in 0..50 {
        put(&world, &format!("k{number:02}"), "x".to_owned()).await;
    }
    call(&world, "DeleteObject", json!({"Key": "k07"})).await.expect("removed");
    round(&world).await;
    assert!(journal(&world).await.is_empty());
    pass(&world, MINUTE_MILLIS).await;
    let mut expected: Vec<String> = (0..50).map(|number| format!("CREATE k{number:02}")).collect();
    expected.push("DELETE k07".to_owned());
    assert_eq!(journal(&world).await, expected);
    assert_eq!(waiting(&world), 0);
    // Three batches of at most twenty, and nothing more without a change.
    let arn = arn_of(&world, "Journal").await;
    assert_eq!(opened(&world, &arn).await.snapshots.len(), 3);
    pass(&world, MINUTE_MILLIS).await;
    assert_eq!(opened(&world, &arn).await.snapshots.len(), 3);
}

#[tokio::test]
async fn a_record_tells_what_the_columns_ask_for() {
    let world = watched(json!({})).await;
    let more = json!({"Key": "a", "Tagging": "k=v", "Metadata": {"of": "me"}});
    send(&world, "PutObject", more, "hello".to_owned()).await.expect("written");
    pass(&world, MINUTE_MILLIS).await;
    let arn = arn_of(&world, "Journal").await;
    let (rows, _) = rows_of(&world, &arn).await;
    let table = opened(&world, &arn).await;
    let names: Vec<_> = table.current_schema().fields.iter().map(|field| &field.name).collect();
    let row: Vec<String> = names
        .iter()
        .zip(&rows[0])
        .filter(|(name, _)| {
            !["sequence_number", "request_id", "object_join_key"].contains(&name.as_str())
        })
        .map(|(name, cell)| format!("{name}: {}", text(cell)))
        .collect();
    fogbank_testkit::expect![[r#"
        bucket: photos
        key: a
        record_type: CREATE
        record_timestamp: Int(1767225600000000)
        version_id: -
        is_delete_marker: Bool(false)
        size: Int(5)
        last_modified_date: Int(1767225600000000)
        e_tag: 5d41402abc4b2a76b9719d911017c592
        storage_class: STANDARD
        is_multipart: Bool(false)
        encryption_status: SSE-S3
        is_bucket_key_enabled: Bool(false)
        kms_key_arn: -
        checksum_algorithm: CRC64NVME
        object_tags: Map([(Text("k"), Text("v"))])
        user_metadata: Map([(Text("of"), Text("me"))])
        requester: 000000000000
        source_ip_address: -
        annotation: -"#]]
    .assert_eq(&row.join("\n"));
}

#[tokio::test]
async fn a_delivery_that_was_stopped_anywhere_brings_each_record_once() {
    for waits in 1.. {
        let world = watched(json!({})).await;
        for number in 0..30 {
            put(&world, &format!("k{number:02}"), "x".to_owned()).await;
        }
        world.clock().advance(MINUTE_MILLIS);
        let is_done = stopped(&world, waits).await;
        put(&world, "later", "x".to_owned()).await;
        for _ in 0..2 {
            pass(&world, MINUTE_MILLIS).await;
        }
        let mut expected: Vec<String> =
            (0..30).map(|number| format!("CREATE k{number:02}")).collect();
        expected.push("CREATE later".to_owned());
        assert_eq!(journal(&world).await, expected, "stopped at {waits}");
        assert_eq!(waiting(&world), 0);
        if is_done {
            assert!(waits > 10, "{waits}");
            return;
        }
    }
}

#[tokio::test]
async fn tables_whose_making_was_stopped_anywhere_are_made() {
    for waits in 1.. {
        let world = world().await;
        let inventory = json!({"InventoryTableConfiguration": {"ConfigurationState": "ENABLED"}});
        configure(&world, inventory).await.expect("configured");
        put(&world, "a", "x".to_owned()).await;
        let is_done = stopped(&world, waits).await;
        for _ in 0..2 {
            pass(&world, MINUTE_MILLIS).await;
        }
        let states = (status(&world, "Journal").await, status(&world, "Inventory").await);
        assert_eq!(states, ("ACTIVE".to_owned(), "ACTIVE".to_owned()), "stopped at {waits}");
        assert_eq!(journal(&world).await, ["CREATE a"]);
        assert_eq!(inventory_keys(&world).await, ["a"]);
        if is_done {
            return;
        }
    }
}

#[tokio::test]
async fn what_happened_before_the_end_is_still_written_and_the_table_stays() {
    let world = watched(json!({})).await;
    let arn = arn_of(&world, "Journal").await;
    put(&world, "a", "x".to_owned()).await;
    call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
    put(&world, "b", "x".to_owned()).await;
    round(&world).await;
    let (rows, _) = rows_of(&world, &arn).await;
    assert_eq!(rows.iter().map(|row| text(&row[1])).collect::<Vec<_>>(), ["a"]);
    assert_eq!(waiting(&world), 0);
    let cx = Cx::background(world.cloud().clone(), "s3", "test");
    assert_eq!(cx.read(|tx| JOURNALS.range(&()).count(tx)).expect("a number"), 0);
    // It keeps another configuration from having one of its name, until it is deleted.
    let inventory = json!({"InventoryTableConfiguration": {"ConfigurationState": "ENABLED"}});
    configure(&world, inventory.clone()).await.expect("configured");
    round(&world).await;
    assert_eq!(error(&world, "Journal").await, "JournalTableAlreadyExists");
    assert_eq!(error(&world, "Inventory").await, "JournalTableNotAvailable");
    put(&world, "c", "x".to_owned()).await;
    assert_eq!(waiting(&world), 0);
    call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
    let place = json!({
        "tableBucketARN": format!("arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/aws-s3"),
        "namespace": "b_photos", "name": "journal",
    });
    world.call("s3tables:DeleteTable", place).await.expect("deleted");
    configure(&world, inventory).await.expect("configured");
    round(&world).await;
    assert_eq!(status(&world, "Journal").await, "ACTIVE");
}

#[tokio::test]
async fn a_table_that_is_deleted_or_closed_fails_for_good() {
    for (is_closed, code) in
        [(false, "DestinationTableNotFound"), (true, "AccessDeniedWritingToTable")]
    {
        let world = watched(json!({})).await;
        let arn = arn_of(&world, "Journal").await;
        let bucket = format!("arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/aws-s3");
        let place = json!({"tableBucketARN": bucket, "namespace": "b_photos", "name": "journal"});
        if is_closed {
            let deny = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3tables:PutTableData", "Resource": arn,
            }]});
            let input = with(place, json!({"resourcePolicy": deny.to_string()}));
            world.call("s3tables:PutTablePolicy", input).await.expect("a policy");
        } else {
            world.call("s3tables:DeleteTable", place).await.expect("deleted");
        }
        put(&world, "a", "x".to_owned()).await;
        pass(&world, MINUTE_MILLIS).await;
        assert_eq!(error(&world, "Journal").await, code);
        put(&world, "b", "x".to_owned()).await;
        pass(&world, MINUTE_MILLIS).await;
        assert_eq!(waiting(&world), 0);
    }
}

#[tokio::test]
async fn a_key_must_let_s3_metadata_use_it() {
    let world = world().await;
    let key = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = key["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned();
    let encryption = json!({"SseAlgorithm": "aws:kms", "KmsKeyArn": key});
    let journal_of = json!({
        "RecordExpiration": {"Expiration": "DISABLED"}, "EncryptionConfiguration": encryption,
    });
    configure(&world, json!({"JournalTableConfiguration": journal_of})).await.expect("configured");
    round(&world).await;
    assert_eq!(error(&world, "Journal").await, "AccessDeniedCreatingResources");
    call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
    let place = json!({
        "tableBucketARN": format!("arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/aws-s3"),
        "namespace": "b_photos", "name": "journal",
    });
    world.call("s3tables:DeleteTable", place).await.expect("deleted");
    let allow = |principal: Value, actions: Value| json!({"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        allow(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}), json!("kms:*")),
        allow(
            json!({"Service": "metadata.s3.amazonaws.com"}),
            json!(["kms:GenerateDataKey", "kms:Decrypt"]),
        ),
    ]});
    let input = json!({"KeyId": key, "PolicyName": "default", "Policy": policy.to_string()});
    world.call("kms:PutKeyPolicy", input).await.expect("a policy");
    configure(&world, json!({"JournalTableConfiguration": journal_of})).await.expect("configured");
    round(&world).await;
    assert_eq!(status(&world, "Journal").await, "ACTIVE");
    put(&world, "a", "x".to_owned()).await;
    pass(&world, MINUTE_MILLIS).await;
    assert_eq!(journal(&world).await, ["CREATE a"]);
}

#[tokio::test]
async fn a_journal_of_the_first_version_lies_in_the_customers_table_bucket() {
    let world = world().await;
    let made = world.call("s3tables:CreateTableBucket", json!({"name": "mine"})).await;
    let bucket = made.expect("a bucket")["arn"].clone();
    let create = async |bucket: &Value, table: &str| {
        let to = json!({"TableBucketArn": bucket, "TableName": table});
        let given = json!({"MetadataTableConfiguration": {"S3TablesDestination": to}});
        call(&world, "CreateBucketMetadataTableConfiguration", given).await.expect("configured");
        round(&world).await;
        let told = call(&world, "GetBucketMetadataTableConfiguration", json!({})).await;
        told.expect("told")["GetBucketMetadataTableConfigurationResult"].take()
    };
    let other = json!(format!("arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/other"));
    let told = create(&other, "changes").await;
    assert_eq!(told["Error"]["ErrorCode"], "TableBucketNotFound", "{told}");
    call(&world, "DeleteBucketMetadataTableConfiguration", json!({})).await.expect("removed");
    let told = create(&bucket, "changes").await;
    assert_eq!(told["Status"], "ACTIVE", "{told}");
    put(&world, "a", "x".to_owned()).await;
    pass(&world, MINUTE_MILLIS).await;
    let to = &told["MetadataTableConfigurationResult"]["S3TablesDestinationResult"];
    let (rows, _) = rows_of(&world, to["TableArn"].as_str().expect("an ARN")).await;
    assert_eq!(text(&rows[0][1]), "a");
    call(&world, "DeleteBucketMetadataTableConfiguration", json!({})).await.expect("removed");
    let told = create(&bucket, "changes").await;
    assert_eq!(told["Error"]["ErrorCode"], "TableAlreadyExists", "{told}");
}

#[tokio::test]
async fn small_files_are_merged_snapshots_go_and_records_expire() {
    let days = json!({"RecordExpiration": {"Expiration": "ENABLED", "Days": 7}});
    let world = watched(json!({"JournalTableConfiguration": days})).await;
    for number in 0..10 {
        put(&world, &format!("k{number}"), "x".to_owned()).await;
        pass(&world, MINUTE_MILLIS).await;
    }
    let arn = arn_of(&world, "Journal").await;
    assert_eq!(rows_of(&world, &arn).await.1, 10);
    pass(&world, 2 * HOUR_MILLIS).await;
    let (rows, files) = rows_of(&world, &arn).await;
    assert_eq!((rows.len(), files), (10, 1));
    pass(&world, 2 * HOUR_MILLIS).await;
    assert_eq!(opened(&world, &arn).await.snapshots.len(), 1);
    assert_eq!(rows_of(&world, &arn).await.0.len(), 10);
    pass(&world, 7 * DAY_MILLIS).await;
    assert_eq!(rows_of(&world, &arn).await.0.len(), 10);
    put(&world, "young", "x".to_owned()).await;
    pass(&world, DAY_MILLIS).await;
    pass(&world, 2 * HOUR_MILLIS).await;
    assert_eq!(journal(&world).await, ["CREATE young"]);
    pass(&world, 2 * HOUR_MILLIS).await;
    // Nothing lies in the warehouse that nothing refers to, but for a hundred metadata files.
    let cx = Cx::background(world.cloud().clone(), "s3", "test");
    let keys = cx.read(|tx| crate::store::LISTED.range(&()).keys(tx)).expect("keys");
    let data: Vec<_> = keys.iter().filter(|(_, key)| key.starts_with("data/")).collect();
    assert_eq!(data.len(), 1, "{keys:?}");
}

async fn inventory_rows(world: &World) -> Vec<String> {
    let (mut rows, _) = rows_of(world, &arn_of(world, "Inventory").await).await;
    rows.sort_by_key(|row| (text(&row[1]), text(&row[3])));
    rows.iter()
        .map(|row| format!("{} {} {}", text(&row[1]), text(&row[3]), text(&row[4])))
        .collect()
}

async fn inventory_keys(world: &World) -> Vec<String> {
    let (rows, _) = rows_of(world, &arn_of(world, "Inventory").await).await;
    let mut keys: Vec<String> = rows.iter().map(|row| text(&row[1])).collect();
    keys.sort();
    keys
}

/// What the bucket lists, as the inventory shows it.
async fn listed(world: &World) -> Vec<String> {
    let page = call(world, "ListObjectVersions", json!({})).await.expect("versions");
    let mut rows = Vec::new();
    for (name, is_marker) in [("Versions", false), ("DeleteMarkers", true)] {
        for row in page[name].as_array().into_iter().flatten() {
            let id = row["VersionId"].as_str().expect("an id");
            let id = if id == "null" { "-" } else { id };
            let key = row["Key"].as_str().expect("a key");
            rows.push(format!("{key} {id} Bool({is_marker})"));
        }
    }
    rows.sort();
    rows
}

#[tokio::test]
async fn the_inventory_shows_what_is_there_and_follows_changes() {
    let world = world().await;
    put(&world, "k00", "null".to_owned()).await;
    let enabled = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", enabled).await.expect("versions");
    for number in 0..17 {
        put(&world, &format!("k{:02}", number / 2), "x".to_owned()).await;
    }
    call(&world, "DeleteObject", json!({"Key": "k03"})).await.expect("marked");
    let inventory = json!({"InventoryTableConfiguration": {"ConfigurationState": "ENABLED"}});
    configure(&world, inventory).await.expect("configured");
    round(&world).await;
    pass(&world, MINUTE_MILLIS).await;
    assert_eq!(status(&world, "Inventory").await, "ACTIVE");
    assert_eq!(inventory_rows(&world).await, listed(&world).await);
    let before = rows_of(&world, &arn_of(&world, "Inventory").await).await.1;
    assert!(before > 2, "{before}");
    // Before, between, behind; new versions, and versions that go.
    for key in ["a", "k03", "k035", "z"] {
        put(&world, key, "new".to_owned()).await;
    }
    call(&world, "DeleteObject", json!({"Key": "k05"})).await.expect("marked");
    let gone = json!({"Key": "k00", "VersionId": "null"});
    call(&world, "DeleteObject", gone).await.expect("removed");
    pass(&world, MINUTE_MILLIS).await;
    assert_ne!(inventory_rows(&world).await, listed(&world).await);
    pass(&world, HOUR_MILLIS).await;
    assert_eq!(inventory_rows(&world).await, listed(&world).await);
    // A stretch that grows is cut in two.
    for number in 0..20 {
        put(&world, &format!("k04{number:02}"), "x".to_owned()).await;
    }
    pass(&world, MINUTE_MILLIS).await;
    pass(&world, HOUR_MILLIS).await;
    assert_eq!(inventory_rows(&world).await, listed(&world).await);
    let disabled = json!({"InventoryTableConfiguration": {"ConfigurationState": "DISABLED"}});
    let update = "UpdateBucketMetadataInventoryTableConfiguration";
    call(&world, update, disabled).await.expect("disabled");
    let cx = Cx::background(world.cloud().clone(), "s3", "test");
    assert_eq!(cx.read(|tx| LIVES.range(&()).count(tx)).expect("a number"), 0);
    assert_eq!(cx.read(|tx| STRETCHES.range(&()).count(tx)).expect("a number"), 0);
}

#[tokio::test]
async fn an_inventory_that_was_stopped_anywhere_shows_each_version_once() {
    let mut seen = BTreeSet::new();
    for waits in 1.. {
        let world = world().await;
        for number in 0..12 {
            put(&world, &format!("k{number:02}"), "x".to_owned()).await;
        }
        let inventory = json!({"InventoryTableConfiguration": {"ConfigurationState": "ENABLED"}});
        configure(&world, inventory).await.expect("configured");
        let is_done = stopped(&world, waits).await;
        call(&world, "DeleteObject", json!({"Key": "k01"})).await.expect("removed");
        put(&world, "k055", "x".to_owned()).await;
        world.clock().advance(MINUTE_MILLIS);
        stopped(&world, waits).await;
        pass(&world, MINUTE_MILLIS).await;
        world.clock().advance(HOUR_MILLIS);
        stopped(&world, waits).await;
        pass(&world, HOUR_MILLIS).await;
        pass(&world, HOUR_MILLIS).await;
        seen.insert(status(&world, "Inventory").await);
        assert_eq!(inventory_rows(&world).await, listed(&world).await, "stopped at {waits}");
        if is_done {
            break;
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["ACTIVE"]);
}

async fn annotated(world: &World) -> Vec<String> {
    let (mut rows, _) = rows_of(world, &arn_of(world, "Annotation").await).await;
    rows.sort_by_key(|row| (text(&row[1]), text(&row[4])));
    rows.iter()
        .map(|row| format!("{} {} {}", text(&row[1]), text(&row[4]), text(&row[11])))
        .collect()
}

async fn annotate(world: &World, key: &str, name: &str, value: &str) {
    let input = json!({"Key": key, "AnnotationName": name});
    send(world, "PutObjectAnnotation", input, value.to_owned()).await.expect("annotated");
}

#[tokio::test]
async fn the_annotation_table_shows_texts_that_its_role_may_read() {
    let world = world().await;
    for number in 0..8 {
        let key = format!("k{number}");
        put(&world, &key, "x".to_owned()).await;
        annotate(&world, &key, "a", "one").await;
    }
    annotate(&world, "k3", "b", "two").await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "metadata.s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let input = json!({"RoleName": "reader", "AssumeRolePolicyDocument": trust.to_string()});
    world.call("iam:CreateRole", input).await.expect("a role");
    let allow = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "s3:GetObjectAnnotation", "Resource": "arn:aws:s3:::photos/k3",
    }]});
    let input =
        json!({"RoleName": "reader", "PolicyName": "p", "PolicyDocument": allow.to_string()});
    world.call("iam:PutRolePolicy", input).await.expect("a policy");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    let annotation = json!({"ConfigurationState": "ENABLED", "Role": role});
    configure(&world, json!({"AnnotationTableConfiguration": annotation}))
        .await
        .expect("configured");
    round(&world).await;
    pass(&world, MINUTE_MILLIS).await;
    assert_eq!(status(&world, "Annotation").await, "ACTIVE");
    assert_eq!(table_of(&world, "Annotation").await["Role"], role);
    let shown = annotated(&world).await;
    assert_eq!(shown.len(), 9);
    assert_eq!(shown[2..5], ["k2 a -", "k3 a one", "k3 b two"]);
    annotate(&world, "k3", "c", "three").await;
    call(&world, "DeleteObject", json!({"Key": "k2"})).await.expect("removed");
    call(&world, "DeleteObjectAnnotation", json!({"Key": "k3", "AnnotationName": "a"}))
        .await
        .expect("removed");
    pass(&world, MINUTE_MILLIS).await;
    pass(&world, HOUR_MILLIS).await;
    assert_eq!(annotated(&world).await[1..5], ["k1 a -", "k3 b two", "k3 c three", "k4 a -"]);
}

#[tokio::test]
async fn a_reset_leaves_no_journal() {
    let world = watched(json!({})).await;
    put(&world, "a", "x".to_owned()).await;
    world.reset(&crate::SERVICE, None).await;
    let cx = Cx::background(world.cloud().clone(), "s3", "test");
    assert_eq!(cx.read(|tx| JOURNALS.range(&()).count(tx)).expect("a number"), 0);
    assert_eq!(waiting(&world), 0);
    let missing = call(&world, "GetBucketMetadataConfiguration", json!({})).await;
    assert!(refused(missing).starts_with("NoSuchBucket: "));
}
