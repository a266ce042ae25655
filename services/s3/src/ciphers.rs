//! Encryption of bodies: AES-256 in counter mode, so that any range can be read.
//!
//! Each body, and each part of an upload, has a nonce of its own, and so a stream of its own. S3's own key seals what neither
//! a customer brings a key for nor KMS makes one for; the keys of its streams are derived of it and the nonce, and kept
//! nowhere. The store's checksums tell whether the bytes are still those that were written.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::bytes::Bytes;
use fogbank_core::seal::{KEY_BYTES, NONCE_BYTES, Stream, Zeroizing};
use fogbank_core::store::frames::filled;
use fogbank_core::store::{self, BlobReader};
use fogbank_core::{Cloud, Cx, Fault};
use md5::Digest;

use crate::error::Error;
use crate::store::{self as rows, Encryption, Object, Stored};

/// What makes the stream of one body differ from all others under the key of a customer or of KMS.
pub(crate) type Nonce = [u8; NONCE_BYTES];

/// How a stretch of stored bytes is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// Not at all: it was written before S3 had a key of its own.
    Plain,
    /// With the key of a customer or of KMS.
    Keyed(Nonce),
    /// With S3's own key.
    Managed(rows::Nonce),
}

impl Stretch {
    /// The cipher that opens it; none if nothing is to be opened.
    fn cipher(&self, cloud: &Cloud, key: Option<&BodyKey>) -> Option<Cipher> {
        match self {
            Stretch::Plain => None,
            Stretch::Keyed(nonce) => key.map(|key| key.cipher(nonce)),
            Stretch::Managed(nonce) => Some(Cipher::managed(cloud, nonce)),
        }
    }
}

/// A key of a customer, which is never stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CustomerKey {
    key: [u8; 32],
    md5: [u8; 16],
}

impl std::fmt::Debug for CustomerKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CustomerKey")
    }
}

/// The three headers that bring a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Headers<'a> {
    pub(crate) algorithm: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) md5: Option<&'a str>,
}

const PREFIX: &str =
    "Requests specifying Server Side Encryption with Customer provided keys must provide";

impl CustomerKey {
    /// Reads the headers; nothing if there are none.
    pub(crate) fn read(headers: Headers<'_>) -> Result<Option<CustomerKey>, Error> {
        let name = |rest: &str| format!("x-amz-server-side-encryption-customer-{rest}");
        let missing = |rest: &str, what: &str| {
            Error::argument(&name(rest), "null", format!("{PREFIX} {what}"))
        };
        let Headers { algorithm, key, md5 } = headers;
        if algorithm.is_none() && key.is_none() && md5.is_none() {
            return Ok(None);
        }
        match algorithm {
            None => return Err(missing("algorithm", "a valid encryption algorithm.")),
            Some("AES256") => {}
            Some(other) => {
                let message =
                    "The Encryption request you specified is not valid. Supported value: AES256.";
                let error = Error::argument(&name("algorithm"), other, message);
                return Err(error.renamed("InvalidEncryptionAlgorithmError"));
            }
        }
        let key = key.ok_or_else(|| missing("key", "an appropriate secret key."))?;
        let md5 =
            md5.ok_or_else(|| missing("key-MD5", "the client calculated MD5 of the secret key."))?;
        let wrong = || {
            let message = "The secret key was invalid for the specified algorithm.";
            Error::argument(&name("key"), "null", message)
        };
        let bytes = STANDARD.decode(key).map_err(|_| wrong())?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
        let calculated: [u8; 16] = md5::Md5::digest(key).into();
        if STANDARD.encode(calculated) != md5.trim() {
            let message =
                "The calculated MD5 hash of the key did not match the hash that was provided.";
            return Err(Error::argument(&name("key-MD5"), md5, message));
        }
        Ok(Some(CustomerKey { key, md5: calculated }))
    }

    /// How a new body under this key is told apart.
    pub(crate) fn encryption(&self, nonce: Nonce) -> Encryption {
        Encryption::Customer { key_md5: self.md5, nonce }
    }

    /// Whether this is the key of this MD5.
    pub(crate) fn has_md5(&self, md5: &[u8; 16]) -> bool {
        self.md5 == *md5
    }

    /// The key of a body's cipher.
    pub(crate) fn body_key(&self) -> BodyKey {
        BodyKey::new(Zeroizing::new(self.key), None)
    }
}

