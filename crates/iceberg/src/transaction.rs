//! Commits that change which files a table has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::manifests::{ManifestWriter, is_of_deletes, write_manifest_list};
use crate::{
    DataFile, Entry, Error, ManifestFile, PartitionSpec, Result, Snapshot, Status, Table, invalid,
    read_manifest, read_manifest_list,
};

/// How many bytes a manifest has, about, unless the table says otherwise.
const MANIFEST_BYTES: i64 = 8 << 20;
/// How many small manifests are merged, unless the table says otherwise.
const MANIFESTS_TO_MERGE: i64 = 100;

/// What tells a commit from all others. A commit that is tried again has new ones.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The id of its snapshot, above 0.
    pub snapshot_id: i64,
    /// A UUID, which the names of its files have.
    pub uuid: String,
    /// Now, in milliseconds since 1970.
    pub now_millis: i64,
}

/// What a commit made.
#[derive(Clone, Debug)]
pub struct Change {
    /// The objects to write: their URIs and bytes, the metadata file last.
    pub objects: Vec<(String, Bytes)>,
    /// The table as it is then.
    pub table: Table,
    /// The URIs of objects that nothing refers to once the commit is done, as the table's writers said them: those of a
    /// stranger may lie outside of the table.
    pub unreferenced: Vec<String>,
}

/// Which files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// None.
    Nothing,
    /// All of them.
    Everything,
    /// Those of these URIs, all of which must be there.
    Files(BTreeSet<String>),
}

/// What a snapshot says that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Files were added.
    Append,
    /// Files were replaced by others with the same rows.
    Replace,
    /// Files were added, and others removed.
    Overwrite,
    /// Files were removed.
    Delete,
}

/// A commit that is being made: give it what it wants, then finish it.
///
/// ```ignore
/// while let Some(path) = transaction.wants().map(str::to_owned) {
///     transaction.give(&read(&path).await?)?;
/// }
/// let change = transaction.finish()?;
/// ```
#[derive(Debug)]
pub struct Transaction {
    table: Table,
    commit: Commit,
    sequence_number: i64,
    operation: Operation,
    removal: Removal,
    added: Vec<DataFile>,
    summary: BTreeMap<String, String>,
    /// The list of manifests, until it was read.
    list: Option<String>,
    /// The manifests to be read.
    queue: VecDeque<ManifestFile>,
    /// The manifests that stay as they are.
    kept: Vec<ManifestFile>,
    found: BTreeSet<String>,
    out: Output,
    tally: Tally,
}

/// The manifests that a commit writes.
#[derive(Debug, Default)]
struct Output {
    open: BTreeMap<(i32, bool), ManifestWriter>,
    done: Vec<(ManifestFile, Bytes)>,
}

/// How much was added and removed.
#[derive(Debug, Default)]
struct Tally {
    added: Counts,
    removed: Counts,
    replaced_manifests: usize,
}

#[derive(Debug, Default)]
struct Counts {
    files: i64,
    records: i64,
    bytes: i64,
    delete_files: i64,
    position_deletes: i64,
    equality_deletes: i64,
}

impl Counts {
    fn add(&mut self, file: &DataFile) {
        self.bytes = self.bytes.saturating_add(file.bytes);
        let (files, records) = match file.content {
            crate::Content::Data => (&mut self.files, &mut self.records),
            crate::Content::PositionDeletes => (&mut self.delete_files, &mut self.position_deletes),
            crate::Content::EqualityDeletes => (&mut self.delete_files, &mut self.equality_deletes),
        };
        *files += 1;
        *records = records.saturating_add(file.records);
    }
}

impl Table {
    /// Adds files, whose partitions are those of the default spec.
    pub fn append(&self, commit: Commit, added: Vec<DataFile>) -> Transaction {
        Transaction::new(self, commit, Removal::Nothing, added)
    }

    /// Removes files and adds others.
    pub fn overwrite(&self, commit: Commit, removal: Removal, added: Vec<DataFile>) -> Transaction {
        Transaction::new(self, commit, removal, added)
    }
}

