//! Background work: services' reconcilers and the pump that performs the outbox's effects.
//!
//! Everything here may be killed at any instruction and started again: reconcilers take no input,
//! and an effect leaves the outbox only after it was performed.

mod clock;
mod pump;
mod reconcilers;

use std::time::Duration;

use fogbank_core::{Cloud, Cx, Service};
use tokio::task::JoinSet;

/// How long services may take to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

/// The running background work; dropping it stops the work.
pub struct Background {
    _running: JoinSet<()>,
}

/// Starts the background work of all services.
pub fn start(cloud: &Cloud, services: &'static [&'static Service]) -> Background {
    let mut running = JoinSet::new();
    running.spawn(pump::run(cloud.clone(), services));
    running.spawn(clock::run(cloud.clone(), services));
    for service in services {
        for task in service.tasks {
            running.spawn(reconcilers::run(cloud.clone(), service.model.name, task));
        }
    }
    Background { _running: running }
}

/// Has every service do what it must before the server stops.
pub async fn stop(cloud: &Cloud, services: &'static [&'static Service]) {
    let stops = services.iter().filter_map(|service| {
        let stop = service.stop?;
        Some(stop(Cx::background(cloud.clone(), service.model.name, "stop")))
    });
    if tokio::time::timeout(STOP_TIME, futures_util::future::join_all(stops)).await.is_err() {
        tracing::warn!("services take too long to stop, and are not waited for");
    }
}
