//! The entry to this crate: configuration, the folders it works in, and what all environments share.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::lambda::{
    Environment, MissingRuntime, NODE_BOOTSTRAP, PYTHON_BOOTSTRAP, PythonSdk, ResolvedRuntime,
    Runtime, Spec, Starter,
};

/// How foreign code is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cloud's data directory. Functions never see it; `run/compute` inside is emptied at every start.
    pub data_dir: PathBuf,
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

    /// Starts an execution environment and returns while its runtime initialises. Needs a tokio runtime.
    pub async fn start(&self, spec: Spec) -> Result<Environment, StartError> {
        self.starter.clone().start(Arc::new(spec)).await
    }
}

/// The folder for what lives as long as the server: bootstraps, merged layers, scratch folders.
pub(crate) struct WorkDir {
    path: PathBuf,
}

impl WorkDir {
    fn create(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join("run/compute");
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir_all(&path)?,
        }
        let work = Self { path: path.canonicalize()? };
        for dir in [work.runtime(), work.empty(), work.path.join("layers")] {
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

    /// The folder under which a set of layers is merged.
    pub(crate) fn layers(&self, name: &str) -> PathBuf {
        self.path.join("layers").join(name)
    }

    /// The folder with links to boto3 for one interpreter.
    pub(crate) fn python_sdk(&self, name: &str) -> PathBuf {
        self.path.join("python-sdk").join(name)
    }

    /// Makes the scratch folder of an environment, which goes with the returned value.
    pub(crate) fn scratch(&self, number: u64) -> io::Result<Folders> {
        let path = self.path.join("scratch").join(number.to_string());
        std::fs::create_dir_all(&path)?;
        Ok(Folders { path })
    }
}

/// The folders of one environment; dropping removes them.
pub(crate) struct Folders {
    path: PathBuf,
}

impl Folders {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a scratch folder stays until the next start");
        }
    }
}
