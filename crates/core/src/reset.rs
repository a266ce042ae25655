//! What the resets of services have in common: rows are found in views and removed in small transactions.

use std::ops::ControlFlow;

use fogbank_store::{self as store, Key, Table, Value};

use crate::outbox::{Effect, lanes};
use crate::{Cx, Fault, WriteTx};

/// How many rows one transaction removes.
pub const AT_ONCE: usize = 100;
/// How many rows one view looks at, so that none is kept for long.
const LOOKED_AT: usize = 5_000;

/// Whether what belongs to `owner` is meant by a reset of `account`, or of every account.
pub fn is_meant(account: Option<&str>, owner: &str) -> bool {
    account.is_none_or(|account| account == owner)
}

/// Calls `remove` for the rows of a table that are `meant`, as they are then, in transactions of up to [`AT_ONCE`] rows.
/// Rows that are written meanwhile may be left.
pub async fn each<K, V, E>(
    cx: &Cx,
    table: &Table<K, V>,
    meant: impl Fn(&K, &V) -> bool + Send + Sync,
    mut remove: impl FnMut(&mut WriteTx<'_>, &K, &V) -> Result<(), E> + Send,
) -> Result<(), Fault>
where
    K: Key + Clone + Send + Sync,
    V: Value,
    E: From<store::Error> + Send,
    Fault: From<E>,
{
    let mut after = None;
    loop {
        let found = cx.read(|tx| find(tx, table, after.as_ref(), &meant))?;
        if !found.keys.is_empty() {
            cx.write(|tx| {
                for key in &found.keys {
                    if let Some(row) = table.get(tx, key)?.filter(|row| meant(key, row)) {
                        remove(tx, key, &row)?;
                    }
                }
                Ok::<_, E>(())
            })
            .await?;
        }
        if found.next.is_none() {
            return Ok(());
        }
        after = found.next;
        tokio::task::yield_now().await;
    }
}

struct Found<K> {
    keys: Vec<K>,
    /// The last row that was looked at, if there may be more.
    next: Option<K>,
}

fn find<K: Key + Clone, V: Value>(
    tx: &impl store::Read,
    table: &Table<K, V>,
    after: Option<&K>,
    meant: &impl Fn(&K, &V) -> bool,
) -> Result<Found<K>, store::Error> {
    let mut range = table.range(&());
    if let Some(after) = after {
        range = range.after(after);
    }
    let mut found = Found { keys: Vec::new(), next: None };
    let mut looked_at = 0;
    range.visit(tx, |key, row| {
        looked_at += 1;
        if meant(&key, &row) {
            found.keys.push(key.clone());
        }
        if found.keys.len() < AT_ONCE && looked_at < LOOKED_AT {
            return ControlFlow::Continue(());
        }
        found.next = Some(key);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Takes the calls and jobs of a service that wait in an account out of the outbox: what they are about is removed.
pub async fn forget_effects(cx: &Cx, service: &str, account: Option<&str>) -> Result<(), Fault> {
    let is_of_service = |effect: &Effect| {
        let operation = effect.target.strip_prefix(service);
        operation.is_some_and(|operation| operation.starts_with(':'))
            && is_meant(account, &effect.account)
    };
    let before_lanes = &lanes::BEFORE_LANES;
    each(cx, before_lanes, |_, it| is_of_service(it), |tx, key, _| before_lanes.delete(tx, key))
        .await?;
    each(cx, &lanes::EFFECTS, |_, it| is_of_service(it), |tx, key, _| lanes::discard(tx, key)).await
}
