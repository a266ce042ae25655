//! Builds the file system of a sandbox: parts of the host read-only, `/tmp`, `/proc`, a minimal `/dev`, nothing else.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    unmount,
};

use super::context;
use crate::sandbox::plan::{Bind, Plan};
use crate::sys::add_mount_flags;

const READ_ONLY: u64 = 0x1;
const NO_SUID: u64 = 0x2;
const NO_DEVICES: u64 = 0x4;
const NO_EXECUTION: u64 = 0x8;

/// The devices of a function. AWS has no `/dev/shm` either, so `multiprocessing` queues fail in the same way.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Builds the new root and moves into it. The caller is the first process of new mount and process namespaces.
pub(super) fn build(plan: &Plan) -> io::Result<()> {
    // Nothing that is mounted here may show outside.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let root = &plan.root;
    let bare = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", root, "tmpfs", bare, c"size=8m,mode=755")
        .map_err(|error| context("the new root")(error.into()))?;
    for bind in &plan.binds {
        self::bind(root, bind).map_err(context(&bind.source.display().to_string()))?;
    }
    for (place, content) in &plan.links {
        std::os::unix::fs::symlink(content, make_parent(root, place)?)?;
    }
    for (place, text) in &plan.files {
        fs::write(make_parent(root, place)?, text)?;
    }
    for name in ["tmp", "proc", "dev", "var/task", "opt"] {
        fs::create_dir_all(root.join(name))?;
    }
    // One call for all binds; what is mounted later is writable.
    add_mount_flags(&c_path(root)?, READ_ONLY | NO_SUID | NO_DEVICES)
        .map_err(context("read-only mounts"))?;
    let size = CString::new(format!("size={}m,mode=1777", plan.scratch_mb.max(1)))?;
    mount("tmpfs", root.join("tmp"), "tmpfs", bare, size.as_c_str())
        .map_err(|error| context("/tmp")(error.into()))?;
    mount("proc", root.join("proc"), "proc", bare | MountFlags::NOEXEC, None)
        .map_err(|error| context("/proc")(error.into()))?;
    devices(&root.join("dev")).map_err(context("/dev"))?;
    for hidden in &plan.hidden {
        let place = inside(root, hidden);
        mount("tmpfs", place, "tmpfs", bare | MountFlags::RDONLY, c"size=1m,mode=755")?;
    }
    rustix::process::chdir(root)?;
    // With both arguments the same the old root lands on top of the new one, from where it is taken off.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

fn bind(root: &Path, bind: &Bind) -> io::Result<()> {
    let place = make_parent(root, &bind.target)?;
    if fs::metadata(&bind.source)?.is_dir() {
        fs::create_dir_all(&place)?;
    } else if !place.exists() {
        File::create(&place)?;
    }
    Ok(mount_bind_recursive(&bind.source, &place)?)
}

/// The path under the new root, with the folder that holds it.
fn make_parent(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let place = inside(root, path);
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(place)
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn devices(folder: &Path) -> io::Result<()> {
    mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID, c"size=1m,mode=755")?;
    for name in DEVICES {
        let place = folder.join(name);
        File::create(&place)?;
        mount_bind_recursive(Path::new("/dev").join(name), &place)?;
    }
    for (name, content) in DEVICE_LINKS {
        std::os::unix::fs::symlink(content, folder.join(name))?;
    }
    // A device on a read-only mount can still be written to; the folder cannot.
    add_mount_flags(&c_path(folder)?, READ_ONLY | NO_SUID | NO_EXECUTION)
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
