//! Intelligent tiering: what moves into archives and when, what reading does, and how objects come back.

use fogbank_core::Fault;
use fogbank_testkit::{Value, World, json};

use super::notifications::{self, effects, message};
use super::{call, refused, send, with, with_bucket};

const DAY_MILLIS: i64 = 86_400_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// Lets days pass, and what is due be done.
async fn pass(world: &World, days: i64) {
    world.clock().advance(days * DAY_MILLIS);
    sweep(world).await;
}

async fn sweep(world: &World) {
    world.round(&crate::SERVICE, "s3.accesses").await;
    world.round(&crate::SERVICE, "s3.lifecycle").await;
}

/// Has events sent to a queue.
async fn hear(world: &World, events: &str) {
    let queues = json!({"QueueConfigurations": [notifications::queue(&[events])]});
    notifications::configure(world, queues).await.expect("configured");
}

/// Has what nobody reads go to the archive after 90 days, and deeper after 180.
async fn configure(world: &World, filter: Value) {
    let tierings = json!([
        {"AccessTier": "ARCHIVE_ACCESS", "Days": 90},
        {"AccessTier": "DEEP_ARCHIVE_ACCESS", "Days": 180},
    ]);
    let mut configuration = json!({"Id": "all", "Status": "Enabled", "Tierings": tierings});
    if !filter.is_null() {
        configuration["Filter"] = filter;
    }
    let input = json!({"Id": "all", "IntelligentTieringConfiguration": configuration});
    call(world, "PutBucketIntelligentTieringConfiguration", input).await.expect("configured");
}

async fn put(world: &World, key: &str, size: usize, more: Value) {
    let input = with(json!({"Key": key, "StorageClass": "INTELLIGENT_TIERING"}), more);
    send(world, "PutObject", input, vec![b'x'; size]).await.expect("written");
}

/// `x-amz-archive-status`.
async fn status(world: &World, key: &str) -> Value {
    call(world, "HeadObject", json!({"Key": key})).await.expect("an object")["ArchiveStatus"]
        .clone()
}

async fn read(world: &World, key: &str) -> Result<Value, Fault> {
    call(world, "GetObject", json!({"Key": key})).await
}

const LARGE: usize = 128 << 10;

