//! What goes into an execution environment, and what comes out of an invocation.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::runtime::Runtime;
use crate::output::LogSink;

/// Everything that an execution environment is made of.
#[derive(Clone)]
pub struct Spec {
    /// The runtime that executes the code.
    pub runtime: Runtime,
    /// The handler, in the runtime's own notation.
    pub handler: String,
    /// The unpacked deployment package; the function sees it read-only as `/var/task`.
    pub code_dir: PathBuf,
    /// Unpacked layers in the function's order; later ones win. The function sees them merged as `/opt`.
    ///
    /// A folder must never change once it has been used: the merged tree is kept under the folders' names.
    pub layers: Vec<PathBuf>,
    /// The function's environment variables, and credentials and endpoint variables for its role.
    pub env: Vec<(String, String)>,
    /// Memory in MiB; going beyond ends the environment.
    pub memory_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Size of `/tmp` in MiB.
    pub scratch_mb: u32,
    /// Where the lines go that the function and the platform write.
    pub log_sink: Arc<dyn LogSink>,
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// `AWS_LAMBDA_FUNCTION_VERSION`, `$LATEST` or a number.
    pub function_version: String,
    /// The ARN for invocations that name none of their own.
    pub function_arn: String,
    /// `AWS_LAMBDA_LOG_GROUP_NAME`.
    pub log_group: String,
    /// `AWS_LAMBDA_LOG_STREAM_NAME`.
    pub log_stream: String,
    /// `AWS_REGION`.
    pub region: String,
}

/// One event for a function.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The request id, a UUID.
    pub request_id: String,
    /// The event, JSON.
    pub payload: Bytes,
    /// The X-Ray trace header.
    pub trace_id: Option<String>,
    /// The ARN that was invoked, with its qualifier; the spec's ARN where absent.
    pub invoked_arn: Option<String>,
    /// The client context, JSON.
    pub client_context: Option<String>,
    /// The Cognito identity, JSON.
    pub cognito_identity: Option<String>,
    /// Takes a streamed response as it comes. Without it a streamed response is collected like any other.
    pub stream: Option<mpsc::Sender<StreamPart>>,
}

/// A part of a streamed response, in order: one `ContentType`, then `Chunk`s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamPart {
    /// The content type that the function chose.
    ContentType(String),
    /// Bytes of the body.
    Chunk(Bytes),
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The handler returned.
    Success,
    /// The handler or its initialisation reported an error.
    FunctionError {
        /// Such as `ValueError` or `Runtime.ImportModuleError`.
        error_type: String,
    },
    /// The function's timeout passed; the environment is gone.
    Timeout,
    /// The runtime process ended without an answer.
    Crashed(Exit),
    /// The environment took more memory than it may, and is gone.
    OutOfMemory,
    /// The response was larger than AWS allows.
    ResponseTooLarge,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

/// The result of an invocation, with the figures of its `REPORT` line.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What the caller gets: the handler's result, or AWS's error document.
    pub payload: Bytes,
    /// The last 4 KB of the invocation's log, as `LogResult` carries them before base64.
    pub log_tail: String,
    /// How long the environment took to initialise, on its first invocation.
    pub init_duration: Option<Duration>,
    /// How long the handler ran.
    pub duration: Duration,
    /// Duration and initialisation, rounded up to whole milliseconds.
    pub billed: Duration,
    /// The peak memory of the environment so far, in MiB.
    pub max_memory_used_mb: u32,
}

impl Outcome {
    /// The value of the header `X-Amz-Function-Error`, absent on success.
    pub fn function_error(&self) -> Option<&'static str> {
        match self.ending {
            Ending::Success => None,
            // AWS documents `Handled` as well, but its managed runtimes report everything as unhandled.
            _ => Some("Unhandled"),
        }
    }
}
