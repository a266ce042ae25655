//! Removing all parameters of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{self, PARAMETERS, SETTINGS};

/// Removes all that Parameter Store keeps of an account.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "ssm", account).await?;
        each(&cx, &PARAMETERS, |key, _| is_meant(account, &key.0), store::remove).await?;
        each(
            &cx,
            &SETTINGS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| SETTINGS.delete(tx, key),
        )
        .await
    })
}
