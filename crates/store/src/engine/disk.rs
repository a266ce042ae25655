//! The engine on disk: fjall, a log-structured merge tree, used without its transactions.
//!
//! One keyspace holds all rows. Only the committer writes, one batch at a time, and a view is taken after the batch is in
//! the journal as far as the durability demands: that is why a view shows nothing that a crash could take back.

use std::error::Error as _;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use super::gaps::{self, Gaps};
use super::often::Often;
use super::{Engine, Fill, Survives, View, journal};
use crate::Error;
use crate::layout::{self, Directory};
use crate::tx::{Overlay, Visit};

/// The name of the keyspace that holds all rows.
const ROWS: &str = "rows";
/// The engine's own limit of a memtable, which ours comes before. It is stored with a new keyspace.
const ENGINE_MEMTABLE_BYTES: u64 = 256 << 20;
/// What the engine counts for a row in memory beside its key and value.
const ROW_OVERHEAD_BYTES: u64 = 80;
/// Size of the journals at which memory is written out early, which bounds the time of a restart.
const MAX_JOURNAL_BYTES: u64 = 256 << 20;
/// One thread writes memory out and merges files. With more of them one spins for as long as another merges.
const WORKERS: usize = 1;
/// Memtables that wait to be written out, and files that wait to be merged, from which on writers slow down. The engine
/// itself stops them for a tenth of a second at 4 and 30.
const MANY_MEMTABLES: usize = 2;
const MANY_FILES: usize = 16;

/// A disk with less space than this is full to an engine that writes files of many megabytes.
const FULL_BYTES: u64 = 32 << 20;

/// The open database. The order of the fields is the order in which they are let go of.
pub(crate) struct DiskEngine {
    rows: Keyspace,
    database: Database,
    cache_bytes: u64,
    memtable_bytes: u64,
    /// What has been written since the memtable was new.
    written: AtomicU64,
    often: Arc<Often>,
    gaps: Arc<Gaps>,
    folder: Arc<Folder>,
    directory: Arc<Directory>,
}

struct DiskView {
    snapshot: Snapshot,
    rows: Keyspace,
    often: Arc<Often>,
    gaps: Arc<Gaps>,
    generation: u64,
    /// Its files stay for as long as the view may read from them.
    _folder: Arc<Folder>,
}

/// Where an engine's files are. They go with it once other rows have taken their place.
struct Folder {
    path: PathBuf,
    is_retired: AtomicBool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_retired.load(Ordering::Acquire)
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "replaced rows stay until the next start");
        }
    }
}

impl DiskEngine {
    pub(crate) fn open(
        directory: Directory,
        cache_bytes: u64,
        memtable_bytes: u64,
        survives: Survives,
    ) -> Result<DiskEngine, Error> {
        let path = directory.rows(|path| {
            let (rows, database) = open(path, cache_bytes)?;
            drop(rows);
            drop(database);
            Ok(())
        })?;
        journal::cut_torn_end(&path, survives)?;
        DiskEngine::start(Arc::new(directory), path, cache_bytes, memtable_bytes)
    }

    fn start(
        directory: Arc<Directory>,
        path: PathBuf,
        cache_bytes: u64,
        memtable_bytes: u64,
    ) -> Result<DiskEngine, Error> {
        let (rows, database) = open(&path, cache_bytes)?;
        let folder = Arc::new(Folder { path, is_retired: AtomicBool::new(false) });
        Ok(DiskEngine {
            rows,
            database,
            cache_bytes,
            memtable_bytes,
            written: AtomicU64::new(0),
            often: Arc::default(),
            gaps: Arc::default(),
            folder,
            directory,
        })
    }

    fn ingest(&self, fill: &mut Fill<'_>) -> Result<(), Error> {
        let mut ingestion = self.rows.start_ingestion().map_err(convert)?;
        fill(&mut |key, value| ingestion.write(key, value).map_err(convert))?;
        ingestion.finish().map_err(convert)
    }

