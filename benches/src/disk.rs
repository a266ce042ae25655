//! What the disk itself allows: the bound that durable rates are judged by.
//!
//! Both figures come from the file system that the state lies on, in the same run. The second one is an upper bound for
//! any group commit: producers who wait for their record, and a writer that appends all waiting records with one write
//! and one `fdatasync`, and does nothing else.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// What a durable write of a small item or message adds to the journal.
const RECORD_BYTES: usize = 400;
/// How long each probe takes.
const SPAN: Duration = Duration::from_secs(3);

/// What the disk was seen to do.
pub(crate) struct Limits {
    /// Appends of one record a second, each synced before the next.
    pub(crate) syncs: f64,
    /// Records a second of producers that share syncs.
    pub(crate) shared: f64,
    /// How many producers there were.
    pub(crate) producers: usize,
}

/// Measures the disk under `folder`.
pub(crate) async fn probe(folder: &Path, producers: usize) -> anyhow::Result<Limits> {
    std::fs::create_dir_all(folder).context("cannot make the folder of --disk")?;
    let path = folder.join("fogbank-benches.probe");
    let syncs = alone(&path)?;
    let shared = together(&path, producers).await?;
    std::fs::remove_file(&path).context("cannot remove the probe's file")?;
    Ok(Limits { syncs, shared, producers })
}

fn alone(path: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(path).context("cannot write to the folder of --disk")?;
    let record = [7; RECORD_BYTES];
    let begun = Instant::now();
    let mut done = 0_u32;
    while begun.elapsed() < SPAN {
        file.write_all(&record)?;
        file.sync_data()?;
        done += 1;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}

async fn together(path: &Path, producers: usize) -> anyhow::Result<f64> {
    let mut file = File::create(path).context("cannot write to the folder of --disk")?;
    let (sender, receiver) = std::sync::mpsc::channel::<oneshot::Sender<()>>();
    let writer = std::thread::spawn(move || -> std::io::Result<()> {
        while let Ok(first) = receiver.recv() {
            let waiting: Vec<_> = std::iter::once(first).chain(receiver.try_iter()).collect();
            file.write_all(&vec![7; RECORD_BYTES * waiting.len()])?;
            file.sync_data()?;
            for producer in waiting {
                // A producer whose time is over does not want to know.
                let _ = producer.send(());
            }
        }
        Ok(())
    });
    let begun = Instant::now();
    let local = LocalSet::new();
    let tasks: Vec<_> = (0..producers)
        .map(|_| {
            let sender = sender.clone();
            local.spawn_local(async move {
                let mut done = 0_u32;
                while begun.elapsed() < SPAN {
                    let (tell, told) = oneshot::channel();
                    if sender.send(tell).is_err() || told.await.is_err() {
                        break;
                    }
                    done += 1;
                }
                done
            })
        })
        .collect();
    drop(sender);
    local.await;
    let took = begun.elapsed().as_secs_f64();
    let mut done = 0.0;
    for task in tasks {
        done += f64::from(task.await?);
    }
    writer.join().map_err(|_| anyhow::anyhow!("the probe's writer panicked"))??;
    Ok(done / took)
}
