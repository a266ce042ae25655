//! What keeps journals small: records that expire, files that are merged, and snapshots that go.
//!
//! AWS lets records go 24 to 48 hours after they are old enough, keeps snapshots for at most 24 hours, and compacts files when
//! it sees fit. Here a look is taken every hour. A file goes when its youngest record is old enough, and files are merged
//! with others of the same day only, so that a record never stays much longer than a day for the sake of others.

use std::collections::{BTreeMap, BTreeSet};

use fogbank_columns::{Writer, cells};
use fogbank_iceberg::{
    Commit, DataFile, ManifestFile, Operation, Removal, Status as FileStatus, read_manifest,
    read_manifest_list,
};

use super::columns::RECORD_TIMESTAMP;
use super::delivery::save;
use super::rows::{CONFIGURED, Journal};
use super::tables::{Open, Trouble, Worker, snapshot_of, uuid_of};
use crate::error::Error;
use fogbank_core::Fault;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
/// How many files of a day are merged into one at least.
const MERGED_FILES: usize = 8;
/// How large the files are that are merged, together and each at most.
const MERGED_BYTES: i64 = 16 << 20;
/// For how long snapshots stay.
const SNAPSHOT_MILLIS: i64 = HOUR_MILLIS;

/// Looks after a journal, if an hour has passed since the last time.
pub(super) async fn journal(
    worker: &Worker,
    number: u64,
    journal: Journal,
    arn: &str,
) -> Result<(), Error> {
    let now = worker.cx.now().millis();
    let since = now - journal.maintained_millis;
    if (0..HOUR_MILLIS).contains(&since) {
        return Ok(());
    }
    let days = worker.cx.read(|tx| {
        let row = CONFIGURED.get(tx, &*journal.bucket)?.filter(|row| row.number == number);
        Ok::<_, Error>(row.and_then(|row| row.expires_days))
    })?;
    match maintain(worker, arn, days, now).await {
        // A table that is gone, or closed, is found so by the next delivery.
        Ok(()) | Err(Trouble::Gone | Trouble::Denied) => {}
        Err(Trouble::Broken(fault)) => return Err(fault.into()),
    }
    let row = Journal { maintained_millis: now, ..journal };
    worker.cx.write(|tx| save(tx, number, &row)).await
}

async fn maintain(
    worker: &Worker,
    arn: &str,
    expires_days: Option<u32>,
    now: i64,
) -> Result<(), Trouble> {
    let mut open = worker.open(arn).await?;
    let mut files = data_files(&open).await?;
    if let Some(days) = expires_days {
        let oldest = now.saturating_sub((i64::from(days) + 1).saturating_mul(DAY_MILLIS));
        let is_old = |file: &DataFile| youngest(file).is_some_and(|millis| millis < oldest);
        let gone: BTreeSet<String> =
            files.iter().filter(|file| is_old(file)).map(|file| file.path.clone()).collect();
        if !gone.is_empty() {
            files.retain(|file| !gone.contains(&file.path));
            let commit = commit(&open, "expire", now)?;
            let removal = open.table()?.overwrite(commit, Removal::Files(gone), Vec::new());
            open.commit(removal).await?;
        }
    }
    for group in mergeable(files, now) {
        merge(&mut open, &group, now).await?;
    }
    expire(&mut open, now).await
}

/// Lets old snapshots go, with the files that nothing else needs.
pub(super) async fn expire(open: &mut Open<'_>, now: i64) -> Result<(), Trouble> {
    let expiry = open.table()?.expire_snapshots(now - SNAPSHOT_MILLIS, 1, now);
    if expiry.expired() > 0 {
        let uuid = commit(open, "snapshots", now)?.uuid;
        open.expire(expiry, &uuid).await?;
    }
    Ok(())
}

/// A commit of maintenance, which nothing repeats: what it changes is seen anew each time.
fn commit(open: &Open<'_>, what: &str, now_millis: i64) -> Result<Commit, Trouble> {
    let table = open.table()?;
    let of = table.metadata_location().unwrap_or_default();
    let name = format!("{what} {of} {now_millis}");
    Ok(Commit { snapshot_id: snapshot_of(&name), uuid: uuid_of(&name), now_millis })
}

/// The data files of a table.
async fn data_files(open: &Open<'_>) -> Result<Vec<DataFile>, Trouble> {
    let Some(list) = open.table()?.current_snapshot().map(|snapshot| &*snapshot.manifest_list)
    else {
        return Ok(Vec::new());
    };
    let manifests = read_manifest_list(&open.read(list).await?)?;
    let mut files = Vec::new();
    for manifest in manifests.iter().filter(|manifest| ManifestFile::is_live(manifest)) {
        for entry in read_manifest(&open.read(&manifest.path).await?, manifest)? {
            let entry = entry?;
            if entry.status != FileStatus::Deleted {
                files.push(entry.file);
            }
        }
    }
    Ok(files)
}

/// When the youngest record of a file was made.
fn youngest(file: &DataFile) -> Option<i64> {
    let bytes = file.upper_bounds.get(&RECORD_TIMESTAMP)?;
    Some(i64::from_le_bytes(bytes.as_slice().try_into().ok()?) / 1000)
}

/// Small files of one day each that are worth to be merged.
fn mergeable(files: Vec<DataFile>, now: i64) -> Vec<Vec<DataFile>> {
    let mut days: BTreeMap<i64, Vec<DataFile>> = BTreeMap::new();
    for file in files.into_iter().filter(|file| file.bytes < MERGED_BYTES / 4) {
        let day = youngest(&file).unwrap_or(now).div_euclid(DAY_MILLIS);
        days.entry(day).or_default().push(file);
    }
    let mut groups = Vec::new();
    for mut files in days.into_values() {
        files.sort_by_key(youngest);
        let (mut group, mut bytes) = (Vec::new(), 0);
        for file in files {
            bytes += file.bytes;
            group.push(file);
            if bytes >= MERGED_BYTES {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() >= MERGED_FILES);
    groups
}

/// Writes the rows of files into one that takes their place.
async fn merge(open: &mut Open<'_>, files: &[DataFile], now: i64) -> Result<(), Trouble> {
    let columns = open.table()?.current_schema().columns()?;
    let mut merged = Writer::new("journal", columns)?;
    for file in files {
        for row in cells(open.read(&file.path).await?)? {
            merged.push(row?)?;
        }
        tokio::task::yield_now().await;
    }
    let (bytes, statistics) = merged.finish_with_statistics()?;
    let expected: i64 = files.iter().map(|file| file.records).sum();
    if i64::try_from(statistics.rows).ok() != Some(expected) {
        return Err(Trouble::Broken(Fault::internal("files have other rows than they say")));
    }
    let commit = commit(open, "merge", now)?;
    let path = format!("{}/data/{}.parquet", open.location(), commit.uuid);
    let file = DataFile::parquet(&path, bytes.len(), &statistics);
    open.write(&path, bytes).await?;
    let gone = files.iter().map(|file| file.path.clone()).collect();
    let transaction = open.table()?.overwrite(commit, Removal::Files(gone), vec![file]);
    open.commit(transaction.as_operation(Operation::Replace)).await
}
