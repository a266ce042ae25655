//! Receiving messages: looking, waiting, taking, and sorting out dead letters.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use fogbank_core::store::Read;
use fogbank_core::{Cx, Timestamp, Tx, WriteTx};
use tokio::time::Instant;

use crate::encryption;
use crate::error::Error;
use crate::heads::{Ahead, Heads};
use crate::measures;
use crate::model::{
    Message as Received, MessageAttributeValue, ReceiveMessageInput, ReceiveMessageOutput,
};
use crate::rules::attributes::MAX_VISIBILITY_SECS;
use crate::rules::message::{self, Selection};
use crate::rules::receipt::Receipt;
use crate::rules::{batch, digest, names};
use crate::store::{
    self, Attribute, AttributeValue, MESSAGES, MESSAGES_PER_TRANSACTION, Message, ORDER, QUEUES,
    Queue, QueueKey, READY, STATES, State, TURNS,
};

/// How many messages beyond those that it is for a look at the head notes.
const NOTED: usize = 32;

/// What a call of `ReceiveMessage` asks for.
struct Ask {
    wanted: usize,
    visibility_secs: Option<u32>,
    wait_secs: Option<u32>,
    selection: Selection,
}

/// A message that was taken.
struct Taken {
    sequence: u64,
    state: State,
    message: Message,
}

/// What one attempt found.
struct Round {
    taken: Vec<Taken>,
    /// When the next message becomes visible; `u64::MAX`: none is there.
    next_millis: u64,
}

/// Receives up to ten messages, waiting for the first one as long as the caller wants.
pub(crate) async fn receive(
    cx: &Cx,
    input: ReceiveMessageInput,
) -> Result<ReceiveMessageOutput, Error> {
    let key = names::resolve(cx.request(), &input.queue_url)?;
    let ask = Ask::new(input)?;
    let begun = Instant::now();
    let mut checked: Option<String> = None;
    loop {
        let queue = cx.read(|tx| store::queue(tx, &key))?;
        if queue.settings.kms_key != checked {
            encryption::check_may_open(cx, &key, &queue.settings).await?;
            checked.clone_from(&queue.settings.kms_key);
        }
        let wait_secs = ask.wait_secs.unwrap_or(queue.settings.wait_secs);
        // A client waits at the other end, by its own watch: a poll ends also while the clock is frozen.
        let left = Duration::from_secs(u64::from(wait_secs)).saturating_sub(begun.elapsed());
        // Registered before the look, so that nothing that comes in between is missed.
        let waiter = (wait_secs > 0).then(|| cx.wakes().waiter(&store::topic(queue.id)));
        let mut round = attempt(cx, &key, &queue, &ask).await?;
        for taken in &mut round.taken {
            encryption::open(cx, &mut taken.message, &queue.settings).await?;
        }
        let Some(waiter) = waiter.filter(|_| round.taken.is_empty() && !left.is_zero()) else {
            let metric = match round.taken.len() {
                0 => ("NumberOfEmptyReceives", "Count", 1.0),
                count => ("NumberOfMessagesReceived", "Count", count as f64),
            };
            measures::record(cx, &key, [metric]);
            let messages = round.taken.into_iter().map(|taken| show(taken, &queue, &ask));
            return Ok(ReceiveMessageOutput { messages: batch::unless_empty(messages.collect()) });
        };
        let next = i64::try_from(round.next_millis).unwrap_or(i64::MAX);
        tokio::select! {
            biased;
            () = waiter.wait() => {}
            () = cx.clock().sleep_until(Timestamp::from_millis(next)) => {}
            () = cx.clock().rest(left) => {}
        }
    }
}

impl Ask {
    fn new(input: ReceiveMessageInput) -> Result<Ask, Error> {
        let wanted = message::within(
            "MaxNumberOfMessages",
            input.max_number_of_messages,
            1..=10,
            "Must be between 1 and 10, if provided.",
        )?;
        let wait_secs = message::within(
            "WaitTimeSeconds",
            input.wait_time_seconds,
            0..=20,
            "Must be >= 0 and <= 20, if provided.",
        )?;
        let visibility_secs = message::within(
            "VisibilityTimeout",
            input.visibility_timeout,
            0..=MAX_VISIBILITY_SECS,
            "Must be >= 0 and <= 43200, if provided.",
        )?;
        let selection = Selection::new(
            input.attribute_names,
            input.message_system_attribute_names,
            input.message_attribute_names,
        )?;
        Ok(Ask { wanted: wanted.unwrap_or(1) as usize, visibility_secs, wait_secs, selection })
    }
}

