//! What is kept of a secret's value: sealed, so that only its KMS key opens it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fogbank_core::seal::{KEY_BYTES, Key, NONCE_BYTES, Zeroizing};
use fogbank_core::store::Raw;
use fogbank_core::{Arn, Cx, Fault, arn};
use serde_json::json;

use crate::error::Error;

/// The value of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// `SecretString`
    Text(String),
    /// `SecretBinary`
    Binary(Bytes),
}

const TEXT: u8 = 0;
const BINARY: u8 = 1;

impl Value {
    /// The value that a request gives, if it gives one.
    pub(crate) fn given(
        text: Option<String>,
        binary: Option<Bytes>,
    ) -> Result<Option<Value>, Error> {
        match (text, binary) {
            (Some(_), Some(_)) => Err(Error::invalid(
                // AWS's words are not known.
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            )),
            (Some(text), None) => Ok(Some(Value::Text(text))),
            (None, Some(binary)) => Ok(Some(Value::Binary(binary))),
            (None, None) => Ok(None),
        }
    }

    /// What is sealed: the kind, then the value.
    fn plain(&self) -> Zeroizing<Vec<u8>> {
        let (kind, bytes) = match self {
            Value::Text(text) => (TEXT, text.as_bytes()),
            Value::Binary(bytes) => (BINARY, bytes.as_ref()),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(1 + bytes.len()));
        plain.push(kind);
        plain.extend_from_slice(bytes);
        plain
    }

    fn of_plain(plain: &[u8]) -> Option<Value> {
        match plain.split_first()? {
            (&TEXT, text) => Some(Value::Text(String::from_utf8(text.to_vec()).ok()?)),
            (&BINARY, bytes) => Some(Value::Binary(Bytes::copy_from_slice(bytes))),
            _ => None,
        }
    }
}

/// Where a value belongs, which the seal is bound to.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) arn: String,
    pub(crate) version_id: &'a str,
    pub(crate) region: &'a str,
    /// The key as the secret names it; none for `alias/aws/secretsmanager`.
    pub(crate) kms_key_id: Option<&'a str>,
}

/// The key of secrets that name none.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

impl Place<'_> {
    /// The encryption context, as AWS documents it.
    fn context(&self) -> serde_json::Value {
        json!({ "SecretARN": self.arn, "SecretVersionId": self.version_id })
    }

    fn aad(&self) -> String {
        format!("{} {}", self.arn, self.version_id)
    }

    /// The default key is of use to its own account only.
    fn require_usable_key(&self, cx: &Cx) -> Result<(), Error> {
        let caller = &cx.request().principal.account;
        let is_own = Arn::parse(&self.arn).is_some_and(|arn| arn.account == caller);
        if self.kms_key_id.is_some() || caller.is_empty() || is_own {
            return Ok(());
        }
        Err(Error::InvalidRequestException(
            "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS \
             service key."
                .to_owned(),
        ))
    }
}

/// Seals a value as the caller: by a new data key, which lies beside it as KMS sealed it.
pub(crate) async fn seal(cx: &Cx, place: &Place<'_>, value: &Value) -> Result<Raw, Error> {
    place.require_usable_key(cx)?;
    let input = json!({
        "KeyId": place.kms_key_id.unwrap_or(DEFAULT_KEY),
        "KeySpec": "AES_256",
        "EncryptionContext": place.context(),
    });
    let made = call(cx, place, "kms:GenerateDataKey", input).await.map_err(|fault| {
        refusal(fault, |message| Error::EncryptionFailure(message.to_owned()), ENCRYPTION)
    })?;
    joined(cx, place, &bytes_of(&made["CiphertextBlob"])?, &data_key(&made)?, value)
}

