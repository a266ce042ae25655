//! What the simulated disk keeps and loses.

use super::*;
use crate::{Durability, Raw, Table};

static ROWS: Table<u64, Raw> = Table::new("simulation.rows", 0x1000);

fn options() -> Options {
    Options { durability: Durability::Fsync, ..Options::memory() }
}

fn put(db: &Db, number: u64) -> Result<(), Error> {
    db.write_blocking(|tx| ROWS.put(tx, &number, &Raw("row".into())))
}

fn has(db: &Db, number: u64) -> bool {
    db.read(|tx| ROWS.get(tx, &number)).unwrap().is_some()
}

#[test]
fn what_was_synced_outlives_a_loss_of_power() {
    let disk = SimulatedDisk::new(1);
    for number in 0..20 {
        let db = disk.open(&options()).unwrap();
        put(&db, number).unwrap();
        disk.restart(Crash::Power);
        assert!(put(&db, 1000).is_err(), "a database of an earlier life writes");
    }
    let db = disk.open(&options()).unwrap();
    assert!((0..20).all(|number| has(&db, number)));
    assert!(!has(&db, 1000));
}

#[test]
fn a_commit_that_is_not_synced_may_be_lost() {
    let mut lost = 0;
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        disk.set_faults(Faults { bug: Some(Bug::UnsyncedCommits), ..Faults::default() });
        put(&disk.open(&options()).unwrap(), 1).unwrap();
        disk.restart(Crash::Process);
        assert!(has(&disk.open(&options()).unwrap(), 1), "the end of a process loses nothing");
        disk.restart(Crash::Power);
        lost += u32::from(!has(&disk.open(&options()).unwrap(), 1));
    }
    assert!((1..20).contains(&lost), "{lost} of 20");
}

#[test]
fn it_stops_before_the_operation_it_was_told() {
    let disk = SimulatedDisk::new(1);
    let db = disk.open(&options()).unwrap();
    // A commit is a write and a sync.
    disk.stop_after(3);
    put(&db, 1).unwrap();
    assert!(put(&db, 2).is_err());
    assert!(put(&db, 3).is_err());
    disk.restart(Crash::Power);
    let db = disk.open(&options()).unwrap();
    assert!(has(&db, 1) && !has(&db, 3));
}

#[tokio::test]
async fn a_blob_is_there_as_a_whole_once_its_writer_has_finished() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let db = disk.open(&options()).unwrap();
        let commits = {
            let db = db.clone();
            tokio::spawn(async move { db.take_commit_steps(|_| async {}).await })
        };
        static BODIES: Table<u64, Body> = Table::new("simulation.bodies", 0x1001);
        let sizes = [100, 100_000, 5_000_000];
        for (number, size) in sizes.into_iter().enumerate() {
            let body = db.blobs().put(vec![number as u8; size].into()).await.unwrap();
            let row = Body { body };
            db.write(|tx| BODIES.put(tx, &(number as u64), &row)).await.unwrap();
        }
        drop(db);
        commits.abort();
        disk.restart(Crash::Power);
        let db = disk.open(&options()).unwrap();
        for (number, size) in sizes.into_iter().enumerate() {
            let row = db.read(|tx| BODIES.get(tx, &(number as u64))).unwrap().unwrap();
            assert_eq!(db.blobs().get(&row.body).await.unwrap(), vec![number as u8; size]);
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Body {
    body: crate::BlobRef,
}
crate::row!(Body, 1);
