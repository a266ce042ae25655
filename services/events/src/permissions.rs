//! Who may use a bus: its policy, and the operations that edit it.

use std::sync::Arc;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Fault, ParsedPolicies, PrincipalKind, ReadTx, ResourcePolicy, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    PutPermissionInput, PutPermissionOutput, RemovePermissionInput, RemovePermissionOutput,
};
use crate::rules::names::{self, BusKey, DEFAULT};
use crate::store::{self, BUSES, Bus};

/// How many letters a policy may have.
const LONGEST: usize = 10_240;
/// How many parsed policies are kept.
const CACHED: usize = 1024;

/// Parsed policies by their text, for they are needed with every call.
struct Parsed(ParsedPolicies);

/// The policy and owner of the bus that a check names, for the gateway; rules have none.
pub(crate) fn resource_policy(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(key) = names::bus_of_arn(resource) else { return Ok(None) };
    let document = match BUSES.get(tx, &key)?.and_then(|bus| bus.policy) {
        Some(text) => Some(parsed(tx, &text)?),
        None => None,
    };
    let policy = ResourcePolicy::new(key.0.clone(), document);
    let is_service = matches!(tx.request().principal.kind, PrincipalKind::Service { .. });
    Ok(Some(match key.2.as_str() {
        DEFAULT if is_service => {
            policy.with_grant("AWS services", parsed(tx, &services(&key).to_string())?)
        }
        _ => policy,
    }))
}

/// What AWS's services may do without being asked: send what happened in an account to its default bus.
fn services(key: &BusKey) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": [
                "kms.amazonaws.com", "monitoring.amazonaws.com", "s3.amazonaws.com",
                "secretsmanager.amazonaws.com", "ssm.amazonaws.com",
            ] },
            "Action": "events:PutEvents",
            "Resource": names::bus_arn(key),
            "Condition": { "StringEquals": { "aws:SourceAccount": key.0 } },
        }],
    })
}

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(CACHED))).0.get(text)
}

/// Adds a statement to a bus's policy, in place of one with the same id, or sets the policy.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutPermissionInput,
) -> Result<PutPermissionOutput, Error> {
    let key = names::bus(tx.request(), input.event_bus_name.as_deref());
    let mut bus = store::bus(tx, &key)?;
    let text = match input.policy {
        Some(policy) => whole(policy)?,
        None => {
            let statement = statement(&key, &input)?;
            let mut policy = policy_of(&bus);
            let statements = statements(&mut policy);
            statements.retain(|known| known["Sid"] != statement["Sid"]);
            statements.push(statement);
            policy.to_string()
        }
    };
    if text.chars().count() > LONGEST {
        // AWS's words are not known.
        let message = format!("The policy is longer than {LONGEST} characters.");
        return Err(Error::PolicyLengthExceededException(message));
    }
    Document::parse(&text, Kind::Resource).map_err(|fault| Error::invalid(fault.to_string()))?;
    bus.policy = Some(text);
    bus.modified_millis = Some(tx.now().millis());
    BUSES.put(tx, &key, &bus)?;
    Ok(PutPermissionOutput {})
}

fn whole(policy: String) -> Result<String, Error> {
    match serde_json::from_str::<Value>(&policy) {
        Ok(Value::Object(_)) => Ok(policy),
        // AWS's words are not known.
        _ => Err(Error::invalid("Parameter Policy is not valid. Reason: it is no JSON object.")),
    }
}

fn statement(key: &BusKey, input: &PutPermissionInput) -> Result<Value, Error> {
    let (Some(action), Some(principal), Some(statement_id)) =
        (&input.action, &input.principal, &input.statement_id)
    else {
        let message = "Parameter StatementId, Action and Principal, or Policy, must be specified.";
        return Err(Error::invalid(message));
    };
    if action != "events:PutEvents" {
        return Err(Error::invalid(format!(
            "Provided value in parameter 'action' is not supported: {action}"
        )));
    }
    let principal = match principal.as_str() {
        "*" => json!("*"),
        account => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
    };
    let mut statement = json!({
        "Sid": statement_id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": names::bus_arn(key),
    });
    if let Some(condition) = &input.condition {
        if condition.r#type != "StringEquals" || condition.key != "aws:PrincipalOrgID" {
            let message =
                "Parameter Condition is not valid: only StringEquals of aws:PrincipalOrgID is.";
            return Err(Error::invalid(message));
        }
        statement["Condition"] = json!({ &condition.r#type: { &condition.key: condition.value } });
    }
    Ok(statement)
}

/// Removes a statement, or all of them.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: RemovePermissionInput,
) -> Result<RemovePermissionOutput, Error> {
    let key = names::bus(tx.request(), input.event_bus_name.as_deref());
    let mut bus = store::bus(tx, &key)?;
    if input.remove_all_permissions == Some(true) {
        bus.policy = None;
    } else {
        let Some(statement_id) = input.statement_id else {
            let message = "Parameter StatementId is required.";
            return Err(Error::invalid(message));
        };
        if bus.policy.is_none() {
            let message = "EventBus does not have a policy.";
            return Err(Error::ResourceNotFoundException(message.to_owned()));
        }
        let mut policy = policy_of(&bus);
        let statements = statements(&mut policy);
        let before = statements.len();
        statements.retain(|known| known["Sid"] != *statement_id);
        if statements.len() == before {
            let message = "Statement with the provided id does not exist.";
            return Err(Error::ResourceNotFoundException(message.to_owned()));
        }
        bus.policy = if statements.is_empty() { None } else { Some(policy.to_string()) };
    }
    bus.modified_millis = Some(tx.now().millis());
    BUSES.put(tx, &key, &bus)?;
    Ok(RemovePermissionOutput {})
}

fn policy_of(bus: &Bus) -> Value {
    let known = bus.policy.as_deref().and_then(|text| serde_json::from_str(text).ok());
    known.unwrap_or_else(|| json!({ "Version": "2012-10-17", "Statement": [] }))
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
