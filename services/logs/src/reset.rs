//! Removing all log groups of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{GROUPS, STREAMS};
use crate::{groups, streams};

/// Removes all that CloudWatch Logs keeps of an account, protected groups too. Events go in the background.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "logs", account).await?;
        // The streams first, so that no transaction has many.
        each(&cx, &STREAMS, |key, _| is_meant(account, &key.0), streams::remove).await?;
        each(&cx, &GROUPS, |key, _| is_meant(account, &key.0), |tx, key, _| groups::remove(tx, key))
            .await
    })
}
