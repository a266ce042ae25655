//! How queues and messages lie on disk: the only file that knows.
//!
//! A queue's messages live in a *space*, a number. Purging gives the queue a new space; the old one
//! is cleaned up later, so that a purge is one small transaction however much it removes.
//!
//! | table | key | value |
//! |---|---|---|
//! | `sqs.queues` | account, region, name | [`Queue`] |
//! | `sqs.messages` | space, sequence | [`Message`], never changed |
//! | `sqs.states` | space, sequence | [`State`], from the first receive on |
//! | `sqs.ready` | space, time of visibility, sequence | [`Hidden`] |
//! | `sqs.totals` | space | how many messages there are |
//! | `sqs.sources` | account, region, dead-letter queue, source queue | – |
//! | `sqs.garbage` | space | – |
//!
//! Sequences follow the order of commits. Every message has exactly one row in `sqs.ready`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::store::{self, Read, Table, row};
use fogbank_core::{Request, Tx, WriteTx, arn};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::heads::Heads;
use crate::rules::attributes::Settings;

/// Account, region and name.
pub(crate) type QueueKey = (String, String, String);

pub(crate) static QUEUES: Table<QueueKey, Queue> = Table::new("sqs.queues", 0x0401);
pub(crate) static MESSAGES: Table<(u64, u64), Message> = Table::new("sqs.messages", 0x0402);
pub(crate) static STATES: Table<(u64, u64), State> = Table::new("sqs.states", 0x0403);
pub(crate) static READY: Table<(u64, u64, u64), Hidden> = Table::new("sqs.ready", 0x0404);
pub(crate) static TOTALS: Table<(u64,), u64> = Table::new("sqs.totals", 0x0405);
pub(crate) static SOURCES: Table<(String, String, String, String), ()> =
    Table::new("sqs.sources", 0x0406);
pub(crate) static GARBAGE: Table<(u64,), ()> = Table::new("sqs.garbage", 0x0407);

/// How many messages one transaction may create; sequences leave room for as many.
pub(crate) const MESSAGES_PER_TRANSACTION: u64 = 64;

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queue {
    /// Never changes.
    pub(crate) id: u64,
    /// Where the messages are.
    pub(crate) space: u64,
    /// What receipt handles are verified with.
    pub(crate) secret: [u8; 16],
    pub(crate) created_secs: i64,
    pub(crate) modified_secs: i64,
    /// When the queue was last purged; 0 if never.
    pub(crate) purged_millis: i64,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
}

row!(Queue, 1);

/// A message as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) body_md5: [u8; 16],
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) trace_header: Option<String>,
    pub(crate) sender_id: String,
    /// When it was sent, also after it became a dead letter.
    pub(crate) sent_millis: u64,
    /// When it becomes visible for the first time.
    pub(crate) visible_millis: u64,
    pub(crate) group_id: Option<String>,
    pub(crate) deduplication_id: Option<String>,
    /// The ARN of the queue that it came from as a dead letter.
    pub(crate) source_arn: Option<String>,
}

row!(Message, 1);

/// An attribute of a message, given by its sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) data_type: String,
    pub(crate) value: AttributeValue,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

/// What becomes of a message: written by each receive and each change of its visibility.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// When it becomes visible (again).
    pub(crate) visible_millis: u64,
    pub(crate) receives: u32,
    pub(crate) first_received_millis: u64,
    pub(crate) received_millis: u64,
}

row!(State, 1);

/// Why a message is hidden, as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// It was sent with a delay.
    Delayed,
    /// Somebody received it.
    InFlight,
}

impl store::Value for Hidden {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), store::Error> {
        out.push(match self {
            Hidden::Delayed => 0,
            Hidden::InFlight => 1,
        });
        Ok(())
    }

    fn decode(bytes: bytes::Bytes) -> Result<Self, store::Error> {
        Self::decode_slice(&bytes)
    }

    fn decode_slice(bytes: &[u8]) -> Result<Self, store::Error> {
        match bytes {
            [0] => Ok(Hidden::Delayed),
            [1] => Ok(Hidden::InFlight),
            _ => Err(store::Error::corrupt("a message's index", "it has an unknown kind")),
        }
    }
}

/// The topic that wakes those who wait for the queue's messages.
pub(crate) fn topic(queue_id: u64) -> String {
    format!("sqs.{queue_id:x}")
}

/// The queue's ARN.
pub(crate) fn queue_arn((account, region, name): &QueueKey) -> String {
    arn::arn("sqs", region, account, name)
}

/// The queue's URL, at the address that the caller used.
pub(crate) fn queue_url(request: &Request, account: &str, name: &str) -> String {
    format!("{}/{account}/{name}", request.endpoint.url())
}