/// Seals a value by the key of another account's secret, as the caller, who need only be allowed to encrypt with it.
pub(crate) async fn seal_for_account(
    cx: &Cx,
    place: &Place<'_>,
    account: &str,
    value: &Value,
) -> Result<Raw, Error> {
    let mut data_key = Zeroizing::new([0; KEY_BYTES]);
    cx.ids().fill(&mut *data_key);
    // A key that is named by its id alone is one of the secret's account.
    let key_id = place.kms_key_id.unwrap_or(DEFAULT_KEY);
    let key_id = match (key_id.starts_with("arn:"), key_id.starts_with("alias/")) {
        (true, _) => key_id.to_owned(),
        (false, true) => arn::arn("kms", place.region, account, key_id),
        (false, false) => arn::arn("kms", place.region, account, format_args!("key/{key_id}")),
    };
    let input = json!({
        "KeyId": key_id,
        "Plaintext": BASE64_STANDARD.encode(data_key.as_slice()),
        "EncryptionContext": place.context(),
    });
    let made = call(cx, place, "kms:Encrypt", input).await.map_err(|fault| {
        refusal(fault, |message| Error::EncryptionFailure(message.to_owned()), ENCRYPTION)
    })?;
    joined(cx, place, &bytes_of(&made["CiphertextBlob"])?, &Key::new(&data_key), value)
}

/// A value sealed by a data key, with the data key as KMS sealed it in front.
fn joined(
    cx: &Cx,
    place: &Place<'_>,
    sealed_key: &[u8],
    data_key: &Key,
    value: &Value,
) -> Result<Raw, Error> {
    let mut nonce = [0; NONCE_BYTES];
    cx.ids().fill(&mut nonce);
    let sealed = data_key.seal(nonce, place.aad().as_bytes(), &value.plain());
    let length = u16::try_from(sealed_key.len()).map_err(Fault::internal)?;
    let mut bytes = Vec::with_capacity(2 + sealed_key.len() + sealed.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(sealed_key);
    bytes.extend_from_slice(&sealed);
    Ok(Raw(bytes.into()))
}

/// Opens a value as the caller.
pub(crate) async fn open(cx: &Cx, place: &Place<'_>, sealed: &Raw) -> Result<Value, Error> {
    place.require_usable_key(cx)?;
    let damaged = || Fault::internal("a sealed value is damaged");
    let (length, rest) = sealed.0.split_first_chunk::<2>().ok_or_else(damaged)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (sealed_key, sealed) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let input = json!({
        "CiphertextBlob": BASE64_STANDARD.encode(sealed_key),
        "EncryptionContext": place.context(),
    });
    let opened = call(cx, place, "kms:Decrypt", input).await.map_err(|fault| {
        refusal(fault, |message| Error::DecryptionFailure(message.to_owned()), DECRYPTION)
    })?;
    let plain = data_key(&opened)?.open(place.aad().as_bytes(), sealed).map_err(Fault::internal)?;
    Ok(Value::of_plain(&plain).ok_or_else(damaged)?)
}

const ENCRYPTION: &str = "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that \
                          the KMS key is available, enabled, and not in an invalid state. For more information, see Key \
                          state: Effect on your KMS key.";
const DECRYPTION: &str =
    "Secrets Manager can't decrypt the protected secret text using the provided KMS key.";

/// Calls KMS with the caller's own permissions, in the region in which the value lies.
async fn call(
    cx: &Cx,
    place: &Place<'_>,
    action: &str,
    input: serde_json::Value,
) -> Result<serde_json::Value, Fault> {
    let at = cx.located(cx.account(), place.region);
    let mut call = at.prepare(cx.request().principal.clone(), action, input);
    call.via = Some("secretsmanager.amazonaws.com".to_owned());
    Ok(cx.cloud().call(call).await?.output)
}

/// What Secrets Manager says when KMS refuses.
fn refusal(fault: Fault, failure: impl Fn(&str) -> Error, message: &str) -> Error {
    match fault.name() {
        "InternalFailure" | "ServiceUnavailable" => fault.into(),
        "AccessDenied" | "AccessDeniedException" => {
            Error::AccessDeniedException("Access to KMS is not allowed".to_owned())
        }
        _ => failure(message),
    }
}

fn bytes_of(value: &serde_json::Value) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let text = value.as_str().unwrap_or_default();
    BASE64_STANDARD.decode(text).map(Zeroizing::new).map_err(Fault::internal)
}

fn data_key(answer: &serde_json::Value) -> Result<Key, Fault> {
    let bytes = bytes_of(&answer["Plaintext"])?;
    let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(Fault::internal)?;
    Ok(Key::new(bytes))
}
