//! What each operation must be allowed to do: the ARN of the account, unit, root, policy or handshake.
//!
//! An ARN names the organization and its management account, which only rows know: they are filled in where policies are
//! looked at. Callers outside the management account see their own account in its place.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request, Tx};
use fogbank_identity::organizations::{self as rows, ACCOUNTS, ORGANIZATIONS};

use crate::model::{
    CreateAccountInput, CreateOrganizationalUnitInput, CreatePolicyInput,
    InviteAccountToOrganizationInput, PutResourcePolicyInput, TagResourceInput, UntagResourceInput,
};
use crate::resource_policies;
use crate::store::is_account;

type Outcome = Result<Access, Fault>;

/// What stands for the organization until rows are looked at.
const UNKNOWN: &str = "o-unknown";

/// Actions that AWS defines on no resource.
pub(crate) fn all(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(with_tags(with_facts(Access::on_all(), input), input))
}

/// The account, unit, root or policy that `member` names.
fn named(request: &Request, input: &dyn Struct, member: &str) -> Outcome {
    let id = input.text(member).unwrap_or_default();
    let access = Access::on(arn(request, input, id)).refined(locate);
    Ok(with_tags(with_facts(access, input), input))
}

fn arn(request: &Request, input: &dyn Struct, id: &str) -> String {
    let resource = match id.split('-').next().unwrap_or_default() {
        "r" => format!("root/{UNKNOWN}/{id}"),
        "ou" => format!("ou/{UNKNOWN}/{id}"),
        "rp" => format!("resourcepolicy/{UNKNOWN}/{id}"),
        "h" => format!("handshake/{UNKNOWN}/invite/{id}"),
        "p" => {
            let kind = ["Filter", "Type", "PolicyType"].iter().find_map(|name| input.text(name));
            let kind = kind.unwrap_or(rows::SERVICE_CONTROL).to_ascii_lowercase();
            format!("policy/{UNKNOWN}/{kind}/{id}")
        }
        _ if is_account(id) => format!("account/{UNKNOWN}/{id}"),
        _ => format!("organization/{UNKNOWN}"),
    };
    format!("arn:aws:organizations::{}:{resource}", request.account)
}

/// Fills in the organization, its management account and the types of policies.
fn locate(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let Some(account) = ACCOUNTS.get(tx, tx.account())? else { return Ok(()) };
    let id = account.organization;
    let Some(organization) = ORGANIZATIONS.get(tx, &id)? else { return Ok(()) };
    let owner = resource_policies::owner(tx)?;
    for check in checks {
        let Some((start, end)) = check.resource.split_once(UNKNOWN) else { continue };
        let start = start.replacen(tx.account(), &owner, 1);
        let policy = check.resource.rsplit('/').next().filter(|last| last.starts_with("p-"));
        let kind = match policy {
            Some(policy) => match rows::managed(policy) {
                Some(managed) => Some((policy, managed.kind.to_owned())),
                None => {
                    let row = rows::POLICIES.get(tx, &(&*id, policy))?;
                    row.map(|row| (policy, row.kind))
                }
            },
            None => None,
        };
        let key = "organizations:PolicyType";
        let is_told = check.context.iter().any(|(known, _)| known == key);
        if let Some((_, kind)) = &kind
            && !is_told
        {
            check.context.push((key.into(), vec![kind.clone()]));
        }
        check.resource = match kind {
            Some((policy, kind)) => rows::policy_arn(&organization.management, &id, &kind, policy),
            None => format!("{start}{id}{end}"),
        };
    }
    Ok(())
}

/// Adds the condition keys of the service.
fn with_facts(mut access: Access, input: &dyn Struct) -> Access {
    for (member, key) in [
        ("PolicyType", "organizations:PolicyType"),
        ("Filter", "organizations:PolicyType"),
        ("Type", "organizations:PolicyType"),
        ("ServicePrincipal", "organizations:ServicePrincipal"),
    ] {
        if let Some(value) = input.text(member) {
            access = access.with(key, [value.to_owned()]);
        }
    }
    access
}

