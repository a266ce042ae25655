//! Snapshots on every kind of database: what is saved is what is loaded, with its blobs, across restarts.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{BlobRef, Db, Durability, Options, Raw, Table, row};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Document {
    title: String,
    body: BlobRef,
}
row!(Document, 1);

static DOCUMENTS: Table<String, Document> = Table::new("test.documents", 0x0ff0_0001);
static ITEMS: Table<u64, Raw> = Table::new("test.items", 0x0ff0_0002);

/// A database and the folder that it is in.
struct World {
    db: Db,
    options: Options,
    runtime: tokio::runtime::Runtime,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    fn new(durability: Durability) -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("data"));
        options.durability = durability;
        options.blob_grace = Duration::ZERO;
        World { _folder: Some(folder), ..World::open(options) }
    }

    fn open(options: Options) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        World { db: Db::open(&options).unwrap(), options, runtime, _folder: None }
    }

    /// A path beside the data.
    fn beside(&self, name: &str) -> std::path::PathBuf {
        self.options.path.with_file_name(name)
    }

    fn each(test: impl Fn(World)) {
        for durability in [Durability::Memory, Durability::Buffered, Durability::Fsync] {
            test(World::new(durability));
        }
    }

    fn restart(self) -> World {
        let World { db, options, runtime, _folder } = self;
        db.close().unwrap();
        drop(db);
        let db = Db::open(&options).unwrap();
        World { db, options, runtime, _folder }
    }

    fn put(&self, title: &str, len: usize) {
        let body = self.runtime.block_on(self.db.blobs().put(bytes_of(title, len))).unwrap();
        let document = Document { title: title.to_owned(), body };
        self.db
            .write_blocking(|tx| {
                if let Some(old) = DOCUMENTS.get(tx, title)? {
                    self.db.blobs().free(tx, &old.body)?;
                }
                DOCUMENTS.put(tx, title, &document)
            })
            .unwrap();
    }

    fn remove(&self, title: &str) {
        self.db
            .write_blocking(|tx| {
                let document = DOCUMENTS.get(tx, title)?.unwrap();
                self.db.blobs().free(tx, &document.body)?;
                DOCUMENTS.delete(tx, title)
            })
            .unwrap();
    }

    /// The titles, after every body was read and compared.
    fn documents(&self) -> Vec<(String, u64)> {
        let rows = self.db.read(|tx| DOCUMENTS.list(tx, &())).unwrap();
        for (title, document) in &rows {
            let body = self.runtime.block_on(self.db.blobs().get(&document.body)).unwrap();
            assert_eq!(body, bytes_of(title, body.len()), "{title}");
        }
        rows.into_iter().map(|(title, document)| (title, document.body.len())).collect()
    }

    fn blob_files(&self) -> usize {
        match self.options.durability {
            Durability::Memory => 0,
            _ => std::fs::read_dir(self.options.path.join("blobs")).unwrap().count(),
        }
    }

    fn load(&self, name: &str) {
        self.db.snapshots().load(name, |_| Ok(()), || ()).unwrap();
    }
}

/// Sizes of the three kinds of blobs: in the row, in a segment, in a file.
const SIZES: [usize; 3] = [100, 200 << 10, 5 << 20];

fn bytes_of(title: &str, len: usize) -> Bytes {
    title.bytes().cycle().take(len).collect::<Vec<_>>().into()
}

#[test]
fn a_loaded_snapshot_is_the_state_that_was_saved() {
    World::each(|world| {
        for size in SIZES {
            world.put(&format!("kept {size}"), size);
            world.put(&format!("removed {size}"), size);
        }
        let before = world.documents();
        let info = world.db.snapshots().save("first", 17).unwrap();
        assert_eq!((info.created_millis, info.parent.as_deref()), (17, None));
        assert_eq!(info.blobs, 4, "those in the rows are not counted");
        for size in SIZES {
            world.remove(&format!("removed {size}"));
            world.put(&format!("kept {size}"), size + 1);
            world.put(&format!("new {size}"), size);
        }
        world.db.blobs().sweep().unwrap();
        let after = world.documents();
        assert_ne!(before, after);
        world.db.snapshots().save("second", 18).unwrap();

        world.load("first");
        assert_eq!(world.documents(), before);
        assert_eq!(world.db.snapshots().base().unwrap().as_deref(), Some("first"));
        world.db.blobs().sweep().unwrap();
        assert_eq!(world.documents(), before);
        world.load("second");
        assert_eq!(world.documents(), after);
        let parents: Vec<_> =
            world.db.snapshots().list().into_iter().map(|info| (info.name, info.parent)).collect();
        let first = Some("first".to_owned());
        assert_eq!(parents, [("first".to_owned(), None), ("second".to_owned(), first)]);
    });
}

