//! Policies, and what they are attached to.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{self as rows, ATTACHED, POLICIES, Policy as Row, TARGETS};
use fogbank_identity::rows::changed;

use crate::error::Error;
use crate::model::{
    AttachPolicyInput, AttachPolicyOutput, CreatePolicyInput, CreatePolicyOutput,
    DeletePolicyInput, DeletePolicyOutput, DescribePolicyInput, DescribePolicyOutput,
    DetachPolicyInput, DetachPolicyOutput, ListPoliciesForTargetInput, ListPoliciesForTargetOutput,
    ListPoliciesInput, ListPoliciesOutput, ListTargetsForPolicyInput, ListTargetsForPolicyOutput,
    Policy, PolicySummary, PolicyTargetSummary, PolicyType, UpdatePolicyInput, UpdatePolicyOutput,
};
use crate::store::{self, Found, is_account};
use crate::{accounts, rules};

/// Creates a policy.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreatePolicyInput,
) -> Result<CreatePolicyOutput, Error> {
    let kind = rules::kind(input.r#type)?;
    let found = store::managed_of(tx, Some(kind))?;
    let tags = rules::tags(input.tags)?;
    rules::check_document(kind, &input.content)?;
    require_free(tx, &found, kind, &input.name)?;
    if ids(tx, &found, kind)?.len() >= rules::policies(kind) {
        let message = "You have exceeded the number of policies that you can have.";
        return Err(Error::constraint("POLICY_NUMBER_LIMIT_EXCEEDED", message));
    }
    let id = format!("p-{}", tx.ids().lower(8));
    let row = Row {
        name: input.name,
        description: input.description,
        kind: kind.to_owned(),
        content: input.content,
        tags,
    };
    POLICIES.put(tx, &(&*found.id, &*id), &row)?;
    Ok(CreatePolicyOutput { policy: Some(whole(tx, &found, &id)?) })
}

/// Refuses a name that another policy of the type has.
fn require_free(tx: &impl Tx, found: &Found, kind: &str, name: &str) -> Result<(), Error> {
    for id in ids(tx, found, kind)? {
        if summary(tx, found, &id)?.name.as_deref() == Some(name) {
            return Err(Error::DuplicatePolicyException);
        }
    }
    Ok(())
}

/// The ids of all policies of a type, AWS's own among them.
fn ids(tx: &impl Tx, found: &Found, kind: &str) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    let customers = store::keys(tx, &POLICIES, &*found.id, |(_, id)| id)?;
    let managed = rows::MANAGED.iter().map(|managed| managed.id.to_owned());
    for id in customers.into_iter().chain(managed) {
        if found.policy_kind(tx, &id)? == kind {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

fn summary(tx: &impl Tx, found: &Found, id: &str) -> Result<PolicySummary, Error> {
    let (name, description, kind) = match rows::managed(id) {
        Some(managed) => {
            (managed.name.to_owned(), managed.description.to_owned(), managed.kind.to_owned())
        }
        None => {
            let policy = found.policy(tx, id)?;
            (policy.name, policy.description, policy.kind)
        }
    };
    Ok(PolicySummary {
        id: Some(id.to_owned()),
        arn: Some(rows::policy_arn(&found.row.management, &found.id, &kind, id)),
        name: Some(name),
        description: Some(description),
        r#type: PolicyType::from_name(&kind),
        aws_managed: Some(rows::managed(id).is_some()),
    })
}

fn whole(tx: &impl Tx, found: &Found, id: &str) -> Result<Policy, Error> {
    let content = match rows::managed(id) {
        Some(managed) => managed.content.to_owned(),
        None => found.policy(tx, id)?.content,
    };
    Ok(Policy { policy_summary: Some(summary(tx, found, id)?), content: Some(content) })
}

/// Shows a policy.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribePolicyInput,
) -> Result<DescribePolicyOutput, Error> {
    let found = store::visible(tx)?;
    Ok(DescribePolicyOutput { policy: Some(whole(tx, &found, &input.policy_id)?) })
}

/// Changes a policy; what it is attached to feels it at once.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdatePolicyInput,
) -> Result<UpdatePolicyOutput, Error> {
    let found = store::managed(tx)?;
    let id = input.policy_id;
    refuse_managed(&id)?;
    let mut policy = found.policy(tx, &id)?;
    if let Some(content) = input.content {
        rules::check_document(&policy.kind, &content)?;
        policy.content = content;
    }
    if let Some(name) = input.name.filter(|name| *name != policy.name) {
        require_free(tx, &found, &policy.kind, &name)?;
        policy.name = name;
    }
    if let Some(description) = input.description {
        policy.description = description;
    }
    POLICIES.put(tx, &(&*found.id, &*id), &policy)?;
    changed(tx)?;
    Ok(UpdatePolicyOutput { policy: Some(whole(tx, &found, &id)?) })
}

fn refuse_managed(id: &str) -> Result<(), Error> {
    match rows::managed(id) {
        Some(_) => {
            let message = "You specified a policy that is managed by AWS and cannot be modified.";
            Err(Error::invalid("IMMUTABLE_POLICY", message))
        }
        None => Ok(()),
    }
}

/// Removes a policy that is attached to nothing.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeletePolicyInput,
) -> Result<DeletePolicyOutput, Error> {
    let found = store::managed(tx)?;
    let id = input.policy_id;
    refuse_managed(&id)?;
    found.policy(tx, &id)?;
    if !store::keys(tx, &TARGETS, &(&*found.id, &*id), |key| key)?.is_empty() {
        return Err(Error::PolicyInUseException);
    }
    POLICIES.delete(tx, &(&*found.id, &*id))?;
    Ok(DeletePolicyOutput {})
}