/// What the body of an object, or of a part, is encrypted with.
#[derive(Clone)]
pub(crate) struct BodyKey(Arc<Layers>);

struct Layers {
    key: Zeroizing<[u8; KEY_BYTES]>,
    /// The key of a second layer, which encrypts what the first one encrypted.
    second: Option<Zeroizing<[u8; KEY_BYTES]>>,
}

impl std::fmt::Debug for BodyKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BodyKey")
    }
}

impl BodyKey {
    /// The key of one layer or two.
    pub(crate) fn new(
        key: Zeroizing<[u8; KEY_BYTES]>,
        second: Option<Zeroizing<[u8; KEY_BYTES]>>,
    ) -> BodyKey {
        BodyKey(Arc::new(Layers { key, second }))
    }

    fn cipher(&self, nonce: &Nonce) -> Cipher {
        let layer = |key: &[u8; KEY_BYTES]| Stream::new(key, nonce);
        Cipher { first: layer(&self.0.key), second: self.0.second.as_deref().map(layer) }
    }
}

/// The stream of one body.
struct Cipher {
    first: Stream,
    second: Option<Stream>,
}

impl Cipher {
    fn managed(cloud: &Cloud, nonce: &rows::Nonce) -> Cipher {
        Cipher { first: cloud.root_key().bodies().stream(nonce), second: None }
    }

    /// Enciphers or deciphers the next bytes in place.
    fn apply(&mut self, bytes: &mut [u8]) {
        self.first.apply(bytes);
        if let Some(second) = &mut self.second {
            second.apply(bytes);
        }
    }

    /// Adds the next bytes to others, enciphered or deciphered.
    fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let from = out.len();
        self.first.append(bytes, out);
        if let Some(second) = &mut self.second {
            second.apply(&mut out[from..]);
        }
    }

    fn seek(&mut self, at: u64) {
        self.first.seek(at);
        if let Some(second) = &mut self.second {
            second.seek(at);
        }
    }
}

/// Holds the key of a request against what an object is encrypted with: both, or neither, and the right one.
pub(crate) fn check(object: &Object, key: Option<&CustomerKey>) -> Result<(), Error> {
    match (object.encryption(), key) {
        (None | Some(Encryption::Kms(_)), None) => Ok(()),
        (Some(Encryption::Customer { key_md5, .. }), Some(key)) if key.has_md5(key_md5) => Ok(()),
        (Some(Encryption::Customer { .. }), Some(_)) => {
            Err(Error::Fault(Fault::access_denied(format!("{PREFIX} the correct secret key."))))
        }
        (Some(Encryption::Customer { .. }), None) => Err(Error::request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
        )),
        (None | Some(Encryption::Kms(_)), Some(_)) => {
            Err(Error::request("The encryption parameters are not applicable to this object."))
        }
    }
}

/// Encrypts one body on its way in.
pub(crate) struct Sealer {
    cipher: Cipher,
    stretch: Stretch,
    /// The key, if it is not S3's own.
    pub(crate) key: Option<BodyKey>,
}

impl Sealer {
    /// A sealer with the key of a customer or of KMS, and a nonce that was never used; without, one with S3's own key.
    pub(crate) fn new(cloud: &Cloud, key: Option<BodyKey>) -> Sealer {
        match key {
            Some(key) => {
                let mut nonce = Nonce::default();
                cloud.ids().fill(&mut nonce);
                Sealer {
                    cipher: key.cipher(&nonce),
                    stretch: Stretch::Keyed(nonce),
                    key: Some(key),
                }
            }
            None => {
                let mut nonce = rows::Nonce::default();
                cloud.ids().fill(&mut nonce);
                let cipher = Cipher::managed(cloud, &nonce);
                Sealer { cipher, stretch: Stretch::Managed(nonce), key: None }
            }
        }
    }

    /// How what it seals is encrypted.
    pub(crate) fn stretch(&self) -> Stretch {
        self.stretch
    }

    /// The next bytes as they are to be stored.
    pub(crate) fn seal(&mut self, bytes: &[u8]) -> Bytes {
        filled(bytes.len(), |sealed| self.cipher.append(bytes, sealed))
    }
}

