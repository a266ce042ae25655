//! The server's side: which level of isolation this machine allows, and starting programs at that level.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::plan::READY;
use super::{Bind, HELPER_ARGUMENT, HelperProgram, Host, Isolation, Level, Plan};
use crate::lambda::Exit;
use crate::output::{Emitter, LogSink, Output};
use crate::process::{self, Launch, Process, Spawner};

/// Stands in the environment of every helper, which gives programs an environment of their own.
const HELPER_MARK: &str = "FOGBANK_SANDBOX_HELPER";
/// How long a helper may take to show that it works.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The level that this machine allows.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) level: Level,
    /// Why it is not the best.
    pub(crate) reason: Option<String>,
}

/// Starts programs in sandboxes.
pub(crate) struct Sandboxes {
    isolation: Isolation,
    helper: HelperProgram,
    pub(crate) host: Host,
    /// What sandboxes must not show, although a bind might contain it.
    data_dir: PathBuf,
    /// The empty folder on which each sandbox mounts its root.
    root: PathBuf,
    found: OnceCell<Found>,
}

impl Sandboxes {
    pub(crate) fn new(
        isolation: Isolation,
        helper: HelperProgram,
        data_dir: PathBuf,
        root: PathBuf,
    ) -> Self {
        let host = Host::find();
        Self { isolation, helper, host, data_dir, root, found: OnceCell::new() }
    }

    /// The level of isolation; the first call tries it out, which takes a few milliseconds.
    pub(crate) async fn level(&self, spawner: &Spawner) -> &Found {
        self.found
            .get_or_init(|| async {
                let found = self.probe(spawner).await;
                if let Some(reason) = &found.reason {
                    tracing::warn!(level = ?found.level, "functions run with less isolation: {reason}");
                }
                found
            })
            .await
    }

    async fn probe(&self, spawner: &Spawner) -> Found {
        let plain = |reason: &str| Found { level: Level::Plain, reason: Some(reason.to_owned()) };
        if cfg!(not(target_os = "linux")) {
            return plain("sandboxes exist on Linux only");
        }
        if std::env::var_os(HELPER_MARK).is_some() {
            // This is a helper that does not know that it is one. Trying another would never end.
            return plain("this program was started as a sandbox helper and did not act as one");
        }
        if self.helper == HelperProgram::None {
            return plain("no program is configured as the sandbox helper");
        }
        let mut reasons = Vec::new();
        if self.isolation == Isolation::Process {
            reasons.push("namespaces are switched off by configuration".to_owned());
        } else {
            match self.try_level(spawner, Level::Namespaces).await {
                Ok(()) => return Found { level: Level::Namespaces, reason: None },
                Err(reason) => reasons.push(format!("namespaces: {reason}")),
            }
        }
        match self.try_level(spawner, Level::Confined).await {
            Ok(()) => Found { level: Level::Confined, reason: Some(reasons.join("; ")) },
            Err(reason) => {
                reasons.push(format!("confined process: {reason}"));
                plain(&reasons.join("; "))
            }
        }
    }

    /// Builds one sandbox without a program in it.
    async fn try_level(&self, spawner: &Spawner, level: Level) -> Result<(), String> {
        #[derive(Default)]
        struct Said(Mutex<Vec<String>>);
        impl LogSink for Said {
            fn line(&self, _: i64, message: &str) {
                self.0.lock().push(message.to_owned());
            }
        }
        let said = Arc::new(Said::default());
        let text = |error: io::Error| error.to_string();
        let (output, writer) = Output::open(Arc::new(Emitter::new(said.clone()))).map_err(text)?;
        let plan = self.plan(level);
        let process = self.spawn(spawner, plan, writer).await.map_err(text)?;
        let exit = tokio::time::timeout(PROBE_TIMEOUT, process::wait(process.exited())).await;
        output.drain().await;
        let said = said.0.lock().join(" ");
        match exit {
            Ok(Exit::Code(0)) if said == READY => Ok(()),
            // A program that does not know the helper's argument does whatever it does; that is not an error to show.
            Ok(Exit::Code(0)) => Err("the helper program does not act as one".to_owned()),
            Ok(_) => Err(said),
            Err(_) => Err("the helper program does not end".to_owned()),
        }
    }

    /// A sandbox that shows the host's programs, and no program in it yet.
    pub(crate) fn plan(&self, level: Level) -> Plan {
        Plan {
            server: std::process::id(),
            level,
            program: None,
            args: Vec::new(),
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            control_group: None,
            root: self.root.clone(),
            binds: self.host.binds.clone(),
            links: self.host.links.clone(),
            files: self.host.files.clone(),
            hidden: self.hidden(&self.host.binds),
            scratch_mb: 1,
            writable: self.root.clone(),
        }
    }

    /// The places at which binds would show the data directory.
    pub(crate) fn hidden(&self, binds: &[Bind]) -> Vec<PathBuf> {
        let shown = |bind: &Bind| {
            let below = self.data_dir.strip_prefix(&bind.source).ok()?;
            Some(bind.target.join(below))
        };
        binds.iter().filter_map(shown).collect()
    }

    /// Starts a plan's program, through the helper unless the level is plain.
    pub(crate) async fn spawn(
        &self,
        spawner: &Spawner,
        plan: Plan,
        output: OwnedFd,
    ) -> io::Result<Process> {
        let (program, args, env, cwd, stdin) = match (plan.level, self.helper_path()) {
            (Level::Plain, _) | (_, None) => {
                let program = plan.program.unwrap_or_default();
                (program, plan.args, plan.env, plan.cwd, None)
            }
            (_, Some(helper)) => {
                let stdin = memory_file(&serde_json::to_vec(&plan)?)?;
                let args = vec![HELPER_ARGUMENT.to_owned()];
                let env = vec![(HELPER_MARK.to_owned(), String::new())];
                (helper.to_path_buf(), args, env, PathBuf::from("/"), Some(stdin))
            }
        };
        spawner.spawn(Launch { program, args, env, cwd, stdin, output }).await
    }

    fn helper_path(&self) -> Option<&Path> {
        match &self.helper {
            // The link leads to this program even after its file was replaced by an update.
            HelperProgram::CurrentExe => Some(Path::new("/proc/self/exe")),
            HelperProgram::Path(path) => Some(path),
            HelperProgram::None => None,
        }
    }
}

/// A file that exists in memory only, to be read from its start.
#[cfg(target_os = "linux")]
fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    let file = rustix::fs::memfd_create("plan", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
fn memory_file(_: &[u8]) -> io::Result<OwnedFd> {
    Err(io::Error::other("sandboxes exist on Linux only"))
}
