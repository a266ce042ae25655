//! What keeps the bytes of blobs that the present rows do not name: snapshots, and whoever reads an older state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::live::{self, GARBAGE, LIVE, LiveBlob};
use super::reference::BlobKey;
use super::{Blobs, Inner};
use crate::engine::View;
use crate::row::Value;
use crate::{Error, ReadTx};

/// Blobs per transaction when those of an older state are freed.
const BATCH: usize = 512;

/// The older states whose blobs stay.
#[derive(Default)]
pub(crate) struct Held {
    views: RwLock<Vec<Arc<dyn View>>>,
    /// A snapshot cannot be read, so that nobody knows what it names.
    all: AtomicBool,
    /// Held by who decides that a blob may go, until it is gone, and by who adds a view of the present.
    pub(super) deciding: Mutex<()>,
}

impl Held {
    pub(crate) fn add(&self, view: Arc<dyn View>) {
        self.views.write().push(view);
    }

    pub(crate) fn remove(&self, view: &Arc<dyn View>) {
        let mut views = self.views.write();
        if let Some(index) = views.iter().position(|held| Arc::ptr_eq(held, view)) {
            views.swap_remove(index);
        }
    }

    /// The older states.
    pub(super) fn views(&self) -> Vec<Arc<dyn View>> {
        self.views.read().clone()
    }

    /// Nothing is removed from now on.
    pub(crate) fn keep_all(&self) {
        self.all.store(true, Ordering::Relaxed);
    }

    pub(super) fn keeps_all(&self) -> bool {
        self.all.load(Ordering::Relaxed)
    }

    /// Whether an older state names the blob.
    pub(super) fn holds(&self, key: BlobKey) -> Result<bool, Error> {
        if self.keeps_all() {
            return Ok(true);
        }
        for view in self.views() {
            if LIVE.contains(&ReadTx::new(view), &key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The extents of a file that older states name, as offset and length, in no order.
    pub(super) fn extents(&self, kind: u8, id: u64) -> Result<Vec<(u64, u64)>, Error> {
        let mut extents = Vec::new();
        for view in self.views() {
            extents.extend(live::extents(&ReadTx::new(view), kind, id)?);
        }
        Ok(extents)
    }
}

/// Counts the blobs among the rows of a state.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if key.starts_with(&LIVE.prefix().to_be_bytes()) {
            self.blobs += 1;
            self.bytes += LiveBlob::decode_slice(value)?.len;
        }
        Ok(())
    }
}

impl Blobs {
    pub(crate) fn held(&self) -> &Held {
        &self.inner.held
    }

    /// How many times the database has been opened.
    pub(crate) fn epoch(&self) -> u32 {
        self.inner.epoch
    }

    /// A view of the present whose blobs stay until it is removed from those that are held.
    pub(crate) fn hold_present(&self) -> Result<Arc<dyn View>, Error> {
        let committer = self.inner.committer()?;
        let _deciding = self.inner.held.deciding.lock();
        let view = committer.published();
        self.inner.held.add(view.clone());
        Ok(view)
    }

    /// Frees the blobs of an older state that neither the present one nor another older one names.
    pub(crate) fn free_unnamed(&self, old: &ReadTx) -> Result<(), Error> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut after = None;
        loop {
            let (rows, more) = LIVE.page(old, &(), after.as_ref(), BATCH)?;
            batch.extend(rows.iter().map(|(key, blob)| (*key, blob.len)));
            after = rows.last().map(|(key, _)| *key);
            self.inner.free_all(&mut batch)?;
            if !more {
                break;
            }
        }
        for ((_, kind, id, offset), len) in GARBAGE.list(old, &())? {
            batch.push(((kind, id, offset), len));
        }
        self.inner.free_all(&mut batch)
    }
}

impl Inner {
    fn free_all(&self, batch: &mut Vec<(BlobKey, u64)>) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let committer = self.committer()?;
        let mut freed = 0;
        committer.write_blocking(|tx| {
            freed = tx.version();
            for (key, len) in batch.iter() {
                if !LIVE.contains(tx, key)? && !self.held.holds(*key)? {
                    GARBAGE.put(tx, &(tx.version(), key.0, key.1, key.2), len)?;
                }
            }
            Ok::<_, Error>(())
        })?;
        batch.clear();
        self.freed(freed);
        Ok(())
    }

    /// Whether a blob that was freed may still be needed: an older state was loaded, or is kept.
    pub(super) fn is_needed(&self, key: BlobKey) -> Result<bool, Error> {
        let now = ReadTx::new(self.committer()?.published());
        Ok(LIVE.contains(&now, &key)? || self.held.holds(key)?)
    }

    /// What `tx`, the present and the older states name of a file, in order.
    pub(super) fn needed_extents(
        &self,
        tx: &ReadTx,
        kind: u8,
        id: u64,
    ) -> Result<Vec<(u64, u64)>, Error> {
        let mut extents = live::extents(tx, kind, id)?;
        let now = ReadTx::new(self.committer()?.published());
        extents.extend(live::extents(&now, kind, id)?);
        extents.extend(self.held.extents(kind, id)?);
        extents.sort_unstable();
        extents.dedup();
        Ok(extents)
    }

    pub(super) fn committer(&self) -> Result<Arc<crate::commit::Committer>, Error> {
        self.sweeper.committer().ok_or(Error::Closed)
    }
}
