//! Tables: their life, description, tags and names.

use fogbank_core::Principal;
use fogbank_testkit::{World, json};

use super::{SERVICES, error, music, ok, plain, put, settle};

#[tokio::test]
async fn a_table_is_creating_then_active_then_gone() {
    let world = World::new(SERVICES);
    let input = json!({
        "TableName": "jobs",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        "SSESpecification": {"Enabled": true, "SSEType": "KMS"},
        "Tags": [{"Key": "team", "Value": "a"}],
    });
    let created = ok(&world, "CreateTable", input.clone()).await;
    assert_eq!(created["TableDescription"]["TableStatus"], "CREATING");
    let table = ok(&world, "DescribeTable", json!({"TableName": "jobs"})).await["Table"].clone();
    assert_eq!(table["TableStatus"], "ACTIVE");
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/jobs";
    assert_eq!(table["TableArn"], arn);
    assert_eq!(table["CreationDateTime"], 1_767_225_600);
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 3);
    assert_eq!(table["BillingModeSummary"], json!(null));
    assert_eq!(table["LatestStreamLabel"], "2026-01-01T00:00:00.000");
    assert_eq!(table["LatestStreamArn"], format!("{arn}/stream/2026-01-01T00:00:00.000"));
    assert_eq!(table["SSEDescription"]["SSEType"], "KMS");
    assert_eq!(table["DeletionProtectionEnabled"], false);
    assert_eq!(
        error(&world, "CreateTable", input).await,
        "ResourceInUseException: Table already exists: jobs"
    );
    let by_arn = ok(&world, "DescribeTable", json!({"TableName": arn})).await;
    assert_eq!(by_arn["Table"]["TableId"], table["TableId"]);
    let deleted = ok(&world, "DeleteTable", json!({"TableName": "jobs"})).await;
    assert_eq!(deleted["TableDescription"]["TableStatus"], "DELETING");
    assert_eq!(
        error(&world, "DescribeTable", json!({"TableName": "jobs"})).await,
        "ResourceNotFoundException: Requested resource not found: Table: jobs not found"
    );
}

#[tokio::test]
async fn a_table_of_the_same_name_starts_empty() {
    let world = plain().await;
    put(&world, "plain", json!({"id": {"S": "a"}})).await;
    let key = json!({"TableName": "plain", "Key": {"id": {"S": "a"}}});
    ok(&world, "DeleteTable", json!({"TableName": "plain"})).await;
    let input = json!({
        "TableName": "plain",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    ok(&world, "CreateTable", input).await;
    assert_eq!(ok(&world, "GetItem", key).await, json!({}));
    let rows = |world: &World| {
        let db = world.cloud().db().clone();
        let mut rows = 0;
        let start = 0x0303_u32.to_be_bytes();
        let end = 0x0304_u32.to_be_bytes();
        db.read(|tx| {
            fogbank_core::store::Read::scan(tx, &start, &end, false, &mut |_, _| {
                rows += 1;
                std::ops::ControlFlow::Continue(())
            })
        })
        .expect("a scan");
        rows
    };
    assert_eq!(rows(&world), 1, "the old item is still there");
    settle(&world).await;
    assert_eq!(rows(&world), 0, "the background has removed it");
}

#[tokio::test]
async fn definitions_that_contradict_themselves_are_refused() {
    let world = World::new(SERVICES);
    let base = json!({
        "TableName": "bad",
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let cases = [
        (
            json!({"TableName": null}),
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            json!({"TableName": "ab"}),
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
        ),
        (
            json!({"KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}]}),
            "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [b], AttributeDefinitions: [a]",
        ),
        (
            json!({"BillingMode": "PROVISIONED"}),
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            json!({"AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}, {"AttributeName": "b", "AttributeType": "S"}]}),
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ),
        (
            json!({"KeySchema": [{"AttributeName": "a", "KeyType": "RANGE"}]}),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
    ];
    for (change, message) in cases {
        let mut input = base.clone();
        for (name, value) in change.as_object().expect("members") {
            input[name] = value.clone();
        }
        assert_eq!(
            error(&world, "CreateTable", input).await,
            format!("ValidationException: {message}")
        );
    }
}

#[tokio::test]
async fn names_are_listed_in_pages_and_per_account() {
    let world = World::new(SERVICES);
    for name in ["abc", "abd", "abe"] {
        let input = json!({
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        ok(&world, "CreateTable", input).await;
    }
    let first = ok(&world, "ListTables", json!({"Limit": 2})).await;
    assert_eq!(first, json!({"TableNames": ["abc", "abd"], "LastEvaluatedTableName": "abd"}));
    let rest = ok(&world, "ListTables", json!({"ExclusiveStartTableName": "abd"})).await;
    assert_eq!(rest, json!({"TableNames": ["abe"]}));
    let other = Principal::root("111111111111");
    let none = world.call_as(other, "dynamodb:ListTables", json!({})).await.expect("a list");
    assert_eq!(none, json!({"TableNames": []}));
}

#[tokio::test]
async fn billing_and_protection_can_be_changed() {
    let world = plain().await;
    let to_provisioned = json!({
        "TableName": "plain",
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    });
    let answer = ok(&world, "UpdateTable", to_provisioned.clone()).await;
    assert_eq!(answer["TableDescription"]["TableStatus"], "UPDATING");
    let table = ok(&world, "DescribeTable", json!({"TableName": "plain"})).await["Table"].clone();
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PROVISIONED");
    assert_eq!(table["ProvisionedThroughput"]["WriteCapacityUnits"], 5);
    assert!(error(&world, "UpdateTable", to_provisioned).await.contains("will not change"));
    assert!(
        error(&world, "UpdateTable", json!({"TableName": "plain"}))
            .await
            .contains("At least one of")
    );
    let protect = |is_on: bool| json!({"TableName": "plain", "DeletionProtectionEnabled": is_on});
    ok(&world, "UpdateTable", protect(true)).await;
    let refused = error(&world, "DeleteTable", json!({"TableName": "plain"})).await;
    assert!(refused.contains("protected against deletion"), "{refused}");
    ok(&world, "UpdateTable", protect(false)).await;
    ok(&world, "DeleteTable", json!({"TableName": "plain"})).await;
}

#[tokio::test]
async fn tags_are_added_and_removed() {
    let world = plain().await;
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/plain";
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]);
    ok(&world, "TagResource", json!({"ResourceArn": arn, "Tags": tags})).await;
    ok(&world, "UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a", "z"]})).await;
    let listed = ok(&world, "ListTagsOfResource", json!({"ResourceArn": arn})).await;
    assert_eq!(listed, json!({"Tags": [{"Key": "b", "Value": ""}]}));
    let other = "arn:aws:dynamodb:us-east-1:000000000000:table/none";
    assert_eq!(
        error(&world, "ListTagsOfResource", json!({"ResourceArn": other})).await,
        format!(
            "ResourceNotFoundException: Requested resource not found: ResourcArn: {other} not found"
        )
    );
}

#[tokio::test]
async fn descriptions_count_items() {
    let world = music().await;
    put(&world, "music", super::song("a", "s", 1990, "l")).await;
    let table = ok(&world, "DescribeTable", json!({"TableName": "music"})).await["Table"].clone();
    assert_eq!(table["ItemCount"], 1);
    assert_eq!(table["TableSizeBytes"], 6 + 1 + 4 + 1 + 4 + 3 + 5 + 1 + 5 + 2 + 5 + 1);
    assert_eq!(table["GlobalSecondaryIndexes"][0]["ItemCount"], 1);
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    settle(&world).await;
}
