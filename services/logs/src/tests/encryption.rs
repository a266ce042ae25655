//! Groups with keys of KMS.

use fogbank_core::Service;
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::NOW;

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_kms::SERVICE];
const GROUP_ARN: &str = "arn:aws:logs:us-east-1:000000000000:log-group:g";

/// A key that CloudWatch Logs may use for a group.
async fn key(world: &World) -> String {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
            "Action": "kms:*", "Resource": "*",
        },
        {
            "Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
            "Condition": {
                "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": GROUP_ARN},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "Null": {"kms:ViaService": "true"},
            },
        },
    ]});
    let made = world.call("kms:CreateKey", json!({"Policy": policy.to_string()})).await;
    made.expect("a key")["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
}

async fn stream(world: &World, name: &str) {
    let named = json!({"logGroupName": "g", "logStreamName": name});
    world.call("logs:CreateLogStream", named).await.expect("a stream");
}

async fn put(world: &World, stream: &str, messages: &[(i64, &str)]) {
    world.call("logs:PutLogEvents", events(stream, messages)).await.expect("put");
}

fn events(stream: &str, messages: &[(i64, &str)]) -> Value {
    let event =
        |(offset, message): &(i64, &str)| json!({"timestamp": NOW + offset, "message": message});
    let events: Vec<Value> = messages.iter().map(event).collect();
    json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events})
}

async fn read(world: &World, stream: &str) -> Vec<String> {
    let input = json!({"logGroupName": "g", "logStreamName": stream});
    messages(&world.call("logs:GetLogEvents", input).await.expect("events"))
}

fn messages(page: &Value) -> Vec<String> {
    let events = page["events"].as_array().expect("events");
    events.iter().map(|event| event["message"].as_str().expect("a text").to_owned()).collect()
}

