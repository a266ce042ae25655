//! Instance profiles, which pass a role to machines.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, ROLE_PROFILES, ROLES, fold};

use crate::error::Error;
use crate::model::{
    AddRoleToInstanceProfileInput, AddRoleToInstanceProfileOutput, CreateInstanceProfileInput,
    CreateInstanceProfileOutput, DeleteInstanceProfileInput, DeleteInstanceProfileOutput,
    GetInstanceProfileInput, GetInstanceProfileOutput, InstanceProfile,
    ListInstanceProfilesForRoleInput, ListInstanceProfilesForRoleOutput, ListInstanceProfilesInput,
    ListInstanceProfilesOutput, RemoveRoleFromInstanceProfileInput,
    RemoveRoleFromInstanceProfileOutput,
};
use crate::rules::{self, Page};
use crate::{named, roles, store};

/// Creates an instance profile without a role.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateInstanceProfileInput,
) -> Result<CreateInstanceProfileOutput, Error> {
    let profile = rows::InstanceProfile {
        name: input.instance_profile_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: format!("AIPA{}", tx.ids().upper(17)),
        created_secs: tx.now().secs(),
        role: None,
        tags: rules::tags(input.tags.unwrap_or_default())?,
    };
    named::create(tx, &profile)?;
    Ok(CreateInstanceProfileOutput { instance_profile: Some(shown(tx, &profile)?) })
}

/// Shows an instance profile.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetInstanceProfileInput,
) -> Result<GetInstanceProfileOutput, Error> {
    let profile = named::find(tx, &input.instance_profile_name)?;
    Ok(GetInstanceProfileOutput { instance_profile: Some(shown(tx, &profile)?) })
}

/// Lists the instance profiles under a path.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListInstanceProfilesInput,
) -> Result<ListInstanceProfilesOutput, Error> {
    let (prefix, marker) = (input.path_prefix.as_deref(), input.marker.as_deref());
    let page = named::page(tx, prefix, marker, input.max_items, |_| true)?;
    let is_truncated = page.is_truncated();
    let profiles =
        page.items.iter().map(|profile| listed(tx, profile)).collect::<Result<_, _>>()?;
    Ok(ListInstanceProfilesOutput {
        instance_profiles: Some(profiles),
        is_truncated,
        marker: page.marker,
    })
}

/// Lists the instance profiles that a role is in.
pub(crate) fn list_for_role(
    tx: &ReadTx<'_>,
    input: ListInstanceProfilesForRoleInput,
) -> Result<ListInstanceProfilesForRoleOutput, Error> {
    let role: rows::Role = store::find(tx, &input.role_name)?;
    let profiles = of_role(tx, &role)?;
    let name = |profile: &rows::InstanceProfile| profile.name.clone();
    let page = Page::of(profiles, name, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let profiles =
        page.items.iter().map(|profile| listed(tx, profile)).collect::<Result<_, _>>()?;
    Ok(ListInstanceProfilesForRoleOutput {
        instance_profiles: Some(profiles),
        is_truncated,
        marker: page.marker,
    })
}

/// Puts a role into an instance profile that has none.
pub(crate) fn add_role(
    tx: &mut WriteTx<'_>,
    input: AddRoleToInstanceProfileInput,
) -> Result<AddRoleToInstanceProfileOutput, Error> {
    let mut profile: rows::InstanceProfile = named::find(tx, &input.instance_profile_name)?;
    let role: rows::Role = store::find(tx, &input.role_name)?;
    roles::refuse_if_linked(&role)?;
    if profile.role.is_some() {
        return Err(Error::quota("InstanceSessionsPerInstanceProfile", 1));
    }
    let (account, folded) = (tx.account().to_owned(), fold(&role.name));
    ROLE_PROFILES.put(tx, &(account, folded.clone(), fold(&profile.name)), &())?;
    profile.role = Some(folded);
    named::save(tx, &profile)?;
    Ok(AddRoleToInstanceProfileOutput {})
}

/// Takes a role out of an instance profile.
pub(crate) fn remove_role(
    tx: &mut WriteTx<'_>,
    input: RemoveRoleFromInstanceProfileInput,
) -> Result<RemoveRoleFromInstanceProfileOutput, Error> {
    let mut profile: rows::InstanceProfile = named::find(tx, &input.instance_profile_name)?;
    let folded = fold(&input.role_name);
    if profile.role.as_ref() != Some(&folded) {
        return Err(Error::no_such("role", &input.role_name));
    }
    ROLE_PROFILES.delete(tx, &(tx.account().to_owned(), folded, fold(&profile.name)))?;
    profile.role = None;
    named::save(tx, &profile)?;
    Ok(RemoveRoleFromInstanceProfileOutput {})
}

/// Deletes an instance profile without a role.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteInstanceProfileInput,
) -> Result<DeleteInstanceProfileOutput, Error> {
    let profile: rows::InstanceProfile = named::find(tx, &input.instance_profile_name)?;
    if profile.role.is_some() {
        return Err(Error::DeleteConflictException(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    named::delete(tx, &profile)?;
    Ok(DeleteInstanceProfileOutput {})
}

/// The instance profiles that a role is in.
pub(crate) fn of_role(
    tx: &impl Tx,
    role: &rows::Role,
) -> Result<Vec<rows::InstanceProfile>, Error> {
    let mut profiles = Vec::new();
    for (account, _, profile) in ROLE_PROFILES.range(&(tx.account(), fold(&role.name))).keys(tx)? {
        profiles.extend(rows::INSTANCE_PROFILES.get(tx, &(account, profile))?);
    }
    Ok(profiles)
}

/// An instance profile as its own answers show it.
fn shown(tx: &impl Tx, profile: &rows::InstanceProfile) -> Result<InstanceProfile, Error> {
    let tags = Some(rules::shown_tags(&profile.tags));
    Ok(InstanceProfile { tags, ..listed(tx, profile)? })
}

/// An instance profile as listings show it.
pub(crate) fn listed(
    tx: &impl Tx,
    profile: &rows::InstanceProfile,
) -> Result<InstanceProfile, Error> {
    let role = match &profile.role {
        Some(folded) => ROLES.get(tx, &(tx.account(), &**folded))?,
        None => None,
    };
    let roles = role.iter().map(|role| roles::listed(tx, role)).collect::<Result<_, _>>()?;
    Ok(InstanceProfile {
        path: Some(profile.path.clone()),
        instance_profile_name: Some(profile.name.clone()),
        instance_profile_id: Some(profile.id.clone()),
        arn: Some(profile.arn(tx.account())),
        create_date: store::time(profile.created_secs),
        roles: Some(roles),
        tags: None,
    })
}
