//! Background work: writing down when keys and roles were last used, what was refused and what was seen.

use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task};
use fogbank_identity::{Identities, LastUses};

/// The reconcilers.
pub(crate) static TASKS: &[Task] = &[
    Task { name: "iam.last-uses", every: Duration::from_secs(60), run: write_last_uses },
    Task { name: "iam.decisions", every: Duration::from_secs(5), run: write_decisions },
];

/// Writes down what was refused and what callers were seen to do.
pub(crate) fn write_decisions(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let identities = Identities::of(&cx);
        identities.kept.write(&cx).await?;
        identities.observed.write(&cx).await
    })
}

fn write_last_uses(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let uses = &Identities::of(&cx).last_uses;
        let (pending, services) = (uses.pending(), uses.pending_services());
        if pending.is_empty() && services.is_empty() {
            return Ok(());
        }
        cx.write(|tx| {
            LastUses::write(tx, &pending)?;
            LastUses::write_services(tx, &services)
        })
        .await?;
        uses.written(pending);
        uses.written_services(services);
        Ok(())
    })
}
