//! The cloud's clock, changed from the command line.

use std::process::Command;

use serde_json::Value;

use crate::server::Server;

/// Runs `fogbank clock` and reads its JSON.
fn clock(server: &Server, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .arg("clock")
        .args(arguments)
        .args(["--json", "--endpoint", &format!("http://{}", server.authority)])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_clock_outlives_its_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    assert_eq!(clock(&server, &[])["state"], "the machine's time");
    assert!(!server.get("/_fogbank/health").body.contains("clock"));
    let shifted = clock(&server, &["advance", "3d"]);
    assert_eq!(shifted["state"], "shifted");
    assert_eq!(shifted["lead_secs"], 3.0 * 86_400.0);
    server.kill();

    let server = Server::durable(directory.path());
    assert_eq!(clock(&server, &[])["lead_secs"], 3.0 * 86_400.0);
    let health = server.get("/_fogbank/health").body;
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!(health["clock"]["lead_secs"], 3.0 * 86_400.0);
    let frozen = clock(&server, &["freeze", "2030-01-01"]);
    assert_eq!(
        (&frozen["now"], &frozen["state"]),
        (&"2030-01-01T00:00:00.000Z".into(), &"frozen".into())
    );
    server.kill();

    let server = Server::durable(directory.path());
    assert_eq!(clock(&server, &[])["now"], "2030-01-01T00:00:00.000Z");
    let advanced = clock(&server, &["advance", "1d12h"]);
    assert_eq!(advanced["now"], "2030-01-02T12:00:00.000Z");
    let reset = clock(&server, &["reset"]);
    assert_eq!(reset["state"], "the machine's time");
    assert!(reset["went_back_secs"].as_f64().is_some_and(|secs| secs > 86_400.0), "{reset}");
    assert!(reset["note"].as_str().is_some_and(|note| note.contains("Time went back")));
}

#[test]
fn signatures_are_judged_by_the_machines_time_and_lifetimes_by_the_clouds() {
    let server = Server::ephemeral();
    let get = |query: &str| {
        let request = format!(
            "GET /bucket?{query} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            server.authority
        );
        server.raw(request.as_bytes())
    };
    let made = server.presigned("s3", "PUT", "/bucket", "");
    let request = format!(
        "PUT /bucket?{made} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        server.authority
    );
    assert_eq!(server.raw(request.as_bytes()).status, 200);
    // They are good for five minutes.
    let before = server.presigned("s3", "GET", "/bucket", "");
    assert_eq!(get(&before).status, 200);
    clock(&server, &["advance", "2h"]);
    let expired = get(&before);
    assert!(expired.status == 403 && expired.body.contains("Request has expired"), "{expired:?}");
    let after = server.presigned("s3", "GET", "/bucket", "");
    assert_eq!(get(&after).status, 200);
    assert_eq!(server.json("logs", "Logs_20140328.DescribeLogGroups", "{}").status, 200);

    clock(&server, &["reset"]);
    let again = server.presigned("s3", "GET", "/bucket", "");
    assert_eq!(get(&again).status, 200);
    clock(&server, &["scale", "10000"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(get(&again).status, 403, "five minutes of this clock are over");
    let health = server.get("/_fogbank/health");
    let date = health.head.lines().find_map(|line| line.strip_prefix("date: ")).expect("a date");
    let clock: Value = clock(&server, &[]);
    let machine = clock["machine"].as_str().expect("a time");
    assert!(date.contains(&machine[..4]), "the header is the machine's: {date} {machine}");
}
