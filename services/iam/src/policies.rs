//! Managed policies and their versions.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::managed::{self, AwsPolicy};
use fogbank_identity::rows::{self, ManagedPolicy, POLICIES, fold};

use crate::error::Error;
use crate::model::{
    CreatePolicyInput, CreatePolicyOutput, CreatePolicyVersionInput, CreatePolicyVersionOutput,
    DeletePolicyInput, DeletePolicyOutput, DeletePolicyVersionInput, DeletePolicyVersionOutput,
    GetPolicyInput, GetPolicyOutput, GetPolicyVersionInput, GetPolicyVersionOutput,
    ListPoliciesInput, ListPoliciesOutput, ListPolicyVersionsInput, ListPolicyVersionsOutput,
    Policy, PolicyScopeType, PolicyUsageType, PolicyVersion, SetDefaultPolicyVersionInput,
    SetDefaultPolicyVersionOutput,
};
use crate::rules::{self, Page};
use crate::store::{self, Use, Uses};

/// Creates a managed policy; its document is version 1.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreatePolicyInput,
) -> Result<CreatePolicyOutput, Error> {
    rules::check_policy(&input.policy_document)?;
    if POLICIES.contains(tx, &(tx.account(), fold(&input.policy_name)))? {
        return Err(Error::EntityAlreadyExistsException(format!(
            "A policy called {} already exists. Duplicate names are not allowed.",
            input.policy_name
        )));
    }
    let now = tx.now().secs();
    let first =
        rows::PolicyVersion { number: 1, document: input.policy_document, created_secs: now };
    let policy = ManagedPolicy {
        name: input.policy_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: format!("ANPA{}", tx.ids().upper(17)),
        description: input.description.filter(|text| !text.is_empty()),
        created_secs: now,
        updated_secs: now,
        default_version: 1,
        next_version: 2,
        versions: vec![first],
        tags: rules::tags(input.tags.unwrap_or_default())?,
    };
    store::save_policy(tx, &policy)?;
    Ok(CreatePolicyOutput { policy: Some(shown(tx, &policy)?) })
}

/// Shows a managed policy, AWS's or the account's.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetPolicyInput) -> Result<GetPolicyOutput, Error> {
    let policy = match managed::find(&input.policy_arn) {
        Some(policy) => shown_aws(policy, store::uses_of(tx, &input.policy_arn)?),
        None => shown(tx, &store::policy(tx, &input.policy_arn)?)?,
    };
    Ok(GetPolicyOutput { policy: Some(policy) })
}

/// Lists the managed policies under a path: the account's, then AWS's.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListPoliciesInput) -> Result<ListPoliciesOutput, Error> {
    let scope = input.scope.unwrap_or(PolicyScopeType::All);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let mut policies = Vec::new();
    if scope != PolicyScopeType::Aws {
        for (_, policy) in POLICIES.list(tx, &(tx.account(),))? {
            if policy.path.starts_with(prefix) {
                policies.push(Policy { description: None, tags: None, ..shown(tx, &policy)? });
            }
        }
    }
    if scope != PolicyScopeType::Local {
        let uses = store::all_uses(tx)?;
        for policy in managed::all().iter().filter(|policy| policy.path.starts_with(prefix)) {
            let uses = uses.get(&policy.arn()).copied().unwrap_or_default();
            policies.push(shown_aws(policy, uses));
        }
    }
    let only_attached = input.only_attached.unwrap_or_default();
    policies.retain(|policy| {
        let is_attached = policy.attachment_count.unwrap_or_default() > 0;
        let is_boundary = policy.permissions_boundary_usage_count.unwrap_or_default() > 0;
        let is_used = match input.policy_usage_filter {
            Some(PolicyUsageType::PermissionsPolicy) => is_attached,
            Some(PolicyUsageType::PermissionsBoundary) => is_boundary,
            None => true,
        };
        is_used && (!only_attached || is_attached)
    });
    let arn = |policy: &Policy| policy.arn.clone().unwrap_or_default();
    let page = Page::of(policies, arn, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    Ok(ListPoliciesOutput { policies: Some(page.items), is_truncated, marker: page.marker })
}

