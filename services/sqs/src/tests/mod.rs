//! The operations through the whole pipeline.

mod encryption;
mod fifo;
mod formats;
mod measures;
mod messages;
mod queues;
mod reset;
mod time;
mod waiting;

use fogbank_core::Service;
use fogbank_testkit::{Value, World, json};

pub(crate) static SERVICES: &[&Service] = &[&crate::SERVICE];

/// A world with one queue, and the queue's URL.
pub(crate) async fn with_queue(attributes: Value) -> (World, String) {
    let world = World::new(SERVICES);
    let url = create(&world, "jobs", attributes).await;
    (world, url)
}

/// Creates a queue and returns its URL.
pub(crate) async fn create(world: &World, name: &str, attributes: Value) -> String {
    let input = json!({"QueueName": name, "Attributes": attributes});
    let output = world.call("sqs:CreateQueue", input).await.expect("a queue");
    output["QueueUrl"].as_str().expect("a URL").to_owned()
}

/// Sends a message and returns its id.
pub(crate) async fn send(world: &World, url: &str, body: &str) -> String {
    let input = json!({"QueueUrl": url, "MessageBody": body});
    let output = world.call("sqs:SendMessage", input).await.expect("sent");
    output["MessageId"].as_str().expect("an id").to_owned()
}

/// Receives messages; `more` is added to the input.
pub(crate) async fn receive(world: &World, url: &str, more: Value) -> Vec<Value> {
    let mut input = json!({"QueueUrl": url});
    for (name, value) in more.as_object().expect("members") {
        input[name] = value.clone();
    }
    let output = world.call("sqs:ReceiveMessage", input).await.expect("received");
    output["Messages"].as_array().cloned().unwrap_or_default()
}

/// Shows one attribute of a queue.
pub(crate) async fn attribute(world: &World, url: &str, name: &str) -> Option<String> {
    let input = json!({"QueueUrl": url, "AttributeNames": [name]});
    let output = world.call("sqs:GetQueueAttributes", input).await.expect("attributes");
    output["Attributes"][name].as_str().map(str::to_owned)
}

/// How many messages are visible, in flight and delayed.
pub(crate) async fn counts(world: &World, url: &str) -> (String, String, String) {
    let mut found = Vec::new();
    for suffix in ["", "NotVisible", "Delayed"] {
        let name = format!("ApproximateNumberOfMessages{suffix}");
        found.push(attribute(world, url, &name).await.expect("a number"));
    }
    let mut found = found.into_iter();
    let mut next = || found.next().expect("three");
    (next(), next(), next())
}

/// The name and message of the error that a call fails with.
pub(crate) async fn error(world: &World, action: &str, input: Value) -> String {
    world.call(action, input).await.expect_err("an error").to_string()
}
