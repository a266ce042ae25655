//! Unpacked packages, in `lambda/code/<sha256>` of the data directory.
//!
//! They can be made again from the blobs at any time. A folder appears under its name when it is whole, by renaming. A
//! power cut could leave files empty that were never synced, so everything goes when the machine was started anew.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fogbank_core::store::{BlobRef, Blobs};
use fogbank_core::tracing;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::archive;
use super::files::BlobFile;

/// A folder that no function uses stays this long: an invocation that began earlier may still read it.
const GRACE: Duration = Duration::from_secs(60 * 60);

/// The unpacked packages of this machine.
pub(crate) struct Unpacked {
    root: PathBuf,
    /// The packages that were looked for since the start, so that each is unpacked by one task only.
    ready: Mutex<HashMap<String, Arc<OnceCell<PathBuf>>>>,
}

impl Unpacked {
    /// The packages below a data directory; those from before the machine's start are removed.
    pub(crate) fn open(data_dir: &Path) -> Unpacked {
        let root = data_dir.join("lambda").join("code");
        if let Err(error) = prepare(&root) {
            tracing::error!(%error, root = %root.display(), "the folder of unpacked code is not usable");
        }
        Unpacked { root, ready: Mutex::default() }
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

    /// Removes the folders that no function uses any more.
    pub(crate) fn sweep(&self, used: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let age = entry
                .metadata()?
                .modified()
                .ok()
                .and_then(|modified| SystemTime::now().duration_since(modified).ok());
            if name == BOOT_FILE || used.contains(&name) || age.is_none_or(|age| age < GRACE) {
                continue;
            }
            self.ready.lock().remove(&name);
            fs::remove_dir_all(entry.path())?;
        }
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
    if target.is_dir() {
        return Ok(target);
    }
    let building = target.with_extension("part");
    match fs::remove_dir_all(&building) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(&building)?,
    }
    archive::unpack(file, &building)?;
    fs::rename(&building, &target)?;
    Ok(target)
}
