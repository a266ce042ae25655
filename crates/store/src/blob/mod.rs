//! Blobs: bodies that stream to disk beside the rows that name them.
//!
//! Up to 16 KiB a body lies in the row itself. Up to 4 MiB it is packed into a segment, where blobs written at the same
//! time share one sync. A larger one, or one of unknown size, is a file of its own. In every case the bytes are on disk
//! before a transaction can name them.

pub(crate) mod claims;
pub(crate) mod disk;
#[cfg(test)]
mod formats;
mod held;
mod live;
mod paged;
pub(crate) mod pages;
mod portable;
mod reader;
mod reference;
mod scrub;
mod segment;
mod sweep;
#[cfg(test)]
mod tests;
mod writer;

use std::ops::{Bound, Range, RangeBounds};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::commit::Committer;
use crate::{Error, ReadTx, Write, WriteTx};
use disk::Disk;
pub(crate) use held::{Held, Tally};
pub(crate) use portable::{BlobHeader, Export, Import};
pub use reader::BlobReader;
use reader::Pins;
use reference::BlobKey;
pub use reference::{BlobId, BlobRef};
use scrub::Scrubber;
pub use scrub::{Damaged, Scrubbed};
use segment::Segments;
use sweep::Sweeper;
pub use sweep::Swept;
pub use writer::BlobWriter;

/// Writes and syncs of blobs that run at the same time.
const MAX_BLOCKING: usize = 16;

/// Which bodies go where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The largest body in a row.
    pub(crate) inline_bytes: u64,
    /// The largest body in a segment; zero where there are none.
    pub(crate) segment_bytes: u64,
}

impl Limits {
    pub(crate) const ON_DISK: Limits = Limits { inline_bytes: 16 << 10, segment_bytes: 4 << 20 };
    /// A file in memory is as good as an extent, and its memory can be given back.
    pub(crate) const IN_MEMORY: Limits = Limits { inline_bytes: 16 << 10, segment_bytes: 0 };
}

/// The blobs of a database; clones are handles of the same.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

/// What is known of the database when it has been opened.
pub(crate) struct Opened {
    /// How many times it has been.
    pub(crate) epoch: u32,
    /// The last version of the process before.
    pub(crate) version: u64,
    /// What that process left: the blobs that it had named. Nothing if there was none.
    pub(crate) left: Option<ReadTx>,
}

struct Inner {
    this: Weak<Inner>,
    disk: Arc<dyn Disk>,
    limits: Limits,
    /// Counts the openings of the database. It is the upper half of every id, so that what an earlier process left
    /// behind can be told from what this one writes.
    epoch: u32,
    /// Garbage up to this version is from an earlier process, of which no reader is left.
    opened_version: u64,
    next: AtomicU32,
    segments: Segments,
    pins: Pins,
    held: Held,
    sweeper: Sweeper,
    scrubber: Scrubber,
    /// Whether there are threads for what blocks and for the sweeper; a simulation has one thread in all.
    threads: bool,
    blocking: Arc<Semaphore>,
}

