//! Background work: forgetting sessions that ended long ago.

use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task};

use crate::store;

/// The reconcilers.
pub(crate) static TASKS: &[Task] =
    &[Task { name: "sts.sessions", every: Duration::from_secs(600), run: forget_ended }];

/// How many sessions one transaction forgets.
const AT_ONCE: usize = 1000;

fn forget_ended(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        while cx.write(|tx| store::forget_ended(tx, AT_ONCE)).await? {}
        Ok(())
    })
}
