//! A standard queue with a dead-letter queue: several lanes send, receive, hide and delete.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::Rng;
use serde_json::{Value, json};

use super::items::check;
use super::{Failures, Next, Step};
use crate::client::Client;

/// The queue.
pub const QUEUE: &str = "standard";
/// Where its messages go that were received too often.
pub const DEAD: &str = "dead";
/// How long a message that was received is hidden.
pub const HIDDEN_SECS: u64 = 1;

/// What is known of the messages of one queue and its dead-letter queue, by their bodies.
#[derive(Clone, Default)]
pub struct Messages(Arc<Mutex<BTreeMap<String, State>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Sent, without an answer.
    MaybeSent,
    /// There.
    Sent,
    /// Asked to be deleted, without an answer.
    MaybeGone,
    /// Gone since.
    Gone(Instant),
}

/// One lane that uses the queue.
#[derive(Clone)]
pub struct Queue {
    lane: u64,
    sent: u64,
    messages: Messages,
    /// Sends and deletions that were acknowledged.
    pub acknowledged: u64,
}

/// The URL of a queue, which is but its name to the cloud.
pub fn url(name: &str) -> String {
    format!("http://127.0.0.1/000000000000/{name}")
}

impl Messages {
    /// The same knowledge, by itself.
    pub fn fork(&self) -> Messages {
        Messages(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    fn set(&self, body: &str, state: State) {
        self.0.lock().insert(body.to_owned(), state);
    }

    /// Notes that a message was received by a request that began then.
    fn received(&self, body: &str, begun: Instant, failures: &Failures) {
        let mut messages = self.0.lock();
        match messages.get(body).copied() {
            None => failures.add(format!("the message {body:?} was never sent")),
            Some(State::Gone(since)) if since < begun => {
                failures.add(format!("the message {body:?} came back after its deletion"));
            }
            Some(State::MaybeSent) => drop(messages.insert(body.to_owned(), State::Sent)),
            Some(State::MaybeGone | State::Sent | State::Gone(_)) => {}
        }
    }

    fn count(&self, wanted: impl Fn(&State) -> bool) -> usize {
        self.0.lock().values().filter(|state| wanted(state)).count()
    }
}

impl Queue {
    /// A lane that shares `messages` with others.
    pub fn new(lane: u64, messages: Messages) -> Queue {
        Queue { lane, sent: 0, messages, acknowledged: 0 }
    }

    /// The same lane, with others' knowledge of the messages.
    pub fn with(self, messages: Messages) -> Queue {
        Queue { messages, ..self }
    }

    /// One request, or a receive and what is done with its messages.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        match step.random.random_range(0..100) {
            0..35 => self.send(step).await,
            35..45 => self.send_batch(step).await,
            _ => self.receive(step).await,
        }
    }

    fn body(&mut self, random: &mut impl Rng) -> String {
        self.sent += 1;
        let long = if random.random_bool(0.03) { 20_000 } else { 40 };
        format!("{}-{}-{}", self.lane, self.sent, "x".repeat(random.random_range(0..long)))
    }

    async fn send(&mut self, step: &mut Step) -> Next {
        let body = self.body(&mut step.random);
        self.messages.set(&body, State::MaybeSent);
        let input = json!({ "QueueUrl": url(QUEUE), "MessageBody": body });
        match step.sort("SendMessage", step.client.sqs("SendMessage", &input).await) {
            Ok(answer) => {
                check(&step.failures, "SendMessage", &answer);
                self.sent_for_sure(&body);
                Next::Go
            }
            Err(next) => next,
        }
    }

    /// Somebody may have received and even deleted it before its sender heard that it was sent.
    fn sent_for_sure(&mut self, body: &str) {
        self.acknowledged += 1;
        let mut messages = self.messages.0.lock();
        if let Some(state @ State::MaybeSent) = messages.get_mut(body) {
            *state = State::Sent;
        }
    }

