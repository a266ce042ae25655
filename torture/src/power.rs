//! What a power cut leaves: undoes what a process did to its files and did not sync.
//!
//! The preloaded library writes a record before each change, with the bytes that were there, and one after each sync.
//! A file keeps what was done to it before its last sync, a folder the names that it had then. Of the rest, a disk may
//! have anything: nothing of it, or some blocks of it in any order, even a part of a block.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::Rng;
use rand::rngs::StdRng;

const MAGIC: u32 = 0x70f0_6001;
const HEAD_BYTES: usize = 64;
const BLOCK: u64 = 4096;
const SECTOR: usize = 512;

/// How much of what was not synced is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Everything,
    /// A random part of it.
    Some,
}

/// What a cut took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Files of which something was lost.
    pub files: u64,
    /// Blocks that were put back to what they were.
    pub blocks: u64,
    /// Creations, renames and removals that were undone.
    pub names: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Sync,
    Create,
    Rename,
    Unlink,
    MakeFolder,
    RemoveFolder,
    Link,
    SyncAll,
}

/// One change of the disk, or one sync.
struct Record {
    kind: Kind,
    seq: u64,
    /// The file, or the folder of the name.
    inode: u64,
    offset: u64,
    len: u64,
    old_len: u64,
    old: Vec<u8>,
    path: PathBuf,
    other: PathBuf,
}

/// Puts `directory` into a state that a power cut could have left, by the log that the library wrote.
pub fn cut(
    directory: &Path,
    log: &Path,
    grave: &Path,
    loss: Loss,
    random: &mut StdRng,
) -> anyhow::Result<Cut> {
    let records = read_log(log)?;
    let mut synced: HashMap<u64, u64> = HashMap::new();
    let mut all_synced = 0;
    for record in &records {
        match record.kind {
            Kind::Sync => {
                let until = synced.entry(record.inode).or_default();
                *until = record.offset.max(*until);
            }
            Kind::SyncAll => all_synced = record.offset.max(all_synced),
            _ => {}
        }
    }
    let is_synced = |record: &Record| {
        record.seq <= synced.get(&record.inode).copied().unwrap_or_default().max(all_synced)
    };
    let open: Vec<&Record> = records.iter().filter(|record| !is_synced(record)).collect();
    let mut cut = Cut::default();
    undo_names(&open, grave, loss, random, &mut cut)?;
    undo_data(directory, &open, loss, random, &mut cut)?;
    forget_boot(directory)?;
    Ok(cut)
}

/// After a power cut the machine starts anew, by which the cloud knows that unpacked code may be incomplete. Here it has
/// not, so that the note of the last start goes.
fn forget_boot(directory: &Path) -> anyhow::Result<()> {
    match fs::remove_file(directory.join("lambda/code/boot")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context("removing the note of the machine's start")
        }
        _ => Ok(()),
    }
}

fn read_log(path: &Path) -> anyhow::Result<Vec<Record>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context("reading the undo log"),
    };
    let mut records = Vec::new();
    let mut rest = &bytes[..];
    // The process may have been killed while it wrote the last record, hence before the change itself.
    while let Some((record, after)) = Record::parse(rest)? {
        records.push(record);
        rest = after;
    }
    Ok(records)
}

impl Record {
    fn parse(bytes: &[u8]) -> anyhow::Result<Option<(Record, &[u8])>> {
        let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Ok(None) };
        let small =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let large = |at: usize| u64::from(small(at)) | u64::from(small(at + 4)) << 32;
        ensure!(small(0) == MAGIC, "the undo log is damaged");
        let (data, path, other, zeros) = (small(48), small(52), small(56), small(60));
        let Some((data, rest)) = rest.split_at_checked(data as usize) else { return Ok(None) };
        let Some((path, rest)) = rest.split_at_checked(path as usize) else { return Ok(None) };
        let Some((other, rest)) = rest.split_at_checked(other as usize) else { return Ok(None) };
        let kind = match small(4) {
            1 => Kind::Data,
            2 => Kind::Sync,
            3 => Kind::Create,
            4 => Kind::Rename,
            5 => Kind::Unlink,
            6 => Kind::MakeFolder,
            7 => Kind::RemoveFolder,
            8 => Kind::Link,
            9 => Kind::SyncAll,
            other => anyhow::bail!("the undo log has a record of kind {other}"),
        };
        let text = |bytes: &[u8]| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
        let record = Record {
            kind,
            seq: large(8),
            inode: large(16),
            offset: large(24),
            len: large(32),
            old_len: large(40),
            old: if zeros > 0 { vec![0; zeros as usize] } else { data.to_vec() },
            path: text(path),
            other: text(other),
        };
        Ok(Some((record, rest)))
    }
}

