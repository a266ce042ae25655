//! Background work: events of deleted streams, and events past their group's retention.

use std::ops::ControlFlow;

use fogbank_core::{Cx, Fault};

use crate::store::{DOOMED, EVENTS, GROUPS, STREAMS};

/// The topic that wakes the removal.
pub(crate) const REMOVAL: &str = "logs.removal";
/// How many events one transaction removes.
const BATCH: usize = 2_000;

/// Removes the events of streams that were deleted.
pub(crate) async fn remove_doomed(cx: Cx) -> Result<(), Fault> {
    while let Some(((id,), _)) = cx.read(|tx| DOOMED.first(tx, &()))? {
        cx.write(|tx| {
            let keys = EVENTS.range(&(id,)).limit(BATCH).keys(tx)?;
            for key in &keys {
                EVENTS.delete(tx, key)?;
            }
            if keys.len() < BATCH {
                DOOMED.delete(tx, &(id,))?;
            }
            Ok::<_, Fault>(())
        })
        .await?;
    }
    Ok(())
}

/// Removes events that are older than their group keeps them.
pub(crate) async fn expire(cx: Cx) -> Result<(), Fault> {
    let now = cx.now().millis();
    let mut due: Vec<(u64, u64)> = Vec::new();
    cx.read(|tx| {
        let mut groups = Vec::new();
        GROUPS.scan(tx, &(), |key, group| {
            groups.extend(group.retention_days.map(|days| (key, days)));
            ControlFlow::Continue(())
        })?;
        for (group, days) in groups {
            let cutoff = (now - i64::from(days) * 24 * 3600 * 1000).max(0).unsigned_abs();
            STREAMS.scan(tx, &group, |_, stream| {
                due.push((stream.id, cutoff));
                ControlFlow::Continue(())
            })?;
        }
        Ok::<_, Fault>(())
    })?;
    for (id, cutoff) in due {
        loop {
            let old = || EVENTS.range(&(id,)).before(&(id, cutoff, 0)).limit(BATCH);
            if cx.read(|tx| old().limit(1).keys(tx))?.is_empty() {
                break;
            }
            cx.write(|tx| {
                for key in &old().keys(tx)? {
                    EVENTS.delete(tx, key)?;
                }
                Ok::<_, Fault>(())
            })
            .await?;
        }
    }
    Ok(())
}