fn is_in_rows(world: &World, text: &str) -> bool {
    let rows = world.rows(&crate::SERVICE);
    rows.values().any(|row| row.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[tokio::test]
async fn messages_are_sealed_while_the_group_has_a_key() {
    let world = World::new(SERVICES);
    world.call("logs:CreateLogGroup", json!({"logGroupName": "g"})).await.expect("a group");
    stream(&world, "a").await;
    stream(&world, "b").await;
    put(&world, "a", &[(1, "plain before")]).await;
    let (one, two) = (key(&world).await, key(&world).await);
    let input = json!({"logGroupName": "g", "kmsKeyId": one});
    world.call("logs:AssociateKmsKey", input.clone()).await.expect("a key");
    put(&world, "a", &[(2, "ERROR hidden one"), (3, "hidden two")]).await;
    put(&world, "b", &[(2, "ERROR hidden three")]).await;
    let by_arn = json!({"resourceIdentifier": GROUP_ARN, "kmsKeyId": two});
    world.call("logs:AssociateKmsKey", by_arn).await.expect("another key");
    put(&world, "a", &[(4, "ERROR hidden four")]).await;
    // A key of before gets no second data key.
    world.call("logs:AssociateKmsKey", input).await.expect("the first key again");
    put(&world, "a", &[(5, "hidden five")]).await;
    let groups = world.call("logs:DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(groups["logGroups"][0]["kmsKeyId"], *one);
    world.call("logs:DisassociateKmsKey", json!({"logGroupName": "g"})).await.expect("no key");
    put(&world, "a", &[(6, "plain after")]).await;
    assert!(!is_in_rows(&world, "hidden"));
    assert!(is_in_rows(&world, "plain before") && is_in_rows(&world, "plain after"));
    let expected = [
        "plain before",
        "ERROR hidden one",
        "hidden two",
        "ERROR hidden four",
        "hidden five",
        "plain after",
    ];
    assert_eq!(read(&world, "a").await, expected);
    let input = json!({"logGroupName": "g", "filterPattern": "ERROR"});
    let found = world.call("logs:FilterLogEvents", input).await.expect("events");
    let expected = ["ERROR hidden one", "ERROR hidden three", "ERROR hidden four"];
    assert_eq!(messages(&found), expected);
    let groups = world.call("logs:DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(groups["logGroups"][0]["kmsKeyId"], Value::Null);
    // A name that was used before has nothing of the old group.
    world.call("logs:DeleteLogGroup", json!({"logGroupName": "g"})).await.expect("it is gone");
    let input = json!({"logGroupName": "g", "kmsKeyId": two});
    world.call("logs:CreateLogGroup", input).await.expect("a group");
    stream(&world, "a").await;
    put(&world, "a", &[(1, "hidden six")]).await;
    assert_eq!(read(&world, "a").await, ["hidden six"]);
    assert!(!is_in_rows(&world, "hidden"));
}

#[tokio::test]
async fn what_a_lost_key_sealed_cannot_be_read_or_added_to() {
    let world = World::new(SERVICES);
    let key = key(&world).await;
    let input = json!({"logGroupName": "g", "kmsKeyId": key});
    world.call("logs:CreateLogGroup", input).await.expect("a group");
    stream(&world, "a").await;
    stream(&world, "b").await;
    put(&world, "a", &[(1, "hidden")]).await;
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("it is off");
    // The data key is used again for five minutes.
    assert_eq!(read(&world, "a").await, ["hidden"]);
    world.clock().advance(301_000);
    let get = json!({"logGroupName": "g", "logStreamName": "a"});
    let refused = || {
        expect![
            "AccessDeniedException: The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:000000000000:log-group:g'"
        ]
    };
    world.check("logs:GetLogEvents", get, refused()).await;
    world.check("logs:FilterLogEvents", json!({"logGroupName": "g"}), refused()).await;
    world.check("logs:PutLogEvents", events("a", &[(2, "more")]), refused()).await;
    world.call("logs:DisassociateKmsKey", json!({"logGroupName": "g"})).await.expect("no key");
    put(&world, "b", &[(3, "plain")]).await;
    assert_eq!(read(&world, "b").await, ["plain"]);
    world.check("logs:FilterLogEvents", json!({"logGroupName": "g"}), refused()).await;
    world.call("kms:EnableKey", json!({"KeyId": key})).await.expect("it is on");
    assert_eq!(read(&world, "a").await, ["hidden"]);
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused() {
    let world = World::new(SERVICES);
    world.call("logs:CreateLogGroup", json!({"logGroupName": "g"})).await.expect("a group");
    let call = async |key: &str| {
        let input = json!({"logGroupName": "g", "kmsKeyId": key});
        world.call("logs:AssociateKmsKey", input).await.expect_err("a refusal").to_string()
    };
    let missing = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000";
    let denied = expect![
        "AccessDeniedException: The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:000000000000:log-group:g'"
    ];
    denied.assert_eq(&call(missing).await);
    // Whose policy knows its account alone.
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    denied.assert_eq(&call(made["KeyMetadata"]["Arn"].as_str().expect("an ARN")).await);
    expect!["InvalidParameterException: The specified KMS Key Id is not the ARN of a key. 'g'"]
        .assert_eq(&call("alias/mine").await);
    let disabled = key(&world).await;
    world.call("kms:DisableKey", json!({"KeyId": disabled})).await.expect("it is off");
    expect!["InvalidParameterException: The specified KMS key cannot be used with 'arn:aws:logs:us-east-1:000000000000:log-group:g': arn:aws:kms:us-east-1:000000000000:key/70f268cb-270a-4d43-bc0d-c84bb165180d is disabled."].assert_eq(&call(&disabled).await);
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
    }]});
    let input =
        json!({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT", "Policy": policy.to_string()});
    let made = world.call("kms:CreateKey", input).await.expect("a key");
    expect!["InvalidParameterException: The specified KMS key cannot be used with 'arn:aws:logs:us-east-1:000000000000:log-group:g': Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."].assert_eq(&call(made["KeyMetadata"]["Arn"].as_str().expect("an ARN")).await);
    let groups = world.call("logs:DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(groups["logGroups"][0]["kmsKeyId"], Value::Null);
    let key = key(&world).await;
    for (input, expected) in [
        (
            json!({"kmsKeyId": key}),
            expect![
                "InvalidParameterException: Either logGroupName or resourceIdentifier is required."
            ],
        ),
        (
            json!({"logGroupName": "g", "resourceIdentifier": GROUP_ARN, "kmsKeyId": key}),
            expect![
                "InvalidParameterException: Specify either logGroupName or resourceIdentifier, not both."
            ],
        ),
        (
            json!({"resourceIdentifier": "arn:aws:logs:us-east-1:000000000000:query-result:*", "kmsKeyId": key}),
            expect![
                "NotImplemented: Fogbank does not implement logs:AssociateKmsKey for the results of queries yet; see COMPATIBILITY.md."
            ],
        ),
        (
            json!({"resourceIdentifier": "x", "kmsKeyId": key}),
            expect!["InvalidParameterException: The specified resourceIdentifier is invalid."],
        ),
        (
            json!({"logGroupName": "none", "kmsKeyId": key}),
            expect!["ResourceNotFoundException: The specified log group does not exist."],
        ),
    ] {
        world.check("logs:AssociateKmsKey", input, expected).await;
    }
}
