//! Control groups: one for each sandbox, below one for this server, with a memory limit.
//!
//! Both versions are used, because machines have either. Where the server may not make groups, memory is measured by
//! adding up processes instead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
const PREFIX: &str = "fogbank-";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The group of this server.
#[derive(Debug)]
pub(crate) struct Cgroups {
    dir: PathBuf,
    version: Version,
}

impl Cgroups {
    /// Makes the server's group, or says why it cannot.
    pub(crate) fn create() -> Result<Self, String> {
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let mounts =
            fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        let mut reasons = Vec::new();
        for (parent, version) in parents(&groups, &mounts) {
            remove_stale(&parent);
            match Self::below(&parent, version) {
                Ok(groups) => return Ok(groups),
                Err(error) => reasons.push(format!("{}: {error}", parent.display())),
            }
        }
        if reasons.is_empty() {
            return Err("no control group with a memory controller".to_owned());
        }
        Err(reasons.join("; "))
    }

    fn below(parent: &Path, version: Version) -> io::Result<Self> {
        // Several servers, and several in one process, may live side by side.
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let unique = unique.unwrap_or_default().as_nanos();
        let dir = parent.join(format!("{PREFIX}{}-{unique}", std::process::id()));
        fs::create_dir(&dir)?;
        let groups = Self { dir, version };
        if version == Version::Two {
            fs::write(groups.dir.join("cgroup.subtree_control"), "+memory")?;
        }
        // Nothing is certain until a limit has been set.
        groups.group("probe", 64, 0)?;
        Ok(groups)
    }

    /// Makes a group for one sandbox. The kernel's limit includes `/tmp`, whose pages count as memory.
    pub(crate) fn group(&self, name: &str, memory_mb: u32, scratch_mb: u32) -> io::Result<Cgroup> {
        let dir = self.dir.join(name);
        fs::create_dir(&dir)?;
        let group = Cgroup { dir, version: self.version };
        let limit = (u64::from(memory_mb) + u64::from(scratch_mb)) * MIB;
        let limit = limit.to_string();
        let set = |file: &str, value: &str| fs::write(group.dir.join(file), value);
        match self.version {
            Version::One => {
                set("memory.limit_in_bytes", &limit)?;
                // Absent in kernels without swap; a function must not slow down the machine by swapping.
                set("memory.swappiness", "0").ok();
            }
            Version::Two => {
                set("memory.max", &limit)?;
                set("memory.swap.max", "0").ok();
                set("memory.oom.group", "1").ok();
            }
        }
        Ok(group)
    }

    /// The folder, for the doctor.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        remove_tree(&self.dir).ok();
    }
}

/// The group of one sandbox; dropping removes it once it is empty.
#[derive(Debug)]
pub(crate) struct Cgroup {
    dir: PathBuf,
    version: Version,
}

impl Cgroup {
    /// The file that a process writes to in order to join.
    pub(crate) fn members(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.dir.join(file)).ok()?.trim().parse().ok()
    }

    /// The value behind a key of a file such as `memory.stat`.
    fn value(&self, file: &str, key: &str) -> Option<u64> {
        let text = fs::read_to_string(self.dir.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    }

    /// True if the processes' own memory, without files and `/tmp`, is more than the limit.
    pub(crate) fn exceeds(&self, limit_mb: u32) -> bool {
        let limit = u64::from(limit_mb) * MIB;
        let (usage, key) = match self.version {
            Version::One => ("memory.usage_in_bytes", "total_rss "),
            Version::Two => ("memory.current", "anon "),
        };
        // The sum of everything is one short file; only if that is too much are the details read.
        self.number(usage).is_some_and(|usage| usage > limit)
            && self.value("memory.stat", key).is_some_and(|anonymous| anonymous > limit)
    }

    /// The peak in bytes.
    pub(crate) fn peak(&self) -> Option<u64> {
        match self.version {
            Version::One => self.number("memory.max_usage_in_bytes"),
            // `memory.peak` came with Linux 5.19.
            Version::Two => self.number("memory.peak").or_else(|| self.number("memory.current")),
        }
    }

    /// True if the kernel ended a process of this group for its memory.
    pub(crate) fn was_killed(&self) -> bool {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        self.value(file, "oom_kill ").is_some_and(|count| count > 0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if fs::remove_dir(&self.dir).is_ok() {
            return;
        }
        // The kernel is still taking its processes apart.
        let dir = self.dir.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                for _ in 0..50 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    if fs::remove_dir(&dir).is_ok() || !dir.exists() {
                        return;
                    }
                }
                tracing::debug!(dir = %dir.display(), "a control group stays until the next start");
            });
        }
    }
}

