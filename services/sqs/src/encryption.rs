//! Server-side encryption with a key of KMS: a message's body is sealed; its attributes and what else is known of it are not,
//! as on AWS.
//!
//! Data keys are used again for `KmsDataKeyReusePeriodSeconds`, by the same caller for the same queue. What SQS encrypts with
//! keys of its own (`SqsManagedSseEnabled`) lies in the store as it is: the store's disk is the operator's to encrypt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::at_rest::{DataKey, KmsKey};
use fogbank_core::{Cx, Fault, arn};
use serde_json::json;

use crate::error::Error;
use crate::rules::attributes::Settings;
use crate::store::{self, Message, QueueKey, Sealed};

/// For how long a data key is used again unless the queue says otherwise, in seconds.
const REUSE_SECS: u32 = 300;

/// The ARN of the key that a queue's bodies are sealed with; none if they are not.
pub(crate) fn key_arn((account, region, _): &QueueKey, settings: &Settings) -> Option<String> {
    let key = settings.kms_key.as_deref()?;
    Some(match key {
        key if key.starts_with("arn:") => key.to_owned(),
        key if key.starts_with("alias/") => arn::arn("kms", region, account, key),
        id => arn::arn("kms", region, account, format_args!("key/{id}")),
    })
}

fn kms<'a>(key_arn: &'a str, queue_arn: &str, settings: &Settings) -> KmsKey<'a> {
    let reuse = u64::from(settings.kms_reuse_secs.unwrap_or(REUSE_SECS));
    KmsKey {
        service: "sqs",
        key_id: key_arn,
        context: BTreeMap::from([("aws:sqs:arn".to_owned(), queue_arn.to_owned())]),
        reuse: Duration::from_secs(reuse),
    }
}

/// A data key for a queue's messages, and what says by which key they are sealed.
pub(crate) struct Sealer {
    data_key: Arc<DataKey>,
    sealed: Sealed,
}

/// Gets what seals messages of a queue with this key.
pub(crate) async fn sealer(
    cx: &Cx,
    key: &QueueKey,
    key_arn: String,
    settings: &Settings,
) -> Result<Sealer, Error> {
    let queue_arn = store::queue_arn(key);
    let data_key = kms(&key_arn, &queue_arn, settings).data_key(cx).await.map_err(refused)?;
    Ok(Sealer { data_key, sealed: Sealed { key_arn, queue_arn } })
}

impl Sealer {
    /// Whether it is for messages that this key seals.
    pub(crate) fn is_of(&self, key_arn: &str) -> bool {
        self.sealed.key_arn == key_arn
    }

    /// Seals the body of a message.
    pub(crate) fn seal(&self, cx: &Cx, mut message: Message) -> Message {
        let sealed = self.data_key.seal(cx, message.id.as_bytes(), message.body.as_bytes());
        message.body = BASE64.encode(sealed);
        message.sealed = Some(self.sealed.clone());
        message
    }
}

/// Opens the body of a message, if it is sealed.
pub(crate) async fn open(cx: &Cx, message: &mut Message, settings: &Settings) -> Result<(), Error> {
    let Some(Sealed { key_arn, queue_arn }) = &message.sealed else { return Ok(()) };
    let sealed = BASE64.decode(&message.body).map_err(Fault::internal)?;
    let opened = kms(key_arn, queue_arn, settings).open(cx, message.id.as_bytes(), &sealed).await;
    let opened = opened.map_err(refused)?;
    message.body = String::from_utf8(opened.to_vec()).map_err(Fault::internal)?;
    Ok(())
}

/// Asks whether the caller may open messages, before any is taken from those who may.
pub(crate) async fn check_may_open(
    cx: &Cx,
    key: &QueueKey,
    settings: &Settings,
) -> Result<(), Error> {
    let Some(key_arn) = key_arn(key, settings) else { return Ok(()) };
    let input = json!({
        "KeyId": key_arn, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"],
    });
    match kms(&key_arn, &store::queue_arn(key), settings).call(cx, "Decrypt", input).await {
        Err(fault) if fault.name() == "DryRunOperationException" => Ok(()),
        Err(fault) => Err(refused(fault)),
        Ok(_) => Err(Fault::internal("a dry run of KMS succeeded").into()),
    }
}

/// What SQS says of what KMS refuses.
fn refused(fault: Fault) -> Error {
    let message = fault.message().to_owned();
    match fault.name() {
        "AccessDenied" | "AccessDeniedException" => Error::KmsAccessDenied(message),
        "DisabledException" => Error::KmsDisabled(message),
        "InvalidKeyUsageException" => Error::KmsInvalidKeyUsage(message),
        "KMSInvalidStateException" => Error::KmsInvalidState(message),
        "NotFoundException" | "InvalidArnException" => Error::KmsNotFound(message),
        _ => fault.into(),
    }
}
