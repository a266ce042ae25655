//! Indexes agree with their table, also those that are added later.

use fogbank_testkit::{Value, World, json};

use super::{music, ok, plain, put, settle, song};

async fn labels(world: &World, label: &str) -> u64 {
    let input = json!({
        "TableName": "music",
        "IndexName": "by-label",
        "KeyConditionExpression": "label = :l",
        "ExpressionAttributeValues": {":l": {"S": label}},
        "Select": "COUNT",
    });
    ok(world, "Query", input).await["Count"].as_u64().expect("a count")
}

#[tokio::test]
async fn entries_follow_their_items() {
    let world = music().await;
    put(&world, "music", song("a", "s", 1990, "x")).await;
    assert_eq!((labels(&world, "x").await, labels(&world, "y").await), (1, 0));
    put(&world, "music", song("a", "s", 1990, "y")).await;
    assert_eq!((labels(&world, "x").await, labels(&world, "y").await), (0, 1));
    let key = json!({"artist": {"S": "a"}, "song": {"S": "s"}});
    let update = json!({"TableName": "music", "Key": key, "UpdateExpression": "REMOVE label"});
    ok(&world, "UpdateItem", update).await;
    assert_eq!(labels(&world, "y").await, 0, "an item without the attribute is not in the index");
    put(&world, "music", song("a", "s", 1990, "z")).await;
    ok(&world, "DeleteItem", json!({"TableName": "music", "Key": key})).await;
    assert_eq!(labels(&world, "z").await, 0);
}

fn add_index() -> Value {
    json!({
        "TableName": "plain",
        "AttributeDefinitions": [{"AttributeName": "group", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": {
            "IndexName": "by-group",
            "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }}],
    })
}

async fn status(world: &World) -> Value {
    let table = ok(world, "DescribeTable", json!({"TableName": "plain"})).await;
    table["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"].clone()
}

#[tokio::test]
async fn a_new_index_is_filled_and_an_old_one_removed() {
    let world = plain().await;
    for n in 0..3 {
        let item = json!({"id": {"S": n.to_string()}, "group": {"S": "g"}});
        put(&world, "plain", item).await;
    }
    put(&world, "plain", json!({"id": {"S": "other"}, "group": {"N": "1"}})).await;
    let answer = ok(&world, "UpdateTable", add_index()).await;
    assert_eq!(answer["TableDescription"]["TableStatus"], "UPDATING");
    assert_eq!(status(&world).await, "ACTIVE");
    let count = json!({"TableName": "plain", "IndexName": "by-group", "Select": "COUNT"});
    assert_eq!(ok(&world, "Scan", count).await["Count"], 3, "another type is not in the index");
    let remove = json!({
        "TableName": "plain",
        "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-group"}}],
    });
    let answer = ok(&world, "UpdateTable", remove).await;
    let index = &answer["TableDescription"]["GlobalSecondaryIndexes"][0];
    assert_eq!(index["IndexStatus"], "DELETING");
    let table = ok(&world, "DescribeTable", json!({"TableName": "plain"})).await;
    assert_eq!(table["Table"]["GlobalSecondaryIndexes"], Value::Null);
    assert_eq!(
        table["Table"]["AttributeDefinitions"],
        json!([{"AttributeName": "id", "AttributeType": "S"}])
    );
    settle(&world).await;
}

#[tokio::test]
async fn a_large_table_fills_its_index_in_the_background() {
    let world = plain().await;
    for batch in 0..50 {
        let puts: Vec<Value> = (0..25)
            .map(|n| {
                let id = format!("{}", batch * 25 + n);
                json!({"PutRequest": {"Item": {"id": {"S": id}, "group": {"S": "g"}}}})
            })
            .collect();
        ok(&world, "BatchWriteItem", json!({"RequestItems": {"plain": puts}})).await;
    }
    ok(&world, "UpdateTable", add_index()).await;
    assert_eq!(status(&world).await, "CREATING");
    let refused =
        super::error(&world, "Scan", json!({"TableName": "plain", "IndexName": "by-group"})).await;
    assert!(refused.contains("Cannot read from backfilling"), "{refused}");
    ok(&world, "DeleteItem", json!({"TableName": "plain", "Key": {"id": {"S": "7"}}})).await;
    put(&world, "plain", json!({"id": {"S": "new"}, "group": {"S": "g"}})).await;
    settle(&world).await;
    assert_eq!(status(&world).await, "ACTIVE");
    let count = json!({"TableName": "plain", "IndexName": "by-group", "Select": "COUNT"});
    assert_eq!(ok(&world, "Scan", count).await["Count"], 1250);
    let table = ok(&world, "DescribeTable", json!({"TableName": "plain"})).await;
    assert_eq!(table["Table"]["ItemCount"], 1250, "large tables show what was counted");
}
