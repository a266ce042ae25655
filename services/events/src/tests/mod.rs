//! The operations through the whole pipeline.

mod archives;
mod buses;
mod connections;
mod deliveries;
mod event_rules;
mod formats;
mod reset;
mod schedules;
mod services;
mod targets;

use fogbank_core::Service;
use fogbank_core::outbox::lanes::EFFECTS;
use fogbank_testkit::{ACCOUNT, Value, World, json};

/// EventBridge, and those that it sends to, hears of and asks.
pub(crate) static SERVICES: &[&Service] = &[
    &crate::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_s3::SERVICE,
    &fogbank_sns::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sts::SERVICE,
];

pub(crate) const OTHER: &str = "111122223333";

/// Calls an operation of EventBridge.
pub(crate) async fn call(world: &World, operation: &str, input: Value) -> Value {
    world.call(&format!("events:{operation}"), input).await.expect("an answer")
}

/// The error that an operation of EventBridge fails with.
pub(crate) async fn error(world: &World, operation: &str, input: Value) -> String {
    world.call(&format!("events:{operation}"), input).await.expect_err("an error").to_string()
}

/// The ARN of a queue of an account.
pub(crate) fn queue_arn(account: &str, name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{account}:{name}")
}

/// Makes a queue that lets EventBridge send, for the rules of the test's account.
pub(crate) async fn queue(world: &World, name: &str, attributes: Value) -> String {
    let arn = queue_arn(ACCOUNT, name);
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/*")}},
    }]});
    let mut input = json!({"QueueName": name, "Attributes": {"Policy": policy.to_string()}});
    for (name, value) in attributes.as_object().expect("attributes") {
        input["Attributes"][name] = value.clone();
    }
    world.call("sqs:CreateQueue", input).await.expect("a queue");
    arn
}

/// Makes a rule of the default bus.
pub(crate) async fn rule(world: &World, name: &str, pattern: Value) {
    call(world, "PutRule", json!({"Name": name, "EventPattern": pattern.to_string()})).await;
}

/// Adds a target to a rule of the default bus; `more` is added to it.
pub(crate) async fn target(world: &World, rule: &str, arn: &str, more: Value) {
    let mut target = json!({"Id": "t", "Arn": arn});
    for (name, value) in more.as_object().expect("members") {
        target[name] = value.clone();
    }
    call(world, "PutTargets", json!({"Rule": rule, "Targets": [target]})).await;
}

/// Sends an event; `more` is added to the entry. Returns its id.
pub(crate) async fn send(world: &World, detail: Value, more: Value) -> String {
    let mut entry = json!({
        "Source": "shop", "DetailType": "Order Placed", "Detail": detail.to_string(),
    });
    for (name, value) in more.as_object().expect("members") {
        entry[name] = value.clone();
    }
    let output = call(world, "PutEvents", json!({"Entries": [entry]})).await;
    assert_eq!(output["FailedEntryCount"], 0, "{output}");
    output["Entries"][0]["EventId"].as_str().expect("an id").to_owned()
}

/// Receives messages of a queue while the background works, until there are `count` and nothing is under way.
pub(crate) async fn received(world: &World, queue: &str, count: usize) -> Vec<Value> {
    let _background = world.background();
    let mut messages = Vec::new();
    for _ in 0..5000 {
        let input = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let output = world.call("sqs:ReceiveMessage", input).await.expect("received");
        for message in output["Messages"].as_array().into_iter().flatten() {
            let receipt = json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
            world.call("sqs:DeleteMessage", receipt).await.expect("deleted");
            messages.push(message.clone());
        }
        if messages.len() >= count && waiting(world) == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(messages.len(), count, "messages in {queue}");
    messages
}

/// The bodies of messages as JSON.
pub(crate) async fn bodies(world: &World, queue: &str, count: usize) -> Vec<Value> {
    let messages = received(world, queue, count).await;
    let body = |message: &Value| {
        serde_json::from_str(message["Body"].as_str().expect("a body")).expect("JSON")
    };
    messages.iter().map(body).collect()
}

/// How many effects wait in the outbox.
pub(crate) fn waiting(world: &World) -> usize {
    world.cloud().db().read(|rows| EFFECTS.list(rows, &())).expect("rows").len()
}

/// Lets the background work until nothing waits.
pub(crate) async fn settle(world: &World) {
    let _background = world.background();
    for _ in 0..5000 {
        if waiting(world) == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} effects wait", waiting(world));
}

/// Makes a role that EventBridge may assume and that may do one thing.
pub(crate) async fn role(world: &World, name: &str, action: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
    let output = world.call("iam:CreateRole", input).await.expect("a role");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": action, "Resource": "*",
    }]});
    let input = json!({
        "RoleName": name, "PolicyName": "p", "PolicyDocument": policy.to_string(),
    });
    world.call("iam:PutRolePolicy", input).await.expect("a policy");
    output["Role"]["Arn"].as_str().expect("an ARN").to_owned()
}