/// Looks, and opens a transaction only if there is something to take.
async fn attempt(cx: &Cx, key: &QueueKey, queue: &Queue, ask: &Ask) -> Result<Round, Error> {
    let now = store::millis(cx.now());
    let heads = cx.state(Heads::default);
    let next_millis = match heads.visible(queue.space) {
        Some(known) => known,
        None => {
            // The first look after a start may walk past all that was deleted before it: it holds nobody up.
            cx.write(|_| {
                heads.begin_look(queue.space);
                Ok::<_, Error>(())
            })
            .await?;
            heads.end_look(queue.space, cx.read(|tx| first(tx, queue, 0))?)
        }
    };
    if next_millis > now {
        return Ok(Round { taken: Vec::new(), next_millis });
    }
    cx.write(|tx| take(tx, key, ask, now)).await
}

/// When the first message or turn comes, none of which comes before `from`.
fn first(tx: &impl Read, queue: &Queue, from: u64) -> Result<u64, Error> {
    let space = queue.space;
    let key = match queue.settings.fifo {
        None => READY.range(&(space,)).from(&(space, from, 0)).limit(1).keys(tx)?.pop(),
        Some(_) => TURNS.range(&(space,)).from(&(space, from, 0)).limit(1).keys(tx)?.pop(),
    };
    Ok(key.map_or(u64::MAX, |(_, visible, _)| visible))
}

/// Takes visible messages from the head of the queue.
fn take(tx: &mut WriteTx<'_>, key: &QueueKey, ask: &Ask, now: u64) -> Result<Round, Error> {
    // The queue may have been purged since the look.
    let queue = store::queue(tx, key)?;
    let from = store::heads(tx).visible(queue.space).unwrap_or_default();
    let mut sorting = Sorting::new(tx, key, &queue, ask, now)?;
    let next_millis = match queue.settings.fifo {
        None => take_any(tx, &mut sorting, from)?,
        Some(_) => {
            take_turns(tx, &mut sorting, from)?;
            let next_millis = first(tx, &queue, from)?;
            store::heads(tx).set(queue.space, next_millis);
            next_millis
        }
    };
    let taken = sorting.finish(tx)?;
    Ok(Round { taken, next_millis })
}

/// Takes messages of a standard queue, those first that have been visible for longest; returns when the next one becomes
/// visible.
fn take_any(tx: &mut WriteTx<'_>, sorting: &mut Sorting<'_>, from: u64) -> Result<u64, Error> {
    let space = sorting.queue.space;
    let heads = store::heads(tx);
    let mut ahead = heads.ahead(space);
    let mut is_noted = true;
    let mut cursor = from;
    let mut seen = HashSet::new();
    while sorting.room() > 0 {
        if ahead.messages.is_empty() {
            ahead = look_ahead(tx, sorting, cursor, &seen)?;
            is_noted = false;
        }
        let Some((visible, sequence)) = ahead.messages.pop_front() else { break };
        cursor = visible;
        seen.insert(sequence);
        // Since it was noted, its receiver may have deleted it.
        if !is_noted || READY.contains(tx, &(space, visible, sequence))? {
            sorting.sort(tx, visible, sequence)?;
        }
    }
    // What was hidden for no time at all is due again, and may come before others.
    let hidden = sorting.taken.iter().map(|taken| taken.state.visible_millis);
    let hidden = hidden.min().unwrap_or(u64::MAX);
    heads.set_ahead(space, ahead);
    heads.lower(space, hidden);
    Ok(heads.visible(space).unwrap_or_default())
}

/// The messages that are due now and follow `cursor`, some more than there is room for.
fn look_ahead(
    tx: &WriteTx<'_>,
    sorting: &Sorting<'_>,
    cursor: u64,
    seen: &HashSet<u64>,
) -> Result<Ahead, Error> {
    let (space, now) = (sorting.queue.space, sorting.now);
    let most = sorting.room() + NOTED;
    let mut ahead = Ahead { rest_millis: u64::MAX, ..Ahead::default() };
    READY.range(&(space,)).from(&(space, cursor, 0)).visit_keys(tx, |(_, visible, sequence)| {
        if visible > now || ahead.messages.len() == most {
            ahead.rest_millis = visible;
            return ControlFlow::Break(());
        }
        // Hidden for no time at all, a message is behind us and in front of us.
        if !seen.contains(&sequence) {
            ahead.messages.push_back((visible, sequence));
        }
        ControlFlow::Continue(())
    })?;
    Ok(ahead)
}

