//! Pollers: one for each enabled mapping.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::{Cx, Fault, Principal, Task, Timestamp, Tx, tracing};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::{batch, settings, target};
use crate::error::Error;
use crate::functions::assume;
use crate::invocations;
use crate::rules::target::Target;
use crate::store::{FunctionKey, MAPPINGS, Mapping, Phase};

/// Wakes the task that starts and stops pollers.
pub(super) const TOPIC: &str = "lambda.mappings";

/// Keeps the pollers that should run running.
pub(crate) const MAPPINGS_TASK: Task =
    Task { name: TOPIC, every: Duration::from_secs(60), run: |cx| Box::pin(reconcile(cx)) };

/// How many batches of one mapping are handled at one time, where the mapping does not say.
const DEFAULT_CONCURRENCY: u32 = 5;
/// The longest wait of one receive, in seconds.
const WAIT_SECS: i64 = 20;
/// The most messages of one receive or delete.
const MAX_MESSAGES: usize = 10;
/// A batch is not filled beyond this, for an event may have 6 MB.
const MAX_BATCH_BYTES: usize = 5 * 1024 * 1024;
/// A role's session is used so long for polling.
const SESSION_SECS: i64 = 15 * 60;
/// The pause after a queue could not be read.
const PAUSE: Duration = Duration::from_secs(10);

/// The pollers of this process, by the key of their mapping.
#[derive(Default)]
struct Pollers(Mutex<HashMap<FunctionKey, Poller>>);

struct Poller {
    revision: String,
    task: AbortHandle,
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn reconcile(cx: Cx) -> Result<(), Fault> {
    let pollers = cx.state(Pollers::default);
    let mappings = cx.read(|tx| MAPPINGS.list(tx, &()))?;
    let wanted: HashMap<&FunctionKey, &Mapping> = mappings
        .iter()
        .filter(|(_, mapping)| mapping.enabled)
        .map(|(key, mapping)| (key, mapping))
        .collect();
    pollers.0.lock().retain(|key, poller| {
        wanted.get(key).is_some_and(|mapping| mapping.revision == poller.revision)
    });
    for (key, mapping) in wanted {
        let mut running = pollers.0.lock();
        if running.contains_key(key) {
            continue;
        }
        let source = Source::new(&cx, key, mapping);
        let task = cx.spawn(source.poll()).abort_handle();
        running.insert(key.clone(), Poller { revision: mapping.revision.clone(), task });
    }
    for (key, mapping) in &mappings {
        if mapping.phase != Phase::Settled {
            settle(&cx, key, &mapping.revision).await?;
        }
    }
    Ok(())
}

/// Brings a mapping into its final state, unless it was changed meanwhile.
async fn settle(cx: &Cx, key: &FunctionKey, revision: &str) -> Result<(), Fault> {
    cx.write(|tx| {
        match MAPPINGS.get(tx, key)? {
            Some(mapping) if mapping.revision != revision => {}
            Some(mapping) if mapping.phase == Phase::Deleting => MAPPINGS.delete(tx, key)?,
            Some(mapping) => {
                MAPPINGS.put(tx, key, &Mapping { phase: Phase::Settled, ..mapping })?;
            }
            None => {}
        }
        Ok(())
    })
    .await
}

/// A queue and the function that gets its messages.
#[derive(Clone)]
struct Source {
    cx: Cx,
    target: Target,
    mapping: Mapping,
    queue_url: String,
    region: String,
    session: Arc<Mutex<Option<(Principal, Timestamp)>>>,
}

impl Source {
    fn new(cx: &Cx, key: &FunctionKey, mapping: &Mapping) -> Source {
        let (account, region, _) = key;
        let cx = cx.located(account, region);
        Source {
            target: target(account, region, mapping),
            mapping: mapping.clone(),
            queue_url: settings::queue_url(&cx, &mapping.queue_arn),
            region: region.clone(),
            session: Arc::default(),
            cx,
        }
    }

