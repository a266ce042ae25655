//! Looking for bytes that rotted: every blob that a row names is read from the device and held against its checksum.
//!
//! What is read goes past the system's cache, which would show the bytes as they once were, and would lose what others
//! read often. A damaged blob stays where it is: whoever reads it gets an error, and the log and the report say which.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crc_fast::{CrcAlgorithm, Digest};
use parking_lot::{Condvar, Mutex};

use super::live::{LIVE, LiveBlob};
use super::pages::Pages;
use super::reference::{BlobKey, SEGMENT};
use super::segment::{self, HEADER_BYTES};
use super::{Blobs, Inner};
use crate::tx::Read;
use crate::{Error, ReadTx};

/// Blobs that are looked up together.
const BATCH: usize = 64;
/// Rows that are read between two looks at the time.
const ROWS: u64 = 4096;
/// Damaged blobs that a report lists; the log has all.
const LISTED: usize = 1000;
/// When the first pass in the background begins after the start, and each one after the one before.
const FIRST_AFTER: Duration = Duration::from_secs(600);
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// What a scrub found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Rows read.
    pub rows: u64,
    /// Blobs read.
    pub blobs: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// What is damaged; the first thousand.
    pub damaged: Vec<Damaged>,
    /// How many are damaged.
    pub damaged_count: u64,
}

/// A blob, or the rows, that do not hold what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file's name in the folder `blobs`; `rows` for the rows.
    pub file: String,
    /// Where in the file the blob begins, in bytes.
    pub offset: u64,
    /// The length in bytes.
    pub len: u64,
    /// What is wrong.
    pub why: String,
}

/// The scrubber's memory.
#[derive(Default)]
pub(super) struct Scrubber {
    stop: Arc<Stop>,
    thread: Mutex<Option<JoinHandle<()>>>,
    last: Mutex<Option<Scrubbed>>,
}

#[derive(Default)]
struct Stop {
    stopping: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    /// Waits; false if the store closes.
    fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut stopping = self.stopping.lock();
        while !*stopping && !self.wake.wait_until(&mut stopping, until).timed_out() {}
        !*stopping
    }
}

impl Scrubber {
    pub(super) fn stop(&self) {
        *self.stop.stopping.lock() = true;
        self.stop.wake.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

/// Keeps to a rate.
struct Pace<'s> {
    stop: &'s Stop,
    bytes_per_second: Option<u64>,
    begun: Instant,
    bytes: u64,
}

impl Pace<'_> {
    /// Waits until so many bytes more may have been read.
    fn step(&mut self, bytes: u64) -> Result<(), Error> {
        self.bytes += bytes;
        let ahead = self.bytes_per_second.map_or(Duration::ZERO, |rate| {
            let due = Duration::from_secs_f64(self.bytes as f64 / rate.max(1) as f64);
            due.saturating_sub(self.begun.elapsed())
        });
        if self.stop.sleep(ahead) { Ok(()) } else { Err(Error::Closed) }
    }
}

impl Blobs {
    /// Reads all rows, and all blobs that rows of the present and of snapshots name, at a rate if one is given. Blocks.
    ///
    /// Each damage is told at once and stands in the log and in the report. It is an error only if the scrub could not
    /// go on; a damaged blob is none.
    pub fn scrub(
        &self,
        bytes_per_second: Option<u64>,
        mut found: impl FnMut(&Damaged),
    ) -> Result<Scrubbed, Error> {
        let inner = &self.inner;
        let stop = inner.scrubber.stop.clone();
        let begun = Instant::now();
        let mut pace = Pace { stop: &stop, bytes_per_second, begun, bytes: 0 };
        let mut report = Scrubbed::default();
        let mut tell = |report: &mut Scrubbed, damaged: Damaged| {
            let Damaged { file, offset, len, why } = &damaged;
            tracing::error!(file, offset, len, why, "damaged: restore it from a backup");
            found(&damaged);
            report.damaged_count += 1;
            if report.damaged.len() < LISTED {
                report.damaged.push(damaged);
            }
        };
        inner.scrub_rows(&mut pace, &mut report, &mut tell)?;
        inner.scrub_blobs(&mut pace, &mut report, &mut tell)?;
        *inner.scrubber.last.lock() = Some(report.clone());
        Ok(report)
    }

    /// What the last whole scrub of this process found.
    pub fn scrubbed(&self) -> Option<Scrubbed> {
        self.inner.scrubber.last.lock().clone()
    }

    /// Scrubs in the background for as long as the database is open.
    pub(crate) fn start_scrubbing(&self, bytes_per_second: u64) {
        if bytes_per_second == 0 || !self.inner.threads {
            return;
        }
        let (stop, blobs) = (self.inner.scrubber.stop.clone(), self.inner.this.clone());
        let started = std::thread::Builder::new()
            .name("store-scrub".to_owned())
            .spawn(move || run(&stop, &blobs, bytes_per_second));
        match started {
            Ok(started) => *self.inner.scrubber.thread.lock() = Some(started),
            Err(error) => tracing::warn!(%error, "blobs are not scrubbed"),
        }
    }
}

