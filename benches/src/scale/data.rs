//! The requests: items of 300 bytes with their keys, messages of about as much.

use crate::replay::Bytes;
use crate::workload::{dynamodb, sqs};

/// The table with a thousand items.
pub(super) const SMALL: &str = "scale-small";
/// The table with all items.
pub(super) const LARGE: &str = "scale-large";
/// The table that is deleted.
pub(super) const DELETED: &str = "scale-deleted";
/// The queue with a backlog of ten.
pub(super) const SHORT: &str = "scale-short";
/// The queue with a long backlog.
pub(super) const LONG: &str = "scale-long";
/// The queue through which many messages pass.
pub(super) const CHURN: &str = "scale-churn";

/// How many items a small table has.
pub(super) const FEW: u64 = 1000;
/// How many messages a short backlog has.
pub(super) const TEN: u64 = 10;

/// Numbers that look like chance and are the same in every run.
pub(super) fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn item(n: u64) -> String {
    // Hex digits of a scattered number, so that compression finds no more than in ordinary data.
    let mut text = String::with_capacity(256);
    for part in 0..16 {
        text.push_str(&format!("{:016x}", scattered(n * 16 + part)));
    }
    format!(r#"{{"pk":{{"S":"customer#{n:08}"}},"version":{{"N":"{n}"}},"data":{{"S":"{text}"}}}}"#)
}

/// Makes a table.
pub(super) fn create_table(host: &str, table: &str) -> Bytes {
    let body = format!(
        r#"{{"TableName":"{table}","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}],
        "KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}]}}"#
    );
    dynamodb(host, "CreateTable", body)
}

/// Deletes a table.
pub(super) fn delete_table(host: &str, table: &str) -> Bytes {
    dynamodb(host, "DeleteTable", format!(r#"{{"TableName":"{table}"}}"#))
}

/// Writes one item.
pub(super) fn put(host: &str, table: &str, n: u64) -> Bytes {
    dynamodb(host, "PutItem", format!(r#"{{"TableName":"{table}","Item":{}}}"#, item(n)))
}

/// Reads one item.
pub(super) fn get(host: &str, table: &str, n: u64) -> Bytes {
    let key = format!(r#"{{"pk":{{"S":"customer#{n:08}"}}}}"#);
    dynamodb(host, "GetItem", format!(r#"{{"TableName":"{table}","Key":{key}}}"#))
}

/// Writes items from `first` on, up to 25 and below `end`.
pub(super) fn put_batch(host: &str, table: &str, first: u64, end: u64) -> Bytes {
    let puts: Vec<String> = (first..end.min(first + 25))
        .map(|n| format!(r#"{{"PutRequest":{{"Item":{}}}}}"#, item(n)))
        .collect();
    let body = format!(r#"{{"RequestItems":{{"{table}":[{}]}}}}"#, puts.join(","));
    dynamodb(host, "BatchWriteItem", body)
}

fn queue_url(host: &str, queue: &str) -> String {
    format!("http://{host}/000000000000/{queue}")
}

/// Makes a queue.
pub(super) fn create_queue(host: &str, queue: &str) -> Bytes {
    sqs(host, "CreateQueue", format!(r#"{{"QueueName":"{queue}"}}"#))
}

/// Empties a queue.
pub(super) fn purge_queue(host: &str, queue: &str) -> Bytes {
    sqs(host, "PurgeQueue", format!(r#"{{"QueueUrl":"{}"}}"#, queue_url(host, queue)))
}

/// Asks how many messages a queue has.
pub(super) fn count(host: &str, queue: &str) -> Bytes {
    let url = queue_url(host, queue);
    sqs(host, "GetQueueAttributes", format!(r#"{{"QueueUrl":"{url}","AttributeNames":["All"]}}"#))
}

/// Sends up to ten messages from number `first` on, below `end`.
pub(super) fn send_batch(host: &str, queue: &str, first: u64, end: u64) -> Bytes {
    let entries: Vec<String> = (first..end.min(first + 10))
        .map(|n| format!(r#"{{"Id":"m{n}","MessageBody":"message {n} {}"}}"#, "x".repeat(200)))
        .collect();
    let url = queue_url(host, queue);
    let body = format!(r#"{{"QueueUrl":"{url}","Entries":[{}]}}"#, entries.join(","));
    sqs(host, "SendMessageBatch", body)
}

/// Sends one message.
pub(super) fn send(host: &str, queue: &str) -> Bytes {
    let (url, body) = (queue_url(host, queue), "x".repeat(210));
    sqs(host, "SendMessage", format!(r#"{{"QueueUrl":"{url}","MessageBody":"{body}"}}"#))
}

/// Receives up to `most` messages and hides them for `secs`.
pub(super) fn receive(host: &str, queue: &str, most: u32, secs: u32) -> Bytes {
    let url = queue_url(host, queue);
    let body = format!(
        r#"{{"QueueUrl":"{url}","MaxNumberOfMessages":{most},"VisibilityTimeout":{secs}}}"#
    );
    sqs(host, "ReceiveMessage", body)
}

/// Deletes the messages with these receipts.
pub(super) fn delete_batch(host: &str, queue: &str, receipts: &[String]) -> Bytes {
    let entries: Vec<String> = receipts
        .iter()
        .enumerate()
        .map(|(n, receipt)| format!(r#"{{"Id":"{n}","ReceiptHandle":"{receipt}"}}"#))
        .collect();
    let url = queue_url(host, queue);
    let body = format!(r#"{{"QueueUrl":"{url}","Entries":[{}]}}"#, entries.join(","));
    sqs(host, "DeleteMessageBatch", body)
}
