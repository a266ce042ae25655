//! Removing the organization of an account, or all organizations.

use fogbank_core::reset::{forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};
use fogbank_identity::organizations::{ACCOUNTS, HANDSHAKES, ORGANIZATIONS, PARTIES};

use crate::organization;
use crate::store::{self, Found};

/// Removes the organizations that an account manages, and takes it out of the one that it is in.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "organizations", account).await?;
        let all = cx.read(|tx| store::keys(tx, &ORGANIZATIONS, &(), |id| id))?;
        for id in all {
            cx.write(|tx| {
                let Some(row) = ORGANIZATIONS.get(tx, &id)? else { return Ok(()) };
                if is_meant(account, &row.management) {
                    organization::remove(tx, &Found { id: id.clone(), row })?;
                }
                Ok::<_, crate::Error>(())
            })
            .await?;
        }
        let Some(number) = account else { return Ok(()) };
        cx.write(|tx| {
            if let Some(row) = ACCOUNTS.get(tx, number)?
                && let Some(organization) = ORGANIZATIONS.get(tx, &row.organization)?
            {
                let found = Found { id: row.organization.clone(), row: organization };
                found.remove_account(tx, number, &row)?;
            }
            for id in store::keys(tx, &PARTIES, number, |(_, id)| id)? {
                if let Some(handshake) = HANDSHAKES.get(tx, &id)? {
                    PARTIES.delete(tx, &(&*handshake.organization, &*id))?;
                }
                HANDSHAKES.delete(tx, &id)?;
                PARTIES.delete(tx, &(number, &*id))?;
            }
            Ok::<_, crate::Error>(())
        })
        .await
        .map_err(Fault::from)
    })
}
