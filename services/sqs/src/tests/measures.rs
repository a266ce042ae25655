//! What CloudWatch hears of queues.

use std::collections::BTreeMap;

use fogbank_testkit::{World, json};

use super::{receive, send, with_queue};

/// The sums of what was measured since it was asked last, by queue and metric.
fn sums(world: &World) -> BTreeMap<(String, &'static str), f64> {
    let mut sums = BTreeMap::new();
    for gathered in world.cloud().measures().take().0 {
        assert_eq!(gathered.source.namespace, "AWS/SQS");
        let [("QueueName", queue)] = &gathered.source.dimensions[..] else {
            panic!("{:?}", gathered.source)
        };
        for ((metric, _), summary) in gathered.summaries {
            *sums.entry((queue.clone(), metric)).or_default() += summary.sum();
        }
    }
    sums
}

#[tokio::test]
async fn what_happened_to_messages_is_counted_once_it_has_happened() {
    let (world, url) = with_queue(json!({})).await;
    assert!(sums(&world).is_empty(), "nobody asked before");
    for body in ["a", "b", "c"] {
        send(&world, &url, body).await;
    }
    let entries = json!([{"Id": "1", "MessageBody": "d"}, {"Id": "2", "MessageBody": "e"}]);
    let batch = json!({"QueueUrl": url, "Entries": entries});
    world.call("sqs:SendMessageBatch", batch).await.expect("sent");
    let received = receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
    assert!(receive(&world, &url, json!({})).await.is_empty());
    let handles: Vec<_> = received.iter().map(|message| &message["ReceiptHandle"]).collect();
    let one = json!({"QueueUrl": url, "ReceiptHandle": handles[0]});
    world.call("sqs:DeleteMessage", one).await.expect("deleted");
    let entries = json!([
        {"Id": "1", "ReceiptHandle": handles[1]},
        {"Id": "2", "ReceiptHandle": handles[2]},
        {"Id": "3", "ReceiptHandle": "no handle"},
    ]);
    let batch = json!({"QueueUrl": url, "Entries": entries});
    world.call("sqs:DeleteMessageBatch", batch).await.expect("deleted");
    let bad = json!({"QueueUrl": url, "ReceiptHandle": "no handle"});
    world.call("sqs:DeleteMessage", bad).await.expect_err("no handle");

    let wanted = [
        ("NumberOfEmptyReceives", 1.0),
        ("NumberOfMessagesDeleted", 3.0),
        ("NumberOfMessagesReceived", 5.0),
        ("NumberOfMessagesSent", 5.0),
    ];
    let wanted = wanted.map(|(metric, sum)| (("jobs".to_owned(), metric), sum));
    assert_eq!(sums(&world), BTreeMap::from(wanted));
    assert!(sums(&world).is_empty());
}
