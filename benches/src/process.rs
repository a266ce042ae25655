//! The server's process: its CPU time and memory, from `/proc`.

use std::process::{Child, Command, Stdio};

use anyhow::Context;

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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024.0)
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
