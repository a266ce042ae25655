//! Expiry: snapshots that go, and the files that nothing refers to without them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    Change, Error, ManifestFile, Result, Status, Table, invalid, read_manifest, read_manifest_list,
};

/// How many manifests the snapshots of a table have at most, those that they share counted once.
const MAX_MANIFESTS: usize = 1_000_000;
/// How many bytes the names of the files are at most that may go.
const MAX_NAMES_BYTES: usize = 256 << 20;

/// The expiry of snapshots that is being made: give it what it wants, then finish it.
///
/// Memory is bounded by what the snapshots that go refer to and by the number of the table's manifests.
#[derive(Debug)]
pub struct Expiry {
    table: Table,
    now_millis: i64,
    gone: BTreeSet<i64>,
    /// The lists to be read, and whether their snapshots stay.
    lists: VecDeque<(String, bool)>,
    live: BTreeMap<String, ManifestFile>,
    dead: BTreeMap<String, ManifestFile>,
    /// The manifests of `dead` that are to be read.
    dead_queue: VecDeque<ManifestFile>,
    /// The manifests of `live` that are to be read as long as a file is in doubt.
    live_queue: VecDeque<ManifestFile>,
    /// The files of manifests that go, which no manifest that stays was seen to have.
    files: BTreeSet<String>,
    names_bytes: usize,
}

impl Table {
    /// Lets snapshots expire that are older than a moment, but for the last `keep` of each branch and what a branch or tag
    /// asks to be kept.
    pub fn expire_snapshots(&self, older_than_millis: i64, keep: usize, now_millis: i64) -> Expiry {
        let mut table = self.clone();
        table.drop_old_refs(now_millis);
        let stays = table.staying(older_than_millis, keep, now_millis);
        let gone: BTreeSet<i64> =
            table.snapshot_ids().into_iter().filter(|id| !stays.contains(id)).collect();
        let mut expiry = Expiry {
            now_millis,
            lists: VecDeque::new(),
            live: BTreeMap::new(),
            dead: BTreeMap::new(),
            dead_queue: VecDeque::new(),
            live_queue: VecDeque::new(),
            files: BTreeSet::new(),
            names_bytes: 0,
            gone,
            table,
        };
        if !expiry.gone.is_empty() {
            let list = |each: &crate::Snapshot| {
                (each.manifest_list.clone(), !expiry.gone.contains(&each.snapshot_id))
            };
            expiry.lists = expiry.table.snapshots.iter().map(list).collect();
        }
        expiry
    }

    /// Drops branches and tags that are older than they want to be.
    fn drop_old_refs(&mut self, now_millis: i64) {
        let times: BTreeMap<i64, i64> =
            self.snapshots.iter().map(|each| (each.snapshot_id, each.timestamp_ms)).collect();
        self.refs.retain(|name, reference| {
            let made = times.get(&reference.snapshot_id).copied().unwrap_or(now_millis);
            let age = now_millis.saturating_sub(made);
            name == crate::table::MAIN || reference.max_ref_age_ms.is_none_or(|most| age <= most)
        });
    }

    /// The snapshots that stay.
    fn staying(&self, older_than_millis: i64, keep: usize, now_millis: i64) -> BTreeSet<i64> {
        let by_id: BTreeMap<i64, &crate::Snapshot> =
            self.snapshots.iter().map(|each| (each.snapshot_id, each)).collect();
        let mut stays = BTreeSet::new();
        let mut referred = BTreeSet::new();
        for reference in self.refs.values() {
            stays.insert(reference.snapshot_id);
            referred.insert(reference.snapshot_id);
            if reference.kind != "branch" {
                continue;
            }
            let keep = reference.min_snapshots_to_keep.map_or(keep, |keep| keep.max(1) as usize);
            let oldest = match reference.max_snapshot_age_ms {
                Some(age) => now_millis.saturating_sub(age),
                None => older_than_millis,
            };
            let mut ancestors = BTreeSet::new();
            let mut next = by_id.get(&reference.snapshot_id);
            let mut is_kept = true;
            while let Some(snapshot) = next.filter(|each| ancestors.insert(each.snapshot_id)) {
                is_kept &= ancestors.len() <= keep || snapshot.timestamp_ms >= oldest;
                if is_kept {
                    stays.insert(snapshot.snapshot_id);
                }
                next = snapshot.parent_snapshot_id.and_then(|parent| by_id.get(&parent));
            }
            referred.append(&mut ancestors);
        }
        // What no branch leads to, such as a snapshot that is being staged, goes by its age alone.
        let young = self.snapshots.iter().filter(|each| {
            !referred.contains(&each.snapshot_id) && each.timestamp_ms >= older_than_millis
        });
        stays.extend(young.map(|each| each.snapshot_id));
        stays
    }
}

