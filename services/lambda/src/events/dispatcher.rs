//! Runs events when they are due.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fogbank_core::{Cx, Effect, Fault, Principal, Task, Timestamp, WriteTx, tracing};
use futures_util::FutureExt;
use parking_lot::Mutex;

use super::destinations;
use super::record::{Answer, Condition, Record};
use crate::error::Error;
use crate::functions::assume;
use crate::invocations::{self, Run};
use crate::rules::target::Target;
use crate::store::{self, EVENTS, Event, EventKey, INVOKE_CONFIGS, InvokeConfig, LastRun};

/// Wakes the dispatcher.
pub(super) const TOPIC: &str = "lambda.events";

/// Runs events for ever.
pub(crate) const EVENTS_TASK: Task =
    Task { name: TOPIC, every: Duration::from_secs(1), run: |cx| Box::pin(dispatch(cx)) };

/// How many events run at one time; more wait. What runs here are processes of this machine.
const AT_ONCE: usize = 64;
/// How many of them may be of one function, so that it cannot keep the others waiting.
const AT_ONCE_OF_ONE: usize = 48;
/// The pause before a function that reported an error runs again; the second pause is twice as long.
const ERROR_PAUSE_MILLIS: i64 = 60_000;
/// The first and the longest pause before a function that could not be run is tried again.
const REFUSAL_PAUSE_MILLIS: (i64, i64) = (1_000, 300_000);
/// No pause is longer.
const LONGEST_PAUSE_MILLIS: u64 = 300_000;
/// How often a function that reports errors runs again.
const DEFAULT_RETRIES: u32 = 2;
/// How old an event may become, in seconds.
const DEFAULT_AGE_SECS: u32 = 6 * 60 * 60;
/// How much of an error document is kept for the destination.
const KEPT_BYTES: usize = 64 * 1024;

/// The events that run now.
#[derive(Default)]
struct UnderWay(Mutex<HashSet<EventKey>>);

/// An event's place among those that run. Dropping it frees the place, whatever happened.
struct Place {
    under_way: Arc<UnderWay>,
    key: EventKey,
    cx: Cx,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.under_way.0.lock().remove(&self.key);
        self.cx.wakes().wake(TOPIC);
    }
}

async fn dispatch(cx: Cx) -> Result<(), Fault> {
    let under_way = cx.state(UnderWay::default);
    loop {
        let woken = cx.wakes().waiter(TOPIC);
        let due = cx.read(|tx| find_due(tx, &under_way.0.lock(), cx.now()))?;
        for (key, event) in due.now {
            under_way.0.lock().insert(key.clone());
            let cx = cx.located(&event.account, &event.region);
            let under_way = Arc::clone(&under_way);
            let cloud = cx.cloud().clone();
            cloud.spawn(async move {
                let place = Place { under_way, key, cx };
                let performed = AssertUnwindSafe(perform(&place.cx, &place.key, event));
                let panicked = || Err(Fault::internal("an event's work panicked").into());
                if let Err(error) = performed.catch_unwind().await.unwrap_or_else(|_| panicked()) {
                    // The row is still there: the event runs again.
                    tracing::error!(%error, "an event's end could not be recorded");
                    place.cx.clock().rest(Duration::from_secs(1)).await;
                }
            });
        }
        let later = due.later.unwrap_or_else(|| cx.now().plus_secs(3600));
        tokio::select! {
            biased;
            () = woken.wait() => {}
            () = cx.clock().sleep_until(later) => {}
        }
    }
}

/// The events to run now, and when the next one is due.
struct Due {
    now: Vec<(EventKey, Event)>,
    later: Option<Timestamp>,
}

/// Looks at the queue of each function that has one; a long queue of one costs the others nothing.
fn find_due(
    tx: &impl fogbank_core::store::Read,
    under_way: &HashSet<EventKey>,
    now: Timestamp,
) -> Result<Due, fogbank_core::store::Error> {
    let now = now.millis().max(0).unsigned_abs();
    let mut due = Due { now: Vec::new(), later: None };
    let mut next = first_function(tx, None)?;
    while let Some(function) = next {
        let mut running = under_way.iter().filter(|key| key.0 == function).count();
        EVENTS.scan(tx, &(function.as_str(),), |key: EventKey, event: Event| {
            // What is due later than any pause lasts was put off before the clock went back.
            if key.1 > now && key.1 - now <= LONGEST_PAUSE_MILLIS {
                let at = Timestamp::from_millis(i64::try_from(key.1).unwrap_or(i64::MAX));
                due.later = Some(due.later.map_or(at, |later| later.min(at)));
                return ControlFlow::Break(());
            }
            if under_way.contains(&key) {
                return ControlFlow::Continue(());
            }
            let is_full = running >= AT_ONCE_OF_ONE || due.now.len() + under_way.len() >= AT_ONCE;
            if is_full {
                return ControlFlow::Break(());
            }
            running += 1;
            due.now.push((key, event));
            ControlFlow::Continue(())
        })?;
        next = first_function(tx, Some(&function))?;
    }
    Ok(due)
}

