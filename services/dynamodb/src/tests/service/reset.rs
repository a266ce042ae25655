//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::SERVICES;
use crate::SERVICE;
use crate::tasks::UPKEEP;

const OTHER: &str = "111122223333";

/// The input of a transaction that puts an item under a client's token.
fn transaction(id: u32) -> Value {
    let item = json!({"id": {"S": format!("t{id}")}});
    json!({
        "TransactItems": [{"Put": {"TableName": "plain", "Item": item}}],
        "ClientRequestToken": "token",
    })
}

/// Makes a protected table with an index and items that expire in an account, and a transaction with a token.
async fn fill(world: &World, account: &str, transacted: u32) {
    let call = async |operation: &str, input| {
        let action = format!("dynamodb:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let declared = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
    let input = json!({
        "TableName": "plain",
        "AttributeDefinitions": [declared("id"), declared("color")],
        "KeySchema": key("id"),
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-color",
            "KeySchema": key("color"),
            "Projection": {"ProjectionType": "ALL"},
        }],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": true,
        "Tags": [{"Key": "a", "Value": "b"}],
    });
    call("CreateTable", input).await;
    let input = json!({
        "TableName": "plain",
        "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"},
    });
    call("UpdateTimeToLive", input).await;
    let until = json!({"N": (world.clock().now().secs() + 1_000_000).to_string()});
    for number in 0..20 {
        let id = json!({"S": format!("i{number}")});
        let item = json!({"id": id, "color": {"S": "red"}, "until": until});
        call("PutItem", json!({"TableName": "plain", "Item": item})).await;
    }
    call("TransactWriteItems", transaction(transacted)).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER, 1).await;
    world.round(&SERVICE, UPKEEP).await;
    world.round(&SERVICE, "dynamodb.counts").await;
    let others = world.rows(&SERVICE);
    assert!(others.len() > 60, "{:?}", others.keys());
    fill(&world, ACCOUNT, 1).await;
    world.round(&SERVICE, "dynamodb.counts").await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let listed = world.call("dynamodb:ListTables", json!({})).await.expect("a list");
    assert_eq!(listed, json!({"TableNames": []}));
    world.round(&SERVICE, UPKEEP).await;
    assert_eq!(world.rows(&SERVICE), others);

    // The token is free for another transaction.
    fill(&world, ACCOUNT, 2).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    world.round(&SERVICE, UPKEEP).await;
    assert_eq!(world.rows(&SERVICE), others);
    fill(&world, ACCOUNT, 3).await;
    world.reset(&SERVICE, None).await;
    world.round(&SERVICE, UPKEEP).await;
    assert!(world.rows(&SERVICE).is_empty());
}
