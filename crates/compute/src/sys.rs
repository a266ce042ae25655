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
