//! The library that stands between the cloud and its disk, and the words that tell it what to do.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

const SOURCE: &str = include_str!("preload.c");
const WORDS: usize = 24;

/// What happens at the operation that is counted down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Action {
    /// The process is killed before it.
    KillBefore = 1,
    /// The process is killed right after it.
    KillAfter,
    /// The process is killed with half of a write done.
    KillHalf,
    /// It fails.
    FailOnce,
    /// It fails, and so do all others that follow.
    FailOn,
    /// Half of a write is done, and the caller is told so.
    ShortOnce,
    /// Half of a write is done, and all others that follow fail.
    ShortOn,
}

/// Kinds of operations that are counted, to be combined.
pub mod kinds {
    /// Making a file.
    pub const CREATE: u64 = 1;
    /// Opening a file to write to it.
    pub const OPEN: u64 = 1 << 1;
    /// Writing to a file.
    pub const WRITE: u64 = 1 << 2;
    /// Syncing a file or folder.
    pub const SYNC: u64 = 1 << 3;
    /// Changing a file's length, reserving space, punching holes.
    pub const SIZE: u64 = 1 << 4;
    /// Renaming and linking.
    pub const NAME: u64 = 1 << 5;
    /// Removing a file.
    pub const UNLINK: u64 = 1 << 6;
    /// Making and removing folders.
    pub const FOLDER: u64 = 1 << 7;
    /// Reading from a file.
    pub const READ: u64 = 1 << 8;
    /// All that changes something, and syncs.
    pub const CHANGES: u64 = 0xff;
    /// What needs space.
    pub const SPACE: u64 = CREATE | WRITE | SIZE | FOLDER;
}

/// The library, built, with the files through which it is told what to do.
pub struct Preload {
    library: PathBuf,
    control: File,
    control_path: PathBuf,
    log: PathBuf,
    grave: PathBuf,
}

impl Preload {
    /// Builds the library in `scratch` with the machine's C compiler.
    pub fn build(scratch: &Path) -> anyhow::Result<Preload> {
        let source = scratch.join("preload.c");
        let library = scratch.join("preload.so");
        fs::write(&source, SOURCE)?;
        let built = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-pthread", "-o"])
            .args([&library, &source])
            .output()
            .context("cannot run cc, which the faults of the disk need")?;
        ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
        let control_path = scratch.join("control");
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&control_path)?;
        let preload = Preload {
            library,
            control,
            control_path,
            log: scratch.join("undo.log"),
            grave: scratch.join("grave"),
        };
        preload.reset()?;
        Ok(preload)
    }

    /// Forgets faults, counts and the undo log.
    pub fn reset(&self) -> anyhow::Result<()> {
        self.control.write_all_at(&[0; WORDS * 8], 0)?;
        self.set_free_bytes(None)?;
        let _ = fs::remove_file(&self.log);
        let _ = fs::remove_dir_all(&self.grave);
        fs::create_dir_all(&self.grave).context("creating the folder of unlinked files")
    }

    /// Lets `command` run upon the disk of `directory`, with an undo log if the power is to be cut.
    pub fn apply(&self, command: &mut Command, directory: &Path, with_log: bool) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("TORTURE_DIR", directory)
            .env("TORTURE_CONTROL", &self.control_path);
        if with_log {
            command.env("TORTURE_LOG", &self.log).env("TORTURE_GRAVE", &self.grave);
        }
    }

    /// Arms a fault at the operation after the next `skip` of these kinds.
    pub fn arm(&self, action: Action, kinds: u64, skip: u64, errno: u64) -> anyhow::Result<()> {
        self.set(1, 0)?;
        self.set(2, kinds)?;
        self.set(3, errno)?;
        self.set(4, skip)?;
        self.set(5, 0)?;
        self.set(1, action as u64)
    }

    /// Makes the disk whole again.
    pub fn disarm(&self) -> anyhow::Result<()> {
        self.set(1, 0)
    }

    /// Whether the fault has happened.
    pub fn has_fired(&self) -> anyhow::Result<bool> {
        Ok(self.get(5)? != 0)
    }

    /// Sets what the file system says of its free space; `None` is the truth.
    pub fn set_free_bytes(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        self.set(7, bytes.unwrap_or(u64::MAX))
    }

    /// How many operations of each kind there were, in the order of [`kinds`].
    pub fn counts(&self) -> anyhow::Result<[u64; 9]> {
        let mut counts = [0; 9];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = self.get(8 + at)?;
        }
        Ok(counts)
    }

    /// Where the undo log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Where unlinked files are kept.
    pub fn grave(&self) -> &Path {
        &self.grave
    }

    fn set(&self, word: usize, value: u64) -> anyhow::Result<()> {
        Ok(self.control.write_all_at(&value.to_ne_bytes(), word as u64 * 8)?)
    }

    fn get(&self, word: usize) -> anyhow::Result<u64> {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, word as u64 * 8)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}
