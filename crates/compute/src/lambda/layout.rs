//! Where a function's folders are: at AWS's paths inside a sandbox, at their real ones without.

use std::path::{Path, PathBuf};

use super::launch::{NODE_BOOTSTRAP, PYTHON_BOOTSTRAP};
use super::python_sdk::FoundSdk;
use super::resolve::ResolvedRuntime;
use crate::sandbox::{Bind, Host, Level, installation};

/// The folders on this machine.
pub(crate) struct Folders<'a> {
    pub(crate) task: &'a Path,
    pub(crate) runtime: &'a Path,
    /// The merged layers, or an empty folder.
    pub(crate) opt: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) sdk: Option<&'a FoundSdk>,
}

/// The folders as the function finds them.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) task: PathBuf,
    pub(crate) runtime: PathBuf,
    pub(crate) opt: PathBuf,
    /// The private scratch folder.
    pub(crate) tmp: PathBuf,
    /// The interpreter.
    pub(crate) program: Option<PathBuf>,
    /// The folder with boto3.
    pub(crate) python_sdk: Option<PathBuf>,
}

/// Lays the folders out, and lists what the sandbox must show beside the host's programs.
pub(crate) fn layout(
    level: Level,
    host: &Host,
    resolved: &ResolvedRuntime,
    folders: &Folders<'_>,
) -> (View, Vec<Bind>) {
    match level {
        Level::Namespaces => inside(host, resolved, folders),
        Level::Confined | Level::Plain => in_place(resolved, folders),
    }
}

/// AWS's paths.
fn inside(host: &Host, resolved: &ResolvedRuntime, folders: &Folders<'_>) -> (View, Vec<Bind>) {
    let runtime = PathBuf::from("/var/runtime");
    let mut binds = vec![Bind::new(folders.task, "/var/task"), Bind::new(folders.opt, "/opt")];
    for name in [PYTHON_BOOTSTRAP.0, NODE_BOOTSTRAP.0, "__pycache__"] {
        let source = folders.runtime.join(name);
        if source.exists() {
            binds.push(Bind::new(source, runtime.join(name)));
        }
    }
    let python_sdk = folders.sdk.map(|sdk| {
        let place = runtime.join("python-sdk");
        if sdk.packages.is_empty() {
            binds.push(Bind::new(&sdk.dir, &place));
        }
        let packages = sdk.packages.iter();
        binds.extend(packages.map(|(name, path)| Bind::new(path, place.join(name))));
        place
    });
    let mut program = resolved.program.clone();
    if let Some(prefix) = resolved.prefix.as_deref().filter(|prefix| !host.shows(prefix)) {
        if prefix.starts_with("/opt") {
            // The layers are there, so the interpreter goes where AWS keeps its own.
            binds.push(Bind::new(prefix, "/var/lang"));
            let moved = |program: PathBuf| {
                let below = program.strip_prefix(prefix).unwrap_or(&program);
                Path::new("/var/lang").join(below)
            };
            program = program.map(moved);
        } else {
            binds.push(Bind::same(installation(prefix)));
        }
    }
    let view = View {
        task: "/var/task".into(),
        runtime,
        opt: "/opt".into(),
        tmp: "/tmp".into(),
        program,
        python_sdk,
    };
    (view, binds)
}

/// The real paths; the binds then say what may be read.
fn in_place(resolved: &ResolvedRuntime, folders: &Folders<'_>) -> (View, Vec<Bind>) {
    let mut readable: Vec<PathBuf> =
        [folders.task, folders.runtime, folders.opt].map(Path::to_path_buf).to_vec();
    readable.extend(resolved.prefix.as_deref().map(installation));
    if let Some(sdk) = folders.sdk {
        readable.push(sdk.dir.clone());
        readable.extend(sdk.packages.iter().map(|package| package.1.clone()));
    }
    let view = View {
        task: folders.task.to_path_buf(),
        runtime: folders.runtime.to_path_buf(),
        opt: folders.opt.to_path_buf(),
        tmp: folders.scratch.to_path_buf(),
        program: resolved.program.clone(),
        python_sdk: folders.sdk.map(|sdk| sdk.dir.clone()),
    };
    (view, readable.into_iter().map(Bind::same).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(prefix: &str) -> ResolvedRuntime {
        ResolvedRuntime {
            program: Some(Path::new(prefix).join("bin/python3.12")),
            prefix: Some(prefix.into()),
            version: "3.12".to_owned(),
            warning: None,
        }
    }

    fn lay_out(level: Level, prefix: &str) -> (View, Vec<Bind>) {
        let sdk = FoundSdk {
            dir: "/data/sdk".into(),
            packages: vec![("boto3".to_owned(), "/py/boto3".into())],
        };
        let folders = Folders {
            task: Path::new("/data/code"),
            runtime: Path::new("/data/runtime"),
            opt: Path::new("/data/opt"),
            scratch: Path::new("/data/scratch"),
            sdk: Some(&sdk),
        };
        let host = Host { binds: vec![Bind::same("/usr")], ..Host::default() };
        layout(level, &host, &resolved(prefix), &folders)
    }

    #[test]
    fn interpreters_stay_in_place_unless_layers_are_there() {
        let program = |prefix: &str| lay_out(Level::Namespaces, prefix).0.program.unwrap();
        assert_eq!(program("/usr"), Path::new("/usr/bin/python3.12"));
        assert_eq!(program("/home/a/3.12"), Path::new("/home/a/3.12/bin/python3.12"));
        assert_eq!(program("/opt/python"), Path::new("/var/lang/bin/python3.12"));
        let binds = |prefix: &str| lay_out(Level::Namespaces, prefix).1;
        assert!(binds("/home/a/3.12").contains(&Bind::same("/home/a/3.12")));
        assert!(binds("/opt/python").contains(&Bind::new("/opt/python", "/var/lang")));
        assert!(!binds("/usr").iter().any(|bind| bind.source == Path::new("/usr")));
    }

    #[test]
    fn a_sandbox_shows_the_packages_and_not_the_links() {
        let (view, binds) = lay_out(Level::Namespaces, "/usr");
        assert_eq!(view.python_sdk.unwrap(), Path::new("/var/runtime/python-sdk"));
        assert!(binds.contains(&Bind::new("/py/boto3", "/var/runtime/python-sdk/boto3")));
        let (view, binds) = lay_out(Level::Confined, "/usr");
        assert_eq!(view.python_sdk.unwrap(), Path::new("/data/sdk"));
        assert!(
            binds.contains(&Bind::same("/py/boto3")) && binds.contains(&Bind::same("/data/code"))
        );
        assert_eq!(view.tmp, Path::new("/data/scratch"));
    }
}
