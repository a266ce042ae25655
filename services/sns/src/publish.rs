//! Publishing messages.

use std::collections::HashSet;

use fogbank_core::{Cx, Tx, WriteTx};

use crate::delivery::{self, Out};
use crate::encryption;
use crate::error::Error;
use crate::model::{
    PublishBatchInput, PublishBatchOutput, PublishBatchRequestEntry, PublishBatchResultEntry,
    PublishInput, PublishOutput,
};
use crate::rules::envelope::Notification;
use crate::rules::message::{self, MAX_MESSAGE_BYTES, Texts};
use crate::rules::names;
use crate::store::{self, Text, TopicKey};

/// Publishes one message to a topic, or sends it to a phone number.
pub(crate) async fn one(cx: &Cx, input: PublishInput) -> Result<PublishOutput, Error> {
    let arn = match (&input.topic_arn, &input.target_arn, &input.phone_number) {
        (None, None, Some(_)) => return cx.write(|tx| to_phone(tx, input.clone())).await,
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
    let key = names::topic(cx.request(), "TopicArn", &arn)?;
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
    let ids = publish_all(cx, &key, vec![draft]).await?;
    Ok(PublishOutput { message_id: ids.into_iter().next(), sequence_number: None })
}

/// Publishes messages to a topic in one transaction, sealed if it has a key, and returns their ids.
async fn publish_all(cx: &Cx, key: &TopicKey, drafts: Vec<Draft>) -> Result<Vec<String>, Error> {
    let mut notifications: Vec<Notification> =
        drafts.into_iter().map(|draft| draft.notification(cx, key)).collect();
    let topic = cx.read(|tx| store::topic(tx, key))?;
    let mut kms_key = encryption::key_arn(key, &topic);
    loop {
        let sealer = match &kms_key {
            // Apart, so that what few topics need makes no call's future larger.
            Some(arn) => Some(Box::pin(encryption::sealer(cx, key, arn.clone())).await?),
            None => None,
        };
        let changed = cx
            .write(|tx| {
                let topic = store::topic(tx, key)?;
                let now = encryption::key_arn(key, &topic);
                let is_right = match (&now, &sealer) {
                    (Some(now), Some(sealer)) => sealer.is_of(now),
                    (now, sealer) => now.is_none() && sealer.is_none(),
                };
                if !is_right {
                    return Ok(Some(now));
                }
                let mut mails = 0;
                for notification in &mut notifications {
                    notification.signature_version = delivery::signature_version(&topic);
                    let out = Out { sealer: sealer.as_ref(), mails: &mut mails };
                    delivery::fan_out(tx, topic.id, notification, None, out)?;
                }
                Ok::<_, Error>(None)
            })
            .await?;
        match changed {
            Some(now) => kms_key = now,
            None => break,
        }
    }
    Ok(notifications.into_iter().map(|notification| notification.message_id).collect())
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
pub(crate) async fn batch(cx: &Cx, input: PublishBatchInput) -> Result<PublishBatchOutput, Error> {
    let key = names::topic(cx.request(), "TopicArn", &input.topic_arn)?;
    cx.read(|tx| store::topic(tx, &key))?;
    let entries = input.publish_batch_request_entries;
    check_entries(&entries)?;
    let entry_ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    let drafts = entries.into_iter().map(Draft::new).collect::<Result<Vec<Draft>, Error>>()?;
    if drafts.iter().map(|draft| draft.size).sum::<usize>() > MAX_MESSAGE_BYTES {
        return Err(Error::BatchRequestTooLongException);
    }
    let message_ids = publish_all(cx, &key, drafts).await?;
    let result = |(id, message_id)| PublishBatchResultEntry {
        id: Some(id),
        message_id: Some(message_id),
        sequence_number: None,
    };
    let successful = entry_ids.into_iter().zip(message_ids).map(result).collect();
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

    /// The message for the topic's subscribers; the topic says the version of its signature.
    fn notification(self, cx: &Cx, key: &TopicKey) -> Notification {
        Notification {
            message_id: cx.ids().uuid(),
            topic_arn: store::topic_arn(key),
            subject: self.subject,
            texts: self.texts,
            attributes: self.attributes,
            group_id: self.group_id,
            at_millis: cx.request().now.millis(),
            signature_version: String::new(),
            cloud_url: cx.request().endpoint.url(),
        }
    }
}
