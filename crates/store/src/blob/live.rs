//! The rows about blobs: which exist, and which wait to be removed.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::reference::{BlobKey, Place};
use crate::{Error, Read, Table, WriteTx};

/// The blobs that rows name.
pub(super) static LIVE: Table<BlobKey, LiveBlob> = Table::new("store.blobs", 0x02);

/// The blobs that were freed, by the version of the transaction that did it, with their length. Their bytes are
/// removed some time after.
pub(super) static GARBAGE: Table<GarbageKey, u64> = Table::new("store.garbage", 0x03);

/// Version, kind, file, offset.
pub(super) type GarbageKey = (u64, u8, u64, u64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LiveBlob {
    pub(super) len: u64,
    /// CRC-64/NVME of the bytes.
    pub(super) crc: u64,
    /// How many rows name the blob.
    pub(super) names: u32,
}
crate::row!(LiveBlob, 1);

/// Makes a new blob permanent that so many rows name.
pub(super) fn name(tx: &mut WriteTx, place: &Place, names: u32) -> Result<(), Error> {
    let Some(key) = place.key() else { return Ok(()) };
    LIVE.put(tx, &key, &LiveBlob { len: place.len(), crc: place.crc(), names })
}

/// Counts one more row that names a blob.
pub(super) fn retain(tx: &mut WriteTx, place: &Place) -> Result<(), Error> {
    let Some(key) = place.key() else { return Ok(()) };
    match LIVE.get(tx, &key)? {
        Some(mut blob) => {
            blob.names += 1;
            LIVE.put(tx, &key, &blob)
        }
        None => Err(Error::NoSuchBlob(format!("{:016x}+{}", key.1, key.2))),
    }
}

/// Counts one row less that names a blob, and says whether it was the last. A blob that is not known is freed already.
pub(super) fn free(tx: &mut WriteTx, key: BlobKey) -> Result<bool, Error> {
    match LIVE.get(tx, &key)? {
        Some(blob) if blob.names > 1 => {
            LIVE.put(tx, &key, &LiveBlob { names: blob.names - 1, ..blob })?;
            Ok(false)
        }
        Some(blob) => {
            LIVE.delete(tx, &key)?;
            let version = tx.version();
            GARBAGE.put(tx, &(version, key.0, key.1, key.2), &blob.len)?;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// The extents of a file that rows name, in order, as offset and length.
pub(super) fn extents(tx: &impl Read, kind: u8, id: u64) -> Result<Vec<(u64, u64)>, Error> {
    let mut extents = Vec::new();
    LIVE.scan(tx, &(kind, id), |(_, _, offset), blob| {
        extents.push((offset, blob.len));
        ControlFlow::Continue(())
    })?;
    Ok(extents)
}
