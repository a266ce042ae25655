//! Torture: runs load against the real cloud, kills it and cuts its disk, and checks that nothing acknowledged is lost.
//!
//! The checks compare with a model that the load keeps itself and that knows nothing of how the cloud keeps its state.
//! The seed decides operations and faults; how requests of different lanes interleave is up to the machine.

pub mod client;
pub mod corrupt;
pub mod faults;
pub mod lanes;
mod orphans;
mod past;
pub mod plan;
pub mod power;
pub mod run;
pub mod scenes;
pub mod server;
pub mod world;

pub use plan::Fault;
pub use run::{Report, Settings, run};
