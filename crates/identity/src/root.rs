//! The access key of an account's root, which a server makes at its first start.

use fogbank_core::store::{Db, Error, ReadTx, WriteTx};
use fogbank_core::{Cloud, Ids, Timestamp};

use crate::identities::Identities;
use crate::keys;
use crate::rows::{self, ACCESS_KEYS, ACCOUNTS, AccessKey};

/// Prepares rows that take the place of the present ones: the root of `account` keeps the access keys that it has now, so
/// that the administrator of the cloud is not locked out, and nothing that was remembered of the present rows counts.
pub fn carry(
    cloud: &Cloud,
    present: &ReadTx,
    tx: &mut WriteTx,
    account: &str,
) -> Result<(), Error> {
    let mut row = ACCOUNTS.get(tx, account)?.unwrap_or_default();
    let keys = ACCOUNTS.get(present, account)?.unwrap_or_default().root_access_keys;
    for gone in row.root_access_keys.iter().filter(|id| !keys.contains(id)) {
        ACCESS_KEYS.delete(tx, gone)?;
    }
    for id in &keys {
        if let Some(key) = ACCESS_KEYS.get(present, id)? {
            ACCESS_KEYS.put(tx, id, &key)?;
        }
    }
    if row.root_access_keys != keys {
        row.root_access_keys = keys;
        ACCOUNTS.put(tx, account, &row)?;
    }
    // The present rows do not get as many changes until they are replaced.
    let generation = rows::generation(present)? + AHEAD;
    rows::set_generation(tx, generation)?;
    Identities::of(cloud).expect_generation(generation);
    Ok(())
}

/// More changes than there can be while rows are being prepared.
const AHEAD: u64 = 1 << 32;

/// Makes the first access key of the root of `account`; `None` if it has one.
pub(crate) async fn ensure(
    db: &Db,
    ids: &Ids,
    account: &str,
    now: Timestamp,
) -> Result<Option<(String, String)>, Error> {
    let id = keys::access_key_id(ids, "AKIA", account);
    let secret = keys::secret(ids);
    let made = db
        .write(|tx| {
            let mut row = ACCOUNTS.get(tx, account)?.unwrap_or_default();
            if !row.root_access_keys.is_empty() {
                return Ok::<_, Error>(false);
            }
            row.root_access_keys.push(id.clone());
            ACCOUNTS.put(tx, account, &row)?;
            let key = AccessKey {
                account: account.to_owned(),
                user_id: None,
                secret: secret.clone(),
                active: true,
                created_secs: now.secs(),
            };
            ACCESS_KEYS.put(tx, &id, &key)?;
            rows::next_generation(tx)?;
            Ok(true)
        })
        .await?;
    Ok(made.then_some((id, secret)))
}
