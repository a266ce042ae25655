//! Background work: writing down when keys and roles were last used.

use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task};
use fogbank_identity::{Identities, LastUses};

/// The reconcilers.
pub(crate) static TASKS: &[Task] =
    &[Task { name: "iam.last-uses", every: Duration::from_secs(60), run: write_last_uses }];

fn write_last_uses(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let uses = &Identities::of(&cx).last_uses;
        let pending = uses.pending();
        if pending.is_empty() {
            return Ok(());
        }
        cx.write(|tx| LastUses::write(tx, &pending)).await?;
        uses.written(pending);
        Ok(())
    })
}
