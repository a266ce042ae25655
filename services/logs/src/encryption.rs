//! Encryption at rest with keys of KMS: what the events of a group say lies sealed while the group has a key.
//!
//! A group has a data key for each key of KMS that it ever had, which KMS sealed and the group's row keeps, so that events
//! stay readable when the group's key changes or goes, for as long as KMS opens their data key. The messages of a stream are
//! sealed with a key that is made of the data key and the stream's number, each for its place; times lie open. KMS is asked
//! as `logs.REGION.amazonaws.com`, so the key policy must allow that, and again after five minutes.
//!
//! Transactions cannot wait for KMS. One that comes upon a data key that it lacks stops; [`Ring::settle`] gets the data key,
//! and the transaction begins again. So calls on groups without keys cost nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fogbank_core::at_rest::{DataKey, KmsKey};
use fogbank_core::seal::{self, Key, NONCE_BYTES};
use fogbank_core::{Arn, Cx, Fault, Tx, WriteTx};

use crate::access;
use crate::error::Error;
use crate::model::{
    AssociateKmsKeyInput, AssociateKmsKeyOutput, DisassociateKmsKeyInput, DisassociateKmsKeyOutput,
};
use crate::store::{self, EventKey, GROUPS, Group, GroupKey, Message, SealedDataKey};

/// For how long KMS is not asked again. AWS says that changes take up to five minutes.
const REUSE: Duration = Duration::from_secs(300);

/// Why a transaction stopped.
pub(crate) enum Stop {
    /// This data key must be opened first.
    Locked(SealedDataKey),
    /// The group has this key of KMS and no data key of it yet.
    Keyless(String),
    Refused(Error),
}

impl<E> From<E> for Stop
where
    E: std::error::Error,
    Error: From<E>,
{
    fn from(error: E) -> Stop {
        Stop::Refused(error.into())
    }
}

/// The data keys that a call has opened, as KMS sealed them and as they are.
#[derive(Default)]
pub(crate) struct Ring(Vec<(Vec<u8>, Arc<DataKey>)>);

impl Ring {
    /// The outcome of a transaction; none if it is to begin again, with what it lacked.
    pub(crate) async fn settle<T>(
        &mut self,
        cx: &Cx,
        group: &GroupKey,
        tried: Result<T, Stop>,
    ) -> Result<Option<T>, Error> {
        match tried {
            Ok(done) => return Ok(Some(done)),
            Err(Stop::Refused(error)) => return Err(error),
            // Apart, so that what few groups need makes no call's future larger.
            Err(Stop::Locked(row)) => Box::pin(self.unlock(cx, group, row)).await?,
            Err(Stop::Keyless(key_id)) => Box::pin(make_data_key(cx, group, &key_id)).await?,
        }
        Ok(None)
    }

    async fn unlock(&mut self, cx: &Cx, group: &GroupKey, row: SealedDataKey) -> Result<(), Error> {
        let arn = group_arn(group);
        let cx = as_logs(cx, &arn);
        let opened = kms(&row.key_arn, &arn, REUSE).open_data_key(&cx, &row.sealed).await;
        let key = opened.map_err(|fault| unusable(fault, &arn))?;
        self.0.push((row.sealed, key));
        Ok(())
    }

    fn find(&self, row: &SealedDataKey) -> Result<&DataKey, Stop> {
        let found = self.0.iter().find(|(sealed, _)| *sealed == row.sealed);
        found.map(|(_, key)| &**key).ok_or_else(|| Stop::Locked(row.clone()))
    }
}

/// Seals and opens the messages of one stream.
pub(crate) struct StreamKeys<'a> {
    ring: &'a Ring,
    group: &'a Group,
    stream: u64,
    made: Vec<(u32, Key)>,
}

