//! How queues and messages lie on disk: the only file that knows.
//!
//! A queue's messages live in a *space*, a number. Purging gives the queue a new space; the old one
//! is cleaned up later, so that a purge is one small transaction however much it removes.
//!
//! | table | key | value |
//! |---|---|---|
//! | `sqs.queues` | account, region, name | [`Queue`] |
//! | `sqs.messages` | space, sequence | [`Message`], not changed unless the clock goes back |
//! | `sqs.states` | space, sequence | [`State`], from the first receive on |
//! | `sqs.ready` | space, time of visibility, sequence | [`Hidden`] |
//! | `sqs.totals` | space | how many messages there are |
//! | `sqs.sources` | account, region, dead-letter queue, source queue | – |
//! | `sqs.garbage` | space | – |
//! | `sqs.order` | space, group, sequence | when the message becomes visible |
//! | `sqs.groups` | space, group | [`GroupHead`] |
//! | `sqs.turns` | space, time of visibility, sequence of the head | the group |
//! | `sqs.originals` | space, scope, deduplication id | [`Original`] |
//! | `sqs.originals-by-age` | space, time, sequence | scope and deduplication id |
//!
//! Sequences follow the order of commits. Every message has exactly one row in `sqs.ready`. The last
//! five tables are of FIFO queues: a group that has messages has one turn, which comes when its first
//! message becomes visible.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use fogbank_core::store::{self, KeyPrefix, Read, Table, TableLabel, row};
use fogbank_core::{Cx, Request, Tx, WriteTx, arn};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::heads::Heads;
use crate::rules::attributes::Settings;

/// Account, region and name.
pub(crate) type QueueKey = (String, String, String);

pub(crate) static QUEUES: Table<QueueKey, Queue> = Table::new("sqs.queues", 0x0401).read_often();
pub(crate) static MESSAGES: Table<(u64, u64), Message> = Table::new("sqs.messages", 0x0402);
pub(crate) static STATES: Table<(u64, u64), State> = Table::new("sqs.states", 0x0403);
pub(crate) static READY: Table<(u64, u64, u64), Hidden> = Table::new("sqs.ready", 0x0404);
pub(crate) static TOTALS: Table<(u64,), u64> = Table::new("sqs.totals", 0x0405);
pub(crate) static SOURCES: Table<(String, String, String, String), ()> =
    Table::new("sqs.sources", 0x0406);
pub(crate) static GARBAGE: Table<(u64,), ()> = Table::new("sqs.garbage", 0x0407);

pub(crate) static ORDER: Table<(u64, String, u64), u64> = Table::new("sqs.order", 0x0408);
pub(crate) static GROUPS: Table<(u64, String), GroupHead> = Table::new("sqs.groups", 0x0409);
pub(crate) static TURNS: Table<(u64, u64, u64), String> = Table::new("sqs.turns", 0x040a);
pub(crate) static ORIGINALS: Table<(u64, String, String), Original> =
    Table::new("sqs.originals", 0x040b);
pub(crate) static ORIGINALS_BY_AGE: Table<(u64, u64, u64), String> =
    Table::new("sqs.originals-by-age", 0x040c);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    QUEUES.label(),
    MESSAGES.label(),
    STATES.label(),
    READY.label(),
    TOTALS.label(),
    SOURCES.label(),
    GARBAGE.label(),
    ORDER.label(),
    GROUPS.label(),
    TURNS.label(),
    ORIGINALS.label(),
    ORIGINALS_BY_AGE.label(),
];

/// How many rows one transaction of the background removes.
pub(crate) const ROWS_PER_TRANSACTION: usize = 500;

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

impl Queue {
    /// The group in whose order a message comes; none outside of FIFO queues.
    pub(crate) fn group<'m>(&self, message: &'m Message) -> Option<&'m str> {
        self.settings.fifo.and(message.group_id.as_deref())
    }
}

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
    /// By what the body is sealed; it is in base64 then.
    pub(crate) sealed: Option<Sealed>,
}

row!(Message, 2, older_message);

/// By which key of KMS a body is sealed, and for which queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) key_arn: String,
    pub(crate) queue_arn: String,
}

/// A message of version 1, which was never sealed.
#[derive(Deserialize)]
struct Message1 {
    id: String,
    body: String,
    body_md5: [u8; 16],
    attributes: Vec<Attribute>,
    trace_header: Option<String>,
    sender_id: String,
    sent_millis: u64,
    visible_millis: u64,
    group_id: Option<String>,
    deduplication_id: Option<String>,
    source_arn: Option<String>,
}

