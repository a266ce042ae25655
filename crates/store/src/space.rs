//! The free space of the disk, and what may still be written when little of it is left.
//!
//! A commit that fails for want of space makes the store read-only until a restart, because nobody knows how much of it
//! is on disk. So new rows and blobs are refused before that, while a reserve is left, which the engine needs to write
//! memory out and to merge files. What removes at least as many rows as it adds is still taken until half of the reserve
//! is gone: that is how space comes back. Once it is back, everything is taken again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{StatVfs, statvfs};

use crate::tx::Overlay;
use crate::{Error, layout};

/// How long a look at the free space is good for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How much space is left, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Enough for everything.
    Enough,
    /// Only for what gives space back.
    Low,
    /// Only for the engine itself.
    Spent,
}

/// Watches the file system that a directory is on.
#[derive(Debug)]
pub(crate) struct Space {
    path: PathBuf,
    reserve_bytes: u64,
    looked: Mutex<Option<(Instant, Level)>>,
}

impl Space {
    pub(crate) fn new(path: PathBuf, reserve_bytes: u64) -> Space {
        Space { path, reserve_bytes, looked: Mutex::new(None) }
    }

    /// Refuses a transaction that adds more than it removes, if little space is left.
    pub(crate) fn admit(&self, rows: &Overlay) -> Result<(), Error> {
        match self.level(LOOK_EVERY) {
            Level::Enough => Ok(()),
            _ if rows.is_empty() => Ok(()),
            Level::Low => {
                let added = rows.iter().filter(|(_, value)| value.is_some()).count();
                if added * 2 <= rows.len() { Ok(()) } else { Err(self.refusal()) }
            }
            Level::Spent => Err(self.refusal()),
        }
    }

    /// Refuses more bytes of a blob, if little space is left at this very moment.
    pub(crate) fn admit_blob(&self) -> Result<(), Error> {
        match self.level(Duration::ZERO) {
            Level::Enough => Ok(()),
            _ => Err(self.refusal()),
        }
    }

    fn refusal(&self) -> Error {
        Error::NoSpace { path: self.path.clone(), reserve_bytes: self.reserve_bytes }
    }

    fn level(&self, good_for: Duration) -> Level {
        let mut looked = self.looked.lock();
        let now = Instant::now();
        let before = match *looked {
            Some((at, level)) if now.saturating_duration_since(at) < good_for => return level,
            Some((_, level)) => level,
            None => Level::Enough,
        };
        // A file system that does not tell is taken to have space; it will say if it has not.
        let free = free_bytes(&self.path).unwrap_or(u64::MAX);
        let level = match free {
            free if free < self.reserve_bytes / 2 => Level::Spent,
            free if free < self.reserve_bytes => Level::Low,
            _ => Level::Enough,
        };
        *looked = Some((now, level));
        drop(looked);
        if before == Level::Enough && level > Level::Enough {
            let (path, reserve) = (self.path.display(), self.reserve_bytes);
            tracing::error!(%path, free, reserve, "the disk is nearly full; new data is refused");
            layout::note_failure(&self.path, &format!("new data was refused: {}", self.refusal()));
        } else if before > Level::Enough && level == Level::Enough {
            tracing::warn!(path = %self.path.display(), free, "the disk has space again");
        }
        level
    }
}

/// Bytes that this process may still write to the file system of a path.
pub fn free_bytes(path: &std::path::Path) -> std::io::Result<u64> {
    let StatVfs { f_bavail, f_frsize, .. } = statvfs(path)?;
    Ok(f_bavail.saturating_mul(f_frsize))
}

/// The reserve that suits the file system of a path: at most 256 MiB, and a twentieth of a small one.
pub(crate) fn default_reserve_bytes(path: &std::path::Path) -> u64 {
    let existing = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    let all = statvfs(existing).map_or(u64::MAX, |fs| fs.f_blocks.saturating_mul(fs.f_frsize));
    (all / 20).min(256 << 20)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn rows(added: u8, removed: u8) -> Overlay {
        let mut rows = Overlay::default();
        for key in 0..added {
            rows.set(Bytes::from(vec![1, key]), Some(Bytes::from_static(b"value")));
        }
        for key in 0..removed {
            rows.set(Bytes::from(vec![2, key]), None);
        }
        rows
    }

    fn space_of(folder: &tempfile::TempDir, reserve_bytes: u64) -> Space {
        Space::new(folder.path().to_owned(), reserve_bytes)
    }

    #[test]
    fn what_adds_is_refused_below_the_reserve() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(folder.path()).unwrap();
        let enough = space_of(&folder, 0);
        enough.admit(&rows(3, 0)).unwrap();
        enough.admit_blob().unwrap();
        // Between half of the reserve and all of it, and far from both.
        let low = space_of(&folder, free / 2 * 3);
        low.admit(&rows(1, 1)).unwrap();
        low.admit(&rows(0, 0)).unwrap();
        let error = low.admit(&rows(2, 1)).unwrap_err();
        assert!(error.is_disk_full() && error.to_string().contains("reserve"), "{error}");
        assert!(low.admit_blob().is_err());
        let note = std::fs::read_to_string(folder.path().join(layout::LAST_FAILURE)).unwrap();
        assert!(note.contains("new data was refused"), "{note}");
    }

    #[test]
    fn only_reads_are_left_below_half_of_the_reserve() {
        let folder = tempfile::tempdir().unwrap();
        let spent = space_of(&folder, u64::MAX);
        assert!(spent.admit(&rows(0, 2)).is_err());
        spent.admit(&rows(0, 0)).unwrap();
    }
}
