//! What is kept of a secure value: sealed, so that only its KMS key opens it.
//!
//! As in AWS, KMS itself encrypts the value of a standard parameter, and a data key that of an advanced one.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_core::seal::{KEY_BYTES, Key, NONCE_BYTES, Zeroizing};
use fogbank_core::{Cx, Fault};
use serde_json::{Value, json};

use crate::error::Error;
use crate::store::{self, ParameterKey, Version};

/// The key of secure values for which no other is named.
pub(crate) const DEFAULT_KEY: &str = "alias/aws/ssm";

/// Seals a value as the caller, with the key that the version names.
pub(crate) async fn seal(
    cx: &Cx,
    key: &ParameterKey,
    version: &Version,
    value: &str,
) -> Result<Vec<u8>, Error> {
    let arn = store::arn_of(key);
    let key_id = version.key_id.as_deref().unwrap_or(DEFAULT_KEY);
    let mut input = json!({ "KeyId": key_id, "EncryptionContext": { "PARAMETER_ARN": arn } });
    if !version.is_advanced {
        input["Plaintext"] = BASE64_STANDARD.encode(value).into();
        let sealed = call(cx, key, "kms:Encrypt", input).await?;
        return Ok(bytes_of(&sealed["CiphertextBlob"])?.to_vec());
    }
    input["KeySpec"] = "AES_256".into();
    let made = call(cx, key, "kms:GenerateDataKey", input).await?;
    let sealed_key = bytes_of(&made["CiphertextBlob"])?;
    let mut nonce = [0; NONCE_BYTES];
    cx.ids().fill(&mut nonce);
    let sealed = data_key(&made)?.seal(nonce, arn.as_bytes(), value.as_bytes());
    let length = u16::try_from(sealed_key.len()).map_err(Fault::internal)?;
    Ok([&length.to_be_bytes(), sealed_key.as_slice(), &sealed].concat())
}

/// The value of a version: opened as the caller if it is secure and that is wanted, else as it lies.
pub(crate) async fn shown(
    cx: &Cx,
    key: &ParameterKey,
    version: &Version,
    is_decrypted: bool,
) -> Result<String, Error> {
    if !version.is_secure() {
        return Ok(String::from_utf8_lossy(&version.value).into_owned());
    }
    if !is_decrypted {
        return Ok(BASE64_STANDARD.encode(&version.value));
    }
    open(cx, key, version).await
}

async fn open(cx: &Cx, key: &ParameterKey, version: &Version) -> Result<String, Error> {
    let arn = store::arn_of(key);
    let damaged = || Fault::internal("a sealed value is damaged");
    let (sealed_key, sealed) = match version.is_advanced {
        false => (version.value.as_slice(), None),
        true => {
            let (length, rest) = version.value.split_first_chunk::<2>().ok_or_else(damaged)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (sealed_key, sealed) = rest.split_at_checked(length).ok_or_else(damaged)?;
            (sealed_key, Some(sealed))
        }
    };
    let input = json!({
        "CiphertextBlob": BASE64_STANDARD.encode(sealed_key),
        "EncryptionContext": { "PARAMETER_ARN": arn },
    });
    let opened = call(cx, key, "kms:Decrypt", input).await?;
    let plain = match sealed {
        None => bytes_of(&opened["Plaintext"])?,
        Some(sealed) => data_key(&opened)?.open(arn.as_bytes(), sealed).map_err(Fault::internal)?,
    };
    Ok(std::str::from_utf8(&plain).map_err(Fault::internal)?.to_owned())
}

/// Calls KMS with the caller's own permissions, in the region of the parameter.
async fn call(cx: &Cx, key: &ParameterKey, action: &str, input: Value) -> Result<Value, Error> {
    let at = cx.located(cx.account(), &key.1);
    let mut call = at.prepare(cx.request().principal.clone(), action, input);
    call.via = Some("ssm.amazonaws.com".to_owned());
    match cx.cloud().call(call).await {
        Ok(reply) => Ok(reply.output),
        Err(fault) => Err(refusal(cx, fault)),
    }
}

/// What Parameter Store says when KMS refuses: KMS's words, and that they are KMS's.
fn refusal(cx: &Cx, fault: Fault) -> Error {
    let told = |code: &str| {
        format!(
            "{} (Service: AWSKMS; Status Code: 400; Error Code: {code}; Request ID: {}; Proxy: null)",
            fault.message(),
            cx.request().id
        )
    };
    match fault.name() {
        "InternalFailure" | "ServiceUnavailable" => fault.into(),
        "AccessDenied" | "AccessDeniedException" => {
            Error::AccessDeniedException(told("AccessDeniedException"))
        }
        code => Error::InvalidKeyId(told(code)),
    }
}

fn bytes_of(value: &Value) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let text = value.as_str().unwrap_or_default();
    BASE64_STANDARD.decode(text).map(Zeroizing::new).map_err(Fault::internal)
}

fn data_key(answer: &Value) -> Result<Key, Fault> {
    let bytes = bytes_of(&answer["Plaintext"])?;
    let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(Fault::internal)?;
    Ok(Key::new(bytes))
}