fn run(stop: &Stop, blobs: &Weak<Inner>, bytes_per_second: u64) {
    let mut pause = FIRST_AFTER;
    while stop.sleep(pause) {
        let Some(inner) = blobs.upgrade() else { return };
        match (Blobs { inner }).scrub(Some(bytes_per_second), |_| {}) {
            Ok(Scrubbed { rows, blobs, bytes, damaged_count, .. }) => {
                tracing::info!(rows, blobs, bytes, damaged = damaged_count, "scrubbed");
            }
            Err(Error::Closed) => return,
            Err(error) => tracing::warn!(%error, "the blobs could not be scrubbed"),
        }
        pause = EVERY;
    }
}

type Tell<'t> = dyn FnMut(&mut Scrubbed, Damaged) + 't;

impl Inner {
    /// Reads every row: the engine checks the blocks that they lie in.
    fn scrub_rows(
        &self,
        pace: &mut Pace<'_>,
        report: &mut Scrubbed,
        tell: &mut Tell<'_>,
    ) -> Result<(), Error> {
        let (mut start, end) = (Vec::new(), [0xFF; 1024]);
        loop {
            let (mut rows, mut bytes, mut last) = (0, 0, None);
            // No view is kept over a pause.
            let view = ReadTx::new(self.committer()?.published());
            let outcome = view.scan(&start, &end, false, &mut |key, value| {
                rows += 1;
                bytes += (key.len() + value.len()) as u64;
                if rows < ROWS {
                    return ControlFlow::Continue(());
                }
                last = Some(key.to_vec());
                ControlFlow::Break(())
            });
            drop(view);
            report.rows += rows;
            if let Err(error) = outcome {
                let why = error.to_string();
                tell(report, Damaged { file: "rows".to_owned(), offset: 0, len: 0, why });
                return Ok(());
            }
            pace.step(bytes)?;
            let Some(mut last) = last else { return Ok(()) };
            last.push(0);
            start = last;
        }
    }

    fn scrub_blobs(
        &self,
        pace: &mut Pace<'_>,
        report: &mut Scrubbed,
        tell: &mut Tell<'_>,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let (batch, more) = self.named_after(after)?;
            for (key, blob) in &batch {
                let outcome = self.check(*key, blob, pace)?;
                report.blobs += 1;
                report.bytes += blob.len;
                if let Err(why) = outcome
                    && self.is_named(*key)?
                {
                    let (file, offset, len) = (self.file_name(*key), key.2, blob.len);
                    tell(report, Damaged { file, offset, len, why });
                }
            }
            match batch.last_key_value() {
                Some((last, _)) if more => after = Some(*last),
                _ => return Ok(()),
            }
        }
    }

    /// The next blobs that the present or an older state names, in the order in which they lie on disk.
    fn named_after(
        &self,
        after: Option<BlobKey>,
    ) -> Result<(BTreeMap<BlobKey, LiveBlob>, bool), Error> {
        let mut named = BTreeMap::new();
        let mut more = false;
        for view in self.held.views().into_iter().chain([self.committer()?.published()]) {
            let (rows, has_more) = LIVE.page(&ReadTx::new(view), &(), after.as_ref(), BATCH)?;
            more |= has_more;
            named.extend(rows);
        }
        // Each state gave its first blobs; only up to the first end of them are they the next of all.
        if named.len() > BATCH {
            more = true;
            named = named.into_iter().take(BATCH).collect();
        }
        Ok((named, more))
    }

    fn is_named(&self, key: BlobKey) -> Result<bool, Error> {
        let now = ReadTx::new(self.committer()?.published());
        Ok(LIVE.contains(&now, &key)? || self.held.holds(key)?)
    }

    /// Reads a blob; the inner error says what is wrong with it.
    fn check(
        &self,
        key: BlobKey,
        blob: &LiveBlob,
        pace: &mut Pace<'_>,
    ) -> Result<Result<(), String>, Error> {
        let (kind, id, base) = key;
        let file = match self.disk.open_uncached(&self.file_name(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err("its file is missing".to_owned()));
            }
            Err(error) => return Ok(Err(format!("its file cannot be opened: {error}"))),
        };
        let header = if kind == SEGMENT { HEADER_BYTES } else { 0 };
        let total = header + blob.len;
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        let mut at = 0;
        while at < total {
            let mut pages = Pages::new(total - at);
            if let Err(error) = file.read_uncached(&mut pages, base + at, total - at) {
                return Ok(Err(format!("it cannot be read: {error}")));
            }
            let mut bytes = pages.after(0);
            let read = bytes.len() as u64;
            if read == 0 {
                return Ok(Err("its file ends early".to_owned()));
            }
            if at == 0 && header > 0 {
                let expected = segment::header(id, base, blob.len, blob.crc);
                let Some(rest) = bytes.strip_prefix(&*expected) else {
                    return Ok(Err("its header is not what was written".to_owned()));
                };
                bytes = rest;
            }
            digest.update(bytes);
            at += read;
            pace.step(read)?;
        }
        let matches = digest.finalize() == blob.crc;
        Ok(if matches { Ok(()) } else { Err("its bytes do not match their checksum".to_owned()) })
    }
}
