//! Who may use a queue: its policy, and the operations that edit it.

use std::sync::Arc;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Arn, Fault, ParsedPolicies, ReadTx, ResourcePolicy, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    self, AddPermissionInput, AddPermissionOutput, RemovePermissionInput, RemovePermissionOutput,
};
use crate::rules::names;
use crate::store::{self, QUEUES};

/// How many parsed policies are kept.
const CACHED: usize = 1024;

/// Parsed policies by their text, for they are needed with every call.
struct Parsed(ParsedPolicies);

/// The policy and owner of the queue with this ARN, for the gateway.
pub(crate) fn resource_policy(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(arn) = Arn::parse(resource) else { return Ok(None) };
    let queue = QUEUES.get(tx, &(arn.account, arn.region, arn.resource))?;
    let document = match queue.and_then(|queue| queue.settings.policy) {
        Some(text) => Some(parsed(tx, &text)?),
        None => None,
    };
    Ok(Some(ResourcePolicy::new(arn.account, document)))
}

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(CACHED))).0.get(text)
}

/// Adds a statement that lets accounts use the queue.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: AddPermissionInput,
) -> Result<AddPermissionOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let mut queue = store::queue(tx, &key)?;
    let AddPermissionInput { label, actions, aws_account_ids, .. } = input;
    check_actions(&actions)?;
    if aws_account_ids.is_empty() {
        return Err(Error::MissingRequiredParameterException("AWSAccountIds"));
    }
    let arn = store::queue_arn(&key);
    let mut policy = policy(queue.settings.policy.as_deref(), &arn);
    let statements = statements(&mut policy);
    if statements.iter().any(|statement| statement["Sid"] == *label) {
        return Err(Error::value(&label, "Label", "Already exists."));
    }
    let accounts = aws_account_ids.iter().map(|account| match account.as_str() {
        "*" => "*".to_owned(),
        account => format!("arn:aws:iam::{account}:root"),
    });
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_more(accounts)},
        "Action": one_or_more(actions.iter().map(|action| format!("SQS:{action}"))),
        "Resource": arn,
    }));
    let text = policy.to_string();
    // An account id that is none makes a policy that cannot be used.
    Document::parse(&text, Kind::Resource)
        .map_err(|_| Error::value(aws_account_ids.join(","), "PrincipalId", "Unable to verify."))?;
    queue.settings.policy = Some(text);
    queue.modified_secs = tx.now().secs();
    QUEUES.put(tx, &key, &queue)?;
    Ok(AddPermissionOutput {})
}

/// Removes the statement with this label.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: RemovePermissionInput,
) -> Result<RemovePermissionOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let mut queue = store::queue(tx, &key)?;
    let mut policy = policy(queue.settings.policy.as_deref(), &store::queue_arn(&key));
    let statements = statements(&mut policy);
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != *input.label);
    if statements.len() == before {
        return Err(Error::value(&input.label, "Label", "can't find label."));
    }
    queue.settings.policy = (!statements.is_empty()).then(|| policy.to_string());
    queue.modified_secs = tx.now().secs();
    QUEUES.put(tx, &key, &queue)?;
    Ok(RemovePermissionOutput {})
}

fn check_actions(actions: &[String]) -> Result<(), Error> {
    let knows = |action: &str| {
        action == "*" || model::SERVICE.operations.iter().any(|operation| operation.name == action)
    };
    if actions.is_empty() {
        return Err(Error::MissingRequiredParameterException("Actions"));
    }
    match actions.iter().find(|action| !knows(action)) {
        Some(unknown) => Err(Error::value(
            format!("SQS:{unknown}"),
            "ActionName",
            "Please refer to the appropriate WSDL for a list of valid actions. ",
        )),
        None => Ok(()),
    }
}

/// The queue's policy, or the empty one that AWS begins with.
fn policy(text: Option<&str>, queue_arn: &str) -> Value {
    let known = text.and_then(|text| serde_json::from_str(text).ok()).filter(Value::is_object);
    known.unwrap_or_else(|| {
        json!({
            "Version": "2008-10-17",
            "Id": format!("{queue_arn}/SQSDefaultPolicy"),
            "Statement": [],
        })
    })
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
