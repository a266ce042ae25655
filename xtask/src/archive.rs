//! Reads single files out of wheels and npm tarballs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;

/// A wheel: the archive of a Python package.
pub(crate) struct Wheel(zip::ZipArchive<File>);

impl Wheel {
    /// Opens the wheel at `path`.
    pub(crate) fn open(path: &Path) -> Result<Wheel> {
        let file = File::open(path).with_context(|| format!("{}", path.display()))?;
        Ok(Wheel(zip::ZipArchive::new(file).with_context(|| format!("{}", path.display()))?))
    }

    /// The bytes of the file `name`.
    pub(crate) fn file(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.by_name(name).with_context(|| name.to_owned())?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The newest API version of a service in botocore, which is the name of a folder.
    pub(crate) fn newest_version(&self, service: &str) -> Result<String> {
        let prefix = format!("botocore/data/{service}/");
        self.0
            .file_names()
            .filter_map(|name| {
                let name = name.ok()?;
                let (version, _) = name.strip_prefix(&prefix)?.split_once('/')?;
                Some(version.to_owned())
            })
            .max()
            .with_context(|| format!("botocore has no service {service}"))
    }

    /// A service's model: `service-2.json`, compressed or not.
    pub(crate) fn service_model(&mut self, service: &str) -> Result<Vec<u8>> {
        let version = self.newest_version(service)?;
        let plain = format!("botocore/data/{service}/{version}/service-2.json");
        let mut bytes = Vec::new();
        if let Ok(mut entry) = self.0.by_name(&format!("{plain}.gz")) {
            GzDecoder::new(&mut entry).read_to_end(&mut bytes)?;
        } else {
            self.0.by_name(&plain).with_context(|| plain.clone())?.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// The text of the file `name` in the npm tarball at `path`.
pub(crate) fn tarball_text(path: &Path, name: &str) -> Result<String> {
    let file = File::open(path).with_context(|| format!("{}", path.display()))?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()? == Path::new(name) {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            return Ok(text);
        }
    }
    bail!("{} holds no {name}", path.display())
}
