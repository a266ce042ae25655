//! The operations through the whole pipeline.

mod deliveries;
mod encryption;
mod formats;
mod reset;
mod subscriptions;
mod topics;

use fogbank_core::outbox::lanes::EFFECTS;
use fogbank_core::{Body, Effect, HttpRequest, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

/// SNS, SQS to deliver to, and KMS.
pub(crate) static SERVICES: &[&Service] =
    &[&crate::SERVICE, &fogbank_sqs::SERVICE, &fogbank_kms::SERVICE];

/// The ARN of a topic of the test's account.
pub(crate) fn topic_arn(name: &str) -> String {
    format!("arn:aws:sns:us-east-1:{ACCOUNT}:{name}")
}

/// The ARN of a queue of the test's account.
pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
}

/// A world with one topic, and the topic's ARN.
pub(crate) async fn with_topic() -> (World, String) {
    let world = World::new(SERVICES);
    let output = world.call("sns:CreateTopic", json!({"Name": "news"})).await.expect("a topic");
    (world, output["TopicArn"].as_str().expect("an ARN").to_owned())
}

/// Makes a queue that lets SNS send.
pub(crate) async fn queue(world: &World, name: &str) {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(name),
    }]});
    let input = json!({"QueueName": name, "Attributes": {"Policy": policy.to_string()}});
    world.call("sqs:CreateQueue", input).await.expect("a queue");
}

/// Subscribes an endpoint and returns what `Subscribe` calls its ARN.
pub(crate) async fn subscribe(
    world: &World,
    protocol: &str,
    endpoint: &str,
    attributes: Value,
) -> String {
    let input = json!({
        "TopicArn": topic_arn("news"), "Protocol": protocol, "Endpoint": endpoint,
        "Attributes": attributes,
    });
    let output = world.call("sns:Subscribe", input).await.expect("a subscription");
    output["SubscriptionArn"].as_str().expect("an ARN").to_owned()
}

/// Publishes a message; `more` is added to the input.
pub(crate) async fn publish(world: &World, message: &str, more: Value) -> String {
    let mut input = json!({"TopicArn": topic_arn("news"), "Message": message});
    for (name, value) in more.as_object().expect("members") {
        input[name] = value.clone();
    }
    let output = world.call("sns:Publish", input).await.expect("published");
    output["MessageId"].as_str().expect("an id").to_owned()
}

/// Receives messages of a queue while the background works, until there are `count`.
pub(crate) async fn received(world: &World, queue: &str, count: usize) -> Vec<Value> {
    let _background = world.background();
    let mut messages = Vec::new();
    for _ in 0..2000 {
        let input = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let output = world.call("sqs:ReceiveMessage", input).await.expect("received");
        messages.extend(output["Messages"].as_array().cloned().unwrap_or_default());
        if messages.len() >= count && effects(world).is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(messages.len(), count, "messages in {queue}");
    messages
}

/// What waits in the outbox.
pub(crate) fn effects(world: &World) -> Vec<Effect> {
    let rows = world.cloud().db().read(|rows| EFFECTS.list(rows, &())).expect("rows");
    rows.into_iter().map(|(_, effect)| effect).collect()
}

/// The answer to a visit, as JSON or text.
pub(crate) async fn get(world: &World, path: &str) -> (u16, String) {
    let request: HttpRequest = http::Request::get(path)
        .header("host", "127.0.0.1:4566")
        .body(Body::empty())
        .expect("a request");
    let response = world.http(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect(1 << 20).await.expect("a body");
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// The e-mails in the outbox.
pub(crate) async fn mails(world: &World) -> Vec<Value> {
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "sns", "test");
    let response = crate::email_outbox(cx, http::Request::new(Body::empty())).await;
    let body = response.into_body().collect(1 << 20).await.expect("a body");
    serde_json::from_slice(&body).expect("a JSON list")
}

/// The name and message of the error that a call fails with.
pub(crate) async fn error(world: &World, action: &str, input: Value) -> String {
    world.call(action, input).await.expect_err("an error").to_string()
}