    async fn send_batch(&mut self, step: &mut Step) -> Next {
        let count = step.random.random_range(2..=10);
        let bodies: Vec<String> = (0..count).map(|_| self.body(&mut step.random)).collect();
        for body in &bodies {
            self.messages.set(body, State::MaybeSent);
        }
        let entries: Vec<Value> = bodies
            .iter()
            .enumerate()
            .map(|(at, body)| json!({ "Id": at.to_string(), "MessageBody": body }))
            .collect();
        let input = json!({ "QueueUrl": url(QUEUE), "Entries": entries });
        match step.sort("SendMessageBatch", step.client.sqs("SendMessageBatch", &input).await) {
            Ok(answer) => {
                check(&step.failures, "SendMessageBatch", &answer);
                for id in ids(&answer.json()["Successful"]) {
                    self.sent_for_sure(&bodies[id]);
                }
                Next::Go
            }
            Err(next) => next,
        }
    }

    async fn receive(&mut self, step: &mut Step) -> Next {
        let begun = Instant::now();
        let input = json!({ "QueueUrl": url(QUEUE), "MaxNumberOfMessages": 10 });
        let answer =
            match step.sort("ReceiveMessage", step.client.sqs("ReceiveMessage", &input).await) {
                Ok(answer) => answer,
                Err(next) => return next,
            };
        check(&step.failures, "ReceiveMessage", &answer);
        let found = parse(&answer.json());
        for (body, _) in &found {
            self.messages.received(body, begun, &step.failures);
        }
        match step.random.random_range(0..10) {
            0 => Next::Go,
            1 => self.show_again(step, &found).await,
            2..5 => self.delete_batch(step, &found, begun).await,
            _ => {
                for (body, handle) in &found {
                    let next = self.delete(step, body, handle, begun).await;
                    if next != Next::Go {
                        return next;
                    }
                }
                Next::Go
            }
        }
    }

    async fn show_again(&mut self, step: &mut Step, found: &[(String, String)]) -> Next {
        for (_, handle) in found {
            let input =
                json!({ "QueueUrl": url(QUEUE), "ReceiptHandle": handle, "VisibilityTimeout": 0 });
            let outcome = step.client.sqs("ChangeMessageVisibility", &input).await;
            // Another lane may have it by now, so that the answer may be a refusal.
            if let Err(next) = step.sort("ChangeMessageVisibility", outcome) {
                return next;
            }
        }
        Next::Go
    }

    /// Deleting a message that another lane has received again since may be refused or do nothing.
    async fn delete(
        &mut self,
        step: &mut Step,
        body: &str,
        handle: &str,
        received: Instant,
    ) -> Next {
        self.maybe_gone(body);
        let input = json!({ "QueueUrl": url(QUEUE), "ReceiptHandle": handle });
        match step.sort("DeleteMessage", step.client.sqs("DeleteMessage", &input).await) {
            Ok(answer) => {
                check(&step.failures, "DeleteMessage", &answer);
                self.gone(body, received);
                Next::Go
            }
            Err(next) => next,
        }
    }

    async fn delete_batch(
        &mut self,
        step: &mut Step,
        found: &[(String, String)],
        received: Instant,
    ) -> Next {
        if found.is_empty() {
            return Next::Go;
        }
        let mut entries = Vec::new();
        for (at, (body, handle)) in found.iter().enumerate() {
            self.maybe_gone(body);
            entries.push(json!({ "Id": at.to_string(), "ReceiptHandle": handle }));
        }
        let input = json!({ "QueueUrl": url(QUEUE), "Entries": entries });
        match step.sort("DeleteMessageBatch", step.client.sqs("DeleteMessageBatch", &input).await) {
            Ok(answer) => {
                check(&step.failures, "DeleteMessageBatch", &answer);
                for id in ids(&answer.json()["Successful"]) {
                    self.gone(&found[id].0, received);
                }
                Next::Go
            }
            Err(next) => next,
        }
    }

    fn maybe_gone(&self, body: &str) {
        let mut messages = self.messages.0.lock();
        if let Some(state @ State::Sent) = messages.get_mut(body) {
            *state = State::MaybeGone;
        }
    }

    /// An acknowledged deletion counts if the handle was the newest for sure: an older one may delete nothing.
    fn gone(&mut self, body: &str, received: Instant) {
        self.acknowledged += 1;
        if received.elapsed() < Duration::from_millis(500 * HIDDEN_SECS) {
            self.messages.set(body, State::Gone(Instant::now()));
        }
    }
}

