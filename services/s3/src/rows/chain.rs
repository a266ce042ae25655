//! Bodies as rows name them: blobs one after the other.

use fogbank_core::seal::STREAM_NONCE_BYTES;
use fogbank_core::store::{self, BlobRef};
use fogbank_core::{Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::opened;

/// What makes the stream of one blob differ from all others that S3's own key seals.
pub(crate) type Nonce = [u8; STREAM_NONCE_BYTES];

/// A body: blobs one after the other, each sealed by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain(Vec<Link>);

/// A blob of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// With what S3's own key sealed the blob; none if another key did, or none at all, as until November 2026.
    pub(crate) nonce: Option<Nonce>,
    pub(crate) blob: BlobRef,
}

impl Chain {
    /// A body of one blob.
    pub(crate) fn of(blob: BlobRef, nonce: Option<Nonce>) -> Chain {
        Chain(vec![Link { nonce, blob }])
    }

    /// The blobs with what sealed them.
    pub(crate) fn links(&self) -> &[Link] {
        &self.0
    }

    /// The blobs alone.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &BlobRef> {
        self.0.iter().map(|link| &link.blob)
    }

    /// Adds the blobs of another body behind its own.
    pub(crate) fn append(&mut self, other: Chain) {
        self.0.extend(other.0);
    }

    /// Keeps the bytes for one more row.
    pub(crate) fn retain(&self, tx: &mut WriteTx<'_>) -> Result<(), store::Error> {
        self.blobs().try_for_each(|blob| tx.retain_blob(blob))
    }

    /// Gives back what a row held.
    pub(crate) fn free(&self, tx: &mut WriteTx<'_>) -> Result<(), store::Error> {
        self.blobs().try_for_each(|blob| {
            opened::forget(tx.cx(), blob);
            tx.free_blob(blob)
        })
    }
}

/// A body as rows had it before S3's own key sealed any.
impl From<Vec<BlobRef>> for Chain {
    fn from(blobs: Vec<BlobRef>) -> Chain {
        Chain(blobs.into_iter().map(|blob| Link { nonce: None, blob }).collect())
    }
}
