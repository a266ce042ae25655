//! Kills a process that loads snapshots and resets the state, before, amid and after the exchange of the rows, and looks
//! whether the old or the new state is there as a whole.
//!
//! The test binary starts itself as the child, which tells through its output what the state may be from now on, and what
//! it is. `FOGBANK_CRASH_CYCLES` sets the number of cycles and `FOGBANK_CRASH_SEED` the moments.

#![allow(clippy::unwrap_used, reason = "a test says by a panic what went wrong")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use fogbank_store::{BlobRef, Db, Error, Options, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The same in all rows of a state.
    state: u64,
    body: BlobRef,
}
fogbank_store::row!(Entry, 1);

static ENTRIES: Table<u64, Entry> = Table::new("exchange.entries", 0x1000);

const ROWS: u64 = 40;
/// The state after a reset, which has no rows, and the one in the snapshot.
const NOTHING: u64 = 0;
const SAVED: u64 = 1;
const SNAPSHOT: &str = "saved";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn open(path: &Path) -> Db {
    Db::open(&Options {
        blob_grace: Duration::ZERO,
        memtable_bytes: 64 << 10,
        ..Options::new(path)
    })
    .unwrap()
}

/// A row's body, which is in the row, in a segment or, once, in a file.
fn body(state: u64, row: u64) -> Bytes {
    let len = if row == 0 { 5 << 20 } else { (row * 1_300) as usize };
    vec![(state * 31 + row) as u8; len].into()
}

/// Which state is there, as a whole and with all its bodies.
async fn state(db: &Db) -> u64 {
    let rows = db.read(|tx| ENTRIES.list(tx, &())).unwrap();
    let Some((_, first)) = rows.first() else { return NOTHING };
    let state = first.state;
    let keys: Vec<u64> = rows.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, (0..ROWS).collect::<Vec<_>>());
    for (row, entry) in rows {
        assert_eq!(entry.state, state, "row {row} is of another state");
        let bytes = db.blobs().get(&entry.body).await.unwrap();
        assert!(bytes == body(state, row), "the body of row {row} differs");
    }
    state
}

fn tell(what: &str, state: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{what} {state}").unwrap();
    out.flush().unwrap();
}

async fn write(db: &Db, state: u64) {
    let mut entries = Vec::new();
    for row in 0..ROWS {
        let bytes = body(state, row);
        let mut blob = db.blobs().writer(Some(bytes.len() as u64));
        blob.write(bytes).await.unwrap();
        entries.push(Entry { state, body: blob.finish().await.unwrap() });
    }
    tell("may be", state);
    db.write(|tx| {
        for (row, entry) in (0..).zip(&entries) {
            if let Some(old) = ENTRIES.get(tx, &row)? {
                db.blobs().free(tx, &old.body)?;
            }
            ENTRIES.put(tx, &row, entry)?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    tell("is", state);
}

/// Dies as by a kill, if this is the point where the parent wants it.
fn point(name: &str) {
    if std::env::var("FOGBANK_CRASH_POINT").is_ok_and(|point| point == name) {
        std::process::abort();
    }
}

/// The child of [`a_killed_exchange_leaves_one_state_whole`]; does nothing when run as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanging_child() {
    let Some(path) = std::env::var_os("FOGBANK_CRASH_DIR") else { return };
    let db = open(Path::new(&path));
    let mut number = state(&db).await.max(SAVED);
    let snapshots = db.snapshots();
    if snapshots.list().is_empty() {
        write(&db, SAVED).await;
        snapshots.save(SNAPSHOT, 0).unwrap();
    }
    tell("is", state(&db).await);
    loop {
        number += 1;
        write(&db, number).await;
        let prepare = |_: &mut fogbank_store::WriteTx| {
            point("before");
            Ok(())
        };
        if number.is_multiple_of(2) {
            tell("may be", NOTHING);
            tokio::task::block_in_place(|| snapshots.reset(prepare, || point("after"))).unwrap();
            tell("is", NOTHING);
        } else {
            tell("may be", SAVED);
            let load = || snapshots.load(SNAPSHOT, prepare, || point("after"));
            tokio::task::block_in_place(load).unwrap();
            tell("is", SAVED);
        }
    }
}

fn start(path: &Path, point: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exchanging_child", "--nocapture", "--test-threads=1"])
        .env("FOGBANK_CRASH_DIR", path)
        .env("FOGBANK_CRASH_POINT", point)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the state may be, by what the child has told; the last is the newest.
#[derive(Debug, Default)]
struct Told(Vec<u64>);

impl Told {
    fn hear(&mut self, line: &str) {
        let number = |rest: &str| rest.parse().ok();
        if let Some(state) = line.strip_prefix("is ").and_then(number) {
            self.0 = vec![state];
        } else if let Some(state) = line.strip_prefix("may be ").and_then(number) {
            self.0.push(state);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_exchange_leaves_one_state_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut random = setting("FOGBANK_CRASH_SEED", 1);
    for cycle in 0..setting("FOGBANK_CRASH_CYCLES", 12) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let point = ["before", "after", "", ""][(cycle % 4) as usize];
        let mut child = start(&path, point);
        let mut told = Told::default();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut exchanges = 0;
        while let Some(Ok(line)) = lines.next() {
            told.hear(&line);
            let begins = line == format!("may be {NOTHING}") || line == format!("may be {SAVED}");
            exchanges += u64::from(begins);
            // The first `may be` of a new directory is the snapshot's own state.
            if point.is_empty() && begins && exchanges > 1 + random % 3 {
                std::thread::sleep(Duration::from_micros((random >> 33) % 40_000));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let db = open(&path);
        let found = state(&db).await;
        match point {
            "before" => assert_eq!(Some(&found), told.0.first(), "cycle {cycle}: {told:?}"),
            "after" => assert_eq!(Some(&found), told.0.last(), "cycle {cycle}: {told:?}"),
            _ => assert!(told.0.contains(&found), "cycle {cycle}: {found} of {told:?}"),
        }
        let folders = std::fs::read_dir(&path).unwrap();
        let folders = folders
            .filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("rows")
            })
            .count();
        assert_eq!(folders, 1, "cycle {cycle}: rows that nobody reads stay");
        db.blobs().sweep().unwrap();
        // The snapshot has all its bodies, whatever was removed meanwhile.
        if cycle % 5 == 4 {
            db.snapshots().load(SNAPSHOT, |_| Ok(()), || ()).unwrap();
            assert_eq!(state(&db).await, SAVED);
        }
        db.close().unwrap();
    }
}
