//! The database: opening, reading, writing, closing.

use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::blob::disk::{Disk, FolderDisk, MemoryDisk};
use crate::blob::{Blobs, Limits, Opened};
use crate::commit::{CommitStep, Committer, Mode};
use crate::engine::disk::DiskEngine;
use crate::engine::memory::MemoryEngine;
use crate::engine::{Engine, Survives};
use crate::layout::Directory;
use crate::space::{Space, default_reserve_bytes};
use crate::{Error, Read, ReadTx, Snapshots, Visit, WriteTx, meta};

/// What must have happened before a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The data is on disk: it survives a power cut.
    #[default]
    Fsync,
    /// The operating system has the data: it survives the end of the process.
    Buffered,
    /// Nothing: the data is lost with the process.
    Memory,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Fsync => "fsync",
            Durability::Buffered => "buffered",
            Durability::Memory => "memory",
        })
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fsync" => Ok(Durability::Fsync),
            "buffered" => Ok(Durability::Buffered),
            "memory" => Ok(Durability::Memory),
            _ => Err(format!("`{text}` is not one of fsync, buffered, memory")),
        }
    }
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory; created if it does not exist. Not used in memory.
    pub path: PathBuf,
    /// What must have happened before a write is acknowledged.
    pub durability: Durability,
    /// Upper bound of the cache of rows read from disk, in bytes. It is filled as rows are read.
    pub cache_bytes: u64,
    /// How much is written before it moves from memory to a sorted file, in bytes. Up to four times as much is in memory
    /// while files are written; each small row takes about as much again.
    pub memtable_bytes: u64,
    /// Space on the disk below which nothing new is taken, in bytes.
    pub reserve_bytes: u64,
    /// How long the bytes of a freed blob stay for readers that learned of it before.
    pub blob_grace: Duration,
    /// How fast all blobs are read again in the background to find damage, in bytes per second; zero for never.
    pub scrub_bytes_per_second: u64,
}

impl Options {
    /// The defaults for a data directory: every write on disk before it is acknowledged, 64 MiB of cache, and 24 MiB of
    /// rows before they move to a file.
    pub fn new(path: impl Into<PathBuf>) -> Options {
        let path = path.into();
        Options {
            reserve_bytes: default_reserve_bytes(&path),
            path,
            durability: Durability::Fsync,
            cache_bytes: 64 << 20,
            memtable_bytes: 24 << 20,
            blob_grace: Duration::from_secs(60),
            scrub_bytes_per_second: 4 << 20,
        }
    }

    /// The defaults in memory.
    pub fn memory() -> Options {
        Options { durability: Durability::Memory, ..Options::new(PathBuf::new()) }
    }
}

/// A database; clones are handles of the same one. It closes with its last handle.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    snapshots: Snapshots,
    blobs: Blobs,
    committer: Arc<Committer>,
    /// Not in memory.
    space: Option<Arc<Space>>,
    options: Options,
}

impl Inner {
    fn close(&self) -> Result<(), Error> {
        self.blobs.stop();
        self.committer.close()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Handles of blobs may live on; the engine must not, so that the directory can be opened again.
        if let Err(error) = self.close() {
            tracing::error!(%error, "the store could not be flushed at its end");
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.inner.options).finish()
    }
}

/// A consistent view of all that was durable when it was first read from: for what mostly finds its answer elsewhere.
pub struct LazyView<'a> {
    db: &'a Db,
    view: OnceCell<ReadTx>,
}

impl LazyView<'_> {
    fn view(&self) -> &ReadTx {
        self.view.get_or_init(|| self.db.glance())
    }
}

impl Read for LazyView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.view().get(key)
    }

    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.view().get_often(key)
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.view().scan(start, end, reverse, visit)
    }
}

impl Db {
    /// Opens the database in a directory, or creates it there.
    ///
    /// Refuses a directory that another process has open, and one that a newer version has written.
    pub fn open(options: &Options) -> Result<Db, Error> {
        let survives = match options.durability {
            Durability::Fsync => Survives::PowerCut,
            Durability::Buffered => Survives::Crash,
            Durability::Memory => {
                let disk = Arc::<MemoryDisk>::default();
                let engine = Arc::<MemoryEngine>::default();
                return Db::start(engine, disk, None, Mode::Inline, None, options);
            }
        };
        let is_old = options.path.join("FORMAT").exists();
        let directory = Directory::open(&options.path)?;
        let space = Arc::new(Space::new(directory.path().to_owned(), options.reserve_bytes));
        let (blobs, snapshots) = (directory.blobs(), directory.snapshots());
        let engine =
            DiskEngine::open(directory, options.cache_bytes, options.memtable_bytes, survives)?;
        let disk = FolderDisk::open(blobs, Some(space.clone()))
            .map_err(|error| Error::io("creating the folder of the blobs", error))?;
        let snapshots = FolderDisk::open(snapshots, Some(space.clone()))
            .map_err(|error| Error::io("creating the folder of the snapshots", error))?;
        let mode = Mode::Grouped(survives);
        let snapshots: Arc<dyn Disk> = Arc::new(snapshots);
        let (engine, disk) = (Arc::new(engine), Arc::new(disk));
        let db = Db::start(engine, disk, Some(snapshots), mode, Some(space), options)?;
        if is_old && db.inner.committer.version() <= 1 {
            tracing::warn!(
                path = %options.path.display(),
                "the data directory is not new, and no row is in it: unless nothing was ever stored there, its rows \
                 are lost, and a backup should be restored"
            );
        }
        Ok(db)
    }

    /// A database in memory, which ends with its last handle.
    pub fn memory() -> Db {
        Db::open(&Options::memory())
            .expect("an engine in memory starts without touching anything that can fail")
    }

