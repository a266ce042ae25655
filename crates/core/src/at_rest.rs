//! Encryption at rest with keys of KMS, one way for all services: a data key seals the value, the KMS key seals the data key,
//! and the sealed data key lies in front of the sealed value.
//!
//! KMS is called as the caller, through the service (`kms:ViaService`), so that the key policy and the caller's own
//! policies decide. CloudWatch Logs asks as itself ([`Cx::as_service`]), so that the key policy alone decides. A service that
//! seals many small values asks for a data key once for a while and says for how long:
//! what the same caller does for the same resource with the same key then shares it, as on AWS.
//!
//! A service that must read any part of a value without the rest, as S3 must, takes the data key's bytes for a cipher of its
//! own ([`DataKey::bytes`]), and stores the sealed data key itself.
//!
//! A sealed value is a version (1), the length of the sealed data key in two bytes, the sealed data key, and what
//! [`fogbank_seal::Key::seal`] made.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_seal::{KEY_BYTES, Key, NONCE_BYTES, Zeroizing};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{Cloud, Cx, Fault, Principal, PrincipalKind};

const VERSION: u8 = 1;
/// How many data keys are remembered.
const REMEMBERED: usize = 4096;

/// The KMS key of something, and for what it is used.
#[derive(Clone, Debug)]
pub struct KmsKey<'a> {
    /// The service that uses it, such as `secretsmanager`.
    pub service: &'static str,
    /// The key's id, ARN or alias, such as `alias/aws/sqs`.
    pub key_id: &'a str,
    /// The encryption context, which policies may ask for.
    pub context: BTreeMap<String, String>,
    /// For how long a data key is used again; zero for a data key for each value.
    pub reuse: Duration,
}

/// A data key: as it is, and sealed by the KMS key.
pub struct DataKey {
    key: Key,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    /// The data key, sealed by the KMS key.
    pub sealed: Vec<u8>,
    /// The ARN of the KMS key.
    pub kms_key_arn: String,
}

/// Data keys of the last minutes, by all that KMS decided about, and when they end.
#[derive(Default)]
struct DataKeys(Mutex<HashMap<String, (i64, Arc<DataKey>)>>);

impl DataKeys {
    fn find(&self, name: &str, now_millis: i64) -> Option<Arc<DataKey>> {
        let known = self.0.lock();
        let (ends, key) = known.get(name)?;
        // A clock that was set back does not make a key last.
        (*ends > now_millis).then(|| Arc::clone(key))
    }

    fn keep(&self, name: String, ends_millis: i64, key: &Arc<DataKey>) {
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(name, (ends_millis, Arc::clone(key)));
    }
}

/// Forgets all data keys: other rows take the place of those that knew their KMS keys.
pub fn forget(cloud: &Cloud) {
    cloud.state(DataKeys::default).0.lock().clear();
}

