//! Snapshots: the whole state under a name, to go back to or to branch from while the cloud runs.
//!
//! A snapshot holds the rows as they were at one moment, in a file of their own, and shares the blobs with the present:
//! the sweeper keeps what a snapshot names. Loading one builds a new engine beside the present one and exchanges the two
//! between two transactions. Rows of the store itself (versions, garbage) are not part of a snapshot.

mod backup;
mod diff;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::blob::disk::Disk;
use crate::blob::{Blobs, Tally};
use crate::commit::Committer;
use crate::engine::{Sink, Survives, View};
use crate::{Error, Read, ReadTx, WriteTx, meta};
pub use backup::{restore_backup, verify_backup};
pub use diff::{Difference, Found};
use file::{RowsFile, RowsWriter};

/// The longest name of a snapshot.
const MAX_NAME_BYTES: usize = 64;
const EXTENSION: &str = ".rows";

/// What is known of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotInfo {
    /// Its name.
    pub name: String,
    /// When it was saved, in milliseconds of the Unix epoch.
    pub created_millis: i64,
    /// The snapshot that the state came from: the last one saved or loaded before.
    pub parent: Option<String>,
    /// The version of the last transaction before it.
    pub version: u64,
    /// How many rows it has.
    pub rows: u64,
    /// Size of their keys and values.
    pub row_bytes: u64,
    /// How many blobs it names.
    pub blobs: u64,
    /// Their size.
    pub blob_bytes: u64,
}

/// The snapshots of a database; clones are handles of the same. All calls block.
#[derive(Clone)]
pub struct Snapshots {
    inner: Arc<Inner>,
}

struct Inner {
    committer: Arc<Committer>,
    blobs: Blobs,
    /// Nothing in memory, where a view is as good as a file.
    disk: Option<Arc<dyn Disk>>,
    known: Mutex<BTreeMap<String, Known>>,
    /// Held while something is saved, loaded or deleted.
    one_at_a_time: Mutex<()>,
}

#[derive(Clone)]
struct Known {
    info: SnapshotInfo,
    rows: Arc<dyn View>,
}

impl Snapshots {
    pub(crate) fn open(
        committer: Arc<Committer>,
        blobs: Blobs,
        disk: Option<Arc<dyn Disk>>,
    ) -> Result<Snapshots, Error> {
        let mut known = BTreeMap::new();
        if let Some(disk) = &disk {
            let failed = |error| Error::io("opening the snapshots", error);
            for file_name in disk.list().map_err(failed)? {
                let Some(name) = file_name.strip_suffix(EXTENSION) else { continue };
                match RowsFile::open(disk.open(&file_name).map_err(failed)?) {
                    Ok(Some(rows)) => {
                        let mut info = rows.info().clone();
                        name.clone_into(&mut info.name);
                        let rows: Arc<dyn View> = Arc::new(rows);
                        blobs.held().add(rows.clone());
                        known.insert(name.to_owned(), Known { info, rows });
                    }
                    // It was not finished when the process was killed, so nobody was told of it.
                    Ok(None) => disk.remove(&file_name).map_err(failed)?,
                    Err(error) => {
                        tracing::error!(%error, name, "a snapshot cannot be read; blobs are kept, since it may name them");
                        blobs.held().keep_all();
                    }
                }
            }
        }
        let (known, one_at_a_time) = (Mutex::new(known), Mutex::new(()));
        let inner = Inner { committer, blobs, disk, known, one_at_a_time };
        Ok(Snapshots { inner: Arc::new(inner) })
    }

    /// All snapshots by name.
    pub fn list(&self) -> Vec<SnapshotInfo> {
        self.inner.known.lock().values().map(|known| known.info.clone()).collect()
    }

    /// The snapshot that the present state came from, which may be gone.
    pub fn base(&self) -> Result<Option<String>, Error> {
        meta::BASE.get(&self.now(), &())
    }

    /// Keeps the present state under a name. The cloud runs on meanwhile; what it writes is not part of it.
    pub fn save(&self, name: &str, created_millis: i64) -> Result<SnapshotInfo, Error> {
        check_name(name)?;
        let _alone = self.inner.one_at_a_time.lock();
        if self.inner.known.lock().contains_key(name) {
            return Err(Error::SnapshotExists(name.to_owned()));
        }
        let view = self.inner.blobs.hold_present()?;
        let saved = self.keep(name, created_millis, &view);
        self.inner.blobs.held().remove(&view);
        let info = saved?.info;
        self.inner.committer.write_blocking(|tx| meta::BASE.put(tx, &(), &info.name))?;
        Ok(info)
    }

    fn keep(&self, name: &str, created_millis: i64, view: &Arc<dyn View>) -> Result<Known, Error> {
        let tx = ReadTx::new(view.clone());
        let mut info = SnapshotInfo {
            name: name.to_owned(),
            created_millis,
            parent: meta::BASE.get(&tx, &())?,
            version: meta::META.get(&tx, meta::VERSION)?.unwrap_or_default(),
            rows: 0,
            row_bytes: 0,
            blobs: 0,
            blob_bytes: 0,
        };
        let rows: Arc<dyn View> = match &self.inner.disk {
            None => {
                info = tally(&tx, info, &mut |_, _| Ok(()))?;
                view.clone()
            }
            Some(disk) => {
                let file_name = format!("{name}{EXTENSION}");
                let file = self.write(&**disk, &file_name, &tx, info).inspect_err(|_| {
                    // What is left of it is removed at the next start, too.
                    let _ = disk.remove(&file_name);
                })?;
                info = file.info().clone();
                Arc::new(file)
            }
        };
        let known = Known { info, rows };
        self.inner.blobs.held().add(known.rows.clone());
        self.inner.known.lock().insert(name.to_owned(), known.clone());
        Ok(known)
    }

