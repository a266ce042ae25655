//! The clock goes back: what was put off until a time that it had left already.

use std::time::Duration;

use fogbank_core::Timestamp;
use fogbank_core::clock::Change;
use fogbank_testkit::{World, json};

use super::{counts, receive, send, with_queue};

const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// Moves the clock back by a day and has the service told.
async fn a_day_back(world: &World) {
    let cloud = world.cloud();
    let yesterday = cloud.clock().now().plus_millis(-DAY_MILLIS);
    let by = cloud.change_clock(Change::Freeze(Some(yesterday))).await.expect("a change");
    assert_eq!(by, DAY_MILLIS);
    let _background = world.background();
    for _ in 0..2_000 {
        if cloud.untold_times().expect("a row").is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the service was not told");
}

#[tokio::test]
async fn nobody_waits_for_a_time_that_has_to_come_again() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "30"})).await;
    send(&world, &url, "taken").await;
    assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
    send(&world, &url, "sent").await;
    let delayed = json!({"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 60});
    world.call("sqs:SendMessage", delayed).await.expect("sent");
    a_day_back(&world).await;
    let numbers = ["1", "1", "1"].map(str::to_owned);
    assert_eq!(counts(&world, &url).await, numbers.into());
    let bodies = async |world: &World| {
        let got = receive(world, &url, json!({"MaxNumberOfMessages": 10})).await;
        got.iter().map(|message| message["Body"].as_str().unwrap_or("").to_owned()).collect()
    };
    let none: Vec<String> = Vec::new();
    let first: Vec<String> = bodies(&world).await;
    assert_eq!(first, ["sent"]);
    world.clock().advance(29_999);
    assert_eq!(bodies(&world).await, none);
    world.clock().advance(1);
    let again: Vec<String> = bodies(&world).await;
    assert!(again.contains(&"taken".to_owned()), "{again:?}");
    world.clock().advance(30_000);
    let all: Vec<String> = bodies(&world).await;
    assert!(all.contains(&"delayed".to_owned()), "{all:?}");
}

#[tokio::test]
async fn a_group_goes_on_where_it_was() {
    let world = World::new(super::SERVICES);
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let url = super::create(&world, "jobs.fifo", attributes).await;
    let send = async |body: &str| {
        let input = json!({"QueueUrl": url, "MessageBody": body, "MessageGroupId": "g"});
        world.call("sqs:SendMessage", input).await.expect("sent");
    };
    for body in ["a", "b"] {
        send(body).await;
    }
    assert_eq!(receive(&world, &url, json!({})).await[0]["Body"], "a");
    a_day_back(&world).await;
    assert!(receive(&world, &url, json!({})).await.is_empty(), "a is still in flight");
    world.clock().advance(30_000);
    let got = receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
    let bodies: Vec<_> = got.iter().map(|message| message["Body"].as_str()).collect();
    assert_eq!(bodies, [Some("a"), Some("b")]);
    // A copy is one of the last five minutes; what was sent tomorrow is none.
    send("a").await;
    let total = super::attribute(&world, &url, "ApproximateNumberOfMessages").await;
    assert_eq!(total.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_was_received_before_stays_hidden() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "7200"})).await;
    send(&world, &url, "taken").await;
    assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
    let then = world.clock().now();
    world.clock().advance(3_600_000);
    let cloud = world.cloud();
    let soon = Timestamp::from_millis(then.millis() + 1_000);
    cloud.change_clock(Change::Freeze(Some(soon))).await.expect("a change");
    crate::time::went_back(fogbank_core::Cx::background(cloud.clone(), "sqs", "test"))
        .await
        .expect("moved");
    world.clock().advance(7_198_000);
    assert!(receive(&world, &url, json!({})).await.is_empty());
    world.clock().advance(1_000);
    assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
}
