//! Kills a process that writes, again and again, and looks at what it leaves behind.
//!
//! The test binary starts itself as the child. The child tells through its output what was acknowledged; the parent
//! kills it at a random moment, opens the directory and compares. `FOGBANK_CRASH_CYCLES` sets the number of cycles and
//! `FOGBANK_CRASH_SEED` the moments.

#![allow(clippy::unwrap_used, reason = "a test says by a panic what went wrong")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use fogbank_store::{BlobRef, Db, Durability, Error, Options, Table, WriteTx};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    body: BlobRef,
}
fogbank_store::row!(Entry, 1);

/// How many entries each writer made, and under `TOTAL` all of them.
static COUNTS: Table<u64, u64> = Table::new("crash.counts", 0x1000);
static ENTRIES: Table<(u64, u64), Entry> = Table::new("crash.entries", 0x1001);

const TOTAL: u64 = u64::MAX;
const WRITERS: u64 = 6;
/// Entries that a writer keeps; older ones it removes with their bodies.
const KEPT: u64 = 5;

/// Small generator of moments and sizes, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn open(path: &Path, durability: Durability) -> Result<Db, Error> {
    // Small memtables, so that many are written out and merged, and some cycles end in the middle of that.
    let memtable_bytes = 64 << 10;
    Db::open(&Options {
        blob_grace: Duration::ZERO,
        durability,
        memtable_bytes,
        ..Options::new(path)
    })
}

/// The body of an entry follows from its name. Its size is one of a row, a segment or a file.
fn body(writer: u64, number: u64) -> Bytes {
    let mut random = Random(writer * 1_000_003 + number);
    let len = match random.below(50) {
        0 => (4 << 20) + random.below(1 << 20),
        1..=15 => 16_385 + random.below(200_000),
        _ => random.below(2_000),
    };
    let block: Vec<_> = (0..251).map(|at| (at + random.below(4)) as u8).collect();
    let mut bytes = block.repeat((len / 251 + 1) as usize);
    bytes.truncate(len as usize);
    bytes.into()
}

