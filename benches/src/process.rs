//! The server's process: its CPU time and memory, from `/proc`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A server that runs, or nothing if it cannot be seen.
pub(crate) struct Server {
    pid: Option<u32>,
    child: Option<Child>,
}

impl Server {
    /// Starts `spawn`, or looks at `pid`.
    pub(crate) fn attach(spawn: Option<&str>, pid: Option<u32>) -> anyhow::Result<Server> {
        let Some(command) = spawn else { return Ok(Server { pid, child: None }) };
        let mut words = command.split_whitespace();
        let program = words.next().context("--spawn names no program")?;
        let child = Command::new(program)
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Server { pid: Some(child.id()), child: Some(child) })
    }

    /// User and system time so far.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid?)).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        // Linux counts in hundredths of a second everywhere that matters.
        Some(ticks / 100.0)
    }

    /// Resident memory.
    pub(crate) fn memory_mib(&self) -> Option<f64> {
        self.status_mib("VmRSS:")
    }

    /// The most that was resident since the start or the last [`Server::forget_peak`].
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        self.status_mib("VmHWM:")
    }

    /// Has the kernel count the peak of memory from now on.
    pub(crate) fn forget_peak(&self) {
        if let Some(pid) = self.pid {
            // Where it is not allowed, the peak is that of the whole life.
            let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    fn status_mib(&self, field: &str) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find(|line| line.starts_with(field))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024.0)
    }

    /// Waits until the server has nearly nothing to do for a second, for at most `patience`; returns its CPU time.
    pub(crate) async fn rest(&self, patience: Duration) -> f64 {
        let begun = Instant::now();
        let mut before = self.cpu_seconds().unwrap_or_default();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.cpu_seconds().unwrap_or_default();
            if now - before < 0.03 || begun.elapsed() > patience {
                return now;
            }
            before = now;
        }
    }

    /// Ends the server that was started here, politely or not, and waits for its end.
    pub(crate) fn stop(mut self, politely: bool) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let Some(mut child) = self.child.take() else { bail!("only a --spawn can be stopped") };
        if politely {
            let pid = Pid::from_child(&child);
            kill_process(pid, Signal::TERM).context("cannot stop the server")?;
        } else {
            child.kill().context("cannot kill the server")?;
        }
        child.wait().context("cannot wait for the server")?;
        Ok(begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