    /// Begins a new memtable when the present one is full. The engine would leave this to the thread that merges files,
    /// and the memtable would grow for as long as that is busy.
    fn rotate_if_full(&self, batch: &Overlay) -> Result<(), Error> {
        let added = batch.bytes() as u64 + batch.len() as u64 * ROW_OVERHEAD_BYTES;
        if self.written.fetch_add(added, Ordering::Relaxed) + added < self.memtable_bytes {
            return Ok(());
        }
        self.written.store(0, Ordering::Relaxed);
        self.rows.rotate_memtable().map(|_| ()).map_err(convert)
    }
}

impl DiskEngine {
    /// The engine's own threads tell nobody why they stopped. Where the disk is full, that is why.
    fn explain(&self, error: Error) -> Error {
        let path = self.directory.path();
        match (&error, crate::free_bytes(path)) {
            (Error::Engine(_), Ok(free)) if free < FULL_BYTES => {
                let full = io::Error::from(io::ErrorKind::StorageFull);
                Error::io(format!("writing to {}", path.display()), full)
            }
            _ => error,
        }
    }
}

fn open(path: &Path, cache_bytes: u64) -> Result<(Keyspace, Database), Error> {
    let database = Database::builder(path)
        .cache_size(cache_bytes)
        .worker_threads(WORKERS)
        .max_journaling_size(MAX_JOURNAL_BYTES)
        // Every batch says itself how far it must get.
        .manual_journal_persist(true)
        .open()
        .map_err(|error| damaged(path, error))?;
    let options = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(ENGINE_MEMTABLE_BYTES)
            // Where files are large, the parts of their indexes and filters that are in use are cached like rows are: whole,
            // one of a file of 64 MiB would take a megabyte.
            .index_block_partitioning_policy(PartitioningPolicy::new([false, true]))
            .filter_block_partitioning_policy(PartitioningPolicy::new([false, true]))
            .index_block_pinning_policy(PinningPolicy::new([true, false]))
            .manual_journal_persist(true)
    };
    let rows = database.keyspace(ROWS, options).map_err(|error| damaged(path, error))?;
    Ok((rows, database))
}

impl Engine for DiskEngine {
    fn view(&self) -> Result<Arc<dyn View>, Error> {
        Ok(Arc::new(DiskView {
            snapshot: self.database.snapshot(),
            rows: self.rows.clone(),
            often: self.often.clone(),
            gaps: self.gaps.clone(),
            generation: self.often.generation(),
            _folder: self.folder.clone(),
        }))
    }

    fn commit(&self, batch: &Overlay, survives: Survives) -> Result<(), Error> {
        let persist = match survives {
            Survives::Crash => PersistMode::Buffer,
            Survives::PowerCut => PersistMode::SyncData,
        };
        let mut writes = fjall::OwnedWriteBatch::with_capacity(self.database.clone(), batch.len())
            .durability(Some(persist));
        for (key, value) in batch.iter() {
            match value {
                Some(value) => writes.insert(&self.rows, key.clone(), value.clone()),
                None => writes.remove(&self.rows, key.clone()),
            }
        }
        writes.commit().map_err(|error| self.explain(convert(error)))?;
        self.often.forget(batch);
        self.gaps.turn(batch, self.often.generation());
        self.rotate_if_full(batch).map_err(|error| self.explain(error))
    }

    fn flush(&self) -> Result<(), Error> {
        self.database.persist(PersistMode::SyncAll).map_err(|error| self.explain(convert(error)))
    }

    fn note_failure(&self, what: &str) {
        layout::note_failure(self.directory.path(), what);
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        self.database.disk_space().map_err(convert)
    }

    fn rebuild(&self, fill: &mut Fill<'_>) -> Result<Arc<dyn Engine>, Error> {
        let path = self.directory.new_rows()?;
        let directory = self.directory.clone();
        let engine = DiskEngine::start(directory, path, self.cache_bytes, self.memtable_bytes)?;
        // Until it takes over, nobody needs the files of an engine that was let go of.
        engine.retire();
        engine.ingest(fill)?;
        engine.flush()?;
        Ok(Arc::new(engine))
    }

