//! Real functions in real runtimes, without a control plane.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

#[cfg(target_os = "linux")]
mod isolation;
mod node;
mod pool;
mod provided;
mod python;
mod world;
