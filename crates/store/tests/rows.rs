//! What tables and transactions promise, on every engine.

use std::ops::{Bound, ControlFlow};

use fogbank_store::{Db, Error, Raw, Starting, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Queue {
    name: String,
    delay_secs: u32,
}
fogbank_store::row!(Queue, 1);

static QUEUES: Table<(String, String), Queue> = Table::new("test.queues", 0x1000);
static OBJECTS: Table<(String, String, u64), Raw> = Table::new("test.objects", 0x1001);

fn queue(name: &str, delay_secs: u32) -> Queue {
    Queue { name: name.to_owned(), delay_secs }
}

#[tokio::test]
async fn a_row_is_read_back_after_it_was_written() {
    let db = Db::memory();
    db.write(|tx| QUEUES.put(tx, &("1", "a"), &queue("a", 3))).await.unwrap();
    let row = db.read(|tx| QUEUES.get(tx, &("1", "a"))).unwrap();
    assert_eq!(row, Some(queue("a", 3)));
    let key = ("1".to_owned(), "b".to_owned());
    assert_eq!(db.read(|tx| QUEUES.get(tx, &key)).unwrap(), None);
}

#[tokio::test]
async fn a_listing_jumps_over_folders() {
    let db = Db::memory();
    let names = ["a", "photos/1", "photos/2024/x", "photos/2024/y", "photos/z", "q"];
    db.write(|tx| {
        for name in names {
            OBJECTS.put(tx, &("bucket", name, 7u64), &Raw(name.into()))?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let mut seen = Vec::new();
    db.read(|tx| {
        let within = Starting(("bucket",), "photos/");
        OBJECTS.scan(tx, &within, |(_, name, _), _| {
            seen.push(name);
            ControlFlow::Continue(())
        })?;
        OBJECTS.range(&within).past(&Starting(("bucket",), "photos/2024/")).visit(
            tx,
            |(_, name, _), _| {
                seen.push(name);
                ControlFlow::Break(())
            },
        )?;
        OBJECTS.scan_from(tx, Bound::Excluded(("bucket", "photos/z", 7)), "bucket", |key, _| {
            seen.push(key.1);
            ControlFlow::Continue(())
        })
    })
    .unwrap();
    let expected = ["photos/1", "photos/2024/x", "photos/2024/y", "photos/z", "photos/z", "q"];
    assert_eq!(seen, expected);
}
