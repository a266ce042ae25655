//! The sandbox helper: a process with one thread that becomes the program of its plan.

mod filter;
mod landlock;
mod mounts;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getppid, kill_process,
    pidfd_open, set_parent_process_death_signal, wait, waitpid,
};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use super::Level;
use super::host::{GROUP, USER};
use super::plan::{Plan, READY, SETUP_FAILED};
use crate::sys::{Fork, fork};

/// Above all ids that distributions, containers and systemd give out; nobody owns a file with it.
const UNUSED_ID: u32 = 1_900_000_000;
const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// What to look at when the kernel refuses namespaces.
const REFUSED: &str = "new namespaces (see user.max_user_namespaces, kernel.unprivileged_userns_clone, \
    kernel.apparmor_restrict_unprivileged_userns, or the container's seccomp profile)";

/// What the helper tells its child once the child's user namespace is set up.
const MAPPED_BY_ROOT: u8 = b'r';
const MAPPED_BY_USER: u8 = b'u';

/// Reads the plan and carries it out. Does not return.
pub(super) fn enter() -> ! {
    let status = match run() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("The sandbox could not be built: {error}");
            SETUP_FAILED
        }
    };
    std::process::exit(status)
}

/// Says what failed.
fn context(what: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn run() -> io::Result<i32> {
    let (plan, control) = read_plan().map_err(context("the plan"))?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The server may have died before the line above; the helper then has another parent.
    if getppid().map(|pid| pid.as_raw_pid().unsigned_abs()) != Some(plan.server) {
        return Ok(SETUP_FAILED);
    }
    if let Some(group) = &plan.control_group {
        std::fs::write(group, "0").map_err(context("the control group"))?;
    }
    match plan.level {
        Level::Namespaces => enter_namespaces(&plan, control),
        Level::Confined | Level::Plain => {
            landlock::restrict(&plan)?;
            confine(false)?;
            execute(&plan)
        }
    }
}

/// Reads one line of standard input and replaces it by nothing. The pipe stays open elsewhere: its end is a command.
fn read_plan() -> io::Result<(Plan, OwnedFd)> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let (mut text, mut chunk) = (Vec::new(), vec![0; 16 * 1024]);
    while text.last() != Some(&b'\n') {
        match rustix::io::read(&control, &mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => text.extend_from_slice(&chunk[..read]),
        }
    }
    Ok((serde_json::from_slice(&text)?, control))
}

/// Starts process 1 in new namespaces and ends as it ends.
fn enter_namespaces(plan: &Plan, control: OwnedFd) -> io::Result<i32> {
    let (gate, opener) = crate::process::pipe()?;
    let (status, reporter) = crate::process::pipe()?;
    match fork(NAMESPACES).map_err(context(REFUSED))? {
        Fork::Child => {
            drop((opener, status, control));
            first_process(plan, &gate, reporter)
        }
        Fork::Parent(child) => {
            drop((gate, reporter));
            let mapped = map_ids(child).map_err(context("user ids"))?;
            let mut opener = File::from(opener);
            opener.write_all(&[mapped])?;
            // The opener stays open until the end: its end tells the child that this process is gone.
            let ended = wait_for(child, &control)?;
            drop(opener);
            Ok(end_like(status, ended))
        }
    }
}

