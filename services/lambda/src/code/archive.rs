//! Zip files: what they may hold, and how they are unpacked.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use fogbank_core::tracing;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{Error, invalid};

/// The largest zip file that may come with a request, in bytes.
pub(crate) const MAX_ZIPPED_BYTES: usize = 52_428_800;
/// The most that a package may take when it is unpacked, in bytes.
pub(crate) const MAX_UNZIPPED_BYTES: u64 = 262_144_000;
/// More files than this no file system should have to take.
const MAX_FILES: usize = 100_000;

const LINK_TYPE: u32 = 0o120_000;
const FILE_TYPES: u32 = 0o170_000;

/// Checks a package without unpacking it and returns what it takes unpacked, in bytes.
pub(crate) fn check(file: impl Read + Seek) -> Result<u64, Error> {
    let mut archive = ZipArchive::new(file).map_err(|_| broken())?;
    if archive.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    if archive.len() > MAX_FILES {
        return Err(invalid(format!("A package may have at most {MAX_FILES} files.")));
    }
    let mut total: u64 = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|_| broken())?;
        if entry.encrypted() || entry.enclosed_name().is_none() {
            return Err(broken());
        }
        total = total.saturating_add(entry.size());
        if total >= MAX_UNZIPPED_BYTES {
            return Err(too_large());
        }
    }
    Ok(total)
}

/// The error that a package is damaged.
pub(crate) fn broken() -> Error {
    invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

fn too_large() -> Error {
    invalid(format!("Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"))
}

/// Unpacks a package into an empty folder. Blocks.
///
/// Sizes are counted as they come: what the package says of itself may be a lie.
pub(crate) fn unpack(file: impl Read + Seek, folder: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let mut left = MAX_UNZIPPED_BYTES;
    let mut links = Vec::new();
    let mut unreadable = None;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = entry
            .enclosed_name()
            .ok_or_else(|| io::Error::other("a path leads out of the package"))?;
        let path = folder.join(&name);
        let mode = entry.unix_mode();
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if mode.is_some_and(|mode| mode & FILE_TYPES == LINK_TYPE) {
            let mut target = String::new();
            entry.take(4096).read_to_string(&mut target)?;
            links.push((path, PathBuf::from(target)));
            continue;
        }
        let mut out = File::create(&path)?;
        let written = io::copy(&mut (&mut entry).take(left + 1), &mut out)?;
        left = left
            .checked_sub(written)
            .ok_or_else(|| io::Error::other("the package is larger than it says"))?;
        set_mode(&out, mode)?;
        if mode.is_some_and(|mode| mode & 0o004 == 0) {
            unreadable.get_or_insert(name);
        }
    }
    if let Some(name) = unreadable {
        let name = name.display();
        tracing::warn!("the function may not read {name}: its permissions in the package lack it");
    }
    open_folders(folder)?;
    // Last, so that no file of the package is written through one of its links.
    for (path, target) in links {
        link(&target, &path)?;
    }
    Ok(())
}

/// Lets functions into every folder, whatever the server's own mask is.
fn open_folders(folder: &Path) -> io::Result<()> {
    set_folder_mode(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

/// What is wrong with the package is of kind `Other`; what is wrong with the disk keeps its kind.
fn damaged(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error,
        other => io::Error::other(other),
    }
}

/// Gives a file the permissions that the package has for it; the owner may always read.
#[cfg(unix)]
fn set_mode(file: &File, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = mode.unwrap_or(0o644) & 0o777 | 0o400;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn set_folder_mode(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn set_folder_mode(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: Option<u32>) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> io::Result<()> {
    match std::os::unix::fs::symlink(target, path) {
        // A package may name a path twice; the first one stays.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::other("symbolic links need Unix"))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn zipped(write: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        write(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    fn file(writer: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, mode: u32, text: &[u8]) {
        writer.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        writer.write_all(text).unwrap();
    }

    #[test]
    fn packages_keep_their_files_and_modes() {
        let bytes = zipped(|writer| {
            file(writer, "app.py", 0o600, b"print()");
            file(writer, "lib/bootstrap", 0o755, b"#!/bin/sh");
            writer.add_symlink("lib/start", "bootstrap", SimpleFileOptions::default()).unwrap();
            writer.add_directory("empty", SimpleFileOptions::default()).unwrap();
        });
        assert!(check(Cursor::new(&bytes)).is_ok());
        let folder = tempfile::tempdir().unwrap();
        unpack(Cursor::new(&bytes), folder.path()).unwrap();
        let mode = |name: &str| {
            use std::os::unix::fs::PermissionsExt;
            folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode("app.py"), mode("lib/bootstrap")), (0o600, 0o755));
        assert_eq!(fs::read(folder.path().join("lib/start")).unwrap(), b"#!/bin/sh");
        assert!(folder.path().join("empty").is_dir());
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let bytes = zipped(|writer| file(writer, "../evil.py", 0o644, b""));
        assert!(check(Cursor::new(&bytes)).is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(Cursor::new(&bytes), &folder.path().join("in")).is_err());
        assert!(!folder.path().join("evil.py").exists());
    }

    #[test]
    fn no_file_is_written_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        let bytes = zipped(|writer| {
            let options = SimpleFileOptions::default();
            writer.add_symlink("out", outside.path().to_str().unwrap(), options).unwrap();
            file(writer, "out/evil.py", 0o644, b"x");
        });
        let folder = tempfile::tempdir().unwrap();
        unpack(Cursor::new(&bytes), folder.path()).unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(folder.path().join("out/evil.py").is_file());
    }

    #[test]
    fn damaged_packages_never_leave_their_folder() {
        let bytes = zipped(|writer| {
            file(writer, "app.py", 0o644, b"print()");
            let options = SimpleFileOptions::default();
            writer.add_symlink("link", "app.py", options).unwrap();
            file(writer, "lib/deep/module.py", 0o600, &[7; 300]);
        });
        let world = tempfile::tempdir().unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x2e;
            let _ = check(Cursor::new(&bytes));
            let folder = world.path().join("in");
            fs::create_dir_all(&folder).unwrap();
            let _ = unpack(Cursor::new(&bytes), &folder);
            fs::remove_dir_all(&folder).unwrap();
            assert_eq!(fs::read_dir(world.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn garbage_and_bombs_are_refused() {
        let text = |bytes: &[u8]| check(Cursor::new(bytes)).expect_err("refused").to_string();
        assert!(text(b"no zip").starts_with("Could not unzip uploaded file."));
        assert_eq!(text(&zipped(|_| {})), "Uploaded file must be a non-empty zip");
        let bomb = zipped(|writer| {
            writer.start_file("zeros", SimpleFileOptions::default()).unwrap();
            let zeros = vec![0; 1 << 20];
            for _ in 0..250 {
                writer.write_all(&zeros).unwrap();
            }
        });
        assert!(bomb.len() < 1 << 20);
        assert_eq!(text(&bomb), "Unzipped size must be smaller than 262144000 bytes");
    }
}
