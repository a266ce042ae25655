//! Background work: services' reconcilers and the pump that performs the outbox's effects.
//!
//! Everything here may be killed at any instruction and started again: reconcilers take no input,
//! and an effect leaves the outbox only after it was performed.

mod pump;
mod reconcilers;

use fogbank_core::{Cloud, Service};
use tokio::task::JoinSet;

/// The running background work; dropping it stops the work.
pub struct Background {
    _running: JoinSet<()>,
}

/// Starts the background work of all services.
pub fn start(cloud: &Cloud, services: &'static [&'static Service]) -> Background {
    let mut running = JoinSet::new();
    running.spawn(pump::run(cloud.clone(), services));
    for service in services {
        for task in service.tasks {
            running.spawn(reconcilers::run(cloud.clone(), service.model.name, task));
        }
    }
    Background { _running: running }
}
