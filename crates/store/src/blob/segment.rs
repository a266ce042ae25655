//! Segments: files into which blobs of medium size are packed, so that many of them share one trip to the disk.
//!
//! A blob occupies an extent that starts at a multiple of 4 KiB: a header of 32 bytes, then the bytes. The space of a
//! freed blob is given back by punching a hole; an extent is never used twice.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::disk::{Disk, DiskFile};
use crate::Error;

/// Extents start and end at multiples of this, so that holes free whole blocks.
const ALIGNMENT: u64 = 4096;
/// Bytes in front of a blob in its extent.
pub(super) const HEADER_BYTES: u64 = 32;
const MAGIC: u64 = u64::from_be_bytes(*b"fogblob1");
/// A segment takes no more blobs once it is this long.
const SEGMENT_BYTES: u64 = 256 << 20;

/// How much of a segment is allocated at a time: writes into allocated blocks do not wait for each other.
const ALLOCATED_BYTES: u64 = 16 << 20;

/// An open segment.
pub(super) struct Segment {
    pub(super) id: u64,
    pub(super) file: Arc<dyn DiskFile>,
    syncs: Mutex<Syncs>,
    /// Up to where the file has blocks.
    allocated: Mutex<u64>,
}

/// Those who wait for the segment to be on disk.
#[derive(Default)]
struct Syncs {
    running: bool,
    failed: bool,
    waiting: Vec<oneshot::Sender<Result<(), Error>>>,
}

/// The segment that new blobs go to.
#[derive(Default)]
pub(super) struct Segments {
    current: Mutex<Option<(Arc<Segment>, u64)>>,
}

/// The name of a segment's file.
pub(super) fn name(id: u64) -> String {
    format!("{id:016x}.segment")
}

/// The space that a blob of `len` bytes takes.
pub(super) fn extent_bytes(len: u64) -> u64 {
    (HEADER_BYTES + len).next_multiple_of(ALIGNMENT)
}

/// What stands in front of a blob, so that a stale reference finds out that its bytes are gone.
pub(super) fn header(id: u64, offset: u64, len: u64, crc: u64) -> Bytes {
    let mut header = BytesMut::with_capacity(HEADER_BYTES as usize);
    header.put_u64(MAGIC);
    header.put_u64(len);
    header.put_u64(crc);
    header.put_u64(id ^ offset);
    header.freeze()
}

impl Segments {
    /// Reserves the space for a blob of up to `len` bytes; `next_id` names a new segment if one is needed.
    pub(super) fn reserve(
        &self,
        disk: &dyn Disk,
        len: u64,
        next_id: impl FnOnce() -> Result<u64, Error>,
    ) -> Result<(Arc<Segment>, u64), Error> {
        let mut current = self.current.lock();
        if let Some((segment, next)) = &mut *current
            && *next < SEGMENT_BYTES
            && !segment.syncs.lock().failed
        {
            let offset = *next;
            *next += extent_bytes(len);
            return Ok((segment.clone(), offset));
        }
        let id = next_id()?;
        let name = name(id);
        let file = disk
            .create(&name)
            .and_then(|file| disk.sync_names().map(|()| file))
            .map_err(|error| Error::io(format!("creating the segment {name}"), error))?;
        let segment =
            Arc::new(Segment { id, file, syncs: Mutex::default(), allocated: Mutex::default() });
        *current = Some((segment.clone(), extent_bytes(len)));
        Ok((segment, 0))
    }

    /// Opens a segment to read from it.
    pub(super) fn open(&self, disk: &dyn Disk, id: u64) -> std::io::Result<Arc<dyn DiskFile>> {
        if let Some((segment, _)) = &*self.current.lock()
            && segment.id == id
        {
            return Ok(segment.file.clone());
        }
        disk.open(&name(id))
    }
}

impl Segment {
    /// Has blocks ready up to `end`, and some more.
    pub(super) fn allocate(&self, end: u64) {
        let mut allocated = self.allocated.lock();
        if end > *allocated {
            let start = *allocated;
            *allocated = end.next_multiple_of(ALLOCATED_BYTES);
            // Where it cannot be done the write does it, or says why not.
            let _ = self.file.allocate(start, *allocated - start);
        }
    }

    /// Returns when all that was written before is on disk; those who wait at the same time share one sync, on a thread
    /// of its own where there are `threads`.
    pub(super) async fn sync(self: &Arc<Self>, threads: bool) -> Result<(), Error> {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut syncs = self.syncs.lock();
            syncs.waiting.push(sender);
            !std::mem::replace(&mut syncs.running, true)
        };
        if start {
            let segment = self.clone();
            if threads {
                tokio::task::spawn_blocking(move || segment.run_syncs());
            } else {
                tokio::spawn(async move { segment.run_syncs() });
            }
        }
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    fn run_syncs(&self) {
        loop {
            let waiting = {
                let mut syncs = self.syncs.lock();
                if syncs.waiting.is_empty() {
                    syncs.running = false;
                    return;
                }
                std::mem::take(&mut syncs.waiting)
            };
            let outcome = self
                .file
                .sync()
                .map_err(|error| Error::io(format!("syncing {}", name(self.id)), error));
            if outcome.is_err() {
                // The system may have dropped the pages that it could not write, and a later sync would not tell.
                self.syncs.lock().failed = true;
            }
            for waiter in waiting {
                drop(waiter.send(outcome.clone()));
            }
        }
    }
}
