//! The engine's journal, looked through before the engine opens.
//!
//! A batch is several blocks, which reach the disk in any order. A power cut may leave the last one with a hole anywhere,
//! a kill may leave its beginning. Such a batch was not acknowledged, so that it is cut off here. Nothing valid follows it,
//! because every batch is synced before the next one is written. Where something does follow, a disk has damaged what was
//! acknowledged, and nothing is cut off unless batches need not be synced.
//!
//! The engine does not look so closely. Of some damage it would say that it cannot open, and before other damage it would
//! end the journal without a word, whatever follows; it never meets either.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};
use xxhash_rust::xxh3::Xxh3;

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
const END_BYTES: usize = 13;
const END_MAGIC: &[u8] = b"FJL\x03";

/// Cuts off a batch at the end of the journals in a folder that is not whole.
///
/// Fails if whole batches follow it, unless those need not survive a power cut: then they go as well, since what came
/// first must not be missing before what came later.
pub(super) fn cut_torn_end(folder: &Path, survives: Survives) -> Result<(), Error> {
    let mut torn: Option<(PathBuf, u64)> = None;
    for path in journals(folder)? {
        let failed = |error| Error::io(format!("reading {}", path.display()), error);
        let (whole, end) = look_through(&path).map_err(failed)?;
        let cut = if torn.is_some() { 0 } else { whole };
        if cut >= end {
            continue;
        }
        let bytes = fs::read(&path).map_err(failed)?;
        let from = if torn.is_some() { 0 } else { whole as usize + 1 };
        let (damaged, at) = torn.get_or_insert((path.clone(), whole));
        if survives == Survives::PowerCut && has_batch(&bytes[from..]) {
            let why = format!(
                "it is damaged at byte {at}, and acknowledged transactions follow: restore the directory from a \
                 backup, or start once with --durability buffered to lose what follows the damage"
            );
            return Err(Error::corrupt(damaged.display().to_string(), why));
        }
        let done = File::options().write(true).open(&path).and_then(|file| {
            file.set_len(cut)?;
            file.sync_all()
        });
        done.map_err(|error| Error::io(format!("cutting {}", path.display()), error))?;
        let (path, dropped) = (path.display(), end - cut);
        tracing::warn!(%path, at = cut, dropped, "a torn write at the end of the journal was cut off");
    }
    Ok(())
}

/// The journals of a folder, the oldest first.
fn journals(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| Error::io(format!("listing {}", folder.display()), error);
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".jnl")?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Where the first batch of a journal begins that is not whole, and where its data ends: the same place if all are.
fn look_through(path: &Path) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::with_capacity(CHUNK_BYTES as usize, File::open(path)?);
    let mut whole = 0;
    while let Some(len) = batch_bytes(&mut reader)? {
        whole += len;
    }
    Ok((whole, end(reader.get_ref())?))
}

/// Whether a whole batch begins anywhere.
fn has_batch(bytes: &[u8]) -> bool {
    let begins =
        |at: usize| bytes[at] == START && matches!(batch_bytes(&mut &bytes[at..]), Ok(Some(_)));
    (0..bytes.len()).any(begins)
}

/// The length of the batch that comes next, if it is whole.
fn batch_bytes(reader: &mut impl BufRead) -> io::Result<Option<u64>> {
    match read_batch(reader) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read,
    }
}

fn read_batch(reader: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut start = [0; START_BYTES];
    reader.read_exact(&mut start)?;
    if start[0] != START {
        return Ok(None);
    }
    let mut sum = Xxh3::new();
    let mut len = START_BYTES as u64;
    for _ in 0..number(&start[1..5]) {
        let mut item = [0; ITEM_BYTES];
        reader.read_exact(&mut item[..1])?;
        let (bytes, follow) = match item[0] {
            ITEM => {
                reader.read_exact(&mut item[1..])?;
                (ITEM_BYTES, number(&item[11..13]) + number(&item[17..]))
            }
            CLEAR => {
                reader.read_exact(&mut item[1..CLEAR_BYTES])?;
                (CLEAR_BYTES, 0)
            }
            _ => return Ok(None),
        };
        sum.update(&item[..bytes]);
        add(&mut sum, reader, follow)?;
        len += bytes as u64 + follow;
    }
    let mut end = [0; END_BYTES];
    reader.read_exact(&mut end)?;
    let is_whole = end[0] == END && number(&end[1..9]) == sum.digest() && end[9..] == *END_MAGIC;
    Ok(is_whole.then_some(len + END_BYTES as u64))
}

