//! Removing the bytes of blobs that no row names.
//!
//! There are three sources. A transaction that frees a blob leaves a row of garbage, and the bytes go after a grace, for
//! those who read the reference just before. A writer or a new reference that is dropped hands its bytes over directly.
//! And what an earlier process wrote but never named is found once, when the database has been opened again.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use super::live::{GARBAGE, GarbageKey};
use super::reference::{BlobKey, FILE, SEGMENT};
use super::{Inner, segment};
use crate::commit::Committer;
use crate::meta::{BLOBS_SWEPT, META};
use crate::{Error, ReadTx};

/// Rows of garbage per transaction.
const BATCH: usize = 512;
/// Blobs freed within this time share one entry of the waiting list.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// When a blob that had readers, or a failed pass, is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What a pass removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs removed.
    pub blobs: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

pub(super) struct Sweeper {
    committer: Weak<Committer>,
    grace: Duration,
    shared: Arc<Shared>,
    /// Held during a pass, so that there is one at a time.
    pass: Mutex<Pass>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is known from one pass to the next.
#[derive(Default)]
struct Pass {
    /// What the earlier process had named, until its orphans are removed. A later view would not do: it does not show
    /// the blobs that were freed since, which may have readers.
    left: Option<ReadTx>,
    /// Garbage up to this version may be removed.
    due: u64,
    /// Garbage up to this version is removed, but for what is deferred.
    done: u64,
    deferred: Vec<(GarbageKey, u64)>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    asked: bool,
    retry_at: Option<Instant>,
    discards: Vec<(BlobKey, u64)>,
    /// When garbage up to which version is due.
    marks: VecDeque<(Instant, u64)>,
}

impl Sweeper {
    pub(super) fn new(
        committer: Weak<Committer>,
        grace: Duration,
        left: Option<ReadTx>,
    ) -> Sweeper {
        Sweeper {
            committer,
            grace,
            shared: Arc::default(),
            pass: Mutex::new(Pass { left, ..Pass::default() }),
            thread: Mutex::default(),
        }
    }

    pub(super) fn committer(&self) -> Option<Arc<Committer>> {
        self.committer.upgrade()
    }

    pub(super) fn stop(&self) {
        self.shared.state.lock().stopping = true;
        self.shared.wake.notify_all();
        // The lock is let go of before the wait: the thread may want it to note more work.
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic of the sweeper has been reported by the thread itself.
            let _ = thread.join();
        }
        // A view keeps the engine open.
        self.pass.lock().left = None;
    }
}

impl Shared {
    /// Waits for work; false at the end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return false;
            }
            let due =
                state.marks.front().map(|mark| mark.0).into_iter().chain(state.retry_at).min();
            if state.asked
                || !state.discards.is_empty()
                || due.is_some_and(|due| due <= Instant::now())
            {
                state.asked = false;
                state.retry_at = None;
                return true;
            }
            match due {
                Some(due) => drop(self.wake.wait_until(&mut state, due.into_std())),
                None => self.wake.wait(&mut state),
            }
        }
    }

    fn run(&self, blobs: &Weak<Inner>) {
        while self.wait() {
            let Some(blobs) = blobs.upgrade() else { return };
            if let Err(error) = blobs.sweep() {
                tracing::warn!(%error, "freed blobs could not be removed; trying again");
                self.state.lock().retry_at = Some(Instant::now() + RETRY);
            }
        }
    }
}

impl Inner {
    /// Removes the bytes of a blob that was never named.
    pub(super) fn discard(&self, key: BlobKey, len: u64) {
        self.sweeper.shared.state.lock().discards.push((key, len));
        self.start_sweeper();
    }

    /// Notes that a transaction that freed blobs is durable.
    pub(super) fn freed(&self, version: u64) {
        let mut state = self.sweeper.shared.state.lock();
        let due = Instant::now() + self.sweeper.grace;
        match state.marks.back_mut() {
            Some(mark) if due.saturating_duration_since(mark.0) < MARK_EVERY => mark.1 = version,
            _ => state.marks.push_back((due, version)),
        }
        drop(state);
        self.start_sweeper();
    }

