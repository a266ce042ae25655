//! The one end-to-end test program: the built binary from outside, and rules about the workspace.

mod admin;
mod chunks;
mod clock;
mod data;
mod dependencies;
mod determinism;
mod formats;
mod gateway;
mod scrub;
mod server;
mod snapshots;
mod torture;
