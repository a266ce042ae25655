//! Unpacked packages, in `lambda/code/<sha256>` of the data directory.
//!
//! They can be made again from the blobs at any time. A folder appears under its name when it is whole, by renaming. A
//! power cut could leave files empty that were never synced, so everything goes when the machine was started anew.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_core::store::{BlobRef, Blobs};
use fogbank_core::tracing;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::archive;
use super::files::BlobFile;

/// The unpacked packages of this machine.
pub(crate) struct Unpacked {
    root: PathBuf,
    /// The packages that were looked for since the start, so that each is unpacked by one task only.
    ready: Mutex<HashMap<String, Arc<OnceCell<PathBuf>>>>,
    /// What no function used when it was looked at last.
    unused: Mutex<HashSet<String>>,
}

impl Unpacked {
    /// The packages below a data directory; those from before the machine's start are removed.
    pub(crate) fn open(data_dir: &Path) -> Unpacked {
        let root = data_dir.join("lambda").join("code");
        if let Err(error) = prepare(&root) {
            tracing::error!(%error, root = %root.display(), "the folder of unpacked code is not usable");
        }
        Unpacked { root, ready: Mutex::default(), unused: Mutex::default() }
    }

    /// The folder of a package, unpacked now if it was not yet.
    pub(crate) async fn folder(
        &self,
        blobs: &Blobs,
        zip: &BlobRef,
        sha256: &str,
    ) -> io::Result<PathBuf> {
        let cell = Arc::clone(self.ready.lock().entry(sha256.to_owned()).or_default());
        let target = self.root.join(sha256);
        let file = BlobFile::new(blobs.clone(), zip.clone());
        let unpack = || async move {
            let unpacking = tokio::task::spawn_blocking(move || unpack(file, target));
            unpacking.await.map_err(io::Error::other)?
        };
        cell.get_or_try_init(unpack).await.cloned()
    }

    /// Removes the folders that no function uses, and that none used at the sweep before: an invocation that began
    /// earlier may still read them.
    pub(crate) fn sweep(&self, used: &HashSet<String>) -> io::Result<()> {
        let mut unused = HashSet::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == BOOT_FILE || used.contains(&name) {
                continue;
            }
            if self.unused.lock().contains(&name) {
                self.ready.lock().remove(&name);
                fs::remove_dir_all(entry.path())?;
            } else {
                unused.insert(name);
            }
        }
        *self.unused.lock() = unused;
        Ok(())
    }
}

const BOOT_FILE: &str = "boot";

fn prepare(root: &Path) -> io::Result<()> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let marker = root.join(BOOT_FILE);
    if boot.is_empty() || fs::read_to_string(&marker).ok().as_deref() != Some(&*boot) {
        match fs::remove_dir_all(root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::create_dir_all(root)?;
    fs::write(marker, boot)
}

fn unpack(file: BlobFile, target: PathBuf) -> io::Result<PathBuf> {
    /// Two tries may overlap: a caller that gives up does not stop the thread that unpacks.
    static TRIES: AtomicU64 = AtomicU64::new(0);
    if target.is_dir() {
        return Ok(target);
    }
    let number = TRIES.fetch_add(1, Ordering::Relaxed);
    let building = target.with_extension(format!("{}-{number}.part", std::process::id()));
    fs::create_dir_all(&building)?;
    let unpacked = archive::unpack(file, &building).and_then(|()| {
        fs::rename(&building, &target).or_else(|error| match target.is_dir() {
            true => Ok(()),
            false => Err(error),
        })
    });
    if building.exists() {
        fs::remove_dir_all(&building)?;
    }
    unpacked.map(|()| target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_at_the_second_sweep_without_use() {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = Unpacked::open(folder.path());
        let code = folder.path().join("lambda/code");
        for name in ["kept", "gone", "again"] {
            fs::create_dir_all(code.join(name)).unwrap();
        }
        let used = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        unpacked.sweep(&used(&["kept"])).unwrap();
        assert!(code.join("gone").is_dir());
        unpacked.sweep(&used(&["kept", "again"])).unwrap();
        assert!(!code.join("gone").exists());
        assert!(code.join("kept").is_dir() && code.join("again").is_dir());
        // The same start of the machine: what was unpacked stays.
        Unpacked::open(folder.path());
        assert!(code.join("kept").is_dir());
        fs::write(code.join(BOOT_FILE), "another start").unwrap();
        Unpacked::open(folder.path());
        assert!(!code.join("kept").exists());
    }
}
