//! Removing messages by their receipt handles.

use fogbank_core::{Tx, WriteTx};

use crate::error::Error;
use crate::measures;
use crate::model::{
    DeleteMessageBatchInput, DeleteMessageBatchOutput, DeleteMessageBatchResultEntry,
    DeleteMessageInput, DeleteMessageOutput,
};
use crate::rules::receipt::Receipt;
use crate::rules::{batch, names};
use crate::store::{self, Queue, STATES};

/// Removes one message. One that is gone already is no error.
pub(crate) fn one(
    tx: &mut WriteTx<'_>,
    input: DeleteMessageInput,
) -> Result<DeleteMessageOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    if delete(tx, &queue, &input.receipt_handle)? {
        store::count(tx, queue.space, -1)?;
    }
    measures::record_on_commit(tx, key, ("NumberOfMessagesDeleted", "Count", 1.0));
    Ok(DeleteMessageOutput {})
}

/// Removes up to ten messages.
pub(crate) fn batch(
    tx: &mut WriteTx<'_>,
    input: DeleteMessageBatchInput,
) -> Result<DeleteMessageBatchOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check("DeleteMessageBatchRequestEntry", ids)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    let mut removed = 0;
    for entry in input.entries {
        match delete(tx, &queue, &entry.receipt_handle) {
            Ok(was_there) => {
                removed += i64::from(was_there);
                successful.push(DeleteMessageBatchResultEntry { id: Some(entry.id) });
            }
            Err(error) => failed.push(batch::failed(entry.id, error)?),
        }
    }
    if removed > 0 {
        store::count(tx, queue.space, -removed)?;
    }
    let deleted = successful.len() as f64;
    measures::record_on_commit(tx, key, ("NumberOfMessagesDeleted", "Count", deleted));
    Ok(DeleteMessageBatchOutput {
        successful: batch::unless_empty(successful),
        failed: batch::unless_empty(failed),
    })
}

/// Removes the message that was received with this handle; returns whether it was still there.
///
/// Of a standard queue the handle of an earlier receive will do as well: AWS promises nothing of it, and
/// whoever has worked a message off should not see it again. A FIFO queue takes a handle only as long as
/// its receive hides the message.
fn delete(tx: &mut WriteTx<'_>, queue: &Queue, handle: &str) -> Result<bool, Error> {
    let receipt = Receipt::parse(handle, &queue.secret)?;
    if receipt.space != queue.space {
        // The queue was purged since.
        return Ok(false);
    }
    let Some(state) = STATES.get(tx, &(receipt.space, receipt.sequence))? else {
        return Ok(false);
    };
    let group = state.group_id.as_deref();
    let is_current =
        state.receives == receipt.receives && state.visible_millis > store::millis(tx.now());
    if group.is_some() && !is_current {
        return Err(Error::value(handle, "ReceiptHandle", "The receipt handle has expired."));
    }
    store::remove(tx, receipt.space, receipt.sequence, state.visible_millis, group)?;
    if let Some(group) = group {
        store::take_turn(tx, receipt.space, group)?;
        // The next of the group may be visible now.
        tx.wake(store::topic(queue.id));
    }
    Ok(true)
}
