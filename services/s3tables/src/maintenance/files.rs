//! The removal of files that no snapshot of a table names.
//!
//! A file that is not named, and older than the configuration's unreferenced days, counts as not current from then on, and is
//! removed when it has done so for the configuration's days. Whatever a commit names again until then stays. What is named
//! is looked up before the files are listed, so that a file which comes in between is young, and stays.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

use fogbank_core::{Fault, Timestamp};
use fogbank_iceberg::{ManifestFile, Status, read_manifest, read_manifest_list};
use serde_json::json;

use super::jobs::Work;
use crate::error::Error;
use crate::metadata;
use crate::store::{FileRemoval, NONCURRENT, Outcome, TABLES};

const DAY_MILLIS: i64 = 86_400_000;
/// How many files one look takes in.
const PAGE: usize = if cfg!(test) { 3 } else { 1000 };
/// How many files a table names at most whose others are removed: what the names need lies in memory, eight bytes each.
const MAX_NAMES: usize = 4_000_000;

/// The files that a table names. Two names that share a number count as one, which spares a file at worst.
#[derive(Default)]
struct Named {
    keys: HashSet<u64>,
}

fn number(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl Named {
    fn add(&mut self, location: &str, warehouse: &str) -> Result<(), Error> {
        if let Some(key) = metadata::key_of(location, warehouse) {
            self.keys.insert(number(key));
        }
        match self.keys.len() > MAX_NAMES {
            true => {
                Err(Error::bad("The table has too many files to look for those without a name."))
            }
            false => Ok(()),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.keys.contains(&number(key))
    }
}

/// Finds what a table names.
async fn named(work: &Work) -> Result<Named, Error> {
    let table = work.table().await?;
    let warehouse = &*work.row.warehouse;
    let mut named = Named::default();
    for location in work.row.metadata_location.iter() {
        named.add(location, warehouse)?;
    }
    for entry in &table.metadata_log {
        named.add(&entry.metadata_file, warehouse)?;
    }
    for file in table.statistics.iter().chain(&table.partition_statistics) {
        if let Some(location) = file.get("statistics-path").and_then(|path| path.as_str()) {
            named.add(location, warehouse)?;
        }
    }
    let mut manifests: BTreeMap<String, ManifestFile> = BTreeMap::new();
    for snapshot in &table.snapshots {
        named.add(&snapshot.manifest_list, warehouse)?;
        let list = work.file(&snapshot.manifest_list).await?;
        for manifest in read_manifest_list(&list).map_err(metadata::refusal)? {
            named.add(&manifest.path, warehouse)?;
            manifests.insert(manifest.path.clone(), manifest);
        }
    }
    for manifest in manifests.values() {
        let bytes = work.file(&manifest.path).await?;
        for entry in read_manifest(&bytes, manifest).map_err(metadata::refusal)? {
            let entry = entry.map_err(metadata::refusal)?;
            if entry.status != Status::Deleted {
                named.add(&entry.file.path, warehouse)?;
            }
        }
    }
    Ok(named)
}

/// A file as it is listed.
struct Listed {
    key: String,
    modified_millis: i64,
}

/// What is to be done about a page of files.
#[derive(Default)]
struct Verdict {
    /// They begin to count as not current.
    marked: Vec<String>,
    /// They are current, or were marked in a future that is none any more.
    unmarked: Vec<String>,
    removed: Vec<String>,
}

/// Removes what has not been current for long enough, and marks what is not current from now on.
pub(super) async fn remove(
    work: &Work,
    settings: &FileRemoval,
    now: i64,
) -> Result<Outcome, Error> {
    let named = named(work).await?;
    let mut after: Option<String> = None;
    loop {
        let files = list(work, after.as_deref()).await?;
        let is_last = files.len() < PAGE;
        let last = files.last().map(|file| file.key.clone());
        let verdict = judge(work, settings, now, &named, (after.as_deref(), files, is_last))?;
        let keys: Vec<&str> = verdict.removed.iter().map(String::as_str).collect();
        if !keys.is_empty() {
            metadata::remove(&work.cx, &work.arn, &work.row, &keys).await?;
        }
        note(work, &verdict, now).await?;
        if is_last {
            return Ok(Outcome::Successful);
        }
        after = last;
    }
}

async fn list(work: &Work, after: Option<&str>) -> Result<Vec<Listed>, Error> {
    let mut input = json!({ "Bucket": work.row.warehouse, "MaxKeys": PAGE });
    if let Some(after) = after {
        input["StartAfter"] = after.into();
    }
    let principal = work.cx.request().principal.clone();
    let call = work.cx.prepare(principal, "s3:ListObjectsV2", input);
    let page = work.cx.cloud().call(call).await?.output;
    let rows = page["Contents"].as_array().into_iter().flatten();
    rows.map(|row| {
        let modified: Option<Timestamp> =
            row["LastModified"].as_f64().map(|secs| Timestamp::from_millis((secs * 1000.0) as i64));
        match (row["Key"].as_str(), modified) {
            (Some(key), Some(modified)) => {
                Ok(Listed { key: key.to_owned(), modified_millis: modified.millis() })
            }
            _ => Err(Fault::internal("a listed file has no key or date").into()),
        }
    })
    .collect()
}

/// Compares the files of a page with what is named and what is marked.
fn judge(
    work: &Work,
    settings: &FileRemoval,
    now: i64,
    named: &Named,
    (after, files, is_last): (Option<&str>, Vec<Listed>, bool),
) -> Result<Verdict, Error> {
    let warehouse = &*work.row.warehouse;
    let marks = work.cx.read(|tx| {
        let mut range = NONCURRENT.range(&(warehouse,));
        if let Some(after) = after {
            range = range.after(&(warehouse, after));
        }
        if let Some(last) = files.last().filter(|_| !is_last) {
            range = range.up_to(&(warehouse, &*last.key));
        }
        range.list(tx)
    })?;
    let mut marks: BTreeMap<String, i64> = marks
        .into_iter()
        .map(|((_, key), since)| (key, i64::try_from(since).unwrap_or(i64::MAX)))
        .collect();
    let unreferenced_millis = i64::from(settings.unreferenced_days) * DAY_MILLIS;
    let noncurrent_millis = i64::from(settings.non_current_days) * DAY_MILLIS;
    let mut verdict = Verdict::default();
    for Listed { key, modified_millis } in files {
        match marks.remove(&key) {
            Some(_) if named.has(&key) => verdict.unmarked.push(key),
            // The clock was set back: the days begin again.
            Some(since) if since > now => verdict.marked.push(key),
            Some(since) if now - since >= noncurrent_millis => verdict.removed.push(key),
            Some(_) => {}
            None if named.has(&key) => {}
            None if now.saturating_sub(modified_millis) >= unreferenced_millis => {
                verdict.marked.push(key);
            }
            None => {}
        }
    }
    // What is marked and not listed is gone.
    verdict.unmarked.extend(marks.into_keys());
    Ok(verdict)
}

/// Keeps which files count as not current, as long as the table is there.
async fn note(work: &Work, verdict: &Verdict, now: i64) -> Result<(), Error> {
    let Verdict { marked, unmarked, removed } = verdict;
    if marked.is_empty() && unmarked.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let warehouse = &*work.row.warehouse;
    let since = u64::try_from(now).unwrap_or(0);
    work.cx
        .write(|tx| {
            if TABLES.get(tx, &work.key)?.is_none_or(|row| row.id != work.row.id) {
                return Err(Error::no_table());
            }
            for key in unmarked.iter().chain(removed) {
                NONCURRENT.delete(tx, &(warehouse, &**key))?;
            }
            for key in marked {
                NONCURRENT.put(tx, &(warehouse, &**key), &since)?;
            }
            Ok(())
        })
        .await
}
