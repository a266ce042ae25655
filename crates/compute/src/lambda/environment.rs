//! An execution environment: one runtime process, its Runtime API and its log.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::api::{Phase, Reply, RuntimeApi, Work};
use super::report::{self, MAX_RESPONSE_BYTES, Report};
use super::spec::{Ending, Exit, Invocation, Outcome, Spec};
use super::start::Starter;
use crate::memory::Memory;
use crate::output::{Emitter, Output, now_unix_ms};
use crate::process::{self, Process};

/// How long initialisation may take before the function's own timeout begins to run.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the memory of a busy environment is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// A started runtime that serves one invocation at a time. Dropping it ends the process.
pub struct Environment {
    spec: Arc<Spec>,
    api: Arc<RuntimeApi>,
    emitter: Arc<Emitter>,
    started: Instant,
    /// The first invocation reports the initialisation.
    invoked: bool,
    state: Life,
    serving: tokio::task::AbortHandle,
    /// The thread that started the process must live as long as the process.
    _starter: Arc<Starter>,
}

enum Life {
    Running(Running),
    /// There was nothing to run, for this reason.
    Invalid(String),
    Ended,
}

/// The parts that live and die with the process.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) output: Output,
    pub(crate) memory: Memory,
    /// Dropped last: removes the scratch folder.
    pub(crate) _scratch: Option<crate::compute::Scratch>,
}

/// What ended a wait.
enum Waited<T> {
    Done(T),
    Exited(Exit),
    TimedOut,
    OutOfMemory,
}

