//! Encryption at rest with keys of KMS: what waits to be delivered for a topic with `KmsMasterKeyId` lies sealed.
//!
//! KMS is asked for a data key as the publisher, through SNS, who must be allowed `kms:GenerateDataKey` and `kms:Decrypt`;
//! it is used again for five minutes by the same publisher for the same topic. The whole input of an effect is sealed: the
//! message, and its subject and attributes, too. To deliver it, the data key is opened as the publisher again, unless it is
//! still in memory. If KMS refuses that, the delivery is tried again as if the subscriber failed.
//!
//! What was delivered is no longer SNS's: queues have keys of their own, mails and text messages lie open in their outboxes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::at_rest::{DataKey, KmsKey};
use fogbank_core::seal::NONCE_BYTES;
use fogbank_core::{Arn, Cx, Fault, Principal, Tx, WriteTx, arn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::store::{self, Topic, TopicKey};

/// For how long a data key is used again, as AWS says.
const REUSE: Duration = Duration::from_secs(300);
/// The member of an effect's input that holds the sealed one.
const SEALED: &str = "sealed";

/// The ARN of the key that seals a topic's messages; none if they are not sealed.
pub(crate) fn key_arn((account, region, _): &TopicKey, topic: &Topic) -> Option<String> {
    let key = topic.attributes.get("KmsMasterKeyId").filter(|key| !key.is_empty())?;
    Some(match key.as_str() {
        key if key.starts_with("arn:") => key.to_owned(),
        key if key.starts_with("alias/") => arn::arn("kms", region, account, key),
        id => arn::arn("kms", region, account, format_args!("key/{id}")),
    })
}

/// What seals the effects of one message.
#[derive(Clone, Debug)]
pub(crate) struct Sealer {
    publisher: Principal,
    key_arn: String,
    topic_arn: String,
    data_key: Arc<DataKey>,
}

/// An effect's input as the outbox has it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    publisher: Principal,
    key_arn: String,
    topic_arn: String,
    /// The data key as KMS sealed it, in base64.
    data_key: String,
    /// The input as the data key sealed it, in base64.
    input: String,
}

/// The data keys belong to the topic's place, wherever its publishers and subscribers are.
fn placed(cx: &Cx, publisher: Principal, topic_arn: &str) -> Cx {
    let cx = cx.as_principal(publisher);
    match Arn::parse(topic_arn) {
        Some(topic) => cx.located(topic.account, topic.region),
        None => cx,
    }
}

fn kms<'a>(key_arn: &'a str, topic_arn: &str) -> KmsKey<'a> {
    let context = BTreeMap::from([("aws:sns:topicArn".to_owned(), topic_arn.to_owned())]);
    KmsKey { service: "sns", key_id: key_arn, context, reuse: REUSE }
}

/// Gets what seals the caller's messages to a topic with this key, if KMS lets the caller seal and open.
pub(crate) async fn sealer(cx: &Cx, topic: &TopicKey, key_arn: String) -> Result<Sealer, Error> {
    let publisher = Principal::clone(&cx.request().principal);
    let topic_arn = store::topic_arn(topic);
    let cx = placed(cx, publisher.clone(), &topic_arn);
    let key = kms(&key_arn, &topic_arn);
    let refused = |fault| refused(&cx, fault);
    let data_key = key.data_key(&cx).await.map_err(refused)?;
    key.open_data_key(&cx, &data_key.sealed).await.map_err(refused)?;
    Ok(Sealer { publisher, key_arn, topic_arn, data_key })
}

impl Sealer {
    /// Whether it is for messages that this key seals.
    pub(crate) fn is_of(&self, key_arn: &str) -> bool {
        self.key_arn == key_arn
    }

    /// Seals the input of the job with this name.
    pub(crate) fn seal(&self, tx: &WriteTx<'_>, job: &str, input: &Value) -> Result<Value, Fault> {
        let mut nonce = [0; NONCE_BYTES];
        tx.ids().fill(&mut nonce);
        let place = place(job, &self.topic_arn);
        let input = self.data_key.key().seal(nonce, &place, input.to_string().as_bytes());
        let sealed = Sealed {
            publisher: self.publisher.clone(),
            key_arn: self.key_arn.clone(),
            topic_arn: self.topic_arn.clone(),
            data_key: BASE64.encode(&self.data_key.sealed),
            input: BASE64.encode(input),
        };
        Ok(json!({SEALED: serde_json::to_value(sealed).map_err(Fault::internal)?}))
    }
}

fn place(job: &str, topic_arn: &str) -> Vec<u8> {
    [job.as_bytes(), b"\0", topic_arn.as_bytes()].concat()
}

/// Opens the input of the job with this name, if it is sealed, and says what seals what follows from it.
pub(crate) async fn open(
    cx: &Cx,
    job: &str,
    mut input: Value,
) -> Result<(Value, Option<Sealer>), Fault> {
    let Some(sealed) = input.get_mut(SEALED) else { return Ok((input, None)) };
    let sealed: Sealed = serde_json::from_value(sealed.take()).map_err(Fault::internal)?;
    let Sealed { publisher, key_arn, topic_arn, data_key, input } = sealed;
    let bytes = |text: &str| BASE64.decode(text).map_err(Fault::internal);
    let opener = placed(cx, publisher.clone(), &topic_arn);
    let key = kms(&key_arn, &topic_arn);
    let data_key = key.open_data_key(&opener, &bytes(&data_key)?).await?;
    let opened = data_key.key().open(&place(job, &topic_arn), &bytes(&input)?);
    let input = serde_json::from_slice(&opened.map_err(Fault::internal)?);
    let sealer = Sealer { publisher, key_arn, topic_arn, data_key };
    Ok((input.map_err(Fault::internal)?, Some(sealer)))
}

/// What SNS says of what KMS refuses: the words of AWS's SDK around those of KMS.
fn refused(cx: &Cx, fault: Fault) -> Error {
    let code = match fault.name() {
        "AccessDenied" => "AccessDeniedException",
        name => name,
    };
    let message = format!(
        "{} (Service: AWSKMS; Status Code: 400; Error Code: {code}; Request ID: {}; Proxy: null)",
        fault.message(),
        cx.request().id
    );
    match code {
        "AccessDeniedException" => Error::KMSAccessDeniedException(message),
        "DisabledException" => Error::KMSDisabledException(message),
        "NotFoundException" | "InvalidArnException" => Error::KMSNotFoundException(message),
        // That keys for other uses are refused with this code is a guess.
        "KMSInvalidStateException" | "InvalidKeyUsageException" => {
            Error::KMSInvalidStateException(message)
        }
        _ => fault.into(),
    }
}
