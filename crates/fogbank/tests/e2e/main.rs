//! The one end-to-end test program: the built binary from outside, and rules about the workspace.

mod admin;
mod clock;
mod dependencies;
mod gateway;
mod server;
mod snapshots;
