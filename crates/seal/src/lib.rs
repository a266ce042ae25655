//! Sealing of values: AES-256-GCM under a key that somebody else keeps; and of streams, in counter mode ([`Stream`]).
//!
//! A sealed value is one byte of version, twelve of nonce, the ciphertext and sixteen of tag. The additional data ties it to
//! its place, so that a value that was moved elsewhere does not open. Nonces come from the caller, who has the
//! source of chance; a key may seal 2^32 values with random ones.

mod stream;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
pub use stream::{STREAM_NONCE_BYTES, Stream, StreamKey};
pub use zeroize::Zeroizing;

/// What a sealed value of the present form begins with.
const VERSION: u8 = 1;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
/// How much longer a sealed value is than what it holds.
pub const OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;

/// A sealed value was not sealed by this key for this place, or somebody changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSealed;

impl std::fmt::Display for NotSealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the value was sealed by another key or for another place, or it was changed")
    }
}

impl std::error::Error for NotSealed {}

/// A key that seals and opens.
pub struct Key(LessSafeKey);

/// A key of its own for the use that `purpose` names, made of another by HKDF with SHA-256.
pub fn derive(key: &[u8; KEY_BYTES], purpose: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    let made = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(key);
    let filled = made
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut *derived));
    match filled {
        Ok(()) => derived,
        Err(_) => unreachable!("as many bytes as the hash has"),
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Key {
        match UnboundKey::new(&AES_256_GCM, bytes) {
            Ok(key) => Key(LessSafeKey::new(key)),
            Err(_) => unreachable!("the length is right"),
        }
    }

    /// Seals a value for the place that `aad` names.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self.encrypt(nonce, aad, &mut sealed[1 + NONCE_BYTES..]);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`Key::seal`] made for the same place.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotSealed> {
        let (&version, rest) = sealed.split_first().ok_or(NotSealed)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(NotSealed)?;
        if version != VERSION {
            return Err(NotSealed);
        }
        self.decrypt(*nonce, aad, body)
    }

    /// Encrypts in place and returns the tag.
    pub fn encrypt(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        bytes: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), bytes) {
            Ok(tag) => tag.as_ref().try_into().expect("a tag has 16 bytes"),
            Err(_) => unreachable!("no value has 64 GiB"),
        }
    }

    /// Decrypts a ciphertext that its tag follows.
    pub fn decrypt(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotSealed> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(aad), &mut bytes);
        let length = plain.map_err(|_| NotSealed)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    #[test]
    fn is_aes_256_gcm() {
        // NIST, "The Galois/Counter Mode of Operation", test case 16.
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let key = Key::new(key.as_slice().try_into().expect("a key"));
        let plaintext = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449\
             a6b525b16aedf5aa0de657ba637b39",
        );
        let aad = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let nonce = bytes("cafebabefacedbaddecaf888").try_into().expect("a nonce");
        let sealed = key.seal(nonce, &aad, &plaintext);
        let expected = bytes(
            "01cafebabefacedbaddecaf888522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        );
        assert_eq!(sealed, expected);
        assert_eq!(**key.open(&aad, &sealed).expect("it opens"), plaintext);
    }

    #[test]
    fn derives_as_rfc_5869_does() {
        // No vector has a key of 32 bytes: the expected value is HMAC(HMAC(0, key), purpose | 1), made apart from this code.
        let key = [7; 32];
        let expected = bytes("f94ab4db8571d9a32d856f2f0e966847845e093e92e726f047fa6eebb7c86b2f");
        assert_eq!(derive(&key, b"s3")[..], expected);
        assert_ne!(derive(&key, b"s4")[..], expected);
    }

    #[test]
    fn refuses_what_was_changed_or_moved() {
        let key = Key::new(&[7; 32]);
        let sealed = key.seal([1; 12], b"here", b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(b"here", &changed).is_err(), "byte {at}");
            assert!(key.open(b"here", &sealed[..at]).is_err(), "{at} bytes");
        }
        assert!(key.open(b"there", &sealed).is_err());
        assert!(Key::new(&[8; 32]).open(b"here", &sealed).is_err());
        assert_eq!(**key.open(b"here", &sealed).expect("it opens"), *b"secret");
    }
}
