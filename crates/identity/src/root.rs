//! The access key of an account's root, which a server makes at its first start.

use fogbank_core::store::{Db, Error};
use fogbank_core::{Ids, Timestamp};

use crate::keys;
use crate::rows::{self, ACCESS_KEYS, ACCOUNTS, AccessKey};

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
