//! The data directory: who holds it, what format it has, where rows and blobs lie in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// The newest format of the directory that this program reads.
const FORMAT: u32 = 2;
/// The format of a new directory: its rows are in `rows`.
const ROWS_ONLY: u32 = 1;
/// The format of a directory whose rows were replaced as a whole: `CURRENT` says where they are.
const CURRENT_ROWS: u32 = 2;

/// The newest schema of rows that this program reads, and the one that it writes. It rises with every release in which
/// a row changes or is new, so that an older program refuses the directory as a whole: it would find out about a row
/// only when it reads it, and about a table that it does not know never.
const SCHEMA: u32 = 1;

/// Where the last failure of the disk is written down, for somebody who looks later.
pub(crate) const LAST_FAILURE: &str = "LAST_FAILURE";
/// Notes have this length, so that a full disk has the space for the next one.
const NOTE_BYTES: usize = 1024;

/// The folder of the rows, until they are replaced as a whole.
const ROWS: &str = "rows";

/// A data directory that this process holds alone.
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked for as long as it is open; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Directory {
    /// Takes hold of a directory, made if needed, and checks that this program may use it. A directory that it may not
    /// use stays as it is.
    pub(crate) fn open(path: &Path) -> Result<Directory, Error> {
        make_folder(path)
            .map_err(|error| refused(path, format!("creating {}", path.display()), error))?;
        let path = path
            .canonicalize()
            .map_err(|error| Error::io(format!("opening {}", path.display()), error))?;
        let mut lock = lock(&path)?;
        let written = check(&path, "FORMAT", "fogbank data ", FORMAT)?;
        let schema = check(&path, "SCHEMA", "fogbank schema ", SCHEMA)?;
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(|error| Error::io(format!("locking {}", path.display()), error))?;
        let directory = Directory { _lock: lock, path };
        if written.is_none() {
            directory.write_format()?;
        }
        if schema != Some(SCHEMA) {
            directory.write("SCHEMA", &format!("fogbank schema {SCHEMA}\n"))?;
        }
        if !directory.path.join(LAST_FAILURE).exists() {
            // An empty note holds the space that a note needs when the disk is full.
            note_failure(&directory.path, "");
        }
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// The folder of the rows. If it is not there yet, `create` fills it under another name first: a crash on the way
    /// leaves nothing that could be taken for a database.
    pub(crate) fn rows(
        &self,
        create: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        if let Some(current) = self.current()? {
            self.remove_other_rows(&current)?;
            return Ok(self.path.join(current));
        }
        let rows = self.path.join(ROWS);
        if exists(&rows)? {
            self.remove_other_rows(ROWS)?;
            return Ok(rows);
        }
        let unfinished = self.path.join(format!("{ROWS}.unfinished"));
        let failed = |error| Error::io(format!("creating {}", rows.display()), error);
        if exists(&unfinished)? {
            fs::remove_dir_all(&unfinished).map_err(failed)?;
        }
        create(&unfinished)?;
        sync_folders(&unfinished).map_err(failed)?;
        fs::rename(&unfinished, &rows).map_err(failed)?;
        sync_folder(&self.path).map_err(failed)?;
        Ok(rows)
    }

    /// A folder for rows that shall take the place of the present ones. It is empty, and removed at the next start
    /// unless [`Directory::set_current`] is called with it.
    pub(crate) fn new_rows(&self) -> Result<PathBuf, Error> {
        let number = self.numbers()?.into_iter().max().unwrap_or(1) + 1;
        let path = self.path.join(format!("{ROWS}-{number}"));
        fs::create_dir(&path)
            .map_err(|error| Error::io(format!("creating {}", path.display()), error))?;
        Ok(path)
    }

    /// Makes the rows in `folder` those that are opened from now on. Fails with [`Error::ReadOnly`] if nobody knows
    /// which ones a restart after a power cut would find.
    pub(crate) fn set_current(&self, folder: &Path) -> Result<(), Error> {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        sync_folders(folder)
            .map_err(|error| Error::io(format!("syncing {}", folder.display()), error))?;
        // A program that does not know `CURRENT` must not take the directory for an empty one.
        self.write("FORMAT", &format!("fogbank data {CURRENT_ROWS}\n"))?;
        self.write("CURRENT", &format!("{name}\n")).map_err(|error| {
            if self.current().is_ok_and(|current| current.as_deref() != Some(name)) {
                return error;
            }
            Error::ReadOnly { reason: error.to_string().into(), disk_full: error.is_disk_full() }
        })
    }

    /// What `CURRENT` says, if it is there.
    fn current(&self) -> Result<Option<String>, Error> {
        let path = self.path.join("CURRENT");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(format!("reading {}", path.display()), error)),
        };
        let name = text.trim_end();
        if number_of(name).is_none() || !exists(&self.path.join(name))? {
            let why = format!("it says {text:?}, which is not a folder of rows");
            return Err(Error::corrupt(path.display().to_string(), why));
        }
        Ok(Some(name.to_owned()))
    }

    /// The numbers of the folders of rows; `rows` itself has the number 1.
    fn numbers(&self) -> Result<Vec<u64>, Error> {
        let failed = |error| Error::io(format!("listing {}", self.path.display()), error);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            numbers.extend(name.to_str().and_then(number_of));
        }
        Ok(numbers)
    }

    /// Removes rows that were replaced, or that were never finished.
    fn remove_other_rows(&self, current: &str) -> Result<(), Error> {
        for number in self.numbers()? {
            let name = if number == 1 { ROWS.to_owned() } else { format!("{ROWS}-{number}") };
            if name != current {
                let path = self.path.join(name);
                fs::remove_dir_all(&path)
                    .map_err(|error| Error::io(format!("removing {}", path.display()), error))?;
            }
        }
        Ok(())
    }

    fn write_format(&self) -> Result<(), Error> {
        if exists(&self.path.join(ROWS))? {
            return Err(Error::corrupt(
                self.path.display().to_string(),
                "it has rows but no file FORMAT",
            ));
        }
        self.write("FORMAT", &format!("fogbank data {ROWS_ONLY}\n"))
    }

    /// Replaces a small file as a whole.
    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        let unfinished = self.path.join(format!("{name}.unfinished"));
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            sync_folder(&self.path)
        };
        write().map_err(|error| Error::io(format!("writing {}", path.display()), error))
    }
}