fn start(child: &str, path: &Path, durability: Durability) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env("FOGBANK_CRASH_DIR", path)
        .env("FOGBANK_CRASH_DURABILITY", durability.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The durability that a child was started with.
fn child_durability() -> Durability {
    std::env::var("FOGBANK_CRASH_DURABILITY").unwrap().parse().unwrap()
}

/// The child of [`check_kills`]; does nothing when run as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_child() {
    let Some(path) = std::env::var_os("FOGBANK_CRASH_DIR") else { return };
    let db = open(Path::new(&path), child_durability()).unwrap();
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(run(db.clone(), writer))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn run(db: Db, writer: u64) {
    loop {
        let number = db.read(|tx| COUNTS.get(tx, &writer)).unwrap().unwrap_or_default() + 1;
        let bytes = body(writer, number);
        let mut blob = db.blobs().writer(Some(bytes.len() as u64));
        for chunk in bytes.chunks(100_000) {
            blob.write(bytes.slice_ref(chunk)).await.unwrap();
        }
        let entry = Entry { body: blob.finish().await.unwrap() };
        let blobs = db.blobs();
        db.write(|tx| add(tx, blobs, writer, number, &entry)).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged {writer} {number}").unwrap();
        out.flush().unwrap();
    }
}

fn add(
    tx: &mut WriteTx,
    blobs: &fogbank_store::Blobs,
    writer: u64,
    number: u64,
    entry: &Entry,
) -> Result<(), Error> {
    let total = COUNTS.get(tx, &TOTAL)?.unwrap_or_default();
    COUNTS.put(tx, &TOTAL, &(total + 1))?;
    COUNTS.put(tx, &writer, &number)?;
    ENTRIES.put(tx, &(writer, number), entry)?;
    if let Some(old) = number.checked_sub(KEPT)
        && let Some(entry) = ENTRIES.get(tx, &(writer, old))?
    {
        ENTRIES.delete(tx, &(writer, old))?;
        blobs.free(tx, &entry.body)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills() {
    check_kills(Durability::Fsync).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_though_nothing_is_synced() {
    check_kills(Durability::Buffered).await;
}

async fn check_kills(durability: Durability) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut random = Random(setting("FOGBANK_CRASH_SEED", 1));
    let mut acknowledged = [0; WRITERS as usize];
    for cycle in 0..setting("FOGBANK_CRASH_CYCLES", 20) {
        let mut child = start("writing_child", &path, durability);
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || read_acknowledgements(output));
        std::thread::sleep(Duration::from_millis(10 + random.below(250)));
        child.kill().unwrap();
        child.wait().unwrap();
        for (writer, number) in reader.join().unwrap() {
            acknowledged[writer as usize] = number.max(acknowledged[writer as usize]);
        }
        let db = open(&path, durability).unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        check(&db, &mut acknowledged).await;
        check_files(&db, &path);
        db.close().unwrap();
    }
    let total: u64 = acknowledged.iter().sum();
    assert!(total > 100, "the children hardly wrote anything: {acknowledged:?}");
}

fn read_acknowledgements(output: impl BufRead) -> Vec<(u64, u64)> {
    let mut seen = Vec::new();
    for line in output.lines() {
        // The last line may be cut off by the kill; then its number only looks smaller than it was.
        let Ok(line) = line else { break };
        if let Some(rest) = line.strip_prefix("acknowledged ")
            && let Some((writer, number)) = rest.split_once(' ')
            && let (Ok(writer), Ok(number)) = (writer.parse(), number.parse())
        {
            seen.push((writer, number));
        }
    }
    seen
}

/// Nothing acknowledged is missing, nothing is half there, and every body is as it was written.
async fn check(db: &Db, acknowledged: &mut [u64; WRITERS as usize]) {
    let mut total = 0;
    for writer in 0..WRITERS {
        let count = db.read(|tx| COUNTS.get(tx, &writer)).unwrap().unwrap_or_default();
        let known = &mut acknowledged[writer as usize];
        assert!(count >= *known, "writer {writer}: {known} acknowledged, {count} there");
        *known = count;
        total += count;
        let entries = db.read(|tx| ENTRIES.list(tx, &(writer,))).unwrap();
        let numbers: Vec<_> = entries.iter().map(|(key, _)| key.1).collect();
        let expected: Vec<_> = (count.saturating_sub(KEPT - 1).max(1)..=count).collect();
        assert_eq!(numbers, expected, "writer {writer}");
        for ((_, number), entry) in entries {
            let bytes = db.blobs().get(&entry.body).await.unwrap();
            assert!(bytes == body(writer, number), "the body {writer}/{number} differs");
        }
    }
    assert_eq!(db.read(|tx| COUNTS.get(tx, &TOTAL)).unwrap().unwrap_or_default(), total);
}

/// After a sweep the files hold what the entries name and hardly more.
fn check_files(db: &Db, path: &Path) {
    use std::os::unix::fs::MetadataExt;
    db.blobs().sweep().unwrap();
    let entries = db.read(|tx| ENTRIES.list(tx, &())).unwrap();
    let named: u64 = entries
        .iter()
        .filter(|(_, entry)| entry.body.as_inline().is_none())
        .map(|(_, entry)| entry.body.len() + 4096 + 32)
        .sum();
    let used: u64 = std::fs::read_dir(path.join("blobs"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().blocks() * 512)
        .sum();
    // A file system may keep a few blocks of its own for each file.
    assert!(used <= named + (256 << 10), "{used} bytes used for {named} bytes of blobs");
}

/// The child of [`a_kill_during_creation_leaves_a_usable_directory`]; does nothing when run as a test.
#[test]
fn creating_child() {
    let Some(path) = std::env::var_os("FOGBANK_CRASH_DIR") else { return };
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nopening").unwrap();
    out.flush().unwrap();
    open(Path::new(&path), child_durability()).unwrap();
    writeln!(out, "\nopen").unwrap();
}

#[test]
fn a_kill_during_creation_leaves_a_usable_directory() {
    let mut random = Random(setting("FOGBANK_CRASH_SEED", 1));
    let mut finished = 0;
    let cycles = setting("FOGBANK_CRASH_CYCLES", 20);
    for cycle in 0..cycles {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        // Several kills in a row must not make it worse.
        for _ in 0..2 {
            let mut child = start("creating_child", &path, Durability::Fsync);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            while lines.next().is_some_and(|line| line.unwrap() != "opening") {}
            std::thread::sleep(Duration::from_micros(random.below(15_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            finished += usize::from(lines.any(|line| line.is_ok_and(|line| line == "open")));
        }
        let db =
            open(&path, Durability::Fsync).unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        db.write_blocking(|tx| COUNTS.put(tx, &1, &1)).unwrap();
        db.close().unwrap();
    }
    assert!(finished < 2 * cycles as usize, "every child had finished before it was killed");
}
