//! Many writers and readers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fogbank_store::{Db, Error, Table, Write};

use crate::{Store, on_every_engine};

/// Read often, so that what is kept at hand is what is compared.
static COUNTERS: Table<u64, u64> = Table::new("test.counters", 0x1100).read_often();

const SHARED: u64 = 0;
const TASKS: u64 = 16;
const ROUNDS: u64 = 50;

on_every_engine! {
    increments_are_exact
    a_reader_sees_whole_transactions
    hooks_run_once_the_row_is_readable
    a_panic_harms_nobody_else
    threads_write_too
}

async fn increments_are_exact(mut store: Store) {
    let mut tasks = Vec::new();
    for task in 1..=TASKS {
        let db = store.db.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                // Every third transaction aborts after it has written.
                let aborts = round % 3 == 2;
                let done = db.write(|tx| increment(tx, task, aborts)).await;
                assert_eq!(done.is_err(), aborts);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let each = ROUNDS - ROUNDS / 3;
    for _ in 0..2 {
        let rows = store.db.read(|tx| COUNTERS.list(tx, &())).unwrap();
        assert_eq!(rows[0], (SHARED, TASKS * each));
        assert!(rows[1..].iter().all(|row| row.1 == each));
        assert_eq!(rows.len() as u64, TASKS + 1);
        store.reopen();
    }
}

fn increment(tx: &mut fogbank_store::WriteTx, task: u64, aborts: bool) -> Result<(), Error> {
    for key in [SHARED, task] {
        // Half of them read what was decoded before, if it is what is there.
        let count = match task % 2 {
            0 => COUNTERS.get(tx, &key)?.unwrap_or_default(),
            _ => COUNTERS.get_shared(tx, &key)?.map_or(0, |count| *count),
        };
        COUNTERS.put(tx, &key, &(count + 1))?;
    }
    if aborts { Err(Error::corrupt("test", "on purpose")) } else { Ok(()) }
}

async fn a_reader_sees_whole_transactions(store: Store) {
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (db, done) = (store.db.clone(), done.clone());
        std::thread::spawn(move || {
            let mut views = 0u64;
            while !done.load(Ordering::Relaxed) || views == 0 {
                let (rows, found) = db
                    .read(|tx| {
                        let found = [COUNTERS.get(tx, &1)?, COUNTERS.get(tx, &2)?];
                        Ok::<_, Error>((COUNTERS.list(tx, &())?, found))
                    })
                    .unwrap();
                let listed: Vec<_> = rows.iter().map(|row| row.1).collect();
                assert_eq!(listed, found.into_iter().flatten().collect::<Vec<_>>());
                let sum: u64 = rows.iter().map(|row| row.1).sum();
                assert_eq!(sum % 10, 0, "half a transaction was visible: {rows:?}");
                views += 1;
            }
        })
    };
    for round in 0..200 {
        let amount = round % 7;
        store
            .db
            .write(|tx| {
                COUNTERS.put(tx, &1, &amount)?;
                COUNTERS.put(tx, &2, &(10 - amount))
            })
            .await
            .unwrap();
    }
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

async fn hooks_run_once_the_row_is_readable(store: Store) {
    let seen = Arc::new(AtomicU64::new(0));
    for number in 1..=20 {
        let (hook_db, hook_seen) = (store.db.clone(), seen.clone());
        store
            .db
            .write(|tx| {
                let (db, seen) = (hook_db.clone(), hook_seen.clone());
                COUNTERS.put(tx, &SHARED, &number)?;
                tx.on_commit(Box::new(move || {
                    let now = db.read(|tx| COUNTERS.get(tx, &SHARED)).unwrap();
                    seen.store(now.unwrap(), Ordering::SeqCst);
                }));
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        while seen.load(Ordering::SeqCst) != number {
            tokio::task::yield_now().await;
        }
    }
}

async fn a_panic_harms_nobody_else(store: Store) {
    let db = store.db.clone();
    let panicked = tokio::spawn(async move {
        db.write(|tx| {
            COUNTERS.put(tx, &1, &1)?;
            if tx.version() > 0 {
                panic!("on purpose");
            }
            Ok::<_, Error>(())
        })
        .await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    store.db.write(|tx| COUNTERS.put(tx, &2, &2)).await.unwrap();
    assert_eq!(store.db.read(|tx| COUNTERS.list(tx, &())).unwrap(), [(2, 2)]);
}

async fn threads_write_too(store: Store) {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let db: Db = store.db.clone();
            std::thread::spawn(move || {
                for _ in 0..ROUNDS {
                    db.write_blocking(|tx| increment(tx, 1, false)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    store.db.flush().unwrap();
    assert_eq!(store.db.read(|tx| COUNTERS.get(tx, &1)).unwrap(), Some(4 * ROUNDS));
}