#[test]
fn snapshots_and_a_loaded_state_survive_a_restart() {
    for durability in [Durability::Buffered, Durability::Fsync] {
        let world = World::new(durability);
        SIZES.iter().for_each(|size| world.put(&format!("old {size}"), *size));
        let before = world.documents();
        world.db.snapshots().save("keep", 1).unwrap();
        SIZES.iter().for_each(|size| world.remove(&format!("old {size}")));
        let world = world.restart();
        world.db.blobs().sweep().unwrap();
        assert_eq!(world.documents(), []);
        world.load("keep");
        world.put("later", 100);
        let world = world.restart();
        world.db.blobs().sweep().unwrap();
        let mut expected = before.clone();
        expected.insert(0, ("later".to_owned(), 100));
        assert_eq!(world.documents(), expected);
        // Without the snapshot the loaded state keeps its blobs itself.
        world.db.snapshots().delete("keep").unwrap();
        let world = world.restart();
        world.db.blobs().sweep().unwrap();
        assert_eq!(world.documents(), expected);
        let folders = std::fs::read_dir(&world.options.path).unwrap();
        let rows = folders.filter(|entry| {
            entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("rows")
        });
        assert_eq!(rows.count(), 1, "the replaced rows are gone");
    }
}

#[test]
fn blobs_go_with_the_last_state_that_names_them() {
    for durability in [Durability::Buffered, Durability::Fsync] {
        let world = World::new(durability);
        world.put("large", 5 << 20);
        world.db.snapshots().save("one", 1).unwrap();
        world.db.snapshots().save("two", 2).unwrap();
        world.remove("large");
        world.db.blobs().sweep().unwrap();
        world.db.snapshots().delete("one").unwrap();
        world.db.blobs().sweep().unwrap();
        assert_eq!(world.blob_files(), 1);
        world.db.snapshots().delete("two").unwrap();
        world.db.blobs().sweep().unwrap();
        assert_eq!(world.blob_files(), 0);

        world.put("large", 5 << 20);
        world.db.snapshots().reset(|_| Ok(()), || ()).unwrap();
        world.db.blobs().sweep().unwrap();
        assert_eq!(world.blob_files(), 0, "an empty state names nothing");
    }
}

#[test]
fn a_transaction_is_on_one_side_of_the_exchange() {
    World::each(|world| {
        world.db.write_blocking(|tx| ITEMS.put(tx, &0, &Raw(Bytes::from_static(b"old")))).unwrap();
        world.db.snapshots().save("start", 1).unwrap();
        let db = world.db.clone();
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let (db, stop) = (db.clone(), stop.clone());
                std::thread::spawn(move || {
                    let mut versions = Vec::new();
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let version = db
                            .write_blocking(|tx| {
                                // Each transaction writes two rows, which are there together or not at all.
                                let count = ITEMS.range(&()).count(tx)? as u64;
                                assert_eq!(count % 2, 1, "half a transaction");
                                let key = 1 + writer * 1_000_000 + tx.version() * 2;
                                ITEMS.put(tx, &key, &Raw::default())?;
                                ITEMS.put(tx, &(key + 1), &Raw::default())?;
                                Ok::<_, Error>(tx.version())
                            })
                            .unwrap();
                        versions.push(version);
                    }
                    assert!(versions.is_sorted(), "versions rise across an exchange");
                })
            })
            .collect();
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(5));
            let mut seen = None;
            let saved = &world.db;
            saved
                .snapshots()
                .load(
                    "start",
                    |tx| ITEMS.put(tx, &0, &Raw(Bytes::from_static(b"new"))),
                    || {
                        seen = Some(saved.read(|tx| ITEMS.range(&()).count(tx)).unwrap());
                    },
                )
                .unwrap();
            assert_eq!(seen, Some(1), "nobody has written when the new state is in place");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let first = world.db.read(|tx| ITEMS.get(tx, &0)).unwrap();
        assert_eq!(first, Some(Raw(Bytes::from_static(b"new"))));
    });
}

#[test]
fn differences_are_found_row_by_row() {
    World::each(|world| {
        let put = |number: u64, text: &'static str| {
            let raw = Raw(Bytes::from_static(text.as_bytes()));
            world.db.write_blocking(|tx| ITEMS.put(tx, &number, &raw)).unwrap();
        };
        (0..3000).for_each(|number| put(number, "same"));
        world.db.snapshots().save("before", 1).unwrap();
        put(5, "other");
        put(5000, "new");
        world.db.write_blocking(|tx| ITEMS.delete(tx, &2999)).unwrap();
        let mut found = Vec::new();
        let mut note = |difference, key: &[u8]| {
            assert_eq!(key[..4], ITEMS.prefix().to_be_bytes());
            found.push((difference, crate::decode_key::<u64>(&key[4..]).unwrap()));
        };
        world.db.snapshots().diff(Some("before"), None, &mut note).unwrap();
        let expected =
            [(Difference::Changed, 5), (Difference::Removed, 2999), (Difference::Added, 5000)];
        assert_eq!(found, expected);
        let mut none = 0;
        world.db.snapshots().diff(Some("before"), Some("before"), &mut |_, _| none += 1).unwrap();
        assert_eq!(none, 0);
    });
}