    /// A database on a simulated disk. It commits only while somebody awaits [`Db::take_commit_steps`], or blocks.
    pub(crate) fn simulated(
        engine: Arc<dyn Engine>,
        disk: Arc<dyn Disk>,
        options: &Options,
    ) -> Result<Db, Error> {
        let survives = match options.durability {
            Durability::Fsync => Survives::PowerCut,
            Durability::Buffered | Durability::Memory => Survives::Crash,
        };
        Db::start(engine, disk, None, Mode::Stepped(survives), None, options)
    }

    /// Does the work of the commit thread for a database on a [`SimulatedDisk`](crate::SimulatedDisk), until it is
    /// closed: `pause` is awaited after each step.
    pub async fn take_commit_steps<P: Future<Output = ()>>(
        &self,
        pause: impl FnMut(CommitStep) -> P,
    ) {
        self.inner.committer.take_steps(pause).await;
    }

    fn start(
        engine: Arc<dyn Engine>,
        disk: Arc<dyn Disk>,
        snapshots: Option<Arc<dyn Disk>>,
        mode: Mode,
        space: Option<Arc<Space>>,
        options: &Options,
    ) -> Result<Db, Error> {
        let view = ReadTx::new(engine.view()?);
        let version = meta::META.get(&view, meta::VERSION)?.unwrap_or_default();
        let committer = Arc::new(Committer::start(engine, mode, version)?);
        let opened = committer.write_blocking(|tx| {
            let opened = meta::META.get(tx, meta::OPENED)?.unwrap_or_default() + 1;
            meta::META.put(tx, meta::OPENED, &opened)?;
            Ok::<_, Error>(opened)
        })?;
        let epoch = u32::try_from(opened)
            .map_err(|_| Error::Engine("the database was opened too many times".into()))?;
        let limits = match mode {
            Mode::Inline => Limits::IN_MEMORY,
            Mode::Grouped(_) | Mode::Stepped(_) => Limits::ON_DISK,
        };
        // A view that nobody reads from would keep old versions of rows for ever.
        let left = (epoch > 1).then_some(view);
        let opened = Opened { epoch, version, left };
        let threads = !matches!(mode, Mode::Stepped(_));
        let weak = Arc::downgrade(&committer);
        let blobs = Blobs::start(disk, limits, opened, options.blob_grace, weak, threads);
        // Before anything is swept, since it keeps blobs.
        let snapshots = Snapshots::open(committer.clone(), blobs.clone(), snapshots)?;
        if epoch > 1 {
            blobs.sweep_soon();
        }
        if matches!(mode, Mode::Grouped(_)) {
            blobs.start_scrubbing(options.scrub_bytes_per_second);
        }
        let options = options.clone();
        Ok(Db { inner: Arc::new(Inner { snapshots, blobs, committer, space, options }) })
    }

    /// The blobs that lie beside the rows.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// Older states of the database, under names.
    pub fn snapshots(&self) -> &Snapshots {
        &self.inner.snapshots
    }

    /// Runs `f` at once on a consistent view of all that is durable.
    pub fn read<T, E: From<Error>>(&self, f: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        f(&self.glance())
    }

    /// A view that is taken when it is first read from.
    pub fn lazily(&self) -> LazyView<'_> {
        LazyView { db: self, view: OnceCell::new() }
    }

    /// A view of all that is durable now, to be let go of at once: it costs less to take than [`Db::snapshot`].
    pub fn glance(&self) -> ReadTx {
        ReadTx::of(self.inner.committer.glance())
    }

    /// A view of all that is durable now, to be read from for longer than one closure.
    pub fn snapshot(&self) -> ReadTx {
        ReadTx::new(self.inner.committer.published())
    }

    /// Runs `f` at once, alone, upon everything that was written before, and returns its value when what it wrote is
    /// durable. An error of `f` aborts: nothing is written.
    ///
    /// `f` must not block, and may be run again after a conflict on engines that are shared between processes. If the
    /// future is dropped while it waits for the disk, the transaction still happens.
    pub async fn write<T, E: From<Error>>(
        &self,
        f: impl FnMut(&mut WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inner.committer.write(self.within_space(f)).await
    }

    /// The same as [`Db::write`] for a plain thread, which it blocks.
    pub fn write_blocking<T, E: From<Error>>(
        &self,
        f: impl FnMut(&mut WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inner.committer.write_blocking(self.within_space(f))
    }

    /// Refuses what `f` wrote if too little space is left for it.
    fn within_space<T, E: From<Error>>(
        &self,
        mut f: impl FnMut(&mut WriteTx) -> Result<T, E>,
    ) -> impl FnMut(&mut WriteTx) -> Result<T, E> {
        move |tx| {
            let value = f(tx)?;
            if let Some(space) = &self.inner.space {
                space.admit(&tx.own)?;
            }
            Ok(value)
        }
    }

    /// Blocks until all that was written is on disk, whatever the durability.
    pub fn flush(&self) -> Result<(), Error> {
        self.inner.committer.flush()
    }

    /// Flushes and closes for all handles; the directory may be opened again when it returns and no view is left.
    pub fn close(&self) -> Result<(), Error> {
        self.inner.close()
    }

    /// Fails with the reason if writes are no longer accepted.
    pub fn health(&self) -> Result<(), Error> {
        self.inner.committer.health()
    }

    /// What must have happened before a write is acknowledged.
    pub fn durability(&self) -> Durability {
        self.inner.options.durability
    }

    /// The data directory; empty in memory.
    pub fn path(&self) -> &Path {
        &self.inner.options.path
    }

    /// Bytes that the rows use on disk.
    pub fn disk_bytes(&self) -> Result<u64, Error> {
        self.inner.committer.engine()?.disk_bytes()
    }
}