    pub(super) fn wake_sweeper(&self) {
        self.sweeper.shared.state.lock().asked = true;
        self.start_sweeper();
    }

    fn start_sweeper(&self) {
        if !self.threads {
            return;
        }
        let mut thread = self.sweeper.thread.lock();
        if thread.is_none() && !self.sweeper.shared.state.lock().stopping {
            let (shared, blobs) = (self.sweeper.shared.clone(), self.this.clone());
            let started = std::thread::Builder::new()
                .name("store-sweep".to_owned())
                .spawn(move || shared.run(&blobs));
            match started {
                Ok(started) => *thread = Some(started),
                Err(error) => tracing::warn!(%error, "the sweeper of blobs could not be started"),
            }
        }
        drop(thread);
        self.sweeper.shared.wake.notify_all();
    }

    /// One pass.
    pub(super) fn sweep(&self) -> Result<Swept, Error> {
        let committer = self.committer()?;
        let mut pass = self.sweeper.pass.lock();
        let mut swept = Swept::default();
        pass.due = pass.due.max(self.opened_version);
        let discards = {
            let mut state = self.sweeper.shared.state.lock();
            let now = Instant::now();
            while let Some(mark) = state.marks.front().filter(|mark| mark.0 <= now) {
                pass.due = pass.due.max(mark.1);
                state.marks.pop_front();
            }
            std::mem::take(&mut state.discards)
        };
        for (key, len) in discards {
            if let Err(error) = self.remove(key, len, &mut swept) {
                tracing::warn!(%error, "an abandoned blob stays until the next start");
            }
        }
        if let Some(left) = &pass.left {
            self.sweep_orphans(&committer, left, &mut swept)?;
            pass.left = None;
        }
        self.sweep_garbage(&committer, &mut pass, &mut swept)?;
        if !pass.deferred.is_empty() {
            self.sweeper.shared.state.lock().retry_at = Some(Instant::now() + RETRY);
        }
        Ok(swept)
    }

    /// Removes the garbage that is due, except what has readers.
    fn sweep_garbage(
        &self,
        committer: &Committer,
        pass: &mut Pass,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        let mut batch = std::mem::take(&mut pass.deferred);
        loop {
            let mut removed = Vec::new();
            for (key, len) in batch.drain(..) {
                let blob = (key.1, key.2, key.3);
                if self.pins.is_pinned(blob) {
                    pass.deferred.push((key, len));
                    continue;
                }
                match self.remove_unless_needed(blob, len, swept) {
                    Ok(()) => removed.push((key, len)),
                    Err(error) => {
                        tracing::warn!(%error, "a freed blob could not be removed yet");
                        pass.deferred.push((key, len));
                    }
                }
            }
            if !removed.is_empty() {
                // A name that comes back after a power cut must still have its row.
                match self.disk.sync_names() {
                    Ok(()) => committer.write_blocking(|tx| {
                        removed.iter().try_for_each(|(key, _)| GARBAGE.delete(tx, key))
                    })?,
                    Err(error) => {
                        tracing::warn!(%error, "the names of removed blobs are not synced yet");
                        pass.deferred.append(&mut removed);
                    }
                }
            }
            if pass.done >= pass.due {
                return Ok(());
            }
            // Starting after what is done steps over the tombstones of all that was removed before.
            let tx = ReadTx::new(committer.published());
            let range = GARBAGE.range(&()).after(&(pass.done, u8::MAX, u64::MAX, u64::MAX));
            let mut last = None;
            range.visit(&tx, |key, len| {
                if key.0 > pass.due || (batch.len() >= BATCH && last != Some(key.0)) {
                    return ControlFlow::Break(());
                }
                last = Some(key.0);
                batch.push((key, len));
                ControlFlow::Continue(())
            })?;
            pass.done = last.unwrap_or(pass.due);
        }
    }

