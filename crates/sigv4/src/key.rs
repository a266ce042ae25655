//! Signing keys: a secret narrowed by four HMACs to one day, region and service, and a bounded cache of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::asymmetric::KeyPair;
use crate::parse::{Algorithm, Presented};

const WAYS: usize = 4;

/// A key that makes and verifies signatures: for one day, region and service, or in SigV4A for all of them.
#[derive(Clone)]
pub struct SigningKey(Kind);

#[derive(Clone)]
enum Kind {
    /// Kept as HMAC state, so that each signature costs two hash blocks less.
    Symmetric(Hmac<Sha256>),
    /// None if the secret yields no key, of which the chance is nil.
    Asymmetric(Option<Arc<KeyPair>>),
}

impl SigningKey {
    /// Derives the key of a secret for a `YYYYMMDD` day, a region and a service.
    pub fn derive(secret: &str, day: &str, region: &str, service: &str) -> Self {
        let mut first = Vec::with_capacity(4 + secret.len());
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());
        let day_key = hmac(&first, day.as_bytes());
        let region_key = hmac(&day_key, region.as_bytes());
        let service_key = hmac(&region_key, service.as_bytes());
        Self(Kind::Symmetric(keyed(&hmac(&service_key, b"aws4_request"))))
    }

    /// Derives the key pair of a secret for SigV4A, which is the same for every day, region and service.
    pub fn derive_asymmetric(access_key_id: &str, secret: &str) -> Self {
        Self(Kind::Asymmetric(KeyPair::derive(access_key_id, secret).map(Arc::new)))
    }

    /// Derives the key that a presented signature needs.
    pub fn of(presented: &Presented<'_>, secret: &str) -> Self {
        match presented.algorithm {
            Algorithm::EcdsaP256Sha256 => {
                Self::derive_asymmetric(presented.access_key_id(), secret)
            }
            Algorithm::HmacSha256 => {
                Self::derive(secret, presented.day(), presented.region(), presented.service())
            }
        }
    }

    /// The algorithm of the key's signatures.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Symmetric(_) => Algorithm::HmacSha256,
            Kind::Asymmetric(_) => Algorithm::EcdsaP256Sha256,
        }
    }

    /// Signs the concatenation of `parts`, in hexadecimal digits.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> String {
        match &self.0 {
            Kind::Symmetric(key) => authenticate(key, parts).as_str().to_owned(),
            Kind::Asymmetric(pair) => pair
                .as_ref()
                .map(|pair| hex::encode(pair.sign(&parts.concat())))
                .unwrap_or_default(),
        }
    }

    /// Whether `presented`, in hexadecimal digits, is a signature of the concatenation of `parts`.
    pub(crate) fn verifies(&self, parts: &[&[u8]], presented: &[u8]) -> bool {
        match &self.0 {
            Kind::Symmetric(key) => authenticate(key, parts).matches(presented),
            Kind::Asymmetric(Some(pair)) => {
                is_der_in_hex(presented)
                    && hex::decode(presented)
                        .is_ok_and(|signature| pair.verifies(&parts.concat(), &signature))
            }
            Kind::Asymmetric(None) => false,
        }
    }

    /// The signature in a chunk's header or a trailer, if it has the form of one; without the stars that fill up
    /// SigV4A's, whose length varies.
    pub(crate) fn read<'t>(&self, stated: &'t [u8]) -> Option<&'t str> {
        let stated = match self.0 {
            Kind::Symmetric(_) => Some(stated).filter(|text| is_hex(text) && text.len() == 64),
            Kind::Asymmetric(_) => {
                let end = stated.iter().rposition(|byte| *byte != PADDING).map_or(0, |at| at + 1);
                Some(&stated[..end]).filter(|text| is_der_in_hex(text))
            }
        };
        std::str::from_utf8(stated?).ok()
    }

    /// `signature` as it stands in a chunk's header or a trailer.
    pub(crate) fn padded(&self, signature: &str) -> String {
        match self.0 {
            Kind::Symmetric(_) => signature.to_owned(),
            Kind::Asymmetric(_) => format!("{signature:*<MAX_DER_DIGITS$}"),
        }
    }
}

/// What fills up a signature of SigV4A in a chunk, so that all are of one length.
const PADDING: u8 = b'*';
/// The digits of the longest signature of SigV4A: two numbers of 33 bytes and their heads in DER.
const MAX_DER_DIGITS: usize = 144;

fn is_hex(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit)
}

fn is_der_in_hex(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= MAX_DER_DIGITS && text.len().is_multiple_of(2) && is_hex(text)
}

