//! The end of the engine's journal after a power cut.
//!
//! A batch is several blocks, which reach the disk in any order. A power cut may leave the last one with a hole in its
//! middle and its end in place; the engine finds a checksum that does not match and refuses to open. Such a batch was
//! not acknowledged, so that it is cut off here. Nothing valid follows it, because every batch is synced before the next
//! one is written. Where something does follow, a disk has damaged what was acknowledged, and nothing is cut off unless
//! batches need not be synced.
//!
//! A batch that is simply not finished the engine drops by itself, without a word; that is said here.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};
use xxhash_rust::xxh3::xxh3_64;

use super::Survives;
use crate::Error;

const CHUNK_BYTES: u64 = 64 << 10;

/// How the engine marks what is in a journal, and the sizes of what follows the marks.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const START_BYTES: usize = 13;
const ITEM_BYTES: usize = 21;
const CLEAR_BYTES: usize = 9;
const END_MAGIC: &[u8] = b"FJL\x03";

/// Where the data of each journal in a folder ends. One that cannot be read is left to the engine to complain about.
pub(super) fn ends(folder: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .filter_map(|path| end(&path).ok().map(|end| (path, end)))
        .collect()
}

/// Cuts off a batch at the end of the journals that is not whole, and says whether there was one.
///
/// Fails if whole batches follow it, unless those need not survive a power cut: then they go as well, since what came
/// first must not be missing before what came later.
pub(super) fn cut_torn_end(folder: &Path, survives: Survives) -> Result<bool, Error> {
    let mut paths: Vec<(u64, PathBuf)> = ends(folder)
        .into_iter()
        .filter_map(|(path, _)| Some((path.file_stem()?.to_str()?.parse().ok()?, path)))
        .collect();
    paths.sort_unstable();
    let mut torn: Option<(PathBuf, usize)> = None;
    for (_, path) in paths {
        let failed = |error| Error::io(format!("reading {}", path.display()), error);
        let bytes = fs::read(&path).map_err(failed)?;
        let (from, at) = match &torn {
            None => {
                let valid = valid_bytes(&bytes);
                if bytes[valid..].iter().all(|byte| *byte == 0) {
                    continue;
                }
                torn = Some((path.clone(), valid));
                (valid + 1, valid)
            }
            Some(_) => (0, 0),
        };
        if has_batch(&bytes[from..]) && survives == Survives::PowerCut {
            let (path, at) = torn.unwrap_or((path, at));
            let why = format!(
                "it is damaged at byte {at}, and acknowledged transactions follow: restore the directory from a \
                 backup, or start once with --durability buffered to lose what follows the damage"
            );
            return Err(Error::corrupt(path.display().to_string(), why));
        }
        let cut = File::options().write(true).open(&path).and_then(|file| {
            file.set_len(at as u64)?;
            file.sync_all()
        });
        cut.map_err(|error| Error::io(format!("cutting {}", path.display()), error))?;
        let (path, dropped) = (path.display(), bytes.len() - at);
        tracing::warn!(%path, at, dropped, "a torn write at the end of the journal was cut off");
    }
    Ok(torn.is_some())
}

/// Where the first batch begins that is not whole.
fn valid_bytes(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(len) = batch_bytes(&bytes[at..]) {
        at += len;
    }
    at
}

/// Whether a whole batch begins anywhere.
fn has_batch(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| bytes[at] == START && batch_bytes(&bytes[at..]).is_some())
}

