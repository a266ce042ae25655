//! Effective policies: what the tag policies above an account come to.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{self as rows, POLICIES};

use crate::error::Error;
use crate::inheritance::Node;
use crate::model::{
    DescribeEffectivePolicyInput, DescribeEffectivePolicyOutput, EffectivePolicy,
    EffectivePolicyType, EnableAllFeaturesInput, EnableAllFeaturesOutput,
    HandshakeConstraintViolationException, ListAccountsWithInvalidEffectivePolicyInput,
    ListAccountsWithInvalidEffectivePolicyOutput, ListEffectivePolicyValidationErrorsInput,
    ListEffectivePolicyValidationErrorsOutput,
};
use crate::rules::TAG_POLICY;
use crate::store::{self, Found, is_account};

/// Shows what the policies of a type come to for an account, a unit or the root; a member sees its own.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeEffectivePolicyInput,
) -> Result<DescribeEffectivePolicyOutput, Error> {
    let target = input.target_id.unwrap_or_else(|| tx.account().to_owned());
    let found = match target == tx.account() {
        true => store::organization(tx)?,
        false => store::visible(tx)?,
    };
    found.require_target(tx, &target)?;
    let content = effective(tx, &found, input.policy_type.as_str(), &target)?;
    let content = content.ok_or(Error::EffectivePolicyNotFoundException)?;
    Ok(DescribeEffectivePolicyOutput {
        effective_policy: Some(EffectivePolicy {
            policy_content: Some(content),
            // It is made of what lies above at this moment.
            last_updated_timestamp: Some(tx.now()),
            target_id: Some(target),
            policy_type: Some(input.policy_type),
        }),
    })
}

/// What the policies of a type come to for a target; none if there is nothing.
fn effective(
    tx: &impl Tx,
    found: &Found,
    kind: &str,
    target: &str,
) -> Result<Option<String>, Error> {
    if kind != TAG_POLICY || !found.row.policy_types.iter().any(|known| known == kind) {
        return Ok(None);
    }
    let mut node = Node::default();
    for id in lineage(tx, found, target)? {
        let mut documents = Vec::new();
        for policy in found.attached(tx, &id, kind)? {
            let row = POLICIES.get(tx, &(&*found.id, &*policy))?;
            documents.extend(row.and_then(|row| serde_json::from_str(&row.content).ok()));
        }
        node.apply_level(&documents);
    }
    Ok(node.effective().map(|document| document.to_string()))
}

/// The root, units and account from the root down to a target.
fn lineage(tx: &impl Tx, found: &Found, target: &str) -> Result<Vec<String>, Error> {
    if is_account(target) {
        let row = found.account(tx, target)?;
        return Ok(rows::lineage(tx, target, &row)?);
    }
    let mut ids = Vec::new();
    let mut above = target.to_owned();
    while let Some(unit) = found.unit(tx, &above)? {
        ids.push(std::mem::replace(&mut above, unit.parent));
    }
    ids.reverse();
    Ok(ids)
}

/// Lists the accounts whose effective policy is not valid. There are none: what cannot be merged is refused when it is
/// written, and the values of tag policies are not checked further.
pub(crate) fn list_invalid(
    tx: &ReadTx<'_>,
    input: ListAccountsWithInvalidEffectivePolicyInput,
) -> Result<ListAccountsWithInvalidEffectivePolicyOutput, Error> {
    require_enabled(&store::visible(tx)?, input.policy_type)?;
    Ok(ListAccountsWithInvalidEffectivePolicyOutput {
        accounts: Some(Vec::new()),
        policy_type: Some(input.policy_type),
        next_token: None,
    })
}

/// Lists what is wrong with an account's effective policy, which is nothing.
pub(crate) fn list_errors(
    tx: &ReadTx<'_>,
    input: ListEffectivePolicyValidationErrorsInput,
) -> Result<ListEffectivePolicyValidationErrorsOutput, Error> {
    let found = store::visible(tx)?;
    require_enabled(&found, input.policy_type)?;
    found.account(tx, &input.account_id)?;
    let path = lineage(tx, &found, &input.account_id)?.join("/");
    Ok(ListEffectivePolicyValidationErrorsOutput {
        path: Some(format!("{}/{path}/", found.id)),
        account_id: Some(input.account_id),
        policy_type: Some(input.policy_type),
        evaluation_timestamp: Some(tx.now()),
        next_token: None,
        effective_policy_validation_errors: Some(Vec::new()),
    })
}

fn require_enabled(found: &Found, kind: EffectivePolicyType) -> Result<(), Error> {
    match found.row.policy_types.iter().any(|known| known == kind.as_str()) {
        true => Ok(()),
        false => Err(Error::EffectivePolicyNotFoundException),
    }
}

/// Enables all features, which every organization here has.
pub(crate) fn enable_all_features(
    tx: &mut WriteTx<'_>,
    _: EnableAllFeaturesInput,
) -> Result<EnableAllFeaturesOutput, Error> {
    store::managed(tx)?;
    let members = HandshakeConstraintViolationException {
        reason: Some("ORGANIZATION_ALREADY_HAS_ALL_FEATURES".to_owned()),
        ..HandshakeConstraintViolationException::default()
    };
    let message = "Your organization already has all features enabled.";
    let fault = fogbank_core::Fault::new("HandshakeConstraintViolationException", message);
    Err(Error::Fault(fault.with_members(members)))
}
