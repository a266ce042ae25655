//! Runs foreign code: Lambda functions in sandboxed child processes that speak the Lambda Runtime API.
//!
//! [`Compute`] starts an [`lambda::Environment`] from a [`lambda::Spec`]; a [`lambda::Pool`] keeps environments warm,
//! limits their number and replaces them when the code changes. Nothing here knows AWS's control plane: names, roles
//! and packages come in as values, log lines go out through [`LogSink`].

mod compute;
mod doctor;
pub mod lambda;
mod memory;
mod output;
mod process;
pub mod sandbox;
mod sys;

pub use compute::{Compute, Config, StartError};
pub use doctor::{Check, Status};
pub use output::{LogSink, MAX_LINE_BYTES};