/// The folders under which this process may try to make a group, best first.
fn parents(groups: &str, mounts: &str) -> Vec<(PathBuf, Version)> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if controllers.split(',').any(|controller| controller == "memory") {
            found.extend(mounted(mounts, "cgroup", "memory", path).map(|dir| (dir, Version::One)));
        } else if controllers.is_empty()
            && let Some(dir) = mounted(mounts, "cgroup2", "", path)
        {
            // A group with processes of its own, such as this one, cannot have limited groups below it. The group
            // above can, if it hands the controller down and belongs to the user, as systemd's user slices do.
            let beside = dir.parent().map(|parent| (parent.to_path_buf(), Version::Two));
            let candidates = beside.into_iter().chain([(dir.clone(), Version::Two)]);
            found.extend(candidates.filter(|(parent, _)| hands_memory_down(parent)));
        }
    }
    found
}

fn hands_memory_down(parent: &Path) -> bool {
    fs::read_to_string(parent.join("cgroup.subtree_control"))
        .is_ok_and(|controllers| controllers.split_whitespace().any(|it| it == "memory"))
}

/// The folder of a group, from the mount of its hierarchy.
fn mounted(mounts: &str, kind: &str, option: &str, path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let mut fields = file_system.split(' ');
        let matches = fields.next()? == kind
            && (option.is_empty() || fields.nth(1)?.split(',').any(|it| it == option));
        // A container sees a part of the hierarchy, whose top is the mount's root.
        let below = path.strip_prefix(root.trim_end_matches('/'))?;
        matches.then(|| Path::new(place).join(below.trim_start_matches('/')))
    })
}

/// Removes the groups of servers that were killed.
fn remove_stale(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{owner}")).exists() {
            remove_tree(&entry.path()).ok();
        }
    }
}

/// Groups vanish by removing folders; their files go with them.
fn remove_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
35 25 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 25 0:32 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
40 25 0:33 /docker/abc /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw";

    #[test]
    fn groups_are_found_below_their_mounts() {
        let memory = mounted(MOUNTS, "cgroup", "memory", "/user/x").unwrap();
        assert_eq!(memory, Path::new("/sys/fs/cgroup/memory/user/x"));
        assert_eq!(
            mounted(MOUNTS, "cgroup", "memory", "/").unwrap(),
            Path::new("/sys/fs/cgroup/memory/")
        );
        let inside = mounted(MOUNTS, "cgroup2", "", "/docker/abc/job").unwrap();
        assert_eq!(inside, Path::new("/sys/fs/cgroup/job"));
        assert_eq!(mounted(MOUNTS, "cgroup2", "", "/other"), None);
        assert_eq!(mounted(MOUNTS, "cgroup", "pids", "/"), None);
    }

    #[test]
    fn version_one_is_found_by_its_controller() {
        let groups = "4:memory:/a\n1:cpu:/a\n0::/docker/abc\n";
        let found = parents(groups, MOUNTS);
        assert_eq!(found[0], (PathBuf::from("/sys/fs/cgroup/memory/a"), Version::One));
    }

    #[test]
    fn a_group_holds_its_limit_where_groups_can_be_made() {
        // A machine may refuse groups; what must not happen is that a group is made without a limit.
        let Ok(groups) = Cgroups::create() else { return };
        let dir = groups.path().to_path_buf();
        let group = groups.group("one", 64, 16).unwrap();
        let file = match group.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        assert_eq!(group.number(file), Some(80 * MIB));
        assert!(!group.was_killed() && !group.exceeds(1));
        assert!(group.members().exists());
        drop(group);
        drop(groups);
        assert!(!dir.exists());
    }
}
