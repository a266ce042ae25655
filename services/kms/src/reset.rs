//! Removing all keys of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cloud, Cx, Fault};

use crate::store::{self, KEYS, MARKS};
use crate::uses;

/// Removes all that KMS keeps of an account, without waiting for the end of any window.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        forget(&cx);
        let account = account.as_deref();
        forget_effects(&cx, "kms", account).await?;
        each(&cx, &KEYS, |at, _| is_meant(account, &at.0), store::remove).await?;
        // What is known of all rows is found out again.
        let is_all = |_: &(u64,), _: &u64| account.is_none();
        each(&cx, &MARKS, is_all, |tx, mark, _| Ok::<_, Fault>(MARKS.delete(tx, mark)?)).await
    })
}

/// Forgets what is remembered of rows: data keys of those that go away would seal what nobody could open.
pub(crate) fn forget(cloud: &Cloud) {
    fogbank_core::at_rest::forget(cloud);
    uses::forget(cloud);
}
