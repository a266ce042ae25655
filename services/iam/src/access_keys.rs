//! Access keys of users and of the account's root.

use fogbank_core::{PrincipalKind, ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, ACCESS_KEYS, ACCOUNTS, LAST_USES, User};
use fogbank_identity::{Identities, keys};

use crate::error::Error;
use crate::model::{
    AccessKey, AccessKeyLastUsed, AccessKeyMetadata, CreateAccessKeyInput, CreateAccessKeyOutput,
    DeleteAccessKeyInput, DeleteAccessKeyOutput, GetAccessKeyLastUsedInput,
    GetAccessKeyLastUsedOutput, ListAccessKeysInput, ListAccessKeysOutput, StatusType,
    UpdateAccessKeyInput, UpdateAccessKeyOutput,
};
use crate::rules::{self, Page};
use crate::{store, users};

/// Whose access keys are meant.
enum Owner {
    User(Box<User>),
    Root,
}

/// Creates an access key; its secret is shown this once.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAccessKeyInput,
) -> Result<CreateAccessKeyOutput, Error> {
    let owner = owner(tx, input.user_name)?;
    let account = tx.account().to_owned();
    let id = keys::access_key_id(tx.ids(), "AKIA", &account);
    let known = ids(tx, &owner)?;
    if known.len() >= rules::ACCESS_KEYS_PER_USER {
        return Err(Error::quota("AccessKeysPerUser", rules::ACCESS_KEYS_PER_USER));
    }
    let key = rows::AccessKey {
        account,
        user_id: match &owner {
            Owner::User(user) => Some(user.id.clone()),
            Owner::Root => None,
        },
        secret: keys::secret(tx.ids()),
        active: true,
        created_secs: tx.now().secs(),
    };
    ACCESS_KEYS.put(tx, &id, &key)?;
    let shown = AccessKey {
        user_name: name(&owner),
        access_key_id: Some(id.clone()),
        status: Some(StatusType::Active),
        secret_access_key: Some(key.secret),
        create_date: store::time(key.created_secs),
    };
    save_ids(tx, owner, known.into_iter().chain([id]).collect())?;
    Ok(CreateAccessKeyOutput { access_key: Some(shown) })
}

/// Lists access keys without their secrets.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListAccessKeysInput,
) -> Result<ListAccessKeysOutput, Error> {
    let owner = owner(tx, input.user_name)?;
    let ids = ids(tx, &owner)?;
    let page = Page::of(ids, Clone::clone, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let mut shown = Vec::new();
    for id in page.items {
        let Some(key) = ACCESS_KEYS.get(tx, &id)? else { continue };
        shown.push(AccessKeyMetadata {
            user_name: name(&owner),
            access_key_id: Some(id),
            status: Some(if key.active { StatusType::Active } else { StatusType::Inactive }),
            create_date: store::time(key.created_secs),
        });
    }
    Ok(ListAccessKeysOutput { access_key_metadata: Some(shown), is_truncated, marker: page.marker })
}

/// Makes an access key active or inactive.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateAccessKeyInput,
) -> Result<UpdateAccessKeyOutput, Error> {
    let owner = owner_of(tx, input.user_name, &input.access_key_id)?;
    let mut key = owned(tx, &owner, &input.access_key_id)?;
    key.active = input.status == StatusType::Active;
    ACCESS_KEYS.put(tx, &input.access_key_id, &key)?;
    rows::changed(tx)?;
    Ok(UpdateAccessKeyOutput {})
}

/// Deletes an access key.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAccessKeyInput,
) -> Result<DeleteAccessKeyOutput, Error> {
    let owner = owner_of(tx, input.user_name, &input.access_key_id)?;
    let _ = owned(tx, &owner, &input.access_key_id)?;
    ACCESS_KEYS.delete(tx, &input.access_key_id)?;
    LAST_USES.delete(tx, &input.access_key_id)?;
    let mut left = ids(tx, &owner)?;
    left.retain(|id| *id != input.access_key_id);
    save_ids(tx, owner, left)?;
    Ok(DeleteAccessKeyOutput {})
}