impl KmsKey<'_> {
    /// Calls an operation of KMS as the caller, through the service; directly if the caller is the service itself.
    pub async fn call(&self, cx: &Cx, operation: &str, mut input: Value) -> Result<Value, Fault> {
        if !self.context.is_empty() {
            input["EncryptionContext"] = json!(self.context);
        }
        let principal = Principal::clone(&cx.request().principal);
        let mut call = cx.prepare(principal, &format!("kms:{operation}"), input);
        match &cx.request().source {
            Some(source) if self.is_caller(&cx.request().principal) => {
                call.source = Some(source.clone());
            }
            _ => call.via = Some(format!("{}.amazonaws.com", self.service)),
        }
        Ok(cx.cloud().call(call).await?.output)
    }

    /// Whether this is the service by itself, under its name or that of a region, such as `logs.us-east-1.amazonaws.com`.
    fn is_caller(&self, principal: &Principal) -> bool {
        let PrincipalKind::Service { name } = &principal.kind else { return false };
        name.split('.').next() == Some(self.service)
    }

    fn name(&self, cx: &Cx, what: &str) -> String {
        let request = cx.request();
        let caller = &request.principal.arn;
        let source = request.source.as_ref().map_or("", |(arn, _)| arn);
        let place = format!("{}\0{}\0{}\0{caller}", self.service, request.account, request.region);
        format!("{place}\0{source}\0{}\0{:?}\0{what}", self.key_id, self.context)
    }

    fn ends(&self, cx: &Cx) -> i64 {
        cx.now().millis() + i64::try_from(self.reuse.as_millis()).unwrap_or(i64::MAX / 2)
    }

    /// A data key to seal with.
    pub async fn data_key(&self, cx: &Cx) -> Result<Arc<DataKey>, Fault> {
        let known = cx.state(DataKeys::default);
        let name = self.name(cx, "");
        if !self.reuse.is_zero()
            && let Some(key) = known.find(&name, cx.now().millis())
        {
            return Ok(key);
        }
        let input = json!({"KeyId": self.key_id, "KeySpec": "AES_256"});
        let output = self.call(cx, "GenerateDataKey", input).await?;
        let key = Arc::new(DataKey::new(&output, bytes_of(&output["CiphertextBlob"])?.to_vec())?);
        if !self.reuse.is_zero() {
            known.keep(name, self.ends(cx), &key);
        }
        Ok(key)
    }

    /// The data key that KMS sealed.
    pub async fn open_data_key(&self, cx: &Cx, sealed: &[u8]) -> Result<Arc<DataKey>, Fault> {
        let known = cx.state(DataKeys::default);
        let blob = BASE64.encode(sealed);
        let name = self.name(cx, &blob);
        if !self.reuse.is_zero()
            && let Some(key) = known.find(&name, cx.now().millis())
        {
            return Ok(key);
        }
        let output = self.call(cx, "Decrypt", json!({"CiphertextBlob": blob})).await?;
        let key = Arc::new(DataKey::new(&output, sealed.to_vec())?);
        if !self.reuse.is_zero() {
            known.keep(name, self.ends(cx), &key);
        }
        Ok(key)
    }

    /// Seals a value for the place that `place` names.
    pub async fn seal(&self, cx: &Cx, place: &[u8], value: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.data_key(cx).await?.seal(cx, place, value))
    }

    /// Opens a value that was sealed for the same place with this KMS key or, after a change of the key, another one.
    pub async fn open(
        &self,
        cx: &Cx,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (data_key, value) = split(sealed).ok_or_else(|| damaged("it has another form"))?;
        let key = self.open_data_key(cx, data_key).await?;
        key.key.open(place, value).map_err(damaged)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.kms_key_arn)
    }
}

impl DataKey {
    /// The data key of an answer of KMS.
    fn new(output: &Value, sealed: Vec<u8>) -> Result<DataKey, Fault> {
        let plain = bytes_of(&output["Plaintext"])?;
        let bytes = Zeroizing::new(
            plain.as_slice().try_into().map_err(|_| Fault::internal("a data key of KMS"))?,
        );
        let kms_key_arn = output["KeyId"].as_str().unwrap_or_default().to_owned();
        Ok(DataKey { key: Key::new(&bytes), bytes, sealed, kms_key_arn })
    }

    /// What seals and opens with the data key, for who stores the sealed data key elsewhere.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The data key as it is, for a cipher of the service's own.
    pub fn bytes(&self) -> &Zeroizing<[u8; KEY_BYTES]> {
        &self.bytes
    }

    /// Seals a value for the place that `place` names, with the sealed data key in front.
    pub fn seal(&self, cx: &Cx, place: &[u8], value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        cx.ids().fill(&mut nonce);
        let length = u16::try_from(self.sealed.len()).unwrap_or_default();
        let mut out = vec![VERSION];
        out.extend(length.to_be_bytes());
        out.extend_from_slice(&self.sealed);
        out.extend(self.key.seal(nonce, place, value));
        out
    }
}

fn split(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[version, high, low], rest) = sealed.split_first_chunk::<3>()?;
    if version != VERSION {
        return None;
    }
    rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))
}

fn damaged(why: impl std::fmt::Display) -> Fault {
    Fault::internal(format!("a sealed value cannot be opened: {why}"))
}

fn bytes_of(text: &Value) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let decoded = text.as_str().and_then(|text| BASE64.decode(text).ok());
    decoded.map(Zeroizing::new).ok_or_else(|| Fault::internal("an answer of KMS without bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_is_its_data_key_and_the_rest() {
        let mut sealed = vec![VERSION, 0, 2, 7, 8];
        assert_eq!(split(&sealed), Some((&[7, 8][..], &[][..])));
        sealed.push(9);
        assert_eq!(split(&sealed), Some((&[7, 8][..], &[9][..])));
        assert_eq!(split(&sealed[..4]), None);
        sealed[0] = 2;
        assert_eq!(split(&sealed), None);
        assert_eq!(split(&[]), None);
    }
}
