//! Looks at a data directory from outside, without changing anything in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Access, access};

use crate::Error;
use crate::layout::{self, LAST_FAILURE};
use crate::space::{default_reserve_bytes, free_bytes};

/// What can be said of a data directory that is not opened.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The directory, or the one above it in which it would be made.
    pub existing: PathBuf,
    /// Whether there is a database.
    pub is_database: bool,
    /// Why it may not be opened by this program: its format, or who has it open.
    pub refusal: Option<Error>,
    /// Whether this user may write there.
    pub is_writable: bool,
    /// Bytes that are left on the disk, if it tells.
    pub free_bytes: Option<u64>,
    /// Bytes that must be left unless the settings say otherwise.
    pub reserve_bytes: u64,
    /// The last failure of the disk that a server noted, and when.
    pub last_failure: Option<(SystemTime, String)>,
}

/// Looks at a data directory, whether or not somebody has it open.
pub fn examine(path: &Path) -> Examination {
    let existing = path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let is_database = path.join("FORMAT").exists();
    let refusal = if is_database {
        layout::read_format(path).err().or_else(|| holder(path).err())
    } else {
        None
    };
    Examination {
        existing: existing.to_owned(),
        is_database,
        refusal,
        is_writable: access(existing, Access::WRITE_OK).is_ok(),
        free_bytes: free_bytes(existing).ok(),
        reserve_bytes: default_reserve_bytes(path),
        last_failure: last_failure(path),
    }
}

/// Fails if a process has the directory open. Not even a file is made for that.
fn holder(path: &Path) -> Result<(), Error> {
    match File::open(path.join("LOCK")) {
        Ok(mut file) => layout::try_lock(&mut file, path),
        // Without the file nobody has locked it.
        Err(_) => Ok(()),
    }
}

fn last_failure(path: &Path) -> Option<(SystemTime, String)> {
    let path = path.join(LAST_FAILURE);
    let at = fs::metadata(&path).and_then(|data| data.modified()).ok()?;
    let text = fs::read(&path).ok()?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (!text.is_empty()).then_some((at, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Db, Options};

    #[test]
    fn an_open_directory_is_held_and_a_closed_one_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let before = examine(&path);
        assert!(!before.is_database && before.refusal.is_none() && !path.exists());
        let db = Db::open(&Options::new(&path)).unwrap();
        let open = examine(&path);
        let holder = std::process::id();
        assert!(
            matches!(open.refusal, Some(Error::Locked { holder: Some(pid), .. }) if pid == holder)
        );
        db.close().unwrap();
        let closed = examine(&path);
        assert!(closed.is_database && closed.is_writable && closed.refusal.is_none());
        assert!(closed.free_bytes.is_some() && closed.last_failure.is_none());
        layout::note_failure(&path, "the disk broke");
        assert_eq!(examine(&path).last_failure.unwrap().1, "the disk broke");
    }
}
