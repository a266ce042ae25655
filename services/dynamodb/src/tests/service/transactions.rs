//! Transactions: all or nothing, once.

use fogbank_core::wire;
use fogbank_testkit::{Value, World, json};

use super::{error, ok, plain, put};

fn increment(id: &str) -> Value {
    json!({"Update": {
        "TableName": "plain",
        "Key": {"id": {"S": id}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }})
}

async fn count(world: &World, id: &str) -> Value {
    let key = json!({"TableName": "plain", "Key": {"id": {"S": id}}});
    ok(world, "GetItem", key).await["Item"]["n"]["N"].clone()
}

#[tokio::test]
async fn all_actions_happen_or_none() {
    let world = plain().await;
    put(&world, "plain", json!({"id": {"S": "there"}, "n": {"N": "1"}})).await;
    let actions = json!([
        increment("there"),
        {"Put": {"TableName": "plain", "Item": {"id": {"S": "new"}, "n": {"N": "7"}}}},
        {"ConditionCheck": {
            "TableName": "plain",
            "Key": {"id": {"S": "none"}},
            "ConditionExpression": "attribute_not_exists(id)",
        }},
    ]);
    let input = json!({"TransactItems": actions, "ReturnConsumedCapacity": "TOTAL"});
    let answer = ok(&world, "TransactWriteItems", input).await;
    assert_eq!(
        answer["ConsumedCapacity"],
        json!([{"TableName": "plain", "CapacityUnits": 6.0, "WriteCapacityUnits": 6.0}])
    );
    assert_eq!(
        (count(&world, "there").await, count(&world, "new").await),
        (json!("2"), json!("7"))
    );
    let actions = json!([
        increment("there"),
        {"Put": {
            "TableName": "plain",
            "Item": {"id": {"S": "new"}},
            "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": {"N": "8"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }},
    ]);
    let fault = world
        .call("dynamodb:TransactWriteItems", json!({"TransactItems": actions}))
        .await
        .expect_err("a condition fails");
    assert_eq!(
        fault.to_string(),
        "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
    );
    assert_eq!(
        wire::to_json(fault.members().expect("members")),
        json!({"CancellationReasons": [
            {"Code": "None"},
            {
                "Code": "ConditionalCheckFailed",
                "Message": "The conditional request failed",
                "Item": {"id": {"S": "new"}, "n": {"N": "7"}},
            },
        ]})
    );
    assert_eq!(count(&world, "there").await, json!("2"));
}

#[tokio::test]
async fn a_token_makes_a_transaction_happen_once() {
    let world = plain().await;
    let input = json!({"TransactItems": [increment("a")], "ClientRequestToken": "t"});
    ok(&world, "TransactWriteItems", input.clone()).await;
    ok(&world, "TransactWriteItems", input.clone()).await;
    assert_eq!(count(&world, "a").await, json!("1"));
    let other = json!({"TransactItems": [increment("b")], "ClientRequestToken": "t"});
    let refused = error(&world, "TransactWriteItems", other).await;
    assert!(refused.starts_with("IdempotentParameterMismatchException"), "{refused}");
    world.clock().advance(10 * 60 * 1000);
    super::settle(&world).await;
    ok(&world, "TransactWriteItems", input).await;
    assert_eq!(count(&world, "a").await, json!("2"), "a token is forgotten after ten minutes");
}

#[tokio::test]
async fn what_no_transaction_may_do() {
    let world = plain().await;
    let twice = json!({"TransactItems": [increment("a"), increment("a")]});
    assert_eq!(
        error(&world, "TransactWriteItems", twice).await,
        "ValidationException: Transaction request cannot include multiple operations on one item"
    );
    let bad_key = json!({"TransactItems": [
        {"Delete": {"TableName": "plain", "Key": {"id": {"N": "1"}}}},
        increment("a"),
    ]});
    assert!(
        error(&world, "TransactWriteItems", bad_key).await.ends_with("[ValidationError, None]")
    );
    let two_in_one = json!({"TransactItems": [{
        "Delete": {"TableName": "plain", "Key": {"id": {"S": "1"}}},
        "Put": {"TableName": "plain", "Item": {"id": {"S": "1"}}},
    }]});
    assert!(error(&world, "TransactWriteItems", two_in_one).await.contains("only contain one of"));
}

#[tokio::test]
async fn several_items_are_read_at_once() {
    let world = plain().await;
    put(&world, "plain", json!({"id": {"S": "a"}, "n": {"N": "1"}})).await;
    let get = |id: &str| {
        json!({"Get": {
            "TableName": "plain", "Key": {"id": {"S": id}}, "ProjectionExpression": "n",
        }})
    };
    let input = json!({"TransactItems": [get("a"), get("b")], "ReturnConsumedCapacity": "TOTAL"});
    assert_eq!(
        ok(&world, "TransactGetItems", input).await,
        json!({
            "Responses": [{"Item": {"n": {"N": "1"}}}, {}],
            "ConsumedCapacity": [{"TableName": "plain", "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}],
        })
    );
}