impl<'a> StreamKeys<'a> {
    /// For the stream with this number, of this group.
    pub(crate) fn new(ring: &'a Ring, group: &'a Group, stream: u64) -> StreamKeys<'a> {
        StreamKeys { ring, group, stream, made: Vec::new() }
    }

    fn key(&mut self, number: u32) -> Result<&Key, Stop> {
        let at = match self.made.iter().position(|(made, _)| *made == number) {
            Some(at) => at,
            None => {
                let row = self.group.data_keys.get(number as usize);
                let row = row.ok_or_else(|| Fault::internal("an event's data key is missing"))?;
                let data_key = self.ring.find(row)?;
                let purpose = [&b"logs.stream"[..], &self.stream.to_be_bytes()].concat();
                let key = Key::new(&seal::derive(data_key.bytes(), &purpose));
                self.made.push((number, key));
                self.made.len() - 1
            }
        };
        Ok(&self.made[at].1)
    }

    /// What is kept of a message at this place: sealed, if the group has a key now.
    pub(crate) fn seal(
        &mut self,
        tx: &WriteTx<'_>,
        place: &EventKey,
        message: &str,
    ) -> Result<Message, Stop> {
        let Some(key_id) = &self.group.kms_key_id else {
            return Ok(Message::Plain(message.to_owned()));
        };
        let current = self.group.data_keys.iter().position(|row| row.key_arn == *key_id);
        let number = current.ok_or_else(|| Stop::Keyless(key_id.clone()))? as u32;
        let mut nonce = [0; NONCE_BYTES];
        tx.ids().fill(&mut nonce);
        let bytes = self.key(number)?.seal(nonce, &aad(place), message.as_bytes());
        Ok(Message::Sealed { data_key: number, bytes })
    }

    /// What the message at this place says.
    pub(crate) fn open(&mut self, place: &EventKey, message: Message) -> Result<String, Stop> {
        let (number, sealed) = match message {
            Message::Plain(message) => return Ok(message),
            Message::Sealed { data_key, bytes } => (data_key, bytes),
        };
        let opened = self.key(number)?.open(&aad(place), &sealed).map_err(Fault::internal)?;
        Ok(String::from_utf8(opened.to_vec()).map_err(Fault::internal)?)
    }
}

fn aad((stream, millis, place): &EventKey) -> [u8; 24] {
    let mut aad = [0; 24];
    for (part, number) in aad.chunks_exact_mut(8).zip([stream, millis, place]) {
        part.copy_from_slice(&number.to_be_bytes());
    }
    aad
}

fn group_arn((account, region, name): &GroupKey) -> String {
    fogbank_core::arn::arn("logs", region, account, format_args!("log-group:{name}"))
}

/// CloudWatch Logs by itself, as key policies know it.
fn as_logs(cx: &Cx, group_arn: &str) -> Cx {
    cx.as_service(&format!("logs.{}.amazonaws.com", cx.region()), group_arn)
}

fn kms<'a>(key_id: &'a str, group_arn: &str, reuse: Duration) -> KmsKey<'a> {
    let context = BTreeMap::from([("aws:logs:arn".to_owned(), group_arn.to_owned())]);
    KmsKey { service: "logs", key_id, context, reuse }
}

/// A new data key for a group, which KMS made if CloudWatch Logs may use the key that a request names.
pub(crate) async fn fresh(cx: &Cx, group: &GroupKey, key_id: &str) -> Result<SealedDataKey, Error> {
    let arn = group_arn(group);
    let is_key = Arn::parse(key_id).is_some_and(|key| key.resource.starts_with("key/"));
    if !is_key {
        // AWS asks for an ARN and does not take an alias; the words are a guess.
        let message = format!("The specified KMS Key Id is not the ARN of a key. '{}'", group.2);
        return Err(Error::InvalidParameterException(message));
    }
    let made = kms(key_id, &arn, Duration::ZERO).data_key(&as_logs(cx, &arn)).await;
    let made = made.map_err(|fault| match fault.name() {
        "DisabledException" | "KMSInvalidStateException" | "InvalidKeyUsageException" => {
            // The code is documented; the words are a guess.
            let why = fault.message();
            let message = format!("The specified KMS key cannot be used with '{arn}': {why}");
            Error::InvalidParameterException(message)
        }
        _ => unusable(fault, &arn),
    })?;
    Ok(SealedDataKey { key_arn: made.kms_key_arn.clone(), sealed: made.sealed.clone() })
}

