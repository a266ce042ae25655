//! Keys that AWS manages for a service of the account: made at their first use, through that service.

use fogbank_core::{Cx, Tx};

use crate::error::Error;
use crate::keys;
use crate::rules::names::{self, Named};
use crate::rules::policy;
use crate::store::{ALIASES, ALIASES_OF, Alias};

/// Makes the AWS-managed key that `text` names by its alias, if it is not there and this call may make it: one that comes
/// through its service, or `DescribeKey`.
pub(crate) async fn ensure(cx: &Cx, text: &str) -> Result<(), Error> {
    let request = cx.request();
    let Named::Alias(account, name) = names::parse(text, cx.account(), cx.region())? else {
        return Ok(());
    };
    let Some(service) = policy::managed_service(&name) else { return Ok(()) };
    let through = request.via.last().and_then(|via| via.split('.').next());
    if account != cx.account() || (through != Some(service) && request.operation != "DescribeKey") {
        return Ok(());
    }
    let at = (account, cx.region().to_owned(), name);
    if cx.read(|tx| ALIASES.contains(tx, &at))? {
        return Ok(());
    }
    let key = keys::managed_key(cx, service);
    let fresh = keys::generate(cx, key.spec.clone()).await?;
    let id = keys::new_id(cx, false);
    cx.write(|tx| {
        // Somebody else may have been first.
        if ALIASES.contains(tx, &at)? {
            return Ok(());
        }
        let key_at = (at.0.clone(), at.1.clone(), id.clone());
        keys::insert(tx, &key_at, key.clone(), Some(&fresh))?;
        let now = tx.now().millis();
        let alias = Alias { key_id: id.clone(), created_millis: now, updated_millis: now };
        ALIASES.put(tx, &at, &alias)?;
        ALIASES_OF.put(tx, &(&at.0, &at.1, &id, &at.2), &())?;
        Ok::<_, Error>(())
    })
    .await
}
