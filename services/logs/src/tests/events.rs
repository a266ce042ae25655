//! Events: putting, reading, filtering, expiring.

use fogbank_testkit::{Value, World, expect, json};

use super::{NOW, SERVICES};

async fn world_with_stream() -> World {
    let world = World::new(SERVICES);
    world.call("logs:CreateLogGroup", json!({ "logGroupName": "g" })).await.expect("created");
    for stream in ["a", "b"] {
        let named = json!({ "logGroupName": "g", "logStreamName": stream });
        world.call("logs:CreateLogStream", named).await.expect("created");
    }
    world
}

async fn put(world: &World, stream: &str, events: &[(i64, &str)]) -> Value {
    let events: Vec<Value> = events
        .iter()
        .map(|(offset, message)| json!({ "timestamp": NOW + offset, "message": message }))
        .collect();
    let input = json!({ "logGroupName": "g", "logStreamName": stream, "logEvents": events });
    world.call("logs:PutLogEvents", input).await.expect("put")
}

fn messages(page: &Value) -> Vec<&str> {
    let events = page["events"].as_array().expect("events");
    events.iter().filter_map(|event| event["message"].as_str()).collect()
}

#[tokio::test]
async fn events_come_back_in_order_and_in_pages() {
    let world = world_with_stream().await;
    put(&world, "a", &[(1, "one"), (2, "two"), (2, "also two"), (3, "three")]).await;
    let mut input = json!({
        "logGroupName": "g", "logStreamName": "a", "limit": 3, "startFromHead": true,
    });
    let page = world.call("logs:GetLogEvents", input.clone()).await.expect("a page");
    assert_eq!(messages(&page), ["one", "two", "also two"]);
    input["nextToken"] = page["nextForwardToken"].clone();
    let page = world.call("logs:GetLogEvents", input.clone()).await.expect("a page");
    assert_eq!(messages(&page), ["three"]);
    input["nextToken"] = page["nextForwardToken"].clone();
    let end = world.call("logs:GetLogEvents", input.clone()).await.expect("a page");
    assert!(messages(&end).is_empty());
    assert_eq!(end["nextForwardToken"], input["nextToken"]);
    let latest = json!({ "logGroupName": "g", "logStreamName": "a", "limit": 2 });
    let page = world.call("logs:GetLogEvents", latest).await.expect("a page");
    assert_eq!(messages(&page), ["also two", "three"]);
}

#[tokio::test]
async fn events_out_of_time_are_refused() {
    let world = world_with_stream().await;
    let answer = put(
        &world,
        "a",
        &[(-15 * 24 * 3600 * 1000, "too old"), (0, "good"), (3 * 3600 * 1000, "too new")],
    )
    .await;
    let rejected = &answer["rejectedLogEventsInfo"];
    assert_eq!(rejected["tooOldLogEventEndIndex"], 1);
    assert_eq!(rejected["tooNewLogEventStartIndex"], 2);
    let input = json!({
        "logGroupName": "g", "logStreamName": "a",
        "logEvents": [{ "timestamp": NOW, "message": "b" }, { "timestamp": NOW - 1, "message": "a" }],
    });
    let expected = expect![
        "InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."
    ];
    world.check("logs:PutLogEvents", input, expected).await;
    let input = json!({
        "logGroupName": "g", "logStreamName": "missing",
        "logEvents": [{ "timestamp": NOW, "message": "b" }],
    });
    let expected = expect!["ResourceNotFoundException: The specified log stream does not exist."];
    world.check("logs:PutLogEvents", input, expected).await;
}

#[tokio::test]
async fn a_filter_merges_streams_by_time() {
    let world = world_with_stream().await;
    put(&world, "a", &[(1, "ERROR one"), (3, "INFO three"), (5, "ERROR five")]).await;
    put(&world, "b", &[(2, "ERROR two"), (4, "ERROR four")]).await;
    let mut input = json!({ "logGroupName": "g", "filterPattern": "ERROR", "limit": 3 });
    let page = world.call("logs:FilterLogEvents", input.clone()).await.expect("a page");
    assert_eq!(messages(&page), ["ERROR one", "ERROR two", "ERROR four"]);
    input["nextToken"] = page["nextToken"].clone();
    let page = world.call("logs:FilterLogEvents", input).await.expect("a page");
    assert_eq!(messages(&page), ["ERROR five"]);
    assert!(page["nextToken"].is_null());
    let input = json!({ "logGroupName": "g", "filterPattern": "{ $.level = 1 }" });
    let error = world.call("logs:FilterLogEvents", input).await.expect_err("refused");
    assert_eq!(error.name(), "NotImplemented");
}

#[tokio::test]
async fn events_past_retention_and_of_deleted_streams_go() {
    let world = world_with_stream().await;
    put(&world, "a", &[(0, "early")]).await;
    put(&world, "b", &[(0, "doomed")]).await;
    let input = json!({ "logGroupName": "g", "retentionInDays": 1 });
    world.call("logs:PutRetentionPolicy", input).await.expect("set");
    let input = json!({ "logGroupName": "g", "logStreamName": "b" });
    world.call("logs:DeleteLogStream", input).await.expect("deleted");
    world.clock().advance(25 * 3600 * 1000);
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "logs", "test");
    crate::tasks::expire(cx.clone()).await.expect("a round");
    crate::tasks::remove_doomed(cx.clone()).await.expect("a round");
    let left = cx.read(|tx| crate::store::EVENTS.range(&()).count(tx)).expect("a count");
    assert_eq!(left, 0);
}
