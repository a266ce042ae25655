//! Runs a service's reconciler whenever it is woken, and once in a while.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use fogbank_core::{Cloud, Cx, Fault, Task};
use futures_util::FutureExt;

/// How long a task rests at least when nothing wakes it.
const SHORTEST_REST: Duration = Duration::from_millis(50);

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
        let due = cloud.clock().now().plus_millis(task.every.as_millis() as i64);
        // A clock that stands still must not keep what failed from being tried again, nor one that was set back, and
        // one that runs fast must not have the process do nothing else.
        let soon = async {
            cloud.clock().rest(SHORTEST_REST.min(task.every)).await;
            cloud.clock().sleep_until(due).await;
        };
        tokio::select! {
            biased;
            () = woken.wait() => {}
            () = soon => {}
            () = cloud.clock().rest(task.every) => {}
        }
    }
}
