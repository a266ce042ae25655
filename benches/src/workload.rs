//! The workloads: the hot paths, each as a set of signed requests.

use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{RequestView, Rules};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::replay::{Bytes, Connection};

const TABLE: &str = "fogbank-bench";
const BUCKET: &str = "fogbank-bench";
const QUEUE: &str = "fogbank-bench";
/// How many different requests a writing workload cycles through.
const SPREAD: usize = 512;

/// A hot path.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    make: fn(&str) -> Vec<Bytes>,
}

impl Workload {
    pub(crate) fn all() -> &'static [Workload] {
        &[
            Workload { name: "list-buckets", make: |host| vec![s3(host, "GET", "/", &[])] },
            Workload { name: "get-item", make: |host| spread(|n| get_item(host, n)) },
            Workload { name: "put-item", make: |host| spread(|n| put_item(host, n)) },
            Workload {
                name: "get-object-1k",
                make: |host| vec![s3(host, "GET", &object("1k"), &[])],
            },
            Workload {
                name: "put-object-1k",
                make: |host| spread(|n| s3(host, "PUT", &object(&format!("p{n}")), &[7; 1024])),
            },
            Workload { name: "send-message", make: |host| spread(|n| send_message(host, n)) },
            Workload {
                name: "get-object-64k",
                make: |host| vec![s3(host, "GET", &object("64k"), &[])],
            },
            Workload {
                name: "get-object-1m",
                make: |host| vec![s3(host, "GET", &object("1m"), &[])],
            },
            Workload {
                name: "put-object-1m",
                make: |host| {
                    let body = vec![7; 1 << 20];
                    (0..4).map(|n| s3(host, "PUT", &object(&format!("m{n}")), &body)).collect()
                },
            },
        ]
    }

    /// The requests, signed now.
    pub(crate) fn requests(&self, authority: &str) -> Vec<Bytes> {
        (self.make)(authority)
    }
}

