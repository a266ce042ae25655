//! What a row holds of a blob.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Inner, claims, crc};

/// Names the bytes of a blob in a row; small bodies it holds itself.
///
/// A reference that [`BlobWriter::finish`](super::BlobWriter::finish) has just returned becomes permanent with the first
/// transaction that stores it in a row; if the last copy of it is dropped before that, the bytes are removed. For that
/// reason a new reference can be serialised inside a write transaction only. From then on the bytes stay until
/// [`Blobs::free`](super::Blobs::free).
#[derive(Clone)]
pub struct BlobRef {
    pub(super) place: Place,
    pub(super) fresh: Option<Arc<Fresh>>,
}

/// Where the bytes are. This is the format on disk: variants and fields keep their order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Place {
    Inline(#[serde(with = "body")] Bytes),
    Segment { id: u64, offset: u64, len: u64, crc: u64 },
    File { id: u64, len: u64, crc: u64 },
}

/// Names a blob for good: no other one of its database has this name, ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlobId(BlobKey);

/// How the store's own tables name a blob that is not inline: kind, file, offset.
pub(super) type BlobKey = (u8, u64, u64);

pub(super) const SEGMENT: u8 = 1;
pub(super) const FILE: u8 = 2;

impl Place {
    pub(super) fn len(&self) -> u64 {
        match self {
            Place::Inline(body) => body.len() as u64,
            Place::Segment { len, .. } | Place::File { len, .. } => *len,
        }
    }

    pub(super) fn crc(&self) -> u64 {
        match self {
            Place::Inline(body) => crc(body),
            Place::Segment { crc, .. } | Place::File { crc, .. } => *crc,
        }
    }

    pub(super) fn key(&self) -> Option<BlobKey> {
        match self {
            Place::Inline(_) => None,
            Place::Segment { id, offset, .. } => Some((SEGMENT, *id, *offset)),
            Place::File { id, .. } => Some((FILE, *id, 0)),
        }
    }
}

impl BlobRef {
    /// A blob that is held by the reference itself, for bodies of a few kilobytes at most.
    pub fn inline(body: Bytes) -> BlobRef {
        BlobRef { place: Place::Inline(body), fresh: None }
    }

    /// The length in bytes.
    pub fn len(&self) -> u64 {
        self.place.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if the reference holds them itself.
    pub fn as_inline(&self) -> Option<&Bytes> {
        match &self.place {
            Place::Inline(body) => Some(body),
            _ => None,
        }
    }

    /// What names the blob for good, unless the reference holds the bytes itself. The bytes under a name never change, and
    /// neither a file nor an extent of one is used twice.
    pub fn id(&self) -> Option<BlobId> {
        self.place.key().map(BlobId)
    }

    /// The CRC-64/NVME of the bytes, which is the default checksum of S3 as well.
    pub fn crc64nvme(&self) -> u64 {
        self.place.crc()
    }
}

impl PartialEq for BlobRef {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for BlobRef {}

impl fmt::Debug for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Inline(body) => write!(f, "inline:{}", body.len()),
            Place::Segment { id, offset, len, .. } => {
                write!(f, "segment:{id:016x}+{offset}:{len}")
            }
            Place::File { id, len, .. } => write!(f, "file:{id:016x}:{len}"),
        }
    }
}

impl Serialize for BlobRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(fresh) = &self.fresh
            && !fresh.is_named()
            && !claims::claim(fresh)
        {
            return Err(serde::ser::Error::custom(
                "a new blob can be stored inside a write transaction only",
            ));
        }
        self.place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BlobRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BlobRef { place: Place::deserialize(deserializer)?, fresh: None })
    }
}

/// The bytes of a new blob for as long as no row names them: they go with the last reference.
pub(super) struct Fresh {
    pub(super) place: Place,
    named: AtomicBool,
    blobs: Weak<Inner>,
}

impl Fresh {
    pub(super) fn new(place: Place, blobs: Weak<Inner>) -> Arc<Fresh> {
        Arc::new(Fresh { place, named: AtomicBool::new(false), blobs })
    }

    pub(super) fn is_named(&self) -> bool {
        self.named.load(Ordering::Acquire)
    }

    /// A transaction that names the blob has run; from now on only [`Blobs::free`](super::Blobs::free) removes it.
    pub(super) fn set_named(&self) {
        self.named.store(true, Ordering::Release);
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.is_named()
            && let Some(blobs) = self.blobs.upgrade()
            && let Some(key) = self.place.key()
        {
            blobs.discard(key, self.place.len());
        }
    }
}

/// Bytes as bytes, not as a list of numbers.
mod body {
    use std::fmt;

    use bytes::Bytes;
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(body: &Bytes, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(body)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Bytes, D::Error> {
        struct Body;
        impl<'de> Visitor<'de> for Body {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(bytes.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes.into())
            }
        }
        d.deserialize_byte_buf(Body)
    }
}