/// Deletes a managed policy that nobody uses and that has one version.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeletePolicyInput,
) -> Result<DeletePolicyOutput, Error> {
    let policy = store::policy(tx, &input.policy_arn)?;
    let uses = store::count_uses(tx, &input.policy_arn, Use::Policy)?
        + store::count_uses(tx, &input.policy_arn, Use::Boundary)?;
    if uses > 0 {
        return Err(Error::DeleteConflictException("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(Error::DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's \
             versions. The default version is deleted with the policy.",
        ));
    }
    let key = (tx.account().to_owned(), fold(&policy.name));
    POLICIES.delete(tx, &key)?;
    rows::changed(tx)?;
    Ok(DeletePolicyOutput {})
}

/// Adds a version.
pub(crate) fn create_version(
    tx: &mut WriteTx<'_>,
    input: CreatePolicyVersionInput,
) -> Result<CreatePolicyVersionOutput, Error> {
    let mut policy = store::policy(tx, &input.policy_arn)?;
    rules::check_policy(&input.policy_document)?;
    if policy.versions.len() >= rules::VERSIONS_PER_POLICY {
        return Err(Error::LimitExceededException(format!(
            "A managed policy can have up to {} versions. Before you create a new version, you must delete an \
             existing version.",
            rules::VERSIONS_PER_POLICY
        )));
    }
    let number = policy.next_version;
    let now = tx.now().secs();
    let version =
        rows::PolicyVersion { number, document: input.policy_document, created_secs: now };
    if input.set_as_default.unwrap_or_default() {
        policy.default_version = number;
    }
    policy.next_version += 1;
    policy.updated_secs = now;
    let shown = PolicyVersion { document: None, ..shown_version(&policy, &version) };
    policy.versions.push(version);
    store::save_policy(tx, &policy)?;
    Ok(CreatePolicyVersionOutput { policy_version: Some(shown) })
}

/// Shows a version with its document.
pub(crate) fn get_version(
    tx: &ReadTx<'_>,
    input: GetPolicyVersionInput,
) -> Result<GetPolicyVersionOutput, Error> {
    let arn = &input.policy_arn;
    let version = match managed::find(arn) {
        Some(policy) if input.version_id == format!("v{}", policy.version) => PolicyVersion {
            document: Some(rules::url_encoded(&policy.document())),
            ..shown_aws_version(policy)
        },
        Some(_) => return Err(no_version(arn, &input.version_id)),
        None => {
            let policy = store::policy(tx, arn)?;
            let number = number(arn, &input.version_id)?;
            let version = policy.version(number);
            let version = version.ok_or_else(|| no_version(arn, &input.version_id))?;
            shown_version(&policy, version)
        }
    };
    Ok(GetPolicyVersionOutput { policy_version: Some(version) })
}

