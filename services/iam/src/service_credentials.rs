//! User names and passwords of users for single services. No service here takes them yet; they are made, kept and shown.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{SERVICE_CREDENTIALS, ServiceCredential, User};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::model::{
    self, CreateServiceSpecificCredentialInput, CreateServiceSpecificCredentialOutput,
    DeleteServiceSpecificCredentialInput, DeleteServiceSpecificCredentialOutput,
    ListServiceSpecificCredentialsInput, ListServiceSpecificCredentialsOutput,
    ResetServiceSpecificCredentialInput, ResetServiceSpecificCredentialOutput,
    ServiceSpecificCredentialMetadata, StatusType, UpdateServiceSpecificCredentialInput,
    UpdateServiceSpecificCredentialOutput,
};
use crate::rules::Page;
use crate::{store, users};

/// The services that have such credentials.
const SERVICES: [&str; 4] = [
    "bedrock.amazonaws.com",
    "cassandra.amazonaws.com",
    "codecommit.amazonaws.com",
    "logs.amazonaws.com",
];
/// Those whose credential is a key that may end.
const WITH_KEYS: [&str; 2] = ["bedrock.amazonaws.com", "logs.amazonaws.com"];
/// The most credentials of a user for one service.
const PER_SERVICE: usize = 2;

/// Makes a credential; its password is shown this once.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateServiceSpecificCredentialInput,
) -> Result<CreateServiceSpecificCredentialOutput, Error> {
    let user: User = store::find(tx, &input.user_name)?;
    let service = input.service_name;
    if !SERVICES.contains(&&*service) {
        let message = format!("No such service {service} is supported for this operation");
        return Err(Error::NoSuchEntityException(message));
    }
    let known = SERVICE_CREDENTIALS.list(tx, &(&*user.id,))?;
    let mine = known.iter().filter(|(_, row)| row.service == service);
    if mine.clone().count() >= PER_SERVICE {
        return Err(Error::quota("ServiceSpecificCredentialsPerUser", PER_SERVICE));
    }
    let has_key = WITH_KEYS.contains(&&*service);
    let now = tx.now().secs();
    let expires_secs = match input.credential_age_days {
        Some(days) if has_key => Some(now + i64::from(days) * 86_400),
        Some(_) => {
            let message = format!("{service} does not support credentials that expire.");
            return Err(Error::InvalidInputException(message));
        }
        None => None,
    };
    let number = (1..).find(|number| {
        let name = name_of(&user, tx.account(), *number);
        mine.clone().all(|(_, row)| row.name != name)
    });
    let password = tx.ids().mixed(44);
    let row = ServiceCredential {
        name: name_of(&user, tx.account(), number.unwrap_or(1)),
        service,
        password_sha256: Sha256::digest(&password).to_vec(),
        active: true,
        created_secs: now,
        expires_secs,
    };
    let id = format!("ACCA{}", tx.ids().upper(17));
    SERVICE_CREDENTIALS.put(tx, &(user.id.clone(), id.clone()), &row)?;
    let shown = with_password(&user, id, &row, password);
    Ok(CreateServiceSpecificCredentialOutput { service_specific_credential: Some(shown) })
}

fn name_of(user: &User, account: &str, number: usize) -> String {
    match number {
        1 => format!("{}-at-{account}", user.name),
        _ => format!("{}+{}-at-{account}", user.name, number - 1),
    }
}

/// Gives a credential another password.
pub(crate) fn reset(
    tx: &mut WriteTx<'_>,
    input: ResetServiceSpecificCredentialInput,
) -> Result<ResetServiceSpecificCredentialOutput, Error> {
    let id = input.service_specific_credential_id;
    let (user, mut row) = find(tx, input.user_name, &id)?;
    let password = tx.ids().mixed(44);
    row.password_sha256 = Sha256::digest(&password).to_vec();
    SERVICE_CREDENTIALS.put(tx, &(user.id.clone(), id.clone()), &row)?;
    let shown = with_password(&user, id, &row, password);
    Ok(ResetServiceSpecificCredentialOutput { service_specific_credential: Some(shown) })
}

