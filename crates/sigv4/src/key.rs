//! Signing keys: a secret narrowed by four HMACs to one day, region and service, and a bounded cache of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

const WAYS: usize = 4;

/// A key for one day, region and service, kept as HMAC state so that each signature costs two hash blocks less.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a secret for a `YYYYMMDD` day, a region and a service.
    pub fn derive(secret: &str, day: &str, region: &str, service: &str) -> Self {
        let mut first = Vec::with_capacity(4 + secret.len());
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());
        let day_key = hmac(&first, day.as_bytes());
        let region_key = hmac(&day_key, region.as_bytes());
        let service_key = hmac(&region_key, service.as_bytes());
        Self(keyed(&hmac(&service_key, b"aws4_request")))
    }

    /// Signs the concatenation of `parts`.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Signature {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        Signature::of(&mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
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

    /// Reads sixty-four hexadecimal digits.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text: [u8; 64] = text.try_into().ok()?;
        text.iter().all(u8::is_ascii_hexdigit).then_some(Self(text))
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

    /// The key for a scope, derived at the first call. `scope` is what [`crate::Presented::scope`] returns.
    pub fn get(&self, access_key_id: &str, secret: &str, scope: &str) -> SigningKey {
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
        let key = derive(secret, scope);
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

fn derive(secret: &str, scope: &str) -> SigningKey {
    let mut parts = scope.split('/');
    let mut next = || parts.next().unwrap_or_default();
    SigningKey::derive(secret, next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signature(key: &SigningKey) -> String {
        key.sign(&[b"text"]).as_str().to_owned()
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
        let first = signature(&cache.get("AKIA1", SECRET, scope));
        assert_eq!(signature(&cache.get("AKIA1", SECRET, scope)), first);
        assert_eq!(cache.len(), 1);
        assert_ne!(signature(&cache.get("AKIA1", "rotated", scope)), first);
        let other = "20120216/us-east-1/iam/aws4_request";
        assert_ne!(signature(&cache.get("AKIA1", SECRET, other)), first);
        assert_eq!(signature(&cache.get("AKIA2", SECRET, scope)), first);
        assert_eq!(cache.len(), 4);
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let cache = SigningKeyCache::new(4);
        for n in 0..100 {
            cache.get("kept", "s", "20120215/r/s/aws4_request");
            cache.get(&format!("AKIA{n}"), "s", "20120215/r/s/aws4_request");
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
