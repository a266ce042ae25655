//! Changing for how long a received message stays hidden.

use fogbank_core::{Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    ChangeMessageVisibilityBatchInput, ChangeMessageVisibilityBatchOutput,
    ChangeMessageVisibilityBatchResultEntry, ChangeMessageVisibilityInput,
    ChangeMessageVisibilityOutput,
};
use crate::rules::attributes::MAX_VISIBILITY_SECS;
use crate::rules::receipt::Receipt;
use crate::rules::{batch, message, names};
use crate::store::{self, Queue, STATES, State};

/// Hides one message for a time that begins now; 0 shows it at once.
pub(crate) fn one(
    tx: &mut WriteTx<'_>,
    input: ChangeMessageVisibilityInput,
) -> Result<ChangeMessageVisibilityOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    change(tx, &queue, &input.receipt_handle, Some(input.visibility_timeout))?;
    tx.wake(store::topic(queue.id));
    Ok(ChangeMessageVisibilityOutput {})
}

/// Hides up to ten messages.
pub(crate) fn batch(
    tx: &mut WriteTx<'_>,
    input: ChangeMessageVisibilityBatchInput,
) -> Result<ChangeMessageVisibilityBatchOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check("ChangeMessageVisibilityBatchRequestEntry", ids)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in input.entries {
        match change(tx, &queue, &entry.receipt_handle, entry.visibility_timeout) {
            Ok(()) => {
                successful.push(ChangeMessageVisibilityBatchResultEntry { id: Some(entry.id) });
            }
            Err(error) => failed.push(batch::failed(entry.id, error)?),
        }
    }
    tx.wake(store::topic(queue.id));
    Ok(ChangeMessageVisibilityBatchOutput {
        successful: batch::unless_empty(successful),
        failed: batch::unless_empty(failed),
    })
}

fn change(
    tx: &mut WriteTx<'_>,
    queue: &Queue,
    handle: &str,
    timeout_secs: Option<i32>,
) -> Result<(), Error> {
    let receipt = Receipt::parse(handle, &queue.secret)?;
    let reason = "Must be between 0 and 43200, if provided.";
    let range = 0..=MAX_VISIBILITY_SECS;
    let secs = message::within("VisibilityTimeout", timeout_secs, range, reason)?;
    let secs = secs.ok_or(Error::MissingRequiredParameterException("VisibilityTimeout"))?;
    let (space, sequence) = (queue.space, receipt.sequence);
    let state = match receipt.space == space {
        true => STATES.get(tx, &(space, sequence))?,
        false => None,
    };
    let Some(state) = state.filter(|state| state.receives == receipt.receives) else {
        return Err(Error::value(
            handle,
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        ));
    };
    let now = store::millis(tx.now());
    if state.visible_millis <= now {
        // Observed: once the message is visible again, AWS says yes and does nothing.
        return Ok(());
    }
    let visible_millis = now + u64::from(secs) * 1000;
    if visible_millis > state.received_millis + u64::from(MAX_VISIBILITY_SECS) * 1000 {
        return Err(Error::value(
            secs,
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
        ));
    }
    let before = state.visible_millis;
    let state = State { visible_millis, ..state };
    store::hide(tx, space, sequence, before, &state)?;
    match &state.group_id {
        Some(group) => store::take_turn(tx, space, group),
        None => Ok(()),
    }
}
