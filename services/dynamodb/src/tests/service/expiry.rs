//! Items that expire.

use fogbank_testkit::{World, json};

use super::{error, ok, plain, put, settle};

async fn exists(world: &World, id: &str) -> bool {
    let key = json!({"TableName": "plain", "Key": {"id": {"S": id}}});
    !ok(world, "GetItem", key).await["Item"].is_null()
}

fn specification(is_enabled: bool) -> fogbank_testkit::Value {
    json!({
        "TableName": "plain",
        "TimeToLiveSpecification": {"Enabled": is_enabled, "AttributeName": "until"},
    })
}

#[tokio::test]
async fn items_go_when_their_time_is_over() {
    let world = plain().await;
    let now = world.clock().now().secs();
    let until = |secs: i64| json!({"N": secs.to_string()});
    put(&world, "plain", json!({"id": {"S": "before"}, "until": until(now + 10)})).await;
    ok(&world, "UpdateTimeToLive", specification(true)).await;
    put(&world, "plain", json!({"id": {"S": "after"}, "until": until(now + 10)})).await;
    put(&world, "plain", json!({"id": {"S": "later"}, "until": until(now + 10)})).await;
    put(&world, "plain", json!({"id": {"S": "later"}, "until": until(now + 1000)})).await;
    put(&world, "plain", json!({"id": {"S": "text"}, "until": {"S": "soon"}})).await;
    put(&world, "plain", json!({"id": {"S": "ancient"}, "until": until(1_000_000)})).await;
    settle(&world).await;
    assert!(exists(&world, "before").await);
    world.clock().advance(11_000);
    settle(&world).await;
    let mut left = Vec::new();
    for id in ["before", "after", "later", "text", "ancient"] {
        left.push(exists(&world, id).await);
    }
    assert_eq!(left, [false, false, true, true, true]);
    world.clock().advance(1_000_000);
    settle(&world).await;
    assert!(!exists(&world, "later").await);
}

#[tokio::test]
async fn expiry_is_switched_on_and_off() {
    let world = plain().await;
    let table = json!({"TableName": "plain"});
    let described = ok(&world, "DescribeTimeToLive", table.clone()).await;
    assert_eq!(described, json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}));
    ok(&world, "UpdateTimeToLive", specification(true)).await;
    assert_eq!(
        ok(&world, "DescribeTimeToLive", table.clone()).await,
        json!({"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}})
    );
    assert_eq!(
        error(&world, "UpdateTimeToLive", specification(true)).await,
        "ValidationException: TimeToLive is already enabled"
    );
    put(&world, "plain", json!({"id": {"S": "a"}, "until": {"N": "1767225601"}})).await;
    ok(&world, "UpdateTimeToLive", specification(false)).await;
    world.clock().advance(60_000);
    settle(&world).await;
    assert!(exists(&world, "a").await, "nothing expires any more");
    let backups = ok(&world, "DescribeContinuousBackups", table).await;
    let recovery = &backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(recovery["PointInTimeRecoveryStatus"], "DISABLED");
}
