//! Batches.

use fogbank_testkit::{Value, json};

use super::{error, ok, plain, put};

fn puts(ids: impl Iterator<Item = usize>, text: &str) -> Value {
    let put =
        |id| json!({"PutRequest": {"Item": {"id": {"S": format!("{id}")}, "t": {"S": text}}}});
    json!({"RequestItems": {"plain": ids.map(put).collect::<Vec<_>>()}})
}

#[tokio::test]
async fn batches_write_and_read() {
    let world = plain().await;
    let answer = ok(&world, "BatchWriteItem", puts(0..25, "x")).await;
    assert_eq!(answer, json!({"UnprocessedItems": {}}));
    let delete =
        json!({"RequestItems": {"plain": [{"DeleteRequest": {"Key": {"id": {"S": "3"}}}}]}});
    ok(&world, "BatchWriteItem", delete).await;
    let keys: Vec<Value> = (0..30).map(|id| json!({"id": {"S": format!("{id}")}})).collect();
    let get = json!({
        "RequestItems": {"plain": {"Keys": keys, "ProjectionExpression": "id", "ConsistentRead": true}},
        "ReturnConsumedCapacity": "TOTAL",
    });
    let answer = ok(&world, "BatchGetItem", get).await;
    assert_eq!(answer["Responses"]["plain"].as_array().expect("items").len(), 24);
    assert_eq!(answer["UnprocessedKeys"], json!({}));
    assert_eq!(answer["ConsumedCapacity"], json!([{"TableName": "plain", "CapacityUnits": 30.0}]));
}

#[tokio::test]
async fn batches_have_limits() {
    let world = plain().await;
    let cases = [
        (
            "BatchWriteItem",
            json!({"RequestItems": {}}),
            "The requestItems parameter is required for BatchWriteItem",
        ),
        (
            "BatchWriteItem",
            puts([1, 1].into_iter(), "x"),
            "Provided list of item keys contains duplicates",
        ),
        ("BatchGetItem", json!({}), "The requestItems parameter is required for BatchGetItem"),
        (
            "BatchGetItem",
            json!({"RequestItems": {"plain": {"Keys": [{"id": {"S": "a"}}, {"id": {"S": "a"}}]}}}),
            "Provided list of item keys contains duplicates",
        ),
    ];
    for (operation, input, message) in cases {
        assert_eq!(
            error(&world, operation, input).await,
            format!("ValidationException: {message}")
        );
    }
    let many: Vec<Value> = (0..101).map(|id| json!({"id": {"S": format!("{id}")}})).collect();
    let many = json!({"RequestItems": {"plain": {"Keys": many}}});
    assert!(error(&world, "BatchGetItem", many).await.contains("less than or equal to 100"));
    let nowhere =
        json!({"RequestItems": {"nowhere": [{"DeleteRequest": {"Key": {"id": {"S": "3"}}}}]}});
    assert!(error(&world, "BatchWriteItem", nowhere).await.starts_with("ResourceNotFound"));
}

#[tokio::test]
async fn an_answer_of_more_than_sixteen_megabytes_leaves_keys_unprocessed() {
    let world = plain().await;
    let text = "x".repeat(400_000);
    for id in 0..45 {
        put(&world, "plain", json!({"id": {"S": format!("{id}")}, "t": {"S": text}})).await;
    }
    let keys: Vec<Value> = (0..45).map(|id| json!({"id": {"S": format!("{id}")}})).collect();
    let get = json!({"RequestItems": {"plain": {"Keys": keys, "ConsistentRead": true}}});
    let answer = ok(&world, "BatchGetItem", get).await;
    assert_eq!(answer["Responses"]["plain"].as_array().expect("items").len(), 42);
    assert_eq!(answer["UnprocessedKeys"]["plain"]["Keys"].as_array().expect("keys").len(), 3);
    assert_eq!(answer["UnprocessedKeys"]["plain"]["ConsistentRead"], true);
}