/// Adds the next bytes, and says that the file ended if there are fewer.
fn add(sum: &mut Xxh3, reader: &mut impl BufRead, mut len: u64) -> io::Result<()> {
    while len > 0 {
        let bytes = reader.fill_buf()?;
        let count = len.min(bytes.len() as u64) as usize;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sum.update(&bytes[..count]);
        reader.consume(count);
        len -= count as u64;
    }
    Ok(())
}

/// A number that lies with its lowest byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The end of the data: a journal is made longer than what is in it.
fn end(file: &File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let mut end = seek(file, SeekFrom::Hole(0)).unwrap_or(len);
    while let Ok(data) = seek(file, SeekFrom::Data(end)) {
        end = seek(file, SeekFrom::Hole(data)).unwrap_or(len);
    }
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
        let journal = journals(&folder.path().join("rows")).unwrap().remove(0);
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

    /// Where the batches of a journal begin.
    fn batches(bytes: &[u8]) -> Vec<usize> {
        let (mut rest, mut found) = (bytes, Vec::new());
        loop {
            let at = bytes.len() - rest.len();
            if batch_bytes(&mut rest).unwrap().is_none() {
                return found;
            }
            found.push(at);
        }
    }

    /// A block may end within any field of a batch, also between two that say the same.
    #[test]
    fn a_hole_may_begin_and_end_within_any_field() {
        let (folder, journal) = three_rows();
        let whole = fs::read(&journal).unwrap();
        let last = *batches(&whole).last().unwrap();
        let fields = START_BYTES + ITEM_BYTES + 32;
        let holes = (0..fields).flat_map(|at| [(at, at + 4096), (0, at)]);
        for (from, to) in holes.filter(|(from, to)| from < to) {
            let mut torn = whole.clone();
            torn[last + from..last + to].fill(0);
            fs::write(&journal, torn).unwrap();
            let db = Db::open(&Options::new(folder.path())).unwrap();
            assert_eq!(rows(&db), [0, 1], "a hole from {from} to {to}");
        }
    }

    #[test]
    fn a_batch_that_was_not_written_to_its_end_is_cut_off() {
        let (folder, journal) = three_rows();
        let whole = fs::read(&journal).unwrap();
        let last = *batches(&whole).last().unwrap();
        let len = end(&File::open(&journal).unwrap()).unwrap() as usize;
        for at in [last + 1, last + START_BYTES + 1, last + 5000, len - END_BYTES, len - 1] {
            fs::write(&journal, &whole[..at]).unwrap();
            assert_eq!(rows(&Db::open(&Options::new(folder.path())).unwrap()), [0, 1], "{at}");
        }
    }

    /// The engine would take any of these for the end of what was written.
    #[test]
    fn damage_that_looks_like_an_end_is_refused_if_acknowledged_transactions_follow() {
        let (folder, journal) = three_rows();
        let whole = fs::read(&journal).unwrap();
        let begins = batches(&whole);
        let middle = begins[begins.len() - 2];
        for at in [
            middle,
            middle + START_BYTES,
            middle + START_BYTES + 17,
            begins[begins.len() - 1] - END_BYTES,
        ] {
            let mut damaged = whole.clone();
            damaged[at] = 0xee;
            fs::write(&journal, &damaged).unwrap();
            let error = Db::open(&Options::new(folder.path())).unwrap_err().to_string();
            assert!(error.contains("acknowledged transactions follow"), "{at}: {error}");
            assert!(fs::read(&journal).unwrap() == damaged);
        }
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
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.write_all(&[7; 100_000]).unwrap();
        file.set_len(10 << 20).unwrap();
        assert_eq!(end(&file).unwrap(), 100_000);
        file.write_all_at(&[7], 5 << 20).unwrap();
        assert_eq!(end(&file).unwrap(), (5 << 20) + 1);
        fs::write(folder.path().join("other"), "x").unwrap();
        assert_eq!(journals(folder.path()).unwrap(), [path]);
    }
}