/// Opens a few bytes, from one of their stretch on, that a row holds and that no key of somebody else's encrypts.
pub(crate) fn open_few(cloud: &Cloud, nonce: &rows::Nonce, bytes: &[u8], from: u64) -> Bytes {
    let mut cipher = Cipher::managed(cloud, nonce);
    if from > 0 {
        cipher.seek(from);
    }
    filled(bytes.len(), |opened| cipher.append(bytes, opened))
}

/// Reads stored bytes as they were before they were encrypted.
pub(crate) struct Reader {
    blobs: BlobReader,
    opener: Option<Opener>,
}

/// Stored bytes that stay where they are until their key is there.
pub(crate) struct Locked {
    cloud: Cloud,
    blobs: BlobReader,
    stretches: VecDeque<(Stretch, u64)>,
    start: u64,
}

impl Locked {
    /// What is stored. It may be removed from then on, and is read none the less.
    pub(crate) fn new(cloud: &Cloud, stored: &Stored) -> Result<Locked, store::Error> {
        let Range { start, end } = stored.range.clone();
        let blobs = cloud.blobs().read_chain(&stored.blobs, start..end)?;
        let stretches = stored.stretches.iter().copied().collect();
        Ok(Locked { cloud: cloud.clone(), blobs, stretches, start })
    }

    /// A reader with the key of what a customer's key or KMS encrypts.
    pub(crate) fn unlock(self, key: Option<&BodyKey>) -> Result<Reader, Error> {
        let Locked { cloud, blobs, stretches, start } = self;
        if key.is_none() && stretches.iter().any(|(of, _)| matches!(of, Stretch::Keyed(_))) {
            return Err(Fault::internal("a body is read without its key").into());
        }
        let is_plain = stretches.iter().all(|(of, _)| *of == Stretch::Plain);
        let opener = (!is_plain).then(|| Opener::new(cloud, key.cloned(), stretches, start));
        Ok(Reader { blobs, opener })
    }
}

/// Decrypts one stretch after the other.
struct Opener {
    cloud: Cloud,
    key: Option<BodyKey>,
    /// The stretches that follow, with their lengths.
    stretches: VecDeque<(Stretch, u64)>,
    /// That of the present stretch, unless it lies as it is.
    cipher: Option<Cipher>,
    /// How much of the present stretch is left.
    left: u64,
}

impl Opener {
    fn new(
        cloud: Cloud,
        key: Option<BodyKey>,
        stretches: VecDeque<(Stretch, u64)>,
        start: u64,
    ) -> Opener {
        let mut opener = Opener { cloud, key, stretches, cipher: None, left: 0 };
        let mut start = start;
        while let Some((_, len)) = opener.stretches.front()
            && start >= *len
        {
            start -= *len;
            opener.stretches.pop_front();
        }
        opener.advance();
        if start > 0 {
            if let Some(cipher) = &mut opener.cipher {
                cipher.seek(start);
            }
            opener.left -= start;
        }
        opener
    }

    fn advance(&mut self) {
        if let Some((stretch, len)) = self.stretches.pop_front() {
            self.cipher = stretch.cipher(&self.cloud, self.key.as_ref());
            self.left = len;
        }
    }

    fn open(&mut self, bytes: Bytes) -> Bytes {
        // In place, unless somebody else has the bytes, too.
        match bytes.try_into_mut() {
            Ok(mut opened) => {
                self.each(opened.len(), |cipher, range| {
                    if let Some(cipher) = cipher {
                        cipher.apply(&mut opened[range]);
                    }
                });
                opened.freeze()
            }
            Err(bytes) => filled(bytes.len(), |opened| {
                self.each(bytes.len(), |cipher, range| match cipher {
                    Some(cipher) => cipher.append(&bytes[range], opened),
                    None => opened.extend_from_slice(&bytes[range]),
                });
            }),
        }
    }

    /// Calls `work` for the next bytes, stretch by stretch.
    fn each(&mut self, len: usize, mut work: impl FnMut(Option<&mut Cipher>, Range<usize>)) {
        let mut from = 0;
        while from < len {
            while self.left == 0 && !self.stretches.is_empty() {
                self.advance();
            }
            let left = usize::try_from(self.left).unwrap_or(usize::MAX);
            let count = (len - from).min(left);
            if count == 0 {
                // Nothing is known of bytes behind the last stretch.
                work(None, from..len);
                return;
            }
            work(self.cipher.as_mut(), from..from + count);
            self.left -= count as u64;
            from += count;
        }
    }
}

