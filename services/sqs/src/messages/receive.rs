//! Receiving messages: looking, waiting, taking, and sorting out dead letters.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use fogbank_core::{Cx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    Message as Received, MessageAttributeValue, ReceiveMessageInput, ReceiveMessageOutput,
};
use crate::rules::attributes::MAX_VISIBILITY_SECS;
use crate::rules::message::{self, Selection};
use crate::rules::receipt::Receipt;
use crate::rules::{batch, digest, names};
use crate::store::{
    self, Attribute, AttributeValue, MESSAGES, MESSAGES_PER_TRANSACTION, Message, QUEUES, Queue,
    QueueKey, READY, STATES, State,
};

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
    let begun = cx.now();
    loop {
        let queue = cx.read(|tx| store::queue(tx, &key))?;
        let wait_secs = ask.wait_secs.unwrap_or(queue.settings.wait_secs);
        let deadline = begun.plus_secs(i64::from(wait_secs));
        // Registered before the look, so that nothing that comes in between is missed.
        let waiter = (wait_secs > 0).then(|| cx.wakes().waiter(&store::topic(queue.id)));
        let round = attempt(cx, &key, &queue, &ask).await?;
        let Some(waiter) = waiter.filter(|_| round.taken.is_empty() && cx.now() < deadline) else {
            let messages = round.taken.into_iter().map(|taken| show(taken, &queue, &ask));
            return Ok(ReceiveMessageOutput { messages: batch::unless_empty(messages.collect()) });
        };
        let next = i64::try_from(round.next_millis).unwrap_or(i64::MAX);
        let until = deadline.min(Timestamp::from_millis(next));
        tokio::select! {
            () = waiter.wait() => {}
            () = cx.clock().sleep_until(until) => {}
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
    let next_millis = match cx.state(crate::heads::Heads::default).visible(queue.space) {
        Some(known) => known,
        None => cx.read(|tx| {
            let first = READY.first(tx, &(queue.space,))?;
            Ok::<_, Error>(first.map_or(u64::MAX, |((_, visible, _), _)| visible))
        })?,
    };
    if next_millis > now {
        return Ok(Round { taken: Vec::new(), next_millis });
    }
    cx.write(|tx| take(tx, key, ask, now)).await
}

/// Takes visible messages from the head of the queue.
fn take(tx: &mut WriteTx<'_>, key: &QueueKey, ask: &Ask, now: u64) -> Result<Round, Error> {
    // The queue may have been purged since the look.
    let queue = store::queue(tx, key)?;
    let space = queue.space;
    let mut sorting = Sorting::new(tx, key, &queue, ask, now)?;
    let mut cursor = store::heads(tx).visible(space).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut next;
    let mut removed = 0;
    loop {
        let room = (ask.wanted - sorting.taken.len()).min(sorting.room(removed));
        let head = head(tx, space, cursor, now, room, &seen)?;
        next = head.next_millis;
        if head.due.is_empty() {
            break;
        }
        for (visible, sequence) in head.due {
            cursor = visible;
            seen.insert(sequence);
            removed += usize::from(!sorting.sort(tx, visible, sequence)?);
        }
        if sorting.taken.len() == ask.wanted || sorting.room(removed) == 0 {
            break;
        }
    }
    if removed > 0 {
        store::count(tx, space, -(removed as i64))?;
    }
    let hidden = sorting.taken.iter().map(|taken| taken.state.visible_millis).min();
    let next_millis = next.min(hidden.unwrap_or(u64::MAX));
    let taken = sorting.finish(tx)?;
    store::heads(tx).set(space, next_millis);
    Ok(Round { taken, next_millis })
}

/// What stands at the head of a queue.
struct Head {
    /// Messages that are visible: the time since which they are, and their sequence.
    due: Vec<(u64, u64)>,
    /// When the first message after those becomes (or became) visible.
    next_millis: u64,
}

fn head(
    tx: &WriteTx<'_>,
    space: u64,
    from: u64,
    now: u64,
    room: usize,
    seen: &HashSet<u64>,
) -> Result<Head, Error> {
    let mut head = Head { due: Vec::new(), next_millis: u64::MAX };
    READY.range(&(space,)).from(&(space, from, 0)).visit_keys(tx, |(_, visible, sequence)| {
        if seen.contains(&sequence) {
            // Hidden for no time at all, it is behind us and in front of us.
            return ControlFlow::Continue(());
        }
        if visible > now || head.due.len() == room {
            head.next_millis = visible;
            return ControlFlow::Break(());
        }
        head.due.push((visible, sequence));
        ControlFlow::Continue(())
    })?;
    Ok(head)
}

/// Decides what becomes of each message at the head.
struct Sorting<'a> {
    key: &'a QueueKey,
    queue: &'a Queue,
    now: u64,
    hide_millis: u64,
    /// The dead-letter queue and how many receives a message has, if it is there.
    dead: Option<(Queue, u32)>,
    taken: Vec<Taken>,
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
        Ok(Sorting { key, queue, now, hide_millis, dead, taken: Vec::new(), dead_letters: 0 })
    }

    /// How many more messages this transaction may sort out.
    fn room(&self, removed: usize) -> usize {
        (MESSAGES_PER_TRANSACTION as usize).saturating_sub(removed)
    }

    /// Takes the message, or removes it from this queue; returns whether it is still here.
    fn sort(&mut self, tx: &mut WriteTx<'_>, visible: u64, sequence: u64) -> Result<bool, Error> {
        let space = self.queue.space;
        let Some(message) = MESSAGES.get(tx, &(space, sequence))? else {
            return Err(fogbank_core::Fault::internal("a message has an index and no row").into());
        };
        let retention_millis = u64::from(self.queue.settings.retention_secs) * 1000;
        if message.sent_millis + retention_millis <= self.now {
            store::remove(tx, space, sequence, visible)?;
            return Ok(false);
        }
        let before = STATES.get(tx, &(space, sequence))?;
        let receives = before.as_ref().map_or(0, |state| state.receives);
        if self.dead.as_ref().is_some_and(|(_, max_receives)| receives >= *max_receives) {
            store::remove(tx, space, sequence, visible)?;
            self.bury(tx, message, before)?;
            return Ok(false);
        }
        let state = State {
            visible_millis: self.now + self.hide_millis,
            receives: receives.saturating_add(1),
            first_received_millis: before.map_or(self.now, |state| state.first_received_millis),
            received_millis: self.now,
        };
        store::hide(tx, space, sequence, visible, &state)?;
        self.taken.push(Taken { sequence, state, message });
        Ok(true)
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
        store::insert(tx, target.space, sequence, &dead, state.as_ref())?;
        self.dead_letters += 1;
        Ok(())
    }

    fn finish(self, tx: &mut WriteTx<'_>) -> Result<Vec<Taken>, Error> {
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
    let system = system_attributes(&message, &state, &ask.selection);
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
