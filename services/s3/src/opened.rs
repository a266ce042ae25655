//! Bodies that are read again and again, in memory as their readers get them: verified, and decrypted where S3 itself
//! encrypts.
//!
//! A body is kept whole from its second reading as a whole on, and serves ranges as well; what lies in its row is not
//! kept, nor is what is too large, nor ever what a key of KMS or of a customer encrypts. Blobs never change and their
//! names are never used twice, and a name is learnt from an object's row alone: so nothing that was replaced or removed
//! can be found here.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_core::bytes::Bytes;
use fogbank_core::store::{BlobId, BlobRef};
use fogbank_core::wire::BodyError;
use fogbank_core::{Body, Cloud};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::ciphers::Reader;
use crate::error::Error;
use crate::store::{Object, Stored};

/// The largest body that is kept.
const MAX_BODY_BYTES: u64 = 4 << 20;
/// A body is kept only if so many of its size would be.
const LEAST_BODIES: u64 = 4;
/// Of how many bodies it is known that they were read once. Those of a long scan forget each other.
const READ_ONCE: usize = 4096;
/// How much of a body is sent at a time, so that a client who reads slowly is seen to read.
const FRAME_BYTES: usize = 256 << 10;

/// The same in every process, so that a simulation repeats itself. No client chooses the names of blobs.
type Hasher = BuildHasherDefault<DefaultHasher>;

/// Bodies that were read more than once, in bounded memory.
pub(crate) struct OpenedBodies {
    bodies: Cache<BlobId, Bytes, Length, Hasher>,
    /// The hashes of names that were read once, each in a place of its own hash.
    read_once: Box<[AtomicU64]>,
    most_bytes: u64,
}

#[derive(Clone)]
struct Length;

impl Weighter<BlobId, Bytes> for Length {
    fn weight(&self, _: &BlobId, body: &Bytes) -> u64 {
        body.len() as u64
    }
}

/// The bodies that this cloud keeps, unless the operator wants none.
pub(crate) fn of(cloud: &Cloud) -> Option<Arc<OpenedBodies>> {
    let bytes = cloud.settings().s3_cache_bytes;
    (bytes > 0).then(|| cloud.state(|| OpenedBodies::new(bytes)))
}

/// The name of the one blob that is the whole body of an object, if such bodies are kept.
pub(crate) fn name(object: &Object, stored: &Stored) -> Option<BlobId> {
    let is_ours = object.encryption().is_none();
    match &stored.blobs[..] {
        [blob] if is_ours && blob.len() == object.listed.size => blob.id(),
        _ => None,
    }
}

/// Gives back the memory of a body whose blob is freed.
pub(crate) fn forget(cloud: &Cloud, blob: &BlobRef) {
    if let Some(id) = blob.id()
        && blob.len() <= MAX_BODY_BYTES
        && let Some(opened) = of(cloud)
    {
        opened.bodies.remove(&id);
    }
}

impl OpenedBodies {
    fn new(bytes: u64) -> OpenedBodies {
        let mut options = OptionsBuilder::new();
        // One shard, since several would each be too small for some bodies.
        options.shards(1).weight_capacity(bytes).estimated_items_capacity(READ_ONCE);
        let options = options.build().expect("both capacities are set");
        OpenedBodies {
            bodies: Cache::with_options(
                options,
                Length,
                Hasher::default(),
                DefaultLifecycle::default(),
            ),
            read_once: (0..READ_ONCE).map(|_| AtomicU64::new(0)).collect(),
            most_bytes: MAX_BODY_BYTES.min(bytes / LEAST_BODIES),
        }
    }

    /// How much is kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bodies.weight()
    }

    /// A range of a body that is kept.
    pub(crate) fn get(&self, id: BlobId, range: &Range<u64>) -> Option<Body> {
        let body = self.bodies.get(&id)?;
        let (start, end) = (range.start.try_into().ok()?, range.end.try_into().ok()?);
        body.get(start..end).is_some().then(|| sent(body.slice(start..end)))
    }

    /// Notes that a body of this length is read as a whole, and says whether it was before and is to be kept from now on.
    pub(crate) fn is_read_again(&self, id: BlobId, len: u64) -> bool {
        if len > self.most_bytes {
            return false;
        }
        // Zero stands for none.
        let hash = Hasher::default().hash_one(id) | 1;
        let place = &self.read_once[hash as usize / 2 % READ_ONCE];
        place.swap(hash, Ordering::Relaxed) == hash
    }

    /// Reads a body to its end, which verifies it, and keeps it.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is damaged.
    pub(crate) async fn keep(&self, id: BlobId, reader: Reader) -> Result<Body, Error> {
        let body = reader.collect().await?;
        // Copied, since what was read may lie in a larger buffer.
        let body = Bytes::copy_from_slice(&body);
        self.bodies.insert(id, body.clone());
        Ok(sent(body))
    }
}

/// A body in memory, frame by frame.
fn sent(body: Bytes) -> Body {
    if body.len() <= FRAME_BYTES {
        return body.into();
    }
    Body::stream(Some(body.len() as u64), Frames(body))
}

struct Frames(Bytes);

impl futures_core::Stream for Frames {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let count = self.0.len().min(FRAME_BYTES);
        let frame = (count > 0).then(|| Ok(self.0.split_to(count)));
        std::task::Poll::Ready(frame)
    }
}
