//! The simulated folder of blobs: writes that may be lost or torn until they are synced, and names that may be, too.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::{Bug, Chance, Shared, State};
use crate::blob::disk::{Disk, DiskFile};

/// A write that is torn ends at a multiple of this.
const SECTOR_BYTES: usize = 512;

/// The files on the disk.
#[derive(Default)]
pub(super) struct Files {
    names: BTreeMap<String, u64>,
    synced_names: BTreeMap<String, u64>,
    contents: BTreeMap<u64, Content>,
    next: u64,
}

#[derive(Default)]
struct Content {
    /// What readers see.
    bytes: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

enum Change {
    Write { offset: usize, bytes: Bytes },
    Hole { offset: usize, len: usize },
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes } => write(to, *offset, bytes),
            Change::Hole { offset, len } => {
                let end = (offset + len).min(to.len());
                to[(*offset).min(end)..end].fill(0);
            }
        }
    }

    /// Applies it as a whole, in part or not at all.
    fn apply_perhaps(&self, to: &mut Vec<u8>, chance: &mut Chance) {
        match self {
            Change::Write { offset, bytes } if chance.coin() => {
                let sectors = chance.up_to(bytes.len().div_ceil(SECTOR_BYTES));
                write(to, *offset, &bytes[..(sectors * SECTOR_BYTES).min(bytes.len())]);
            }
            _ if chance.coin() => self.apply(to),
            _ => {}
        }
    }
}

fn write(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(bytes);
}

impl Files {
    pub(super) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    /// Keeps of what was not synced what chance decides: of each name whether it is there, of each write how much.
    pub(super) fn lose_power(&mut self, chance: &mut Chance) {
        let names: BTreeSet<String> =
            self.names.keys().chain(self.synced_names.keys()).cloned().collect();
        for name in names {
            let (now, synced) = (self.names.get(&name), self.synced_names.get(&name));
            if now != synced && chance.coin() {
                match now.copied() {
                    Some(id) => self.synced_names.insert(name, id),
                    None => self.synced_names.remove(&name),
                };
            }
        }
        self.names = self.synced_names.clone();
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.contents.retain(|id, _| named.contains(id));
        for content in self.contents.values_mut() {
            for change in content.unsynced.drain(..) {
                change.apply_perhaps(&mut content.synced, chance);
            }
            content.bytes = content.synced.clone();
        }
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    /// After a failed sync the system believes the pages to be clean: they never reach the disk unless by chance.
    fn fail_to_sync(&mut self, chance: &mut Chance) {
        for change in self.unsynced.drain(..) {
            change.apply_perhaps(&mut self.synced, chance);
        }
    }
}

/// The folder in one life.
pub(super) struct SimulatedFolder {
    disk: Arc<Shared>,
    life: u64,
}

struct SimulatedFile {
    disk: Arc<Shared>,
    life: u64,
    id: u64,
}

impl SimulatedFolder {
    pub(super) fn new(disk: Arc<Shared>, life: u64) -> SimulatedFolder {
        SimulatedFolder { disk, life }
    }

    fn file(&self, id: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimulatedFile { disk: self.disk.clone(), life: self.life, id })
    }
}

/// Counts an operation on a file, and fails it if chance says so.
fn begin(disk: &Shared, state: &mut State, life: u64) -> io::Result<()> {
    disk.begin(state, life)?;
    let chance = state.faults.files_per_million;
    if state.chance.per_million(chance) {
        return Err(io::Error::other("the simulated disk fails"));
    }
    Ok(())
}

impl Disk for SimulatedFolder {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.disk.state.lock();
        begin(&self.disk, &mut state, self.life)?;
        if state.faults.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let files = &mut state.files;
        if files.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.next += 1;
        let id = files.next;
        files.names.insert(name.to_owned(), id);
        files.contents.insert(id, Content::default());
        Ok(self.file(id))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.disk.state.lock();
        let id = state.files.names.get(name).copied();
        id.map(|id| self.file(id)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        begin(&self.disk, &mut state, self.life)?;
        let removed = state.files.names.remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.disk.state.lock().files.names.keys().cloned().collect())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        begin(&self.disk, &mut state, self.life)?;
        if state.faults.bug != Some(Bug::UnsyncedNames) {
            state.files.synced_names = state.files.names.clone();
        }
        Ok(())
    }
}

impl SimulatedFile {
    /// Changes the content, in an operation that may fail.
    fn change(
        &self,
        change: impl FnOnce(&mut Content, &mut Chance, io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let begun = begin(&self.disk, &mut state, self.life);
        if state.dead || state.life != self.life {
            return begun;
        }
        let State { files, chance, .. } = &mut *state;
        change(files.contents.entry(self.id).or_default(), chance, begun)
    }
}

impl DiskFile for SimulatedFile {
    fn write_at(&self, parts: &[Bytes], offset: u64) -> io::Result<()> {
        if self.disk.state.lock().faults.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut offset = offset as usize;
        self.change(|content, chance, begun| {
            for part in parts {
                // A write that fails may have written a part.
                if begun.is_err() && chance.coin() {
                    break;
                }
                content.change(Change::Write { offset, bytes: part.clone() });
                offset += part.len();
            }
            begun
        })
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let state = self.disk.state.lock();
        if state.dead || state.life != self.life {
            return Err(io::Error::other("the power is gone"));
        }
        let bytes = state.files.contents.get(&self.id).map_or(&[][..], |content| &content.bytes);
        let start = (offset as usize).min(bytes.len());
        let end = start.saturating_add(len).min(bytes.len());
        Ok(Bytes::copy_from_slice(&bytes[start..end]))
    }

    fn sync(&self) -> io::Result<()> {
        let lazy = self.disk.state.lock().faults.bug == Some(Bug::UnsyncedBlobs);
        self.change(|content, chance, begun| {
            match begun {
                Ok(()) if lazy => {}
                Ok(()) => content.sync(),
                Err(_) => content.fail_to_sync(chance),
            }
            begun
        })
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.change(|content, _, begun| {
            begun?;
            content.change(Change::Hole { offset: offset as usize, len: len as usize });
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state.lock();
        Ok(state.files.contents.get(&self.id).map_or(0, |content| content.bytes.len() as u64))
    }
}
