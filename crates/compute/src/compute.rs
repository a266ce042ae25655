//! The entry to this crate: configuration, the folders it works in, and what all environments share.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::process::Pid;

use crate::doctor::Check;
use crate::lambda::{
    Environment, MissingRuntime, NODE_BOOTSTRAP, PYTHON_BOOTSTRAP, PythonSdk, ResolvedRuntime,
    Runtime, Spec, Starter,
};
use crate::sandbox::{HelperProgram, Isolation, Level};

/// How foreign code is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cloud's data directory. Functions never see it; `run/compute` inside holds what lives as long as the server.
    pub data_dir: PathBuf,
    /// How much isolation is asked for.
    pub isolation: Isolation,
    /// The program that becomes the sandbox helper.
    pub helper: HelperProgram,
    /// Take the nearest version of an interpreter where the exact one is missing, and say so.
    pub allow_nearest_runtime: bool,
    /// Where Python functions get boto3 from.
    pub python_sdk: PythonSdk,
}

impl Config {
    /// The defaults for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            isolation: Isolation::default(),
            helper: HelperProgram::default(),
            allow_nearest_runtime: true,
            python_sdk: PythonSdk::default(),
        }
    }
}

/// An execution environment could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machine lacks the runtime.
    #[error(transparent)]
    MissingRuntime(#[from] MissingRuntime),
    /// The machine offers less isolation than the configuration asks for.
    #[error("functions may not run with less isolation than configured: {0}")]
    Isolation(String),
    /// A folder, a pipe, a socket or a process could not be made.
    #[error("the execution environment could not be started: {0}")]
    Io(#[from] io::Error),
    /// The caller could not provide the specification.
    #[error("the function could not be prepared: {0}")]
    Spec(Box<dyn std::error::Error + Send + Sync>),
}

/// Starts sandboxed processes. Cloning shares it.
#[derive(Clone)]
pub struct Compute {
    starter: Arc<Starter>,
}

impl Compute {
    /// Prepares the working folder and the thread that starts processes.
    pub fn new(config: Config) -> io::Result<Self> {
        let work = WorkDir::create(&config.data_dir)?;
        Ok(Self { starter: Arc::new(Starter::new(config, work)?) })
    }

    /// Finds the interpreter for a runtime. The first search runs programs and blocks for up to 100 ms.
    pub fn resolve(&self, runtime: &Runtime) -> Result<ResolvedRuntime, MissingRuntime> {
        self.starter.resolve(runtime)
    }

    /// The level of isolation that functions get here, and why it is not the best one. Needs a tokio runtime.
    ///
    /// The first call tries it out, which takes a few milliseconds.
    pub async fn isolation(&self) -> (Level, Option<String>) {
        self.starter.isolation().await
    }

    /// Looks at what this machine offers: isolation, memory limits, interpreters. Needs a tokio runtime.
    pub async fn doctor(&self) -> Vec<Check> {
        self.starter.clone().doctor().await
    }

    /// Starts an execution environment and returns while its runtime initialises. Needs a tokio runtime.
    pub async fn start(&self, spec: Spec) -> Result<Environment, StartError> {
        self.starter.clone().start(Arc::new(spec)).await
    }
}

/// The folder for what lives as long as the server: bootstraps, merged layers, scratch folders. Dropping removes it.
pub(crate) struct WorkDir {
    path: PathBuf,
}

impl WorkDir {
    /// Makes a folder of its own, because the doctor may look at the data directory of a server that runs.
    fn create(data_dir: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let all = data_dir.join("run/compute");
        std::fs::create_dir_all(&all)?;
        remove_stale(&all);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = all.join(format!("{}-{number}", std::process::id()));
        // Process ids are used again, in a container at every start.
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir(&path)?;
        let work = Self { path: path.canonicalize()? };
        for dir in [work.runtime(), work.empty(), work.root(), work.path.join("layers")] {
            std::fs::create_dir_all(dir)?;
        }
        for (name, text) in [PYTHON_BOOTSTRAP, NODE_BOOTSTRAP] {
            std::fs::write(work.runtime().join(name), text)?;
        }
        Ok(work)
    }

    /// Holds the bootstraps: `/var/runtime`.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.path.join("runtime")
    }

    /// A folder that stays empty: `/opt` without layers.
    pub(crate) fn empty(&self) -> PathBuf {
        self.path.join("empty")
    }

    /// The folder on which every sandbox mounts its root, each in its own namespace.
    pub(crate) fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// The folder under which a set of layers is merged.
    pub(crate) fn layers(&self, name: &str) -> PathBuf {
        self.path.join("layers").join(name)
    }

    /// The folder with links to boto3 for one interpreter.
    pub(crate) fn python_sdk(&self, name: &str) -> PathBuf {
        self.path.join("python-sdk").join(name)
    }

    /// Makes the scratch folder of an environment, which goes with the returned value.
    pub(crate) fn scratch(&self, number: u64) -> io::Result<Scratch> {
        let path = self.path.join("scratch").join(number.to_string());
        std::fs::create_dir_all(&path)?;
        Ok(Scratch { path })
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).ok();
    }
}

/// Removes the folders of servers that have ended. What cannot be removed stays until the next start.
fn remove_stale(all: &Path) {
    let is_alive = |owner: u32| match i32::try_from(owner).ok().and_then(Pid::from_raw) {
        // A process of another user exists, too.
        Some(pid) => !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH)),
        None => false,
    };
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split('-').next()?.parse().ok());
        if !owner.is_some_and(is_alive) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// The scratch folder of one environment; dropping removes it.
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a scratch folder stays until the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_folder_of_its_own_and_clears_up_after_dead_ones() {
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("run/compute");
        // No process has this id: it is above the largest that Linux gives out.
        let stale = all.join("2147483000-0");
        std::fs::create_dir_all(stale.join("runtime")).unwrap();
        let one = WorkDir::create(dir.path()).unwrap();
        assert!(!stale.exists());
        let two = WorkDir::create(dir.path()).unwrap();
        assert!(one.runtime().join(PYTHON_BOOTSTRAP.0).exists());
        assert_ne!(one.path, two.path);
        let path = one.path.clone();
        drop(one);
        assert!(!path.exists() && two.runtime().exists());
    }
}