impl Transaction {
    fn new(table: &Table, commit: Commit, removal: Removal, added: Vec<DataFile>) -> Transaction {
        let operation = match (&removal, added.is_empty()) {
            (Removal::Nothing, _) => Operation::Append,
            (_, true) => Operation::Delete,
            _ => Operation::Overwrite,
        };
        Transaction {
            sequence_number: table.last_sequence_number.saturating_add(1),
            list: table.current_snapshot().map(|snapshot| snapshot.manifest_list.clone()),
            table: table.clone(),
            commit,
            operation,
            removal,
            added,
            summary: BTreeMap::new(),
            queue: VecDeque::new(),
            kept: Vec::new(),
            found: BTreeSet::new(),
            out: Output::default(),
            tally: Tally::default(),
        }
    }

    /// The commit under another name: files that are compacted are replaced.
    pub fn as_operation(mut self, operation: Operation) -> Transaction {
        self.operation = operation;
        self
    }

    /// The commit with more in its snapshot's summary.
    pub fn with_summary(mut self, key: &str, value: &str) -> Transaction {
        self.summary.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The URI of the object to be given next; none if all is there.
    pub fn wants(&self) -> Option<&str> {
        self.list.as_deref().or_else(|| self.queue.front().map(|manifest| manifest.path.as_str()))
    }

    /// Takes the object that is wanted.
    pub fn give(&mut self, bytes: &[u8]) -> Result<()> {
        if self.list.take().is_some() {
            let manifests = read_manifest_list(bytes)?;
            self.choose(manifests.into_iter().filter(ManifestFile::is_live).collect());
            return Ok(());
        }
        let Some(manifest) = self.queue.pop_front() else { return Ok(()) };
        match self.removal {
            Removal::Nothing => self.rewrite(bytes, &manifest, Status::Existing)?,
            Removal::Everything => self.rewrite(bytes, &manifest, Status::Deleted)?,
            Removal::Files(_) => self.remove_from(bytes, manifest)?,
        }
        Ok(())
    }

    /// The objects of the commit, and the table after it.
    pub fn finish(mut self) -> Result<Change> {
        if self.wants().is_some() {
            return invalid("A commit needs more than it was given");
        }
        if self.table.format_version > 2 {
            return Err(Error::Unsupported("Rows of v3 tables are not written".to_owned()));
        }
        if let Removal::Files(files) = &self.removal
            && let Some(missing) = files.iter().find(|file| !self.found.contains(*file))
        {
            return Err(Error::Conflict(format!("Missing required files to delete: {missing}")));
        }
        self.end_open();
        let rewritten = self.out.done.len();
        for file in std::mem::take(&mut self.added) {
            self.tally.added.add(&file);
            let sequence_number = self.sequence_number;
            let entry = Entry {
                status: Status::Added,
                snapshot_id: self.commit.snapshot_id,
                sequence_number,
                file_sequence_number: Some(sequence_number),
                file,
            };
            self.put(self.table.default_spec_id, &entry)?;
        }
        self.end_open();
        // What is new comes first, as readers that plan from the newest on expect.
        self.out.done.rotate_left(rewritten);
        let mut manifests: Vec<_> = self.out.done.iter().map(|(made, _)| made.clone()).collect();
        self.summarise(manifests.len());
        manifests.append(&mut self.kept);
        let Commit { snapshot_id, uuid, now_millis } = self.commit;
        let mut table = self.table;
        let parent = table.current_snapshot_id;
        let list = table.metadata_path(&format!("snap-{snapshot_id}-1-{uuid}.avro"));
        let numbers = (snapshot_id, parent, self.sequence_number);
        let bytes = write_manifest_list(&manifests, numbers, sync(&uuid, u32::MAX));
        let mut objects: Vec<(String, Bytes)> =
            self.out.done.into_iter().map(|(made, bytes)| (made.path, bytes)).collect();
        objects.push((list.clone(), bytes));
        // A clock that was set back must not put a snapshot before the one that it follows.
        let timestamp_ms = now_millis.max(table.last_updated_ms);
        table.add_snapshot(Snapshot {
            snapshot_id,
            parent_snapshot_id: parent,
            sequence_number: self.sequence_number,
            timestamp_ms,
            manifest_list: list,
            summary: self.summary,
            schema_id: Some(table.current_schema_id),
            other: crate::Extra::new(),
        })?;
        table.set_current(Some(snapshot_id), timestamp_ms);
        let mut change = table.write(&uuid);
        objects.append(&mut change.objects);
        Ok(Change { objects, ..change })
    }

    /// Decides which manifests must be read.
    fn choose(&mut self, manifests: Vec<ManifestFile>) {
        match self.removal {
            Removal::Everything => self.queue = manifests.into(),
            Removal::Files(_) => {
                let (deletes, data): (Vec<_>, Vec<_>) =
                    manifests.into_iter().partition(|each| each.is_of_deletes);
                (self.kept, self.queue) = (deletes, data.into());
            }
            Removal::Nothing => {
                let size = self.table.number("commit.manifest.target-size-bytes", MANIFEST_BYTES);
                let least =
                    self.table.number("commit.manifest.min-count-to-merge", MANIFESTS_TO_MERGE);
                let may_merge = self
                    .table
                    .properties
                    .get("commit.manifest-merge.enabled")
                    .is_none_or(|value| value != "false");
                let is_small =
                    |each: &ManifestFile| may_merge && !each.is_of_deletes && each.length < size;
                let mut small: BTreeMap<i32, i64> = BTreeMap::new();
                for manifest in manifests.iter().filter(|each| is_small(each)) {
                    *small.entry(manifest.spec_id).or_default() += 1;
                }
                // One manifest alone is not made better by writing it again.
                let is_merged = |each: &ManifestFile| {
                    is_small(each) && small.get(&each.spec_id).is_some_and(|n| *n >= least.max(2))
                };
                let (merged, kept): (Vec<_>, Vec<_>) = manifests.into_iter().partition(is_merged);
                (self.queue, self.kept) = (merged.into(), kept);
            }
        }
        self.all_found();
    }

    /// Writes a manifest's live entries again with another status.
    fn rewrite(&mut self, bytes: &[u8], from: &ManifestFile, status: Status) -> Result<()> {
        self.tally.replaced_manifests += 1;
        for entry in read_manifest(bytes, from)? {
            let entry = entry?;
            if entry.status != Status::Deleted {
                self.carry(from.spec_id, Entry { status, ..entry })?;
            }
        }
        Ok(())
    }

    /// Writes a manifest again without the files that go, if it has some of them.
    fn remove_from(&mut self, bytes: &[u8], from: ManifestFile) -> Result<()> {
        let Removal::Files(files) = &self.removal else { return Ok(()) };
        let mut here = BTreeSet::new();
        for entry in read_manifest(bytes, &from)? {
            let entry = entry?;
            if entry.status != Status::Deleted && files.contains(&entry.file.path) {
                here.insert(entry.file.path);
            }
        }
        if here.is_empty() {
            self.kept.push(from);
            return Ok(());
        }
        self.tally.replaced_manifests += 1;
        for entry in read_manifest(bytes, &from)? {
            let entry = entry?;
            let status = match here.contains(&entry.file.path) {
                _ if entry.status == Status::Deleted => continue,
                true => Status::Deleted,
                false => Status::Existing,
            };
            self.carry(from.spec_id, Entry { status, ..entry })?;
        }
        self.found.append(&mut here);
        self.all_found();
        Ok(())
    }

    /// Once all files that go are found, the other manifests stay unread.
    fn all_found(&mut self) {
        if let Removal::Files(files) = &self.removal
            && self.found.len() == files.len()
        {
            self.kept.extend(std::mem::take(&mut self.queue));
        }
    }

    fn carry(&mut self, spec_id: i32, mut entry: Entry) -> Result<()> {
        if entry.status == Status::Deleted {
            self.tally.removed.add(&entry.file);
            entry.snapshot_id = self.commit.snapshot_id;
        }
        self.put(spec_id, &entry)
    }

    /// Puts an entry into the manifest of its spec that is open, and ends that if it is long enough.
    fn put(&mut self, spec_id: i32, entry: &Entry) -> Result<()> {
        let key = (spec_id, is_of_deletes(entry.file.content));
        if !self.out.open.contains_key(&key) {
            let writer = self.open(key)?;
            self.out.open.insert(key, writer);
        }
        let Some(writer) = self.out.open.get_mut(&key) else { return Ok(()) };
        writer.push(entry)?;
        let size = self.table.number("commit.manifest.target-size-bytes", MANIFEST_BYTES);
        if writer.len() as i64 >= size.max(1 << 10)
            && let Some(writer) = self.out.open.remove(&key)
        {
            self.end(writer);
        }
        Ok(())
    }

    fn open(&self, (spec_id, is_of_deletes): (i32, bool)) -> Result<ManifestWriter> {
        let Some(spec) = self.table.spec(spec_id) else {
            return invalid(format!("Invalid manifest list: no partition spec with id {spec_id}"));
        };
        let made = ManifestFile {
            spec_id,
            is_of_deletes,
            sequence_number: self.sequence_number,
            added_snapshot_id: self.commit.snapshot_id,
            ..ManifestFile::default()
        };
        let split: (&PartitionSpec, _) = (spec, self.table.partition_kinds(spec));
        let number = (self.out.done.len() + self.out.open.len()) as u32;
        let sync = sync(&self.commit.uuid, number);
        Ok(ManifestWriter::new(made, self.table.current_schema(), split, sync))
    }

    fn end_open(&mut self) {
        for (_, writer) in std::mem::take(&mut self.out.open) {
            self.end(writer);
        }
    }

    fn end(&mut self, writer: ManifestWriter) {
        let name = format!("{}-m{}.avro", self.commit.uuid, self.out.done.len());
        self.out.done.push(writer.finish(&self.table.metadata_path(&name)));
    }

    /// Fills in what the snapshot says about itself.
    fn summarise(&mut self, written: usize) {
        let before = self.table.current_snapshot().map(|snapshot| &snapshot.summary);
        let (added, removed) = (&self.tally.added, &self.tally.removed);
        let operation = match self.operation {
            Operation::Append => "append",
            Operation::Replace => "replace",
            Operation::Overwrite => "overwrite",
            Operation::Delete => "delete",
        };
        let counts = [
            ("added-data-files", added.files),
            ("deleted-data-files", removed.files),
            ("added-records", added.records),
            ("deleted-records", removed.records),
            ("added-files-size", added.bytes),
            ("removed-files-size", removed.bytes),
            ("added-delete-files", added.delete_files),
            ("removed-delete-files", removed.delete_files),
            ("added-position-deletes", added.position_deletes),
            ("removed-position-deletes", removed.position_deletes),
            ("added-equality-deletes", added.equality_deletes),
            ("removed-equality-deletes", removed.equality_deletes),
            ("manifests-created", written as i64),
            ("manifests-replaced", self.tally.replaced_manifests as i64),
            ("manifests-kept", self.kept.len() as i64),
        ];
        let totals = [
            ("total-data-files", added.files - removed.files),
            ("total-records", added.records - removed.records),
            ("total-files-size", added.bytes - removed.bytes),
            ("total-delete-files", added.delete_files - removed.delete_files),
            ("total-position-deletes", added.position_deletes - removed.position_deletes),
            ("total-equality-deletes", added.equality_deletes - removed.equality_deletes),
        ];
        let totals = totals.into_iter().filter_map(|(key, change)| {
            // A total that the snapshot before does not say is not known.
            let total = match before {
                None => 0,
                Some(summary) => summary.get(key)?.parse::<i64>().ok()?,
            };
            Some((key, total.saturating_add(change).to_string()))
        });
        let counts = counts.into_iter().filter(|(_, count)| *count != 0);
        let counts = counts.map(|(key, count)| (key, count.to_string()));
        for (key, value) in counts.chain(totals).chain([("operation", operation.to_owned())]) {
            self.summary.insert(key.to_owned(), value);
        }
    }
}

/// A mark between the blocks of a file: the commit's UUID, turned by the file's number.
pub(crate) fn sync(uuid: &str, number: u32) -> [u8; 16] {
    let mut mark = [0; 16];
    let digits = uuid.bytes().filter(|byte| byte.is_ascii_alphanumeric());
    for (place, digit) in digits.enumerate() {
        mark[place / 2 % 16] = mark[place / 2 % 16] << 4 ^ digit.wrapping_mul(0x9d);
    }
    for (byte, turn) in mark.iter_mut().zip(number.to_le_bytes()) {
        *byte ^= turn;
    }
    mark
}