#[test]
fn names_are_checked() {
    World::each(|world| {
        let snapshots = world.db.snapshots();
        for name in ["", ".hidden", "a/b", "../up", "-x", &"x".repeat(65), "ä"] {
            assert!(matches!(snapshots.save(name, 0), Err(Error::SnapshotName(_))), "{name}");
        }
        snapshots.save("v1.0_final-2", 0).unwrap();
        assert!(matches!(snapshots.save("v1.0_final-2", 0), Err(Error::SnapshotExists(_))));
        assert!(matches!(snapshots.delete("x"), Err(Error::NoSuchSnapshot(_))));
        assert!(matches!(snapshots.load("x", |_| Ok(()), || ()), Err(Error::NoSuchSnapshot(_))));
    });
}

#[test]
fn a_damaged_or_unfinished_snapshot_harms_nobody() {
    let world = World::new(Durability::Fsync);
    world.put("large", 5 << 20);
    (0..2000).for_each(|number| {
        let raw = Raw(vec![number as u8; 100].into());
        world.db.write_blocking(|tx| ITEMS.put(tx, &number, &raw)).unwrap();
    });
    world.db.snapshots().save("good", 1).unwrap();
    world.db.snapshots().save("bad", 1).unwrap();
    let folder = world.options.path.join("snapshots");
    let whole = std::fs::read(folder.join("bad.rows")).unwrap();
    std::fs::write(folder.join("torn.rows"), &whole[..whole.len() - 1]).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    std::fs::write(folder.join("bad.rows"), &flipped).unwrap();
    let mut index = whole.clone();
    index[whole.len() - 40] ^= 1;
    std::fs::write(folder.join("index.rows"), &index).unwrap();

    let world = world.restart();
    let names: Vec<_> = world.db.snapshots().list().into_iter().map(|info| info.name).collect();
    assert_eq!(names, ["bad", "good"]);
    assert!(!folder.join("torn.rows").exists(), "it was never finished");
    assert!(folder.join("index.rows").exists(), "what is damaged is left to the operator");
    let loaded = world.db.snapshots().load("bad", |_| Ok(()), || ());
    assert!(matches!(loaded, Err(Error::Corrupt { .. })), "{loaded:?}");
    assert_eq!(world.documents().len(), 1, "the present state stays");
    world.put("after", 100);
    world.remove("large");
    world.db.blobs().sweep().unwrap();
    assert_eq!(world.blob_files(), 1, "nobody knows what the unreadable one names");
    world.load("good");
    assert_eq!(world.documents().len(), 1);
}

#[test]
fn a_backup_restores_everything() {
    World::each(|world| {
        for size in SIZES {
            world.put(&format!("first {size}"), size);
            world.put(&format!("second {size}"), size + 70_000);
            world.put(&format!("removed {size}"), size);
            world.remove(&format!("removed {size}"));
        }
        (0..3000).for_each(|number| {
            let raw = Raw(number.to_string().into());
            world.db.write_blocking(|tx| ITEMS.put(tx, &number, &raw)).unwrap();
        });
        world.db.snapshots().save("earlier", 1).unwrap();
        let earlier = world.documents();
        world.put("last", 5 << 20);
        for (name, expected) in [(None, world.documents()), (Some("earlier"), earlier)] {
            let mut backup = Vec::new();
            let info = world.db.snapshots().backup(name, 7, &mut backup).unwrap();
            assert_eq!(verify_backup(&mut &backup[..]).unwrap(), info);
            let mut options = world.options.clone();
            options.durability = Durability::Fsync;
            options.path = world.beside(&format!("restored {name:?}"));
            assert_eq!(restore_backup(&mut &backup[..], &options).unwrap(), info);
            assert!(restore_backup(&mut &backup[..], &options).is_err(), "it is not empty");
            let restored = World::open(options);
            assert_eq!(restored.documents(), expected);
            assert_eq!(restored.db.read(|tx| ITEMS.range(&()).count(tx)).unwrap(), 3000);
            restored.db.blobs().sweep().unwrap();
            restored.put("new", 200 << 10);
            let restored = restored.restart();
            restored.db.blobs().sweep().unwrap();
            let mut titles = restored.documents();
            titles.retain(|(title, _)| title != "new");
            assert_eq!(titles, expected);
        }
    });
}

#[test]
fn a_damaged_backup_is_refused() {
    let world = World::new(Durability::Memory);
    world.put("file", 5 << 20);
    world.put("segment", 100 << 10);
    let mut backup = Vec::new();
    world.db.snapshots().backup(None, 7, &mut backup).unwrap();
    let mut options = world.options.clone();
    options.path = world.beside("restored");
    for cut in [0, 5, 17, 25, 100, backup.len() / 2, backup.len() - 1] {
        let outcome = restore_backup(&mut &backup[..cut], &options);
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{cut}: {outcome:?}");
        assert!(!options.path.exists(), "{cut}");
    }
    for place in (0..300).chain([backup.len() / 3, backup.len() - 1]) {
        let mut flipped = backup.clone();
        flipped[place] ^= 0x10;
        let outcome = verify_backup(&mut &flipped[..]);
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{place}: {outcome:?}");
    }
    restore_backup(&mut &backup[..], &options).unwrap();
}