fn with_tags(access: Access, input: &dyn Struct) -> Access {
    let given = if let Some(input) = input.downcast_ref::<TagResourceInput>() {
        Some(&input.tags)
    } else if let Some(input) = input.downcast_ref::<CreateAccountInput>() {
        input.tags.as_ref()
    } else if let Some(input) = input.downcast_ref::<CreateOrganizationalUnitInput>() {
        input.tags.as_ref()
    } else if let Some(input) = input.downcast_ref::<CreatePolicyInput>() {
        input.tags.as_ref()
    } else if let Some(input) = input.downcast_ref::<InviteAccountToOrganizationInput>() {
        input.tags.as_ref()
    } else if let Some(input) = input.downcast_ref::<PutResourcePolicyInput>() {
        input.tags.as_ref()
    } else {
        None
    };
    let access = access.with_tags(given.into_iter().flatten().map(|tag| (&tag.key, &tag.value)));
    match input.downcast_ref::<UntagResourceInput>() {
        Some(input) => access.with_tag_keys(&input.tag_keys),
        None => access,
    }
}

/// The resource that `AccountId` names.
pub(crate) fn account(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "AccountId")
}

/// An account, and the root or units that it leaves and enters.
pub(crate) fn moved(request: &Request, input: &dyn Struct) -> Outcome {
    let mut access = named(request, input, "AccountId")?;
    for member in ["SourceParentId", "DestinationParentId"] {
        let id = input.text(member).unwrap_or_default();
        access = access.and("", arn(request, input, id));
    }
    Ok(access)
}

/// The root or unit that `ParentId` names.
pub(crate) fn parent(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "ParentId")
}

/// The unit that `OrganizationalUnitId` names.
pub(crate) fn unit(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "OrganizationalUnitId")
}

/// The root that `RootId` names.
pub(crate) fn root(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "RootId")
}

/// The account or unit that `ChildId` names.
pub(crate) fn child(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "ChildId")
}

/// The policy that `PolicyId` names.
pub(crate) fn policy(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "PolicyId")
}

/// A policy, and what it is attached to.
pub(crate) fn attachment(request: &Request, input: &dyn Struct) -> Outcome {
    let target = input.text("TargetId").unwrap_or_default();
    Ok(named(request, input, "PolicyId")?.and("", arn(request, input, target)))
}

/// The root, unit or account that `TargetId` names.
pub(crate) fn target(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "TargetId")
}

/// The account, unit or root whose effective policy is asked for: the caller's unless it is named.
pub(crate) fn effective(request: &Request, input: &dyn Struct) -> Outcome {
    match input.text("TargetId") {
        Some(_) => named(request, input, "TargetId"),
        None => {
            let access = Access::on(arn(request, input, &request.account)).refined(locate);
            Ok(with_facts(access, input))
        }
    }
}

/// The organization's own policy, which has no id before it is made.
pub(crate) fn resource_policy(request: &Request, input: &dyn Struct) -> Outcome {
    let access = Access::on(arn(request, input, "rp-*")).refined(locate);
    Ok(with_tags(access, input))
}

/// The resource that `ResourceId` names.
pub(crate) fn resource(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "ResourceId")
}

/// The account that is invited.
pub(crate) fn invited(request: &Request, input: &dyn Struct) -> Outcome {
    let target =
        input.downcast_ref::<InviteAccountToOrganizationInput>().map(|input| &*input.target.id);
    let access = Access::on(arn(request, input, target.unwrap_or_default())).refined(locate);
    Ok(with_tags(access, input))
}

/// The handshake that `HandshakeId` names.
pub(crate) fn handshake(request: &Request, input: &dyn Struct) -> Outcome {
    named(request, input, "HandshakeId")
}