/// Lists the policies of a type.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListPoliciesInput) -> Result<ListPoliciesOutput, Error> {
    let kind = rules::kind(input.filter)?;
    let found = store::visible_of(tx, Some(kind))?;
    let ids = ids(tx, &found, kind)?;
    let (ids, next_token) = rules::page(ids, input.next_token.as_deref(), input.max_results)?;
    let policies = ids.iter().map(|id| summary(tx, &found, id)).collect::<Result<_, _>>()?;
    Ok(ListPoliciesOutput { policies: Some(policies), next_token })
}

/// Attaches a policy to a root, unit or account.
pub(crate) fn attach(
    tx: &mut WriteTx<'_>,
    input: AttachPolicyInput,
) -> Result<AttachPolicyOutput, Error> {
    let found = store::managed(tx)?;
    let AttachPolicyInput { policy_id: policy, target_id: target } = input;
    let kind = found.policy_kind(tx, &policy)?;
    found.require_target(tx, &target)?;
    if !found.row.policy_types.contains(&kind) {
        return Err(Error::PolicyTypeNotEnabledException);
    }
    if ATTACHED.contains(tx, &(&*found.id, &*target, &*policy))? {
        return Err(Error::DuplicatePolicyAttachmentException);
    }
    if found.attached(tx, &target, &kind)?.len() >= rules::attachments(&kind) {
        let message = "You have exceeded the number of policies that you can attach to the target.";
        return Err(Error::constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message));
    }
    found.attach(tx, &policy, &target)?;
    Ok(AttachPolicyOutput {})
}

/// Detaches a policy. One policy of each type that decides calls must stay.
pub(crate) fn detach(
    tx: &mut WriteTx<'_>,
    input: DetachPolicyInput,
) -> Result<DetachPolicyOutput, Error> {
    let found = store::managed(tx)?;
    let DetachPolicyInput { policy_id: policy, target_id: target } = input;
    let kind = found.policy_kind(tx, &policy)?;
    found.require_target(tx, &target)?;
    if !ATTACHED.contains(tx, &(&*found.id, &*target, &*policy))? {
        return Err(Error::PolicyNotAttachedException);
    }
    if store::is_control(&kind) && found.attached(tx, &target, &kind)?.len() == 1 {
        let message = "You cannot remove the last policy attached to the specified target. You \
                       must have at least one attached at all times.";
        return Err(Error::constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message));
    }
    // AWS lets nobody take this one away; everything would be refused.
    if policy == "p-RCPFullAWSAccess" {
        let message = "You cannot detach the policy RCPFullAWSAccess.";
        return Err(Error::constraint("CANNOT_DETACH_RCP_FULL_AWS_ACCESS", message));
    }
    found.detach(tx, &policy, &target)?;
    Ok(DetachPolicyOutput {})
}

/// Lists what a policy is attached to.
pub(crate) fn list_targets(
    tx: &ReadTx<'_>,
    input: ListTargetsForPolicyInput,
) -> Result<ListTargetsForPolicyOutput, Error> {
    let found = store::visible(tx)?;
    let policy = input.policy_id;
    found.policy_kind(tx, &policy)?;
    let targets = store::keys(tx, &TARGETS, &(&*found.id, &*policy), |(_, _, target)| target)?;
    let (targets, next_token) =
        rules::page(targets, input.next_token.as_deref(), input.max_results)?;
    let shown = targets.into_iter().map(|id| target(tx, &found, id)).collect::<Result<_, _>>()?;
    Ok(ListTargetsForPolicyOutput { targets: Some(shown), next_token })
}

fn target(tx: &impl Tx, found: &Found, id: String) -> Result<PolicyTargetSummary, Error> {
    let management = &found.row.management;
    let (name, kind, arn) = if is_account(&id) {
        (found.account(tx, &id)?.name, "ACCOUNT", accounts::arn(found, &id))
    } else {
        let unit = found.unit(tx, &id)?.ok_or(Error::TargetNotFoundException)?;
        let (kind, noun) =
            if unit.parent.is_empty() { ("ROOT", "root") } else { ("ORGANIZATIONAL_UNIT", "ou") };
        let arn = format!("arn:aws:organizations::{management}:{noun}/{}/{id}", found.id);
        (unit.name, kind, arn)
    };
    Ok(PolicyTargetSummary {
        target_id: Some(id),
        arn: Some(arn),
        name: Some(name),
        r#type: Some(kind.to_owned()),
    })
}

/// Lists the policies of a type that are attached to a target itself.
pub(crate) fn list_for_target(
    tx: &ReadTx<'_>,
    input: ListPoliciesForTargetInput,
) -> Result<ListPoliciesForTargetOutput, Error> {
    let found = store::visible(tx)?;
    found.require_target(tx, &input.target_id)?;
    let ids = found.attached(tx, &input.target_id, rules::kind(input.filter)?)?;
    let (ids, next_token) = rules::page(ids, input.next_token.as_deref(), input.max_results)?;
    let policies = ids.iter().map(|id| summary(tx, &found, id)).collect::<Result<_, _>>()?;
    Ok(ListPoliciesForTargetOutput { policies: Some(policies), next_token })
}
