//! The cloud as a process that is started, killed, and started again upon what is left.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use parking_lot::Mutex;

use crate::client::Client;
use crate::faults::Preload;

/// A start takes no longer than this.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// What the cloud is told to keep in reserve.
pub const RESERVE_MIB: u64 = 64;
/// Lines of the log that are kept to be shown.
const KEPT_LINES: usize = 400;

/// The lines of a log that is still being written.
type Lines = Arc<Mutex<Vec<String>>>;

/// How a server is started.
pub struct Launch {
    /// The program.
    pub binary: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// `fsync` or `buffered`.
    pub durability: String,
    /// The address to listen on.
    pub listen: String,
    /// Where the log goes, one start after the other.
    pub log: PathBuf,
}

/// A running cloud.
pub struct Server {
    child: Child,
    /// Its address and port.
    pub authority: String,
    log: Lines,
    reader: Option<JoinHandle<()>>,
}

/// What came of a start.
pub enum Started {
    /// It serves.
    Ready(Server),
    /// It ended before.
    Ended(ExitStatus, Vec<String>),
}

impl Launch {
    /// Starts the program upon a disk that may fail, and waits until it serves.
    pub fn start(&self, faults: Option<(&Preload, bool)>) -> anyhow::Result<Started> {
        let mut command = Command::new(&self.binary);
        command
            .args(["start", "--listen", &self.listen, "--durability", &self.durability])
            .arg("--data-dir")
            .arg(&self.data)
            .args(["--log", "warn,fogbank_store=info"])
            .args(["--disk-reserve-mib", &RESERVE_MIB.to_string()])
            // So that memory is written out and files are merged in a short run, too.
            .args(["--memtable-mib", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some((preload, with_log)) = faults {
            preload.apply(&mut command, &self.data, with_log);
        }
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let stderr = child.stderr.take().context("no stderr")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let (log, reader) = follow(stderr, &self.log)?;
        let (sender, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let is_ready = lines.any(|line| line.is_ok_and(|line| line == "Ready."));
            let _ = sender.send(is_ready);
            lines.for_each(drop);
        });
        let mut server =
            Server { child, authority: self.listen.clone(), log, reader: Some(reader) };
        match ready.recv_timeout(START_TIMEOUT) {
            Ok(true) => Ok(Started::Ready(server)),
            Ok(false) => {
                let status = server.child.wait()?;
                server.join();
                let lines = server.log.lock().clone();
                Ok(Started::Ended(status, lines))
            }
            Err(_) => bail!("the cloud did not serve within {START_TIMEOUT:?}"),
        }
    }
}

/// Keeps the last lines and writes all of them to a file.
fn follow(
    stderr: std::process::ChildStderr,
    path: &Path,
) -> anyhow::Result<(Lines, JoinHandle<()>)> {
    let log: Lines = Arc::default();
    let kept = log.clone();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { return };
            let _ = writeln!(file, "{line}");
            let mut kept = kept.lock();
            if kept.len() < KEPT_LINES {
                kept.push(line);
            }
        }
    });
    Ok((log, reader))
}

impl Server {
    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(&self.authority)
    }

    /// Whether the process has ended by itself, or by a fault.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills it and returns what it logged.
    pub fn kill(mut self) -> anyhow::Result<Vec<String>> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.join();
        let lines = self.log.lock().clone();
        if status.signal() != Some(9) {
            bail!("the cloud ended by itself, {status}:\n{}", lines.join("\n"));
        }
        Ok(lines)
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<(ExitStatus, Vec<String>)> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().context("cannot run kill")?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("the cloud did not stop within {START_TIMEOUT:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.join();
        let lines = self.log.lock().clone();
        Ok((status, lines))
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            // Functions of the cloud hold its stderr for a moment longer than the cloud itself.
            let begun = Instant::now();
            while !reader.is_finished() && begun.elapsed() < Duration::from_millis(500) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