/// Takes messages of a FIFO queue, group by group: as many from the front of each as are visible.
fn take_turns(tx: &mut WriteTx<'_>, sorting: &mut Sorting<'_>, from: u64) -> Result<(), Error> {
    let (space, now) = (sorting.queue.space, sorting.now);
    let mut cursor = from;
    let mut seen = HashSet::new();
    while sorting.room() > 0 {
        let mut turn = None;
        TURNS.range(&(space,)).from(&(space, cursor, 0)).visit(
            tx,
            |(_, visible, head), group| {
                if visible > now {
                    return ControlFlow::Break(());
                }
                if seen.contains(&group) {
                    return ControlFlow::Continue(());
                }
                turn = Some((visible, head, group));
                ControlFlow::Break(())
            },
        )?;
        let Some((visible, head, group)) = turn else { break };
        cursor = visible;
        take_of_group(tx, sorting, &group, head)?;
        store::take_turn(tx, space, &group)?;
        seen.insert(group);
    }
    Ok(())
}

/// Takes messages from the front of a group, whose first has the sequence `head`.
fn take_of_group(
    tx: &mut WriteTx<'_>,
    sorting: &mut Sorting<'_>,
    group: &str,
    head: u64,
) -> Result<(), Error> {
    let (space, now) = (sorting.queue.space, sorting.now);
    let mut from = head;
    loop {
        let mut due = Vec::new();
        let room = sorting.room();
        ORDER.range(&(space, group)).from(&(space, group, from)).visit(
            tx,
            |(_, _, sequence), visible| {
                // Behind a message that is hidden, its group waits.
                if visible > now || due.len() == room {
                    return ControlFlow::Break(());
                }
                due.push((visible, sequence));
                ControlFlow::Continue(())
            },
        )?;
        let Some((_, last)) = due.last() else { return Ok(()) };
        from = last + 1;
        for (visible, sequence) in due {
            sorting.sort(tx, visible, sequence)?;
        }
    }
}

/// Decides what becomes of each message at the head.
struct Sorting<'a> {
    key: &'a QueueKey,
    queue: &'a Queue,
    now: u64,
    hide_millis: u64,
    /// The dead-letter queue and how many receives a message has, if it is there.
    dead: Option<(Queue, u32)>,
    wanted: usize,
    taken: Vec<Taken>,
    removed: usize,
    dead_letters: usize,
}

