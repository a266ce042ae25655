//! Blobs: bytes come back, stay while somebody needs them, and go when nobody does.

use std::path::PathBuf;

use bytes::Bytes;
use fogbank_store::{BlobRef, Db, Error, Table};
use serde::{Deserialize, Serialize};

use crate::{Store, on_every_engine};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Object {
    body: BlobRef,
}
fogbank_store::row!(Object, 1);

static OBJECTS: Table<String, Object> = Table::new("test.bodies", 0x1200);

on_every_engine! {
    bytes_come_back_whole_and_in_ranges
    a_blob_of_unknown_size_is_written
    a_chain_reads_as_one
    a_new_blob_is_stored_inside_a_transaction_only
    what_no_row_names_goes
    what_a_row_names_stays_until_it_is_freed
    two_names_count_twice
    a_reader_keeps_the_bytes
    more_than_announced_is_refused
    many_writers_at_once
}

const SIZES: [usize; 9] =
    [0, 1, 16 << 10, (16 << 10) + 1, 200_000, 256 << 10, 1 << 20, 4 << 20, (5 << 20) + 3];

fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

async fn put(db: &Db, name: &str, len: usize) {
    let object = Object { body: db.blobs().put(pattern(len)).await.unwrap() };
    db.write(|tx| OBJECTS.put(tx, name, &object)).await.unwrap();
}

fn body(db: &Db, name: &str) -> BlobRef {
    db.read(|tx| OBJECTS.get(tx, name)).unwrap().unwrap().body
}

/// Names and allocated bytes of the files of blobs.
fn files(store: &Store) -> Vec<(PathBuf, u64)> {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(store.folder.path().join("data/blobs")).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path(), entry.metadata().unwrap().blocks() * 512)
        })
        .collect()
}

async fn bytes_come_back_whole_and_in_ranges(mut store: Store) {
    for size in SIZES {
        let bytes = pattern(size);
        let mut writer = store.db.blobs().writer(Some(size as u64));
        for chunk in bytes.chunks(70_000) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let object = Object { body: writer.finish().await.unwrap() };
        store.db.write(|tx| OBJECTS.put(tx, &size.to_string(), &object)).await.unwrap();
    }
    for _ in 0..2 {
        for size in SIZES {
            let (body, bytes) = (body(&store.db, &size.to_string()), pattern(size));
            assert_eq!(body.as_inline().is_some(), size <= 16 << 10);
            assert_eq!(body.len(), size as u64);
            assert_eq!(store.db.blobs().get(&body).await.unwrap(), bytes);
            let (start, end) = (size / 3, size - size / 4);
            let part = store.db.blobs().read(&body, start as u64..end as u64).unwrap();
            assert_eq!(part.collect().await.unwrap(), bytes.slice(start..end));
            let beyond = store.db.blobs().read(&body, ..=size as u64);
            assert!(matches!(beyond, Err(Error::OutOfRange { .. })));
        }
        store.reopen();
    }
}

async fn a_blob_of_unknown_size_is_written(store: Store) {
    for size in [10, 100_000, 3 << 20] {
        let mut writer = store.db.blobs().writer(None);
        for chunk in pattern(size).chunks(100_000) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let blob = writer.finish().await.unwrap();
        assert_eq!(store.db.blobs().get(&blob).await.unwrap(), pattern(size));
    }
}

async fn a_chain_reads_as_one(store: Store) {
    let mut parts = Vec::new();
    let mut whole = Vec::new();
    for size in [5 << 20, 10, 0, 100_000] {
        parts.push(store.db.blobs().put(pattern(size)).await.unwrap());
        whole.extend(pattern(size));
    }
    let all = store.db.blobs().read_chain(&parts, ..).unwrap();
    assert_eq!(all.len(), whole.len() as u64);
    assert_eq!(all.collect().await.unwrap(), whole);
    let (start, end) = ((5 << 20) - 7, (5 << 20) + 500);
    let part = store.db.blobs().read_chain(&parts, start as u64..end as u64).unwrap();
    assert_eq!(part.collect().await.unwrap(), whole[start..end]);
}

async fn a_new_blob_is_stored_inside_a_transaction_only(store: Store) {
    let object = Object { body: store.db.blobs().put(pattern(100_000)).await.unwrap() };
    assert!(postcard::to_stdvec(&object).is_err());
    store.db.write(|tx| OBJECTS.put(tx, "a", &object)).await.unwrap();
    assert!(postcard::to_stdvec(&object).is_ok());
}