/// How an invocation ended, before it is reported.
struct Ended {
    ending: Ending,
    payload: Bytes,
    /// The environment cannot serve again.
    fatal: bool,
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Environment {
    pub(crate) fn new(
        spec: Arc<Spec>,
        api: Arc<RuntimeApi>,
        emitter: Arc<Emitter>,
        started: Instant,
        running: Result<Running, String>,
        serving: tokio::task::AbortHandle,
        starter: Arc<Starter>,
    ) -> Self {
        let state = running.map_or_else(Life::Invalid, Life::Running);
        Self { spec, api, emitter, started, invoked: false, state, serving, _starter: starter }
    }

    /// True while the environment can serve an invocation.
    pub fn is_alive(&self) -> bool {
        match &self.state {
            Life::Running(running) => {
                running.process.exit().is_none()
                    && !matches!(&*self.api.phase().borrow(), Phase::Failed { .. })
            }
            // It reports its error on each invocation, for which nothing needs to run.
            Life::Invalid(_) => !self.invoked,
            Life::Ended => false,
        }
    }

    /// The id of the process that the server started, for diagnosis.
    pub fn process_id(&self) -> Option<u32> {
        match &self.state {
            Life::Running(running) => Some(running.process.id()),
            _ => None,
        }
    }

    /// Waits until the runtime asks for its first event; false if it cannot start or takes more than ten seconds.
    pub async fn ready(&mut self) -> bool {
        let Life::Running(running) = &self.state else { return false };
        let waited = wait_for(running, self.spec.memory_mb, INIT_TIMEOUT, started(&self.api)).await;
        matches!(waited, Waited::Done(Phase::Ready(_)))
    }

    /// Runs the function once. An outcome that ends the environment makes `is_alive` false.
    pub async fn invoke(&mut self, invocation: Invocation) -> Outcome {
        let id = invocation.request_id.clone();
        let first = !std::mem::replace(&mut self.invoked, true);
        let begun = Instant::now();
        let waited = self.initialised().await;
        let init = match self.api.phase().borrow().clone() {
            Phase::Ready(at) if first => Some(at.duration_since(self.started)),
            _ => None,
        };
        let (ended, begun) = match waited {
            Ok(()) => {
                self.emitter.begin();
                self.write_start(&id);
                let begun = Instant::now();
                (self.run(invocation).await, begun)
            }
            Err(ended) => {
                self.report_init(&ended, begun.elapsed()).await;
                self.write_start(&id);
                (self.name_request(ended, &id), begun)
            }
        };
        let duration = match ended.ending {
            Ending::Timeout => self.spec.timeout,
            _ => begun.elapsed(),
        };
        self.report(&id, ended, duration, init).await
    }

    fn write_start(&self, id: &str) {
        let version = &self.spec.function_version;
        self.emitter.line(&format!("START RequestId: {id} Version: {version}"));
    }

    /// Writes the line of a failed initialisation, after what the initialisation itself wrote.
    async fn report_init(&self, ended: &Ended, took: Duration) {
        if let Life::Running(running) = &self.state {
            running.output.drain().await;
        }
        let (status, error_type) = status_of(&ended.ending).unwrap_or(("error", None));
        self.emitter.line(&report::init_report(took, status, error_type.as_deref()));
    }

    /// Waits for the runtime's first request. Ten seconds are free; then the function's timeout runs.
    async fn initialised(&mut self) -> Result<(), Ended> {
        let waited = match &self.state {
            Life::Running(running) => {
                let limit = INIT_TIMEOUT + self.spec.timeout;
                wait_for(running, self.spec.memory_mb, limit, started(&self.api)).await
            }
            Life::Invalid(reason) => {
                let payload = Bytes::from(reason.clone());
                return Err(Ended {
                    ending: error("Runtime.InvalidEntrypoint"),
                    payload,
                    fatal: true,
                });
            }
            Life::Ended => Waited::Exited(Exit::Signal(9)),
        };
        match waited {
            Waited::Done(Phase::Failed { error_type, payload }) => {
                Err(Ended { ending: Ending::FunctionError { error_type }, payload, fatal: true })
            }
            Waited::Done(_) => Ok(()),
            other => Err(self.broken(other)),
        }
    }

    /// Gives the event to the runtime and waits for its answer.
    async fn run(&mut self, invocation: Invocation) -> Ended {
        let Life::Running(running) = &self.state else {
            return self.broken::<()>(Waited::Exited(Exit::Signal(9)));
        };
        let (reply, answer) = oneshot::channel();
        let timeout = self.spec.timeout;
        let function_arn =
            invocation.invoked_arn.clone().unwrap_or_else(|| self.spec.function_arn.clone());
        let id = invocation.request_id.clone();
        let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let deadline_unix_ms = now_unix_ms().saturating_add(timeout_ms);
        self.api.submit(Work { invocation, function_arn, deadline_unix_ms, reply });
        // A sender that is dropped means that the connection broke in the middle of the answer; the process tells.
        let answer = async {
            match answer.await {
                Ok(reply) => reply,
                Err(_) => std::future::pending().await,
            }
        };
        match wait_for(running, self.spec.memory_mb, timeout, answer).await {
            Waited::Done(Reply::Response(payload)) => {
                Ended { ending: Ending::Success, payload, fatal: false }
            }
            Waited::Done(Reply::Error { error_type, payload }) => {
                Ended { ending: Ending::FunctionError { error_type }, payload, fatal: false }
            }
            Waited::Done(Reply::TooLarge) => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
                );
                let payload = report::error_document("Function.ResponseSizeTooLarge", &message);
                Ended { ending: Ending::ResponseTooLarge, payload, fatal: false }
            }
            other => {
                let ended = self.broken(other);
                self.name_request(ended, &id)
            }
        }
    }

    /// What a wait means that did not end by itself; the payload is the message, without the request.
    fn broken<T>(&self, waited: Waited<T>) -> Ended {
        let (ending, message) = match waited {
            Waited::TimedOut => (Ending::Timeout, report::timeout_message(self.spec.timeout)),
            Waited::OutOfMemory => (Ending::OutOfMemory, report::crash_message(Exit::Signal(9))),
            Waited::Exited(exit) => (Ending::Crashed(exit), report::crash_message(exit)),
            Waited::Done(_) => {
                (Ending::Crashed(Exit::Code(0)), report::crash_message(Exit::Code(0)))
            }
        };
        Ended { ending, payload: Bytes::from(message), fatal: true }
    }

    /// Turns the message of a broken environment into AWS's document and log line, which name the request.
    fn name_request(&self, mut ended: Ended, id: &str) -> Ended {
        let error_type = match &ended.ending {
            Ending::Timeout => "Sandbox.Timedout",
            Ending::OutOfMemory => "Runtime.OutOfMemory",
            Ending::Crashed(_) => "Runtime.ExitError",
            Ending::FunctionError { error_type } if error_type == "Runtime.InvalidEntrypoint" => {
                error_type
            }
            _ => return ended,
        };
        let message = String::from_utf8_lossy(&ended.payload).into_owned();
        ended.payload = report::request_error(id, error_type, &message);
        ended
    }

    /// Ends the process if it must, and writes the platform's lines after the function's last.
    async fn report(
        &mut self,
        id: &str,
        ended: Ended,
        duration: Duration,
        init: Option<Duration>,
    ) -> Outcome {
        let mut max_memory_used_mb = 0;
        if let Life::Running(running) = &self.state {
            running.output.drain().await;
            max_memory_used_mb = running.memory.peak_mb().min(self.spec.memory_mb);
        }
        if ended.fatal {
            self.state = Life::Ended;
        }
        match &ended.ending {
            Ending::Timeout => {
                let at = jiff::Timestamp::now();
                let message = report::timeout_message(self.spec.timeout);
                self.emitter.line(&format!("{at:.3} {id} {message}\n"));
            }
            Ending::Crashed(exit) => {
                let message = report::crash_message(*exit);
                self.emitter.line(&format!("RequestId: {id} Error: {message}\nRuntime.ExitError"));
            }
            Ending::OutOfMemory => {
                max_memory_used_mb = self.spec.memory_mb;
                let message = report::crash_message(Exit::Signal(9));
                self.emitter
                    .line(&format!("RequestId: {id} Error: {message}\nRuntime.OutOfMemory"));
            }
            _ => {}
        }
        self.emitter.line(&format!("END RequestId: {id}"));
        let billed = report::billed(duration, init);
        let status = if ended.fatal { status_of(&ended.ending) } else { None };
        let figures = Report {
            request_id: id,
            duration,
            billed,
            memory_mb: self.spec.memory_mb,
            max_memory_used_mb,
            init_duration: init,
            status: status.as_ref().map(|(status, kind)| (*status, kind.as_deref())),
        };
        self.emitter.line(&figures.line());
        Outcome {
            ending: ended.ending,
            payload: ended.payload,
            log_tail: self.emitter.tail(),
            init_duration: init,
            duration,
            billed,
            max_memory_used_mb,
        }
    }
}

