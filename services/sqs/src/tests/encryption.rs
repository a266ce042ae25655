//! Messages that a key of KMS seals.

use fogbank_core::{Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_kms::SERVICE];

async fn queue(world: &World, name: &str, key: &str) -> String {
    let input = json!({"QueueName": name, "Attributes": {"KmsMasterKeyId": key}});
    let made = world.call("sqs:CreateQueue", input).await.expect("a queue");
    made["QueueUrl"].as_str().expect("a URL").to_owned()
}

async fn bodies(world: &World, url: &str) -> Vec<Value> {
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let received = world.call("sqs:ReceiveMessage", input).await.expect("messages");
    let messages = received["Messages"].as_array().cloned().unwrap_or_default();
    messages.into_iter().map(|message| message["Body"].clone()).collect()
}

fn is_in_rows(world: &World, text: &str) -> bool {
    let rows = world.rows(&crate::SERVICE);
    rows.values().any(|row| row.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[tokio::test]
async fn bodies_are_sealed_in_the_store_and_opened_for_receivers() {
    let world = World::new(SERVICES);
    let url = queue(&world, "q", "alias/aws/sqs").await;
    let input = json!({"QueueUrl": url, "MessageBody": "a secret text"});
    world.call("sqs:SendMessage", input).await.expect("it is sent");
    let entries = json!([{"Id": "a", "MessageBody": "another secret text"}]);
    let batch = json!({"QueueUrl": url, "Entries": entries});
    world.call("sqs:SendMessageBatch", batch).await.expect("they are sent");
    assert!(!is_in_rows(&world, "secret text"));
    assert_eq!(bodies(&world, &url).await, ["a secret text", "another secret text"]);
    // Without a key, they lie there as they are.
    let plain = json!({"QueueUrl": url, "Attributes": {"KmsMasterKeyId": ""}});
    world.call("sqs:SetQueueAttributes", plain).await.expect("it is set");
    let input = json!({"QueueUrl": url, "MessageBody": "a secret text"});
    world.call("sqs:SendMessage", input).await.expect("it is sent");
    assert!(is_in_rows(&world, "secret text"));
    assert_eq!(bodies(&world, &url).await, ["a secret text"]);
}

#[tokio::test]
async fn the_key_decides_who_sends_and_receives() {
    let world = World::new(SERVICES);
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned();
    let url = queue(&world, "q", &key).await;
    let send = json!({"QueueUrl": url, "MessageBody": "x"});
    world.call("sqs:SendMessage", send.clone()).await.expect("it is sent");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*",
    }]});
    let attributes = json!({"Policy": policy.to_string()});
    let input = json!({"QueueUrl": url, "Attributes": attributes});
    world.call("sqs:SetQueueAttributes", input).await.expect("it is set");
    let stranger = Principal::service("sns.amazonaws.com");
    let mut refusals = Vec::new();
    for action in ["sqs:SendMessage", "sqs:ReceiveMessage"] {
        let input = match action {
            "sqs:SendMessage" => send.clone(),
            _ => json!({"QueueUrl": url}),
        };
        let call = fogbank_core::Call {
            action: action.to_owned(),
            account: ACCOUNT.to_owned(),
            principal: stranger.clone(),
            region: "us-east-1".to_owned(),
            input,
            body: fogbank_core::Body::empty(),
            source: None,
            via: None,
            called_via: Vec::new(),
        };
        refusals.push(world.cloud().call(call).await.expect_err("a refusal").name().to_owned());
    }
    assert_eq!(refusals, ["KmsAccessDenied", "KmsAccessDenied"]);
    assert_eq!(bodies(&world, &url).await, ["x"]);
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("it is off");
    // The data key is used again for five minutes.
    world.call("sqs:SendMessage", send.clone()).await.expect("it is sent");
    world.clock().advance(301_000);
    world.check("sqs:SendMessage", send, expect!["KmsDisabled: arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5 is disabled."]).await;
    world.check("sqs:ReceiveMessage", json!({"QueueUrl": url}), expect!["KmsDisabled: arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5 is disabled."]).await;
    let url = queue(&world, "other", "alias/none").await;
    let send = json!({"QueueUrl": url, "MessageBody": "x"});
    world
        .check(
            "sqs:SendMessage",
            send,
            expect![
                "KmsNotFound: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found."
            ],
        )
        .await;
}