/// Says when an access key was last used, and for which service.
pub(crate) fn get_last_used(
    tx: &ReadTx<'_>,
    input: GetAccessKeyLastUsedInput,
) -> Result<GetAccessKeyLastUsedOutput, Error> {
    let id = &input.access_key_id;
    let key = ACCESS_KEYS.get(tx, id)?.filter(|key| key.account == tx.account());
    let key = key.ok_or_else(|| no_such(id))?;
    let arn = match &key.user_id {
        Some(user) => rows::arn_of_id(tx, user)?,
        None => None,
    };
    let user_name = arn.and_then(|arn| Some(arn.rsplit_once('/')?.1.to_owned()));
    let noted = Identities::of(tx.cx().cloud()).last_uses.get(id);
    let last = match noted {
        Some(last) => Some(last),
        None => LAST_USES.get(tx, id)?,
    };
    let shown = match last {
        Some(last) => AccessKeyLastUsed {
            last_used_date: store::time(last.secs),
            service_name: Some(last.service),
            region: Some(last.region),
        },
        None => AccessKeyLastUsed {
            last_used_date: None,
            service_name: Some("N/A".to_owned()),
            region: Some("N/A".to_owned()),
        },
    };
    Ok(GetAccessKeyLastUsedOutput { user_name, access_key_last_used: Some(shown) })
}

/// The named user, or the caller, which may be the root.
fn owner(tx: &impl Tx, user_name: Option<String>) -> Result<Owner, Error> {
    match (&user_name, &tx.request().principal.kind) {
        (None, PrincipalKind::Root) => Ok(Owner::Root),
        _ => {
            let name = users::name_or_caller(tx, user_name)?;
            Ok(Owner::User(Box::new(store::find(tx, &name)?)))
        }
    }
}

/// The owner of a key that is named; without a name, the root means whoever of its account owns the key.
fn owner_of(tx: &impl Tx, user_name: Option<String>, id: &str) -> Result<Owner, Error> {
    if user_name.is_none() && tx.request().principal.kind == PrincipalKind::Root {
        let key = ACCESS_KEYS.get(tx, id)?.filter(|key| key.account == tx.account());
        let user = key.and_then(|key| key.user_id);
        let arn = match &user {
            Some(user) => rows::arn_of_id(tx, user)?,
            None => None,
        };
        if let Some((_, name)) = arn.as_deref().and_then(|arn| arn.rsplit_once('/')) {
            return Ok(Owner::User(Box::new(store::find(tx, name)?)));
        }
    }
    owner(tx, user_name)
}

fn name(owner: &Owner) -> Option<String> {
    match owner {
        Owner::User(user) => Some(user.name.clone()),
        Owner::Root => None,
    }
}

fn ids(tx: &impl Tx, owner: &Owner) -> Result<Vec<String>, Error> {
    match owner {
        Owner::User(user) => Ok(user.access_keys.clone()),
        Owner::Root => Ok(ACCOUNTS.get(tx, tx.account())?.unwrap_or_default().root_access_keys),
    }
}

fn save_ids(tx: &mut WriteTx<'_>, owner: Owner, ids: Vec<String>) -> Result<(), Error> {
    match owner {
        Owner::User(mut user) => {
            user.access_keys = ids;
            store::save(tx, &*user)
        }
        Owner::Root => {
            let account = tx.account().to_owned();
            let mut row = ACCOUNTS.get(tx, &account)?.unwrap_or_default();
            row.root_access_keys = ids;
            ACCOUNTS.put(tx, &account, &row)?;
            Ok(rows::changed(tx)?)
        }
    }
}

fn owned(tx: &impl Tx, owner: &Owner, id: &str) -> Result<rows::AccessKey, Error> {
    if !ids(tx, owner)?.iter().any(|known| known == id) {
        return Err(no_such(id));
    }
    ACCESS_KEYS.get(tx, id)?.ok_or_else(|| no_such(id))
}

fn no_such(id: &str) -> Error {
    Error::NoSuchEntityException(format!("The Access Key with id {id} cannot be found."))
}