fn older_message(_: u8, bytes: &[u8]) -> Result<Message, fogbank_core::store::Error> {
    let old: Message1 = fogbank_core::store::decode_fields(bytes)?;
    Ok(Message {
        id: old.id,
        body: old.body,
        body_md5: old.body_md5,
        attributes: old.attributes,
        trace_header: old.trace_header,
        sender_id: old.sender_id,
        sent_millis: old.sent_millis,
        visible_millis: old.visible_millis,
        group_id: old.group_id,
        deduplication_id: old.deduplication_id,
        source_arn: old.source_arn,
        sealed: None,
    })
}

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
    /// The message's group, if its queue is a FIFO queue.
    pub(crate) group_id: Option<String>,
}

row!(State, 1);

/// The first message of a group of a FIFO queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupHead {
    pub(crate) visible_millis: u64,
    pub(crate) sequence: u64,
}

row!(GroupHead, 1);

/// The message that others with the same deduplication id are copies of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Original {
    pub(crate) message_id: String,
    pub(crate) sequence: u64,
    pub(crate) sent_millis: u64,
}

row!(Original, 1);

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
    queue: &Queue,
    sequence: u64,
    message: &Message,
    state: Option<&State>,
) -> Result<(), Error> {
    let (space, visible) = (queue.space, message.visible_millis);
    MESSAGES.put(tx, &(space, sequence), message)?;
    READY.put(tx, &(space, visible, sequence), &Hidden::Delayed)?;
    if let Some(state) = state {
        STATES.put(tx, &(space, sequence), state)?;
    }
    match queue.group(message) {
        Some(group) => {
            ORDER.put(tx, &(space, group, sequence), &visible)?;
            // Whoever stands behind others waits for his turn with them.
            if GROUPS.contains(tx, &(space, group))? { Ok(()) } else { take_turn(tx, space, group) }
        }
        None => {
            heads(tx).lower(space, visible);
            Ok(())
        }
    }
}

/// Hides a message until `state.visible_millis`; it was due at `visible_before`. Afterwards its group
/// must [`take_turn`].
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
    match &state.group_id {
        Some(group) => ORDER.put(tx, &(space, group, sequence), &state.visible_millis)?,
        None => heads(tx).lower(space, state.visible_millis),
    }
    Ok(())
}

/// Removes a message that is due at `visible`. Afterwards its group must [`take_turn`].
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    space: u64,
    sequence: u64,
    visible: u64,
    group: Option<&str>,
) -> Result<(), Error> {
    MESSAGES.delete(tx, &(space, sequence))?;
    STATES.delete(tx, &(space, sequence))?;
    READY.delete(tx, &(space, visible, sequence))?;
    if let Some(group) = group {
        ORDER.delete(tx, &(space, group, sequence))?;
    }
    Ok(())
}

/// Puts a group's turn where its first message is now.
pub(crate) fn take_turn(tx: &mut WriteTx<'_>, space: u64, group: &str) -> Result<(), Error> {
    let before = GROUPS.get(tx, &(space, group))?;
    // The first message never gets an earlier sequence: begin there, past what was removed.
    let from = before.map_or(0, |head| head.sequence);
    let first = ORDER.range(&(space, group)).from(&(space, group, from)).limit(1).list(tx)?.pop();
    let after =
        first.map(|((_, _, sequence), visible_millis)| GroupHead { visible_millis, sequence });
    if before == after {
        return Ok(());
    }
    if let Some(head) = before {
        TURNS.delete(tx, &(space, head.visible_millis, head.sequence))?;
    }
    match after {
        Some(head) => {
            TURNS.put(tx, &(space, head.visible_millis, head.sequence), &group.to_owned())?;
            GROUPS.put(tx, &(space, group), &head)?;
            heads(tx).lower(space, head.visible_millis);
        }
        None => GROUPS.delete(tx, &(space, group))?,
    }
    Ok(())
}

/// Remembers a message for those that will be copies of it.
pub(crate) fn remember(
    tx: &mut WriteTx<'_>,
    space: u64,
    scope: &str,
    id: &str,
    original: &Original,
) -> Result<(), Error> {
    ORIGINALS.put(tx, &(space, scope, id), original)?;
    // Neither a group's nor a deduplication's id can hold a line break.
    let name = format!("{scope}\n{id}");
    ORIGINALS_BY_AGE.put(tx, &(space, original.sent_millis, original.sequence), &name)?;
    Ok(())
}

/// Forgets the messages that were sent before `millis`, in transactions of some rows.
pub(crate) async fn forget_originals(cx: &Cx, space: u64, millis: u64) -> Result<(), Error> {
    let mut last: Option<(u64, u64, u64)> = None;
    loop {
        let mut old = cx.read(|tx| {
            let end = (space, millis, 0);
            let range = ORIGINALS_BY_AGE.range(&(space,)).before(&end).limit(ROWS_PER_TRANSACTION);
            match &last {
                Some(last) => range.after(last).list(tx),
                None => range.list(tx),
            }
        })?;
        cx.write(|tx| old.iter().try_for_each(|(key, name)| forget_original(tx, key, name)))
            .await?;
        if old.len() < ROWS_PER_TRANSACTION {
            return Ok(());
        }
        last = old.pop().map(|(key, _)| key);
    }
}