    fn take_over(&self) -> Result<(), Error> {
        self.directory.set_current(&self.folder.path)?;
        self.folder.is_retired.store(false, Ordering::Release);
        Ok(())
    }

    fn retire(&self) {
        self.folder.is_retired.store(true, Ordering::Release);
    }

    fn is_behind(&self) -> bool {
        self.rows.sealed_memtable_count() >= MANY_MEMTABLES
            || self.rows.l0_table_count() >= MANY_FILES
    }
}

impl View for DiskView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.snapshot.get(&self.rows, key).map_err(convert)?;
        Ok(value.map(Bytes::from))
    }

    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if let Some(known) = self.often.get(key, self.generation) {
            return Ok(Some(known));
        }
        self.often.announce(key);
        let value = self.get(key)?;
        if let Some(value) = &value {
            self.often.remember(key, value, self.generation);
        }
        Ok(value)
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let known = |start: &[u8], end: &[u8]| match reverse {
            false => self.gaps.first(start, end, self.generation),
            true => self.gaps.last(start, end, self.generation),
        };
        let Some(mut gap) = known(start, end) else {
            return self.scan_all(start, end, reverse, visit);
        };
        let (mut start, mut end) = (Bytes::copy_from_slice(start), Bytes::copy_from_slice(end));
        loop {
            let (from, to) = match reverse {
                false => (start.clone(), gap.0.clone()),
                true => (gap.1.clone(), end.clone()),
            };
            if from < to && self.scan_all(&from, &to, reverse, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match reverse {
                false => start = gap.1,
                true => end = gap.0,
            }
            if start >= end {
                return Ok(ControlFlow::Continue(()));
            }
            match known(&start, &end) {
                Some(next) => gap = next,
                None => return self.scan_all(&start, &end, reverse, visit),
            }
        }
    }
}