impl Reader {
    /// A reader of what is stored and, if it is encrypted, of what this key opens.
    pub(crate) fn new(cx: &Cx, stored: &Stored, key: Option<&BodyKey>) -> Result<Reader, Error> {
        Locked::new(cx, stored)?.unlock(key)
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> u64 {
        self.blobs.len()
    }

    /// The next bytes.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, store::Error>> {
        let frame = self.blobs.next().await?;
        Some(frame.map(|frame| self.open(frame)))
    }

    /// All bytes, which are known to be few.
    pub(crate) async fn collect(self) -> Result<Bytes, store::Error> {
        let Reader { blobs, mut opener } = self;
        let bytes = blobs.collect().await?;
        Ok(match &mut opener {
            Some(opener) => opener.open(bytes),
            None => bytes,
        })
    }

    fn open(&mut self, frame: Bytes) -> Bytes {
        match &mut self.opener {
            Some(opener) => opener.open(frame),
            None => frame,
        }
    }

    /// The next bytes, for a stream.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, store::Error>>> {
        use futures_core::Stream;
        let frame = std::pin::Pin::new(&mut self.blobs).poll_next(context);
        frame.map(|frame| frame.map(|frame| frame.map(|frame| self.open(frame))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_key() -> BodyKey {
        BodyKey::new(Zeroizing::new([7; 32]), Some(Zeroizing::new([8; 32])))
    }

    fn key() -> CustomerKey {
        let key = [7; 32];
        CustomerKey { key, md5: md5::Md5::digest(key).into() }
    }

    #[tokio::test]
    async fn any_range_over_stretches_can_be_opened() {
        let plain: Vec<u8> = (0..1000u32).map(|n| (n % 251) as u8).collect();
        let world = fogbank_testkit::World::new(&[]);
        let cloud = world.cloud();
        let (mut stored, mut stretches) = (Vec::new(), VecDeque::new());
        let keys = [Some(body_key()), None, Some(body_key()), None];
        let parts = [&plain[..100], &plain[100..100], &plain[100..500], &plain[500..737]];
        for (part, key) in parts.into_iter().zip(keys) {
            let mut sealer = Sealer::new(cloud, key);
            let (first, last) = part.split_at(part.len() / 3);
            for frame in [first, last] {
                stored.extend_from_slice(&sealer.seal(frame));
            }
            stretches.push_back((sealer.stretch(), part.len() as u64));
        }
        assert!(stored.iter().zip(&plain).filter(|(a, b)| a == b).count() < 30);
        stored.extend_from_slice(&plain[737..]);
        stretches.push_back((Stretch::Plain, 263));
        for start in [0, 1, 99, 100, 101, 499, 500, 736, 737, 738, 999] {
            for is_shared in [false, true] {
                let (cloud, key) = (cloud.clone(), Some(body_key()));
                let mut opener = Opener::new(cloud, key, stretches.clone(), start as u64);
                let mut opened = Vec::new();
                for frame in stored[start..].chunks(64) {
                    let frame = Bytes::copy_from_slice(frame);
                    let _other = is_shared.then(|| frame.clone());
                    opened.extend_from_slice(&opener.open(frame));
                }
                assert_eq!(opened, plain[start..], "from {start}");
            }
        }
    }

    #[test]
    fn headers_must_bring_the_whole_key() {
        let text = STANDARD.encode([7; 32]);
        let md5 = STANDARD.encode(key().md5);
        let read = |algorithm, key, md5| CustomerKey::read(Headers { algorithm, key, md5 });
        assert_eq!(read(None, None, None).ok(), Some(None));
        assert_eq!(read(Some("AES256"), Some(&text), Some(&md5)).ok(), Some(Some(key())));
        for (algorithm, given, md5) in [
            (None, Some(&*text), Some(&*md5)),
            (Some("AES256"), None, Some(&*md5)),
            (Some("AES256"), Some(&*text), None),
            (Some("AES256"), Some(&*text), Some("AAAAAAAAAAAAAAAAAAAAAA==")),
            (Some("AES256"), Some("AAAA"), Some(&*md5)),
        ] {
            assert!(matches!(read(algorithm, given, md5), Err(Error::InvalidArgument { .. })));
        }
        let other = read(Some("AES128"), Some(&text), Some(&md5)).expect_err("no such algorithm");
        assert!(
            matches!(other, Error::Fault(fault) if fault.name() == "InvalidEncryptionAlgorithmError")
        );
    }
}
