//! The front door: signatures, garbage, hosts, limits, restarts.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::server::{Credentials, Server};

const CREATE: &str = "Logs_20140328.CreateLogGroup";
const DESCRIBE: &str = "Logs_20140328.DescribeLogGroups";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64
}

#[test]
fn state_survives_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    for number in 0..5 {
        let body = format!(r#"{{"logGroupName":"group-{number}"}}"#);
        assert_eq!(server.json("logs", CREATE, &body).status, 200);
    }
    server.kill();
    let server = Server::durable(directory.path());
    let answer = server.json("logs", DESCRIBE, "{}");
    assert_eq!(answer.status, 200);
    for number in 0..5 {
        assert!(answer.body.contains(&format!("group-{number}")), "{}", answer.body);
    }
}

#[test]
fn wrong_signatures_are_refused_with_awss_words() {
    let server = Server::ephemeral();
    let call = |credentials: &Credentials<'_>| {
        server.raw(&server.signed(credentials, "logs", DESCRIBE, "{}"))
    };
    let wrong = call(&Credentials { access_key_id: "test", secret: "tset" });
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("InvalidSignatureException"), "{}", wrong.body);
    assert!(wrong.body.contains("The request signature we calculated does not match"));
    let unknown = call(&Credentials { access_key_id: "AKIAIOSFODNN7EXAMPLE", secret: "test" });
    assert!(unknown.body.contains("UnrecognizedClientException"), "{}", unknown.body);
    let account = call(&Credentials { access_key_id: "111122223333", secret: "test" });
    assert_eq!(account.status, 200, "{}", account.body);

    let mut flipped = server.signed(&Credentials::ROOT, "logs", DESCRIBE, "{}");
    let at = flipped.windows(10).position(|part| part == b"signature=").unwrap_or_else(|| {
        flipped.windows(10).position(|part| part == b"Signature=").expect("a signature")
    });
    flipped[at + 12] = if flipped[at + 12] == b'0' { b'1' } else { b'0' };
    assert!(server.raw(&flipped).body.contains("InvalidSignatureException"));

    let mut changed = server.signed(&Credentials::ROOT, "logs", DESCRIBE, r#"{"limit":1}"#);
    let last = changed.len() - 2;
    changed[last] = b'2';
    assert!(server.raw(&changed).body.contains("InvalidSignatureException"));

    let late = server.signed_at(now() - 3600, &Credentials::ROOT, "logs", DESCRIBE, "{}");
    let late = server.raw(&late);
    assert!(late.body.contains("Signature expired"), "{}", late.body);

    let unsigned = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\nx-amz-target: {DESCRIBE}\r\n\
         content-type: application/x-amz-json-1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}",
        server.authority
    );
    let unsigned = server.raw(unsigned.as_bytes());
    assert!(unsigned.body.contains("MissingAuthenticationToken"), "{}", unsigned.body);
}

#[test]
fn garbage_gets_an_error_and_never_ours() {
    let server = Server::ephemeral();
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"logGroupName\":",
        "{\"logGroupName\":7}",
        "{\"logGroupName\":[{}]}",
        "{\"limit\":\"many\"}",
        "{\"limit\":1e400}",
        "<xml/>",
        "a=b&c=%zz",
        "\u{0}\u{1}\u{2}",
    ];
    let deep = "[".repeat(100_000);
    let targets = ["Logs_20140328", "DynamoDB_20120810", "AmazonSQS", "RekognitionService"];
    let operations = ["CreateLogGroup", "PutItem", "SendMessage", "DetectFaces", "Nonsense", ""];
    for target in targets {
        for operation in operations {
            let target = format!("{target}.{operation}");
            for body in bodies.iter().copied().chain([deep.as_str()]) {
                let answer = server.json("logs", &target, body);
                let shown = &body[..body.len().min(40)];
                let honest = answer.body.contains("NotImplemented");
                assert!(
                    (400..500).contains(&answer.status)
                        || (honest && answer.status == 501)
                        || answer.status == 200,
                    "{target} {shown}: {answer:?}"
                );
            }
        }
    }
    for path in ["/", "/bucket/key", "/2015-03-31/functions/x/invocations", "/%ff%fe", "/a%zz"] {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "BREW"] {
            for extra in [
                "authorization: nonsense\r\n",
                "authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e\r\n",
                "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
                 SignedHeaders=host, Signature=00\r\nx-amz-date: yesterday\r\n",
                "content-type: application/x-www-form-urlencoded\r\n",
                "",
            ] {
                let request = format!(
                    "{method} {path}?X-Amz-Algorithm=x&Action=&=&%zz HTTP/1.1\r\nhost: {}\r\n{extra}\
                     content-length: 3\r\nconnection: close\r\n\r\n%<{{",
                    server.authority
                );
                let answer = server.raw(request.as_bytes());
                assert!(
                    (300..500).contains(&answer.status) || answer.status == 501,
                    "{request}: {answer:?}"
                );
            }
        }
    }
    assert_eq!(server.get("/_fogbank/health").status, 200, "it still serves");
}

#[test]
fn browsers_cannot_be_made_to_call() {
    let server = Server::ephemeral();
    let rebound =
        "GET /_fogbank/health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(server.raw(rebound.as_bytes()).status, 403);
    let crossed = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\norigin: https://evil.example\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n",
        server.authority
    );
    assert_eq!(server.raw(crossed.as_bytes()).status, 403);
}

#[test]
fn heads_have_a_limit() {
    let server = Server::ephemeral();
    let request = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\nx-large: {}\r\n\r\n",
        server.authority,
        "x".repeat(200_000)
    );
    let answer = server.raw(request.as_bytes());
    // The answer may be lost when the connection is closed with bytes still unread.
    assert!(matches!(answer.status, 431 | 0), "{answer:?}");
    assert_eq!(server.get("/_fogbank/health").status, 200);
}

#[test]
fn operations_without_a_handler_say_so() {
    let server = Server::ephemeral();
    let answer = server.json("logs", "Logs_20140328.StartQuery", "{}");
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("NotImplemented"), "{}", answer.body);
    let answer = server.json("logs", "Logs_20140328.NoSuchThing", "{}");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("UnknownOperationException"), "{}", answer.body);
}

#[test]
fn health_and_metrics_answer() {
    let server = Server::ephemeral();
    let health = server.get("/_localstack/health");
    assert_eq!(health.status, 200);
    assert!(health.body.contains("\"logs\": \"running\""), "{}", health.body);
    server.json("logs", DESCRIBE, "{}");
    let metrics = server.get("/metrics");
    let counted = "operation=\"DescribeLogGroups\",outcome=\"success\"} 1";
    assert!(metrics.body.contains(counted), "{}", metrics.body);
    let unknown = server.get("/_localstack/nothing");
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_second_process_on_the_same_state_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::durable(directory.path());
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .args(["start", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory.path())
        .output()
        .expect("a process");
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("cannot open the state"), "{said}");
    drop(server);
}
