//! SSH public keys of users. No service here takes them yet; they are checked, kept and shown.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, SSH_PUBLIC_KEYS, SshPublicKey, User};

use crate::error::Error;
use crate::model::{
    DeleteSSHPublicKeyInput, DeleteSSHPublicKeyOutput, EncodingType, GetSSHPublicKeyInput,
    GetSSHPublicKeyOutput, ListSSHPublicKeysInput, ListSSHPublicKeysOutput, SSHPublicKey,
    SSHPublicKeyMetadata, StatusType, UpdateSSHPublicKeyInput, UpdateSSHPublicKeyOutput,
    UploadSSHPublicKeyInput, UploadSSHPublicKeyOutput,
};
use crate::rules::{Page, ssh};
use crate::{store, users};

/// The most keys of a user.
const KEYS_PER_USER: usize = 5;

/// Takes a user's key in.
pub(crate) fn upload(
    tx: &mut WriteTx<'_>,
    input: UploadSSHPublicKeyInput,
) -> Result<UploadSSHPublicKeyOutput, Error> {
    let user: User = store::find(tx, &input.user_name)?;
    let key = ssh::parse(&input.ssh_public_key_body)?;
    let body = key.to_ssh();
    let known = SSH_PUBLIC_KEYS.list(tx, &(&*user.id,))?;
    if known.iter().any(|(_, row)| row.body == body) {
        return Err(Error::DuplicateSSHPublicKeyException);
    }
    if known.len() >= KEYS_PER_USER {
        return Err(Error::quota("SSHPublicKeysPerUser", KEYS_PER_USER));
    }
    let row = SshPublicKey {
        body,
        fingerprint: key.fingerprint(),
        active: true,
        uploaded_secs: tx.now().secs(),
    };
    let id = format!("APKA{}", tx.ids().upper(17));
    SSH_PUBLIC_KEYS.put(tx, &(user.id, id.clone()), &row)?;
    let shown = SSHPublicKey {
        user_name: Some(user.name),
        ssh_public_key_id: Some(id),
        fingerprint: Some(row.fingerprint),
        ssh_public_key_body: Some(input.ssh_public_key_body),
        status: Some(StatusType::Active),
        upload_date: store::time(row.uploaded_secs),
    };
    Ok(UploadSSHPublicKeyOutput { ssh_public_key: Some(shown) })
}

/// Shows a key as SSH or as PEM.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetSSHPublicKeyInput,
) -> Result<GetSSHPublicKeyOutput, Error> {
    let user: User = store::find(tx, &input.user_name)?;
    let row = find(tx, &user, &input.ssh_public_key_id)?;
    let body = match input.encoding {
        EncodingType::Ssh => row.body,
        EncodingType::Pem => ssh::parse(&row.body)?.to_pem()?,
    };
    let shown = SSHPublicKey {
        user_name: Some(user.name),
        ssh_public_key_id: Some(input.ssh_public_key_id),
        fingerprint: Some(row.fingerprint),
        ssh_public_key_body: Some(body),
        status: Some(store::status(row.active)),
        upload_date: store::time(row.uploaded_secs),
    };
    Ok(GetSSHPublicKeyOutput { ssh_public_key: Some(shown) })
}

/// Lists a user's keys.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListSSHPublicKeysInput,
) -> Result<ListSSHPublicKeysOutput, Error> {
    let name = users::name_or_caller(tx, input.user_name)?;
    let user: User = store::find(tx, &name)?;
    let rows = SSH_PUBLIC_KEYS.list(tx, &(&*user.id,))?;
    let id = |(key, _): &((String, String), SshPublicKey)| key.1.clone();
    let page = Page::of(rows, id, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let shown = page.items.into_iter().map(|((_, id), row)| SSHPublicKeyMetadata {
        user_name: Some(user.name.clone()),
        ssh_public_key_id: Some(id),
        status: Some(store::status(row.active)),
        upload_date: store::time(row.uploaded_secs),
    });
    Ok(ListSSHPublicKeysOutput {
        ssh_public_keys: Some(shown.collect()),
        is_truncated,
        marker: page.marker,
    })
}

/// Makes a key active or inactive.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateSSHPublicKeyInput,
) -> Result<UpdateSSHPublicKeyOutput, Error> {
    let user: User = store::find(tx, &input.user_name)?;
    let mut row = find(tx, &user, &input.ssh_public_key_id)?;
    row.active = input.status == StatusType::Active;
    SSH_PUBLIC_KEYS.put(tx, &(user.id, input.ssh_public_key_id), &row)?;
    Ok(UpdateSSHPublicKeyOutput {})
}

/// Deletes a key.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteSSHPublicKeyInput,
) -> Result<DeleteSSHPublicKeyOutput, Error> {
    let user: User = store::find(tx, &input.user_name)?;
    let _ = find(tx, &user, &input.ssh_public_key_id)?;
    SSH_PUBLIC_KEYS.delete(tx, &(user.id, input.ssh_public_key_id))?;
    Ok(DeleteSSHPublicKeyOutput {})
}

fn find(tx: &impl Tx, user: &User, id: &str) -> Result<rows::SshPublicKey, Error> {
    SSH_PUBLIC_KEYS.get(tx, &(&*user.id, id))?.ok_or_else(|| {
        Error::NoSuchEntityException(format!("The Public Key with id {id} cannot be found."))
    })
}
