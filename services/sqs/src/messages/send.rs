//! Sending messages.

use fogbank_core::{Cx, Fault, Tx, WriteTx};

use crate::encryption::{self, Sealer};
use crate::error::Error;
use crate::measures;
use crate::model::{
    SendMessageBatchInput, SendMessageBatchOutput, SendMessageBatchRequestEntry,
    SendMessageBatchResultEntry, SendMessageInput, SendMessageOutput,
};
use crate::rules::attributes::{Fifo, MAX_MESSAGE_BYTES, Settings};
use crate::rules::message::DEDUPLICATION_MILLIS;
use crate::rules::{batch, digest, message, names};
use crate::store::{
    self, Attribute, AttributeValue, Message, ORIGINALS, Original, Queue, QueueKey,
};

/// Why a transaction that sends did nothing.
enum Refused {
    /// The queue's messages are sealed by this key, and nothing is there to seal with.
    Sealer(Box<(Queue, String)>),
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Error(error)
    }
}

impl From<fogbank_core::store::Error> for Refused {
    fn from(error: fogbank_core::store::Error) -> Refused {
        Refused::Error(error.into())
    }
}

/// The queue, if its messages are not sealed or `sealer` is for them.
fn queue_for(tx: &WriteTx<'_>, key: &QueueKey, sealer: Option<&Sealer>) -> Result<Queue, Refused> {
    let queue = store::queue(tx, key)?;
    match encryption::key_arn(key, &queue.settings) {
        Some(arn) if !sealer.is_some_and(|sealer| sealer.is_of(&arn)) => {
            Err(Refused::Sealer(Box::new((queue, arn))))
        }
        _ => Ok(queue),
    }
}

impl Refused {
    /// What seals the queue's messages, if that is all that is missing.
    async fn sealer(self, cx: &Cx, key: &QueueKey) -> Result<Sealer, Error> {
        match self {
            Refused::Error(error) => Err(error),
            Refused::Sealer(wanted) => {
                let (queue, arn) = *wanted;
                encryption::sealer(cx, key, arn, &queue.settings).await
            }
        }
    }
}

/// Sends one message: in one transaction, and in another one with a data key if the first finds that the queue's messages
/// are sealed. Queues without a key of KMS pay nothing for it.
pub(crate) async fn one(cx: &Cx, input: SendMessageInput) -> Result<SendMessageOutput, Error> {
    let key = names::resolve(cx.request(), &input.queue_url)?;
    let mut input = Some(input);
    let mut sealer: Option<Sealer> = None;
    loop {
        match cx.write(|tx| send_one(tx, &key, &mut input, sealer.as_ref())).await {
            Ok(output) => {
                measures::record(cx, &key, [("NumberOfMessagesSent", "Count", 1.0)]);
                return Ok(output);
            }
            Err(refused) => sealer = Some(Box::pin(Refused::sealer(refused, cx, &key)).await?),
        }
    }
}

/// The input, which only the transaction that finds what it needs takes.
fn taken<T>(input: &mut Option<T>) -> Result<T, Error> {
    let retried = || Fault::internal("the engine retried a transaction without its input").into();
    input.take().ok_or_else(retried)
}

fn send_one(
    tx: &mut WriteTx<'_>,
    key: &QueueKey,
    input: &mut Option<SendMessageInput>,
    sealer: Option<&Sealer>,
) -> Result<SendMessageOutput, Refused> {
    let queue = queue_for(tx, key, sealer)?;
    let input = taken(input)?;
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
    if let Some(fifo) = &queue.settings.fifo {
        let missing = || Error::MissingRequiredParameterException("MessageGroupId");
        check_fifo(fifo, &entry, missing)?;
    }
    let draft = Draft::new(entry, &queue.settings)?;
    if draft.size > queue.settings.max_bytes as usize {
        return Err(Error::parameter(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
            queue.settings.max_bytes
        ))
        .into());
    }
    let (sent, is_new) = draft.send(tx, &queue, 0, sealer)?;
    if is_new {
        store::count(tx, queue.space, 1)?;
        tx.wake(store::topic(queue.id));
    }
    Ok(SendMessageOutput {
        md5_of_message_body: sent.md5_of_message_body,
        md5_of_message_attributes: sent.md5_of_message_attributes,
        md5_of_message_system_attributes: sent.md5_of_message_system_attributes,
        message_id: sent.message_id,
        sequence_number: sent.sequence_number,
    })
}

/// Sends up to ten messages; each succeeds or fails for itself.
pub(crate) async fn batch(
    cx: &Cx,
    input: SendMessageBatchInput,
) -> Result<SendMessageBatchOutput, Error> {
    let key = names::resolve(cx.request(), &input.queue_url)?;
    let mut input = Some(input);
    let mut sealer: Option<Sealer> = None;
    loop {
        match cx.write(|tx| send_batch(tx, &key, &mut input, sealer.as_ref())).await {
            Ok(output) => {
                let sent = output.successful.as_ref().map_or(0, Vec::len) as f64;
                measures::record(cx, &key, [("NumberOfMessagesSent", "Count", sent)]);
                return Ok(output);
            }
            Err(refused) => sealer = Some(Box::pin(Refused::sealer(refused, cx, &key)).await?),
        }
    }
}