/// The first function with events, after another one.
fn first_function(
    tx: &impl fogbank_core::store::Read,
    after: Option<&str>,
) -> Result<Option<String>, fogbank_core::store::Error> {
    let range = EVENTS.range(&()).limit(1);
    let range = match after {
        Some(after) => range.past(&(after,)),
        None => range,
    };
    Ok(range.keys(tx)?.pop().map(|key| key.0))
}

/// Runs an event's function and records what came of it.
async fn perform(cx: &Cx, key: &EventKey, event: Event) -> Result<(), Error> {
    let target = event.target();
    let known = cx.read(|tx| store::FUNCTIONS.get(tx, &target.key()))?;
    if known.is_none_or(|function| function.id != key.0) {
        tracing::info!(function = target.arn(), "an event is dropped: its function was deleted");
        return finish(cx, key, &event, Vec::new()).await;
    }
    let payload = cx.blobs().get(&event.payload).await?;
    let request = String::from_utf8_lossy(&payload);
    let end = End { cx, key, target: &target, request: &request };
    let config = end.config()?;
    if cx.now().millis() - event.queued_millis > max_age_millis(&config) {
        return end.gave_up(event, Condition::EventAgeExceeded, &config).await;
    }
    let context = event.client_context.clone();
    match invocations::run(cx, &target, &key.2, payload.clone(), context).await {
        Ok(run) if run.outcome.function_error().is_none() => end.succeeded(event, run).await,
        Ok(run) => end.failed(event, run).await,
        Err(Error::ResourceNotFoundException(message)) => {
            tracing::info!(message, "an event is dropped");
            finish(cx, key, &event, Vec::new()).await
        }
        Err(error) => {
            tracing::debug!(%error, "an event's function could not be run");
            end.refused(event).await
        }
    }
}

/// Removes an event, with what its end causes.
async fn finish(cx: &Cx, key: &EventKey, event: &Event, effects: Vec<Effect>) -> Result<(), Error> {
    cx.write(|tx| {
        // It may have been removed while it ran: then it causes nothing any more.
        if !EVENTS.contains(tx, key)? {
            return Ok(());
        }
        remove(tx, key, event)?;
        for effect in &effects {
            tx.emit(effect.clone())?;
        }
        Ok(())
    })
    .await
}

/// Removes an event with its payload.
pub(crate) fn remove(tx: &mut WriteTx<'_>, key: &EventKey, event: &Event) -> Result<(), Error> {
    EVENTS.delete(tx, key)?;
    Ok(tx.free_blob(&event.payload)?)
}

/// An attempt that is over.
struct End<'a> {
    cx: &'a Cx,
    key: &'a EventKey,
    target: &'a Target,
    request: &'a str,
}