/// Sweeps until the bytes of `body` are gone; the background may be faster.
async fn gone(store: &Store, body: &BlobRef) {
    for _ in 0..500 {
        store.db.blobs().sweep().unwrap();
        match store.db.blobs().get(body).await {
            Err(Error::NoSuchBlob(_)) => return,
            _ => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    panic!("{body} is still there");
}

async fn what_no_row_names_goes(mut store: Store) {
    for size in [100_000, 5 << 20] {
        let object = Object { body: store.db.blobs().put(pattern(size)).await.unwrap() };
        // An aborted transaction names nothing.
        let mut copy = None;
        let failed = store
            .db
            .write(|tx| {
                OBJECTS.put(tx, "a", &object)?;
                copy = OBJECTS.get(tx, "a")?;
                Err::<(), _>(Error::corrupt("test", "on purpose"))
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(store.db.blobs().get(&object.body).await.unwrap().len(), size);
        drop(object);
        gone(&store, &copy.unwrap().body).await;
        // Nor does a writer that is dropped half way.
        let mut writer = store.db.blobs().writer(Some(size as u64));
        writer.write(pattern(size / 2)).await.unwrap();
    }
    store.reopen();
    store.db.blobs().sweep().unwrap();
    if store.is_on_disk() {
        assert!(files(&store).is_empty(), "{:?}", files(&store));
    }
}

async fn what_a_row_names_stays_until_it_is_freed(mut store: Store) {
    for size in [100_000, 5 << 20] {
        put(&store.db, "a", size).await;
        put(&store.db, "b", size).await;
        store.reopen();
        store.db.blobs().sweep().unwrap();
        let (first, second) = (body(&store.db, "a"), body(&store.db, "b"));
        assert_eq!(store.db.blobs().get(&first).await.unwrap(), pattern(size));
        let blobs = store.db.blobs().clone();
        store
            .db
            .write(|tx| {
                OBJECTS.delete(tx, "a")?;
                blobs.free(tx, &first)
            })
            .await
            .unwrap();
        gone(&store, &first).await;
        assert_eq!(store.db.blobs().get(&second).await.unwrap(), pattern(size));
        if store.is_on_disk() {
            let used: u64 = files(&store).iter().map(|file| file.1).sum();
            assert!(used < size as u64 * 3 / 2, "{:?}", files(&store));
        }
        store.db.write(|tx| blobs.free(tx, &second)).await.unwrap();
        gone(&store, &second).await;
        if store.is_on_disk() {
            assert!(files(&store).is_empty(), "{:?}", files(&store));
        }
    }
}

async fn two_names_count_twice(store: Store) {
    let blobs = store.db.blobs().clone();
    let object = Object { body: blobs.put(pattern(100_000)).await.unwrap() };
    store
        .db
        .write(|tx| {
            OBJECTS.put(tx, "a", &object)?;
            blobs.retain(tx, &object.body)?;
            OBJECTS.put(tx, "b", &object)
        })
        .await
        .unwrap();
    let body = body(&store.db, "b");
    store.db.write(|tx| blobs.retain(tx, &body)).await.unwrap();
    for _ in 0..2 {
        store.db.write(|tx| blobs.free(tx, &body)).await.unwrap();
        blobs.sweep().unwrap();
        assert_eq!(blobs.get(&body).await.unwrap(), pattern(100_000));
    }
    store.db.write(|tx| blobs.free(tx, &body)).await.unwrap();
    gone(&store, &body).await;
    // Freed once more, nothing happens.
    store.db.write(|tx| blobs.free(tx, &body)).await.unwrap();
    let retained = store.db.write(|tx| blobs.retain(tx, &body)).await;
    assert!(matches!(retained, Err(Error::NoSuchBlob(_))));
}

async fn a_reader_keeps_the_bytes(store: Store) {
    for size in [1 << 20, 5 << 20] {
        put(&store.db, "a", size).await;
        let (blobs, body) = (store.db.blobs().clone(), body(&store.db, "a"));
        let mut reader = blobs.read(&body, ..).unwrap();
        let first = reader.next().await.unwrap().unwrap();
        store.db.write(|tx| blobs.free(tx, &body)).await.unwrap();
        blobs.sweep().unwrap();
        let rest = reader.collect().await.unwrap();
        assert_eq!([first, rest].concat(), pattern(size));
        gone(&store, &body).await;
    }
}

async fn more_than_announced_is_refused(store: Store) {
    for hint in [10, 100_000, 5 << 20] {
        let mut writer = store.db.blobs().writer(Some(hint));
        writer.write(pattern(hint as usize)).await.unwrap();
        let refused = writer.write(pattern(1)).await;
        assert!(matches!(refused, Err(Error::TooLarge { .. })));
        assert!(writer.finish().await.is_err());
    }
}

async fn many_writers_at_once(mut store: Store) {
    let mut tasks = Vec::new();
    for task in 0..24usize {
        let db = store.db.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..4 {
                put(&db, &format!("{task}/{round}"), task * 20_011 + round * 7_001).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    store.reopen();
    for task in 0..24 {
        for round in 0..4 {
            let body = body(&store.db, &format!("{task}/{round}"));
            let bytes = store.db.blobs().get(&body).await.unwrap();
            assert_eq!(bytes, pattern(task * 20_011 + round * 7_001));
        }
    }
}
