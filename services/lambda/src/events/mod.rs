//! Asynchronous invocations: rows that stay until they are done.
//!
//! Invoke writes a row before it answers. The task `lambda.events` runs each row's function when it is due, at least
//! once, whatever happens to the process in between. They do not lie in the outbox, because a function may run for 15
//! minutes and the outbox is for what is done at once.
//!
//! A function that reports an error runs again after one and two minutes. One that cannot be run (throttled, no
//! runtime, no role) is tried for six hours with pauses that double. Then the event goes to its destination or
//! dead-letter target, which is an effect in the transaction that removes the row.

mod destinations;
mod dispatcher;
mod record;

use bytes::Bytes;
use fogbank_core::{Cx, Tx};

pub(crate) use dispatcher::{EVENTS_TASK, remove};

use crate::error::Error;
use crate::invocations;
use crate::rules::target::Target;
use crate::store::{EVENTS, Event};

/// Events up to this size are held by their row.
const INLINE_BYTES: usize = 16 * 1024;

/// Accepts an event: it is durable when this returns.
pub(crate) async fn accept(
    cx: &Cx,
    target: &Target,
    payload: Bytes,
    client_context: Option<String>,
) -> Result<(), Error> {
    let payload = if payload.len() <= INLINE_BYTES {
        fogbank_core::store::BlobRef::inline(payload)
    } else {
        cx.blobs().put(payload).await?
    };
    cx.write(|tx| {
        let resolved = invocations::resolve(tx, target, tx.ids())?;
        let now = tx.now().millis();
        let event = Event {
            account: target.account.clone(),
            region: target.region.clone(),
            name: target.name.clone(),
            qualifier: target.qualifier.clone(),
            payload: payload.clone(),
            client_context: client_context.clone(),
            queued_millis: now,
            failures: 0,
            refusals: 0,
            last: None,
        };
        let due = now.max(0).unsigned_abs();
        EVENTS.put(tx, &(resolved.function.id, due, tx.request().id.clone()), &event)?;
        tx.wake(dispatcher::TOPIC);
        Ok(())
    })
    .await
}
