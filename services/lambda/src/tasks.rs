//! Background work: bringing functions into their final state, events and logs.

use std::time::{Duration, Instant};

use fogbank_core::{Cx, Fault, Task, tracing};
use parking_lot::Mutex;

use crate::engine::{LOGS, engine};
use crate::events::EVENTS_TASK;
use crate::functions::{SETTLE, settled_topic};
use crate::mappings::MAPPINGS_TASK;
use crate::rules::target::Target;
use crate::store::{self, State, TRANSITIONS, VERSIONS, VersionKey};

/// The tasks.
pub(crate) static TASKS: &[Task] = &[
    Task { name: SETTLE, every: Duration::from_secs(60), run: |cx| Box::pin(settle(cx)) },
    EVENTS_TASK,
    LOGS,
    MAPPINGS_TASK,
];

/// How many transitions are looked at in one read.
const PAGE: usize = 100;
/// How often folders are looked for that no function uses.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// Brings every version that is being created or updated into its final state.
async fn settle(cx: Cx) -> Result<(), Fault> {
    let mut after: Option<VersionKey> = None;
    loop {
        let (rows, more) = cx.read(|tx| TRANSITIONS.page(tx, &(), after.as_ref(), PAGE))?;
        for (key, ()) in &rows {
            if let Err(fault) = settle_one(&cx, key).await {
                tracing::error!(function = key.2, ?fault, "a function stays as it is for now");
            }
        }
        after = rows.into_iter().last().map(|(key, ())| key);
        if !more {
            break;
        }
    }
    sweep(&cx)
}

async fn settle_one(cx: &Cx, key: &VersionKey) -> Result<(), Fault> {
    let (account, region, name, number) = key;
    let target = Target {
        account: account.clone(),
        region: region.clone(),
        name: name.clone(),
        qualifier: None,
    };
    let version = cx.read(|tx| store::version(tx, &target, *number))?;
    if let Some(version) = &version {
        let code = &version.code;
        let folder = engine(cx).unpacked.folder(cx.blobs(), &code.zip, &code.sha256).await;
        folder.map_err(Fault::internal)?;
    }
    cx.write(|tx| {
        TRANSITIONS.delete(tx, key)?;
        if let Some(mut version) = store::version(tx, &target, *number)? {
            version.state = State::Active;
            version.revision_id = store::revision(tx);
            store::put_version(tx, &target, *number, &version)?;
        }
        tx.wake(settled_topic(&target.function_arn()));
        Ok::<_, Fault>(())
    })
    .await
}

/// When the last sweep was.
#[derive(Default)]
struct LastSweep(Mutex<Option<Instant>>);

/// Removes unpacked code that no function uses, once in a while.
fn sweep(cx: &Cx) -> Result<(), Fault> {
    let last = cx.state(LastSweep::default);
    let mut last = last.0.lock();
    if last.is_some_and(|last| last.elapsed() < SWEEP) {
        return Ok(());
    }
    *last = Some(Instant::now());
    drop(last);
    let mut used = std::collections::HashSet::new();
    cx.read(|tx| {
        VERSIONS.scan(tx, &(), |_, version| {
            used.extend(version.layers.into_iter().map(|layer| layer.code.sha256));
            used.insert(version.code.sha256);
            std::ops::ControlFlow::Continue(())
        })
    })?;
    engine(cx).unpacked.sweep(&used).map_err(Fault::internal)
}