/// After a restart: as many messages as acknowledged, and at most those of unknown outcome more.
pub async fn check_count(messages: &Messages, client: &Client, failures: &Failures) {
    let mut found = 0;
    for name in [QUEUE, DEAD] {
        match count(client, name).await {
            Ok(count) => found += count,
            Err(error) => return failures.add(format!("the queue {name}: {error:#}")),
        }
    }
    let least = messages.count(|state| *state == State::Sent);
    let most = messages.count(|state| !matches!(state, State::Gone(_)));
    failures.check((least..=most).contains(&found), || {
        format!("{found} messages are there; {least} must be, {most} can be")
    });
}

/// How many messages a queue says it has.
pub async fn count(client: &Client, name: &str) -> anyhow::Result<usize> {
    let input = json!({ "QueueUrl": url(name), "AttributeNames": ["All"] });
    let answer = client.sqs("GetQueueAttributes", &input).await.success()?.json();
    let number = |name: &str| -> usize {
        answer["Attributes"][name].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    Ok(number("ApproximateNumberOfMessages")
        + number("ApproximateNumberOfMessagesNotVisible")
        + number("ApproximateNumberOfMessagesDelayed"))
}

/// Receives and deletes everything: whatever was acknowledged must come.
pub async fn drain(messages: &Messages, client: &Client, failures: &Failures) {
    let begun = Instant::now();
    let is_due = |state: &State| *state == State::Sent;
    // What was hidden is visible again by then, even in a cloud that is slow.
    while begun.elapsed() < Duration::from_secs(HIDDEN_SECS + 20) {
        let mut came = 0;
        for name in [QUEUE, DEAD] {
            match take(client, name).await {
                Ok(bodies) => {
                    came += bodies.len();
                    for body in bodies {
                        messages.received(&body, Instant::now(), failures);
                        messages.set(&body, State::Gone(Instant::now()));
                    }
                }
                Err(error) => return failures.add(format!("draining {name}: {error:#}")),
            }
        }
        if came == 0 && messages.count(is_due) == 0 {
            break;
        }
        if came == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let mut messages = messages.0.lock();
    let lost: Vec<_> =
        messages.iter().filter(|(_, state)| is_due(state)).map(|(body, _)| body).collect();
    failures.check(lost.is_empty(), || format!("acknowledged messages never came: {lost:?}"));
    messages
        .retain(|_, state| matches!(state, State::Gone(_) | State::MaybeGone | State::MaybeSent));
}

/// Receives up to ten messages and deletes them.
pub async fn take(client: &Client, name: &str) -> anyhow::Result<Vec<String>> {
    let input =
        json!({ "QueueUrl": url(name), "MaxNumberOfMessages": 10, "VisibilityTimeout": 30 });
    let answer = client.sqs("ReceiveMessage", &input).await.success()?;
    let found = parse(&answer.json());
    if !found.is_empty() {
        let entries: Vec<Value> = found
            .iter()
            .enumerate()
            .map(|(at, (_, handle))| json!({ "Id": at.to_string(), "ReceiptHandle": handle }))
            .collect();
        let input = json!({ "QueueUrl": url(name), "Entries": entries });
        let deleted = client.sqs("DeleteMessageBatch", &input).await.success()?.json();
        anyhow::ensure!(deleted["Failed"].as_array().is_none_or(Vec::is_empty), "{deleted}");
    }
    Ok(found.into_iter().map(|(body, _)| body).collect())
}

/// Bodies and receipt handles.
pub fn parse(answer: &Value) -> Vec<(String, String)> {
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let text = |message: &Value, name: &str| message[name].as_str().unwrap_or_default().to_owned();
    messages.iter().map(|m| (text(m, "Body"), text(m, "ReceiptHandle"))).collect()
}

fn ids(entries: &Value) -> Vec<usize> {
    let id = |entry: &Value| entry["Id"].as_str().and_then(|text| text.parse().ok());
    entries.as_array().into_iter().flatten().filter_map(id).collect()
}
