//! When the clock went back: messages that were sent or received at times that have yet to come.
//!
//! A message is hidden for a delay after it was sent, or a timeout after it was received. If that moment lies in the
//! future, so does the end of its hiding, and nobody would see the message until the clock has caught up. Such a message
//! is hidden for the same span from now on. Rows tell all of this, so that it can be done twice.

use std::ops::ControlFlow;

use fogbank_core::{Cx, Fault, WriteTx};

use crate::error::Error;
use crate::store::{self, MESSAGES, ORDER, QUEUES, Queue, QueueKey, READY, STATES};

/// How many messages one transaction moves; each may have to be written with its body.
const MESSAGES_AT_ONCE: usize = 50;

/// Moves what every queue hides until a time that the clock had already left.
pub(crate) async fn went_back(cx: Cx) -> Result<(), Fault> {
    let queues: Vec<QueueKey> = cx.read(|tx| QUEUES.range(&()).keys(tx))?;
    for key in &queues {
        let now = store::millis(cx.now());
        let mut from = Some((now + 1, 0));
        while let Some(next) = from {
            from = cx.write(|tx| move_some(tx, key, now, next)).await?;
        }
    }
    Ok(())
}

/// Moves some of the messages that are hidden until `from` or later, and says where to go on.
fn move_some(
    tx: &mut WriteTx<'_>,
    key: &QueueKey,
    now: u64,
    from: (u64, u64),
) -> Result<Option<(u64, u64)>, Error> {
    let Some(queue) = QUEUES.get(tx, key)? else { return Ok(None) };
    let space = queue.space;
    let mut hidden = Vec::new();
    READY.range(&(space,)).from(&(space, from.0, from.1)).visit_keys(
        tx,
        |(_, visible, sequence)| {
            hidden.push((visible, sequence));
            match hidden.len() < MESSAGES_AT_ONCE {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        },
    )?;
    for (visible, sequence) in &hidden {
        move_one(tx, &queue, now, *visible, *sequence)?;
    }
    tx.wake(store::topic(queue.id));
    let last = hidden.last().filter(|_| hidden.len() == MESSAGES_AT_ONCE);
    Ok(last.map(|(visible, sequence)| (*visible, sequence + 1)))
}

fn move_one(
    tx: &mut WriteTx<'_>,
    queue: &Queue,
    now: u64,
    visible: u64,
    sequence: u64,
) -> Result<(), Error> {
    let space = queue.space;
    let Some(mut message) = MESSAGES.get(tx, &(space, sequence))? else { return Ok(()) };
    let state = STATES.get(tx, &(space, sequence))?;
    let since = state.as_ref().map_or(message.sent_millis, |state| state.received_millis);
    if since <= now {
        return Ok(());
    }
    let earlier = now + visible.saturating_sub(since);
    let Some(hidden) = READY.get(tx, &(space, visible, sequence))? else { return Ok(()) };
    READY.delete(tx, &(space, visible, sequence))?;
    READY.put(tx, &(space, earlier, sequence), &hidden)?;
    match state {
        Some(mut state) => {
            state.visible_millis = earlier;
            state.received_millis = now;
            STATES.put(tx, &(space, sequence), &state)?;
        }
        None => {
            message.visible_millis = earlier;
            MESSAGES.put(tx, &(space, sequence), &message)?;
        }
    }
    match queue.group(&message) {
        Some(group) => {
            ORDER.put(tx, &(space, group, sequence), &earlier)?;
            store::take_turn(tx, space, group)
        }
        None => {
            store::heads(tx).lower(space, earlier);
            Ok(())
        }
    }
}
