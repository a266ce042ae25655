//! Finds the interpreter for a runtime on this machine.
//!
//! The exact version comes first, from `PATH` and from where version managers keep theirs. Otherwise, unless the
//! configuration forbids it, the nearest version is taken, and the result says so.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use parking_lot::Mutex;

use super::runtime::{Family, Runtime};

/// An interpreter that was found for a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRuntime {
    /// The program; absent for `provided`, whose code brings its own.
    pub program: Option<PathBuf>,
    /// The folder that holds the program and its library, to be visible to functions.
    pub prefix: Option<PathBuf>,
    /// The version found, such as `3.11.7`.
    pub version: String,
    /// What to tell the user if it is not the version asked for.
    pub warning: Option<String>,
}

/// This machine lacks what a runtime needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the runtime {runtime} cannot run on this machine: {reason}")]
pub struct MissingRuntime {
    /// The runtime's identifier.
    pub runtime: String,
    /// What is missing, and what to do about it.
    pub reason: String,
}

/// Where interpreters are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The folders of `PATH`.
    path: Vec<PathBuf>,
    /// Pairs of a family and a folder that holds one folder for each version, whose interpreter lies at the third.
    versions: Vec<(Family, PathBuf, &'static str)>,
}

impl Places {
    /// The places that the server's environment names.
    pub(crate) fn from_environment() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
        let mut versions = Vec::new();
        let home = std::env::home_dir().unwrap_or_default();
        let rooted = |variable: &str, default: &str| {
            std::env::var_os(variable).map_or_else(|| home.join(default), PathBuf::from)
        };
        for (family, root, inner) in [
            (Family::Python, rooted("PYENV_ROOT", ".pyenv").join("versions"), "bin"),
            (Family::Python, home.join(".asdf/installs/python"), "bin"),
            (Family::Python, home.join(".local/share/mise/installs/python"), "bin"),
            (Family::Python, home.join(".local/share/uv/python"), "bin"),
            (Family::Python, PathBuf::from("/opt/hostedtoolcache/Python"), "x64/bin"),
            (Family::NodeJs, rooted("NVM_DIR", ".nvm").join("versions/node"), "bin"),
            (Family::NodeJs, home.join(".asdf/installs/nodejs"), "bin"),
            (Family::NodeJs, home.join(".local/share/mise/installs/node"), "bin"),
            (Family::NodeJs, home.join(".volta/tools/image/node"), "bin"),
            (Family::NodeJs, home.join(".local/share/fnm/node-versions"), "installation/bin"),
            (Family::NodeJs, PathBuf::from("/opt/hostedtoolcache/node"), "x64/bin"),
        ] {
            versions.push((family, root, inner));
        }
        Self { path, versions }
    }

    /// Every interpreter of a family, those on `PATH` first.
    fn candidates(&self, family: Family) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        for dir in &self.path {
            for name in program_names(family) {
                found.extend(Candidate::at(family, &dir.join(name), None));
            }
        }
        for (_, root, inner) in self.versions.iter().filter(|place| place.0 == family) {
            let mut dirs: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(root)
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| Some((version_in(entry.file_name().to_str()?)?, entry.path())))
                .collect();
            // The newest patch of a version comes first.
            dirs.sort_by_key(|dir| Reverse(dir.0.clone()));
            for (version, dir) in dirs {
                let name = match (family, version.as_slice()) {
                    (Family::Python, [3, minor, ..]) => format!("python3.{minor}"),
                    (Family::NodeJs, _) => "node".to_owned(),
                    _ => continue,
                };
                found.extend(Candidate::at(family, &dir.join(inner).join(name), Some(version)));
            }
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|candidate| seen.insert(candidate.program.clone()));
        found
    }
}

fn program_names(family: Family) -> Vec<String> {
    match family {
        Family::Python => {
            let exact = (8..=20).rev().map(|minor| format!("python3.{minor}"));
            exact.chain(["python3".to_owned()]).collect()
        }
        Family::NodeJs => ["node", "nodejs"].map(str::to_owned).to_vec(),
        Family::Java => vec!["java".to_owned()],
        _ => Vec::new(),
    }
}