/// The length of the batch that the bytes begin with, if it is whole.
fn batch_bytes(bytes: &[u8]) -> Option<usize> {
    let number = |at: usize, len: usize| -> Option<usize> {
        let bytes = bytes.get(at..at + len)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    if *bytes.first()? != START {
        return None;
    }
    let items = number(1, 4)?;
    let mut at = START_BYTES;
    for _ in 0..items {
        at += match *bytes.get(at)? {
            ITEM => ITEM_BYTES + number(at + 11, 2)? + number(at + 17, 4)?,
            CLEAR => CLEAR_BYTES,
            _ => return None,
        };
    }
    if *bytes.get(at)? != END || bytes.get(at + 9..at + 13)? != END_MAGIC {
        return None;
    }
    let checksum = u64::from_le_bytes(bytes.get(at + 1..at + 9)?.try_into().ok()?);
    (xxh3_64(bytes.get(START_BYTES..at)?) == checksum).then_some(at + 13)
}

/// Compares the journals with what they were before the engine read them.
pub(super) fn tell_of_loss(before: &[(PathBuf, u64)]) {
    for (path, end) in before {
        // A journal that is not needed any more is removed.
        let Ok(len) = fs::metadata(path).map(|data| data.len()) else { continue };
        if let Some(dropped) = end.checked_sub(len).filter(|dropped| *dropped > 0) {
            let path = path.display();
            tracing::warn!(
                %path,
                dropped,
                "the end of the journal was not whole and was dropped; after a power cut or a kill that is a write \
                 that was not acknowledged, else the disk has damaged the file and acknowledged writes are lost"
            );
        }
    }
}

/// The end of the data: a journal is made longer than what is in it.
fn end(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut end = seek(&file, SeekFrom::Hole(0)).unwrap_or(len).min(len);
    let mut chunk = vec![0; CHUNK_BYTES as usize];
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES);
        let part = &mut chunk[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{Db, Durability, Options, Raw, Table};

    static ROWS: Table<u64, Raw> = Table::new("journal.test", 0x1f00);
    const VALUE_BYTES: usize = 30_000;

    fn value(number: u64) -> Raw {
        let mut state = number + 1;
        let bytes = (0..VALUE_BYTES).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        });
        Raw(bytes.collect::<Vec<u8>>().into())
    }

    /// A directory with three rows, each in a transaction of its own, and the path of its journal.
    fn three_rows() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Options::new(folder.path())).unwrap();
        for number in 0..3 {
            db.write_blocking(|tx| ROWS.put(tx, &number, &value(number))).unwrap();
        }
        db.close().unwrap();
        drop(db);
        let journal = ends(&folder.path().join("rows")).remove(0).0;
        (folder, journal)
    }

    /// Makes a hole in the middle of the value of a row.
    fn tear(journal: &Path, number: u64) {
        let bytes = fs::read(journal).unwrap();
        let wanted = &value(number).0[..64];
        let at = bytes.windows(64).position(|window| window == wanted).unwrap();
        let file = File::options().write(true).open(journal).unwrap();
        file.write_all_at(&[0; 4096], at as u64 + 8192).unwrap();
    }

    fn rows(db: &Db) -> Vec<u64> {
        let found = db.read(|tx| ROWS.list(tx, &())).unwrap();
        assert!(found.iter().all(|(number, found)| found.0 == value(*number).0));
        found.into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_torn_write_at_the_end_is_cut_off() {
        let (folder, journal) = three_rows();
        tear(&journal, 2);
        let db = Db::open(&Options::new(folder.path())).unwrap();
        assert_eq!(rows(&db), [0, 1]);
        db.write_blocking(|tx| ROWS.put(tx, &7, &value(7))).unwrap();
        db.close().unwrap();
        drop(db);
        assert_eq!(rows(&Db::open(&Options::new(folder.path())).unwrap()), [0, 1, 7]);
    }

    #[test]
    fn damage_before_acknowledged_transactions_is_refused_and_left_alone() {
        let (folder, journal) = three_rows();
        tear(&journal, 1);
        let before = fs::read(&journal).unwrap();
        let error = Db::open(&Options::new(folder.path())).unwrap_err().to_string();
        assert!(error.contains(".jnl") && error.contains("restore"), "{error}");
        assert!(fs::read(&journal).unwrap() == before);
        let buffered = Options { durability: Durability::Buffered, ..Options::new(folder.path()) };
        assert_eq!(rows(&Db::open(&buffered).unwrap()), [0]);
    }

    #[test]
    fn the_end_is_where_the_zeros_begin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.jnl");
        let mut file = File::create(&path).unwrap();
        file.write_all(&[7; 100_000]).unwrap();
        file.set_len(10 << 20).unwrap();
        fs::write(folder.path().join("other"), "x").unwrap();
        assert_eq!(ends(folder.path()), [(path, 100_000)]);
    }
}
