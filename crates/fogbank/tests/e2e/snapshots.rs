//! The state as a whole: saved, loaded, compared, reset, backed up and restored from the command line.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::server::Server;

fn fogbank(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .expect("the command runs")
}

/// Runs a command of the administrator and reads its JSON.
fn admin(server: &Server, arguments: &[&str]) -> Value {
    let endpoint = format!("http://{}", server.authority);
    let output = fogbank(&[arguments, &["--json", "--endpoint", &endpoint]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn sqs(server: &Server, operation: &str, input: &Value) -> Value {
    let answer = server.json("sqs", &format!("AmazonSQS.{operation}"), &input.to_string());
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

/// The body of an object of each size class, by its name.
const OBJECTS: [(&str, usize); 3] = [("row", 100), ("segment", 100 << 10), ("file", 5 << 20)];

fn put_objects(server: &Server, letter: &str) {
    for (name, len) in OBJECTS {
        let body = letter.repeat(len);
        let request = server.signed_request("PUT", &format!("/bucket/{name}"), "s3", &body);
        assert_eq!(server.raw(&request).status, 200, "{name}");
    }
}

fn has_objects(server: &Server, letter: &str) -> bool {
    OBJECTS.iter().all(|(name, len)| {
        let request = server.signed_request("GET", &format!("/bucket/{name}"), "s3", "");
        let answer = server.raw(&request);
        answer.status == 200 && answer.body == letter.repeat(*len)
    })
}

/// A bucket with objects and a queue with a message.
fn fill(server: &Server) -> String {
    let made = server.raw(&server.signed_request("PUT", "/bucket", "s3", ""));
    assert_eq!(made.status, 200, "{made:?}");
    put_objects(server, "a");
    let queue = sqs(server, "CreateQueue", &json!({ "QueueName": "jobs" }));
    let url = queue["QueueUrl"].as_str().expect("a URL").to_owned();
    sqs(server, "SendMessage", &json!({ "QueueUrl": url, "MessageBody": "first" }));
    url
}

fn receive(server: &Server, url: &str) -> Vec<String> {
    let input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
    let answer = sqs(server, "ReceiveMessage", &input);
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let body = |message: &Value| message["Body"].as_str().unwrap_or_default().to_owned();
    messages.iter().map(body).collect()
}

#[test]
fn a_loaded_snapshot_brings_everything_back() {
    let directory = tempfile::tempdir().expect("a directory");
    for server in [Server::ephemeral(), Server::durable(directory.path())] {
        let url = fill(&server);
        let saved = admin(&server, &["snapshot", "save", "first"]);
        assert_eq!((&saved["name"], &saved["blobs"]), (&"first".into(), &2.into()));
        // A head that is remembered of the queue must not hide what the snapshot has.
        assert_eq!(receive(&server, &url), ["first"]);
        put_objects(&server, "b");
        sqs(&server, "PurgeQueue", &json!({ "QueueUrl": url }));
        sqs(&server, "CreateQueue", &json!({ "QueueName": "later" }));
        assert_eq!(receive(&server, &url), Vec::<String>::new());

        let difference = admin(&server, &["snapshot", "diff"]);
        let tables = difference["tables"].as_array().expect("tables");
        let queues = tables.iter().find(|table| table["table"] == "sqs.queues");
        let queues = queues.unwrap_or_else(|| panic!("{difference}"));
        assert_eq!((&queues["added"], &queues["changed"]), (&1.into(), &1.into()));
        assert!(queues["keys"].to_string().contains("later"), "{queues}");

        admin(&server, &["snapshot", "load", "first"]);
        assert!(has_objects(&server, "a"));
        assert_eq!(receive(&server, &url), ["first"]);
        let queues = sqs(&server, "ListQueues", &json!({}));
        assert_eq!(queues["QueueUrls"].as_array().map(Vec::len), Some(1));
        assert_eq!(admin(&server, &["snapshot", "list"])["base"], "first");
        let again = admin(&server, &["snapshot", "diff", "first"]);
        // S3 counts what buckets hold, once a day, and that may just have been.
        let again = again["tables"].as_array().expect("tables").clone();
        let names = again.iter().filter_map(|table| table["table"].as_str());
        let changed: Vec<&str> = names.filter(|name| name.starts_with("s3.")).collect();
        assert!(changed.iter().all(|name| *name == "s3.counted-buckets"), "{changed:?}");
    }
    let server = Server::durable(directory.path());
    assert!(has_objects(&server, "a"), "a restart finds what was loaded");
    admin(&server, &["snapshot", "delete", "first"]);
    assert_eq!(admin(&server, &["snapshot", "list"])["snapshots"], json!([]));
    assert!(has_objects(&server, "a"));
}

#[test]
fn a_reset_leaves_an_empty_cloud() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    let url = fill(&server);
    let endpoint = format!("http://{}", server.authority);
    let unasked = fogbank(&["reset", "--endpoint", &endpoint]);
    assert!(!unasked.status.success(), "it needs --yes");
    assert!(has_objects(&server, "a"));
    admin(&server, &["reset", "--yes"]);
    assert!(
        sqs(&server, "ListQueues", &json!({}))["QueueUrls"].as_array().is_none_or(Vec::is_empty)
    );
    let gone = server.raw(&server.signed_request("GET", "/bucket/row", "s3", ""));
    assert_eq!(gone.status, 404, "{gone:?}");
    assert_eq!(fill(&server), url, "all names are free");
    assert_eq!(receive(&server, &url), ["first"]);
    server.kill();
    let server = Server::durable(directory.path());
    assert!(has_objects(&server, "a"));
    let unknown = fogbank(&["reset", "--service", "nope", "--endpoint", &endpoint]);
    assert!(!unknown.status.success());
}

#[test]
fn a_snapshot_is_loaded_under_its_root_key_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let keys = ["07", "08"].map(|byte| {
        std::fs::write(path(byte), byte.repeat(32)).expect("a key");
        path(byte)
    });
    let start = |key: &str| Server::start(&["--data-dir", &path("state"), "--root-key-file", key]);
    let server = start(&keys[0]);
    fill(&server);
    admin(&server, &["snapshot", "save", "first"]);
    admin(&server, &["reset", "--yes"]);
    drop(server);
    // Nothing that is sealed is left but in the snapshot.
    let server = start(&keys[1]);
    sqs(&server, "CreateQueue", &json!({ "QueueName": "present" }));
    let endpoint = format!("http://{}", server.authority);
    let refused = fogbank(&["snapshot", "load", "first", "--endpoint", &endpoint]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("another root key"), "{said}");
    let queues = sqs(&server, "ListQueues", &json!({}));
    assert_eq!(queues["QueueUrls"].as_array().map(Vec::len), Some(1), "nothing has changed");
    drop(server);
    let server = start(&keys[0]);
    admin(&server, &["snapshot", "load", "first"]);
    assert!(has_objects(&server, "a"));
}

#[test]
fn a_backup_makes_another_cloud() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let server = Server::durable(&directory.path().join("one"));
    let url = fill(&server);
    let file = path("cloud.backup");
    let backup = admin(&server, &["backup", &file]);
    assert_eq!(backup["blobs"], 2);
    put_objects(&server, "b");
    drop(server);

    let verified = fogbank(&["restore", &file, "--verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let restored = fogbank(&["restore", &file, "--data-dir", &path("two")]);
    assert!(restored.status.success(), "{restored:?}");
    let onto = fogbank(&["restore", &file, "--data-dir", &path("one")]);
    assert!(!onto.status.success(), "a directory with state is not touched");
    let keyless = fogbank(&["start", "--listen", "127.0.0.1:0", "--data-dir", &path("two")]);
    let said = String::from_utf8_lossy(&keyless.stderr).into_owned();
    assert!(!keyless.status.success() && said.contains("ROOT_KEY is missing"), "{said}");
    std::fs::copy(path("one/ROOT_KEY"), path("two/ROOT_KEY")).expect("the key is carried");
    let server = Server::durable(&directory.path().join("two"));
    assert!(has_objects(&server, "a"));
    let url = url
        .rsplit_once('/')
        .map(|(_, name)| format!("http://{}/000000000000/{name}", server.authority));
    assert_eq!(receive(&server, &url.expect("a URL")), ["first"]);

    let mut bytes = std::fs::read(&file).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("a damaged backup");
    let damaged = fogbank(&["restore", &file, "--verify"]);
    let said = String::from_utf8_lossy(&damaged.stderr).into_owned();
    assert!(!damaged.status.success() && said.contains("checksum"), "{said}");
    let refused = fogbank(&["restore", &file, "--data-dir", &path("three")]);
    assert!(!refused.status.success() && !directory.path().join("three").exists());
}

#[test]
fn a_backup_may_lie_in_a_bucket_and_hold_the_root_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = directory.path().join("key");
    std::fs::write(&key, "07".repeat(32)).expect("a key");
    let key = key.to_str().expect("UTF-8");
    let server = Server::start(&["--ephemeral", "--root-key-file", key]);
    let keeper = Server::ephemeral();
    fill(&server);
    keeper.raw(&keeper.signed_request("PUT", "/backups", "s3", ""));
    let url = "s3://backups/cloud/today.backup";
    let bucket = ["--s3-endpoint", &format!("http://{}", keeper.authority)];
    let backup = ["backup", url, "--with-root-key", key];
    let backup = admin(&server, &[&backup, &bucket[..]].concat());
    assert_eq!(backup["place"], url);
    let target = directory.path().join("restored");
    let target = target.to_str().expect("UTF-8");
    let restore = ["restore", url, "--data-dir", target];
    let restored = fogbank(&[&restore, &bucket[..]].concat());
    assert!(restored.status.success(), "{restored:?}");
    assert!(has_objects(&Server::start(&["--data-dir", target]), "a"));
    let verified = fogbank(&[&["restore", url, "--verify"], &bucket[..]].concat());
    assert!(verified.status.success(), "{verified:?}");
    let missing = fogbank(&[&["restore", "s3://backups/none", "--verify"], &bucket[..]].concat());
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && said.contains("NoSuchKey"), "{said}");
}

#[test]
fn only_administrators_see_and_change_the_state() {
    let server = Server::ephemeral();
    for (method, path) in [
        ("GET", "/_fogbank/snapshots"),
        ("POST", "/_fogbank/snapshots"),
        ("POST", "/_fogbank/reset"),
        ("POST", "/_fogbank/backup"),
    ] {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            server.authority
        );
        let answer = server.raw(request.as_bytes());
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
    }
    let endpoint = format!("http://{}", server.authority);
    for arguments in [&["load", "nothing"], &["delete", "nothing"], &["save", "../up"]] {
        let output = fogbank(&[&["snapshot"], &arguments[..], &["--endpoint", &endpoint]].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