#[tokio::test]
async fn what_nobody_reads_goes_deeper_and_deeper() {
    let world = with_bucket().await;
    hear(&world, "s3:IntelligentTiering").await;
    configure(&world, Value::Null).await;
    for key in ["idle", "read"] {
        put(&world, key, LARGE, json!({})).await;
    }
    put(&world, "small", LARGE - 1, json!({})).await;
    send(&world, "PutObject", json!({"Key": "other"}), vec![b'x'; LARGE]).await.expect("written");
    pass(&world, 60).await;
    read(&world, "read").await.expect("read");
    pass(&world, 29).await;
    assert_eq!(status(&world, "idle").await, Value::Null);
    pass(&world, 1).await;
    assert_eq!(status(&world, "idle").await, "ARCHIVE_ACCESS");
    for key in ["read", "small", "other"] {
        assert_eq!(status(&world, key).await, Value::Null, "{key}");
        read(&world, key).await.expect("read");
    }
    let refusal = read(&world, "idle").await.expect_err("archived");
    assert_eq!(refusal.name(), "InvalidObjectState");
    assert_eq!(
        refusal.extra(),
        [
            ("StorageClass", "INTELLIGENT_TIERING".to_owned()),
            ("AccessTier", "ARCHIVE_ACCESS".to_owned()),
        ]
    );
    let copy = json!({"Key": "copy", "CopySource": "photos/idle"});
    let copy = refused(call(&world, "CopyObject", copy).await);
    assert_eq!(
        copy,
        "InvalidObjectState: Operation is not valid for the source object's access tier StorageClass=INTELLIGENT_TIERING AccessTier=ARCHIVE_ACCESS"
    );
    pass(&world, 90).await;
    assert_eq!(status(&world, "idle").await, "DEEP_ARCHIVE_ACCESS");
    assert_eq!(status(&world, "read").await, "ARCHIVE_ACCESS");
    let told: Vec<Value> =
        effects(&world).await.iter().map(|effect| message(effect)["Records"][0].clone()).collect();
    let told: Vec<(&Value, &Value)> = told
        .iter()
        .map(|record| {
            assert_eq!(record["eventName"], "IntelligentTiering");
            assert_eq!(record["userIdentity"]["principalId"], "s3.amazonaws.com");
            let tier = &record["intelligentTieringEventData"]["destinationAccessTier"];
            (&record["s3"]["object"]["key"], tier)
        })
        .collect();
    let event = |key: &str, tier: &str| (json!(key), json!(tier));
    let expected = [
        event("idle", "ARCHIVE_ACCESS"),
        event("idle", "DEEP_ARCHIVE_ACCESS"),
        event("read", "ARCHIVE_ACCESS"),
    ];
    let expected: Vec<(&Value, &Value)> = expected.iter().map(|(key, tier)| (key, tier)).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn restores_bring_objects_back_for_good() {
    let world = with_bucket().await;
    hear(&world, "s3:ObjectRestore:*").await;
    configure(&world, Value::Null).await;
    put(&world, "k", LARGE, json!({})).await;
    let restore = |request: Value| call(&world, "RestoreObject", request);
    let early = json!({"Key": "k", "RestoreRequest": {}});
    assert_eq!(
        refused(restore(early.clone()).await),
        "InvalidObjectState: Restore is not allowed for the object's current storage class StorageClass=INTELLIGENT_TIERING"
    );
    pass(&world, 90).await;
    let days = json!({"Key": "k", "RestoreRequest": {"Days": 1}});
    assert!(refused(restore(days).await).starts_with("InvalidArgument: "));
    restore(json!({"Key": "k", "RestoreRequest": {"GlacierJobParameters": {"Tier": "Standard"}}}))
        .await
        .expect("begun");
    assert_eq!(
        refused(restore(early).await),
        "RestoreAlreadyInProgress: Object restore is already in progress"
    );
    let head = call(&world, "HeadObject", json!({"Key": "k"})).await.expect("an object");
    assert_eq!(head["Restore"], "ongoing-request=\"true\"");
    assert_eq!(head["ArchiveStatus"], "ARCHIVE_ACCESS");
    world.clock().advance(5 * HOUR_MILLIS - 1);
    assert!(read(&world, "k").await.is_err());
    world.clock().advance(1);
    read(&world, "k").await.expect("read");
    let head = call(&world, "HeadObject", json!({"Key": "k"})).await.expect("an object");
    assert_eq!((&head["Restore"], &head["ArchiveStatus"]), (&Value::Null, &Value::Null));
    // Its days begin anew.
    pass(&world, 89).await;
    assert_eq!(status(&world, "k").await, Value::Null);
    pass(&world, 2).await;
    assert_eq!(status(&world, "k").await, "ARCHIVE_ACCESS");
    let told = effects(&world).await;
    assert!(
        told.iter().any(|effect| effect.target == "s3:restore"),
        "it will tell that it is back"
    );
}

#[tokio::test]
async fn filters_versions_and_lifecycles_decide() {
    let world = with_bucket().await;
    let enabled = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", enabled).await.expect("versioned");
    let tag = json!({"Key": "cold", "Value": "yes"});
    configure(&world, json!({"And": {"Prefix": "in/", "Tags": [tag]}})).await;
    for key in ["in/tagged", "out/tagged"] {
        put(&world, key, LARGE, json!({"Tagging": "cold=yes"})).await;
    }
    put(&world, "in/plain", LARGE, json!({})).await;
    let old = call(&world, "HeadObject", json!({"Key": "in/tagged"})).await.expect("an object");
    put(&world, "in/tagged", LARGE, json!({})).await;
    pass(&world, 90).await;
    for key in ["in/tagged", "out/tagged", "in/plain"] {
        assert_eq!(status(&world, key).await, Value::Null, "{key}");
    }
    let older = json!({"Key": "in/tagged", "VersionId": old["VersionId"]});
    let head = call(&world, "HeadObject", older.clone()).await.expect("a version");
    assert_eq!(head["ArchiveStatus"], "ARCHIVE_ACCESS");
    // What is gone is forgotten by the next sweep.
    assert_eq!(world.rows_under(crate::store::TIERED.prefix()).len(), 1);
    call(&world, "DeleteObject", older).await.expect("removed");
    pass(&world, 1).await;
    assert_eq!(world.rows_under(crate::store::TIERED.prefix()).len(), 0);
    // What a lifecycle moves into the class has its days before it.
    configure(&world, json!({"Prefix": "moved"})).await;
    send(&world, "PutObject", json!({"Key": "moved"}), vec![b'x'; LARGE]).await.expect("written");
    let rule = json!({
        "ID": "r", "Status": "Enabled", "Filter": {"Prefix": "moved"},
        "Transitions": [{"Days": 200, "StorageClass": "INTELLIGENT_TIERING"}],
    });
    let input = json!({"LifecycleConfiguration": {"Rules": [rule]}});
    call(&world, "PutBucketLifecycleConfiguration", input).await.expect("rules");
    pass(&world, 201).await;
    let head = call(&world, "HeadObject", json!({"Key": "moved"})).await.expect("an object");
    assert_eq!(head["StorageClass"], "INTELLIGENT_TIERING");
    assert_eq!(head["ArchiveStatus"], Value::Null);
    pass(&world, 90).await;
    assert_eq!(status(&world, "moved").await, "ARCHIVE_ACCESS");
}

#[tokio::test]
async fn reads_of_a_day_are_written_down_once() {
    let world = with_bucket().await;
    put(&world, "k", LARGE, json!({})).await;
    let rows = || world.rows_under(crate::store::TIERED.prefix());
    read(&world, "k").await.expect("read");
    sweep(&world).await;
    assert_eq!(rows().len(), 0, "it was written today");
    world.clock().advance(DAY_MILLIS);
    for _ in 0..3 {
        read(&world, "k").await.expect("read");
        call(&world, "HeadObject", json!({"Key": "k"})).await.expect("an object");
    }
    assert_eq!(rows().len(), 0, "reading waits for nothing");
    sweep(&world).await;
    let noted = rows();
    assert_eq!(noted.len(), 1);
    world.clock().advance(1000);
    read(&world, "k").await.expect("read");
    sweep(&world).await;
    assert_eq!(rows(), noted);
}
