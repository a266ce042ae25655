//! Landlock, which needs no privilege: what a process may see where namespaces are refused, and the sockets that no
//! namespace hides.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope, path_beneath_rules,
};

use crate::sandbox::plan::Plan;

/// Refuses connections to abstract Unix sockets of the host, which belong to the network and not to a folder.
pub(super) fn scope() -> io::Result<()> {
    let scope = || Ruleset::default().scope(Scope::AbstractUnixSocket)?.create()?.restrict_self();
    scope().map(|_| ()).map_err(|error: landlock::RulesetError| io::Error::other(error))
}

/// Allows reading the sources of the binds and writing to one folder. An older kernel enforces what it knows.
pub(super) fn restrict(plan: &Plan) -> io::Result<()> {
    let abi = ABI::V5;
    let mut readable: Vec<PathBuf> = plan.binds.iter().map(|bind| bind.source.clone()).collect();
    // A link is followed to what it leads to.
    readable.extend(plan.links.iter().map(|link| link.0.clone()));
    readable
        .extend(["/proc", "/sys/devices/system", "/etc/passwd", "/etc/group"].map(PathBuf::from));
    let writable = [plan.writable.as_path(), Path::new("/dev")];
    let restrict = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .scope(Scope::AbstractUnixSocket)?
            .scope(Scope::Signal)?
            .create()?
            .add_rules(path_beneath_rules(readable, AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(writable, AccessFs::from_all(abi)))?
            .restrict_self()
    };
    restrict().map(|_| ()).map_err(|error: landlock::RulesetError| io::Error::other(error))
}