/// Waits for the first signed answer and says how long it took.
pub(crate) async fn wait_until_ready(authority: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if let Ok(mut connection) = Connection::open(authority).await
            && connection.exchange(&s3(authority, "GET", "/", &[])).await.is_ok()
        {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("no answer from {authority} within 30 seconds")
}

/// Makes what a workload needs, unless it is there from an earlier run.
pub(crate) async fn set_up(authority: &str, workload: &Workload) -> anyhow::Result<()> {
    match workload.name {
        "list-buckets" => Ok(()),
        "get-item" | "put-item" => set_up_table(authority).await,
        "send-message" => {
            let create = format!(r#"{{"QueueName":"{QUEUE}"}}"#);
            expect_success(authority, &sqs(authority, "CreateQueue", create)).await
        }
        _ => {
            for step in [
                s3(authority, "PUT", &format!("/{BUCKET}"), &[]),
                s3(authority, "PUT", &object("1k"), &[7; 1024]),
                s3(authority, "PUT", &object("64k"), &[7; 64 << 10]),
                s3(authority, "PUT", &object("1m"), &vec![7; 1 << 20]),
            ] {
                expect_success(authority, &step).await?;
            }
            Ok(())
        }
    }
}

async fn set_up_table(authority: &str) -> anyhow::Result<()> {
    let create = format!(
        r#"{{"TableName":"{TABLE}","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}],
        "KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}]}}"#
    );
    // It may be there, and a new one needs a moment to become active.
    let mut connection = Connection::open(authority).await?;
    connection.exchange(&dynamodb(authority, "CreateTable", create)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for item in spread(|n| put_item(authority, n)) {
        expect_success(authority, &item).await?;
    }
    Ok(())
}

async fn expect_success(authority: &str, request: &[u8]) -> anyhow::Result<()> {
    let status = Connection::open(authority).await?.exchange(request).await?;
    if !matches!(status, 200..=299 | 409) {
        let head = String::from_utf8_lossy(&request[..request.len().min(120)]).into_owned();
        bail!("setting up failed with status {status}: {head}");
    }
    Ok(())
}

fn spread(make: impl Fn(usize) -> Bytes) -> Vec<Bytes> {
    (0..SPREAD).map(make).collect()
}

fn object(key: &str) -> String {
    format!("/{BUCKET}/{key}")
}

fn get_item(host: &str, n: usize) -> Bytes {
    let body = format!(r#"{{"TableName":"{TABLE}","Key":{{"pk":{{"S":"item-{n}"}}}}}}"#);
    dynamodb(host, "GetItem", body)
}

fn put_item(host: &str, n: usize) -> Bytes {
    let payload = "x".repeat(200);
    let body = format!(
        r#"{{"TableName":"{TABLE}","Item":{{"pk":{{"S":"item-{n}"}},"count":{{"N":"{n}"}},"data":{{"S":"{payload}"}}}}}}"#
    );
    dynamodb(host, "PutItem", body)
}

fn send_message(host: &str, n: usize) -> Bytes {
    let url = format!("http://{host}/000000000000/{QUEUE}");
    let body = format!(r#"{{"QueueUrl":"{url}","MessageBody":"message {n} {}"}}"#, "x".repeat(200));
    sqs(host, "SendMessage", body)
}

/// A request of DynamoDB, signed.
pub(crate) fn dynamodb(host: &str, operation: &str, body: String) -> Bytes {
    json(host, "dynamodb", "DynamoDB_20120810", operation, body)
}

/// A request of SQS, signed.
pub(crate) fn sqs(host: &str, operation: &str, body: String) -> Bytes {
    json(host, "sqs", "AmazonSQS", operation, body)
}

fn json(host: &str, service: &str, prefix: &str, operation: &str, body: String) -> Bytes {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    let target = format!("{prefix}.{operation}");
    if let Ok(target) = HeaderValue::from_str(&target) {
        headers.insert("x-amz-target", target);
    }
    request(host, service, Rules::Other, ("POST", "/"), headers, body.as_bytes())
}

fn s3(host: &str, method: &str, path: &str, body: &[u8]) -> Bytes {
    request(host, "s3", Rules::S3, (method, path), HeaderMap::new(), body)
}

/// A request of S3 with a query and headers, signed.
pub(crate) fn s3_with(
    host: &str,
    (method, path): (&str, &str),
    headers: &[(&'static str, String)],
    body: &[u8],
) -> Bytes {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            map.insert(*name, value);
        }
    }
    request(host, "s3", Rules::S3, (method, path), map, body)
}

/// A call of Fogbank's own, signed.
pub(crate) fn own(host: &str, path: &str, body: &str) -> Bytes {
    request(host, "fogbank", Rules::Other, ("POST", path), HeaderMap::new(), body.as_bytes())
}

/// The access key and its secret.
static PAIR: OnceLock<(String, String)> = OnceLock::new();

/// Has all requests signed with this pair; the first call counts.
pub(crate) fn sign_as(access_key_id: &str, secret: &str) {
    PAIR.get_or_init(|| (access_key_id.to_owned(), secret.to_owned()));
}

/// Signs a request and writes it out.
fn request(
    host: &str,
    service: &str,
    rules: Rules,
    (method, path): (&str, &str),
    mut headers: HeaderMap,
    body: &[u8],
) -> Bytes {
    let (access_key_id, secret) = PAIR.get().map_or(("test", "test"), |(id, secret)| (id, secret));
    let signer =
        Signer { access_key_id, secret, session_token: None, region: "us-east-1", service, rules };
    let empty = HeaderMap::new();
    let (raw_path, raw_query) = path.split_once('?').unwrap_or((path, ""));
    let view = RequestView { method, raw_path, raw_query, host, headers: &empty };
    let hash = hex::encode(Sha256::digest(body));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let signed = signer.sign(&view, &mut headers, &hash, now as i64);
    // The pair is ASCII, so that it always stands in a header.
    signed.map(drop).context("signing").unwrap_or_default();
    write(method, path, host, &headers, body)
}

fn write(method: &str, path: &str, host: &str, headers: &HeaderMap, body: &[u8]) -> Bytes {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
    let mut line = |name: &HeaderName, value: &[u8]| {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
        line(name, value.as_bytes());
    }
    text.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    text.extend_from_slice(body);
    Rc::from(text)
}
