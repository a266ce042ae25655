//! Roles and their trust policies.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, Grants, LAST_USES};
use fogbank_identity::{Identities, trust};

use crate::error::Error;
use crate::model::{
    CreateRoleInput, CreateRoleOutput, DeleteRoleInput, DeleteRoleOutput, GetRoleInput,
    GetRoleOutput, ListRolesInput, ListRolesOutput, Role, RoleLastUsed,
    UpdateAssumeRolePolicyInput, UpdateAssumeRolePolicyOutput, UpdateRoleDescriptionInput,
    UpdateRoleDescriptionOutput, UpdateRoleInput, UpdateRoleOutput,
};
use crate::{boundaries, instance_profiles};
use crate::{rules, store};

/// The longest session of a role that says nothing of it, in seconds.
pub(crate) const SESSION_SECS: u32 = 3600;

/// Creates a role.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateRoleInput,
) -> Result<CreateRoleOutput, Error> {
    let boundary = boundaries::checked::<rows::Role>(tx, input.permissions_boundary)?;
    if input.path.as_deref().is_some_and(|path| path.starts_with("/aws-service-role/")) {
        let message =
            "Roles under the path /aws-service-role/ are made by CreateServiceLinkedRole.";
        return Err(Error::InvalidInputException(message.to_owned()));
    }
    let trusted = trusted(tx, &input.assume_role_policy_document)?;
    let role = rows::Role {
        name: input.role_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: format!("AROA{}", tx.ids().upper(17)),
        created_secs: tx.now().secs(),
        description: input.description.filter(|text| !text.is_empty()),
        trust: input.assume_role_policy_document,
        trusted,
        max_session_secs: session_secs(input.max_session_duration),
        tags: rules::tags(input.tags.unwrap_or_default())?,
        grants: Grants { boundary, ..Grants::default() },
    };
    store::create(tx, &role)?;
    Ok(CreateRoleOutput { role: Some(described(tx, &role)?) })
}

/// Shows a role.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetRoleInput) -> Result<GetRoleOutput, Error> {
    let role: rows::Role = store::find(tx, &input.role_name)?;
    let role_last_used = Some(last_used(tx, &role)?);
    Ok(GetRoleOutput { role: Some(Role { role_last_used, ..described(tx, &role)? }) })
}

/// When and where a role was last used.
pub(crate) fn last_used(tx: &impl Tx, role: &rows::Role) -> Result<RoleLastUsed, Error> {
    let last_use = match Identities::of(tx.cx().cloud()).last_uses.get(&role.id) {
        Some(last) => Some(last),
        None => LAST_USES.get(tx, &role.id)?,
    };
    Ok(last_use.map_or_else(RoleLastUsed::default, |last| RoleLastUsed {
        last_used_date: store::time(last.secs),
        region: Some(last.region),
    }))
}

/// Lists the roles under a path.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListRolesInput) -> Result<ListRolesOutput, Error> {
    let page = store::page::<rows::Role>(
        tx,
        input.path_prefix.as_deref(),
        input.marker.as_deref(),
        input.max_items,
    )?;
    let is_truncated = page.is_truncated();
    let roles = page.items.iter().map(|role| listed(tx, role)).collect::<Result<_, _>>()?;
    Ok(ListRolesOutput { roles: Some(roles), is_truncated, marker: page.marker })
}

/// Changes a role's description and its longest session.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateRoleInput,
) -> Result<UpdateRoleOutput, Error> {
    let mut role: rows::Role = store::changeable(tx, &input.role_name)?;
    if let Some(description) = input.description {
        role.description = Some(description).filter(|text| !text.is_empty());
    }
    if let Some(duration) = input.max_session_duration {
        role.max_session_secs = session_secs(Some(duration));
    }
    store::save(tx, &role)?;
    Ok(UpdateRoleOutput {})
}

/// Changes a role's description, the role of a service's too.
pub(crate) fn update_description(
    tx: &mut WriteTx<'_>,
    input: UpdateRoleDescriptionInput,
) -> Result<UpdateRoleDescriptionOutput, Error> {
    let mut role: rows::Role = store::find(tx, &input.role_name)?;
    role.description = Some(input.description).filter(|text| !text.is_empty());
    store::save(tx, &role)?;
    Ok(UpdateRoleDescriptionOutput { role: Some(described(tx, &role)?) })
}

/// Replaces a role's trust policy.
pub(crate) fn update_trust(
    tx: &mut WriteTx<'_>,
    input: UpdateAssumeRolePolicyInput,
) -> Result<UpdateAssumeRolePolicyOutput, Error> {
    let mut role: rows::Role = store::changeable(tx, &input.role_name)?;
    role.trusted = trusted(tx, &input.policy_document)?;
    role.trust = input.policy_document;
    store::save(tx, &role)?;
    Ok(UpdateAssumeRolePolicyOutput {})
}

/// Deletes a role that has nothing left.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteRoleInput,
) -> Result<DeleteRoleOutput, Error> {
    let role: rows::Role = store::changeable(tx, &input.role_name)?;
    let conflict = if !instance_profiles::of_role(tx, &role)?.is_empty() {
        "Cannot delete entity, must remove roles from instance profile first."
    } else if !role.grants.attached.is_empty() {
        "Cannot delete entity, must detach all policies first."
    } else if !role.grants.inline.is_empty() {
        "Cannot delete entity, must delete policies first."
    } else {
        LAST_USES.delete(tx, &role.id)?;
        store::delete(tx, &role)?;
        return Ok(DeleteRoleOutput {});
    };
    Err(Error::DeleteConflictException(conflict))
}

/// Refuses to do with the role of a service what only the service may do.
pub(crate) fn refuse_if_linked(role: &rows::Role) -> Result<(), Error> {
    if rules::linked::service_of(&role.path).is_none() {
        return Ok(());
    }
    Err(Error::UnmodifiableEntityException(format!(
        "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
        role.name
    )))
}

fn trusted(tx: &WriteTx<'_>, document: &str) -> Result<Vec<(String, String)>, Error> {
    let compiled = rules::check_trust(document)?;
    trust::trusted(tx, &compiled)?.map_err(Error::MalformedPolicyDocumentException)
}

fn session_secs(duration: Option<i32>) -> u32 {
    duration.and_then(|secs| u32::try_from(secs).ok()).unwrap_or(SESSION_SECS)
}

/// A role as its own answers show it.
fn described(tx: &impl Tx, role: &rows::Role) -> Result<Role, Error> {
    Ok(Role {
        permissions_boundary: boundaries::shown(&role.grants),
        tags: (!role.tags.is_empty()).then(|| rules::shown_tags(&role.tags)),
        ..listed(tx, role)?
    })
}

/// A role as listings show it.
pub(crate) fn listed(tx: &impl Tx, role: &rows::Role) -> Result<Role, Error> {
    let document = trust::shown(tx, role)?;
    Ok(Role {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.clone()),
        arn: Some(role.arn(tx.account())),
        create_date: store::time(role.created_secs),
        assume_role_policy_document: Some(rules::url_encoded(&document)),
        description: role.description.clone(),
        max_session_duration: i32::try_from(role.max_session_secs).ok(),
        ..Role::default()
    })
}
