//! Removing all that EventBridge keeps of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{self, BUSES, DUE, RULES, TARGETS};

/// Removes buses, rules with their targets, and what is on its way.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "events", account).await?;
        each(&cx, &RULES, |key, _| is_meant(account, &key.0), store::remove_rule).await?;
        // What a rule that is gone may have left, if rows were ever damaged.
        each(
            &cx,
            &TARGETS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| TARGETS.delete(tx, key),
        )
        .await?;
        each(&cx, &DUE, |key, _| is_meant(account, &key.1), |tx, key, _| DUE.delete(tx, key))
            .await?;
        each(&cx, &BUSES, |key, _| is_meant(account, &key.0), |tx, key, _| BUSES.delete(tx, key))
            .await
    })
}
