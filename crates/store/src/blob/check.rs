//! Looks whether the bytes of all blobs that rows name are there.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::live::LIVE;
use super::reference::SEGMENT;
use super::segment::HEADER_BYTES;
use super::{BlobKey, Blobs};
use crate::{Error, ReadTx};

/// What was found of the blobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobsFound {
    /// How many blobs rows name.
    pub blobs: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// Files that are not there, or too short, with what is missing of them.
    pub missing: Vec<String>,
}

impl Blobs {
    /// Looks for every blob that `tx` names: its file must be there and long enough. The bytes are not read.
    pub fn look_for_all(&self, tx: &ReadTx) -> Result<BlobsFound, Error> {
        let mut found = BlobsFound::default();
        let mut ends: HashMap<String, (u64, u64)> = HashMap::new();
        LIVE.scan(tx, &(), |key: BlobKey, blob| {
            found.blobs += 1;
            found.bytes += blob.len;
            let header = if key.0 == SEGMENT { HEADER_BYTES } else { 0 };
            let end = ends.entry(self.inner.file_name(key)).or_default();
            *end = (end.0.max(key.2 + header + blob.len), end.1 + 1);
            ControlFlow::Continue(())
        })?;
        for (name, (end, blobs)) in ends {
            let len = self.inner.disk.open(&name).and_then(|file| file.len());
            match len {
                Ok(len) if len >= end => {}
                Ok(len) => {
                    found.missing.push(format!("{name} has {len} bytes of {end} ({blobs} blobs)"));
                }
                Err(error) => found.missing.push(format!("{name}: {error} ({blobs} blobs)")),
            }
        }
        found.missing.sort_unstable();
        Ok(found)
    }
}