/// Lists the versions, the newest first, without their documents.
pub(crate) fn list_versions(
    tx: &ReadTx<'_>,
    input: ListPolicyVersionsInput,
) -> Result<ListPolicyVersionsOutput, Error> {
    let versions = match managed::find(&input.policy_arn) {
        Some(policy) => vec![shown_aws_version(policy)],
        None => {
            let policy = store::policy(tx, &input.policy_arn)?;
            let versions = policy.versions.iter().rev();
            let bare =
                |version| PolicyVersion { document: None, ..shown_version(&policy, version) };
            versions.map(bare).collect()
        }
    };
    let id = |version: &PolicyVersion| version.version_id.clone().unwrap_or_default();
    let page = Page::of(versions, id, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    Ok(ListPolicyVersionsOutput { versions: Some(page.items), is_truncated, marker: page.marker })
}

/// Deletes a version that is not in force.
pub(crate) fn delete_version(
    tx: &mut WriteTx<'_>,
    input: DeletePolicyVersionInput,
) -> Result<DeletePolicyVersionOutput, Error> {
    let mut policy = store::policy(tx, &input.policy_arn)?;
    let number = number(&input.policy_arn, &input.version_id)?;
    if number == policy.default_version {
        return Err(Error::DeleteConflictException(
            "Cannot delete the default version of a policy.",
        ));
    }
    let index = policy.versions.iter().position(|version| version.number == number);
    let index = index.ok_or_else(|| no_version(&input.policy_arn, &input.version_id))?;
    policy.versions.remove(index);
    policy.updated_secs = tx.now().secs();
    store::save_policy(tx, &policy)?;
    Ok(DeletePolicyVersionOutput {})
}

/// Puts a version in force.
pub(crate) fn set_default_version(
    tx: &mut WriteTx<'_>,
    input: SetDefaultPolicyVersionInput,
) -> Result<SetDefaultPolicyVersionOutput, Error> {
    let mut policy = store::policy(tx, &input.policy_arn)?;
    let number = number(&input.policy_arn, &input.version_id)?;
    if policy.version(number).is_none() {
        return Err(no_version(&input.policy_arn, &input.version_id));
    }
    policy.default_version = number;
    policy.updated_secs = tx.now().secs();
    store::save_policy(tx, &policy)?;
    Ok(SetDefaultPolicyVersionOutput {})
}

fn number(arn: &str, version_id: &str) -> Result<u32, Error> {
    let digits = version_id.strip_prefix('v').unwrap_or_default();
    digits.parse().map_err(|_| no_version(arn, version_id))
}

fn no_version(arn: &str, version_id: &str) -> Error {
    Error::NoSuchEntityException(format!(
        "Policy {arn} version {version_id} does not exist or is not attachable."
    ))
}

/// A policy as its own answers show it.
pub(crate) fn shown(tx: &impl Tx, policy: &ManagedPolicy) -> Result<Policy, Error> {
    let arn = policy.arn(tx.account());
    Ok(Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: Some(store::count_uses(tx, &arn, Use::Policy)?),
        permissions_boundary_usage_count: Some(store::count_uses(tx, &arn, Use::Boundary)?),
        arn: Some(arn),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: store::time(policy.created_secs),
        update_date: store::time(policy.updated_secs),
        tags: Some(rules::shown_tags(&policy.tags)),
    })
}

/// A version with its document.
pub(crate) fn shown_version(
    policy: &ManagedPolicy,
    version: &rows::PolicyVersion,
) -> PolicyVersion {
    PolicyVersion {
        document: Some(rules::url_encoded(&version.document)),
        version_id: Some(format!("v{}", version.number)),
        is_default_version: Some(version.number == policy.default_version),
        create_date: store::time(version.created_secs),
    }
}

/// A policy of AWS.
pub(crate) fn shown_aws(policy: &AwsPolicy, uses: Uses) -> Policy {
    Policy {
        policy_name: Some(policy.name.to_owned()),
        policy_id: Some(policy.id()),
        path: Some(policy.path.to_owned()),
        default_version_id: Some(format!("v{}", policy.version)),
        attachment_count: Some(uses.attached),
        permissions_boundary_usage_count: Some(uses.boundaries),
        arn: Some(policy.arn()),
        // AWS says so of the policies of service-linked roles, too.
        is_attachable: Some(true),
        create_date: store::time(policy.created_secs),
        update_date: store::time(policy.updated_secs),
        ..Policy::default()
    }
}

/// Of AWS's policies only the version in force is known.
pub(crate) fn shown_aws_version(policy: &AwsPolicy) -> PolicyVersion {
    PolicyVersion {
        document: None,
        version_id: Some(format!("v{}", policy.version)),
        is_default_version: Some(true),
        create_date: store::time(policy.updated_secs),
    }
}
