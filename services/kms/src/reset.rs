//! Removing all keys of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{self, KEYS};

/// Removes all that KMS keeps of an account, without waiting for the end of any window.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        fogbank_core::at_rest::forget(&cx);
        let account = account.as_deref();
        forget_effects(&cx, "kms", account).await?;
        each(&cx, &KEYS, |at, _| is_meant(account, &at.0), store::remove).await
    })
}
