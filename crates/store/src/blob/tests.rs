//! Blobs on a disk that fails, and on one that damages what it holds.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::disk::{DiskFile, FolderDisk};
use super::pages::Pages;
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

    fn open_uncached(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(name, self.inner.open_uncached(name)?))
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

    fn takes_pages(&self) -> bool {
        true
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&self, parts: &[Bytes], offset: u64) -> io::Result<()> {
        fail(&self.faults.writes, io::ErrorKind::StorageFull)?;
        self.faults.unsynced.lock().insert(self.name.clone());
        self.inner.write_at(parts, offset)
    }

    fn write_pages(&self, pages: &Pages, skip: usize, offset: u64) -> io::Result<()> {
        fail(&self.faults.writes, io::ErrorKind::StorageFull)?;
        self.faults.unsynced.lock().insert(self.name.clone());
        self.inner.write_pages(pages, skip, offset)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        fail(&self.faults.writes, io::ErrorKind::StorageFull)?;
        self.inner.allocate(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.unsynced.lock().insert(self.name.clone());
        self.inner.set_len(len)
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.inner.read_at(offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        fail(&self.faults.syncs, io::ErrorKind::Other)?;
        self.faults.unsynced.lock().remove(&self.name);
        self.inner.sync()
    }

    fn read_uncached(&self, pages: &mut Pages, offset: u64, wanted: u64) -> io::Result<()> {
        self.inner.read_uncached(pages, offset, wanted)
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
    committer: Arc<Committer>,
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
        World { blobs, faults, folder, committer }
    }

    /// Flips a bit of the only file.
    fn damage(&self, at: u64) {
        let mut files = std::fs::read_dir(self.folder.path()).unwrap();
        let path = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none());
        flip(&path, at);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_every_shape_are_read_back() {
    let world = World::new();
    let mut blobs = Vec::new();
    for (n, len) in [
        1, 16_385, 65_504, 65_536, 65_537, 131_040, 131_073, 1_048_576, 1_052_640, 1_052_641,
        2_105_344, 3_000_000, 4_194_304, 4_194_305, 5_242_880, 9_000_001,
    ]
    .into_iter()
    .enumerate()
    {
        let body: Bytes = (0..len).map(|at: usize| (at / 7 + n) as u8).collect();
        for hint in [Some(len as u64), Some(len as u64 + 9_999), None] {
            let mut writer = world.blobs.writer(hint);
            for piece in body.chunks(100_000 - n) {
                writer.write(body.slice_ref(piece)).await.unwrap();
            }
            blobs.push((writer.finish().await.unwrap(), body.clone()));
        }
    }
    for (blob, body) in &blobs {
        assert_eq!(world.blobs.get(blob).await.unwrap(), body, "{blob}");
        let middle = blob.len() / 2;
        let half = world.blobs.read(blob, middle..).unwrap().collect().await.unwrap();
        assert_eq!(half, body.slice(middle as usize..), "{blob}");
    }
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let (name, len) = {
            let entry = entry.unwrap();
            (entry.file_name(), entry.metadata().unwrap().len())
        };
        if name.to_string_lossy().ends_with(".blob") {
            assert!(blobs.iter().any(|(blob, _)| blob.len() == len), "{name:?} of {len} bytes");
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Named {
    blob: BlobRef,
}
crate::row!(Named, 1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_finds_every_flipped_bit() {
    let world = World::new();
    static NAMED: crate::Table<u64, Named> = crate::Table::new("test.scrubbed", 0x7001);
    let mut named = Vec::new();
    for (n, size) in [17_000, 70_000, 1 << 20, 5 << 20, 30_000].into_iter().enumerate() {
        let blob = world.blobs.put(body(size)).await.unwrap();
        let row = Named { blob: blob.clone() };
        world.committer.write_blocking(|tx| NAMED.put(tx, &(n as u64), &row)).unwrap();
        named.push(blob);
    }
    let scrub = || world.blobs.scrub(None, |_| {}).unwrap();
    let clean = scrub();
    assert_eq!((clean.blobs, clean.damaged_count), (5, 0), "{clean:?}");
    assert_eq!(clean.bytes, named.iter().map(BlobRef::len).sum::<u64>());
    assert!(clean.rows >= 10, "{clean:?}");

    // The header, the first, a middle and the last byte of each; the page's rest after a blob means nothing.
    for blob in &named {
        let key = blob.place.key().unwrap();
        let path = world.folder.path().join(world.blobs.inner.file_name(key));
        let header = if key.0 == reference::SEGMENT { 32 } else { 0 };
        let (start, len) = (key.2 + header, blob.len());
        let mut places = vec![start, start + len / 2, start + len - 1];
        places.extend((header > 0).then_some(key.2 + 5));
        for at in places {
            flip(&path, at);
            let mut told = Vec::new();
            let found = world.blobs.scrub(None, |damaged| told.push(damaged.clone())).unwrap();
            assert_eq!(found.damaged_count, 1, "{blob} at {at}: {found:?}");
            assert_eq!((found.damaged[0].offset, found.damaged[0].len), (key.2, len));
            assert_eq!(told, found.damaged);
            assert_eq!(world.blobs.scrubbed().as_ref(), Some(&found));
            flip(&path, at);
        }
    }
    assert_eq!(scrub().damaged_count, 0);
    let key = named[3].place.key().unwrap();
    std::fs::remove_file(world.folder.path().join(world.blobs.inner.file_name(key))).unwrap();
    let found = scrub();
    assert_eq!(found.damaged_count, 1);
    assert!(found.damaged[0].why.contains("missing"), "{found:?}");
}

fn flip(path: &std::path::Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 4;
    file.write_all_at(&byte, at).unwrap();
}
