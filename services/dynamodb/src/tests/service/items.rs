//! Single items: what is stored, returned and refused.

use fogbank_testkit::json;

use super::{error, music, ok, plain, put};

#[tokio::test]
async fn items_come_back_as_they_were_put() {
    let world = plain().await;
    let item = json!({
        "id": {"S": "a"},
        "text": {"S": "ü\n\"quoted\""},
        "number": {"N": "-0.0012"},
        "bytes": {"B": "AAH/"},
        "flag": {"BOOL": true},
        "nothing": {"NULL": true},
        "list": {"L": [{"N": "1"}, {"M": {"x": {"S": ""}}}]},
        "names": {"SS": ["b", "a"]},
        "numbers": {"NS": ["3", "1"]},
        "blobs": {"BS": ["AA==", "AQ=="]},
    });
    put(&world, "plain", item.clone()).await;
    let key = json!({"TableName": "plain", "Key": {"id": {"S": "a"}}});
    assert_eq!(ok(&world, "GetItem", key).await, json!({"Item": item}));
    let parts = json!({
        "TableName": "plain",
        "Key": {"id": {"S": "a"}},
        "ProjectionExpression": "#l[1].x, flag",
        "ExpressionAttributeNames": {"#l": "list"},
        "ReturnConsumedCapacity": "TOTAL",
    });
    assert_eq!(
        ok(&world, "GetItem", parts).await,
        json!({
            "Item": {"flag": {"BOOL": true}, "list": {"L": [{"M": {"x": {"S": ""}}}]}},
            "ConsumedCapacity": {"TableName": "plain", "CapacityUnits": 0.5},
        })
    );
}

#[tokio::test]
async fn conditions_guard_writes_and_show_what_is_there() {
    let world = plain().await;
    let first = json!({
        "TableName": "plain",
        "Item": {"id": {"S": "a"}, "n": {"N": "1"}},
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    ok(&world, "PutItem", first.clone()).await;
    let fault = world.call("dynamodb:PutItem", first).await.expect_err("the item exists");
    assert_eq!(
        fault.to_string(),
        "ConditionalCheckFailedException: The conditional request failed"
    );
    let members = fogbank_core::wire::to_json(fault.members().expect("members"));
    assert_eq!(members, json!({"Item": {"id": {"S": "a"}, "n": {"N": "1"}}}));
    let legacy = json!({
        "TableName": "plain",
        "Key": {"id": {"S": "a"}},
        "Expected": {"n": {"Value": {"N": "2"}}},
    });
    assert!(error(&world, "DeleteItem", legacy).await.starts_with("ConditionalCheckFailed"));
}

#[tokio::test]
async fn updates_return_what_they_are_asked_for() {
    let world = plain().await;
    let update = |returns: &str| {
        json!({
            "TableName": "plain",
            "Key": {"id": {"S": "a"}},
            "UpdateExpression": "ADD n :one SET t = if_not_exists(t, :t)",
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":t": {"S": "x"}},
            "ReturnValues": returns,
        })
    };
    assert_eq!(ok(&world, "UpdateItem", update("UPDATED_OLD")).await, json!({}));
    assert_eq!(
        ok(&world, "UpdateItem", update("UPDATED_OLD")).await,
        json!({"Attributes": {"n": {"N": "1"}, "t": {"S": "x"}}})
    );
    assert_eq!(
        ok(&world, "UpdateItem", update("ALL_NEW")).await,
        json!({"Attributes": {"id": {"S": "a"}, "n": {"N": "3"}, "t": {"S": "x"}}})
    );
    let removal = json!({
        "TableName": "plain",
        "Key": {"id": {"S": "none"}},
        "UpdateExpression": "REMOVE n",
        "ReturnValues": "ALL_NEW",
    });
    assert_eq!(ok(&world, "UpdateItem", removal).await, json!({}), "nothing is made of nothing");
    let delete = json!({
        "TableName": "plain",
        "Key": {"id": {"S": "a"}},
        "ReturnValues": "ALL_OLD",
        "ReturnConsumedCapacity": "INDEXES",
    });
    assert_eq!(
        ok(&world, "DeleteItem", delete).await,
        json!({
            "Attributes": {"id": {"S": "a"}, "n": {"N": "3"}, "t": {"S": "x"}},
            "ConsumedCapacity": {
                "TableName": "plain",
                "CapacityUnits": 1.0,
                "Table": {"CapacityUnits": 1.0},
            },
        })
    );
}

#[tokio::test]
async fn what_does_not_fit_the_table_is_refused() {
    let world = music().await;
    let put = |item| json!({"TableName": "music", "Item": item});
    let key = |key| json!({"TableName": "music", "Key": key});
    let cases = [
        (
            "PutItem",
            put(json!({"artist": {"S": "a"}})),
            "One or more parameter values were invalid: Missing the key song in the item",
        ),
        (
            "PutItem",
            put(json!({"artist": {"N": "1"}, "song": {"S": "s"}})),
            "One or more parameter values were invalid: Type mismatch for key artist expected: S actual: N",
        ),
        (
            "PutItem",
            put(json!({"artist": {"S": "a"}, "song": {"S": "s"}, "year": {"S": "x"}})),
            "One or more parameter values were invalid: Type mismatch for Index Key year Expected: N Actual: S IndexName: by-year",
        ),
        (
            "PutItem",
            put(json!({"artist": {"S": "a"}, "song": {"S": ""}})),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: song",
        ),
        (
            "GetItem",
            key(json!({"artist": {"S": "a"}})),
            "The provided key element does not match the schema",
        ),
        (
            "DeleteItem",
            key(json!({"artist": {"S": "a"}, "song": {"N": "1"}})),
            "The provided key element does not match the schema",
        ),
        (
            "PutItem",
            put(json!({"artist": {"S": "a"}, "song": {"S": "s"}, "x": {}})),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
    ];
    for (operation, input, message) in cases {
        assert_eq!(
            error(&world, operation, input).await,
            format!("ValidationException: {message}")
        );
    }
    let missing = json!({"TableName": "nowhere", "Key": {"id": {"S": "a"}}});
    assert_eq!(
        error(&world, "GetItem", missing).await,
        "ResourceNotFoundException: Requested resource not found"
    );
}

#[tokio::test]
async fn collections_and_indexes_are_measured() {
    let world = music().await;
    let input = json!({
        "TableName": "music",
        "Item": super::song("a", "s", 1990, "l"),
        "ReturnConsumedCapacity": "INDEXES",
        "ReturnItemCollectionMetrics": "SIZE",
    });
    assert_eq!(
        ok(&world, "PutItem", input).await,
        json!({
            "ConsumedCapacity": {
                "TableName": "music",
                "CapacityUnits": 3.0,
                "Table": {"CapacityUnits": 1.0},
                "LocalSecondaryIndexes": {"by-year": {"CapacityUnits": 1.0}},
                "GlobalSecondaryIndexes": {"by-label": {"CapacityUnits": 1.0}},
            },
            "ItemCollectionMetrics": {
                "ItemCollectionKey": {"artist": {"S": "a"}},
                "SizeEstimateRangeGB": [0.0, 1.0],
            },
        })
    );
}