/// Takes back the changes of names, newest first. A folder's changes reach the disk in their order, as journals of
/// file systems have it, so that what is lost is always an end of them.
fn undo_names(
    open: &[&Record],
    grave: &Path,
    loss: Loss,
    random: &mut StdRng,
    cut: &mut Cut,
) -> anyhow::Result<()> {
    let names: Vec<&&Record> = open.iter().filter(|record| record.kind != Kind::Data).collect();
    let mut keeps: BTreeMap<u64, u64> = BTreeMap::new();
    if loss == Loss::Some {
        let mut of_folder: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for record in &names {
            of_folder.entry(record.inode).or_default().push(record.seq);
        }
        for (folder, seqs) in of_folder {
            let kept = random.random_range(0..=seqs.len());
            keeps.insert(folder, if kept == 0 { 0 } else { seqs[kept - 1] });
        }
    }
    for record in names.iter().rev() {
        if record.seq <= keeps.get(&record.inode).copied().unwrap_or_default() {
            continue;
        }
        let buried = grave.join(record.seq.to_string());
        let (path, other) = (&record.path, &record.other);
        let undone = match record.kind {
            Kind::Create | Kind::Link => fs::remove_file(path),
            Kind::Rename => fs::rename(other, path).and_then(|()| {
                if record.offset == 1 { fs::rename(&buried, other) } else { Ok(()) }
            }),
            Kind::Unlink => fs::rename(&buried, path),
            Kind::MakeFolder => remove_folder(path),
            Kind::RemoveFolder => fs::create_dir(path),
            Kind::Data | Kind::Sync | Kind::SyncAll => continue,
        };
        match undone {
            Ok(()) => cut.names += 1,
            // It was killed between the record and the change, or is gone with its folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("undoing {}", path.display())),
        }
    }
    Ok(())
}

/// Removes a folder with all that is in it. A function's process dies with the cloud, but not at the same instant, and
/// may write into its folder while that is removed.
fn remove_folder(path: &Path) -> io::Result<()> {
    for _ in 0..500 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
    fs::remove_dir_all(path)
}

fn undo_data(
    directory: &Path,
    open: &[&Record],
    loss: Loss,
    random: &mut StdRng,
    cut: &mut Cut,
) -> anyhow::Result<()> {
    let mut of_file: BTreeMap<u64, Vec<&Record>> = BTreeMap::new();
    for record in open.iter().filter(|record| record.kind == Kind::Data) {
        of_file.entry(record.inode).or_default().push(record);
    }
    let mut paths = HashMap::new();
    find_files(directory, &mut paths)?;
    for (inode, records) in of_file {
        let Some(path) = paths.get(&inode) else { continue };
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        undo_file(&file, &records, loss, random, cut)
            .with_context(|| format!("undoing writes to {}", path.display()))?;
    }
    Ok(())
}

fn undo_file(
    file: &File,
    records: &[&Record],
    loss: Loss,
    random: &mut StdRng,
    cut: &mut Cut,
) -> io::Result<()> {
    let new_len = file.metadata()?.len();
    let mut written: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for record in records {
        let end = (record.offset + record.len).min(new_len);
        for block in record.offset / BLOCK..end.div_ceil(BLOCK) {
            if let std::collections::btree_map::Entry::Vacant(entry) = written.entry(block) {
                entry.insert(read_block(file, block)?);
            }
        }
    }
    for record in records.iter().rev() {
        file.set_len(record.old_len)?;
        file.write_all_at(&record.old, record.offset)?;
    }
    cut.files += 1;
    if loss == Loss::Everything {
        cut.blocks += written.len() as u64;
        return Ok(());
    }
    if random.random_bool(0.3) {
        // The length was on its way to the disk before the bytes.
        file.set_len(new_len)?;
    }
    let survival = [0.0, 0.5, 0.9, 0.99][random.random_range(0..4)];
    for (block, bytes) in written {
        let whole = random.random_bool(survival);
        let keep = match whole {
            true => bytes.len(),
            false if random.random_bool(0.1) => {
                (random.random_range(0..BLOCK as usize / SECTOR) * SECTOR).min(bytes.len())
            }
            false => 0,
        };
        if keep < bytes.len() {
            cut.blocks += 1;
        }
        if keep > 0 {
            file.write_all_at(&bytes[..keep], block * BLOCK)?;
        }
    }
    Ok(())
}

fn read_block(file: &File, block: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BLOCK as usize];
    let mut have = 0;
    while have < bytes.len() {
        match file.read_at(&mut bytes[have..], block * BLOCK + have as u64)? {
            0 => break,
            n => have += n,
        }
    }
    bytes.truncate(have);
    Ok(bytes)
}

fn find_files(folder: &Path, paths: &mut HashMap<u64, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        if data.is_dir() {
            find_files(&entry.path(), paths)?;
        } else if data.is_file() {
            paths.insert(data.ino(), entry.path());
        }
    }
    Ok(())
}
