//! Inventories: when they are written, what stands in them, and who lets them in.

use std::collections::BTreeSet;
use std::io::Read;

use fogbank_core::{Body, Cx, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{call, ends_within, put, send, with, with_bucket};

const DAY_MILLIS: i64 = 86_400_000;

/// A bucket `lists` beside `photos` that lets inventories in.
async fn with_lists() -> World {
    let world = with_bucket().await;
    world.call("s3:CreateBucket", json!({"Bucket": "lists"})).await.expect("a bucket");
    admit(&world, json!({
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:::photos"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT, "s3:x-amz-acl": "bucket-owner-full-control"},
    }))
    .await;
    world
}

async fn admit(world: &World, condition: Value) {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::lists/*", "Condition": condition,
    }]});
    let input = json!({"Bucket": "lists", "Policy": policy.to_string()});
    world.call("s3:PutBucketPolicy", input).await.expect("a policy");
}

async fn configure(world: &World, more: Value) {
    let to = json!({"Bucket": "arn:aws:s3:::lists", "Format": "CSV", "Prefix": "inv"});
    let given = json!({
        "Id": "all", "IsEnabled": true, "IncludedObjectVersions": "Current",
        "Destination": {"S3BucketDestination": to}, "Schedule": {"Frequency": "Daily"},
    });
    let given = with(given, more);
    let input = json!({"Id": given["Id"], "InventoryConfiguration": given});
    call(world, "PutBucketInventoryConfiguration", input).await.expect("configured");
}

async fn pass(world: &World, millis: i64) {
    world.clock().advance(millis);
    world.round(&crate::SERVICE, "s3.inventory").await;
}

/// What the bucket `lists` holds: keys with their bodies, those of files as text.
async fn delivered(world: &World) -> Vec<(String, String)> {
    let page = world.call("s3:ListObjectsV2", json!({"Bucket": "lists"})).await.expect("a list");
    let mut found = Vec::new();
    for row in page["Contents"].as_array().into_iter().flatten() {
        let input = json!({"Bucket": "lists", "Key": row["Key"]});
        let root = Principal::root(ACCOUNT);
        let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("a file");
        let body = reply.bytes(64 << 20).await.expect("bytes");
        let key = row["Key"].as_str().expect("a key").to_owned();
        let mut text = String::new();
        if key.ends_with(".gz") {
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).expect("lines");
        } else {
            text = String::from_utf8_lossy(&body).into_owned();
        }
        found.push((key, text));
    }
    found
}

/// What was delivered, with words in place of the sizes and sums that depend on how well files are packed.
async fn shown(world: &World, found: &[(String, String)]) -> String {
    let mut text: String = found.iter().map(|(key, text)| format!("{key}\n{text}\n")).collect();
    let page = world.call("s3:ListObjectsV2", json!({"Bucket": "lists"})).await.expect("a list");
    for row in page["Contents"].as_array().into_iter().flatten() {
        let key = row["Key"].as_str().expect("a key");
        let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
        let md5 = row["ETag"].as_str().expect("an ETag").trim_matches('"').to_owned();
        text = text.replace(&md5, &format!("MD5 of {name}"));
        if name == "gz" {
            text = text.replace(&format!("\"size\" : {}", row["Size"]), "\"size\" : of gz");
        }
    }
    text
}

#[tokio::test]
async fn a_report_of_current_objects_is_written_each_day() {
    let world = with_lists().await;
    put(&world, "a/b c+d.txt", "hello".to_owned()).await;
    let more = json!({"Key": "a/cold", "StorageClass": "STANDARD_IA"});
    send(&world, "PutObject", more, "x".to_owned()).await.expect("written");
    put(&world, "z", "not meant".to_owned()).await;
    let fields = ["ChecksumAlgorithm", "StorageClass", "Size", "LastModifiedDate", "ETag"];
    configure(&world, json!({"Filter": {"Prefix": "a/"}, "OptionalFields": fields})).await;
    pass(&world, 0).await;
    assert_eq!(delivered(&world).await, []);
    pass(&world, DAY_MILLIS).await;
    let found = delivered(&world).await;
    expect![[r#"
        inv/photos/all/2026-01-01T01-00Z/manifest.checksum
        MD5 of json
        inv/photos/all/2026-01-01T01-00Z/manifest.json
        {
          "sourceBucket" : "photos",
          "destinationBucket" : "arn:aws:s3:::lists",
          "version" : "2016-11-30",
          "creationTimestamp" : "1767229200000",
          "fileFormat" : "CSV",
          "fileSchema" : "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass, ChecksumAlgorithm",
          "files" : [ {
            "key" : "inv/photos/all/data/be1cfafe-401e-b2c6-dcab-122c2e40a49a.csv.gz",
            "size" : of gz,
            "MD5checksum" : "MD5 of gz"
          } ]
        }
        inv/photos/all/data/be1cfafe-401e-b2c6-dcab-122c2e40a49a.csv.gz
        "photos","a/b+c%2Bd.txt","5","2026-01-01T00:00:00.000Z","5d41402abc4b2a76b9719d911017c592","STANDARD","CRC64NVME"
        "photos","a/cold","1","2026-01-01T00:00:00.000Z","9dd4e461268c8034f5c8564e155c67a6","STANDARD_IA","CRC64NVME"

        inv/photos/all/hive/dt=2026-01-01-01-00/symlink.txt
        s3://lists/inv/photos/all/data/be1cfafe-401e-b2c6-dcab-122c2e40a49a.csv.gz
    "#]].assert_eq(&shown(&world, &found).await);
    // Nothing more comes until the next day.
    pass(&world, 1000).await;
    assert_eq!(delivered(&world).await, found);
    pass(&world, DAY_MILLIS).await;
    assert_eq!(delivered(&world).await.len(), 8);
}

#[tokio::test]
async fn a_report_of_versions_shows_all_that_is_known_of_them() {
    let world = with_lists().await;
    put(&world, "a", "null version".to_owned()).await;
    let status = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", status).await.expect("versions");
    put(&world, "a", "second".to_owned()).await;
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("marked");
    put(&world, "b", "only".to_owned()).await;
    let fields = [
        "Size",
        "LastModifiedDate",
        "StorageClass",
        "ETag",
        "IsMultipartUploaded",
        "ReplicationStatus",
        "EncryptionStatus",
        "ObjectLockRetainUntilDate",
        "ObjectLockMode",
        "ObjectLockLegalHoldStatus",
        "IntelligentTieringAccessTier",
        "BucketKeyStatus",
        "ChecksumAlgorithm",
        "ObjectAccessControlList",
        "ObjectOwner",
        "LifecycleExpirationDate",
    ];
    let rules = json!({"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 9}}]});
    let rules = json!({ "LifecycleConfiguration": rules });
    call(&world, "PutBucketLifecycleConfiguration", rules).await.expect("rules");
    configure(&world, json!({"IncludedObjectVersions": "All", "OptionalFields": fields})).await;
    pass(&world, DAY_MILLIS).await;
    let found = delivered(&world).await;
    let file = found.iter().find(|(key, _)| key.ends_with(".gz")).expect("a file");
    expect![[r#"
        "photos","a","00000000000000084c0e071832d52769","true","true","","2026-01-01T00:00:00.000Z","","","","","","","","","","","","","4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49",""
        "photos","a","0000000000000007a3eb8db89fc5123c","false","false","6","2026-01-01T00:00:00.000Z","a9f0e61a137d86aa9db53465e0801612","STANDARD","false","","SSE-S3","","","","","DISABLED","CRC64NVME","eyJncmFudHMiOlt7ImNhbm9uaWNhbElkIjoiNGM0NTQ3MTgyZDRjMGYwNWNhMDE0MDI2YjM4YzI5NjFiZGI3ZDM0ZTRmNTdlYzliOWQ0YTA4ZDkwYTgxNWY0OSIsInBlcm1pc3Npb24iOiJGVUxMX0NPTlRST0wiLCJ0eXBlIjoiQ2Fub25pY2FsVXNlciJ9XSwic3RhdHVzIjoiQVZBSUxBQkxFIiwidmVyc2lvbiI6IjIwMjItMTEtMTAifQ==","4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49",""
        "photos","a","","false","false","12","2026-01-01T00:00:00.000Z","a9a4a173de26c7ac0e2f173b693093bd","STANDARD","false","","SSE-S3","","","","","DISABLED","CRC64NVME","eyJncmFudHMiOlt7ImNhbm9uaWNhbElkIjoiNGM0NTQ3MTgyZDRjMGYwNWNhMDE0MDI2YjM4YzI5NjFiZGI3ZDM0ZTRmNTdlYzliOWQ0YTA4ZDkwYTgxNWY0OSIsInBlcm1pc3Npb24iOiJGVUxMX0NPTlRST0wiLCJ0eXBlIjoiQ2Fub25pY2FsVXNlciJ9XSwic3RhdHVzIjoiQVZBSUxBQkxFIiwidmVyc2lvbiI6IjIwMjItMTEtMTAifQ==","4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49",""
        "photos","b","00000000000000095924513516a59934","true","false","4","2026-01-01T00:00:00.000Z","6299ba2cbd9661a5e3872b715521cd6a","STANDARD","false","","SSE-S3","","","","","DISABLED","CRC64NVME","eyJncmFudHMiOlt7ImNhbm9uaWNhbElkIjoiNGM0NTQ3MTgyZDRjMGYwNWNhMDE0MDI2YjM4YzI5NjFiZGI3ZDM0ZTRmNTdlYzliOWQ0YTA4ZDkwYTgxNWY0OSIsInBlcm1pc3Npb24iOiJGVUxMX0NPTlRST0wiLCJ0eXBlIjoiQ2Fub25pY2FsVXNlciJ9XSwic3RhdHVzIjoiQVZBSUxBQkxFIiwidmVyc2lvbiI6IjIwMjItMTEtMTAifQ==","4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49","2026-01-10T00:00:00.000Z"
    "#]].assert_eq(&file.1);
    let (_, manifest) = found.iter().find(|(key, _)| key.ends_with(".json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(manifest).expect("JSON");
    expect!["Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm, ObjectAccessControlList, ObjectOwner, LifecycleExpirationDate"].assert_eq(manifest["fileSchema"].as_str().expect("a schema"));
}

#[tokio::test]
async fn locks_and_holds_are_shown() {
    let world = with_lists().await;
    put(&world, "a", "x".to_owned()).await;
    let status = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", status).await.expect("versions");
    let lock = json!({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}});
    call(&world, "PutObjectLockConfiguration", lock).await.expect("a lock");
    for (key, duration) in [("b", json!({"Days": 3})), ("c", json!({"Years": 1}))] {
        let retention =
            json!({"Mode": "COMPLIANCE", "EventHold": "ON", "EventHoldDuration": duration});
        put(&world, key, "x".to_owned()).await;
        let input = json!({"Key": key, "Retention": retention});
        call(&world, "PutObjectRetention", input).await.expect("held");
    }
    let off = json!({"Key": "c", "Retention": {"Mode": "COMPLIANCE", "EventHold": "OFF"}});
    call(&world, "PutObjectRetention", off).await.expect("released");
    let fields = [
        "ObjectLockRetainUntilDate",
        "ObjectLockMode",
        "ObjectLockLegalHoldStatus",
        "ObjectLockEventHoldStatus",
        "ObjectLockEventHoldDuration",
    ];
    configure(&world, json!({"OptionalFields": fields})).await;
    for format in ["Parquet", "ORC"] {
        let to = json!({"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": format}});
        let more = json!({"Id": format, "Destination": to, "OptionalFields": fields});
        configure(&world, more).await;
    }
    pass(&world, DAY_MILLIS).await;
    let found = delivered(&world).await;
    let file = |end: &str| found.iter().find(|(key, _)| key.ends_with(end)).expect("a file");
    expect![[r#"
        "photos","a","","","OFF","OFF",""
        "photos","b","2026-01-05T00:00:00.000Z","COMPLIANCE","OFF","ON","3"
        "photos","c","2027-01-01T00:00:00.000Z","COMPLIANCE","OFF","OFF",""
    "#]]
    .assert_eq(&file(".gz").1);
    let input = json!({"Bucket": "lists", "Key": file(".parquet").0});
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("a file");
    let rows = fogbank_columns::read(reply.bytes(1 << 20).await.expect("bytes")).expect("rows");
    let rows: Vec<&str> = rows.iter().filter_map(|row| row.split("legal_hold").nth(1)).collect();
    expect![[r#"
        _status: "OFF", object_lock_event_hold_status: "OFF", object_lock_event_hold_duration: null}
        _status: "OFF", object_lock_event_hold_status: "ON", object_lock_event_hold_duration: 3}
        _status: "OFF", object_lock_event_hold_status: "OFF", object_lock_event_hold_duration: null}"#]].assert_eq(&rows.join("\n"));
    let is_of_orc = |(key, _): &&(String, String)| key.contains("/ORC/") && key.ends_with(".json");
    let (_, manifest) = found.iter().find(is_of_orc).expect("a manifest");
    assert!(manifest.contains("event_hold_status:string,object_lock_event_hold_duration:bigint"));
}

#[tokio::test]
async fn what_the_destination_does_not_let_in_is_given_up_until_the_next_time() {
    let world = with_lists().await;
    put(&world, "a", "x".to_owned()).await;
    admit(&world, json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::others"}})).await;
    configure(&world, json!({})).await;
    pass(&world, DAY_MILLIS).await;
    assert_eq!(delivered(&world).await, []);
    admit(&world, json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::photos"}})).await;
    pass(&world, 1000).await;
    assert_eq!(delivered(&world).await, []);
    pass(&world, DAY_MILLIS).await;
    assert_eq!(delivered(&world).await.len(), 4);
}

#[tokio::test]
async fn disabled_and_removed_inventories_write_nothing() {
    let world = with_lists().await;
    configure(&world, json!({})).await;
    configure(&world, json!({"Id": "other"})).await;
    configure(&world, json!({"IsEnabled": false})).await;
    let named = json!({"Id": "other"});
    call(&world, "DeleteBucketInventoryConfiguration", named).await.expect("removed");
    pass(&world, 3 * DAY_MILLIS).await;
    assert_eq!(delivered(&world).await, []);
    // An empty bucket has a report without files.
    configure(&world, json!({})).await;
    pass(&world, DAY_MILLIS).await;
    let found = delivered(&world).await;
    assert_eq!(found.len(), 3, "{found:?}");
    // With the bucket go its inventories.
    call(&world, "DeleteBucket", json!({})).await.expect("removed");
    call(&world, "CreateBucket", json!({})).await.expect("a bucket");
    pass(&world, 3 * DAY_MILLIS).await;
    assert_eq!(delivered(&world).await.len(), 3);
}

#[tokio::test]
async fn a_clock_that_goes_back_puts_no_report_off() {
    let world = with_lists().await;
    configure(&world, json!({})).await;
    pass(&world, 30 * DAY_MILLIS).await;
    assert_eq!(delivered(&world).await.len(), 3);
    world.clock().advance(-29 * DAY_MILLIS);
    world.round(&crate::SERVICE, "s3.inventory").await;
    pass(&world, DAY_MILLIS).await;
    assert_eq!(delivered(&world).await.len(), 6);
}

#[tokio::test]
async fn a_clock_that_moves_leaves_no_file_without_a_manifest() {
    for days in [1, -10] {
        let world = with_lists().await;
        for number in 0..3500 {
            put(&world, &format!("k{number:04}"), "x".to_owned()).await;
        }
        configure(&world, json!({})).await;
        world.clock().advance(DAY_MILLIS);
        let mut waits = 1;
        // The first of two files is written.
        while delivered(&world).await.is_empty() {
            assert!(!stopped(&world, waits).await, "a file is there before the end");
            waits += 1;
        }
        assert_eq!(delivered(&world).await.len(), 1);
        pass(&world, days * DAY_MILLIS).await;
        let found = delivered(&world).await;
        let manifests = found.iter().filter(|(key, _)| key.ends_with("manifest.json"));
        let named: Vec<&String> = manifests.map(|(_, text)| text).collect();
        // With the clock a day further, the next report is written, too.
        assert_eq!(named.len(), if days > 0 { 2 } else { 1 });
        let files: Vec<_> = found.iter().filter(|(key, _)| key.contains("/data/")).collect();
        assert_eq!(files.len(), 2 * named.len());
        for (key, _) in files {
            assert!(named.iter().any(|manifest| manifest.contains(key)), "{key}");
        }
        pass(&world, DAY_MILLIS).await;
        assert_eq!(delivered(&world).await.len(), found.len() + 5);
    }
}

/// Begins a round and gives it up when it has waited so many times; whether it came to its end.
async fn stopped(world: &World, waits: usize) -> bool {
    let cx = Cx::background(world.cloud().clone(), "s3", "s3.inventory");
    ends_within(crate::inventory::run(cx), waits).await
}

#[tokio::test]
async fn a_report_that_was_stopped_anywhere_goes_on_and_is_whole_only_at_the_end() {
    let world = with_lists().await;
    let versions = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", versions).await.expect("versions");
    for number in 0..2500 {
        put(&world, &format!("k{:04}", number / 2), "x".to_owned()).await;
    }
    configure(&world, json!({"IncludedObjectVersions": "All", "OptionalFields": ["ETag"]})).await;
    configure(&world, json!({"Id": "now", "OptionalFields": ["EncryptionStatus"]})).await;
    world.clock().advance(DAY_MILLIS);
    let mut rounds = 0;
    loop {
        rounds += 1;
        let is_done = stopped(&world, rounds).await;
        let found = delivered(&world).await;
        let keys: BTreeSet<&str> = found.iter().map(|(key, _)| &**key).collect();
        for (key, text) in found.iter().filter(|(key, _)| key.ends_with("manifest.json")) {
            let manifest: Value = serde_json::from_str(text).expect("JSON");
            let files = manifest["files"].as_array().expect("files");
            let is_there = |file: &Value| keys.contains(file["key"].as_str().expect("a key"));
            assert!(files.iter().all(is_there), "{key}");
            assert_eq!(files.len(), if key.contains("/now/") { 1 } else { 2 });
        }
        if is_done {
            break;
        }
    }
    assert!(rounds > 3, "{rounds}");
    let found = delivered(&world).await;
    let lines = |id: &str| -> Vec<&str> {
        let files = found.iter().filter(|(key, _)| key.contains(id) && key.ends_with(".gz"));
        files.flat_map(|(_, text)| text.lines()).collect()
    };
    let all = lines("/all/");
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (2500, 2500));
    assert_eq!(all.iter().filter(|line| line.contains("\"true\",\"false\"")).count(), 1250);
    let now = lines("/now/");
    assert_eq!((now.len(), now[0]), (1250, "\"photos\",\"k0000\",\"SSE-S3\""));
}

#[tokio::test]
async fn a_report_of_versions_is_written_as_parquet() {
    let world = with_lists().await;
    let enabled = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    put(&world, "a/b c+d.txt", "first".to_owned()).await;
    call(&world, "PutBucketVersioning", enabled).await.expect("enabled");
    let second = put(&world, "a/b c+d.txt", "second".to_owned()).await;
    call(&world, "DeleteObject", json!({"Key": "a/b c+d.txt"})).await.expect("removed");
    let to = json!({"Bucket": "arn:aws:s3:::lists", "Format": "Parquet"});
    configure(
        &world,
        json!({
            "IncludedObjectVersions": "All", "Destination": {"S3BucketDestination": to},
            "OptionalFields": ["Size", "LastModifiedDate", "ETag", "IsMultipartUploaded"],
        }),
    )
    .await;
    pass(&world, DAY_MILLIS).await;
    let found = delivered(&world).await;
    let manifest = &found.iter().find(|(key, _)| key.ends_with("manifest.json")).expect("there").1;
    let manifest: Value = serde_json::from_str(manifest).expect("JSON");
    assert_eq!(manifest["fileFormat"], "Parquet");
    assert_eq!(
        manifest["fileSchema"],
        "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  optional binary version_id (STRING);  optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (STRING);  optional boolean is_multipart_uploaded;}"
    );
    let key = manifest["files"][0]["key"].as_str().expect("a file");
    assert!(key.starts_with("photos/all/data/") && key.ends_with(".parquet"), "{key}");
    let input = json!({"Bucket": "lists", "Key": key});
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("a file");
    let file = reply.bytes(1 << 20).await.expect("bytes");
    assert_eq!(manifest["files"][0]["size"], file.len());
    let rows = fogbank_columns::read(file).expect("rows");
    let second = second["VersionId"].as_str().expect("an id");
    assert_eq!(rows.len(), 3);
    assert!(rows[0].contains("is_latest: true, is_delete_marker: true, size: null"), "{}", rows[0]);
    assert!(
        rows[1].contains(&format!("version_id: \"{second}\", is_latest: false")),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains("key: \"a/b c+d.txt\", version_id: null"), "{}", rows[2]);
    assert!(rows[2].ends_with("is_multipart_uploaded: false}"), "{}", rows[2]);
}

#[tokio::test]
async fn a_report_is_written_as_orc() {
    let world = with_lists().await;
    put(&world, "é", "first".to_owned()).await;
    let to = json!({"Bucket": "arn:aws:s3:::lists", "Format": "ORC"});
    configure(
        &world,
        json!({
            "IncludedObjectVersions": "Current", "Destination": {"S3BucketDestination": to},
            "OptionalFields": ["Size", "LastModifiedDate", "IsMultipartUploaded"],
        }),
    )
    .await;
    pass(&world, DAY_MILLIS).await;
    let found = delivered(&world).await;
    let manifest = &found.iter().find(|(key, _)| key.ends_with("manifest.json")).expect("there").1;
    let manifest: Value = serde_json::from_str(manifest).expect("JSON");
    assert_eq!(manifest["fileFormat"], "ORC");
    assert_eq!(
        manifest["fileSchema"],
        "struct<bucket:string,key:string,size:bigint,last_modified_date:timestamp,is_multipart_uploaded:boolean>"
    );
    let key = manifest["files"][0]["key"].as_str().expect("a file");
    assert!(key.starts_with("photos/all/data/") && key.ends_with(".orc"), "{key}");
    let input = json!({"Bucket": "lists", "Key": key});
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("a file");
    let file = reply.bytes(1 << 20).await.expect("bytes");
    assert_eq!(manifest["files"][0]["size"], file.len());
    assert!(file.starts_with(b"ORC"));
}