/// Waits for the child, and ends it when the server closes the control pipe.
fn wait_for(child: Pid, control: &OwnedFd) -> io::Result<WaitStatus> {
    let ended = pidfd_open(child, PidfdFlags::empty())?;
    let mut polled = [PollFd::new(&ended, PollFlags::IN), PollFd::new(control, PollFlags::empty())];
    while let Err(error) = poll(&mut polled, None) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    if polled[1].revents().contains(PollFlags::HUP) {
        kill_process(child, Signal::KILL)?;
    }
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives the child's namespace its users: AWS's function user, and root if this process may.
fn map_ids(child: Pid) -> io::Result<u8> {
    let child = child.as_raw_pid();
    let write = |name: &str, text: &str| std::fs::write(format!("/proc/{child}/{name}"), text);
    let map = |inside: u32| format!("0 0 1\n{inside} {} 1\n", UNUSED_ID + inside);
    if rustix::process::geteuid().is_root() && write("uid_map", &map(USER)).is_ok() {
        write("gid_map", &map(GROUP))?;
        return Ok(MAPPED_BY_ROOT);
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    write("setgroups", "deny")?;
    write("uid_map", &format!("{USER} {uid} 1\n"))?;
    write("gid_map", &format!("{GROUP} {gid} 1\n"))?;
    Ok(MAPPED_BY_USER)
}

/// Ends this process in the way that the program did, which process 1 has reported.
fn end_like(report: OwnedFd, first: WaitStatus) -> i32 {
    let mut raw = [0; 4];
    let status = match File::from(report).read_exact(&mut raw) {
        Ok(()) => ExitStatus::from_raw(i32::from_ne_bytes(raw)),
        // Process 1 itself was ended, by the kernel for lack of memory or by a failed set-up.
        Err(_) => ExitStatus::from_raw(first.as_raw()),
    };
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        // The standard library handles SIGSEGV and SIGBUS once, by restoring the default; the second one kills.
        for _ in 0..2 {
            kill_process(rustix::process::getpid(), signal).ok();
        }
    }
    status.code().unwrap_or(SETUP_FAILED)
}

/// Process 1: builds the sandbox, starts the program in it, and reaps.
fn first_process(plan: &Plan, gate: &OwnedFd, reporter: OwnedFd) -> io::Result<i32> {
    let mut mapped = [0];
    if rustix::io::read(gate, &mut mapped)? == 0 {
        return Ok(SETUP_FAILED);
    }
    let by_root = mapped[0] == MAPPED_BY_ROOT;
    if by_root {
        rustix::thread::set_thread_groups(&[]).map_err(|error| context("groups")(error.into()))?;
    }
    mounts::build(plan)?;
    rustix::system::sethostname(b"sandbox")?;
    rustix::process::setsid()?;
    drop_privileges(by_root).map_err(context("privileges"))?;
    // A change of user forgets the signal, so it is set only now, and the parent looked at afterwards.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if is_closed(gate)? {
        return Ok(SETUP_FAILED);
    }
    landlock::scope()?;
    confine(true)?;
    match fork(0)? {
        Fork::Child => execute(plan),
        Fork::Parent(program) => reap(program, reporter),
    }
}

/// True if the other end of the pipe is gone.
fn is_closed(gate: &OwnedFd) -> io::Result<bool> {
    let gate = gate.as_fd();
    let mut polled = [PollFd::new(&gate, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(polled[0].revents().contains(PollFlags::HUP))
}

/// Becomes the function user without any capability, for good.
fn drop_privileges(by_root: bool) -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        // Capabilities that this kernel does not know are refused, which is as good as dropped.
        rustix::thread::remove_capability_from_bounding_set(capability).ok();
    }
    if by_root {
        let (user, group) = (Uid::from_raw(USER), Gid::from_raw(GROUP));
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)?;
    }
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, none)?)
}

/// Limits what this process and its children may ask of the kernel.
fn confine(own_user: bool) -> io::Result<()> {
    lower(Resource::Core, 0)?;
    lower(Resource::Nofile, 1024)?;
    if own_user {
        // The limit counts all processes of a user, so it fits only a user who has no others.
        lower(Resource::Nproc, 1024)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    filter::install()
}

fn lower(resource: Resource, value: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource);
    let value = now.maximum.map_or(value, |maximum| maximum.min(value));
    let limit = Rlimit { current: Some(value), maximum: Some(value) };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Becomes the program; returns only if there is none.
fn execute(plan: &Plan) -> io::Result<i32> {
    let Some(program) = &plan.program else {
        writeln!(io::stdout(), "{READY}")?;
        return Ok(0);
    };
    let error = Command::new(program)
        .args(&plan.args)
        .env_clear()
        .envs(plan.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&plan.cwd)
        .exec();
    eprintln!("{}: {error}", program.display());
    Ok(if error.kind() == io::ErrorKind::PermissionDenied { 126 } else { 127 })
}

/// Reaps until the program itself has ended, and reports how.
fn reap(program: Pid, reporter: OwnedFd) -> io::Result<i32> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == program => {
                File::from(reporter).write_all(&status.as_raw().to_ne_bytes())?;
                return Ok(0);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
