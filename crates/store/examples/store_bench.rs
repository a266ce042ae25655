//! Measures the store in a directory: `cargo run --release -p fogbank-store --example store_bench -- DIR [fsync|buffered|memory]`.
//!
//! It prints how long opening takes and the memory after it, then durable read-modify-write transactions a second for 1,
//! 32 and 256 tasks, beside the syncs a second that the disk itself does, then blobs written and read.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbank_store::{BlobRef, Db, Durability, Error, Options, Raw, Table};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Body(BlobRef);
fogbank_store::row!(Body, 1);

static ITEMS: Table<u64, Raw> = Table::new("bench.items", 0x1000);
static BODIES: Table<(u64, u64), Body> = Table::new("bench.bodies", 0x1002);
static INDEX: Table<(u64, u64), ()> = Table::new("bench.index", 0x1001);

const ITEMS_COUNT: u64 = 200_000;
const SECONDS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("the first argument is a directory")?;
    let durability: Durability = args.next().unwrap_or_else(|| "fsync".to_owned()).parse()?;
    std::fs::create_dir_all(&path)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "before: {} KiB resident", resident_kib())?;
    for round in ["first", "second"] {
        let start = Instant::now();
        let db = Db::open(&Options { durability, ..Options::new(&path) })?;
        let opened = start.elapsed();
        let start = Instant::now();
        db.close()?;
        let closed = start.elapsed();
        writeln!(
            out,
            "{round} open {opened:?}, close {closed:?}, {} KiB resident",
            resident_kib()
        )?;
    }
    writeln!(out, "syncs/s of the disk: {}", syncs_a_second(&path)?)?;
    let db = Db::open(&Options { durability, ..Options::new(&path) })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for tasks in [1, 32, 256] {
        let (count, p50, p99, max) = runtime.block_on(run(&db, tasks));
        writeln!(
            out,
            "x{tasks}: {} transactions/s, p50 {p50:?}, p99 {p99:?}, max {max:?}",
            count / SECONDS
        )?;
    }
    for (size, tasks) in [(4 << 10, 32), (64 << 10, 32), (1 << 20, 8), (64 << 20, 4)] {
        let (written, read) = runtime.block_on(run_blobs(&db, size, tasks));
        let megabytes = |rate: f64| rate * size as f64 / 1e6;
        writeln!(
            out,
            "blobs of {} KiB x{tasks}: {written:.0} written/s, {:.0} MB/s; {read:.0} read/s, {:.0} MB/s",
            size >> 10,
            megabytes(written),
            megabytes(read)
        )?;
    }
    writeln!(
        out,
        "after: {} KiB resident, {} KiB on disk",
        resident_kib(),
        db.disk_bytes()? >> 10
    )?;
    Ok(())
}

/// Reads an item, changes it, and moves its entry in two indexes.
async fn run(db: &Db, tasks: u64) -> (u64, Duration, Duration, Duration) {
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let seed = Arc::new(AtomicU64::new(1));
    let mut running = Vec::new();
    for _ in 0..tasks {
        let (db, seed) = (db.clone(), seed.clone());
        running.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let number = seed.fetch_add(1, Ordering::Relaxed);
                let start = Instant::now();
                update(&db, number).await.expect("the transaction commits");
                latencies.push(start.elapsed());
            }
            latencies
        }));
    }
    let mut latencies = Vec::new();
    for task in running {
        latencies.extend(task.await.expect("the task ends"));
    }
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    (latencies.len() as u64, at(0.5), at(0.99), at(1.0))
}

async fn update(db: &Db, number: u64) -> Result<(), Error> {
    let key = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % ITEMS_COUNT;
    db.write(|tx| {
        let old = ITEMS.get(tx, &key)?.unwrap_or_default().0;
        let version = old.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let mut new = vec![b'x'; 300];
        new[..8].copy_from_slice(&(version + 1).to_be_bytes());
        ITEMS.put(tx, &key, &Raw(new.into()))?;
        for index in 0..2 {
            INDEX.delete(tx, &(index + version * 2, key))?;
            INDEX.put(tx, &(index + version * 2 + 2, key), &())?;
        }
        Ok(())
    })
    .await
}

/// Writes blobs for some seconds, each named by a row, then reads them; both as blobs a second.
async fn run_blobs(db: &Db, size: usize, tasks: u64) -> (f64, f64) {
    let chunk = Bytes::from(vec![b'x'; size.min(64 << 10)]);
    let start = Instant::now();
    let mut running = Vec::new();
    for task in 0..tasks {
        let (db, chunk) = (db.clone(), chunk.clone());
        running.push(tokio::spawn(async move {
            let mut count = 0;
            while start.elapsed() < Duration::from_secs(SECONDS / 2) || count == 0 {
                put(&db, &chunk, size, (task, count)).await.expect("the blob is written");
                count += 1;
            }
            count
        }));
    }
    let mut counts = Vec::new();
    for task in running {
        counts.push(task.await.expect("the task ends"));
    }
    let written = counts.iter().sum::<u64>() as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut read = 0u64;
    for (task, count) in counts.into_iter().enumerate() {
        for number in 0..count {
            let body = db.read(|tx| BODIES.get(tx, &(task as u64, number)));
            let Some(Body(body)) = body.expect("the row is read") else { continue };
            let mut reader = db.blobs().read(&body, ..).expect("the blob is there");
            while let Some(frame) = reader.next().await {
                frame.expect("the blob is read");
            }
            read += 1;
        }
    }
    (written, read as f64 / start.elapsed().as_secs_f64())
}

async fn put(db: &Db, chunk: &Bytes, size: usize, key: (u64, u64)) -> Result<(), Error> {
    let mut writer = db.blobs().writer(Some(size as u64));
    for _ in 0..size / chunk.len() {
        writer.write(chunk.clone()).await?;
    }
    let body = Body(writer.finish().await?);
    db.write(|tx| BODIES.put(tx, &key, &body)).await
}

fn syncs_a_second(path: &str) -> std::io::Result<u64> {
    let name = std::path::Path::new(path).join("sync-probe");
    let mut file = File::create(&name)?;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(2) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    std::fs::remove_file(name)?;
    Ok(count / 2)
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}