/// What CloudWatch Logs says of a key that KMS does not let it use.
fn unusable(fault: Fault, arn: &str) -> Error {
    match fault.name() {
        "AccessDenied"
        | "AccessDeniedException"
        | "NotFoundException"
        | "InvalidArnException"
        | "DisabledException"
        | "KMSInvalidStateException"
        | "InvalidKeyUsageException" => {
            // Seen where a key is associated; that events which cannot be opened are refused with it, too, is a guess.
            let message = format!(
                "The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
            );
            Fault::new("AccessDeniedException", message).with_status(400).into()
        }
        _ => fault.into(),
    }
}

/// Gives a group of an older version, which only knows its key's name, a data key.
async fn make_data_key(cx: &Cx, group: &GroupKey, key_id: &str) -> Result<(), Error> {
    let arn = group_arn(group);
    let made = kms(key_id, &arn, Duration::ZERO).data_key(&as_logs(cx, &arn)).await;
    let made = made.map_err(|fault| unusable(fault, &arn))?;
    let row = SealedDataKey { key_arn: made.kms_key_arn.clone(), sealed: made.sealed.clone() };
    cx.write(|tx| {
        let mut found = store::group(tx, group)?;
        if found.kms_key_id.as_deref() == Some(key_id) {
            use_key(&mut found, row.clone());
            GROUPS.put(tx, group, &found)?;
        }
        Ok(())
    })
    .await
}

/// Makes the key that sealed this data key the one that seals new events.
pub(crate) fn use_key(group: &mut Group, row: SealedDataKey) {
    group.kms_key_id = Some(row.key_arn.clone());
    // The group had the key before: its data key of then is as good, and each key has one.
    if !group.data_keys.iter().any(|known| known.key_arn == row.key_arn) {
        group.data_keys.push(row);
    }
}

/// Has new events of a group sealed with a key of KMS.
pub(crate) async fn associate(
    cx: &Cx,
    input: AssociateKmsKeyInput,
) -> Result<AssociateKmsKeyOutput, Error> {
    let group = target(cx, input.log_group_name, input.resource_identifier)?;
    cx.read(|tx| store::group(tx, &group))?;
    let row = fresh(cx, &group, &input.kms_key_id).await?;
    cx.write(|tx| {
        let mut found = store::group(tx, &group)?;
        use_key(&mut found, row.clone());
        Ok::<_, Error>(GROUPS.put(tx, &group, &found)?)
    })
    .await?;
    Ok(AssociateKmsKeyOutput {})
}

/// Has new events of a group sealed no more.
pub(crate) fn disassociate(
    tx: &mut WriteTx<'_>,
    input: DisassociateKmsKeyInput,
) -> Result<DisassociateKmsKeyOutput, Error> {
    let group = target(tx.cx(), input.log_group_name, input.resource_identifier)?;
    let mut found = store::group(tx, &group)?;
    found.kms_key_id = None;
    GROUPS.put(tx, &group, &found)?;
    Ok(DisassociateKmsKeyOutput {})
}

/// The group that a request names in one way or the other.
fn target(cx: &Cx, name: Option<String>, resource: Option<String>) -> Result<GroupKey, Error> {
    match (name, resource) {
        (Some(name), None) => Ok(store::group_key_of(cx, &name)),
        (None, Some(arn)) if arn.contains(":query-result:") => {
            Err(Fault::not_implemented("logs", "AssociateKmsKey for the results of queries").into())
        }
        (None, Some(arn)) => match access::group_of_arn(&arn) {
            Some(name) => Ok(store::group_key_of(cx, name)),
            None => Err(Error::invalid("The specified resourceIdentifier is invalid.")),
        },
        // The words of both are guesses.
        (Some(_), Some(_)) => {
            Err(Error::invalid("Specify either logGroupName or resourceIdentifier, not both."))
        }
        (None, None) => {
            Err(Error::invalid("Either logGroupName or resourceIdentifier is required."))
        }
    }
}
