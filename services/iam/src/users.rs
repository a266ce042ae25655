//! Users.

use fogbank_core::{Access, PrincipalKind, ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{
    self, Grants, LOGIN_PROFILES, SERVICE_CREDENTIALS, SIGNING_CERTIFICATES, SSH_PUBLIC_KEYS,
    USER_DEVICES,
};

use crate::boundaries;
use crate::error::Error;
use crate::model::{
    CreateUserInput, CreateUserOutput, DeleteUserInput, DeleteUserOutput, GetUserInput,
    GetUserOutput, ListUsersInput, ListUsersOutput, UpdateUserInput, UpdateUserOutput, User,
};
use crate::{rules, store};

/// Creates a user.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateUserInput,
) -> Result<CreateUserOutput, Error> {
    let boundary = boundaries::checked::<rows::User>(tx, input.permissions_boundary)?;
    let user = rows::User {
        name: input.user_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: format!("AIDA{}", tx.ids().upper(17)),
        created_secs: tx.now().secs(),
        tags: rules::tags(input.tags.unwrap_or_default())?,
        grants: Grants { boundary, ..Grants::default() },
        groups: Vec::new(),
        access_keys: Vec::new(),
    };
    store::create(tx, &user)?;
    Ok(CreateUserOutput { user: Some(shown(tx.account(), &user)) })
}

/// Shows a user: the named one, or the caller.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetUserInput) -> Result<GetUserOutput, Error> {
    let principal = &tx.request().principal;
    let name = match (&input.user_name, &principal.kind) {
        (None, PrincipalKind::Root) => {
            return Ok(GetUserOutput { user: Some(root(tx)) });
        }
        _ => name_or_caller(tx, input.user_name)?,
    };
    let user: rows::User = store::find(tx, &name)?;
    Ok(GetUserOutput { user: Some(shown(tx.account(), &user)) })
}

/// Lists the users under a path.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListUsersInput) -> Result<ListUsersOutput, Error> {
    let page = store::page::<rows::User>(
        tx,
        input.path_prefix.as_deref(),
        input.marker.as_deref(),
        input.max_items,
    )?;
    let is_truncated = page.is_truncated();
    let users = page.items.iter().map(|user| listed(tx.account(), user)).collect();
    Ok(ListUsersOutput { users: Some(users), is_truncated, marker: page.marker })
}

/// Changes a user's name and path.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateUserInput,
) -> Result<UpdateUserOutput, Error> {
    let old: rows::User = store::find(tx, &input.user_name)?;
    let mut new = old.clone();
    if let Some(name) = input.new_user_name {
        new.name = name;
    }
    if let Some(path) = input.new_path {
        new.path = path;
    }
    // Renaming needs permission on both names, or else one could slip under another's policies.
    tx.cx().authorise(&Access::on(new.arn(tx.account())))?;
    store::rename(tx, &old, &new)?;
    Ok(UpdateUserOutput {})
}

/// Deletes a user that has nothing left.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteUserInput,
) -> Result<DeleteUserOutput, Error> {
    let user: rows::User = store::find(tx, &input.user_name)?;
    let conflict = if !user.groups.is_empty() {
        "Cannot delete entity, must remove users from group first."
    } else if !user.grants.attached.is_empty() {
        "Cannot delete entity, must detach all policies first."
    } else if !user.grants.inline.is_empty() {
        "Cannot delete entity, must delete policies first."
    } else if !user.access_keys.is_empty() {
        "Cannot delete entity, must delete access keys first."
    } else if let Some(conflict) = credential(tx, &user.id)? {
        conflict
    } else {
        store::delete(tx, &user)?;
        return Ok(DeleteUserOutput {});
    };
    Err(Error::DeleteConflictException(conflict))
}

/// The credential beside access keys that stands in the way of a user's deletion.
fn credential(tx: &impl Tx, id: &str) -> Result<Option<&'static str>, Error> {
    if LOGIN_PROFILES.contains(tx, id)? {
        return Ok(Some("Cannot delete entity, must delete login profile first."));
    }
    if USER_DEVICES.range(&(id,)).count(tx)? > 0 {
        return Ok(Some("Cannot delete entity, must delete MFA device first."));
    }
    if SIGNING_CERTIFICATES.range(&(id,)).count(tx)? > 0 {
        return Ok(Some("Cannot delete entity, must delete signing certificates first."));
    }
    if SSH_PUBLIC_KEYS.range(&(id,)).count(tx)? + SERVICE_CREDENTIALS.range(&(id,)).count(tx)? > 0 {
        return Ok(Some("Cannot delete entity, must delete referenced objects first."));
    }
    Ok(None)
}

/// The given name, or that of the calling user.
pub(crate) fn name_or_caller(tx: &impl Tx, name: Option<String>) -> Result<String, Error> {
    match (name, &tx.request().principal.kind) {
        (Some(name), _) => Ok(name),
        (None, PrincipalKind::User { name }) => Ok(name.clone()),
        (None, _) => {
            let message = "Must specify userName when calling with non-User credentials";
            Err(Error::validation(message))
        }
    }
}

/// The account's root, as far as it is a user.
pub(crate) fn root(tx: &impl Tx) -> User {
    let account = tx.account();
    User {
        user_id: Some(account.to_owned()),
        arn: Some(format!("arn:aws:iam::{account}:root")),
        ..User::default()
    }
}

/// A user as its own answers show it.
pub(crate) fn shown(account: &str, user: &rows::User) -> User {
    User {
        permissions_boundary: boundaries::shown(&user.grants),
        tags: (!user.tags.is_empty()).then(|| rules::shown_tags(&user.tags)),
        ..listed(account, user)
    }
}

/// A user as listings show it.
pub(crate) fn listed(account: &str, user: &rows::User) -> User {
    User {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.clone()),
        arn: Some(user.arn(account)),
        create_date: store::time(user.created_secs),
        ..User::default()
    }
}