/// Lists credentials without their passwords, of one user or of all.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListServiceSpecificCredentialsInput,
) -> Result<ListServiceSpecificCredentialsOutput, Error> {
    let users: Vec<User> = if input.all_users == Some(true) {
        let all = fogbank_identity::rows::USERS.list(tx, &(tx.account(),))?;
        all.into_iter().map(|(_, user)| user).collect()
    } else {
        let name = users::name_or_caller(tx, input.user_name)?;
        vec![store::find(tx, &name)?]
    };
    let mut shown = Vec::new();
    for user in users {
        for ((_, id), row) in SERVICE_CREDENTIALS.list(tx, &(&*user.id,))? {
            if input.service_name.as_ref().is_none_or(|service| *service == row.service) {
                shown.push(metadata(&user, id, &row));
            }
        }
    }
    let id = |row: &ServiceSpecificCredentialMetadata| {
        row.service_specific_credential_id.clone().unwrap_or_default()
    };
    let page = Page::of(shown, id, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    Ok(ListServiceSpecificCredentialsOutput {
        service_specific_credentials: Some(page.items),
        marker: page.marker,
        is_truncated,
    })
}

/// Makes a credential active or inactive.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateServiceSpecificCredentialInput,
) -> Result<UpdateServiceSpecificCredentialOutput, Error> {
    let id = input.service_specific_credential_id;
    let (user, mut row) = find(tx, input.user_name, &id)?;
    row.active = input.status == StatusType::Active;
    SERVICE_CREDENTIALS.put(tx, &(user.id, id), &row)?;
    Ok(UpdateServiceSpecificCredentialOutput {})
}

/// Deletes a credential.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteServiceSpecificCredentialInput,
) -> Result<DeleteServiceSpecificCredentialOutput, Error> {
    let id = input.service_specific_credential_id;
    let (user, _) = find(tx, input.user_name, &id)?;
    SERVICE_CREDENTIALS.delete(tx, &(user.id, id))?;
    Ok(DeleteServiceSpecificCredentialOutput {})
}

fn find(
    tx: &impl Tx,
    user_name: Option<String>,
    id: &str,
) -> Result<(User, ServiceCredential), Error> {
    let name = users::name_or_caller(tx, user_name)?;
    let user: User = store::find(tx, &name)?;
    let row = SERVICE_CREDENTIALS.get(tx, &(&*user.id, id))?.ok_or_else(|| {
        let message = format!("No such credential {id} exists");
        Error::NoSuchEntityException(message)
    })?;
    Ok((user, row))
}

fn with_password(
    user: &User,
    id: String,
    row: &ServiceCredential,
    password: String,
) -> model::ServiceSpecificCredential {
    let has_key = WITH_KEYS.contains(&&*row.service);
    let (name, password) = (Some(row.name.clone()), Some(password));
    model::ServiceSpecificCredential {
        create_date: store::time(row.created_secs),
        expiration_date: row.expires_secs.and_then(store::time),
        service_name: Some(row.service.clone()),
        service_user_name: name.clone().filter(|_| !has_key),
        service_password: password.clone().filter(|_| !has_key),
        service_credential_alias: name.filter(|_| has_key),
        service_credential_secret: password.filter(|_| has_key),
        service_specific_credential_id: Some(id),
        user_name: Some(user.name.clone()),
        status: Some(store::status(row.active)),
    }
}

fn metadata(user: &User, id: String, row: &ServiceCredential) -> ServiceSpecificCredentialMetadata {
    let has_key = WITH_KEYS.contains(&&*row.service);
    ServiceSpecificCredentialMetadata {
        user_name: Some(user.name.clone()),
        status: Some(store::status(row.active)),
        service_user_name: Some(row.name.clone()).filter(|_| !has_key),
        service_credential_alias: Some(row.name.clone()).filter(|_| has_key),
        create_date: store::time(row.created_secs),
        expiration_date: row.expires_secs.and_then(store::time),
        service_specific_credential_id: Some(id),
        service_name: Some(row.service.clone()),
    }
}
