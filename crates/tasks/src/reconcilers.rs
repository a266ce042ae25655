//! Runs a service's reconciler whenever it is woken, and once in a while.

use fogbank_core::{Cloud, Cx, Task};

/// Runs `task` for ever.
pub(crate) async fn run(cloud: Cloud, service: &'static str, task: &'static Task) {
    loop {
        let woken = cloud.wakes().waiter(task.name);
        let cx = Cx::background(cloud.clone(), service, task.name);
        if let Err(fault) = (task.run)(cx).await {
            tracing::warn!(task = task.name, ?fault, "a round of background work failed");
        }
        tokio::select! {
            () = woken.wait() => {}
            () = cloud.clock().sleep(task.every) => {}
        }
    }
}
