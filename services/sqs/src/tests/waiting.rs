//! Long polling.

use std::sync::Arc;
use std::time::Duration;

use fogbank_testkit::{Value, World, json};
use tokio::task::JoinHandle;

use super::{receive, send, with_queue};

fn poll(world: &Arc<World>, url: &str, wait_secs: u32) -> JoinHandle<Vec<Value>> {
    let (world, url) = (Arc::clone(world), url.to_owned());
    tokio::spawn(async move { receive(&world, &url, json!({"WaitTimeSeconds": wait_secs})).await })
}

/// Lets everything run that can run; the clock stands still, so nothing is decided by timing.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn outcome(polling: JoinHandle<Vec<Value>>) -> Vec<Value> {
    let done = tokio::time::timeout(Duration::from_secs(10), polling).await;
    done.expect("it ends").expect("no panic")
}

#[tokio::test]
async fn a_poll_waits_for_a_message() {
    let (world, url) = with_queue(json!({})).await;
    let world = Arc::new(world);
    let polling = poll(&world, &url, 20);
    settle().await;
    assert!(!polling.is_finished());
    send(&world, &url, "at last").await;
    assert_eq!(outcome(polling).await[0]["Body"], "at last");
}

#[tokio::test]
async fn a_poll_ends_empty_at_its_deadline() {
    let (world, url) = with_queue(json!({"ReceiveMessageWaitTimeSeconds": "1"})).await;
    let world = Arc::new(world);
    let begun = std::time::Instant::now();
    let polling = {
        let (world, url) = (Arc::clone(&world), url.clone());
        tokio::spawn(async move { receive(&world, &url, json!({})).await })
    };
    settle().await;
    // The caller waits by his own watch, whatever the cloud's clock does.
    world.clock().advance(9_999);
    settle().await;
    assert!(!polling.is_finished());
    assert!(outcome(polling).await.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_poll_wakes_when_a_delay_or_a_timeout_ends() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "4"})).await;
    let world = Arc::new(world);
    let polling = poll(&world, &url, 20);
    settle().await;
    let delayed = json!({"QueueUrl": url, "MessageBody": "later", "DelaySeconds": 3});
    world.call("sqs:SendMessage", delayed).await.unwrap();
    settle().await;
    world.clock().advance(2_999);
    settle().await;
    assert!(!polling.is_finished());
    world.clock().advance(1);
    let first = outcome(polling).await;
    assert_eq!(first[0]["Body"], "later");
    let polling = poll(&world, &url, 20);
    settle().await;
    world.clock().advance(4_000);
    assert_eq!(outcome(polling).await[0]["MessageId"], first[0]["MessageId"]);
}

#[tokio::test]
async fn a_poll_wakes_when_a_message_is_given_back() {
    let (world, url) = with_queue(json!({})).await;
    let world = Arc::new(world);
    send(&world, &url, "work").await;
    let handle = receive(&world, &url, json!({})).await[0]["ReceiptHandle"].clone();
    let polling = poll(&world, &url, 20);
    settle().await;
    let back = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0});
    world.call("sqs:ChangeMessageVisibility", back).await.unwrap();
    assert_eq!(outcome(polling).await.len(), 1);
}

#[tokio::test]
async fn many_polls_share_the_messages() {
    let (world, url) = with_queue(json!({})).await;
    let world = Arc::new(world);
    let polls: Vec<_> = (0..20).map(|_| poll(&world, &url, 20)).collect();
    settle().await;
    for number in 0..20 {
        send(&world, &url, &number.to_string()).await;
    }
    let mut bodies = std::collections::HashSet::new();
    for polling in polls {
        let got = outcome(polling).await;
        assert_eq!(got.len(), 1);
        bodies.insert(got[0]["Body"].as_str().expect("a body").to_owned());
    }
    assert_eq!(bodies.len(), 20, "nobody got what another one has");
}

#[tokio::test]
async fn a_poll_hears_of_its_queue_s_end() {
    let (world, url) = with_queue(json!({})).await;
    let world = Arc::new(world);
    let polling = {
        let (world, url) = (Arc::clone(&world), url.clone());
        tokio::spawn(async move {
            let input = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
            world.call("sqs:ReceiveMessage", input).await
        })
    };
    settle().await;
    world.call("sqs:DeleteQueue", json!({"QueueUrl": url})).await.unwrap();
    let done = tokio::time::timeout(Duration::from_secs(10), polling).await;
    let error = done.expect("it ends").expect("no panic").expect_err("an error");
    assert_eq!(error.name(), "QueueDoesNotExist");
}