fn send_batch(
    tx: &mut WriteTx<'_>,
    key: &QueueKey,
    input: &mut Option<SendMessageBatchInput>,
    sealer: Option<&Sealer>,
) -> Result<SendMessageBatchOutput, Refused> {
    let queue = queue_for(tx, key, sealer)?;
    let input = taken(input)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check("SendMessageBatchRequestEntry", ids)?;
    if let Some(fifo) = &queue.settings.fifo {
        // Observed: AWS refuses the whole batch, and in other words than a single message.
        let missing = || Error::parameter("The request must contain the parameter MessageGroupId.");
        input.entries.iter().try_for_each(|entry| check_fifo(fifo, entry, missing))?;
    }
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
        return Err(Error::BatchRequestTooLong(total).into());
    }
    let mut count = 0;
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
        let (sent, is_new) = draft.send(tx, &queue, index, sealer)?;
        count += i64::from(is_new);
        successful.push(SendMessageBatchResultEntry { id: Some(id), ..sent });
    }
    if count > 0 {
        store::count(tx, queue.space, count)?;
        tx.wake(store::topic(queue.id));
    }
    Ok(SendMessageBatchOutput {
        successful: batch::unless_empty(successful),
        failed: batch::unless_empty(failed),
    })
}

/// Refuses what a FIFO queue cannot put in order.
fn check_fifo(
    fifo: &Fifo,
    entry: &SendMessageBatchRequestEntry,
    missing_group: impl Fn() -> Error,
) -> Result<(), Error> {
    if entry.message_group_id.is_none() {
        return Err(missing_group());
    }
    if entry.message_deduplication_id.is_none() && !fifo.deduplicates_content {
        return Err(Error::parameter(
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        ));
    }
    if let Some(secs) = entry.delay_seconds.filter(|secs| *secs != 0) {
        return Err(Error::value(
            secs,
            "DelaySeconds",
            "The request include parameter that is not valid for this queue type.",
        ));
    }
    Ok(())
}

/// A message that keeps all rules but that of its size.
struct Draft {
    body: String,
    attributes: Vec<Attribute>,
    trace_header: Option<Attribute>,
    delay_secs: u32,
    group_id: Option<String>,
    deduplication_id: Option<String>,
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
        let deduplication_id = match (settings.fifo, entry.message_deduplication_id) {
            (None, Some(id)) => {
                return Err(Error::value(
                    id,
                    "MessageDeduplicationId",
                    "The request includes a parameter that is not valid for this queue type.",
                ));
            }
            (Some(_), None) => Some(message::content_id(&entry.message_body)),
            (_, id) => id,
        };
        message::check_group("MessageDeduplicationId", deduplication_id.as_deref())?;
        // Messages of a FIFO queue have the queue's delay alone.
        let delay_secs = delay_secs.filter(|_| settings.fifo.is_none());
        Ok(Draft {
            size: message::size(&entry.message_body, &attributes),
            body: entry.message_body,
            attributes,
            trace_header,
            delay_secs: delay_secs.unwrap_or(settings.delay_secs),
            group_id: entry.message_group_id,
            deduplication_id,
        })
    }

    /// Sends it unless it is a copy, and says so.
    fn send(
        self,
        tx: &mut WriteTx<'_>,
        queue: &Queue,
        index: usize,
        sealer: Option<&Sealer>,
    ) -> Result<(SendMessageBatchResultEntry, bool), Error> {
        let now = store::millis(tx.now());
        let sequence = store::sequence(tx, index);
        let body_md5 = digest::of_body(&self.body);
        let (attributes, system): (Vec<_>, Vec<_>) =
            (self.attributes.iter().collect(), self.trace_header.iter().collect());
        let mut sent = SendMessageBatchResultEntry {
            md5_of_message_body: Some(digest::hex(&body_md5)),
            md5_of_message_attributes: digest::of_attributes(&attributes),
            md5_of_message_system_attributes: digest::of_attributes(&system),
            ..SendMessageBatchResultEntry::default()
        };
        let message_id = tx.ids().uuid();
        if let (Some(fifo), Some(id)) = (queue.settings.fifo, &self.deduplication_id) {
            let group = self.group_id.as_deref().unwrap_or_default();
            let scope = if fifo.deduplicates_by_group { group } else { "" };
            if let Some(original) = ORIGINALS.get(tx, &(queue.space, scope, id))?
                && now.abs_diff(original.sent_millis) < DEDUPLICATION_MILLIS
            {
                sent.message_id = Some(original.message_id);
                sent.sequence_number = Some(message::sequence_number(original.sequence));
                return Ok((sent, false));
            }
            let original = Original { message_id: message_id.clone(), sequence, sent_millis: now };
            store::remember(tx, queue.space, scope, id, &original)?;
            sent.sequence_number = Some(message::sequence_number(sequence));
        }
        let message = Message {
            id: message_id,
            body_md5,
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
            deduplication_id: self.deduplication_id,
            source_arn: None,
            sealed: None,
        };
        let message = match sealer {
            Some(sealer) => sealer.seal(tx.cx(), message),
            None => message,
        };
        store::insert(tx, queue, sequence, &message, None)?;
        sent.message_id = Some(message.id);
        Ok((sent, true))
    }
}
