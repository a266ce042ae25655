//! Removing all secrets of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{self, SECRETS};

/// Removes all that Secrets Manager keeps of an account, replicas too.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "secretsmanager", account).await?;
        each(&cx, &SECRETS, |key, _| is_meant(account, &key.0), store::remove).await
    })
}
