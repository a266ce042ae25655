//! Every row has a test that pins its bytes.

use std::fs;
use std::path::{Path, PathBuf};

/// The Rust sources under a folder.
pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The packages' folders.
pub(crate) fn packages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut packages = Vec::new();
    for folder in ["crates", "services"] {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        packages.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    packages.sort();
    packages
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests"))
}

/// The types that `row!` declares in a text.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let declared = line.trim_start_matches("crate::").strip_prefix("row!(")?;
        declared.split(',').next()
    })
}

/// Every row's type and version, and the schema of the data directory.
fn listing() -> String {
    let mut lines = Vec::new();
    for package in packages() {
        let mut paths = Vec::new();
        sources(&package.join("src"), &mut paths);
        let name = package.file_name().expect("a name").to_string_lossy().into_owned();
        for path in paths.into_iter().filter(|path| !is_test(path)) {
            let text = fs::read_to_string(&path).expect("a source");
            for line in text.lines() {
                let line = line.trim_start_matches("crate::");
                if let Some(declared) = line.strip_prefix("row!(") {
                    let mut parts = declared.trim_end_matches(");").split(", ");
                    let (row, version) = (parts.next(), parts.next());
                    lines.push(format!("{name} {} {}", row.unwrap_or("?"), version.unwrap_or("?")));
                }
            }
        }
    }
    lines.sort();
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/src/layout.rs");
    let layout = fs::read_to_string(layout).expect("a source");
    let schema = layout.lines().find(|line| line.starts_with("const SCHEMA")).expect("the schema");
    format!("{schema}\n{}\n", lines.join("\n"))
}

/// A row that changes or is new needs a new schema, by which older programs refuse the directory.
#[test]
fn the_schema_rises_with_the_rows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/rows.txt");
    let now = listing();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &now).expect("written");
    }
    let known = fs::read_to_string(&path).expect("the list");
    assert!(
        known == now,
        "the rows have changed. Once a release has written the old ones, raise SCHEMA in crates/store/src/layout.rs \
         and keep a fixture (docs/STORAGE.md, Upgrades). Then update {} with UPDATE_EXPECT=1.\n{now}",
        path.display()
    );
}

#[test]
fn every_row_has_its_bytes_pinned() {
    let mut missing = Vec::new();
    let mut count = 0;
    for package in packages() {
        let mut paths = Vec::new();
        sources(&package.join("src"), &mut paths);
        let texts: Vec<(bool, String)> = paths
            .iter()
            .map(|path| (is_test(path), fs::read_to_string(path).expect("a source")))
            .collect();
        // A row is pinned by a test that writes one out, in a file or module that says that it is about bytes.
        let pinned: Vec<&str> = texts
            .iter()
            .filter_map(|(_, text)| {
                let at = text.find("The bytes of every row").or(text.find("The bytes of ref"));
                at.or(text.find("fn the_bytes_of")).map(|at| &text[at..])
            })
            .collect();
        let declared = texts.iter().filter(|(is_test, _)| !is_test);
        for row in declared.flat_map(|(_, text)| rows(text)) {
            count += 1;
            let made = [format!("{row} {{"), format!("{row}("), format!("{row}::")];
            if !pinned.iter().any(|text| made.iter().any(|made| text.contains(made.as_str()))) {
                missing.push(format!("{}: {row}", package.display()));
            }
        }
    }
    assert!(count > 40, "only {count} rows were found");
    assert!(missing.is_empty(), "rows without a test of their bytes:\n{}", missing.join("\n"));
}
