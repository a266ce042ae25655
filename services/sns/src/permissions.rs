//! Who may use a topic: its policy, and the operations that edit it.

use std::sync::Arc;

use fogbank_core::policy::Document;
use fogbank_core::{Arn, Fault, ParsedPolicies, ReadTx, ResourcePolicy, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    AddPermissionInput, AddPermissionOutput, RemovePermissionInput, RemovePermissionOutput,
};
use crate::rules::{attributes, names};
use crate::store::{self, TOPICS, Topic, TopicKey};

/// The actions that a topic's policy can speak of.
const ACTIONS: [&str; 9] = [
    "AddPermission",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
];

/// How many parsed policies are kept.
const CACHED: usize = 1024;

/// Parsed policies by their text, for they are needed with every call.
struct Parsed(ParsedPolicies);

/// The policy's text: the topic's own, or the one that AWS gives to every topic.
pub(crate) fn policy_text(key: &TopicKey, topic: &Topic) -> String {
    match topic.attributes.get("Policy").filter(|text| !text.is_empty()) {
        Some(text) => text.clone(),
        None => attributes::default_policy(&key.0, &store::topic_arn(key)).to_string(),
    }
}

/// The policy and owner of the topic with this ARN, for the gateway.
pub(crate) fn resource_policy(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(arn) = Arn::parse(resource) else { return Ok(None) };
    let key = (arn.account.to_owned(), arn.region.to_owned(), arn.resource.to_owned());
    let document = match TOPICS.get(tx, &key)? {
        Some(topic) => Some(parsed(tx, &policy_text(&key, &topic))?),
        None => None,
    };
    Ok(Some(ResourcePolicy::new(key.0, document)))
}

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(CACHED))).0.get(text)
}

/// Adds a statement that lets accounts use the topic.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: AddPermissionInput,
) -> Result<AddPermissionOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let mut topic = store::topic(tx, &key)?;
    if input.action_name.iter().any(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(Error::invalid("Policy statement action out of service scope!"));
    }
    let mut policy = policy(&key, &topic);
    let statements = statements(&mut policy);
    if statements.iter().any(|statement| statement["Sid"] == *input.label) {
        return Err(Error::invalid("Statement already exists"));
    }
    let accounts =
        input.aws_account_id.iter().map(|account| format!("arn:aws:iam::{account}:root"));
    statements.push(json!({
        "Sid": input.label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_more(accounts)},
        "Action": one_or_more(input.action_name.iter().map(|action| format!("SNS:{action}"))),
        "Resource": store::topic_arn(&key),
    }));
    let text = policy.to_string();
    attributes::check_topic("Policy", &text, "")?;
    topic.attributes.insert("Policy".to_owned(), text);
    TOPICS.put(tx, &key, &topic)?;
    Ok(AddPermissionOutput {})
}

/// Removes the statement with this label; one that is not there is no error.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: RemovePermissionInput,
) -> Result<RemovePermissionOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let mut topic = store::topic(tx, &key)?;
    let mut policy = policy(&key, &topic);
    let statements = statements(&mut policy);
    statements.retain(|statement| statement["Sid"] != *input.label);
    // A policy without statements is none, and the default one takes its place.
    let text = if statements.is_empty() { String::new() } else { policy.to_string() };
    topic.attributes.insert("Policy".to_owned(), text);
    TOPICS.put(tx, &key, &topic)?;
    Ok(RemovePermissionOutput {})
}

fn policy(key: &TopicKey, topic: &Topic) -> Value {
    let known = serde_json::from_str(&policy_text(key, topic)).ok().filter(Value::is_object);
    known.unwrap_or_else(|| attributes::default_policy(&key.0, &store::topic_arn(key)))
}

/// The statements as a list; a single one may stand alone in a policy.
fn statements(policy: &mut Value) -> &mut Vec<Value> {
    let slot = &mut policy["Statement"];
    if !slot.is_array() {
        let single = slot.take();
        *slot = if single.is_null() { json!([]) } else { json!([single]) };
    }
    slot.as_array_mut().expect("it was just made a list")
}

fn one_or_more(texts: impl Iterator<Item = String>) -> Value {
    let mut texts: Vec<String> = texts.collect();
    if texts.len() == 1 { Value::from(texts.swap_remove(0)) } else { Value::from(texts) }
}
