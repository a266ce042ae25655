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
        let launch = match (plan.level, self.helper_path()) {
            (Level::Plain, _) | (_, None) => Launch {
                program: plan.program.unwrap_or_default(),
                args: plan.args,
                env: plan.env,
                cwd: plan.cwd,
                stdin: None,
                control: None,
                output,
            },
            (level, Some(helper)) => {
                let (stdin, control) = filled_pipe(&serde_json::to_vec(&plan)?)?;
                Launch {
                    program: helper.to_path_buf(),
                    args: vec![HELPER_ARGUMENT.to_owned()],
                    env: vec![(HELPER_MARK.to_owned(), String::new())],
                    cwd: PathBuf::from("/"),
                    stdin: Some(stdin),
                    // Without namespaces the helper becomes the program, which watches nothing.
                    control: (level == Level::Namespaces).then_some(control),
                    output,
                }
            }
        };
        spawner.spawn(launch).await
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

/// A pipe that holds one line.
#[cfg(target_os = "linux")]
fn filled_pipe(line: &[u8]) -> io::Result<(OwnedFd, OwnedFd)> {
    use std::io::Write;
    let (reader, writer) = process::pipe()?;
    // Nobody reads yet, so all of it must fit; a pipe holds 64 KiB unless it is told otherwise.
    if line.len() >= 60 * 1024 {
        rustix::pipe::fcntl_setpipe_size(&writer, line.len() + 4096)?;
    }
    let mut writer = std::fs::File::from(writer);
    writer.write_all(line)?;
    writer.write_all(b"\n")?;
    Ok((reader, writer.into()))
}

#[cfg(not(target_os = "linux"))]
fn filled_pipe(_: &[u8]) -> io::Result<(OwnedFd, OwnedFd)> {
    Err(io::Error::other("sandboxes exist on Linux only"))
}