impl End<'_> {
    async fn succeeded(&self, event: Event, run: Run) -> Result<(), Error> {
        let config = self.config()?;
        let mut effects = Vec::new();
        if let Some(destination) = &config.on_success {
            let answer = String::from_utf8_lossy(&run.outcome.payload);
            let record = self.record(
                Condition::Success,
                event.failures + 1,
                Some(Answer {
                    executed_version: &run.executed_version,
                    is_error: false,
                    payload: &answer,
                }),
            );
            if let Some(principal) = self.session(&run.version.role).await {
                effects.extend(destinations::deliver(self.cx, &principal, destination, &record));
            }
        }
        finish(self.cx, self.key, &event, effects).await
    }

    async fn failed(&self, mut event: Event, run: Run) -> Result<(), Error> {
        let config = self.config()?;
        event.failures += 1;
        event.refusals = 0;
        event.last = Some(LastRun {
            executed_version: run.executed_version,
            payload: kept(&run.outcome.payload),
        });
        let retries = config.max_retries.unwrap_or(DEFAULT_RETRIES);
        if event.failures > retries {
            return self.gave_up(event, Condition::RetriesExhausted, &config).await;
        }
        let pause = ERROR_PAUSE_MILLIS * i64::from(event.failures);
        self.again(event, pause, &config).await
    }

    async fn refused(&self, mut event: Event) -> Result<(), Error> {
        let config = self.config()?;
        let (first, longest) = REFUSAL_PAUSE_MILLIS;
        let pause = first.saturating_mul(1 << event.refusals.min(20)).min(longest);
        event.refusals += 1;
        self.again(event, pause, &config).await
    }

    /// Puts the event back, due after a pause, unless it is too old by then.
    async fn again(
        &self,
        event: Event,
        pause_millis: i64,
        config: &InvokeConfig,
    ) -> Result<(), Error> {
        let due = self.cx.now().plus_millis(pause_millis).millis();
        if due - event.queued_millis > max_age_millis(config) {
            return self.gave_up(event, Condition::EventAgeExceeded, config).await;
        }
        let next = (self.key.0.clone(), due.max(0).unsigned_abs(), self.key.2.clone());
        self.cx
            .write(|tx| {
                // Who removed it meanwhile has freed its payload, too.
                if !EVENTS.contains(tx, self.key)? {
                    return Ok(());
                }
                EVENTS.delete(tx, self.key)?;
                EVENTS.put(tx, &next, &event)?;
                Ok(())
            })
            .await
    }

    /// Sends the event where failures go, and ends it.
    async fn gave_up(
        &self,
        event: Event,
        condition: Condition,
        config: &InvokeConfig,
    ) -> Result<(), Error> {
        let version = self.cx.read(|tx| invocations::resolve(tx, self.target, self.cx.ids()));
        let (role, dead_letter) = match version {
            Ok(resolved) => (resolved.version.role, resolved.version.dead_letter_arn),
            Err(_) => (String::new(), None),
        };
        let arn = self.target.arn();
        tracing::info!(function = arn, id = self.key.2, ?condition, "an event failed for good");
        let mut effects = Vec::new();
        if config.on_failure.is_some() || dead_letter.is_some() {
            let answer = event.last.as_ref().map(|last| Answer {
                executed_version: &last.executed_version,
                is_error: true,
                payload: &last.payload,
            });
            let record = self.record(condition, event.failures, answer);
            if let Some(principal) = &self.session(&role).await {
                let cx = self.cx;
                let on_failure = config.on_failure.as_deref();
                effects.extend(
                    on_failure.and_then(|arn| destinations::deliver(cx, principal, arn, &record)),
                );
                let dead_letter = dead_letter.as_deref();
                effects.extend(
                    dead_letter.and_then(|arn| destinations::bury(cx, principal, arn, &record)),
                );
            }
        }
        finish(self.cx, self.key, &event, effects).await
    }

    fn record<'r>(
        &'r self,
        condition: Condition,
        runs: u32,
        answer: Option<Answer<'r>>,
    ) -> Record<'r> {
        Record {
            now: self.cx.now(),
            request_id: &self.key.2,
            target: self.target,
            condition,
            runs,
            request: self.request,
            answer,
        }
    }

    /// The role in which destinations are written to.
    async fn session(&self, role: &str) -> Option<Principal> {
        match assume(self.cx, self.target, role).await {
            Ok(credentials) => Some(credentials.principal),
            Err(error) => {
                let (function, id) = (self.target.arn(), &self.key.2);
                tracing::warn!(function, id, %error, "a destination learns nothing of an event");
                None
            }
        }
    }

    fn config(&self) -> Result<InvokeConfig, Error> {
        let qualifier = self.target.qualifier_or_latest();
        let key = store::qualified_key(self.target, qualifier);
        let config = self.cx.read(|tx| INVOKE_CONFIGS.get(tx, &key))?;
        Ok(config.unwrap_or_default())
    }
}

/// How old an event may become.
fn max_age_millis(config: &InvokeConfig) -> i64 {
    i64::from(config.max_age_secs.unwrap_or(DEFAULT_AGE_SECS)) * 1000
}

/// An error document as it is kept: cut off where it is too long.
fn kept(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    text.chars().take(KEPT_BYTES).collect()
}