/// Reads a queue.
pub(crate) fn queue(tx: &(impl Read + ?Sized), key: &QueueKey) -> Result<Queue, Error> {
    QUEUES.get(tx, key)?.ok_or(Error::QueueDoesNotExist)
}

/// A number for something new that nothing else has.
pub(crate) fn fresh_number(tx: &WriteTx<'_>) -> u64 {
    tx.version()
}

/// The sequence of the transaction's `index`-th message.
pub(crate) fn sequence(tx: &WriteTx<'_>, index: usize) -> u64 {
    tx.version() * MESSAGES_PER_TRANSACTION + (index as u64 % MESSAGES_PER_TRANSACTION)
}

/// Adds a message that becomes visible at `message.visible_millis`.
pub(crate) fn insert(
    tx: &mut WriteTx<'_>,
    space: u64,
    sequence: u64,
    message: &Message,
    state: Option<&State>,
) -> Result<(), Error> {
    let visible = message.visible_millis;
    MESSAGES.put(tx, &(space, sequence), message)?;
    READY.put(tx, &(space, visible, sequence), &Hidden::Delayed)?;
    if let Some(state) = state {
        STATES.put(tx, &(space, sequence), state)?;
    }
    heads(tx).lower(space, visible);
    Ok(())
}

/// Hides a message until `state.visible_millis`; it was due at `visible_before`.
pub(crate) fn hide(
    tx: &mut WriteTx<'_>,
    space: u64,
    sequence: u64,
    visible_before: u64,
    state: &State,
) -> Result<(), Error> {
    READY.delete(tx, &(space, visible_before, sequence))?;
    READY.put(tx, &(space, state.visible_millis, sequence), &Hidden::InFlight)?;
    STATES.put(tx, &(space, sequence), state)?;
    heads(tx).lower(space, state.visible_millis);
    Ok(())
}

/// Removes a message that is due at `visible`.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    space: u64,
    sequence: u64,
    visible: u64,
) -> Result<(), Error> {
    MESSAGES.delete(tx, &(space, sequence))?;
    STATES.delete(tx, &(space, sequence))?;
    READY.delete(tx, &(space, visible, sequence))?;
    Ok(())
}

/// Counts messages that came (or, with a negative number, went).
pub(crate) fn count(tx: &mut WriteTx<'_>, space: u64, change: i64) -> Result<(), Error> {
    let total = TOTALS.get(tx, &(space,))?.unwrap_or_default();
    TOTALS.put(tx, &(space,), &total.saturating_add_signed(change))?;
    Ok(())
}

/// The numbers that `GetQueueAttributes` calls approximate; here they are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: u64,
    pub(crate) in_flight: u64,
    pub(crate) delayed: u64,
}

/// Counts a queue's messages; takes as long as many are hidden.
pub(crate) fn counts(tx: &impl Tx, space: u64, now_millis: u64) -> Result<Counts, Error> {
    let total = TOTALS.get(tx, &(space,))?.unwrap_or_default();
    let mut counts = Counts::default();
    READY.range(&(space,)).from(&(space, now_millis + 1, 0)).visit(tx, |_, hidden| {
        match hidden {
            Hidden::Delayed => counts.delayed += 1,
            Hidden::InFlight => counts.in_flight += 1,
        }
        ControlFlow::Continue(())
    })?;
    counts.visible = total.saturating_sub(counts.in_flight + counts.delayed);
    Ok(counts)
}

/// The process's memory of where the queues' heads are.
pub(crate) fn heads(tx: &impl Tx) -> std::sync::Arc<Heads> {
    tx.cx().state(Heads::default)
}

/// Now, as a key.
pub(crate) fn millis(time: fogbank_core::Timestamp) -> u64 {
    time.millis().max(0).unsigned_abs()
}

/// Removes up to `limit` rows of a space that no queue uses; returns whether it was all.
pub(crate) fn clean(tx: &mut WriteTx<'_>, space: u64, limit: usize) -> Result<bool, Error> {
    let messages = MESSAGES.range(&(space,)).limit(limit).keys(tx)?;
    for key in &messages {
        MESSAGES.delete(tx, key)?;
        STATES.delete(tx, key)?;
    }
    let ready = READY.range(&(space,)).limit(limit).keys(tx)?;
    for key in &ready {
        READY.delete(tx, key)?;
    }
    let is_all = messages.len() < limit && ready.len() < limit;
    if is_all {
        TOTALS.delete(tx, &(space,))?;
        GARBAGE.delete(tx, &(space,))?;
    }
    Ok(is_all)
}

/// Leaves a space to be cleaned up in the background.
pub(crate) fn abandon(tx: &mut WriteTx<'_>, space: u64) -> Result<(), Error> {
    GARBAGE.put(tx, &(space,), &())?;
    heads(tx).forget(space);
    tx.wake(crate::tasks::SWEEP);
    Ok(())
}
