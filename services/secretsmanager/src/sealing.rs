//! What is kept of a secret's value: sealed, so that only its KMS key opens it.

use bytes::Bytes;
use fogbank_core::Cx;
use fogbank_core::store::Raw;

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
    fn plain(&self) -> Vec<u8> {
        let (kind, bytes) = match self {
            Value::Text(text) => (TEXT, text.as_bytes()),
            Value::Binary(bytes) => (BINARY, bytes.as_ref()),
        };
        let mut plain = Vec::with_capacity(1 + bytes.len());
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
#[expect(dead_code, reason = "nothing seals yet")]
pub(crate) struct Place<'a> {
    pub(crate) arn: String,
    pub(crate) version_id: &'a str,
    pub(crate) region: &'a str,
    /// The key as the secret names it; none for `alias/aws/secretsmanager`.
    pub(crate) kms_key_id: Option<&'a str>,
}

/// Seals a value as the caller.
pub(crate) async fn seal(_: &Cx, _: &Place<'_>, value: &Value) -> Result<Raw, Error> {
    Ok(Raw(value.plain().into()))
}

/// Opens a value as the caller.
pub(crate) async fn open(_: &Cx, _: &Place<'_>, sealed: &Raw) -> Result<Value, Error> {
    Value::of_plain(&sealed.0)
        .ok_or_else(|| Error::DecryptionFailure("The value cannot be opened.".to_owned()))
}
