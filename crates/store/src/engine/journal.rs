//! Says when the engine dropped the end of its journal.
//!
//! The engine reads its journal up to the first batch that is not whole, and takes that for one that a crash cut off. So
//! it is, mostly; but where a disk damaged the middle of the file, what follows is lost as well, and somebody must say so.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};

const CHUNK_BYTES: u64 = 64 << 10;

/// Where the data of each journal in a folder ends. One that cannot be read is left to the engine to complain about.
pub(super) fn ends(folder: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .filter_map(|path| end(&path).ok().map(|end| (path, end)))
        .collect()
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