impl Blobs {
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        limits: Limits,
        opened: Opened,
        grace: Duration,
        committer: Weak<Committer>,
        threads: bool,
    ) -> Blobs {
        let inner = Arc::new_cyclic(|this| Inner {
            this: this.clone(),
            disk,
            limits,
            epoch: opened.epoch,
            opened_version: opened.version,
            next: AtomicU32::new(0),
            segments: Segments::default(),
            pins: Pins::default(),
            held: Held::default(),
            sweeper: Sweeper::new(committer, grace, opened.left),
            scrubber: Scrubber::default(),
            threads,
            blocking: Arc::new(Semaphore::new(MAX_BLOCKING)),
        });
        Blobs { inner }
    }

    /// Starts a new blob. `size_hint` is its length, or an upper bound of it, where one is known: it decides where the
    /// bytes go, and more of them are refused.
    pub fn writer(&self, size_hint: Option<u64>) -> BlobWriter {
        BlobWriter::new(self.clone(), size_hint)
    }

    /// Whether work may be given to threads; a simulation has one in all.
    pub fn has_threads(&self) -> bool {
        self.inner.threads
    }

    /// Writes a whole blob.
    pub async fn put(&self, bytes: Bytes) -> Result<BlobRef, Error> {
        let mut writer = self.writer(Some(bytes.len() as u64));
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Opens a range of a blob to read it: `..` for all, `4..10` or `4..=9` for a part.
    ///
    /// The bytes stay readable for as long as the reader lives, even if the blob is freed meanwhile.
    pub fn read(&self, blob: &BlobRef, range: impl RangeBounds<u64>) -> Result<BlobReader, Error> {
        self.read_chain(std::slice::from_ref(blob), range)
    }

    /// Opens a range of several blobs, read one after the other as if they were one.
    pub fn read_chain(
        &self,
        blobs: &[BlobRef],
        range: impl RangeBounds<u64>,
    ) -> Result<BlobReader, Error> {
        let len = blobs.iter().map(BlobRef::len).sum();
        BlobReader::open(self, blobs, resolve(range, len)?)
    }

    /// Reads a whole blob into memory.
    pub async fn get(&self, blob: &BlobRef) -> Result<Bytes, Error> {
        self.read(blob, ..)?.collect().await
    }

    /// Says, in the transaction that removes the row of a blob, that its bytes may go. If several rows name it, they go
    /// with the last.
    pub fn free(&self, tx: &mut WriteTx, blob: &BlobRef) -> Result<(), Error> {
        if let Some(fresh) = &blob.fresh {
            claims::forget(fresh);
        }
        if let Some(key) = blob.place.key()
            && live::free(tx, key)?
        {
            let (blobs, version) = (Arc::downgrade(&self.inner), tx.version());
            tx.on_commit(Box::new(move || {
                if let Some(blobs) = blobs.upgrade() {
                    blobs.freed(version);
                }
            }));
        }
        Ok(())
    }

    /// Says, in the transaction that copies a reference into a second row, that one row more names the blob.
    pub fn retain(&self, tx: &mut WriteTx, blob: &BlobRef) -> Result<(), Error> {
        match &blob.fresh {
            Some(fresh) if !fresh.is_named() => {
                if !claims::claim(fresh) {
                    return Err(Error::NoSuchBlob(format!("{blob} outside a transaction")));
                }
                claims::count_again(fresh);
                Ok(())
            }
            _ => live::retain(tx, &blob.place),
        }
    }

    /// Removes what is due now: freed bytes past their grace, what abandoned writers left, and what an earlier process
    /// wrote but never named. Runs by itself in the background; a test may call it. Blocks.
    pub fn sweep(&self) -> Result<Swept, Error> {
        self.inner.sweep()
    }

    /// Starts to look for what an earlier process left behind, without waiting for it.
    pub(crate) fn sweep_soon(&self) {
        self.inner.wake_sweeper();
    }

    /// Stops the background work and waits for its end.
    pub(crate) fn stop(&self) {
        self.inner.scrubber.stop();
        self.inner.sweeper.stop();
    }

    /// Runs work on a thread that may block, once fewer than [`MAX_BLOCKING`] do.
    async fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        // The semaphore is never closed; without a permit the work would only be less bounded.
        let permit = self.inner.blocking.clone().acquire_owned().await.ok();
        if !self.inner.threads {
            let done = work();
            return tokio::spawn(async move { done });
        }
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
    }
}

impl Inner {
    /// An id that no blob or segment had or will have.
    fn next_id(&self) -> Result<u64, Error> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        if next == u32::MAX {
            return Err(Error::Engine("the ids of blobs are used up; restart".into()));
        }
        Ok(u64::from(self.epoch) << 32 | u64::from(next))
    }

    fn file_name(&self, key: BlobKey) -> String {
        match key.0 {
            reference::SEGMENT => segment::name(key.1),
            _ => writer::name(key.1),
        }
    }
}

/// The CRC-64/NVME of `bytes`.
pub(crate) fn crc(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

fn resolve(range: impl RangeBounds<u64>, len: u64) -> Result<Range<u64>, Error> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => len,
    };
    if start <= end && end <= len {
        Ok(start..end)
    } else {
        Err(Error::OutOfRange { start, end, len })
    }
}
