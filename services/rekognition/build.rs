//! Hands the face model that the `rustface` package carries to the compiler.
//!
//! The model is part of the published package, so Cargo has fetched and verified it before this script runs. It is
//! copied to `OUT_DIR` rather than kept in this repository: a file of somebody else's stays where its licence is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const PACKAGE: &str = "rustface";
const MODEL: &str = "model/seeta_fd_frontal_v1.0.bin";

fn main() -> Result<(), Box<dyn Error>> {
    let package = from_metadata().or_else(from_registry).ok_or(
        "the rustface package was found neither by `cargo metadata` nor in Cargo's registry folder",
    )?;
    let model = package.join(MODEL);
    let copy = Path::new(&env::var("OUT_DIR")?).join("face_model.bin");
    fs::write(copy, fs::read(&model)?)?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", model.display());
    Ok(())
}

/// Asks Cargo, which also knows about vendored and patched packages.
///
/// Offline, because a build must not fetch; it fails on a machine that never needed the workspace's other
/// dependencies, which is what `from_registry` is for.
fn from_metadata() -> Option<PathBuf> {
    let manifest = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).join("Cargo.toml");
    let output = Command::new(env::var_os("CARGO")?)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
        .arg(env::var_os("TARGET")?)
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .ok()?;
    manifest_paths(&String::from_utf8(output.stdout).ok()?)
        .filter_map(|manifest| manifest.parent().map(Path::to_path_buf))
        .find(|folder| is_the_package(folder))
}

/// Yields every `manifest_path` in the JSON: enough of a parser for one key whose values are file names.
fn manifest_paths(json: &str) -> impl Iterator<Item = PathBuf> {
    json.split(r#""manifest_path":""#)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|path| PathBuf::from(path.replace(r"\\", r"\")))
}

/// Looks where Cargo unpacks what it has fetched from a registry.
fn from_registry() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let user = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE"))?;
        Some(PathBuf::from(user).join(".cargo"))
    })?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    registries
        .flatten()
        .filter_map(|registry| fs::read_dir(registry.path()).ok())
        .flat_map(|packages| packages.flatten())
        .map(|package| package.path())
        .find(|folder| is_the_package(folder))
}

fn is_the_package(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.strip_prefix(PACKAGE);
    version.is_some_and(|version| version.is_empty() || version.starts_with('-'))
        && folder.join(MODEL).is_file()
}