/// The number in a small file after its prefix, if the file is there; an error if it is larger than this program knows.
fn check(directory: &Path, name: &str, prefix: &str, supported: u32) -> Result<Option<u32>, Error> {
    let path = directory.join(name);
    let text = match fs::read(&path) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(format!("reading {}", path.display()), error)),
    };
    match text.strip_prefix(prefix).and_then(|number| number.trim().parse().ok()) {
        Some(found) if found > supported => {
            let what = directory.display().to_string();
            Err(Error::NewerFormat { what, found, supported })
        }
        Some(found) if found > 0 => Ok(Some(found)),
        _ => {
            let text: String = text.chars().take(60).collect();
            let why = format!(
                "it says {text:?} and not `{prefix}` with a number up to {supported}; put that line back if \
                 this is a data directory, or start with another one"
            );
            Err(Error::corrupt(path.display().to_string(), why))
        }
    }
}

/// Checks that this program may open the directory, by what it says of its format.
pub(crate) fn read_format(directory: &Path) -> Result<(), Error> {
    check(directory, "FORMAT", "fogbank data ", FORMAT)?;
    check(directory, "SCHEMA", "fogbank schema ", SCHEMA).map(|_| ())
}

/// The number of a folder of rows, from its name.
fn number_of(name: &str) -> Option<u64> {
    if name == ROWS {
        return Some(1);
    }
    name.strip_prefix(ROWS)?.strip_prefix('-')?.parse().ok().filter(|number| *number > 1)
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| Error::io(format!("looking at {}", path.display()), error))
}

