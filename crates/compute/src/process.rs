//! Starts child processes, watches them, and ends them.
//!
//! Every child starts on one thread that lives as long as the server. Linux signals a child whose *parent thread*
//! ends (`PR_SET_PDEATHSIG`), so a child started on a thread of a pool would die when the pool shrinks.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::lambda::Exit;

/// How long a helper may take to end its sandbox.
const GRACE: Duration = Duration::from_secs(1);

/// A program to run.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: PathBuf,
    /// Standard input; empty where absent.
    pub(crate) stdin: Option<OwnedFd>,
    /// The other end of a pipe that the program watches: its end tells the program to end by itself.
    pub(crate) control: Option<OwnedFd>,
    /// Standard output and error.
    pub(crate) output: OwnedFd,
}

struct Job {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// The thread that starts children.
pub(crate) struct Spawner {
    jobs: std::sync::mpsc::Sender<Job>,
}

impl Spawner {
    pub(crate) fn new() -> io::Result<Self> {
        let (jobs, queue) = std::sync::mpsc::channel::<Job>();
        std::thread::Builder::new().name("compute-spawn".to_owned()).spawn(move || {
            for mut job in queue {
                let _runtime = job.runtime.enter();
                job.reply.send(job.command.spawn()).ok();
            }
        })?;
        Ok(Self { jobs })
    }

    /// Starts a child in a process group of its own.
    pub(crate) async fn spawn(&self, launch: Launch) -> io::Result<Process> {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.args)
            .env_clear()
            .envs(launch.env)
            .current_dir(&launch.cwd)
            .stdin(launch.stdin.map_or_else(Stdio::null, Stdio::from))
            .stderr(launch.output.try_clone()?)
            .stdout(launch.output)
            .process_group(0)
            .kill_on_drop(true);
        let (reply, wait) = oneshot::channel();
        let gone = |_| io::Error::other("the thread that starts processes has ended");
        let job = Job { command, runtime: Handle::current(), reply };
        self.jobs.send(job).map_err(|_| gone(()))?;
        let child = wait.await.map_err(|_| gone(()))??;
        Ok(Process::watch(child, launch.control))
    }
}

/// A child process. Dropping it kills the process and all of its group.
pub(crate) struct Process {
    id: u32,
    exit: watch::Receiver<Option<Exit>>,
    /// Its end tells the watching task to kill.
    _alive: mpsc::Sender<()>,
}

impl Process {
    fn watch(child: Child, control: Option<OwnedFd>) -> Self {
        let id = child.id().unwrap_or(0);
        let (exited, exit) = watch::channel(None);
        let (alive, dropped) = mpsc::channel(1);
        tokio::spawn(async move {
            let exit = supervise(child, id, control, dropped).await;
            exited.send_replace(Some(exit));
        });
        Self { id, exit, _alive: alive }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// How it ended, if it has.
    pub(crate) fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Its end, to be waited on.
    pub(crate) fn exited(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.clone()
    }
}

/// Waits for an end.
pub(crate) async fn wait(mut exit: watch::Receiver<Option<Exit>>) -> Exit {
    let ended = exit.wait_for(Option::is_some).await.map(|exit| *exit);
    // The sender goes only with the runtime itself.
    ended.ok().flatten().unwrap_or(Exit::Signal(9))
}

async fn supervise(
    mut child: Child,
    id: u32,
    control: Option<OwnedFd>,
    mut dropped: mpsc::Receiver<()>,
) -> Exit {
    tokio::select! {
        () = ended(id) => {}
        _ = dropped.recv() => {
            // A helper that ends by itself reaps what it started; one that is killed leaves that to others.
            if let Some(control) = control {
                drop(control);
                tokio::time::timeout(GRACE, ended(id)).await.ok();
            }
        }
    }
    // The leader is not reaped yet, so the number of the group cannot belong to anyone else.
    if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        rustix::process::kill_process_group(group, Signal::KILL).ok();
    }
    child.start_kill().ok();
    match child.wait().await {
        Ok(status) => exit_of(status),
        Err(error) => {
            tracing::warn!(%error, pid = id, "a child process could not be waited for");
            Exit::Code(255)
        }
    }
}

/// Returns when the process has ended, and leaves it to be reaped.
#[cfg(target_os = "linux")]
async fn ended(id: u32) {
    use rustix::process::{PidfdFlags, pidfd_open};
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else { return };
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from);
    match descriptor.and_then(crate::sys::watch) {
        Ok(descriptor) => {
            descriptor.readable().await.map(|_| ()).ok();
        }
        Err(error) => {
            tracing::warn!(%error, "no process descriptor; the process is polled for");
            poll_ended(pid).await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
async fn ended(id: u32) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        poll_ended(pid).await;
    }
}

async fn poll_ended(pid: Pid) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while matches!(waitid(WaitId::Pid(pid), options), Ok(None)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The end of a process, from the status that the system reports.
pub(crate) fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

/// A pipe whose ends no other child inherits.
#[cfg(target_os = "linux")]
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe()?;
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::CLOEXEC)?;
    Ok((reader, writer))
}
