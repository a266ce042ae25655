//! Data directories that must not be opened: they are refused with a reason, and left as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::Server;

/// All files under a folder with their bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

/// What the binary says when it does not start on a directory.
fn refusal(directory: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .args(["start", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory)
        .output()
        .expect("a process");
    assert!(!output.status.success(), "it started");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A directory that was used.
fn used() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    let made = server.json("sqs", "AmazonSQS.CreateQueue", r#"{"QueueName": "jobs"}"#);
    assert_eq!(made.status, 200, "{}", made.body);
    server.kill();
    directory
}

fn is_refused(directory: &Path, file: &str, text: &[u8], reason: &str) {
    let path = directory.join(file);
    let right = fs::read(&path).expect("a file");
    fs::write(&path, text).expect("written");
    let before = contents(directory);
    let said = refusal(directory);
    assert!(said.contains(reason), "{file}: {said}");
    let mut after = contents(directory);
    if file.starts_with("rows/") {
        // The engine refuses once the directory is held.
        let lock = directory.join("LOCK");
        after.insert(lock.clone(), before[&lock].clone());
    }
    let touched: Vec<_> = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(bytes))
        .map(|(path, _)| path)
        .collect();
    assert!(touched.is_empty() && after.len() == before.len(), "{file}: {touched:?} was touched");
    fs::write(&path, right).expect("written");
}

#[test]
fn newer_data_are_refused_and_left_alone() {
    let directory = used();
    let newer = "run the newer version that wrote it";
    is_refused(directory.path(), "FORMAT", b"fogbank data 99\n", newer);
    is_refused(directory.path(), "SCHEMA", b"fogbank schema 99\n", newer);
    is_refused(directory.path(), "FORMAT", b"something else\n", "is damaged");
    is_refused(directory.path(), "SCHEMA", b"", "is damaged");
    // Nothing of that has harmed it.
    let server = Server::durable(directory.path());
    let listed = server.json("sqs", "AmazonSQS.ListQueues", "{}");
    assert!(listed.body.contains("/jobs"), "{}", listed.body);
}

#[test]
fn rows_of_another_version_of_the_engine_are_refused_and_left_alone() {
    let directory = used();
    let marker = fs::read(directory.path().join("rows/version")).expect("the engine's marker");
    let mut newer = marker.clone();
    *newer.last_mut().expect("a number") = 2;
    is_refused(directory.path(), "rows/version", &newer, "run the version that wrote them");
    is_refused(directory.path(), "rows/version", b"???", "run the version that wrote them");
}

#[test]
fn a_second_process_learns_who_has_the_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    let before = fs::read_to_string(directory.path().join("LOCK")).expect("a number");
    let said = refusal(directory.path());
    assert!(said.contains(&format!("is in use by another process ({})", before.trim())), "{said}");
    assert_eq!(fs::read_to_string(directory.path().join("LOCK")).expect("a number"), before);
    let listed = server.json("sqs", "AmazonSQS.ListQueues", "{}");
    assert_eq!(listed.status, 200, "{}", listed.body);
}
