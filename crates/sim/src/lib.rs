//! A simulation: a whole cloud, its clients, its disk and its time under one seed, in one thread.
//!
//! The cloud is the real one behind the network layer: the gateway's pipeline, every service, the background work, the
//! store with its group commits. Only the disk ([`fogbank_core::store::SimulatedDisk`]) and the time are simulated. Time
//! jumps from timer to timer, so that hours pass in milliseconds. [`actors`] use the cloud as clients do and keep a model
//! of what it promised them; the disk fails, fills up and loses power between any two operations, answers get lost,
//! and after each crash the cloud starts again upon what the disk kept. What an actor sees must always agree with its
//! model. All that happens goes into a hash, which is the same whenever the seed is.

mod actors;
mod chance;
mod life;
mod run;
mod trace;

pub use run::{Outcome, Plan, run};
