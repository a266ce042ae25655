//! Publishing messages.

use std::collections::HashSet;

use fogbank_core::{Tx, WriteTx};

use crate::delivery;
use crate::error::Error;
use crate::model::{
    PublishBatchInput, PublishBatchOutput, PublishBatchRequestEntry, PublishBatchResultEntry,
    PublishInput, PublishOutput,
};
use crate::rules::envelope::Notification;
use crate::rules::message::{self, MAX_MESSAGE_BYTES, Texts};
use crate::rules::names;
use crate::store::{self, Text, Topic, TopicKey};

/// Publishes one message to a topic, or sends it to a phone number.
pub(crate) fn one(tx: &mut WriteTx<'_>, input: PublishInput) -> Result<PublishOutput, Error> {
    let arn = match (&input.topic_arn, &input.target_arn, &input.phone_number) {
        (None, None, Some(_)) => return to_phone(tx, input),
        (Some(arn), _, _) => arn.clone(),
        (None, Some(arn), _) if arn.contains(":endpoint/") => {
            return Err(Error::invalid(
                "TargetArn Reason: No endpoint found for the target arn specified",
            ));
        }
        (None, Some(arn), _) => arn.clone(),
        (None, None, None) => {
            return Err(Error::invalid(
                "TopicArn or TargetArn Reason: no value for required parameter",
            ));
        }
    };
    let key = names::topic(tx.request(), "TopicArn", &arn)?;
    let draft = Draft::new(PublishBatchRequestEntry {
        id: String::new(),
        message: input.message,
        subject: input.subject,
        message_structure: input.message_structure,
        message_attributes: input.message_attributes,
        message_deduplication_id: input.message_deduplication_id,
        message_group_id: input.message_group_id,
    })?;
    if draft.size > MAX_MESSAGE_BYTES {
        return Err(Error::invalid("Message too long"));
    }
    let topic = store::topic(tx, &key)?;
    let message_id = draft.publish(tx, &key, &topic, &mut 0)?;
    Ok(PublishOutput { message_id: Some(message_id), sequence_number: None })
}

fn to_phone(tx: &mut WriteTx<'_>, input: PublishInput) -> Result<PublishOutput, Error> {
    let to = input.phone_number.unwrap_or_default();
    let texts = Texts::new(input.message, input.message_structure.as_deref())?;
    if !names::is_phone_number(&to) {
        return Err(Error::invalid(format!("PhoneNumber Reason: {to} is not valid to publish to")));
    }
    let text = Text {
        to,
        body: texts.of("sms").to_owned(),
        topic_arn: String::new(),
        at_millis: tx.now().millis(),
        account: tx.account().to_owned(),
    };
    store::text(tx, 0, &text)?;
    Ok(PublishOutput { message_id: Some(tx.ids().uuid()), sequence_number: None })
}

/// Publishes up to ten messages. AWS refuses them all if one is bad.
pub(crate) fn batch(
    tx: &mut WriteTx<'_>,
    input: PublishBatchInput,
) -> Result<PublishBatchOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let topic = store::topic(tx, &key)?;
    let entries = input.publish_batch_request_entries;
    check_entries(&entries)?;
    let mut drafts = Vec::with_capacity(entries.len());
    let mut total = 0;
    for entry in entries {
        let id = entry.id.clone();
        let draft = Draft::new(entry)?;
        total += draft.size;
        drafts.push((id, draft));
    }
    if total > MAX_MESSAGE_BYTES {
        return Err(Error::BatchRequestTooLongException);
    }
    let mut mails = 0;
    let mut successful = Vec::with_capacity(drafts.len());
    for (id, draft) in drafts {
        let message_id = draft.publish(tx, &key, &topic, &mut mails)?;
        successful.push(PublishBatchResultEntry {
            id: Some(id),
            message_id: Some(message_id),
            sequence_number: None,
        });
    }
    Ok(PublishBatchOutput { successful: Some(successful), failed: Some(Vec::new()) })
}

fn check_entries(entries: &[PublishBatchRequestEntry]) -> Result<(), Error> {
    if entries.is_empty() {
        return Err(Error::EmptyBatchRequestException);
    }
    if entries.len() > 10 {
        return Err(Error::TooManyEntriesInBatchRequestException);
    }
    let mut seen = HashSet::new();
    for PublishBatchRequestEntry { id, .. } in entries {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let why = match id {
            id if id.len() > 80 => "is too long",
            id if !id.bytes().all(is_plain) => "contains an impermissible character",
            _ => {
                if !seen.insert(id) {
                    return Err(Error::BatchEntryIdsNotDistinctException);
                }
                continue;
            }
        };
        return Err(Error::InvalidBatchEntryIdException(format!("{why}: {id}")));
    }
    Ok(())
}

/// A message that keeps all rules but that of its size.
struct Draft {
    subject: Option<String>,
    texts: Texts,
    attributes: Vec<message::Attribute>,
    group_id: Option<String>,
    size: usize,
}

impl Draft {
    fn new(entry: PublishBatchRequestEntry) -> Result<Draft, Error> {
        message::check_subject(entry.subject.as_deref())?;
        if entry.message_deduplication_id.is_some() {
            return Err(Error::invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId \
                 parameter that is not valid for this topic type",
            ));
        }
        message::check_group(entry.message_group_id.as_deref())?;
        let attributes = message::attributes(entry.message_attributes)?;
        let size = message::size(&entry.message, &attributes);
        let texts = Texts::new(entry.message, entry.message_structure.as_deref())?;
        Ok(Draft {
            subject: entry.subject,
            texts,
            attributes,
            group_id: entry.message_group_id,
            size,
        })
    }

    /// Publishes it; `mails` counts the transaction's mails.
    fn publish(
        self,
        tx: &mut WriteTx<'_>,
        key: &TopicKey,
        topic: &Topic,
        mails: &mut usize,
    ) -> Result<String, Error> {
        let notification = Notification {
            message_id: tx.ids().uuid(),
            topic_arn: store::topic_arn(key),
            subject: self.subject,
            texts: self.texts,
            attributes: self.attributes,
            group_id: self.group_id,
            at_millis: tx.now().millis(),
            signature_version: delivery::signature_version(topic),
            cloud_url: tx.request().endpoint.url(),
        };
        delivery::fan_out(tx, topic.id, &notification, None, mails)?;
        Ok(notification.message_id)
    }
}
