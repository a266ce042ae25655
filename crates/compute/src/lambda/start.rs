//! Puts an execution environment together: interpreter, folders, Runtime API, log, sandbox and process.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::api::RuntimeApi;
use super::environment::{Environment, Running};
use super::launch::{self, Entry, PYTHON_BOOTSTRAP};
use super::layers;
use super::layout::{Folders, layout};
use super::python_sdk::{self, FoundSdk};
use super::resolve::{MissingRuntime, Places, ResolvedRuntime, Resolver};
use super::runtime::{Family, Runtime};
use super::spec::Spec;
use crate::compute::{Config, StartError, WorkDir};
use crate::doctor::{Check, Status};
use crate::memory::Memory;
use crate::output::{Emitter, Output};
use crate::process::Spawner;
use crate::sandbox::{Isolation, Level, Sandboxes};

/// What all environments share.
pub(crate) struct Starter {
    config: Config,
    work: WorkDir,
    spawner: Spawner,
    sandboxes: Sandboxes,
    resolver: Resolver,
    /// boto3 for each interpreter that was prepared.
    python: Mutex<HashMap<PathBuf, Option<FoundSdk>>>,
    number: AtomicU64,
    #[cfg(target_os = "linux")]
    groups: std::sync::OnceLock<Result<crate::sandbox::Cgroups, String>>,
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
        let data_dir = config.data_dir.canonicalize()?;
        let sandboxes =
            Sandboxes::new(config.isolation, config.helper.clone(), data_dir, work.root());
        Ok(Self {
            config,
            work,
            spawner: Spawner::new()?,
            sandboxes,
            resolver,
            python: Mutex::default(),
            number: AtomicU64::new(0),
            #[cfg(target_os = "linux")]
            groups: std::sync::OnceLock::new(),
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
        Ok(Environment::new(spec, api, emitter, started, running, serving, self))
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

    /// The level of isolation, unless the configuration asks for more.
    async fn level(&self) -> Result<Level, StartError> {
        let found = self.sandboxes.level(&self.spawner).await;
        match (&found.reason, self.config.isolation) {
            (Some(reason), Isolation::Namespaces) => Err(StartError::Isolation(reason.clone())),
            _ => Ok(found.level),
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
        let level = self.level().await?;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let scratch = match level {
            Level::Namespaces => None,
            Level::Confined | Level::Plain => Some(self.work.scratch(number)?),
        };
        let task = spec.code_dir.canonicalize()?;
        let folders = Folders {
            task: &task,
            runtime: &self.work.runtime(),
            opt: &prepared.opt,
            scratch: scratch.as_ref().map_or("/tmp".as_ref(), |folder| folder.path()),
            sdk: prepared.sdk.as_ref(),
        };
        let (view, binds) = layout(level, &self.sandboxes.host, &prepared.resolved, &folders);
        let (program, args) = match launch::entry(spec, &prepared.resolved, &view, &prepared.opt)? {
            Entry::Run(program, args) => (program, args),
            Entry::Invalid(reason) => return Ok(Err(reason)),
        };
        let mut plan = self.sandboxes.plan(level);
        plan.hidden.extend(self.sandboxes.hidden(&binds));
        plan.binds.extend(binds);
        plan.program = Some(program);
        plan.args = args;
        plan.env = launch::variables(spec, &view, address);
        plan.cwd = view.task;
        plan.scratch_mb = spec.scratch_mb;
        plan.writable = view.tmp;
        let (output, writer) = Output::open(emitter)?;
        #[cfg(target_os = "linux")]
        let group = self.group(level, number, spec)?;
        #[cfg(target_os = "linux")]
        {
            plan.control_group = group.as_ref().map(crate::sandbox::Cgroup::members);
        }
        let process = self.sandboxes.spawn(&self.spawner, plan, writer).await?;
        #[cfg(target_os = "linux")]
        let memory = match group {
            Some(group) => Memory::of_group(process.id(), group),
            None => Memory::of_processes(process.id()),
        };
        #[cfg(not(target_os = "linux"))]
        let memory = Memory::of_processes(process.id());
        Ok(Ok(Running { process, output, memory, _scratch: scratch }))
    }
}

#[cfg(target_os = "linux")]
impl Starter {
    /// The control group of an environment, where groups can be made and a helper can join them.
    fn group(
        &self,
        level: Level,
        number: u64,
        spec: &Spec,
    ) -> io::Result<Option<crate::sandbox::Cgroup>> {
        if level == Level::Plain {
            return Ok(None);
        }
        match self.groups() {
            Ok(groups) => {
                // Only the sandbox's own /tmp is made of memory.
                let scratch_mb = if level == Level::Namespaces { spec.scratch_mb } else { 0 };
                groups.group(&number.to_string(), spec.memory_mb, scratch_mb).map(Some)
            }
            Err(_) => Ok(None),
        }
    }

    fn groups(&self) -> &Result<crate::sandbox::Cgroups, String> {
        self.groups.get_or_init(|| {
            let groups = crate::sandbox::Cgroups::create();
            if let Err(reason) = &groups {
                tracing::info!("memory is measured by adding up processes: {reason}");
            }
            groups
        })
    }

    fn check_memory(&self) -> Check {
        match self.groups() {
            Ok(groups) => {
                let detail = format!("limited by control groups below {}", groups.path().display());
                Check::new("memory", Status::Good, detail)
            }
            Err(reason) => {
                let detail = format!("measured every 50 ms, not limited by the kernel: {reason}");
                Check::new("memory", Status::Degraded, detail)
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Starter {
    fn check_memory(&self) -> Check {
        Check::new("memory", Status::Missing, "memory limits exist on Linux only")
    }
}

impl Starter {
    pub(crate) async fn isolation(&self) -> (Level, Option<String>) {
        let found = self.sandboxes.level(&self.spawner).await;
        (found.level, found.reason.clone())
    }

    /// Looks at isolation, memory and interpreters.
    pub(crate) async fn doctor(self: Arc<Self>) -> Vec<Check> {
        let found = self.sandboxes.level(&self.spawner).await.clone();
        let level = match found.level {
            Level::Namespaces => "namespaces, no capabilities, system call filter",
            Level::Confined => "process with system call filter, Landlock and no new privileges",
            Level::Plain => "plain process",
        };
        let isolation = match found.reason {
            None => Check::new("isolation", Status::Good, level),
            Some(reason) => {
                Check::new("isolation", Status::Degraded, format!("{level} ({reason})"))
            }
        };
        let starter = self.clone();
        let rest = tokio::task::spawn_blocking(move || {
            let mut checks = vec![starter.check_memory()];
            for (name, family) in
                [("python", Family::Python), ("nodejs", Family::NodeJs), ("java", Family::Java)]
            {
                checks.push(starter.check_interpreters(name, family));
            }
            checks
        });
        let mut checks = vec![isolation];
        checks.extend(rest.await.unwrap_or_default());
        checks
    }

    fn check_interpreters(&self, name: &'static str, family: Family) -> Check {
        let found = self.resolver.inventory(family);
        if found.is_empty() {
            return Check::new(name, Status::Missing, "neither on PATH nor in a version manager");
        }
        let named = |(version, path): (String, PathBuf)| format!("{version} ({})", path.display());
        let found: Vec<String> = found.into_iter().map(named).collect();
        Check::new(name, Status::Good, found.join(", "))
    }
}
