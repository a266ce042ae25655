//! Background work: warehouses of tables that were never completed are given up.

use std::ops::ControlFlow;

use fogbank_core::{BoxFuture, Cx, Fault};

use crate::error::Error;
use crate::store::{self, PENDING};

/// The name of the task.
pub(crate) const PENDING_TASK: &str = "s3tables.pending";
/// How long a warehouse waits for its table, in milliseconds. Its first metadata is written within seconds.
const PATIENCE_MILLIS: u64 = 900_000;
/// How many are given up in one transaction.
const AT_ONCE: usize = 100;

/// Gives up the warehouses whose tables do not come.
pub(crate) fn give_up(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        loop {
            let now = u64::try_from(cx.now().millis()).unwrap_or(0);
            let mut due: Vec<String> = Vec::new();
            cx.read(|tx| {
                PENDING.range(&()).visit(tx, |name, since| {
                    // A clock that went back makes them younger than new.
                    if now.abs_diff(since) >= PATIENCE_MILLIS {
                        due.push(name);
                    }
                    if due.len() < AT_ONCE {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })
            })?;
            if due.is_empty() {
                return Ok(());
            }
            cx.write(|tx| {
                for name in &due {
                    if PENDING.contains(tx, &**name)? {
                        store::remove_warehouse(tx, name)?;
                    }
                }
                Ok::<_, Error>(())
            })
            .await?;
        }
    })
}
