//! Lambda's data plane: runtimes, execution environments, and the pool that keeps them warm.

mod api;
mod environment;
mod launch;
mod layers;
mod layout;
mod pool;
mod python_sdk;
mod report;
mod resolve;
mod runtime;
mod spec;
mod start;

pub use environment::Environment;
pub use pool::{InvokeError, Limits, Pool};
pub use python_sdk::PythonSdk;
pub use report::MAX_RESPONSE_BYTES;
pub use resolve::{MissingRuntime, ResolvedRuntime};
pub use runtime::{Family, Runtime, UnknownRuntime};
pub use spec::{Ending, Exit, Invocation, Outcome, Spec, StreamPart};

pub(crate) use launch::{NODE_BOOTSTRAP, PYTHON_BOOTSTRAP};
pub(crate) use start::Starter;
