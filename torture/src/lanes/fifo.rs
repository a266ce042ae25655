//! FIFO queues: each lane has one, sends to its groups and receives at the same time, and knows the order.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::{Value, json};

use super::items::check;
use super::queues::{HIDDEN_SECS, count, url};
use super::{Failures, Next, Step};
use crate::client::{Answer, Client, Outcome};

const GROUPS: u64 = 3;

/// One lane with a queue of its own.
#[derive(Clone)]
pub struct Fifo {
    lane: u64,
    groups: BTreeMap<String, Group>,
    /// Sends and deletions that were acknowledged.
    pub acknowledged: u64,
}

/// The server counts whole milliseconds, and its clock may be set forward a little.
const ROUNDING_MILLIS: u64 = 20;

/// What is known of a group.
#[derive(Clone, Default)]
struct Group {
    next: u64,
    /// Messages that may be in the queue, in their order, and whether they are for sure.
    there: VecDeque<(u64, Certainty)>,
    /// A message whose send had no answer, to be sent again with the same deduplication id.
    again: Option<u64>,
    /// No message of the group may come before, unless the one that hides it is deleted.
    hidden_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    Sure,
    MaybeSent,
    MaybeGone,
}

impl Fifo {
    /// A lane whose queue is empty.
    pub fn new(lane: u64) -> Fifo {
        let groups = (0..GROUPS).map(|group| (format!("group-{group}"), Group::default()));
        Fifo { lane, groups: groups.collect(), acknowledged: 0 }
    }

    /// The name of the queue.
    pub fn queue(&self) -> String {
        format!("orders-{:02}.fifo", self.lane)
    }

