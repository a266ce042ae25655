//! Runs a service's reconciler whenever it is woken, and once in a while.

use std::panic::AssertUnwindSafe;

use fogbank_core::{Cloud, Cx, Fault, Task};
use futures_util::FutureExt;

/// Runs `task` for ever.
pub(crate) async fn run(cloud: Cloud, service: &'static str, task: &'static Task) {
    loop {
        let woken = cloud.wakes().waiter(task.name);
        let cx = Cx::background(cloud.clone(), service, task.name);
        // A panic is the end of this round, not of the reconciler.
        let round = AssertUnwindSafe((task.run)(cx)).catch_unwind().await;
        if let Err(fault) = round.unwrap_or_else(|_| Err(Fault::internal("the round panicked"))) {
            tracing::warn!(task = task.name, ?fault, "a round of background work failed");
        }
        tokio::select! {
            biased;
            () = woken.wait() => {}
            () = cloud.clock().sleep(task.every) => {}
        }
    }
}