fn authenticate(key: &Hmac<Sha256>, parts: &[&[u8]]) -> Signature {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    Signature::of(&mac.finalize().into_bytes().into())
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Thirty-two bytes in lower-case hexadecimal: a signature or a hash, without an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature([u8; 64]);

impl Signature {
    pub(crate) fn of(bytes: &[u8; 32]) -> Self {
        let mut text = [b'0'; 64];
        // The sizes are fixed, so that encoding cannot fail.
        let _ = hex::encode_to_slice(bytes, &mut text);
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(crate) fn matches(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(presented).into()
    }
}

/// A bounded, thread-safe cache of signing keys: the least recently used of four goes when a set is full.
///
/// An entry is found by access key id, secret and scope (`YYYYMMDD/region/service/aws4_request`), so that a rotated
/// secret never meets a stale key.
pub struct SigningKeyCache {
    sets: Box<[Mutex<Vec<Entry>>]>,
    hasher: RandomState,
}

struct Entry {
    access_key_id: Box<str>,
    secret: Box<str>,
    scope: Box<str>,
    key: SigningKey,
}

impl SigningKeyCache {
    /// Makes a cache for about `capacity` keys (rounded up to a power of two, at least four).
    pub fn new(capacity: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).clamp(1, 1 << 20).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Mutex::new(Vec::new())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The key that a presented signature needs, derived at the first call.
    pub fn key(&self, presented: &Presented<'_>, secret: &str) -> SigningKey {
        let access_key_id = presented.access_key_id();
        let derive = || SigningKey::of(presented, secret);
        match presented.algorithm {
            Algorithm::HmacSha256 => self.recall(access_key_id, secret, presented.scope(), derive),
            // No scope has this form, and the key is good for all of them.
            Algorithm::EcdsaP256Sha256 => self.recall(access_key_id, secret, "", derive),
        }
    }

    fn recall(
        &self,
        access_key_id: &str,
        secret: &str,
        scope: &str,
        derive: impl FnOnce() -> SigningKey,
    ) -> SigningKey {
        let set = &self.sets[self.index(access_key_id, scope)];
        let mut entries = set.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.iter().position(|entry| {
            &*entry.scope == scope
                && &*entry.access_key_id == access_key_id
                && &*entry.secret == secret
        });
        if let Some(at) = found {
            entries[..=at].rotate_right(1);
            return entries[0].key.clone();
        }
        drop(entries);
        let key = derive();
        let entry = Entry {
            access_key_id: access_key_id.into(),
            secret: secret.into(),
            scope: scope.into(),
            key: key.clone(),
        };
        let mut entries = set.lock().unwrap_or_else(PoisonError::into_inner);
        entries.truncate(WAYS - 1);
        entries.insert(0, entry);
        key
    }

    /// How many keys are held.
    pub fn len(&self) -> usize {
        let held = |set: &Mutex<Vec<Entry>>| set.lock().map_or(0, |entries| entries.len());
        self.sets.iter().map(held).sum()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn index(&self, access_key_id: &str, scope: &str) -> usize {
        let hash = self.hasher.hash_one((access_key_id, scope));
        usize::try_from(hash & (self.sets.len() as u64 - 1)).unwrap_or(0)
    }
}

impl Default for SigningKeyCache {
    /// Room for 1,024 keys, about half a megabyte when full.
    fn default() -> Self {
        Self::new(1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signature(key: &SigningKey) -> String {
        key.sign(&[b"text"])
    }

    fn get(cache: &SigningKeyCache, owner: &str, secret: &str, scope: &str) -> SigningKey {
        let parts: Vec<&str> = scope.split('/').collect();
        cache.recall(owner, secret, scope, || {
            SigningKey::derive(secret, parts[0], parts[1], parts[2])
        })
    }

    #[test]
    fn derivation_agrees_with_the_example_of_the_documentation() {
        // "Deriving the signing key" in the IAM user guide: 20120215, us-east-1, iam.
        let day = hmac(b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", b"20120215");
        let key = hmac(&hmac(&hmac(&day, b"us-east-1"), b"iam"), b"aws4_request");
        assert_eq!(
            hex::encode(key),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
        );
        let expected = Signature::of(&hmac(&key, b"text"));
        let derived = SigningKey::derive(SECRET, "20120215", "us-east-1", "iam");
        assert_eq!(signature(&derived), expected.as_str());
    }

    #[test]
    fn the_cache_never_confuses_secrets_scopes_or_owners() {
        let cache = SigningKeyCache::new(64);
        let scope = "20120215/us-east-1/iam/aws4_request";
        let first = signature(&get(&cache, "AKIA1", SECRET, scope));
        assert_eq!(signature(&get(&cache, "AKIA1", SECRET, scope)), first);
        assert_eq!(cache.len(), 1);
        assert_ne!(signature(&get(&cache, "AKIA1", "rotated", scope)), first);
        let other = "20120216/us-east-1/iam/aws4_request";
        assert_ne!(signature(&get(&cache, "AKIA1", SECRET, other)), first);
        assert_eq!(signature(&get(&cache, "AKIA2", SECRET, scope)), first);
        assert_eq!(cache.len(), 4);
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let cache = SigningKeyCache::new(4);
        for n in 0..100 {
            get(&cache, "kept", "s", "20120215/r/s/aws4_request");
            get(&cache, &format!("AKIA{n}"), "s", "20120215/r/s/aws4_request");
            assert!(cache.len() <= 4);
        }
        let set = cache.sets[0].lock().unwrap();
        assert!(set.iter().any(|entry| &*entry.access_key_id == "kept"));
    }

    #[test]
    fn comparing_needs_equal_length_and_content() {
        let one = Signature::of(&[7; 32]);
        assert!(one.matches(one.as_bytes()));
        assert!(!one.matches(&one.as_bytes()[..63]));
        assert!(!one.matches(b""));
        assert!(!one.matches(Signature::of(&[8; 32]).as_bytes()));
    }
}
