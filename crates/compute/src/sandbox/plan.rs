//! What the server tells the sandbox helper.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Level;

/// Exit status of a helper that could not build the sandbox.
pub(crate) const SETUP_FAILED: i32 = 125;
/// What the helper prints when a plan without a program succeeds.
pub(crate) const READY: &str = "sandbox ready";

/// A sandbox and the program in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The process id of the server; the helper ends if that is not its parent.
    pub(crate) server: u32,
    pub(crate) level: Level,
    /// Absent: build the sandbox, say so, and end.
    pub(crate) program: Option<PathBuf>,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: PathBuf,
    /// The `cgroup.procs` file of the control group to join.
    pub(crate) control_group: Option<PathBuf>,
    /// An empty folder on which the new root is mounted.
    pub(crate) root: PathBuf,
    /// What the sandbox shows, read-only, in this order.
    pub(crate) binds: Vec<Bind>,
    /// Symbolic links of the new root: place and content.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// Small files of the new root.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// Folders that must appear empty although a bind contains them.
    pub(crate) hidden: Vec<PathBuf>,
    /// The size of `/tmp`.
    pub(crate) scratch_mb: u32,
    /// Without namespaces: the folder that the program may write to. What it may read are the sources of the binds.
    pub(crate) writable: PathBuf,
}

/// A file or folder of the host in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
}

impl Bind {
    pub(crate) fn new(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into() }
    }

    /// At the same path inside as outside.
    pub(crate) fn same(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { source: path.clone(), target: path }
    }
}
