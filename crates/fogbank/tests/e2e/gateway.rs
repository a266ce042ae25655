//! The front door: signatures, garbage, hosts, limits, restarts.

use std::io::{Read, Write};
use std::net::TcpStream;
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
    let targets = [
        ("logs", "Logs_20140328"),
        ("dynamodb", "DynamoDB_20120810"),
        ("sqs", "AmazonSQS"),
        ("rekognition", "RekognitionService"),
    ];
    let operations = ["CreateLogGroup", "PutItem", "SendMessage", "DetectFaces", "Nonsense", ""];
    for (service, target) in targets {
        for operation in operations {
            let target = format!("{target}.{operation}");
            for body in bodies.iter().copied().chain([deep.as_str()]) {
                let answer = server.json(service, &target, body);
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
         x-amz-target: AmazonSQS.ListQueues\r\nconnection: close\r\n\r\n",
        server.authority
    );
    assert_eq!(server.raw(crossed.as_bytes()).status, 403);
    let two_hosts = format!(
        "GET /_fogbank/health HTTP/1.1\r\nhost: {}\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        server.authority
    );
    assert_eq!(server.raw(two_hosts.as_bytes()).status, 400);
    let elsewhere = format!(
        "GET http://evil.example/_fogbank/health HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        server.authority
    );
    assert_eq!(server.raw(elsewhere.as_bytes()).status, 400);
    let made_up = format!(
        "GET /_fogbank/outbox/email?X-Amz-Signature=1 HTTP/1.1\r\nhost: {}\r\n\
         origin: https://evil.example\r\nconnection: close\r\n\r\n",
        server.authority
    );
    assert_eq!(server.raw(made_up.as_bytes()).status, 403);
}

#[test]
fn a_signature_opens_only_what_it_was_made_for() {
    let server = Server::ephemeral();
    let answer = server.json("sqs", DESCRIBE, "{}");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("Credential should be scoped to correct service"), "{answer:?}");

    // The target is no part of what this URL's signature covers, and neither is the body's absence.
    let query = server.presigned("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15");
    let asked = |extra: &str| {
        let request = format!(
            "POST /?{query} HTTP/1.1\r\nhost: {}\r\n{extra}content-length: 0\r\n\
             connection: close\r\n\r\n",
            server.authority
        );
        server.raw(request.as_bytes())
    };
    assert_eq!(asked("").status, 200);
    let diverted = asked("x-amz-target: DynamoDB_20120810.ListTables\r\n");
    assert!(diverted.body.contains("scoped to correct service"), "{diverted:?}");
}

#[test]
fn a_presigned_url_may_carry_headers_in_its_query() {
    let server = Server::ephemeral();
    let ask = |method: &str, path: &str, query: &str, body: &str| {
        let query = server.presigned("s3", method, path, query);
        let request = format!(
            "{method} {path}?{query} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            server.authority,
            body.len()
        );
        server.raw(request.as_bytes())
    };
    assert_eq!(ask("PUT", "/hoisted", "", "").status, 200);
    let put = ask(
        "PUT",
        "/hoisted/key",
        "x-amz-acl=bucket-owner-full-control&x-amz-meta-colour=red",
        "hello",
    );
    assert_eq!(put.status, 200, "{put:?}");
    let got = ask("GET", "/hoisted/key", "", "");
    assert!(got.head.contains("x-amz-meta-colour: red"), "{got:?}");
    assert_eq!(got.body, "hello");
}

#[test]
fn an_unsigned_body_is_taken_out_of_its_chunks() {
    let server = Server::ephemeral();
    let request = |headers: &str| {
        let body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
        let text = format!(
            "POST /no-such-bucket?delete HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n{headers}\
             connection: close\r\n\r\n{body}",
            server.authority,
            body.len()
        );
        server.raw(text.as_bytes())
    };
    let longer = request("content-encoding: aws-chunked\r\nx-amz-decoded-content-length: 9\r\n");
    assert_eq!(longer.status, 400, "{longer:?}");
    let unknown = request("content-encoding: aws-chunked\r\n");
    assert_eq!(unknown.status, 411, "{unknown:?}");
}

#[test]
fn who_sends_without_being_asked_still_reads_the_answer() {
    let server = Server::ephemeral();
    let body = "x".repeat(8 << 20);
    let request = format!(
        "PUT /no-such-bucket/key HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        server.authority,
        body.len()
    );
    for _ in 0..5 {
        let mut stream = TcpStream::connect(&server.authority).expect("a connection");
        stream.write_all(request.as_bytes()).expect("the server reads all of it");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("<Code>"), "{answer}");
    }
}

#[test]
fn services_that_are_missing_are_named() {
    let server = Server::ephemeral();
    let answer = server.json("kinesis", "Kinesis_20131202.ListStreams", "{}");
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("Fogbank does not have kinesis yet"), "{answer:?}");
    assert!(answer.head.contains("x-amzn-requestid: "), "{answer:?}");
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