impl Expiry {
    /// How many snapshots go.
    pub fn expired(&self) -> usize {
        self.gone.len()
    }

    /// The URI of the object to be given next; none if all is there.
    pub fn wants(&self) -> Option<&str> {
        if let Some((list, _)) = self.lists.front() {
            return Some(list);
        }
        if let Some(manifest) = self.dead_queue.front() {
            return Some(&manifest.path);
        }
        let manifest = self.live_queue.front().filter(|_| !self.files.is_empty());
        manifest.map(|manifest| manifest.path.as_str())
    }

    /// Takes the object that is wanted.
    pub fn give(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some((_, stays)) = self.lists.pop_front() {
            let manifests = read_manifest_list(bytes)?;
            let into = if stays { &mut self.live } else { &mut self.dead };
            into.extend(manifests.into_iter().map(|each| (each.path.clone(), each)));
            if self.live.len() + self.dead.len() > MAX_MANIFESTS {
                return Err(Error::Unsupported(format!(
                    "Snapshots of more than {MAX_MANIFESTS} manifests cannot expire"
                )));
            }
            if self.lists.is_empty() {
                self.compare();
            }
        } else if let Some(manifest) = self.dead_queue.pop_front() {
            let (files, bytes_of) = (&mut self.files, &mut self.names_bytes);
            each_live(bytes, &manifest, |path| {
                *bytes_of += path.len();
                files.insert(path);
                match *bytes_of > MAX_NAMES_BYTES {
                    true => Err(Error::Unsupported("Too many files expire at once".to_owned())),
                    false => Ok(()),
                }
            })?;
        } else if let Some(manifest) = self.live_queue.pop_front() {
            each_live(bytes, &manifest, |path| {
                self.files.remove(&path);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The table without the snapshots, and what nothing refers to any more.
    pub fn finish(mut self, uuid: &str) -> Result<Change> {
        if self.wants().is_some() {
            return invalid("An expiry needs more than it was given");
        }
        let gone = &self.gone;
        let lists = self.table.snapshots.iter().filter(|each| gone.contains(&each.snapshot_id));
        let mut unreferenced: Vec<String> = self.files.into_iter().collect();
        unreferenced.extend(self.dead.into_keys());
        unreferenced.extend(lists.map(|each| each.manifest_list.clone()));
        unreferenced.extend(self.table.drop_snapshots(&|id| gone.contains(&id)));
        self.table.last_updated_ms = self.table.last_updated_ms.max(self.now_millis);
        let mut change = self.table.write(uuid);
        change.unreferenced.append(&mut unreferenced);
        Ok(change)
    }

    /// Once all lists are read: which manifests go, and which may have the same files.
    fn compare(&mut self) {
        self.dead.retain(|path, _| !self.live.contains_key(path));
        self.dead_queue = self.dead.values().filter(|each| each.is_live()).cloned().collect();
        let mut live: Vec<_> =
            std::mem::take(&mut self.live).into_values().filter(ManifestFile::is_live).collect();
        // Files of manifests that were merged are in the newest, after which the search may end.
        live.sort_by_key(|each| std::cmp::Reverse(each.sequence_number));
        self.live_queue = live.into();
    }
}

fn each_live(
    bytes: &[u8],
    from: &ManifestFile,
    mut each: impl FnMut(String) -> Result<()>,
) -> Result<()> {
    for entry in read_manifest(bytes, from)? {
        let entry = entry?;
        if entry.status != Status::Deleted {
            each(entry.file.path)?;
        }
    }
    Ok(())
}
