//! Removing all sessions of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};
use fogbank_identity::rows::{SESSIONS, SIGNING_KEYS};

use crate::{outbound, store};

/// Removes all that STS keeps of an account: temporary credentials stop being valid at once, those of running functions
/// too.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "sts", account).await?;
        let is_ours = |_: &String, session: &fogbank_identity::rows::TemporaryCredential| {
            is_meant(account, &session.principal.account)
        };
        each(&cx, &SESSIONS, is_ours, store::remove).await?;
        each(
            &cx,
            &SIGNING_KEYS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| outbound::remove_keys(tx, key),
        )
        .await
    })
}
