//! Tables with keys of KMS: what lies in the store, who may use it, and what becomes of it when the key goes.

use fogbank_core::{Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

const TEXT: &str = "correct horse battery staple";

async fn world() -> World {
    World::new(SERVICES)
}

async fn key(world: &World) -> String {
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
}

fn table(specification: Value) -> Value {
    let element = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let declared = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let mut input = json!({
        "TableName": "tab",
        "AttributeDefinitions": [declared("pk"), declared("by")],
        "KeySchema": [element("pk", "HASH")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-x",
            "KeySchema": [element("by", "HASH")],
            "Projection": {"ProjectionType": "ALL"},
        }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    if !specification.is_null() {
        input["SSESpecification"] = specification;
    }
    input
}

fn with_key(key: &str) -> Value {
    json!({"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key})
}

async fn created(world: &World, specification: Value) {
    world.call("dynamodb:CreateTable", table(specification)).await.expect("a table");
}

fn item(pk: &str) -> Value {
    json!({"pk": {"S": pk}, "by": {"S": "x"}, "text": {"S": TEXT}, "until": {"N": "1767225700"}})
}

async fn put(world: &World, pk: &str) -> Result<Value, Fault> {
    world.call("dynamodb:PutItem", json!({"TableName": "tab", "Item": item(pk)})).await
}

async fn get(world: &World, pk: &str) -> Result<Value, Fault> {
    let input = json!({"TableName": "tab", "Key": {"pk": {"S": pk}}});
    world.call("dynamodb:GetItem", input).await.map(|output| output["Item"].clone())
}

async fn described(world: &World) -> Value {
    let output = world.call("dynamodb:DescribeTable", json!({"TableName": "tab"})).await;
    output.expect("a table")["Table"].clone()
}

/// How many rows hold the text as it is.
fn open_rows(world: &World) -> usize {
    let holds = |bytes: &[u8]| bytes.windows(TEXT.len()).any(|part| part == TEXT.as_bytes());
    world.rows(&crate::SERVICE).values().filter(|row| holds(row)).count()
}

#[tokio::test]
async fn no_item_lies_open() {
    let world = world().await;
    for specification in [json!({"Enabled": true}), with_key(&key(&world).await)] {
        created(&world, specification.clone()).await;
        for pk in ["a", "b"] {
            put(&world, pk).await.expect("written");
        }
        let update = json!({
            "TableName": "tab", "Key": {"pk": {"S": "b"}}, "UpdateExpression": "SET more = :v",
            "ExpressionAttributeValues": {":v": {"S": TEXT}},
        });
        world.call("dynamodb:UpdateItem", update).await.expect("updated");
        assert_eq!(open_rows(&world), 0);
        assert_eq!(get(&world, "a").await.expect("read"), item("a"));
        let query = json!({
            "TableName": "tab", "IndexName": "by-x", "KeyConditionExpression": "#b = :x",
            "FilterExpression": "attribute_exists(more)",
            "ExpressionAttributeNames": {"#b": "by"},
            "ExpressionAttributeValues": {":x": {"S": "x"}},
        });
        let found = world.call("dynamodb:Query", query).await.expect("found");
        assert_eq!((&found["Count"], &found["ScannedCount"]), (&json!(1), &json!(2)));
        let scanned = world.call("dynamodb:Scan", json!({"TableName": "tab"})).await.expect("read");
        assert_eq!(scanned["Count"], 2);
        let batch = json!({"RequestItems": {"tab": {"Keys": [{"pk": {"S": "a"}}]}}});
        let batch = world.call("dynamodb:BatchGetItem", batch).await.expect("read");
        assert_eq!(batch["Responses"]["tab"][0], item("a"));
        let shown = described(&world).await;
        assert_eq!(shown["SSEDescription"]["Status"], "ENABLED");
        let arn = shown["SSEDescription"]["KMSMasterKeyArn"].as_str().expect("an ARN");
        assert!(arn.contains(":key/"), "{arn}");
        assert_eq!(shown["ItemCount"], 2);
        let size = shown["TableSizeBytes"].as_i64().expect("a size");
        assert!((120..200).contains(&size), "{size}");
        world.call("dynamodb:DeleteTable", json!({"TableName": "tab"})).await.expect("deleted");
    }
}

#[tokio::test]
async fn a_change_of_the_key_seals_all_anew() {
    let world = world().await;
    created(&world, Value::Null).await;
    put(&world, "a").await.expect("written");
    assert_eq!(open_rows(&world), 2, "the item and its entry");
    let update = |specification: Value| {
        let input = json!({"TableName": "tab", "SSESpecification": specification});
        world.call("dynamodb:UpdateTable", input)
    };
    let (first, second) = (key(&world).await, key(&world).await);
    for (specification, open) in
        [(with_key(&first), 0), (with_key(&second), 0), (json!({"Enabled": false}), 2)]
    {
        update(specification.clone()).await.expect("changed");
        assert_eq!(open_rows(&world), open, "{specification}");
        assert_eq!(get(&world, "a").await.expect("read"), item("a"));
    }
    assert_eq!(described(&world).await["SSEDescription"], Value::Null);
    update(with_key(&first)).await.expect("changed");
    world.call("kms:DisableKey", json!({"KeyId": second})).await.expect("disabled");
    assert_eq!(get(&world, "a").await.expect("the second key is not needed"), item("a"));
}

#[tokio::test]
async fn callers_need_the_key_too() {
    let world = world().await;
    let key = key(&world).await;
    created(&world, with_key(&key)).await;
    put(&world, "a").await.expect("written");
    let ada = json!({"UserName": "ada"});
    let user = world.call("iam:CreateUser", ada.clone()).await.expect("a user")["User"].clone();
    let text = |member: &str| user[member].as_str().expect("a text").to_owned();
    let ada = Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    };
    let allow = |actions: Value| json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let mut decrypt = allow(json!("kms:Decrypt"));
    decrypt["Condition"] = json!({"StringEquals": {
        "kms:ViaService": "dynamodb.us-east-1.amazonaws.com",
        "kms:EncryptionContext:aws:dynamodb:tableName": "tab",
    }});
    let read = json!({"TableName": "tab", "Key": {"pk": {"S": "a"}}});
    for (statements, is_allowed) in [
        (json!([allow(json!("dynamodb:*"))]), false),
        (json!([allow(json!("dynamodb:*")), decrypt]), true),
    ] {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let policy = json!({"UserName": "ada", "PolicyName": "p", "PolicyDocument": policy});
        world.call("iam:PutUserPolicy", policy).await.expect("a policy");
        let outcome = world.call_as(ada.clone(), "dynamodb:GetItem", read.clone()).await;
        assert_eq!(outcome.is_ok(), is_allowed);
        if let Err(fault) = outcome {
            assert_eq!(fault.name(), "AccessDeniedException");
            let expected = format!(
                "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: User: {} is not authorized to perform: kms:Decrypt",
                ada.arn
            );
            assert!(fault.message().starts_with(&expected), "{fault}");
        }
        let outcome =
            world.call_as(ada.clone(), "dynamodb:CreateTable", table(with_key(&key))).await;
        assert!(outcome.expect_err("it is there").to_string().contains("Table already exists"));
    }
}

#[tokio::test]
async fn a_key_out_of_use_makes_the_table_inaccessible_until_it_is_back() {
    let world = world().await;
    let key = key(&world).await;
    created(&world, with_key(&key)).await;
    let ttl = json!({
        "TableName": "tab",
        "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"},
    });
    world.call("dynamodb:UpdateTimeToLive", ttl).await.expect("set");
    put(&world, "a").await.expect("written");
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
    get(&world, "a").await.expect("KMS is asked every five minutes");
    world.clock().advance(301_000);
    for outcome in [get(&world, "a").await, put(&world, "b").await] {
        let fault = outcome.expect_err("refused");
        assert_eq!(fault.name(), "ValidationException");
        let expected = format!(
            "KMS key disabled error: com.amazonaws.services.kms.model.DisabledException: {key} is disabled. (Service: AWSKMS; "
        );
        assert!(fault.message().starts_with(&expected), "{fault}");
    }
    assert_eq!(described(&world).await["TableStatus"], "ACTIVE");
    world.round(&crate::SERVICE, "dynamodb.keys").await;
    // What should have expired waits until it can be read.
    world.round(&crate::SERVICE, "dynamodb.expiry").await;
    let shown = described(&world).await;
    assert_eq!(shown["TableStatus"], "INACCESSIBLE_ENCRYPTION_CREDENTIALS");
    assert_eq!(shown["SSEDescription"]["Status"], "ENABLED");
    assert_eq!(shown["SSEDescription"]["InaccessibleEncryptionDateTime"], 1_767_225_901.0);
    assert_eq!(shown["ItemCount"], 1);
    let other = json!({"TableName": "tab", "SSESpecification": {"Enabled": false}});
    let fault = world.call("dynamodb:UpdateTable", other).await.expect_err("refused");
    assert!(fault.message().starts_with("KMS key disabled error"), "{fault}");
    world.call("kms:EnableKey", json!({"KeyId": key})).await.expect("enabled");
    world.round(&crate::SERVICE, "dynamodb.keys").await;
    assert_eq!(described(&world).await["TableStatus"], "ACTIVE");
    get(&world, "a").await.expect("read");
    world.round(&crate::SERVICE, "dynamodb.expiry").await;
    assert_eq!(described(&world).await["ItemCount"], 0);
}

#[tokio::test]
async fn specifications_that_make_no_sense_are_refused() {
    let world = world().await;
    let prefix = "ValidationException: One or more parameter values were invalid: ";
    for (specification, message) in [
        (
            json!({"Enabled": false, "SSEType": "KMS"}),
            "SSEType can not be specified if Enabled is false",
        ),
        (json!({"Enabled": true, "SSEType": "AES256"}), "SSEType AES256 is not supported"),
        (
            json!({"Enabled": true, "KMSMasterKeyId": "k"}),
            "SSEType KMS is required if KMSMasterKeyId is specified",
        ),
    ] {
        let outcome = world.call("dynamodb:CreateTable", table(specification)).await;
        assert_eq!(outcome.expect_err("refused").to_string(), format!("{prefix}{message}"));
    }
    let outcome = world.call("dynamodb:CreateTable", table(with_key("alias/none"))).await;
    let message = outcome.expect_err("refused").to_string();
    let alias = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/none");
    assert!(message.contains(&format!("KMS validation error: com.amazonaws.services.kms.model.NotFoundException: Alias {alias} is not found.")), "{message}");
    let listed = world.call("dynamodb:ListTables", json!({})).await.expect("a list");
    assert_eq!(listed["TableNames"], json!([]));
}
