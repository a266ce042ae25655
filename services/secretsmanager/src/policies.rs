//! Resource policies: who else may use a secret.

use std::sync::Arc;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Check, Fault, ParsedPolicies, ReadTx, ResourcePolicy, Tx, WriteTx};
use serde_json::Value;

use crate::error::Error;
use crate::model::{
    DeleteResourcePolicyInput, DeleteResourcePolicyOutput, GetResourcePolicyInput,
    GetResourcePolicyOutput, ListResourcePoliciesInput, ListResourcePoliciesOutput,
    PutResourcePolicyInput, PutResourcePolicyOutput, ResourcePolicySummary,
    ValidateResourcePolicyInput, ValidateResourcePolicyOutput, ValidationErrorsEntry,
};
use crate::rules::identifier::Identifier;
use crate::store::{self, POLICIES};
use crate::{access, cross_account, replication};

/// The name of the only policy that callers can attach.
const DEFAULT: &str = "default";
/// How many parsed policies are kept.
const CACHED: usize = 1024;

const NO_JSON: &str = "This resource policy contains a syntax error.";
const BROAD: &str = "This resource policy grants broad access to your secret. Secrets Manager does not allow \
                     creating and applying such policies in the console.";
const LOCKOUT: &str =
    "Your requested changes will not allow you to manage this secret in the future.";

/// Attaches a policy to a secret.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput, Error> {
    require_default(input.policy_name.as_deref())?;
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::primary(tx, &id)?;
    Document::parse(&input.resource_policy, Kind::Resource)
        .map_err(|fault| Error::MalformedPolicyDocumentException(fault.to_string()))?;
    if input.block_public_policy.unwrap_or_default() && is_broad(&input.resource_policy) {
        return Err(Error::PublicPolicyException(
            "You can't attach a resource-based policy that allows broad access to the secret."
                .to_owned(),
        ));
    }
    POLICIES.put(tx, &key, &input.resource_policy)?;
    replication::copy_policy(tx, &key, &secret)?;
    Ok(PutResourcePolicyOutput {
        arn: Some(secret.arn(&key)),
        name: Some(key.2),
        policy_name: Some(DEFAULT.to_owned()),
    })
}

/// Shows a secret's policy; a secret without one is shown without.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetResourcePolicyInput,
) -> Result<GetResourcePolicyOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::usable(tx, &id)?;
    if input.policy_name.as_deref() == Some(cross_account::POLICY)
        && let Some(policy) = cross_account::policy(tx, &key, &secret)?
    {
        return Ok(GetResourcePolicyOutput {
            arn: Some(secret.arn(&key)),
            resource_policy: Some(policy),
            name: Some(key.2),
            policy_name: input.policy_name,
        });
    }
    if input.policy_name.as_deref().is_some_and(|name| name != DEFAULT) {
        // AWS's words are not known.
        return Err(Error::ResourceNotFoundException(
            "Secrets Manager can't find the specified resource policy.".to_owned(),
        ));
    }
    Ok(GetResourcePolicyOutput {
        arn: Some(secret.arn(&key)),
        resource_policy: POLICIES.get(tx, &key)?,
        name: Some(key.2),
        policy_name: Some(DEFAULT.to_owned()),
    })
}

/// Removes a secret's policy.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteResourcePolicyInput,
) -> Result<DeleteResourcePolicyOutput, Error> {
    require_default(input.policy_name.as_deref())?;
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::primary(tx, &id)?;
    POLICIES.delete(tx, &key)?;
    replication::copy_policy(tx, &key, &secret)?;
    Ok(DeleteResourcePolicyOutput {
        arn: Some(secret.arn(&key)),
        name: Some(key.2),
        policy_name: Some(DEFAULT.to_owned()),
    })
}

/// Lists the names of a secret's policies.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListResourcePoliciesInput,
) -> Result<ListResourcePoliciesOutput, Error> {
    if input.next_token.is_some() {
        // There is never a second page.
        return Err(access::bad_token());
    }
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::usable(tx, &id)?;
    let accepting = cross_account::policy(tx, &key, &secret)?.map(|_| cross_account::POLICY);
    let default = POLICIES.contains(tx, &key)?.then_some(DEFAULT);
    let summary = |name: &str| ResourcePolicySummary { policy_name: Some(name.to_owned()) };
    let resource_policies = default.into_iter().chain(accepting).map(summary).collect();
    Ok(ListResourcePoliciesOutput { resource_policies: Some(resource_policies), next_token: None })
}

