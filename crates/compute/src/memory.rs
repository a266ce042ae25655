//! Measures the memory of a sandbox: by its control group where there is one, else by adding up its processes.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(target_os = "linux")]
use crate::sandbox::Cgroup;

const MIB: u64 = 1024 * 1024;

/// The memory of one process and its descendants.
pub(crate) struct Memory {
    root: u32,
    peak_bytes: AtomicU64,
    #[cfg(target_os = "linux")]
    group: Option<Cgroup>,
}

impl Memory {
    /// Adds up a process and its descendants.
    pub(crate) fn of_processes(root: u32) -> Self {
        Self {
            root,
            peak_bytes: AtomicU64::new(0),
            #[cfg(target_os = "linux")]
            group: None,
        }
    }

    /// Asks the control group that the process has joined.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_group(root: u32, group: Cgroup) -> Self {
        Self { root, peak_bytes: AtomicU64::new(0), group: Some(group) }
    }

    /// True if what the processes hold for themselves is more than the limit.
    pub(crate) fn exceeds(&self, limit_mb: u32) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(group) = &self.group {
            return group.exceeds(limit_mb);
        }
        let usage = tree_usage(self.root);
        self.peak_bytes.fetch_max(usage.resident, Ordering::Relaxed);
        usage.private > u64::from(limit_mb) * MIB
    }

    /// True if the kernel ended a process for its memory.
    pub(crate) fn was_killed(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(group) = &self.group {
            return group.was_killed();
        }
        false
    }

    /// The peak so far in MiB, rounded up.
    pub(crate) fn peak_mb(&self) -> u32 {
        #[cfg(target_os = "linux")]
        if let Some(peak) = self.group.as_ref().and_then(Cgroup::peak) {
            return u32::try_from(peak.div_ceil(MIB)).unwrap_or(u32::MAX);
        }
        let usage = tree_usage(self.root);
        let peak = self.peak_bytes.fetch_max(usage.resident, Ordering::Relaxed).max(usage.resident);
        u32::try_from(peak.div_ceil(MIB)).unwrap_or(u32::MAX)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    resident: u64,
    private: u64,
}

/// Adds up a process and its descendants; what vanishes meanwhile counts nothing.
fn tree_usage(root: u32) -> Usage {
    let mut total = Usage::default();
    let (mut open, mut seen) = (vec![root], HashSet::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if let Some(usage) = process_usage(id) {
            total.resident += usage.resident;
            total.private += usage.private;
        }
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children =
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    total
}

fn process_usage(id: u32) -> Option<Usage> {
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let mut pages = statm.split(' ').skip(1).map_while(|field| field.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    let page = rustix::param::page_size() as u64;
    Some(Usage { resident: resident * page, private: resident.saturating_sub(shared) * page })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        let held = vec![1u8; 8 * 1024 * 1024];
        let memory = Memory::of_processes(std::process::id());
        assert!(memory.peak_mb() >= 8);
        assert!(memory.exceeds(1) && !memory.exceeds(1024 * 1024));
        drop(held);
        assert_eq!(Memory::of_processes(0).peak_mb(), 0);
    }
}
