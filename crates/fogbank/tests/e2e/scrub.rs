//! Damage on the disk is found on demand, by a running cloud and by the doctor.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;

const SCRUB: &str = "/_fogbank/scrub";

fn call(server: &Server, method: &str, input: &str) -> (u16, Value) {
    let answer = server.raw(&server.signed_request(method, SCRUB, "fogbank", input));
    (answer.status, serde_json::from_str(&answer.body).expect("JSON"))
}

/// What the doctor finds of the state.
fn doctor(directory: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .args(["doctor", "--deep", "--json", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory)
        .output()
        .expect("the command runs");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let state = findings.into_iter().find(|finding| finding["check"] == "state");
    state.unwrap_or_else(|| panic!("{output:?}"))
}

#[test]
fn a_byte_that_rotted_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    assert_eq!(call(&server, "GET", ""), (200, json!({ "last": null })));
    assert_eq!(server.raw(&server.signed_request("PUT", "/bucket", "s3", "")).status, 200);
    for (name, len) in [("row", 100), ("segment", 100 << 10), ("file", 5 << 20)] {
        let path = format!("/bucket/{name}");
        let put = server.signed_request("PUT", &path, "s3", &"a".repeat(len));
        assert_eq!(server.raw(&put).status, 200);
    }
    let (status, found) = call(&server, "POST", "");
    assert_eq!((status, &found["blobs"], &found["damaged_count"]), (200, &2.into(), &0.into()));
    assert!(found["rows"].as_u64().is_some_and(|rows| rows >= 4), "{found}");
    assert_eq!(call(&server, "GET", ""), (200, json!({ "last": found })));
    for rate in ["0", "1.5", "\"fast\""] {
        let (status, error) = call(&server, "POST", &format!("{{\"mib_per_second\": {rate}}}"));
        assert_eq!((status, &error["error"]["code"]), (400, &"ValidationException".into()));
    }
    server.kill();
    let whole = doctor(directory.path());
    assert_eq!(whole["ok"], true, "{whole}");

    let blobs = fs::read_dir(directory.path().join("blobs")).expect("blobs");
    let file = blobs
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "blob"))
        .expect("a file of its own");
    let mut bytes = fs::read(&file).expect("read");
    bytes[3 << 20] ^= 1;
    fs::write(&file, bytes).expect("written");
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let damaged = doctor(directory.path());
    assert_eq!(damaged["ok"], false);
    let says = damaged["says"].as_str().expect("text");
    assert!(says.contains(&name) && says.contains("checksum"), "{says}");

    let server = Server::durable(directory.path());
    let (status, found) = call(&server, "POST", "{\"mib_per_second\": 1000}");
    assert_eq!((status, &found["damaged_count"]), (200, &1.into()));
    assert_eq!(found["damaged"][0]["file"], name);
    drop(server);
    fs::remove_file(&file).expect("removed");
    let missing = doctor(directory.path());
    assert!(missing["says"].as_str().is_some_and(|says| says.contains("missing")), "{missing}");
}