impl DiskView {
    /// Visits all rows, and notes where there are none for long.
    fn scan_all(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut begun = Instant::now();
        let mut last = None;
        let mut rows = self.snapshot.range(&self.rows, start..end);
        while let Some(row) = if reverse { rows.next_back() } else { rows.next() } {
            let (key, value) = row.into_inner().map_err(convert)?;
            let now = Instant::now();
            if now.duration_since(begun) > gaps::SLOW {
                self.look_between(last.as_deref(), Some(&key), (start, end), reverse);
            }
            begun = now;
            if visit(&key, &value).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            last = Some(key);
        }
        if begun.elapsed() > gaps::SLOW {
            self.look_between(last.as_deref(), None, (start, end), reverse);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Notes that there is nothing between two rows, or a row and an end, if the engine itself takes long to find that
    /// out: what was slow may have been the visitor, or another thread's turn.
    fn look_between(
        &self,
        last: Option<&[u8]>,
        next: Option<&[u8]>,
        (start, end): (&[u8], &[u8]),
        reverse: bool,
    ) {
        let (low, high) = if reverse { (next, last) } else { (last, next) };
        let from = low.map_or_else(|| Bytes::copy_from_slice(start), gaps::after);
        let to = Bytes::copy_from_slice(high.unwrap_or(end));
        if from >= to {
            return;
        }
        let begun = Instant::now();
        let found = self.snapshot.range(&self.rows, from.clone()..to.clone()).next();
        if found.is_none() && begun.elapsed() > gaps::SLOW {
            self.gaps.note(from, to, self.generation, || self.often.generation());
        }
    }
}

/// Says what to do about rows that cannot be opened.
fn damaged(path: &Path, error: fjall::Error) -> Error {
    match convert(error) {
        Error::Engine(why) => not_opened(path, &why),
        Error::Io { source, .. } if is_damage(source.kind()) => {
            not_opened(path, &format!("a file is missing, cut off or there twice: {source}"))
        }
        other => other,
    }
}

fn not_opened(path: &Path, why: &str) -> Error {
    Error::corrupt(
        path.display().to_string(),
        format!(
            "the rows cannot be opened: {why}. Nothing was changed; restore the directory from a backup, \
                 or start with another one"
        ),
    )
}

/// Whether the operating system's answer tells of files that are not as the engine left them.
fn is_damage(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{AlreadyExists, InvalidData, NotFound, UnexpectedEof};
    matches!(kind, AlreadyExists | InvalidData | NotFound | UnexpectedEof)
}

/// Keeps the operating system's part of an error, by which a full disk is recognised.
fn convert(error: fjall::Error) -> Error {
    if let fjall::Error::InvalidVersion(found) = &error {
        let found =
            found.map_or_else(|| "of an unknown version".to_owned(), |it| format!("{it:?}"));
        return Error::Engine(
            format!(
                "the files of the rows are {found}, but this version of Fogbank reads fjall's V3 only: run the version \
                 that wrote them, or start with another data directory"
            )
            .into(),
        );
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            let copy = io::Error::new(inner.kind(), inner.to_string());
            return Error::io("using the rows", copy);
        }
        cause = inner.source();
    }
    Error::Engine(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::{Read, Write, WriteTx};

    const ROWS: u32 = 1000;

    /// No key lies between one and the next, so that scans here, each of which counts as slow, find nothing to note.
    fn key(n: u32) -> Bytes {
        vec![0; n as usize + 1].into()
    }

    impl DiskEngine {
        /// What removed rows a scan of a new view would still go through, of those under these keys.
        fn gone_through(&self, keys: impl Iterator<Item = u32>) -> Vec<u32> {
            let generation = self.often.generation();
            let is_known = |n: &u32| self.gaps.first(&key(*n), &key(n + 1), generation).is_some();
            keys.filter(|n| !is_known(n)).collect()
        }

        fn change(&self, change: impl FnOnce(&mut WriteTx)) {
            let mut tx = WriteTx::upon(self.view().expect("a view"), 1);
            change(&mut tx);
            self.commit(&tx.own, Survives::Crash).expect("committed");
        }

        fn rows_seen(&self) -> u32 {
            let mut count = 0;
            let view = self.view().expect("a view");
            let counted = view.scan(&key(0), &key(ROWS), false, &mut |_, _| {
                count += 1;
                ControlFlow::Continue(())
            });
            assert!(counted.expect("scanned").is_continue());
            count
        }
    }

    #[test]
    fn no_scan_goes_through_what_transactions_say_they_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = Directory::open(folder.path()).expect("a directory");
        let engine =
            DiskEngine::open(directory, 8 << 20, 8 << 20, Survives::Crash).expect("an engine");
        engine.change(|tx| (0..ROWS).for_each(|n| tx.put(&key(n), b"row")));
        let before = engine.view().expect("a view");
        // Pages of a sweep, each from where the last one ended; 550 stays, and 700 comes back in the same group.
        for page in 0..8 {
            let (first, last) = (page * 100, page * 100 + 99);
            engine.change(|tx| {
                (first..=last).filter(|n| *n != 550).for_each(|n| tx.delete(&key(n)));
                tx.vacate(&key(first), &key(last + 1)).expect("looked");
                let mut left = Vec::new();
                tx.scan(&key(0), &key(last + 1), false, &mut |key, _| {
                    left.push(Bytes::copy_from_slice(key));
                    ControlFlow::Continue(())
                })
                .expect("scanned");
                assert_eq!(left.len(), usize::from(page >= 5) + usize::from(page >= 8));
                if page == 7 {
                    let mut later = Overlay::default();
                    later.set(key(700), Some(Bytes::from_static(b"again")));
                    tx.own.absorb(later);
                }
            });
            let gone = (0..=last).filter(|n| *n < 550 || (600..700).contains(n));
            assert_eq!(engine.gone_through(gone), [], "page {page}");
        }
        assert_eq!(engine.rows_seen(), ROWS - 800 + 2);
        let mut seen = 0;
        let counted = before.scan(&key(0), &key(ROWS), true, &mut |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        });
        assert!(counted.expect("scanned").is_continue());
        assert_eq!(seen, ROWS, "an older view sees what it saw");
    }
}
