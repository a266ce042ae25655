//! What blobs promise, on every engine.

use bytes::Bytes;
use fogbank_store::{BlobRef, Db, Error, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Object {
    body: BlobRef,
}
fogbank_store::row!(Object, 1);

static OBJECTS: Table<String, Object> = Table::new("test.objects", 0x1000);

fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

const SIZES: [usize; 9] =
    [0, 1, 16 << 10, (16 << 10) + 1, 200_000, 256 << 10, 1 << 20, 4 << 20, (5 << 20) + 3];

#[tokio::test]
async fn bytes_come_back_whole_and_in_ranges() {
    let db = Db::memory();
    for size in SIZES {
        let bytes = pattern(size);
        let mut writer = db.blobs().writer(Some(size as u64));
        for chunk in bytes.chunks(70_000) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let body = writer.finish().await.unwrap();
        let object = Object { body };
        db.write(|tx| OBJECTS.put(tx, "a", &object)).await.unwrap();
        let body = db.read(|tx| OBJECTS.get(tx, "a")).unwrap().unwrap().body;
        assert_eq!(db.blobs().get(&body).await.unwrap(), bytes);
        let (start, end) = (size / 3, size - size / 4);
        let part = db.blobs().read(&body, start as u64..end as u64).unwrap();
        assert_eq!(part.collect().await.unwrap(), bytes.slice(start..end));
    }
}

#[tokio::test]
async fn a_new_blob_is_not_serialised_outside_a_transaction() {
    let db = Db::memory();
    let body = db.blobs().put(pattern(100_000)).await.unwrap();
    assert!(postcard::to_stdvec(&body).is_err());
    let object = Object { body };
    db.write(|tx| OBJECTS.put(tx, "a", &object)).await.unwrap();
    assert!(postcard::to_stdvec(&object.body).is_ok());
}

#[tokio::test]
async fn a_blob_that_no_row_names_goes_with_its_last_reference() {
    let db = Db::memory();
    let body = db.blobs().put(pattern(100_000)).await.unwrap();
    let object = Object { body };
    let failed = db
        .write(|tx| {
            OBJECTS.put(tx, "a", &object)?;
            Err::<(), _>(Error::Closed)
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(db.blobs().get(&object.body).await.unwrap().len(), 100_000);
    drop(object);
    assert_eq!(db.blobs().sweep().unwrap().bytes, 100_000);
}