/// The numbers of a folder's name: `v20.1.0`, `3.12.1`, `cpython-3.12.4-linux-x86_64-gnu`.
fn version_in(name: &str) -> Option<Vec<u32>> {
    let start = name.find(|symbol: char| symbol.is_ascii_digit())?;
    if !matches!(&name[..start], "" | "v" | "cpython-") {
        return None;
    }
    let end = name[start..]
        .find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.')
        .map_or(name.len(), |end| start + end);
    name[start..end].split('.').map(|part| part.parse().ok()).collect()
}

/// An interpreter that exists.
#[derive(Clone, Debug)]
struct Candidate {
    program: PathBuf,
    /// At least the numbers that the runtime's identifier compares.
    version: Vec<u32>,
}

impl Candidate {
    fn at(family: Family, path: &Path, version: Option<Vec<u32>>) -> Option<Self> {
        let program = path.canonicalize().ok()?;
        if !is_binary(&program) {
            return None;
        }
        let from_name = || {
            let minor = program.file_name()?.to_str()?.strip_prefix("python3.")?.parse().ok()?;
            Some(vec![3, minor])
        };
        let version = version.or_else(from_name).or_else(|| ask_version(family, &program))?;
        Some(Self { program, version })
    }

    /// How far the version is from the one wanted; a newer one is nearer than an older one.
    fn distance(&self, wanted: u32) -> (u32, bool) {
        let relevant = self.relevant();
        (relevant.abs_diff(wanted), relevant < wanted)
    }

    /// The number that the runtime's identifier names: the minor of Python, the major of the others.
    fn relevant(&self) -> u32 {
        match self.version.as_slice() {
            [3, minor, ..] => *minor,
            [major, ..] => *major,
            [] => 0,
        }
    }
}

/// Version managers put scripts named like interpreters on `PATH`; those need their own environment to run.
fn is_binary(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && !magic.starts_with(b"#!")
}

fn ask_version(family: Family, program: &Path) -> Option<Vec<u32>> {
    let args: &[&str] = match family {
        Family::Python | Family::NodeJs => &["--version"],
        _ => &["-version"],
    };
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // "Python 3.11.7", "v20.1.0", "openjdk version \"17.0.1\" 2025-04-15".
    text.split([' ', '"', '\n']).find_map(|word| version_in(word).filter(|it| it.len() > 1))
}

/// Remembers what was found; what was missing is looked for again, because the user may have installed it.
pub(crate) struct Resolver {
    places: Places,
    allow_nearest: bool,
    found: Mutex<HashMap<String, ResolvedRuntime>>,
}

impl Resolver {
    pub(crate) fn new(places: Places, allow_nearest: bool) -> Self {
        Self { places, allow_nearest, found: Mutex::default() }
    }

    /// The remembered answer, without touching the disk.
    pub(crate) fn known(&self, runtime: &Runtime) -> Option<ResolvedRuntime> {
        self.found.lock().get(runtime.as_str()).cloned()
    }

    /// Finds the interpreter. The first search for a runtime runs programs and may take 100 ms.
    pub(crate) fn resolve(&self, runtime: &Runtime) -> Result<ResolvedRuntime, MissingRuntime> {
        if let Some(known) = self.known(runtime) {
            return Ok(known);
        }
        let resolved = self.search(runtime)?;
        if let Some(warning) = &resolved.warning {
            tracing::warn!("{warning}");
        }
        self.found.lock().insert(runtime.as_str().to_owned(), resolved.clone());
        Ok(resolved)
    }

