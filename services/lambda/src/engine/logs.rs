//! Functions' log lines on their way to CloudWatch Logs.
//!
//! Each execution environment has a log stream. Lines wait in a buffer of the stream until the task `lambda.logs`
//! writes them, with the permissions of the function's role: a role that may not write logs has none, as on AWS.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fogbank_compute::LogSink;
use fogbank_core::reset::is_meant;
use fogbank_core::{Clock, Cx, Fault, Principal, Task, Timestamp, Wakes, tracing};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::engine;

/// Writes what waits: after each invocation, and every second while one runs.
pub(crate) const LOGS: Task =
    Task { name: TOPIC, every: Duration::from_secs(1), run: |cx| Box::pin(round(cx)) };

const TOPIC: &str = "lambda.logs";
/// The most that may wait for one stream, in bytes; further lines are counted and lost.
const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// A buffer of this size is written at once.
const FULL_BYTES: usize = 256 * 1024;
/// The most events of one call.
const MAX_EVENTS: usize = 10_000;
/// What CloudWatch Logs counts for each event beyond its message, in bytes.
const EVENT_BYTES: usize = 26;

/// Where an environment's lines go, and who writes them.
pub(super) struct Stream {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) principal: Principal,
}

/// The streams of all environments.
pub(crate) struct Logs {
    wakes: Wakes,
    clock: Clock,
    open: Mutex<Vec<Arc<Buffer>>>,
    writing: tokio::sync::Mutex<()>,
}

struct Buffer {
    stream: Stream,
    waiting: Mutex<Waiting>,
    wakes: Wakes,
    clock: Clock,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(i64, String)>,
    bytes: usize,
    lost: u64,
}

impl Logs {
    pub(super) fn new(wakes: Wakes, clock: Clock) -> Logs {
        Logs { wakes, clock, open: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }

    /// A sink for a new environment's lines.
    pub(super) fn open(&self, stream: Stream) -> Arc<dyn LogSink> {
        let buffer = Arc::new(Buffer {
            stream,
            waiting: Mutex::default(),
            wakes: self.wakes.clone(),
            clock: self.clock.clone(),
        });
        self.open.lock().push(Arc::clone(&buffer));
        buffer
    }

    /// Has what waits written now.
    pub(crate) fn flush_soon(&self) {
        self.wakes.wake(TOPIC);
    }

    /// Writes everything that waits.
    pub(super) async fn write_all(&self, cx: &Cx) {
        // One at a time: two writers of a stream would write its lines twice.
        let _writing = self.writing.lock().await;
        for buffer in self.waiting() {
            if let Err(fault) = buffer.write(cx).await {
                let group = &buffer.stream.group;
                tracing::warn!(%group, ?fault, "a function's log waits");
            }
        }
    }

    /// Forgets the lines of an account's environments, or of all, and those that they may still have.
    pub(crate) fn forget(&self, account: Option<&str>) {
        self.open.lock().retain(|buffer| !is_meant(account, &buffer.stream.account));
    }

    /// The buffers with lines; those whose environment is gone and that are empty are forgotten.
    fn waiting(&self) -> Vec<Arc<Buffer>> {
        let mut open = self.open.lock();
        open.retain(|buffer| Arc::strong_count(buffer) > 1 || !buffer.waiting.lock().is_empty());
        open.iter().filter(|buffer| !buffer.waiting.lock().is_empty()).cloned().collect()
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0
    }
}

impl LogSink for Buffer {
    fn line(&self, at_unix_ms: i64, message: &str) {
        // Lines are timed by the machine; the cloud's clock may be shifted against it.
        let at_millis = self.clock.at(Timestamp::from_millis(at_unix_ms)).millis();
        let mut waiting = self.waiting.lock();
        if waiting.bytes + message.len() > MAX_WAITING_BYTES {
            waiting.lost += 1;
            return;
        }
        // AWS's events carry the line's end, too.
        waiting.lines.push_back((at_millis, format!("{message}\n")));
        let was_full = waiting.bytes >= FULL_BYTES;
        waiting.bytes += message.len() + 1 + EVENT_BYTES;
        if !was_full && waiting.bytes >= FULL_BYTES {
            self.wakes.wake(TOPIC);
        }
    }
}

impl Buffer {
    /// The next events to write, and how many lines they are.
    fn batch(&self) -> (Vec<Value>, usize) {
        let mut waiting = self.waiting.lock();
        if waiting.lost > 0 {
            let lost = std::mem::take(&mut waiting.lost);
            let at = self.clock.now().millis();
            let line =
                format!("{lost} lines were lost: they came faster than they could be written.\n");
            waiting.bytes += line.len() + EVENT_BYTES;
            waiting.lines.push_back((at, line));
        }
        let mut lines: Vec<&(i64, String)> = waiting.lines.iter().take(MAX_EVENTS).collect();
        let count = lines.len();
        lines.sort_by_key(|line| line.0);
        let events =
            lines.iter().map(|(at, text)| json!({"timestamp": at, "message": text})).collect();
        (events, count)
    }

