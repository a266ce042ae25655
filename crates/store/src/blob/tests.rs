//! Blobs on a disk that fails, and on one that damages what it holds.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::disk::{DiskFile, FolderDisk};
use super::*;
use crate::commit::Mode;
use crate::engine::memory::MemoryEngine;

/// A folder whose operations can be made to fail, and that knows which files were synced.
struct FaultyDisk {
    inner: FolderDisk,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    writes: AtomicBool,
    syncs: AtomicBool,
    /// Files with writes that no sync has followed.
    unsynced: Mutex<HashSet<String>>,
    unsynced_names: AtomicBool,
}

struct FaultyFile {
    name: String,
    inner: Arc<dyn DiskFile>,
    faults: Arc<Faults>,
}

fn fail(when: &AtomicBool, kind: io::ErrorKind) -> io::Result<()> {
    if when.load(Ordering::SeqCst) { Err(kind.into()) } else { Ok(()) }
}

impl FaultyDisk {
    fn wrap(&self, name: &str, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { name: name.to_owned(), inner, faults: self.faults.clone() })
    }
}

impl Disk for FaultyDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        fail(&self.faults.writes, io::ErrorKind::StorageFull)?;
        self.faults.unsynced_names.store(true, Ordering::SeqCst);
        Ok(self.wrap(name, self.inner.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(name, self.inner.open(name)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn sync_names(&self) -> io::Result<()> {
        fail(&self.faults.syncs, io::ErrorKind::Other)?;
        self.faults.unsynced_names.store(false, Ordering::SeqCst);
        self.inner.sync_names()
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&self, parts: &[Bytes], offset: u64) -> io::Result<()> {
        fail(&self.faults.writes, io::ErrorKind::StorageFull)?;
        self.faults.unsynced.lock().insert(self.name.clone());
        self.inner.write_at(parts, offset)
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.inner.read_at(offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        fail(&self.faults.syncs, io::ErrorKind::Other)?;
        self.faults.unsynced.lock().remove(&self.name);
        self.inner.sync()
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.punch(offset, len)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
}

struct World {
    blobs: Blobs,
    faults: Arc<Faults>,
    folder: tempfile::TempDir,
    _committer: Arc<Committer>,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::<Faults>::default();
        let inner = FolderDisk::open(folder.path().to_owned(), None).unwrap();
        let disk = Arc::new(FaultyDisk { inner, faults: faults.clone() });
        let engine = Arc::<MemoryEngine>::default();
        let committer = Arc::new(Committer::start(engine, Mode::Inline, 0).unwrap());
        let opened = Opened { epoch: 1, version: 0, left: None };
        let owner = Arc::downgrade(&committer);
        let blobs = Blobs::start(disk, Limits::ON_DISK, opened, Duration::ZERO, owner, true);
        World { blobs, faults, folder, _committer: committer }
    }

    /// Flips a bit of the only file.
    fn damage(&self, at: u64) {
        use std::os::unix::fs::FileExt;
        let mut files = std::fs::read_dir(self.folder.path()).unwrap();
        let path = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none());
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        byte[0] ^= 4;
        file.write_all_at(&byte, at).unwrap();
    }
}

const SIZES: [usize; 3] = [30_000, 1 << 20, 5 << 20];

fn body(len: usize) -> Bytes {
    vec![7; len].into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    let world = World::new();
    for size in SIZES {
        world.faults.writes.store(true, Ordering::SeqCst);
        let error = world.blobs.put(body(size)).await.unwrap_err();
        assert!(error.is_disk_full(), "{error}");
        world.faults.writes.store(false, Ordering::SeqCst);
        let blob = world.blobs.put(body(size)).await.unwrap();
        assert_eq!(world.blobs.get(&blob).await.unwrap(), body(size));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_gives_no_reference() {
    let world = World::new();
    for size in SIZES {
        world.faults.syncs.store(true, Ordering::SeqCst);
        world.blobs.put(body(size)).await.unwrap_err();
        world.faults.syncs.store(false, Ordering::SeqCst);
        let blob = world.blobs.put(body(size)).await.unwrap();
        assert_eq!(world.blobs.get(&blob).await.unwrap(), body(size));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_failed_to_sync_takes_no_more_blobs() {
    let world = World::new();
    let segment = |blob: &BlobRef| blob.place.key().unwrap().1;
    let before = world.blobs.put(body(30_000)).await.unwrap();
    let same = world.blobs.put(body(30_000)).await.unwrap();
    assert_eq!(segment(&before), segment(&same));
    world.faults.syncs.store(true, Ordering::SeqCst);
    world.blobs.put(body(30_000)).await.unwrap_err();
    world.faults.syncs.store(false, Ordering::SeqCst);
    let after = world.blobs.put(body(30_000)).await.unwrap();
    assert_ne!(segment(&before), segment(&after));
    assert_eq!(world.blobs.get(&before).await.unwrap(), body(30_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_exists_only_of_what_is_on_disk() {
    let world = World::new();
    for size in SIZES {
        let blob = world.blobs.put(body(size)).await.unwrap();
        assert!(world.faults.unsynced.lock().is_empty(), "{blob}");
        assert!(!world.faults.unsynced_names.load(Ordering::SeqCst), "{blob}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_bytes_are_found() {
    for size in SIZES {
        let world = World::new();
        let blob = world.blobs.put(body(size)).await.unwrap();
        world.damage(20_000);
        let error = world.blobs.get(&blob).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
    let world = World::new();
    let blob = world.blobs.put(body(30_000)).await.unwrap();
    world.damage(3);
    let error = world.blobs.get(&blob).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchBlob(_)), "{error}");
}