    fn search(&self, runtime: &Runtime) -> Result<ResolvedRuntime, MissingRuntime> {
        let missing =
            |reason: String| MissingRuntime { runtime: runtime.as_str().to_owned(), reason };
        let (name, wanted) = match runtime.family() {
            Family::Provided => {
                let version = runtime.as_str().to_owned();
                return Ok(ResolvedRuntime { program: None, prefix: None, version, warning: None });
            }
            Family::Python => ("Python 3", runtime.minor().unwrap_or(0)),
            Family::NodeJs => ("Node.js", runtime.major()),
            Family::Java => ("a Java virtual machine", runtime.major()),
            Family::Ruby | Family::DotNet | Family::Go => {
                return Err(missing(
                    "this family is not supported; a custom runtime (provided.al2023) can carry it"
                        .to_owned(),
                ));
            }
        };
        if runtime.family() == Family::Python && runtime.major() != 3 {
            return Err(missing("only Python 3 is supported".to_owned()));
        }
        let candidates = self.places.candidates(runtime.family());
        // The stable sort keeps the order of the places among equals.
        let best =
            candidates.iter().min_by_key(|candidate| candidate.distance(wanted)).ok_or_else(
                || missing(format!("{name} is neither on PATH nor in a version manager")),
            )?;
        let version = dotted(&best.version);
        let warning = (best.relevant() != wanted).then(|| {
            format!(
                "{runtime} runs on {} {version}, the nearest version found",
                best.program.display()
            )
        });
        if warning.is_some() && !self.allow_nearest {
            return Err(missing(format!(
                "only version {version} was found, and substitution is switched off"
            )));
        }
        let prefix = best.program.parent().and_then(Path::parent).map(Path::to_path_buf);
        Ok(ResolvedRuntime { program: Some(best.program.clone()), prefix, version, warning })
    }

    /// Every interpreter found, for the doctor.
    pub(crate) fn inventory(&self, family: Family) -> Vec<(String, PathBuf)> {
        let found = self.places.candidates(family);
        found.into_iter().map(|it| (dotted(&it.version), it.program)).collect()
    }
}

fn dotted(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(root: &Path, name: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Distinct contents are not needed, distinct paths are.
        std::fs::write(path, b"\x7fELF").unwrap();
    }

    fn resolver(root: &Path, nearest: bool) -> Resolver {
        let places = Places {
            path: vec![root.join("bin")],
            versions: vec![
                (Family::Python, root.join("pyenv"), "bin"),
                (Family::NodeJs, root.join("nvm"), "bin"),
            ],
        };
        Resolver::new(places, nearest)
    }

    fn runtime(name: &str) -> Runtime {
        name.parse().unwrap()
    }

    #[test]
    fn the_exact_version_wins_and_the_newest_patch_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fake(&root, "bin/python3.11");
        fake(&root, "pyenv/3.12.1/bin/python3.12");
        fake(&root, "pyenv/3.12.10/bin/python3.12");
        std::fs::write(root.join("bin/python3.13"), "#!/bin/sh\n").unwrap();
        fake(&root, "nvm/v20.1.0/bin/node");
        let resolver = resolver(&root, true);
        let found = resolver.resolve(&runtime("python3.12")).unwrap();
        assert_eq!(found.program.unwrap(), root.join("pyenv/3.12.10/bin/python3.12"));
        assert_eq!(found.prefix.unwrap(), root.join("pyenv/3.12.10"));
        assert_eq!((found.version.as_str(), found.warning), ("3.12.10", None));
        let found = resolver.resolve(&runtime("nodejs20.x")).unwrap();
        assert_eq!(found.version, "20.1.0");
    }

    #[test]
    fn the_nearest_version_is_announced_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fake(&root, "bin/python3.9");
        fake(&root, "bin/python3.13");
        fake(&root, "bin/python3.11");
        let found = resolver(&root, true).resolve(&runtime("python3.12")).unwrap();
        assert_eq!(found.version, "3.13");
        assert!(found.warning.unwrap().starts_with("python3.12 runs on"));
        let error = resolver(&root, false).resolve(&runtime("python3.12")).unwrap_err();
        assert!(error.to_string().contains("3.13"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let resolver = resolver(dir.path(), true);
        let error = resolver.resolve(&runtime("nodejs20.x")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the runtime nodejs20.x cannot run on this machine: Node.js is neither on PATH nor in a version manager"
        );
        assert!(resolver.resolve(&runtime("ruby3.3")).is_err());
        assert!(resolver.resolve(&runtime("provided.al2023")).unwrap().program.is_none());
    }

    #[test]
    fn versions_are_read_from_folder_names() {
        assert_eq!(version_in("v20.1.0"), Some(vec![20, 1, 0]));
        assert_eq!(version_in("cpython-3.12.4-linux-x86_64-gnu"), Some(vec![3, 12, 4]));
        assert_eq!(version_in("pypy3.10"), None);
        assert_eq!(version_in("system"), None);
    }
}
