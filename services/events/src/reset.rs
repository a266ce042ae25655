//! Removing all that EventBridge keeps of an account, or of every account.

use std::collections::BTreeSet;

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::store::Table;
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::error::Error;
use crate::rules::names::NamedKey;
use crate::store::{
    self, ARCHIVED, ARCHIVES, BUSES, CONNECTIONS, DESTINATIONS, DUE, REPLAYS, RULES, SIZES, TARGETS,
};

/// Removes buses, rules with their targets, archives, replays, connections, destinations, and what is on its way.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "events", account).await?;
        each(&cx, &RULES, |key, _| is_meant(account, &key.0), store::remove_rule).await?;
        // What a rule that is gone may have left, if rows were ever damaged.
        let is_theirs = |owner: &str| is_meant(account, owner);
        each(&cx, &TARGETS, |key, _| is_theirs(&key.0), |tx, key, _| TARGETS.delete(tx, key))
            .await?;
        each(&cx, &DUE, |key, _| is_theirs(&key.1), |tx, key, _| DUE.delete(tx, key)).await?;
        remove(&cx, &BUSES, account).await?;
        remove(&cx, &REPLAYS, account).await?;
        remove(&cx, &CONNECTIONS, account).await?;
        remove(&cx, &DESTINATIONS, account).await?;
        remove(&cx, &ARCHIVES, account).await?;
        remove_archived(&cx).await
    })
}

async fn remove<V>(
    cx: &Cx,
    table: &'static Table<NamedKey, V>,
    account: Option<&str>,
) -> Result<(), Fault>
where
    V: fogbank_core::store::Value,
{
    each(cx, table, |key, _| is_meant(account, &key.0), |tx, key, _| table.delete(tx, key)).await
}

/// Removes what belongs to no archive any more: of those that are gone now, and of those whose clean-up was forgotten.
async fn remove_archived(cx: &Cx) -> Result<(), Fault> {
    // Archives that are made meanwhile have higher numbers.
    let (kept, next): (BTreeSet<u64>, u64) = cx
        .write(|tx| {
            let archives = ARCHIVES.list(tx, &())?;
            let kept = archives.into_iter().map(|(_, archive)| archive.id).collect();
            Ok::<_, Error>((kept, tx.version()))
        })
        .await?;
    let is_gone = |id: u64| id < next && !kept.contains(&id);
    each(cx, &ARCHIVED, |key, _| is_gone(key.0), |tx, key, _| ARCHIVED.delete(tx, key)).await?;
    each(cx, &SIZES, |key, _| is_gone(key.0), |tx, key, _| SIZES.delete(tx, key)).await
}
