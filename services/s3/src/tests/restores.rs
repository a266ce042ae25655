//! Restores of archived objects, on the cloud's clock.

use fogbank_testkit::{Value, World, json};

use super::{body_of, call, get, refused, send, with, with_bucket};

async fn archived(class: &str) -> World {
    let world = with_bucket().await;
    let input = json!({"Key": "a", "StorageClass": class});
    send(&world, "PutObject", input, "cold".to_owned()).await.expect("written");
    world
}

async fn restore(world: &World, request: Value) -> Result<Value, fogbank_core::Fault> {
    call(world, "RestoreObject", json!({"Key": "a", "RestoreRequest": request})).await
}

async fn header(world: &World) -> Value {
    call(world, "HeadObject", json!({"Key": "a"})).await.expect("an object")["Restore"].clone()
}

#[tokio::test]
async fn an_archived_object_is_read_by_a_copy_for_some_days() {
    let world = archived("GLACIER").await;
    assert!(refused(get(&world, json!({"Key": "a"})).await).starts_with("InvalidObjectState: "));
    let begun = restore(&world, json!({"Days": 2, "Tier": "Expedited"})).await.expect("begun");
    assert_eq!(begun["StatusCode"], 202);
    assert_eq!(header(&world).await, "ongoing-request=\"true\"");
    let again = refused(restore(&world, json!({"Days": 1})).await);
    assert!(again.starts_with("RestoreAlreadyInProgress: "), "{again}");
    let wanted = json!({"OptionalObjectAttributes": ["RestoreStatus"]});
    let listed = call(&world, "ListObjectsV2", wanted.clone()).await.expect("a list");
    assert_eq!(listed["Contents"][0]["RestoreStatus"], json!({"IsRestoreInProgress": true}));
    let plain = call(&world, "ListObjectsV2", json!({})).await.expect("a list");
    assert_eq!(plain["Contents"][0]["RestoreStatus"], Value::Null);

    world.clock().advance(300_000);
    assert_eq!(body_of(&world, "a").await, "cold");
    // The world begins at a midnight; two days and the rest of the third.
    assert_eq!(
        header(&world).await,
        "ongoing-request=\"false\", expiry-date=\"Sun, 04 Jan 2026 00:00:00 GMT\""
    );
    let listed = call(&world, "ListObjectVersions", wanted).await.expect("a list");
    assert_eq!(listed["Versions"][0]["RestoreStatus"]["IsRestoreInProgress"], false);
    let copied = json!({"Key": "b", "CopySource": "photos/a", "StorageClass": "STANDARD"});
    call(&world, "CopyObject", copied.clone()).await.expect("copied");
    // It is kept for longer, from now on.
    let kept = restore(&world, json!({"Days": 4})).await.expect("kept");
    assert_eq!(kept["StatusCode"], 200);

    world.clock().advance(3 * 86_400_000);
    assert_eq!(body_of(&world, "a").await, "cold");
    world.clock().advance(3 * 86_400_000);
    assert_eq!(header(&world).await, Value::Null);
    assert!(refused(get(&world, json!({"Key": "a"})).await).starts_with("InvalidObjectState: "));
    let refusal = refused(call(&world, "CopyObject", copied).await);
    assert!(refusal.starts_with("InvalidObjectState: Operation is not valid"), "{refusal}");
    assert_eq!(body_of(&world, "b").await, "cold");
}

#[tokio::test]
async fn a_restore_under_way_is_sped_up_by_a_faster_tier() {
    let world = archived("GLACIER").await;
    let begun = restore(&world, json!({"Days": 2, "Tier": "Standard"})).await.expect("begun");
    assert_eq!(begun["StatusCode"], 202);
    for request in [json!({"Days": 2, "Tier": "Bulk"}), json!({"Days": 2, "Tier": "Standard"})] {
        let again = refused(restore(&world, request).await);
        assert!(again.starts_with("RestoreAlreadyInProgress: "), "{again}");
    }
    let faster = json!({"Days": 2, "GlacierJobParameters": {"Tier": "Expedited"}});
    let sped_up = restore(&world, faster).await.expect("sped up");
    assert_eq!(sped_up["StatusCode"], 202);
    assert_eq!(header(&world).await, "ongoing-request=\"true\"");
    world.clock().advance(300_000);
    assert_eq!(body_of(&world, "a").await, "cold");
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused() {
    let world = archived("DEEP_ARCHIVE").await;
    let refusal = async |request: Value| refused(restore(&world, request).await);
    assert!(refusal(json!({})).await.starts_with("MalformedXML: "));
    assert!(refusal(json!({"Days": 0})).await.starts_with("InvalidArgument: "));
    let expedited = json!({"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}});
    assert!(refusal(expedited).await.starts_with("InvalidArgument: "));
    let none = with(json!({"Key": "none"}), json!({"RestoreRequest": {"Days": 1}}));
    assert!(refused(call(&world, "RestoreObject", none).await).starts_with("NoSuchKey: "));
    send(&world, "PutObject", json!({"Key": "a"}), "warm".to_owned()).await.expect("written");
    assert!(
        refusal(json!({"Days": 1})).await.starts_with("InvalidObjectState: Restore is not allowed")
    );
}