/// Says whether a policy could be attached, and what is wrong with it.
pub(crate) fn validate(
    tx: &ReadTx<'_>,
    input: ValidateResourcePolicyInput,
) -> Result<ValidateResourcePolicyOutput, Error> {
    if let Some(secret_id) = &input.secret_id {
        let id = access::identifier(tx.request(), secret_id)?;
        store::usable(tx, &id)?;
    }
    let mut errors = Vec::new();
    let mut add = |check: &str, message: &str| {
        errors.push(ValidationErrorsEntry {
            check_name: Some(check.to_owned()),
            error_message: Some(message.to_owned()),
        });
    };
    // The names of the checks are a guess; the messages are those of AWS's user guide.
    if Document::parse(&input.resource_policy, Kind::Resource).is_err() {
        add("SYNTAX_CHECK", NO_JSON);
    } else {
        if is_broad(&input.resource_policy) {
            add("PUBLIC_POLICY_CHECK", BROAD);
        }
        if locks_out(&input.resource_policy) {
            add("LOCKOUT_CHECK", LOCKOUT);
        }
    }
    Ok(ValidateResourcePolicyOutput {
        policy_validation_passed: Some(errors.is_empty()),
        validation_errors: Some(errors),
    })
}

fn require_default(name: Option<&str>) -> Result<(), Error> {
    match name {
        None | Some(DEFAULT) => Ok(()),
        // AWS's words are not known.
        Some(_) => Err(Error::invalid("You can only modify the default resource policy.")),
    }
}

/// Condition keys that keep a statement for everybody from being public, if they name somebody.
const NARROWING: [&str; 9] = [
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:principalorgid",
    "aws:principalarn",
    "aws:principalaccount",
    "kms:calleraccount",
];

fn statements(policy: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    }
}

/// Whether an element is `*`, alone or in a list.
fn is_anything(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "*",
        Value::Array(values) => values.iter().any(is_anything),
        _ => false,
    }
}

fn is_for_everybody(statement: &Value) -> bool {
    let Some(principal) = statement.get("Principal") else { return false };
    is_anything(principal) || principal.get("AWS").is_some_and(is_anything)
}

/// Whether a policy lets everybody in: AWS asks a theorem prover, this looks for `*` without a narrowing condition.
fn is_broad(policy: &str) -> bool {
    let narrows = |conditions: &Value| {
        let keys = conditions.as_object().into_iter().flat_map(|operators| operators.values());
        keys.filter_map(Value::as_object).any(|keys| {
            keys.iter().any(|(key, value)| {
                NARROWING.contains(&key.to_lowercase().as_str()) && !is_anything(value)
            })
        })
    };
    statements(policy).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && is_for_everybody(statement)
            && !statement.get("Condition").is_some_and(narrows)
    })
}

/// Whether a policy denies everybody everything.
fn locks_out(policy: &str) -> bool {
    let is_everything = |action: &Value| match action {
        Value::String(text) => text == "*" || text == "secretsmanager:*",
        Value::Array(actions) => {
            actions.iter().any(|action| action == "*" || action == "secretsmanager:*")
        }
        _ => false,
    };
    statements(policy).iter().any(|statement| {
        statement["Effect"] == "Deny"
            && is_for_everybody(statement)
            && statement.get("Condition").is_none()
            && statement.get("Action").is_some_and(is_everything)
    })
}

/// Parsed policies by their text, for they are needed with every call.
struct Parsed(ParsedPolicies);

/// The policy and owner of the secret with this ARN, for the gateway.
pub(crate) fn resource_policy(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let id = Identifier::parse(resource, "", "");
    if id.account.is_empty() {
        return Ok(None);
    }
    let (text, accepting) = match store::look_up(tx, &id)? {
        Some((key, secret)) => (POLICIES.get(tx, &key)?, cross_account::policy(tx, &key, &secret)?),
        None => (None, None),
    };
    let document = text.map(|text| parsed(tx, &text)).transpose()?;
    let policy = ResourcePolicy::new(id.account, document);
    Ok(Some(match accepting {
        Some(text) => policy.with_grant(cross_account::POLICY, parsed(tx, &text)?),
        None => policy,
    }))
}

/// The tags of the secret with this ARN, for calls that are not its own.
pub(crate) fn resource_tags(
    tx: &ReadTx<'_>,
    check: &Check,
) -> Result<Vec<(String, String)>, Fault> {
    let found = store::look_up(tx, &Identifier::parse(&check.resource, "", ""))?;
    Ok(found.map(|(_, secret)| secret.tags).unwrap_or_default())
}

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(CACHED))).0.get(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_broad_unless_a_condition_names_somebody() {
        let policy = |principal: &str, condition: &str| {
            format!(
                r#"{{"Statement": {{"Effect": "Allow", "Principal": {principal}, "Action": "*"{condition}}}}}"#
            )
        };
        assert!(is_broad(&policy("\"*\"", "")));
        assert!(is_broad(&policy(r#"{"AWS": ["x", "*"]}"#, "")));
        assert!(!is_broad(&policy(r#"{"AWS": "arn:aws:iam::1:root"}"#, "")));
        let org = r#", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}"#;
        assert!(!is_broad(&policy("\"*\"", org)));
        let nobody = r#", "Condition": {"ArnLike": {"aws:SourceArn": "*"}}"#;
        assert!(is_broad(&policy("\"*\"", nobody)));
        let deny = r#"{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*"}]}"#;
        assert!(locks_out(deny) && !is_broad(deny));
        assert!(!locks_out(&policy("\"*\"", "")));
    }
}