fn error(error_type: &str) -> Ending {
    Ending::FunctionError { error_type: error_type.to_owned() }
}

/// The status and error type of a report.
fn status_of(ending: &Ending) -> Option<(&'static str, Option<String>)> {
    match ending {
        Ending::Success | Ending::ResponseTooLarge => None,
        Ending::Timeout => Some(("timeout", None)),
        Ending::FunctionError { error_type } => Some(("error", Some(error_type.clone()))),
        Ending::Crashed(_) => Some(("error", Some("Runtime.ExitError".to_owned()))),
        Ending::OutOfMemory => Some(("error", Some("Runtime.OutOfMemory".to_owned()))),
    }
}

/// The phase after the start.
async fn started(api: &RuntimeApi) -> Phase {
    let mut phase: watch::Receiver<Phase> = api.phase();
    let reached = phase.wait_for(|phase| !matches!(phase, Phase::Starting)).await;
    reached.map_or(Phase::Starting, |phase| phase.clone())
}

/// Waits for the work, the process, the time and the memory, whichever ends first.
///
/// Work that is done counts even if the process has ended since: a runtime may answer and exit.
async fn wait_for<T>(
    running: &Running,
    memory_mb: u32,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Waited<T> {
    let exited = process::wait(running.process.exited());
    let deadline = tokio::time::sleep(limit);
    tokio::pin!(work, exited, deadline);
    let mut look =
        tokio::time::interval_at(tokio::time::Instant::now() + MEMORY_INTERVAL, MEMORY_INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Waited::Done(done),
            exit = &mut exited => {
                return match running.memory.was_killed() {
                    true => Waited::OutOfMemory,
                    false => Waited::Exited(exit),
                };
            }
            () = &mut deadline => return Waited::TimedOut,
            _ = look.tick() => {
                if running.memory.exceeds(memory_mb) {
                    return Waited::OutOfMemory;
                }
            }
        }
    }
}