/// Makes a folder, with those above it, whose name survives a power cut.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = match path.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    make_folder(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    sync_folder(above)
}

/// Leaves a note of a failure beside the data, if the disk still takes one; the log has it in any case.
pub(crate) fn note_failure(directory: &Path, what: &str) {
    let mut note: Vec<u8> = what.bytes().take(NOTE_BYTES - 1).collect();
    note.resize(NOTE_BYTES - 1, b' ');
    note.push(b'\n');
    let path = directory.join(LAST_FAILURE);
    // Not truncated: the space of the last note is there.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(&note)) {
        tracing::warn!(%error, "the failure could not be noted in the data directory");
    }
}

/// Tells a directory that may not be written from other failures.
fn refused(directory: &Path, doing: String, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Error::NotWritable { path: directory.to_owned(), why: error.to_string().into() }
        }
        _ => Error::io(doing, error),
    }
}

/// Makes the names in a folder, and in all below it, survive a power cut: the engine syncs its files, and not every
/// folder that it makes.
fn sync_folders(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Locks the directory for this process; whoever comes second learns the number that is in the file.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("LOCK");
    let failed = |error| refused(directory, format!("locking {}", path.display()), error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    try_lock(&mut file, directory)?;
    Ok(file)
}

/// Locks the open file `LOCK` of a directory for as long as it stays open.
pub(crate) fn try_lock(file: &mut File, directory: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The number only helps to find the holder.
            let _ = file.read_to_string(&mut text);
            let holder = text.trim().parse().ok();
            Err(Error::Locked { path: directory.to_owned(), holder })
        }
        Err(TryLockError::Error(error)) => {
            Err(Error::io(format!("locking {}", directory.join("LOCK").display()), error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Directory::open(folder.path()).unwrap();
        let Err(Error::Locked { holder, .. }) = Directory::open(folder.path()) else {
            panic!("the second holder was let in");
        };
        assert_eq!(holder, Some(std::process::id()));
        drop(first);
        Directory::open(folder.path()).unwrap();
    }

    #[test]
    fn a_newer_directory_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("FORMAT"), "fogbank data 3\n").unwrap();
        let Err(error) = Directory::open(folder.path()) else { panic!("it was opened") };
        assert!(matches!(error, Error::NewerFormat { found: 3, supported: 2, .. }), "{error}");
        assert!(error.to_string().contains("another data directory"), "{error}");
        let text = fs::read_to_string(folder.path().join("FORMAT")).unwrap();
        assert_eq!(text, "fogbank data 3\n");
        assert!(!folder.path().join("rows").exists());
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(Directory::open(folder.path()).unwrap());
        let path = folder.path().join("SCHEMA");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("fogbank schema {SCHEMA}\n"));
        fs::write(&path, "fogbank schema 9\n").unwrap();
        fs::write(folder.path().join("LOCK"), "1\n").unwrap();
        let Err(error) = Directory::open(folder.path()) else { panic!("it was opened") };
        assert!(matches!(error, Error::NewerFormat { found: 9, .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "fogbank schema 9\n");
        assert_eq!(fs::read_to_string(folder.path().join("LOCK")).unwrap(), "1\n");
        // A directory without one is from before there was one.
        fs::remove_file(&path).unwrap();
        Directory::open(folder.path()).unwrap();
    }

    #[test]
    fn an_unfinished_creation_is_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let failed = directory.rows(|path| {
            fs::create_dir(path).unwrap();
            fs::write(path.join("half"), "x").unwrap();
            Err(Error::Closed)
        });
        assert!(failed.is_err());
        let create = |path: &Path| {
            fs::create_dir(path).unwrap();
            Ok(())
        };
        let rows = directory.rows(create).unwrap();
        assert_eq!(fs::read_dir(rows).unwrap().count(), 0);
        directory.rows(|_| panic!("it exists already")).unwrap();
    }
}
