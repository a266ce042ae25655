//! Background work: removing what is too old, and what purged and deleted queues left behind.

use std::ops::ControlFlow;
use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task, WriteTx};

use crate::error::Error;
use crate::heads::Heads;
use crate::measures;
use crate::rules::message::DEDUPLICATION_MILLIS;
use crate::store::{
    self, GARBAGE, MESSAGES, Message, QUEUES, QueueKey, ROWS_PER_TRANSACTION as ROWS, STATES,
};

/// The name of the task, and the topic that wakes it.
pub(crate) const SWEEP: &str = "sqs.sweep";

/// The background work.
pub(crate) static TASKS: &[Task] = &[
    Task {
        name: SWEEP,
        every: Duration::from_secs(60),
        run: |cx| -> BoxFuture<'static, _> { Box::pin(async move { sweep(&cx).await }) },
    },
    Task {
        name: "sqs.measures",
        every: Duration::from_secs(60),
        run: |cx| Box::pin(measures::count_all(cx)),
    },
];

async fn sweep(cx: &Cx) -> Result<(), Fault> {
    let spaces = cx.read(|tx| GARBAGE.range(&()).keys(tx))?;
    for (space,) in spaces {
        store::clean(cx, space).await?;
    }
    let mut after = None;
    while let Some(key) = cx.read(|tx| next_queue(tx, after.as_ref()))? {
        expire(cx, &key).await?;
        forget(cx, &key).await?;
        after = Some(key);
    }
    Ok(())
}

fn next_queue(
    tx: &fogbank_core::ReadTx<'_>,
    after: Option<&QueueKey>,
) -> Result<Option<QueueKey>, Error> {
    let mut range = QUEUES.range(&()).limit(1);
    if let Some(after) = after {
        range = range.after(after);
    }
    Ok(range.keys(tx)?.pop())
}

/// Removes a queue's messages that are older than its retention period.
async fn expire(cx: &Cx, key: &QueueKey) -> Result<(), Fault> {
    loop {
        let now = store::millis(cx.now());
        let old = cx.read(|tx| oldest(tx, cx, key, now))?;
        let Some((space, sequences)) = old else { return Ok(()) };
        cx.write(|tx| remove(tx, key, space, &sequences)).await?;
        if sequences.len() < ROWS {
            return Ok(());
        }
    }
}

/// Forgets the messages of a FIFO queue that are too old to have copies.
async fn forget(cx: &Cx, key: &QueueKey) -> Result<(), Fault> {
    let queue = cx.read(|tx| QUEUES.get(tx, key).map_err(Error::from))?;
    let Some(queue) = queue.filter(|queue| queue.settings.fifo.is_some()) else { return Ok(()) };
    let before = store::millis(cx.now()).saturating_sub(DEDUPLICATION_MILLIS);
    Ok(store::forget_originals(cx, queue.space, before).await?)
}

/// The sequences of messages at the queue's end that are too old, up to a transaction's worth.
fn oldest(
    tx: &fogbank_core::ReadTx<'_>,
    cx: &Cx,
    key: &QueueKey,
    now: u64,
) -> Result<Option<(u64, Vec<u64>)>, Error> {
    let Some(queue) = QUEUES.get(tx, key)? else { return Ok(None) };
    let (space, retention) = (queue.space, u64::from(queue.settings.retention_secs) * 1000);
    let heads = cx.state(Heads::default);
    if heads.visible(space) == Some(u64::MAX) {
        return Ok(None);
    }
    let mut old = Vec::new();
    let from = heads.sequence(space);
    MESSAGES.range(&(space,)).from(&(space, from)).limit(ROWS).visit(
        tx,
        |(_, sequence), message: Message| {
            if message.sent_millis + retention > now {
                if old.is_empty() {
                    // What is not visible to this look was written later and has a higher sequence.
                    heads.set_sequence(space, sequence);
                }
                return ControlFlow::Break(());
            }
            old.push(sequence);
            ControlFlow::Continue(())
        },
    )?;
    Ok((!old.is_empty()).then_some((space, old)))
}

fn remove(
    tx: &mut WriteTx<'_>,
    key: &QueueKey,
    space: u64,
    sequences: &[u64],
) -> Result<(), Error> {
    let Some(queue) = QUEUES.get(tx, key)?.filter(|queue| queue.space == space) else {
        return Ok(());
    };
    let mut removed = 0;
    for &sequence in sequences {
        let Some(message) = MESSAGES.get(tx, &(space, sequence))? else { continue };
        let state = STATES.get(tx, &(space, sequence))?;
        let visible = state.map_or(message.visible_millis, |state| state.visible_millis);
        let group = queue.group(&message);
        store::remove(tx, space, sequence, visible, group)?;
        if let Some(group) = group {
            store::take_turn(tx, space, group)?;
        }
        removed += 1;
    }
    if let Some(last) = sequences.last() {
        store::heads(tx).set_sequence(space, last + 1);
    }
    if removed > 0 { store::count(tx, space, -removed) } else { Ok(()) }
}
