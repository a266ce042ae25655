//! Managed policies attached to users, groups and roles.

use fogbank_core::{Arn, ReadTx, Tx, WriteTx};
use fogbank_identity::managed::{self, AwsPolicy};
use fogbank_identity::rows::{Group, Kind, Role, User};

use crate::error::Error;
use crate::model::{
    AttachGroupPolicyInput, AttachGroupPolicyOutput, AttachRolePolicyInput, AttachRolePolicyOutput,
    AttachUserPolicyInput, AttachUserPolicyOutput, AttachedPolicy, DetachGroupPolicyInput,
    DetachGroupPolicyOutput, DetachRolePolicyInput, DetachRolePolicyOutput, DetachUserPolicyInput,
    DetachUserPolicyOutput, EntityType, ListAttachedGroupPoliciesInput,
    ListAttachedGroupPoliciesOutput, ListAttachedRolePoliciesInput, ListAttachedRolePoliciesOutput,
    ListAttachedUserPoliciesInput, ListAttachedUserPoliciesOutput, ListEntitiesForPolicyInput,
    ListEntitiesForPolicyOutput, PolicyGroup, PolicyRole, PolicyUsageType, PolicyUser,
};
use crate::rules::{self, Page};
use crate::store::{self, Holder, Use};

/// Attaches a managed policy to a user.
pub(crate) fn attach_user(
    tx: &mut WriteTx<'_>,
    input: AttachUserPolicyInput,
) -> Result<AttachUserPolicyOutput, Error> {
    attach::<User>(tx, &input.user_name, input.policy_arn, "PoliciesPerUser")?;
    Ok(AttachUserPolicyOutput {})
}

/// Attaches a managed policy to a group.
pub(crate) fn attach_group(
    tx: &mut WriteTx<'_>,
    input: AttachGroupPolicyInput,
) -> Result<AttachGroupPolicyOutput, Error> {
    attach::<Group>(tx, &input.group_name, input.policy_arn, "PoliciesPerGroup")?;
    Ok(AttachGroupPolicyOutput {})
}

/// Attaches a managed policy to a role.
pub(crate) fn attach_role(
    tx: &mut WriteTx<'_>,
    input: AttachRolePolicyInput,
) -> Result<AttachRolePolicyOutput, Error> {
    attach::<Role>(tx, &input.role_name, input.policy_arn, "PoliciesPerRole")?;
    Ok(AttachRolePolicyOutput {})
}

/// Detaches a managed policy from a user.
pub(crate) fn detach_user(
    tx: &mut WriteTx<'_>,
    input: DetachUserPolicyInput,
) -> Result<DetachUserPolicyOutput, Error> {
    detach::<User>(tx, &input.user_name, &input.policy_arn)?;
    Ok(DetachUserPolicyOutput {})
}

/// Detaches a managed policy from a group.
pub(crate) fn detach_group(
    tx: &mut WriteTx<'_>,
    input: DetachGroupPolicyInput,
) -> Result<DetachGroupPolicyOutput, Error> {
    detach::<Group>(tx, &input.group_name, &input.policy_arn)?;
    Ok(DetachGroupPolicyOutput {})
}

/// Detaches a managed policy from a role.
pub(crate) fn detach_role(
    tx: &mut WriteTx<'_>,
    input: DetachRolePolicyInput,
) -> Result<DetachRolePolicyOutput, Error> {
    detach::<Role>(tx, &input.role_name, &input.policy_arn)?;
    Ok(DetachRolePolicyOutput {})
}

/// Lists the managed policies of a user.
pub(crate) fn list_user(
    tx: &ReadTx<'_>,
    input: ListAttachedUserPoliciesInput,
) -> Result<ListAttachedUserPoliciesOutput, Error> {
    let holder: User = store::find(tx, &input.user_name)?;
    let page = list(&holder, input.path_prefix, input.marker, input.max_items)?;
    let is_truncated = page.is_truncated();
    let (attached_policies, marker) = (Some(page.items), page.marker);
    Ok(ListAttachedUserPoliciesOutput { attached_policies, is_truncated, marker })
}

/// Lists the managed policies of a group.
pub(crate) fn list_group(
    tx: &ReadTx<'_>,
    input: ListAttachedGroupPoliciesInput,
) -> Result<ListAttachedGroupPoliciesOutput, Error> {
    let holder: Group = store::find(tx, &input.group_name)?;
    let page = list(&holder, input.path_prefix, input.marker, input.max_items)?;
    let is_truncated = page.is_truncated();
    let (attached_policies, marker) = (Some(page.items), page.marker);
    Ok(ListAttachedGroupPoliciesOutput { attached_policies, is_truncated, marker })
}

/// Lists the managed policies of a role.
pub(crate) fn list_role(
    tx: &ReadTx<'_>,
    input: ListAttachedRolePoliciesInput,
) -> Result<ListAttachedRolePoliciesOutput, Error> {
    let holder: Role = store::find(tx, &input.role_name)?;
    let page = list(&holder, input.path_prefix, input.marker, input.max_items)?;
    let is_truncated = page.is_truncated();
    let (attached_policies, marker) = (Some(page.items), page.marker);
    Ok(ListAttachedRolePoliciesOutput { attached_policies, is_truncated, marker })
}

/// Somebody who uses a managed policy.
struct Entity {
    kind: Kind,
    name: String,
    id: String,
}

