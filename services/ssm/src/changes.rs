//! What EventBridge hears of parameters: that they changed, and that their policies acted.

use fogbank_core::outbox::ServiceEvent;
use fogbank_core::{Effect, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::store::{self, Parameter, ParameterKey, Policy, Version};

/// Tells of a change: `Create`, `Update`, `Delete` or `LabelParameterVersion`.
pub(crate) fn tell(
    tx: &mut WriteTx<'_>,
    key: &ParameterKey,
    operation: &str,
    version: &Version,
) -> Result<(), Error> {
    let mut detail = json!({ "operation": operation, "name": key.2, "type": version.kind });
    if let Some(description) = &version.description {
        detail["description"] = description.clone().into();
    }
    send(tx, key, "Parameter Store Change", detail)
}

/// Tells that a policy of a parameter acted. The words of the reason are ours.
pub(crate) fn tell_policy(
    tx: &mut WriteTx<'_>,
    key: &ParameterKey,
    policy: &Policy,
    version: &Version,
) -> Result<(), Error> {
    let detail = json!({
        "policy-type": policy.kind,
        "parameter-name": key.2,
        "parameter-type": version.kind,
        "policy-content": policy.text,
        "action-status": "Success",
        "action-reason": format!("The time of the policy {} has come.", policy.kind),
    });
    send(tx, key, "Parameter Store Policy Action", detail)
}

fn send(
    tx: &mut WriteTx<'_>,
    key: &ParameterKey,
    detail_type: &str,
    detail: Value,
) -> Result<(), Error> {
    let event = ServiceEvent {
        sender: "ssm.amazonaws.com",
        source: "aws.ssm",
        detail_type,
        resource: &store::arn_of(key),
        detail,
    };
    Ok(tx.emit(Effect::event(&event, (&key.0, &key.1), tx.now()))?)
}

/// Removes a parameter, and tells of it.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    key: &ParameterKey,
    parameter: &Parameter,
) -> Result<(), Error> {
    let version = store::latest(tx, key, parameter)?;
    store::remove(tx, key, parameter)?;
    tell(tx, key, "Delete", &version)
}
