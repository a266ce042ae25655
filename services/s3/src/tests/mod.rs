//! The operations through the whole pipeline, in process.

mod access_logs;
mod acls;
mod annotations;
mod buckets;
mod checksums;
mod conditions;
mod configurations;
mod copies;
mod cors;
mod customer_keys;
mod directories;
mod encryption_updates;
mod formats;
mod http;
mod identified;
mod inventory;
mod kms;
mod lifecycle;
mod listing;
mod locks;
mod metadata_delivery;
mod metadata_tables;
mod mfa;
mod notifications;
mod objects;
mod opened;
mod payment;
mod policies;
mod replication;
mod replication_rules;
mod request_metrics;
mod reset;
mod restores;
mod sealing;
mod selects;
mod tagging;
mod tiering;
mod uploads;
mod versions;
mod websites;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

pub(crate) static SERVICES: &[&Service] = &[&crate::SERVICE];

/// A world with the bucket `photos`.
pub(crate) async fn with_bucket() -> World {
    let world = World::new(SERVICES);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    world
}

/// Lets customers' keys encrypt what is written to a bucket.
pub(crate) async fn allow_customer_keys(world: &World, bucket: &str) {
    let rule = json!({"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}});
    let rules = json!({"Bucket": bucket, "ServerSideEncryptionConfiguration": {"Rules": [rule]}});
    world.call("s3:PutBucketEncryption", rules).await.expect("allowed");
}

/// Adds the members of `more` to an input.
pub(crate) fn with(mut input: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("members") {
        input[name] = value.clone();
    }
    input
}

/// Calls an operation on the bucket `photos`.
pub(crate) async fn call(world: &World, operation: &str, more: Value) -> Result<Value, Fault> {
    world.call(&format!("s3:{operation}"), with(json!({"Bucket": "photos"}), more)).await
}

/// Writes a body with an operation on the bucket `photos`.
pub(crate) async fn send(
    world: &World,
    operation: &str,
    more: Value,
    body: impl Into<Body>,
) -> Result<Value, Fault> {
    let input = with(json!({"Bucket": "photos"}), more);
    let action = format!("s3:{operation}");
    let reply = world.send(Principal::root(ACCOUNT), &action, input, body.into()).await?;
    Ok(reply.output)
}

/// Writes an object into the bucket `photos`.
pub(crate) async fn put(world: &World, key: &str, body: impl Into<Body>) -> Value {
    send(world, "PutObject", json!({"Key": key}), body).await.expect("written")
}

/// Reads an object of the bucket `photos`: the answer's members and its body.
pub(crate) async fn get(world: &World, more: Value) -> Result<(Value, Bytes), Fault> {
    let input = with(json!({"Bucket": "photos"}), more);
    let reply = world.send(Principal::root(ACCOUNT), "s3:GetObject", input, Body::empty()).await?;
    let output = reply.output.clone();
    Ok((output, reply.bytes(64 << 20).await?))
}

/// The body under a key of the bucket `photos`.
pub(crate) async fn body_of(world: &World, key: &str) -> Bytes {
    get(world, json!({"Key": key})).await.expect("an object").1
}

/// A refusal: name, message and elements.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    let fault = outcome.expect_err("a refusal");
    let elements: String =
        fault.extra().iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{}: {}{elements}", fault.name(), fault.message())
}

/// Lets the round of a task go on until it has waited so often, and gives it up there; says whether it ended before.
pub(crate) async fn ends_within(
    round: impl Future<Output = Result<(), Fault>>,
    waits: usize,
) -> bool {
    let mut round = pin!(round);
    let mut waited = 0;
    poll_fn(|context| match round.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(outcome.is_ok()),
        Poll::Pending => {
            waited += 1;
            if waited == waits { Poll::Ready(false) } else { Poll::Pending }
        }
    })
    .await
}

/// Bytes that do not repeat soon.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The ETag of bytes that were written at once.
pub(crate) fn e_tag(bytes: &[u8]) -> String {
    use sha1::Digest;
    format!("\"{}\"", hex::encode(md5::Md5::digest(bytes)))
}
