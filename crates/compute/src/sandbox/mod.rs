//! Sandboxes for foreign processes.
//!
//! The server starts itself again as a helper with one thread (`server __sandbox`), which reads a `Plan` from its
//! standard input, builds the sandbox around itself and becomes the program. A server with threads cannot do this in
//! a child of its own: between fork and exec a threaded process may call next to nothing.
//!
//! Three processes make one sandbox: the helper stays outside and hands the exit status on; its child is process 1
//! inside, which reaps orphans; the program is process 2. When the server dies, however suddenly, the kernel kills
//! the helper, then process 1, and with it everything inside.

#[cfg(target_os = "linux")]
mod cgroup;
mod host;
#[cfg(target_os = "linux")]
mod linux;
mod plan;
mod sandboxes;

use std::ffi::OsStr;
use std::path::PathBuf;

pub(crate) use host::{Host, installation};
pub(crate) use plan::{Bind, Plan};
pub(crate) use sandboxes::Sandboxes;

#[cfg(target_os = "linux")]
pub(crate) use cgroup::{Cgroup, Cgroups};

/// The first argument of the helper.
pub(crate) const HELPER_ARGUMENT: &str = "__sandbox";

/// Becomes the sandbox helper if the program was started as one; returns at once otherwise.
///
/// The server's `main` must call it before anything else, above all before it starts a thread.
pub fn maybe_enter() {
    if std::env::args_os().nth(1).as_deref() == Some(OsStr::new(HELPER_ARGUMENT)) {
        #[cfg(target_os = "linux")]
        linux::enter();
        #[cfg(not(target_os = "linux"))]
        std::process::exit(plan::SETUP_FAILED);
    }
}

/// How much isolation is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The best that the machine offers; a warning names what it lacks.
    #[default]
    Auto,
    /// Namespaces or nothing: functions do not start without them.
    Namespaces,
    /// No namespaces even where they are available.
    Process,
}

/// How much isolation there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Level {
    /// Own user, mount, process, IPC and host-name namespaces, no capabilities, a system call filter.
    Namespaces,
    /// An ordinary process without new privileges, with a system call filter and, where the kernel has it, Landlock.
    Confined,
    /// An ordinary process.
    Plain,
}

/// The program that becomes the sandbox helper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HelperProgram {
    /// This program; its `main` must call [`maybe_enter`].
    #[default]
    CurrentExe,
    /// Another program whose `main` calls [`maybe_enter`].
    Path(PathBuf),
    /// None: processes run without a sandbox.
    None,
}
