//! The only module with `unsafe`: calls that no safe crate offers.
#![expect(unsafe_code, reason = "system calls and registrations without a safe wrapper")]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers a descriptor with tokio, which then owns it.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned, so it is open, and it stays open until the registration is dropped with it:
    // `AsyncFd` gives it out by reference or after deregistering only.
    unsafe { AsyncFd::register(descriptor) }.map_err(io::Error::from)
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{Fork, add_mount_flags, fork};

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CStr;
    use std::io;

    use rustix::process::Pid;

    /// Which side of a fork this is.
    pub(crate) enum Fork {
        Child,
        Parent(Pid),
    }

    /// Forks into new namespaces (`CLONE_NEW…`, or 0). The caller must be the only thread of its process.
    pub(crate) fn fork(namespaces: libc::c_int) -> io::Result<Fork> {
        let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
        let zero: libc::c_long = 0;
        // SAFETY: without CLONE_VM and a stack this is fork(2): the child runs on a copy of the memory and shares
        // nothing with the parent. The process has one thread (the helper starts none), so no lock can be held by a
        // thread that the child lacks. The four other arguments are unused with these flags, in any order.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, zero, zero, zero, zero) };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        Ok(pid.map_or(Fork::Child, Fork::Parent))
    }

    /// `struct mount_attr` of Linux 5.12.
    #[repr(C)]
    struct MountAttributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }

    /// Adds flags (`MOUNT_ATTR_…`) to the mount at an absolute path, and to all below it.
    pub(crate) fn add_mount_flags(path: &CStr, flags: u64) -> io::Result<()> {
        let attributes =
            MountAttributes { set: flags, clear: 0, propagation: 0, user_namespace: 0 };
        let recursive = libc::AT_RECURSIVE as libc::c_uint;
        // SAFETY: the path is a NUL-terminated string and the attributes are a valid structure of the size passed;
        // the kernel reads both during the call only and writes to neither.
        let result = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                libc::AT_FDCWD,
                path.as_ptr(),
                recursive,
                &raw const attributes,
                size_of::<MountAttributes>(),
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