    fn write(
        &self,
        disk: &dyn Disk,
        file_name: &str,
        tx: &ReadTx,
        info: SnapshotInfo,
    ) -> Result<RowsFile, Error> {
        let file = disk
            .create(file_name)
            .map_err(|error| Error::io(format!("creating the snapshot {file_name}"), error))?;
        let mut writer = RowsWriter::new(file);
        let info = tally(tx, info, &mut |key, value| writer.add(key, value))?;
        let file = writer.finish(info)?;
        disk.sync_names().map_err(|error| Error::io("syncing the folder of snapshots", error))?;
        Ok(file)
    }

    /// Puts the state of a snapshot in place of the present one, at once and for good: a restart finds it.
    ///
    /// `prepare` may change the rows before anybody sees them, and `then` runs at the moment of the change, after the
    /// last transaction on the old state and before the first on the new one.
    pub fn load(
        &self,
        name: &str,
        prepare: impl FnOnce(&mut WriteTx) -> Result<(), Error>,
        then: impl FnOnce(),
    ) -> Result<SnapshotInfo, Error> {
        let _alone = self.inner.one_at_a_time.lock();
        let known = self.find(name)?;
        self.replace(Some(&known), prepare, then)?;
        Ok(known.info)
    }

    /// Puts an empty state in place of the present one. Snapshots stay.
    pub fn reset(
        &self,
        prepare: impl FnOnce(&mut WriteTx) -> Result<(), Error>,
        then: impl FnOnce(),
    ) -> Result<(), Error> {
        let _alone = self.inner.one_at_a_time.lock();
        self.replace(None, prepare, then)
    }

    fn replace(
        &self,
        source: Option<&Known>,
        prepare: impl FnOnce(&mut WriteTx) -> Result<(), Error>,
        then: impl FnOnce(),
    ) -> Result<(), Error> {
        let committer = &self.inner.committer;
        let engine = committer.engine()?.rebuild(&mut |sink| match source {
            Some(known) => copy(&ReadTx::new(known.rows.clone()), sink),
            None => Ok(()),
        })?;
        let mut tx = WriteTx::upon(engine.view()?, committer.version());
        prepare(&mut tx)?;
        let version = tx.version();
        meta::META.put(&mut tx, meta::VERSION, &version)?;
        meta::META.put(&mut tx, meta::OPENED, &u64::from(self.inner.blobs.epoch()))?;
        // The next start looks at all blobs: whether this process frees them all below is not certain.
        meta::META.put(&mut tx, meta::BLOBS_SWEPT, &0)?;
        if let Some(known) = source {
            meta::BASE.put(&mut tx, &(), &known.info.name)?;
        }
        if let Some(failure) = tx.failure.take() {
            return Err(failure);
        }
        engine.commit(&tx.own, Survives::PowerCut)?;
        engine.flush()?;
        drop(tx);
        let replaced = committer.exchange(engine, then)?;
        self.inner.blobs.free_unnamed(&ReadTx::new(replaced))
    }

    /// Removes a snapshot, and the bytes of the blobs that only it named.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        let _alone = self.inner.one_at_a_time.lock();
        let known = self.find(name)?;
        // If the process is killed before the blobs are freed, the next start looks at them all.
        self.inner.committer.write_blocking(|tx| meta::META.put(tx, meta::BLOBS_SWEPT, &0))?;
        if let Some(disk) = &self.inner.disk {
            let failed = |error| Error::io(format!("removing the snapshot {name}"), error);
            match disk.remove(&format!("{name}{EXTENSION}")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => disk.sync_names().map_err(failed)?,
            }
        }
        self.inner.known.lock().remove(name);
        self.inner.blobs.held().remove(&known.rows);
        self.inner.blobs.free_unnamed(&ReadTx::new(known.rows))
    }

    fn find(&self, name: &str) -> Result<Known, Error> {
        let known = self.inner.known.lock().get(name).cloned();
        known.ok_or_else(|| Error::NoSuchSnapshot(name.to_owned()))
    }

    fn now(&self) -> ReadTx {
        ReadTx::new(self.inner.committer.published())
    }

    /// The rows of a snapshot; of the present for `None`.
    fn rows(&self, name: Option<&str>) -> Result<ReadTx, Error> {
        match name {
            Some(name) => Ok(ReadTx::new(self.find(name)?.rows)),
            None => Ok(self.now()),
        }
    }
}

/// Visits every row that a snapshot has, in order.
fn copy(tx: &ReadTx, sink: &mut Sink<'_>) -> Result<(), Error> {
    for (start, end) in meta::PORTABLE {
        let mut outcome = Ok(());
        tx.scan(&start.to_be_bytes(), &end.to_be_bytes(), false, &mut |key, value| match sink(
            key, value,
        ) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        })?;
        outcome?;
    }
    Ok(())
}

/// Visits the rows and counts them.
fn tally(tx: &ReadTx, mut info: SnapshotInfo, sink: &mut Sink<'_>) -> Result<SnapshotInfo, Error> {
    let mut blobs = Tally::default();
    copy(tx, &mut |key, value| {
        info.rows += 1;
        info.row_bytes += (key.len() + value.len()) as u64;
        blobs.count(key, value)?;
        sink(key, value)
    })?;
    Ok(SnapshotInfo { blobs: blobs.blobs, blob_bytes: blobs.bytes, ..info })
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(Error::SnapshotName(name.to_owned()))
    }
}
