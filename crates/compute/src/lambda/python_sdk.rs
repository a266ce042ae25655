//! AWS's Python runtime carries boto3; a plain interpreter does not. This finds it on the machine.
//!
//! Only the packages that AWS ships are offered, not a whole `site-packages`: a function that forgot to pack another
//! dependency fails here as it would fail there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Python functions get boto3 from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PythonSdk {
    /// The function's own code or layers bring it.
    None,
    /// From the interpreter's packages, or those of the first `python3` on `PATH`.
    #[default]
    Auto,
    /// From this folder, which is searched last.
    Folder(PathBuf),
}

/// The packages that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundSdk {
    /// The folder for Python's search path.
    pub(crate) dir: PathBuf,
    /// What the links in `dir` lead to, by name; nothing if `dir` holds the packages themselves.
    pub(crate) packages: Vec<(String, PathBuf)>,
}

const FIND: &str = r"
import importlib.util, json, os, py_compile, sys
if sys.argv[1]:
    py_compile.compile(sys.argv[1])
found = {}
for name in ('boto3', 'botocore', 's3transfer', 'jmespath', 'dateutil', 'six', 'urllib3'):
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:
        path = os.path.realpath(spec.origin)
        path = os.path.dirname(path) if os.path.basename(path) == '__init__.py' else path
        found[os.path.basename(path)] = path
print(json.dumps(found))
";

/// Compiles the bootstrap for an interpreter and finds boto3 for it. `work` is a folder that holds links.
///
/// Runs one or two programs; the first run on a machine may take 100 ms.
pub(crate) fn prepare(
    program: &Path,
    bootstrap: &Path,
    sdk: &PythonSdk,
    work: &Path,
) -> io::Result<Option<FoundSdk>> {
    let own = ask(program, Some(bootstrap)).unwrap_or_else(|error| {
        tracing::warn!(%error, program = %program.display(), "the Python bootstrap stays uncompiled");
        BTreeMap::new()
    });
    let found = match sdk {
        PythonSdk::None => return Ok(None),
        PythonSdk::Folder(dir) => {
            return Ok(Some(FoundSdk { dir: dir.clone(), packages: Vec::new() }));
        }
        PythonSdk::Auto if own.contains_key("boto3") => own,
        PythonSdk::Auto => ask(Path::new("python3"), None).unwrap_or_default(),
    };
    if !found.contains_key("boto3") {
        return Ok(None);
    }
    link(&found, work).map(Some)
}

fn ask(program: &Path, bootstrap: Option<&Path>) -> io::Result<BTreeMap<String, PathBuf>> {
    let output = Command::new(program)
        .args(["-c", FIND])
        .arg(bootstrap.unwrap_or(Path::new("")))
        .stdin(Stdio::null())
        // A server's working folder must not decide what can be imported.
        .current_dir("/")
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env_remove("PYTHONPYCACHEPREFIX")
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Makes a folder of links, so that nothing else of the packages' folder can be imported.
fn link(found: &BTreeMap<String, PathBuf>, work: &Path) -> io::Result<FoundSdk> {
    std::fs::create_dir_all(work)?;
    for (name, path) in found {
        let place = work.join(name);
        if place.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(path, &place)?;
        }
    }
    let packages = found.iter().map(|(name, path)| (name.clone(), path.clone())).collect();
    Ok(FoundSdk { dir: work.to_path_buf(), packages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_packages_only() {
        let dir = tempfile::tempdir().unwrap();
        let packages = dir.path().join("site-packages");
        std::fs::create_dir_all(packages.join("boto3")).unwrap();
        std::fs::write(packages.join("six.py"), "").unwrap();
        let found = ["boto3", "six.py"].map(|name| (name.to_owned(), packages.join(name)));
        let work = dir.path().join("work");
        for _ in 0..2 {
            let sdk = link(&BTreeMap::from(found.clone()), &work).unwrap();
            assert_eq!(sdk.packages, found);
            assert_eq!(work.join("boto3").canonicalize().unwrap(), packages.join("boto3"));
        }
    }

    #[test]
    fn a_named_folder_is_taken_as_it_is() {
        let sdk = PythonSdk::Folder(PathBuf::from("/sdk"));
        let found =
            prepare(Path::new("/no/python"), Path::new("/x"), &sdk, Path::new("/w")).unwrap();
        assert_eq!(found.unwrap().dir, Path::new("/sdk"));
    }
}
