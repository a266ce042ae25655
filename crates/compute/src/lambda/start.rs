//! Puts an execution environment together: interpreter, folders, Runtime API, log and process.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::api::RuntimeApi;
use super::environment::{Environment, Running};
use super::launch::{self, Entry, PYTHON_BOOTSTRAP, View};
use super::layers;
use super::python_sdk::{self, FoundSdk};
use super::resolve::{MissingRuntime, Places, ResolvedRuntime, Resolver};
use super::runtime::{Family, Runtime};
use super::spec::Spec;
use crate::compute::{Config, StartError, WorkDir};
use crate::memory::Memory;
use crate::output::{Emitter, Output};
use crate::process::{Launch, Spawner};

/// What all environments share.
pub(crate) struct Starter {
    config: Config,
    work: WorkDir,
    spawner: Spawner,
    resolver: Resolver,
    /// boto3 for each interpreter that was prepared.
    python: Mutex<std::collections::HashMap<PathBuf, Option<FoundSdk>>>,
    number: AtomicU64,
}

/// What had to be looked up on disk for a function.
struct Prepared {
    resolved: ResolvedRuntime,
    opt: PathBuf,
    sdk: Option<FoundSdk>,
}

impl Starter {
    pub(crate) fn new(config: Config, work: WorkDir) -> io::Result<Self> {
        let resolver = Resolver::new(Places::from_environment(), config.allow_nearest_runtime);
        Ok(Self {
            config,
            work,
            spawner: Spawner::new()?,
            resolver,
            python: Mutex::default(),
            number: AtomicU64::new(0),
        })
    }

    pub(crate) fn resolve(&self, runtime: &Runtime) -> Result<ResolvedRuntime, MissingRuntime> {
        self.resolver.resolve(runtime)
    }

    pub(crate) async fn start(self: Arc<Self>, spec: Arc<Spec>) -> Result<Environment, StartError> {
        let started = Instant::now();
        let prepared = match self.prepared(&spec) {
            Some(prepared) => prepared,
            None => {
                let (starter, spec) = (self.clone(), spec.clone());
                tokio::task::spawn_blocking(move || starter.prepare(&spec))
                    .await
                    .map_err(io::Error::other)??
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let api = RuntimeApi::new();
        let emitter = Arc::new(Emitter::new(spec.log_sink.clone()));
        let running = self.run(&spec, &prepared, &address, emitter.clone()).await?;
        let serving = tokio::spawn(api.clone().serve(listener)).abort_handle();
        Ok(Environment::new(spec, api, emitter, started, running, serving))
    }

    /// What `prepare` would find, if nothing has to be looked up.
    fn prepared(&self, spec: &Spec) -> Option<Prepared> {
        let resolved = self.resolver.known(&spec.runtime)?;
        let opt = self.opt(spec);
        let sdk = match (&resolved.program, spec.runtime.family()) {
            (Some(program), Family::Python) => self.python.lock().get(program)?.clone(),
            _ => None,
        };
        opt.exists().then_some(Prepared { resolved, opt, sdk })
    }

    /// Finds the interpreter and merges the layers; runs programs and reads folders.
    fn prepare(&self, spec: &Spec) -> Result<Prepared, StartError> {
        let resolved = self.resolver.resolve(&spec.runtime)?;
        let opt = self.opt(spec);
        if !spec.layers.is_empty() {
            layers::merge(&spec.layers, &opt)?;
        }
        let sdk = match (&resolved.program, spec.runtime.family()) {
            (Some(program), Family::Python) => {
                let work = self.work.python_sdk(&layers::name_of(std::slice::from_ref(program)));
                let bootstrap = self.work.runtime().join(PYTHON_BOOTSTRAP.0);
                let sdk = python_sdk::prepare(program, &bootstrap, &self.config.python_sdk, &work)?;
                self.python.lock().insert(program.clone(), sdk.clone());
                sdk
            }
            _ => None,
        };
        Ok(Prepared { resolved, opt, sdk })
    }

    /// Where the layers are merged.
    fn opt(&self, spec: &Spec) -> PathBuf {
        if spec.layers.is_empty() {
            self.work.empty()
        } else {
            self.work.layers(&layers::name_of(&spec.layers))
        }
    }

    /// Starts the process, or says why there is nothing to start.
    async fn run(
        &self,
        spec: &Arc<Spec>,
        prepared: &Prepared,
        address: &str,
        emitter: Arc<Emitter>,
    ) -> Result<Result<Running, String>, StartError> {
        let folders = self.work.scratch(self.number.fetch_add(1, Ordering::Relaxed))?;
        let view = View {
            task: spec.code_dir.clone(),
            runtime: self.work.runtime(),
            opt: prepared.opt.clone(),
            tmp: folders.path().to_path_buf(),
            program: prepared.resolved.program.clone(),
            python_sdk: prepared.sdk.as_ref().map(|sdk| sdk.dir.clone()),
        };
        let (program, args) = match launch::entry(spec, &prepared.resolved, &view, &prepared.opt)? {
            Entry::Run(program, args) => (program, args),
            Entry::Invalid(reason) => return Ok(Err(reason)),
        };
        let (output, writer) = Output::open(emitter)?;
        let env = launch::variables(spec, &view, address, false);
        let launch = Launch { program, args, env, cwd: view.task, stdin: None, output: writer };
        let process = self.spawner.spawn(launch).await?;
        let memory = Memory::of_processes(process.id());
        Ok(Ok(Running { process, output, memory, _folders: Some(folders) }))
    }
}