    /// A send and a receive at the same time, then deletions in order.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let name = format!("group-{}", step.random.random_range(0..GROUPS));
        let again = self.groups.iter().find_map(|(name, group)| Some((name.clone(), group.again?)));
        let (name, number) = match again {
            Some(again) => again,
            None => {
                let group = self.groups.entry(name.clone()).or_default();
                group.next += 1;
                (name, group.next)
            }
        };
        let is_again = self.groups.get(&name).is_some_and(|group| group.again == Some(number));
        let send = json!({
            "QueueUrl": url(&self.queue()),
            "MessageBody": format!("{name}/{number}"),
            "MessageGroupId": name,
            "MessageDeduplicationId": format!("{name}-{number}"),
        });
        // A receive beside a send that may change what is there would make the model a guess.
        let sends_alone = is_again;
        let count = step.random.random_range(1..=10);
        let receive = json!({ "QueueUrl": url(&self.queue()), "MaxNumberOfMessages": count });
        let wants = !sends_alone && step.random.random_bool(0.6);
        let client = step.client.clone();
        let begun = Instant::now();
        let (sent, received) = tokio::join!(client.sqs("SendMessage", &send), async {
            if wants { Some(client.sqs("ReceiveMessage", &receive).await) } else { None }
        });
        let next = self.sent(step, &name, number, is_again, sent);
        let Some(received) = received else { return next };
        let answer = match step.sort("ReceiveMessage", received) {
            Ok(answer) => answer,
            Err(failed) => return worse(next, failed),
        };
        check(&step.failures, "ReceiveMessage", &answer);
        let handles = self.received(&step.failures, &answer, begun);
        let keep = step.random.random_range(0..10) == 0;
        if keep || next != Next::Go {
            return next;
        }
        self.delete(step, handles).await
    }

    fn sent(
        &mut self,
        step: &Step,
        name: &str,
        number: u64,
        is_again: bool,
        outcome: Outcome,
    ) -> Next {
        let sorted = step.sort("SendMessage to a FIFO queue", outcome);
        let Some(group) = self.groups.get_mut(name) else { return Next::Go };
        match sorted {
            Ok(answer) => {
                check(&step.failures, "SendMessage to a FIFO queue", &answer);
                self.acknowledged += 1;
                group.again = None;
                if !is_again {
                    group.there.push_back((number, Certainty::Sure));
                } else if let Some(last) = group.there.iter_mut().find(|last| last.0 == number) {
                    // Had it come and been deleted, it would not be in the list.
                    if last.1 == Certainty::MaybeSent {
                        last.1 = Certainty::Sure;
                    }
                }
                Next::Go
            }
            Err(next) => {
                if !is_again {
                    group.there.push_back((number, Certainty::MaybeSent));
                }
                group.again = Some(number);
                next
            }
        }
    }

    /// Checks the order of what came and returns what to delete.
    fn received(
        &mut self,
        failures: &Failures,
        answer: &Answer,
        begun: Instant,
    ) -> Vec<(String, u64, String)> {
        let answered = Instant::now();
        let mut handles = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (body, handle) in super::queues::parse(&answer.json()) {
            let Some((name, number)) = split(&body) else {
                failures.add(format!("{}: the message {body:?} was never sent", self.queue()));
                continue;
            };
            let queue = self.queue();
            let Some(group) = self.groups.get_mut(&name) else { continue };
            // The request may have been carried out at any moment until its answer.
            let is_hidden = group.hidden_until.is_some_and(|until| answered < until);
            if is_hidden && !places.contains_key(&name) {
                failures.add(format!("{queue}: {body} came while its group was hidden"));
            }
            let place = places.entry(name.clone()).or_default();
            // It may be missing only what was perhaps never sent, or perhaps deleted.
            let at = group.there.iter().skip(*place).position(|(there, _)| *there == number);
            match at {
                Some(skipped) => {
                    let sure = group
                        .there
                        .iter()
                        .skip(*place)
                        .take(skipped)
                        .find(|m| m.1 == Certainty::Sure);
                    failures.check(sure.is_none(), || {
                        format!("{queue}: {name}/{number} came before {sure:?}")
                    });
                    for _ in 0..skipped {
                        group.there.remove(*place);
                    }
                    if let Some(message) = group.there.get_mut(*place) {
                        message.1 = Certainty::Sure;
                    }
                    *place += 1;
                }
                None => failures.add(format!(
                    "{queue}: {name}/{number} came again or out of order; there may be {:?}",
                    group.there
                )),
            }
            handles.push((name, number, handle));
        }
        let until = begun + Duration::from_millis(HIDDEN_SECS * 1000 - ROUNDING_MILLIS);
        for name in places.keys() {
            if let Some(group) = self.groups.get_mut(name) {
                group.hidden_until = Some(until);
            }
        }
        handles
    }

    async fn delete(&mut self, step: &Step, handles: Vec<(String, u64, String)>) -> Next {
        let mut left: Vec<String> = handles.iter().map(|(name, ..)| name.clone()).collect();
        for (name, number, handle) in handles {
            left.remove(0);
            let queue = self.queue();
            let Some(group) = self.groups.get_mut(&name) else { continue };
            // A handle whose time is over deletes nothing in a FIFO queue.
            if group.hidden_until.is_none_or(|until| until < Instant::now()) {
                return Next::Go;
            }
            let input = json!({ "QueueUrl": url(&queue), "ReceiptHandle": handle });
            let outcome = step.client.sqs("DeleteMessage", &input).await;
            let place = group.there.iter().position(|(there, _)| *there == number);
            match step.sort("DeleteMessage from a FIFO queue", outcome) {
                Ok(answer) if answer.status == 200 => {
                    self.acknowledged += 1;
                    if let Some(place) = place {
                        group.there.remove(place);
                    }
                    // Nothing of it that was received is left, so that the group goes on.
                    if !left.contains(&name) {
                        group.hidden_until = None;
                    }
                }
                // It was hidden no longer when the request arrived.
                Ok(_) => return Next::Go,
                Err(next) => {
                    if let Some(message) = place.and_then(|place| group.there.get_mut(place)) {
                        message.1 = Certainty::MaybeGone;
                    }
                    // If it is gone, nothing hides the next one.
                    group.hidden_until = None;
                    return next;
                }
            }
        }
        Next::Go
    }

    /// After a restart: as many messages as acknowledged, and at most those of unknown outcome more.
    pub async fn check(&mut self, client: &Client, failures: &Failures) {
        let queue = self.queue();
        let found = match count(client, &queue).await {
            Ok(found) => found,
            Err(error) => return failures.add(format!("{queue}: {error:#}")),
        };
        let all: Vec<_> = self.groups.values().flat_map(|group| group.there.iter()).collect();
        let least = all.iter().filter(|message| message.1 == Certainty::Sure).count();
        let most = all.len();
        failures.check((least..=most).contains(&found), || {
            format!("{queue}: {found} messages are there; {least} must be, {most} can be")
        });
    }

    /// Receives and deletes everything in order.
    pub async fn drain(&mut self, client: &Client, failures: &Failures) {
        let queue = self.queue();
        let begun = Instant::now();
        loop {
            // What is perhaps there may be hidden still.
            let hidden = begun.elapsed() < Duration::from_millis(HIDDEN_SECS * 1000 + 300);
            let is_due = |m: &(u64, Certainty)| m.1 == Certainty::Sure || hidden;
            let due = self.groups.values().any(|group| group.there.iter().any(is_due));
            if begun.elapsed() > Duration::from_secs(HIDDEN_SECS + 20) {
                let left: Vec<_> =
                    self.groups.iter().map(|(name, group)| (name, &group.there)).collect();
                return failures
                    .add(format!("{queue}: acknowledged messages never came: {left:?}"));
            }
            match self.drain_some(client, failures).await {
                Ok(0) if !due => break,
                Ok(0) => tokio::time::sleep(Duration::from_millis(50)).await,
                Ok(_) => {}
                Err(error) => return failures.add(format!("{queue}: {error:#}")),
            }
        }
        for group in self.groups.values_mut() {
            // What did not come was not sent, or is gone; what is sent again may come yet.
            let again = group.again;
            group.there.retain(|message| Some(message.0) == again);
            group.hidden_until = None;
        }
    }

    async fn drain_some(&mut self, client: &Client, failures: &Failures) -> anyhow::Result<usize> {
        let queue = self.queue();
        let input =
            json!({ "QueueUrl": url(&queue), "MaxNumberOfMessages": 10, "VisibilityTimeout": 30 });
        let answer = client.sqs("ReceiveMessage", &input).await.success()?;
        for group in self.groups.values_mut() {
            group.hidden_until = None;
        }
        let handles = self.received(failures, &answer, Instant::now());
        let entries: Vec<Value> = handles
            .iter()
            .enumerate()
            .map(|(at, (_, _, handle))| json!({ "Id": at.to_string(), "ReceiptHandle": handle }))
            .collect();
        if entries.is_empty() {
            return Ok(0);
        }
        let input = json!({ "QueueUrl": url(&queue), "Entries": entries });
        let deleted = client.sqs("DeleteMessageBatch", &input).await.success()?.json();
        anyhow::ensure!(deleted["Failed"].as_array().is_none_or(Vec::is_empty), "{deleted}");
        for (name, number, _) in &handles {
            if let Some(group) = self.groups.get_mut(name) {
                group.there.retain(|message| message.0 != *number);
            }
        }
        Ok(handles.len())
    }
}

fn split(body: &str) -> Option<(String, u64)> {
    let (name, number) = body.split_once('/')?;
    Some((name.to_owned(), number.parse().ok()?))
}

fn worse(one: Next, other: Next) -> Next {
    if one == Next::Stop || other == Next::Stop { Next::Stop } else { Next::Wait }
}
