//! Event streams whose messages are signed one by one, each with the signature before it.
//!
//! A signed message carries another one as its payload, and two headers: `:date`, and `:chunk-signature`. What a
//! message says is read by whoever knows the framing; here is only what its signature covers.
//!
//! <https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html>

use sha2::{Digest, Sha256};

use crate::error::{Error, Mismatch};
use crate::key::{Signature, SigningKey};
use crate::parse::{HMAC, Presented};
use crate::time::AmzDate;

/// A message of an event stream, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct SignedEvent<'a> {
    /// The message's `:date` in Unix seconds.
    pub signed_at: i64,
    /// All headers but `:chunk-signature`, as they are encoded in the message.
    pub headers: &'a [u8],
    /// The payload: the message that is signed, or nothing at the end of the stream.
    pub payload: &'a [u8],
    /// The bytes of `:chunk-signature`.
    pub signature: &'a [u8],
}

/// The chain of signatures of a stream: each covers its message and the signature before it, the first the request's.
///
/// A message's time is not held against the clock: a stream may be slow, and no message fits another place of another
/// stream.
pub struct EventChain {
    access_key_id: String,
    region: String,
    service: String,
    secret: Box<str>,
    /// The key of the day of the last message, and the scope.
    key: Option<(String, SigningKey)>,
    previous: String,
}

impl EventChain {
    pub(crate) fn new(presented: &Presented<'_>, secret: &str) -> Self {
        Self {
            access_key_id: presented.access_key_id().to_owned(),
            region: presented.region().to_owned(),
            service: presented.service().to_owned(),
            secret: secret.into(),
            key: None,
            previous: presented.signature().to_owned(),
        }
    }

    /// Verifies the next message of the stream. After an error no other message verifies.
    pub fn check(&mut self, event: &SignedEvent<'_>) -> Result<(), Error> {
        let at = AmzDate::from_unix(event.signed_at);
        let stated = hex::encode(event.signature);
        let (text, signature) = self.sign(&at, event.headers, event.payload);
        let is_right = signature.as_str().len() == stated.len()
            && bool::from(subtle::ConstantTimeEq::ct_eq(signature.as_bytes(), stated.as_bytes()));
        if is_right {
            self.previous = signature;
            return Ok(());
        }
        // What follows a wrong message is wrong as well, whatever its signature is.
        self.previous.clear();
        Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: stated,
            string_to_sign: text,
            canonical_request: String::new(),
        })))
    }

    /// Signs the next message of the stream; the bytes of its `:chunk-signature`.
    pub fn next(&mut self, signed_at: i64, headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let (_, signature) = self.sign(&AmzDate::from_unix(signed_at), headers, payload);
        // Made of hexadecimal digits two lines above.
        let bytes = hex::decode(&signature).unwrap_or_default();
        self.previous = signature;
        bytes
    }

    /// The text that is signed, and its signature.
    fn sign(&mut self, at: &AmzDate, headers: &[u8], payload: &[u8]) -> (String, String) {
        let Self { region, service, secret, .. } = self;
        let scope = [at.day(), region, service, "aws4_request"].join("/");
        let (_, key) = match self.key.take().filter(|(known, _)| *known == scope) {
            Some(known) => self.key.insert(known),
            None => {
                let key = SigningKey::derive(secret, at.day(), region, service);
                self.key.insert((scope.clone(), key))
            }
        };
        let hash = |bytes| Signature::of(&Sha256::digest(bytes).into());
        let text = [
            &format!("{HMAC}-PAYLOAD"),
            at.as_str(),
            &scope,
            &self.previous,
            hash(headers).as_str(),
            hash(payload).as_str(),
        ]
        .join("\n");
        let signature = key.sign(&[text.as_bytes()]);
        (text, signature)
    }
}

impl std::fmt::Debug for EventChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventChain")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
