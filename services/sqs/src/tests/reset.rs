//! Removing everything.

use fogbank_core::outbox::lanes::EFFECTS;
use fogbank_core::{Effect, Principal};
use fogbank_testkit::{ACCOUNT, World, json};

use super::SERVICES;
use crate::SERVICE;
use crate::tasks::SWEEP;

const OTHER: &str = "111122223333";

/// Makes a queue with dead letters, a FIFO queue, and messages in every state, in an account.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("sqs:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let url = |name: &str| format!("http://localhost/{account}/{name}");
    call("CreateQueue", json!({"QueueName": "dead"})).await;
    let target = format!("arn:aws:sqs:us-east-1:{account}:dead");
    let redrive = json!({"deadLetterTargetArn": target, "maxReceiveCount": 1}).to_string();
    let attributes = json!({"RedrivePolicy": redrive, "VisibilityTimeout": "0"});
    call("CreateQueue", json!({"QueueName": "jobs", "Attributes": attributes})).await;
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    call("CreateQueue", json!({"QueueName": "order.fifo", "Attributes": fifo})).await;
    for body in ["a", "b", "c"] {
        call("SendMessage", json!({"QueueUrl": url("jobs"), "MessageBody": body})).await;
        let input =
            json!({"QueueUrl": url("order.fifo"), "MessageBody": body, "MessageGroupId": "g"});
        call("SendMessage", input).await;
    }
    call("ReceiveMessage", json!({"QueueUrl": url("jobs")})).await;
    call("ReceiveMessage", json!({"QueueUrl": url("jobs")})).await;
    call("ReceiveMessage", json!({"QueueUrl": url("order.fifo")})).await;
    call("PurgeQueue", json!({"QueueUrl": url("dead")})).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    world.round(&SERVICE, SWEEP).await;
    let others = world.rows(&SERVICE);
    assert!(others.len() > 10, "{others:?}");
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let listed = world.call("sqs:ListQueues", json!({})).await.expect("a list");
    assert_eq!(listed, json!({}));
    world.round(&SERVICE, SWEEP).await;
    assert_eq!(world.rows(&SERVICE), others);

    // What was sent before is no copy for a new queue of the same name.
    fill(&world, ACCOUNT).await;
    let url = format!("http://localhost/{ACCOUNT}/order.fifo");
    let input = json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]});
    let shown = world.call("sqs:GetQueueAttributes", input).await.expect("attributes");
    assert_eq!(shown["Attributes"]["ApproximateNumberOfMessages"], "2");
    world.reset(&SERVICE, None).await;
    world.round(&SERVICE, SWEEP).await;
    assert!(world.rows(&SERVICE).is_empty());
}

#[tokio::test]
async fn what_waits_to_be_sent_to_the_account_is_forgotten() {
    let world = World::new(SERVICES);
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "sqs", "test");
    for (target, account) in
        [("sqs:SendMessage", ACCOUNT), ("sqs:SendMessage", OTHER), ("sns:Publish", ACCOUNT)]
    {
        let effect = Effect::call(target, Principal::root(account), &json!({}));
        let effect = effect.located(account, "us-east-1");
        cx.write(|tx| tx.emit(effect.clone())).await.expect("emitted");
    }
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let left = cx.read(|tx| EFFECTS.list(tx, &())).expect("effects");
    let left: Vec<_> =
        left.iter().map(|(_, effect)| (effect.target.as_str(), effect.account.as_str())).collect();
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&("sqs:SendMessage", ACCOUNT)), "{left:?}");
}
