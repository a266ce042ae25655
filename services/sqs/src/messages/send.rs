//! Sending messages.

use fogbank_core::{Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    SendMessageBatchInput, SendMessageBatchOutput, SendMessageBatchRequestEntry,
    SendMessageBatchResultEntry, SendMessageInput, SendMessageOutput,
};
use crate::rules::attributes::{MAX_MESSAGE_BYTES, Settings};
use crate::rules::{batch, digest, message, names};
use crate::store::{self, Attribute, AttributeValue, Message};

/// Sends one message.
pub(crate) fn one(
    tx: &mut WriteTx<'_>,
    input: SendMessageInput,
) -> Result<SendMessageOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    // A batch's entry has the same members.
    let entry = SendMessageBatchRequestEntry {
        id: String::new(),
        message_body: input.message_body,
        delay_seconds: input.delay_seconds,
        message_attributes: input.message_attributes,
        message_system_attributes: input.message_system_attributes,
        message_deduplication_id: input.message_deduplication_id,
        message_group_id: input.message_group_id,
    };
    let draft = Draft::new(entry, &queue.settings)?;
    if draft.size > queue.settings.max_bytes as usize {
        return Err(Error::parameter(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
            queue.settings.max_bytes
        )));
    }
    let sent = draft.insert(tx, queue.space, 0)?;
    store::count(tx, queue.space, 1)?;
    tx.wake(store::topic(queue.id));
    Ok(SendMessageOutput {
        md5_of_message_body: sent.md5_of_message_body,
        md5_of_message_attributes: sent.md5_of_message_attributes,
        md5_of_message_system_attributes: sent.md5_of_message_system_attributes,
        message_id: sent.message_id,
        sequence_number: sent.sequence_number,
    })
}

/// Sends up to ten messages; each succeeds or fails for itself.
pub(crate) fn batch(
    tx: &mut WriteTx<'_>,
    input: SendMessageBatchInput,
) -> Result<SendMessageBatchOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check("SendMessageBatchRequestEntry", ids)?;
    let (mut successful, mut failed, mut drafts) = (Vec::new(), Vec::new(), Vec::new());
    let mut total = 0;
    for entry in input.entries {
        let id = entry.id.clone();
        match Draft::new(entry, &queue.settings) {
            Ok(draft) => {
                total += draft.size;
                drafts.push((id, draft));
            }
            Err(error) => failed.push(batch::failed(id, error)?),
        }
    }
    if total > MAX_MESSAGE_BYTES as usize {
        return Err(Error::BatchRequestTooLong(total));
    }
    for (index, (id, draft)) in drafts.into_iter().enumerate() {
        if draft.size > queue.settings.max_bytes as usize {
            // Observed: a batch's entry hears other words than a single message.
            let error = Error::parameter(format!(
                "One or more parameters cannot be validated. Reason: Message must be shorter than {} bytes.",
                queue.settings.max_bytes
            ));
            failed.push(batch::failed(id, error)?);
            continue;
        }
        let sent = draft.insert(tx, queue.space, index)?;
        successful.push(SendMessageBatchResultEntry { id: Some(id), ..sent });
    }
    if !successful.is_empty() {
        store::count(tx, queue.space, successful.len() as i64)?;
        tx.wake(store::topic(queue.id));
    }
    Ok(SendMessageBatchOutput {
        successful: batch::unless_empty(successful),
        failed: batch::unless_empty(failed),
    })
}

/// A message that keeps all rules but that of its size.
struct Draft {
    body: String,
    attributes: Vec<Attribute>,
    trace_header: Option<Attribute>,
    delay_secs: u32,
    group_id: Option<String>,
    size: usize,
}

impl Draft {
    fn new(entry: SendMessageBatchRequestEntry, settings: &Settings) -> Result<Draft, Error> {
        message::check_body(&entry.message_body)?;
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        let delay_secs = message::within("DelaySeconds", entry.delay_seconds, 0..=900, reason)?;
        let attributes = message::attributes(entry.message_attributes)?;
        let trace_header = message::trace_header(entry.message_system_attributes)?;
        message::check_group("MessageGroupId", entry.message_group_id.as_deref())?;
        if let Some(id) = &entry.message_deduplication_id {
            return Err(Error::value(
                id,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type.",
            ));
        }
        Ok(Draft {
            size: message::size(&entry.message_body, &attributes),
            body: entry.message_body,
            attributes,
            trace_header,
            delay_secs: delay_secs.unwrap_or(settings.delay_secs),
            group_id: entry.message_group_id,
        })
    }

    fn insert(
        self,
        tx: &mut WriteTx<'_>,
        space: u64,
        index: usize,
    ) -> Result<SendMessageBatchResultEntry, Error> {
        let now = store::millis(tx.now());
        let attributes: Vec<&Attribute> = self.attributes.iter().collect();
        let attributes_md5 = digest::of_attributes(&attributes);
        let system: Vec<&Attribute> = self.trace_header.iter().collect();
        let system_md5 = digest::of_attributes(&system);
        let message = Message {
            id: tx.ids().uuid(),
            body_md5: digest::of_body(&self.body),
            body: self.body,
            attributes: self.attributes,
            trace_header: self.trace_header.and_then(|header| match header.value {
                AttributeValue::Text(text) => Some(text),
                AttributeValue::Binary(_) => None,
            }),
            sender_id: tx.request().principal.id.clone(),
            sent_millis: now,
            visible_millis: now + u64::from(self.delay_secs) * 1000,
            group_id: self.group_id,
            deduplication_id: None,
            source_arn: None,
        };
        let sequence = store::sequence(tx, index);
        store::insert(tx, space, sequence, &message, None)?;
        Ok(SendMessageBatchResultEntry {
            id: None,
            message_id: Some(message.id),
            md5_of_message_body: Some(digest::hex(&message.body_md5)),
            md5_of_message_attributes: attributes_md5,
            md5_of_message_system_attributes: system_md5,
            sequence_number: None,
        })
    }
}