    /// Receives batches for ever and has them handled.
    async fn poll(self) {
        let is_fifo = self.mapping.queue_arn.ends_with(".fifo");
        let limit = match is_fifo {
            // Messages of a group must stay in order.
            true => 1,
            false => self.mapping.max_concurrency.unwrap_or(DEFAULT_CONCURRENCY),
        };
        let permits = Arc::new(Semaphore::new(usize::try_from(limit).unwrap_or(1)));
        let mut last_problem = String::new();
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            match self.gather().await {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => {
                    last_problem.clear();
                    let source = self.clone();
                    self.cx.spawn(async move {
                        source.handle(messages).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    let problem = error.to_string();
                    let queue = &self.mapping.queue_arn;
                    if problem != last_problem {
                        tracing::warn!(queue, problem, "a queue cannot be read for a function");
                    }
                    last_problem = problem;
                    *self.session.lock() = None;
                    self.cx.clock().rest(PAUSE).await;
                }
            }
        }
    }

    /// The next batch: as many messages as it may have, or those that came within the window.
    async fn gather(&self) -> Result<Vec<Value>, Error> {
        let size = usize::try_from(self.mapping.batch_size).unwrap_or(1).max(1);
        let mut messages = self.receive(size, WAIT_SECS).await?;
        let window = u64::from(self.mapping.window_secs);
        if messages.is_empty() || window == 0 {
            return Ok(messages);
        }
        // Like a long poll, a window is time that somebody waits, and no date: it passes while the clock is frozen.
        let deadline = self.cx.clock().machine_now().plus_secs(window.cast_signed());
        let mut bytes: usize = messages.iter().map(body_len).sum();
        while messages.len() < size && bytes < MAX_BATCH_BYTES {
            let left_millis = deadline.millis() - self.cx.clock().machine_now().millis();
            if left_millis <= 0 {
                break;
            }
            // A receive waits for whole seconds.
            let wait = (left_millis + 999) / 1000;
            let wait = wait.min(WAIT_SECS);
            let more = self.receive(size - messages.len(), wait).await?;
            bytes += more.iter().map(body_len).sum::<usize>();
            messages.extend(more);
        }
        Ok(messages)
    }

    async fn receive(&self, most: usize, wait_secs: i64) -> Result<Vec<Value>, Error> {
        let input = json!({
            "QueueUrl": self.queue_url,
            "MaxNumberOfMessages": most.min(MAX_MESSAGES),
            "WaitTimeSeconds": wait_secs,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let principal = self.principal().await?;
        let mut output = self.cx.call(principal, "sqs:ReceiveMessage", input).await?.output;
        match output["Messages"].take() {
            Value::Array(messages) => Ok(messages),
            _ => Ok(Vec::new()),
        }
    }

    /// The session of the function's role, renewed now and then.
    async fn principal(&self) -> Result<Principal, Error> {
        let now = self.cx.now();
        if let Some((principal, since)) = &*self.session.lock()
            && now.secs() - since.secs() < SESSION_SECS
        {
            return Ok(principal.clone());
        }
        let resolved = self.cx.read(|tx| invocations::resolve(tx, &self.target, tx.ids()))?;
        let session = assume(&self.cx, &self.target, &resolved.version.role).await?;
        *self.session.lock() = Some((session.principal.clone(), now));
        Ok(session.principal)
    }

    /// Has the function handle a batch, and deletes the messages that it handled.
    async fn handle(&self, messages: Vec<Value>) {
        let event = batch::event(&messages, &self.mapping.queue_arn, &self.region);
        let payload = Bytes::from(event.to_string());
        let id = self.cx.ids().uuid();
        let outcome = match invocations::run(&self.cx, &self.target, &id, payload, None).await {
            Ok(run) => run.outcome,
            Err(error) => {
                let function = self.target.arn();
                tracing::debug!(function, %error, "a batch waits for its visibility timeout");
                return;
            }
        };
        if outcome.function_error().is_some() {
            return;
        }
        let failed = match self.mapping.reports_failures {
            true => batch::failures(&outcome.payload, &messages),
            false => Some(HashSet::new()),
        };
        let Some(failed) = failed else { return };
        let handled: Vec<&Value> = messages
            .iter()
            .filter(|message| message["MessageId"].as_str().is_some_and(|id| !failed.contains(id)))
            .collect();
        for chunk in handled.chunks(MAX_MESSAGES) {
            if let Err(error) = self.delete(chunk).await {
                let queue = &self.mapping.queue_arn;
                tracing::warn!(queue, %error, "handled messages could not be deleted and come again");
            }
        }
    }

    async fn delete(&self, messages: &[&Value]) -> Result<(), Error> {
        let entries: Vec<Value> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| {
                json!({"Id": index.to_string(), "ReceiptHandle": message["ReceiptHandle"]})
            })
            .collect();
        let input = json!({"QueueUrl": self.queue_url, "Entries": entries});
        let principal = self.principal().await?;
        let output = self.cx.call(principal, "sqs:DeleteMessageBatch", input).await?.output;
        match output["Failed"].as_array().filter(|failed| !failed.is_empty()) {
            Some(failed) => Err(Fault::internal(format!("{failed:?}")).into()),
            None => Ok(()),
        }
    }
}

fn body_len(message: &Value) -> usize {
    message["Body"].as_str().map_or(0, str::len)
}