impl<'a> Sorting<'a> {
    fn new(
        tx: &WriteTx<'_>,
        key: &'a QueueKey,
        queue: &'a Queue,
        ask: &Ask,
        now: u64,
    ) -> Result<Sorting<'a>, Error> {
        let dead = match &queue.settings.redrive {
            None => None,
            Some(redrive) => {
                let target = names::resolve(tx.request(), &redrive.target_arn)?;
                QUEUES.get(tx, &target)?.map(|target| (target, redrive.max_receives))
            }
        };
        let hide_secs = ask.visibility_secs.unwrap_or(queue.settings.visibility_secs);
        let hide_millis = u64::from(hide_secs) * 1000;
        Ok(Sorting {
            key,
            queue,
            now,
            hide_millis,
            dead,
            wanted: ask.wanted,
            taken: Vec::new(),
            removed: 0,
            dead_letters: 0,
        })
    }

    /// How many messages may be sorted out before one must look again.
    fn room(&self) -> usize {
        let in_transaction = (MESSAGES_PER_TRANSACTION as usize).saturating_sub(self.removed);
        (self.wanted - self.taken.len()).min(in_transaction)
    }

    /// Takes the message, or removes it from this queue.
    fn sort(&mut self, tx: &mut WriteTx<'_>, visible: u64, sequence: u64) -> Result<(), Error> {
        let space = self.queue.space;
        let Some(message) = MESSAGES.get(tx, &(space, sequence))? else {
            return Err(fogbank_core::Fault::internal("a message has an index and no row").into());
        };
        let retention_millis = u64::from(self.queue.settings.retention_secs) * 1000;
        let group = self.queue.group(&message);
        if message.sent_millis + retention_millis <= self.now {
            self.removed += 1;
            return store::remove(tx, space, sequence, visible, group);
        }
        let before = STATES.get(tx, &(space, sequence))?;
        let receives = before.as_ref().map_or(0, |state| state.receives);
        if self.dead.as_ref().is_some_and(|(_, max_receives)| receives >= *max_receives) {
            self.removed += 1;
            store::remove(tx, space, sequence, visible, group)?;
            return self.bury(tx, message, before);
        }
        let state = State {
            visible_millis: self.now + self.hide_millis,
            receives: receives.saturating_add(1),
            first_received_millis: before.map_or(self.now, |state| state.first_received_millis),
            received_millis: self.now,
            group_id: group.map(str::to_owned),
        };
        store::hide(tx, space, sequence, visible, &state)?;
        self.taken.push(Taken { sequence, state, message });
        Ok(())
    }

    /// Moves a message to the dead-letter queue. It keeps its id, its age and its count of receives.
    fn bury(
        &mut self,
        tx: &mut WriteTx<'_>,
        message: Message,
        state: Option<State>,
    ) -> Result<(), Error> {
        let Some((target, _)) = &self.dead else { return Ok(()) };
        let dead = Message {
            source_arn: Some(store::queue_arn(self.key)),
            visible_millis: self.now,
            ..message
        };
        let state = state.map(|state| State { visible_millis: self.now, ..state });
        let sequence = store::sequence(tx, self.dead_letters);
        store::insert(tx, target, sequence, &dead, state.as_ref())?;
        self.dead_letters += 1;
        Ok(())
    }

    /// Counts what went where, and returns what was taken.
    fn finish(self, tx: &mut WriteTx<'_>) -> Result<Vec<Taken>, Error> {
        if self.removed > 0 {
            store::count(tx, self.queue.space, -(self.removed as i64))?;
        }
        if let Some((target, _)) = self.dead.filter(|_| self.dead_letters > 0) {
            store::count(tx, target.space, self.dead_letters as i64)?;
            tx.wake(store::topic(target.id));
        }
        Ok(self.taken)
    }
}

/// A message as the receiver sees it.
fn show(taken: Taken, queue: &Queue, ask: &Ask) -> Received {
    let Taken { sequence, state, message } = taken;
    let receipt = Receipt { space: queue.space, sequence, receives: state.receives };
    let sequence = queue.group(&message).map(|_| message::sequence_number(sequence));
    let system = system_attributes(&message, &state, sequence, &ask.selection);
    let selected: Vec<&Attribute> =
        message.attributes.iter().filter(|attribute| ask.selection.user(&attribute.name)).collect();
    let md5_of_message_attributes = digest::of_attributes(&selected);
    let attributes: BTreeMap<String, MessageAttributeValue> =
        selected.into_iter().map(|attribute| (attribute.name.clone(), value(attribute))).collect();
    Received {
        message_id: Some(message.id),
        receipt_handle: Some(receipt.handle(&queue.secret)),
        md5_of_body: Some(digest::hex(&message.body_md5)),
        body: Some(message.body),
        attributes: (!system.is_empty()).then_some(system),
        md5_of_message_attributes,
        message_attributes: (!attributes.is_empty()).then_some(attributes),
    }
}

fn system_attributes(
    message: &Message,
    state: &State,
    sequence_number: Option<String>,
    selection: &Selection,
) -> BTreeMap<String, String> {
    let all = [
        ("SenderId", Some(message.sender_id.clone())),
        ("SentTimestamp", Some(message.sent_millis.to_string())),
        ("ApproximateReceiveCount", Some(state.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(state.first_received_millis.to_string())),
        ("AWSTraceHeader", message.trace_header.clone()),
        ("DeadLetterQueueSourceArn", message.source_arn.clone()),
        ("MessageGroupId", message.group_id.clone()),
        ("MessageDeduplicationId", message.deduplication_id.clone()),
        ("SequenceNumber", sequence_number),
    ];
    all.into_iter()
        .filter(|(name, _)| selection.system(name))
        .filter_map(|(name, text)| Some((name.to_owned(), text?)))
        .collect()
}

fn value(attribute: &Attribute) -> MessageAttributeValue {
    let mut shown = MessageAttributeValue {
        data_type: attribute.data_type.clone(),
        ..MessageAttributeValue::default()
    };
    match &attribute.value {
        AttributeValue::Text(text) => shown.string_value = Some(text.clone()),
        AttributeValue::Binary(bytes) => shown.binary_value = Some(bytes.clone().into()),
    }
    shown
}