    /// Forgets the first lines, which were written or cannot be.
    fn forget(&self, count: usize) {
        let mut waiting = self.waiting.lock();
        let gone: usize = waiting.lines.drain(..count).map(|line| line.1.len() + EVENT_BYTES).sum();
        waiting.bytes = waiting.bytes.saturating_sub(gone);
    }

    async fn write(&self, cx: &Cx) -> Result<(), Fault> {
        let cx = cx.located(&self.stream.account, &self.stream.region);
        loop {
            let (events, count) = self.batch();
            if count == 0 {
                return Ok(());
            }
            match self.put(&cx, events).await {
                Ok(()) => self.forget(count),
                Err(fault) if is_passing(&fault) => return Err(fault),
                Err(fault) => {
                    let group = &self.stream.group;
                    tracing::debug!(%group, ?fault, "a function's log could not be written");
                    self.forget(count);
                }
            }
        }
    }

    /// Writes events, into a group and stream that are made if they do not exist.
    async fn put(&self, cx: &Cx, events: Vec<Value>) -> Result<(), Fault> {
        let Stream { group, name, .. } = &self.stream;
        let place = json!({"logGroupName": group, "logStreamName": name});
        let mut input = place.clone();
        input["logEvents"] = Value::Array(events);
        match self.call(cx, "logs:PutLogEvents", input.clone()).await {
            Err(fault) if fault.name() == "ResourceNotFoundException" => {}
            other => return other,
        }
        if let Err(fault) = self.call(cx, "logs:CreateLogStream", place.clone()).await {
            match fault.name() {
                "ResourceAlreadyExistsException" => {}
                "ResourceNotFoundException" => {
                    let made =
                        self.call(cx, "logs:CreateLogGroup", json!({"logGroupName": group})).await;
                    made.or_else(accept_existing)?;
                    self.call(cx, "logs:CreateLogStream", place).await.or_else(accept_existing)?;
                }
                _ => return Err(fault),
            }
        }
        self.call(cx, "logs:PutLogEvents", input).await
    }

    async fn call(&self, cx: &Cx, action: &str, input: Value) -> Result<(), Fault> {
        cx.call(self.stream.principal.clone(), action, input).await.map(drop)
    }
}

fn accept_existing(fault: Fault) -> Result<(), Fault> {
    if fault.name() == "ResourceAlreadyExistsException" { Ok(()) } else { Err(fault) }
}

/// Whether trying again later may help.
fn is_passing(fault: &Fault) -> bool {
    matches!(
        fault.name(),
        "InternalFailure" | "ServiceUnavailableException" | "ThrottlingException"
    )
}

async fn round(cx: Cx) -> Result<(), Fault> {
    engine(&cx).logs.write_all(&cx).await;
    Ok(())
}
