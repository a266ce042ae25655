//! The files that blobs lie in, behind a trait small enough for a disk in memory and one that fails on purpose.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use rustix::fs::{FallocateFlags, OFlags, fallocate, fstatvfs};
use rustix::io::{Errno, pread};

use super::pages::Pages;
use crate::Error;
use crate::frames;
use crate::space::Space;

/// One flat directory of files.
pub(crate) trait Disk: Send + Sync {
    /// Makes a new file.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to read it and to punch holes into it.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to read what is on the device, past the system's cache where that is possible.
    fn open_uncached(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.open(name)
    }
    /// Removes a file. Whoever has it open reads on.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Refuses more bytes if too little space is left.
    fn check_space(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Makes the names of new files survive a power cut.
    fn sync_names(&self) -> io::Result<()>;
    /// Whether larger bodies are best written in whole pages.
    fn takes_pages(&self) -> bool {
        false
    }
}

/// An open file.
pub(crate) trait DiskFile: Send + Sync {
    /// Writes the parts one after the other from `offset` on.
    fn write_at(&self, parts: &[Bytes], offset: u64) -> io::Result<()>;
    /// Writes whole pages, but for the first `skip` bytes of them, past the system's cache where that is possible.
    fn write_pages(&self, pages: &Pages, skip: usize, offset: u64) -> io::Result<()> {
        self.write_at(&[Bytes::copy_from_slice(pages.after(skip))], offset)
    }
    /// Has blocks ready for a range, which reads as zeros until it is written to.
    fn allocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
    /// Cuts the file to a length that it has at least.
    fn set_len(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }
    /// Reads up to `len` bytes; fewer at the end of the file or of a part.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes>;
    /// Fills an empty buffer with up to `wanted` bytes from `offset` on, which is a multiple of a page.
    fn read_uncached(&self, pages: &mut Pages, offset: u64, wanted: u64) -> io::Result<()> {
        pages.fill(wanted, |at, room| {
            let bytes = self.read_at(offset + at, room.len())?;
            room[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        })
    }
    /// Makes what was written survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// Gives the blocks of a range back; they read as zeros afterwards.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
}

/// With less than this free, no blocks are allocated ahead.
const SCARCE_BYTES: u64 = 1 << 30;

/// A directory of the file system.
pub(crate) struct FolderDisk {
    folder: PathBuf,
    /// Where files are only read, nothing is watched.
    space: Option<Arc<Space>>,
    /// Whether it was said that the file system has a cache that cannot be gone past.
    is_cached_only: AtomicBool,
}

impl FolderDisk {
    pub(crate) fn open(folder: PathBuf, space: Option<Arc<Space>>) -> io::Result<FolderDisk> {
        crate::layout::make_folder(&folder)?;
        Ok(FolderDisk { folder, space, is_cached_only: AtomicBool::new(false) })
    }

    fn open_direct(&self, path: &Path) -> Option<File> {
        if self.is_cached_only.load(Ordering::Relaxed) {
            return None;
        }
        let flags = OFlags::DIRECT.bits().cast_signed();
        match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
            Ok(direct) => Some(direct),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.is_cached_only.store(true, Ordering::Relaxed);
                let folder = self.folder.display();
                tracing::info!(%folder, %error, "bodies are written through the system's cache");
                None
            }
        }
    }
}

impl Disk for FolderDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.folder.join(name);
        let cached = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        Ok(Arc::new(FolderFile { cached, direct: self.open_direct(&path) }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let cached = OpenOptions::new().read(true).write(true).open(self.folder.join(name))?;
        Ok(Arc::new(FolderFile { cached, direct: None }))
    }

    fn open_uncached(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.folder.join(name);
        let direct = self.open_direct(&path);
        Ok(Arc::new(FolderFile { cached: File::open(path)?, direct }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn check_space(&self) -> Result<(), Error> {
        self.space.as_ref().map_or(Ok(()), |space| space.admit_blob())
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn takes_pages(&self) -> bool {
        true
    }
}

/// A file, opened for the system's cache and, if it is new and the file system can, for writes past it.
///
/// Both see the same bytes: the system drops from its cache what is written past it.
struct FolderFile {
    cached: File,
    direct: Option<File>,
}

impl DiskFile for FolderFile {
    fn write_at(&self, parts: &[Bytes], mut offset: u64) -> io::Result<()> {
        for part in parts {
            self.cached.write_all_at(part, offset)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    fn write_pages(&self, pages: &Pages, skip: usize, offset: u64) -> io::Result<()> {
        let bytes = pages.after(skip);
        if let Some(direct) = &self.direct {
            match direct.write_all_at(bytes, offset) {
                // Some file systems find out only now that they cannot, and a device may want more than pages.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                outcome => return outcome,
            }
        }
        self.cached.write_all_at(bytes, offset)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let free = fstatvfs(&self.cached)?;
        // The last blocks of a disk are for what is really written.
        if free.f_bavail.saturating_mul(free.f_frsize) < SCARCE_BYTES {
            return Ok(());
        }
        Ok(fallocate(&self.cached, FallocateFlags::empty(), offset, len)?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.len()? == len { Ok(()) } else { self.cached.set_len(len) }
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        frames::try_filled(len, |buffer| {
            while buffer.len() < len {
                // Reads into memory that was never written to, which need not be zeroed.
                let at = offset + buffer.len() as u64;
                match pread(&self.cached, spare_capacity(buffer), at) {
                    Ok(0) => break,
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            buffer.truncate(len);
            Ok(())
        })
    }

    fn read_uncached(&self, pages: &mut Pages, offset: u64, wanted: u64) -> io::Result<()> {
        pages.fill(wanted, |at, room| {
            if let Some(direct) = &self.direct {
                match direct.read_at(room, offset + at) {
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                    outcome => return outcome,
                }
            }
            self.cached.read_at(room, offset + at)
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.cached.sync_data()
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(&self.cached, flags, offset, len)?)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.cached.metadata()?.len())
    }
}

/// Files in memory, for `--ephemeral` and tests: they keep the very buffers that were written.
#[derive(Default)]
pub(crate) struct MemoryDisk {
    files: Mutex<HashMap<String, Arc<MemoryFile>>>,
}

/// The parts of a file by their offset.
#[derive(Default)]
struct MemoryFile {
    parts: Mutex<BTreeMap<u64, Bytes>>,
}

impl Disk for MemoryDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = Arc::new(MemoryFile::default());
        self.files.lock().insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.files.lock().get(name).cloned();
        file.map(|file| file as Arc<dyn DiskFile>).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.files.lock().remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, parts: &[Bytes], mut offset: u64) -> io::Result<()> {
        let mut file = self.parts.lock();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            file.insert(offset, part.clone());
            offset += part.len() as u64;
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let parts = self.parts.lock();
        let Some((start, part)) = parts.range(..=offset).next_back() else {
            return Ok(Bytes::new());
        };
        let skip = usize::try_from(offset - start).unwrap_or(usize::MAX).min(part.len());
        let part = part.slice(skip..);
        Ok(part.slice(..len.min(part.len())))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn punch(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        let parts = self.parts.lock();
        Ok(parts.last_key_value().map_or(0, |(start, part)| start + part.len() as u64))
    }
}