    /// Removes what an earlier process wrote and no row names. What it named and freed has its row of garbage.
    fn sweep_orphans(
        &self,
        committer: &Committer,
        tx: &ReadTx,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        let done = META.get(tx, BLOBS_SWEPT)?.unwrap_or_default();
        let before = u64::from(self.epoch);
        if done + 1 >= before || self.held.keeps_all() {
            return Ok(());
        }
        let names = self.disk.list().map_err(|error| Error::io("listing the blobs", error))?;
        for name in names {
            match parse(&name) {
                Some((kind, id)) if (done + 1..before).contains(&(id >> 32)) => {
                    let _deciding = self.held.deciding.lock();
                    let live = self.needed_extents(tx, kind, id)?;
                    if live.is_empty() {
                        self.remove_file(&name)?;
                        swept.blobs += 1;
                    } else if kind == SEGMENT {
                        self.punch_gaps(id, &live)?;
                    }
                }
                _ => {}
            }
        }
        // A name that comes back after a power cut would never be looked at again.
        self.disk.sync_names().map_err(|error| Error::io("syncing the names of blobs", error))?;
        committer.write_blocking(|tx| META.put(tx, BLOBS_SWEPT, &(before - 1)))
    }

    /// Gives back the space between the blobs of a segment that are named.
    fn punch_gaps(&self, id: u64, live: &[(u64, u64)]) -> Result<(), Error> {
        let name = segment::name(id);
        let failed = |error| Error::io(format!("cleaning {name}"), error);
        let file = self.disk.open(&name).map_err(failed)?;
        let mut free = 0;
        let end = file.len().map_err(failed)?;
        for (start, len) in live.iter().copied().chain([(end, 0)]) {
            if start > free {
                tolerate_no_holes(file.punch(free, start - free)).map_err(failed)?;
            }
            free = start + segment::extent_bytes(len);
        }
        Ok(())
    }

    fn remove_unless_needed(&self, key: BlobKey, len: u64, swept: &mut Swept) -> Result<(), Error> {
        let _deciding = self.held.deciding.lock();
        if self.is_needed(key)? { Ok(()) } else { self.remove(key, len, swept) }
    }

    fn remove(&self, key: BlobKey, len: u64, swept: &mut Swept) -> Result<(), Error> {
        let (kind, id, offset) = key;
        let name = self.file_name(key);
        if kind == FILE {
            self.remove_file(&name)?;
        } else {
            let hole = match self.segments.open(&*self.disk, id) {
                Ok(file) => tolerate_no_holes(file.punch(offset, segment::extent_bytes(len))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            hole.map_err(|error| Error::io(format!("freeing space in {name}"), error))?;
            self.remove_if_empty(id)?;
        }
        swept.blobs += 1;
        swept.bytes += len;
        Ok(())
    }

    /// Removes a segment of an earlier process once no row names a blob in it. One of this process may have blobs that
    /// are about to be named; the next process removes it.
    fn remove_if_empty(&self, id: u64) -> Result<(), Error> {
        if id >> 32 >= u64::from(self.epoch) {
            return Ok(());
        }
        let Some(committer) = self.sweeper.committer() else { return Ok(()) };
        let tx = ReadTx::new(committer.published());
        if self.needed_extents(&tx, SEGMENT, id)?.is_empty() {
            self.remove_file(&segment::name(id))?;
        }
        Ok(())
    }

    fn remove_file(&self, name: &str) -> Result<(), Error> {
        match self.disk.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("removing {name}"), error))
            }
            _ => Ok(()),
        }
    }
}

/// Where holes are not supported, the space comes back with the whole segment.
fn tolerate_no_holes(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        other => other,
    }
}

fn parse(name: &str) -> Option<(u8, u64)> {
    let (id, extension) = name.split_once('.')?;
    let kind = match extension {
        "segment" => SEGMENT,
        "blob" => FILE,
        _ => return None,
    };
    Some((kind, u64::from_str_radix(id, 16).ok()?))
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.scrubber.stop();
        self.sweeper.stop();
    }
}