/// Lists the users, groups and roles that use a managed policy.
pub(crate) fn list_entities(
    tx: &ReadTx<'_>,
    input: ListEntitiesForPolicyInput,
) -> Result<ListEntitiesForPolicyOutput, Error> {
    let arn = &input.policy_arn;
    if !store::policy_exists(tx, arn)? {
        return Err(Error::no_policy(arn));
    }
    let how = match input.policy_usage_filter {
        Some(PolicyUsageType::PermissionsBoundary) => vec![Use::Boundary],
        Some(PolicyUsageType::PermissionsPolicy) => vec![Use::Policy],
        None => vec![Use::Policy, Use::Boundary],
    };
    let wanted = |kind: EntityType| input.entity_filter.is_none_or(|filter| filter == kind);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let mut entities = Vec::new();
    for how in how {
        if wanted(EntityType::Group) {
            collect::<Group>(tx, arn, how, prefix, &mut entities)?;
        }
        if wanted(EntityType::User) {
            collect::<User>(tx, arn, how, prefix, &mut entities)?;
        }
        if wanted(EntityType::Role) {
            collect::<Role>(tx, arn, how, prefix, &mut entities)?;
        }
    }
    let id = |entity: &Entity| entity.id.clone();
    let page = Page::of(entities, id, input.marker.as_deref(), input.max_items)?;
    let mut output = ListEntitiesForPolicyOutput {
        policy_groups: Some(Vec::new()),
        policy_users: Some(Vec::new()),
        policy_roles: Some(Vec::new()),
        is_truncated: page.is_truncated(),
        marker: page.marker,
    };
    for Entity { kind, name, id } in page.items {
        let (name, id) = (Some(name), Some(id));
        match kind {
            Kind::Group => output
                .policy_groups
                .get_or_insert_default()
                .push(PolicyGroup { group_name: name, group_id: id }),
            Kind::User => output
                .policy_users
                .get_or_insert_default()
                .push(PolicyUser { user_name: name, user_id: id }),
            Kind::Role => output
                .policy_roles
                .get_or_insert_default()
                .push(PolicyRole { role_name: name, role_id: id }),
        }
    }
    Ok(output)
}

fn collect<H: Holder>(
    tx: &impl Tx,
    arn: &str,
    how: Use,
    prefix: &str,
    entities: &mut Vec<Entity>,
) -> Result<(), Error> {
    for name in store::users_of_policy(tx, arn, how, H::KIND)? {
        let holder: H = store::find(tx, &name)?;
        let is_new = entities.iter().all(|entity| entity.id != holder.id());
        if is_new && holder.path().starts_with(prefix) {
            entities.push(Entity { kind: H::KIND, name, id: holder.id().to_owned() });
        }
    }
    Ok(())
}

fn attach<H: Holder>(
    tx: &mut WriteTx<'_>,
    name: &str,
    arn: String,
    quota: &str,
) -> Result<(), Error> {
    let mut holder: H = store::changeable(tx, name)?;
    check_arn(&arn)?;
    if !store::policy_exists(tx, &arn)? {
        let message = format!("Policy {arn} does not exist or is not attachable.");
        return Err(Error::NoSuchEntityException(message));
    }
    check_attachable::<H>(&arn)?;
    let attached = &mut holder.grants_mut().attached;
    if attached.contains(&arn) {
        return Ok(());
    }
    if attached.len() >= rules::ATTACHED_POLICIES {
        return Err(Error::quota(quota, rules::ATTACHED_POLICIES));
    }
    attached.push(arn.clone());
    store::add_use(tx, &holder, Use::Policy, &arn)?;
    store::save(tx, &holder)
}

fn detach<H: Holder>(tx: &mut WriteTx<'_>, name: &str, arn: &str) -> Result<(), Error> {
    let mut holder: H = store::changeable(tx, name)?;
    check_arn(arn)?;
    let attached = &mut holder.grants_mut().attached;
    let index = attached.iter().position(|known| known == arn);
    attached.remove(index.ok_or_else(|| Error::no_policy(arn))?);
    store::remove_use(tx, &holder, Use::Policy, arn)?;
    store::save(tx, &holder)
}

/// Refuses the policies of service-linked roles, which nobody else has.
pub(crate) fn check_attachable<H: Holder>(arn: &str) -> Result<(), Error> {
    if managed::find(arn).is_none_or(AwsPolicy::is_attachable) {
        return Ok(());
    }
    Err(Error::PolicyNotAttachableException(match H::KIND {
        Kind::User => "User",
        Kind::Group => "Group",
        Kind::Role => "Role",
    }))
}

fn check_arn(arn: &str) -> Result<(), Error> {
    let is_policy = Arn::parse(arn)
        .is_some_and(|arn| arn.service == "iam" && arn.resource.starts_with("policy/"));
    if is_policy {
        return Ok(());
    }
    Err(Error::InvalidInputException(format!("ARN {arn} is not valid.")))
}

fn list<H: Holder>(
    holder: &H,
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i32>,
) -> Result<Page<AttachedPolicy>, Error> {
    let prefix = path_prefix.unwrap_or_else(|| "/".to_owned());
    let attached = holder.grants().attached.iter().filter_map(|arn| {
        let (_, path) = arn.split_once(":policy")?;
        let (_, name) = arn.rsplit_once('/')?;
        path.starts_with(&prefix).then(|| AttachedPolicy {
            policy_name: Some(name.to_owned()),
            policy_arn: Some(arn.clone()),
        })
    });
    let key = |policy: &AttachedPolicy| policy.policy_arn.clone().unwrap_or_default();
    Page::of(attached, key, marker.as_deref(), max_items)
}