fn forget_original(
    tx: &mut WriteTx<'_>,
    key: &(u64, u64, u64),
    name: &str,
) -> Result<(), store::Error> {
    let (space, _, sequence) = *key;
    ORIGINALS_BY_AGE.delete(tx, key)?;
    let (scope, id) = name.split_once('\n').unwrap_or_default();
    // A later message with the same id is an original of its own.
    let original = ORIGINALS.get(tx, &(space, scope, id))?;
    if original.is_some_and(|original| original.sequence == sequence) {
        ORIGINALS.delete(tx, &(space, scope, id))?;
    }
    Ok(())
}

/// Counts messages that came (or, with a negative number, went).
pub(crate) fn count(tx: &mut WriteTx<'_>, space: u64, change: i64) -> Result<(), Error> {
    let total = TOTALS.get(tx, &(space,))?.unwrap_or_default();
    TOTALS.put(tx, &(space,), &total.saturating_add_signed(change))?;
    Ok(())
}

/// The numbers that `GetQueueAttributes` calls approximate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: u64,
    pub(crate) in_flight: u64,
    pub(crate) delayed: u64,
}

/// Up to so many hidden messages are counted at every call.
const FEW_HIDDEN: u64 = 1000;
/// More than this are counted in a hundredth of a millisecond.
const COUNTED_PER_HUNDREDTH: u64 = 10;
/// How long a count holds at most. AWS's own numbers are right after about a minute.
const COUNT_TIME: Duration = Duration::from_secs(60);

/// Counts a queue's messages. All together are counted as they come and go; if many are hidden, their number holds for
/// a hundred times as long as it takes to count them.
pub(crate) fn counts(tx: &impl Tx, space: u64, now_millis: u64) -> Result<Counts, Error> {
    let total = TOTALS.get(tx, &(space,))?.unwrap_or_default();
    let heads = heads(tx);
    let mut counts = match heads.counts(space, now_millis) {
        Some(known) => known,
        None => {
            let counts = hidden(tx, space, now_millis)?;
            let rows = counts.in_flight + counts.delayed;
            if rows > FEW_HIDDEN {
                let holds = Duration::from_millis(rows / COUNTED_PER_HUNDREDTH).min(COUNT_TIME);
                heads.set_counts(space, counts, now_millis, holds);
            }
            counts
        }
    };
    counts.visible = total.saturating_sub(counts.in_flight + counts.delayed);
    Ok(counts)
}

fn hidden(tx: &impl Tx, space: u64, now_millis: u64) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    READY.range(&(space,)).from(&(space, now_millis + 1, 0)).visit(tx, |_, hidden| {
        match hidden {
            Hidden::Delayed => counts.delayed += 1,
            Hidden::InFlight => counts.in_flight += 1,
        }
        ControlFlow::Continue(())
    })?;
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

/// Removes the rows of a space that no queue uses.
pub(crate) async fn clean(cx: &Cx, space: u64) -> Result<(), Error> {
    empty(cx, &MESSAGES, space).await?;
    empty(cx, &STATES, space).await?;
    empty(cx, &READY, space).await?;
    empty(cx, &ORDER, space).await?;
    empty(cx, &GROUPS, space).await?;
    empty(cx, &TURNS, space).await?;
    empty(cx, &ORIGINALS, space).await?;
    empty(cx, &ORIGINALS_BY_AGE, space).await?;
    cx.write(|tx| {
        TOTALS.delete(tx, &(space,))?;
        Ok(GARBAGE.delete(tx, &(space,))?)
    })
    .await
}

/// Removes a table's rows of a space, in transactions of some rows. Each look for more begins where the last one ended,
/// and not before all that is gone.
async fn empty<K: store::Key, V: store::Value>(
    cx: &Cx,
    table: &Table<K, V>,
    space: u64,
) -> Result<(), Error>
where
    (u64,): KeyPrefix<K>,
{
    let mut last: Option<K> = None;
    loop {
        let mut keys = cx.read(|tx| {
            let range = table.range(&(space,)).limit(ROWS_PER_TRANSACTION);
            match &last {
                Some(last) => range.after(last).keys(tx),
                None => range.keys(tx),
            }
        })?;
        cx.write(|tx| keys.iter().try_for_each(|key| table.delete(tx, key))).await?;
        if keys.len() < ROWS_PER_TRANSACTION {
            return Ok(());
        }
        last = keys.pop();
    }
}

/// Leaves a space to be cleaned up in the background.
pub(crate) fn abandon(tx: &mut WriteTx<'_>, space: u64) -> Result<(), Error> {
    GARBAGE.put(tx, &(space,), &())?;
    heads(tx).forget(space);
    tx.wake(crate::tasks::SWEEP);
    Ok(())
}
