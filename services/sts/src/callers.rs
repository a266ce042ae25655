//! Who calls, and whose access key it is.

use fogbank_core::{ReadTx, Tx};
use fogbank_identity::keys;
use fogbank_identity::rows::{ACCESS_KEYS, SESSIONS};

use crate::error::Error;
use crate::model::{
    GetAccessKeyInfoInput, GetAccessKeyInfoOutput, GetCallerIdentityInput, GetCallerIdentityOutput,
};

/// Says who calls.
pub(crate) fn get_identity(
    tx: &ReadTx<'_>,
    _: GetCallerIdentityInput,
) -> Result<GetCallerIdentityOutput, Error> {
    let principal = &tx.request().principal;
    Ok(GetCallerIdentityOutput {
        user_id: Some(principal.id.clone()),
        account: Some(tx.account().to_owned()),
        arn: Some(principal.arn.clone()),
    })
}

/// Says to which account an access key belongs. Ids carry their account; ids of the older form must be known.
pub(crate) fn get_access_key_info(
    tx: &ReadTx<'_>,
    input: GetAccessKeyInfoInput,
) -> Result<GetAccessKeyInfoOutput, Error> {
    let id = &input.access_key_id;
    let known = match ACCESS_KEYS.get(tx, id)? {
        Some(key) => Some(key.account),
        None => SESSIONS.get(tx, id)?.map(|session| session.principal.account),
    };
    let account = known
        .or_else(|| keys::account_of(id))
        .ok_or_else(|| Error::validation(format!("Invalid Access Key ID: {id}")))?;
    Ok(GetAccessKeyInfoOutput { account: Some(account) })
}
