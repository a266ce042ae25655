//! What the fuzz targets share: requests as text, and a cloud to send them to; Parquet to begin with.

pub mod tables;

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use fogbank_core::wire::{Body, Protocol};
use fogbank_core::{HttpRequest, Op, Service};
use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{RequestView, Rules, sha256_hex};
use fogbank_testkit::{World, json};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::runtime::Runtime;

/// Every service that starts no processes.
pub static SERVICES: &[&Service] = &[
    &fogbank_apigatewayv2::SERVICE,
    &fogbank_cloudwatch::SERVICE,
    &fogbank_dynamodb::SERVICE,
    &fogbank_events::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_kms::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_organizations::SERVICE,
    &fogbank_s3::SERVICE,
    &fogbank_s3control::SERVICE,
    &fogbank_secretsmanager::SERVICE,
    &fogbank_sns::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_ssm::SERVICE,
    &fogbank_sts::SERVICE,
];

/// A request in the manner of HTTP/1.1: a line, headers, an empty line, a body. Lines may end in LF alone.
pub struct Message<'a> {
    /// The method.
    pub method: &'a str,
    /// The path and the query.
    pub target: &'a str,
    /// The headers that HTTP allows.
    pub headers: HeaderMap,
    /// What follows the empty line.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Takes bytes apart; none if the first line or the headers are no text.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let (head, body) = match bytes.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => (&bytes[..end], &bytes[end + 2..]),
            None => (bytes, &b""[..]),
        };
        let mut lines = std::str::from_utf8(head).ok()?.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
        }
        Some(Message { method, target, headers, body })
    }

    /// The path.
    pub fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// The query without its question mark.
    pub fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The request, signed by the account's root for the service that the header `sign` names.
    fn request(mut self, now: i64) -> Option<HttpRequest> {
        self.headers.entry("host").or_insert(HeaderValue::from_static("127.0.0.1:4566"));
        self.headers.entry("content-length").or_insert(HeaderValue::from(self.body.len()));
        let service = self.headers.remove("sign");
        let uri: http::Uri = self.target.parse().ok()?;
        let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or("").to_owned());
        if let Some(service) = service.as_ref().and_then(|service| service.to_str().ok()) {
            let rules = if service == "s3" { Rules::S3 } else { Rules::Other };
            let signer = Signer {
                access_key_id: "test",
                secret: "test",
                session_token: None,
                region: "us-east-1",
                service,
                rules,
            };
            let host = self.headers["host"].to_str().ok()?.to_owned();
            let none = HeaderMap::new();
            let view = RequestView {
                method: self.method,
                raw_path: &path,
                raw_query: &query,
                host: &host,
                headers: &none,
            };
            let mut signed = HeaderMap::new();
            let hash = match self.headers.get("x-amz-content-sha256") {
                Some(given) => given.to_str().ok()?.to_owned(),
                None => sha256_hex(self.body),
            };
            signer.sign(&view, &mut signed, &hash, now).ok()?;
            self.headers.extend(signed);
        }
        let mut request = http::Request::builder().method(self.method).uri(uri);
        *request.headers_mut()? = self.headers;
        request.body(Body::from(Bytes::copy_from_slice(self.body))).ok()
    }
}

/// A cloud of all services, in memory.
pub struct Target {
    runtime: Runtime,
    world: World,
    served: AtomicU32,
}

impl Target {
    /// A cloud with a bucket, a versioned bucket, a table, a queue, a topic, a user and a parameter.
    pub fn new() -> Target {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let world = World::new(SERVICES);
        runtime.block_on(furnish(&world));
        Target { runtime, world, served: AtomicU32::new(0) }
    }

    /// Whether so much was written that a new cloud is better.
    pub fn is_worn(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 2_000
    }

    /// Sends a request and reads its answer to the end. No input may make the server fail.
    pub fn send(&self, message: Message<'_>) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let Some(request) = message.request(self.world.clock().now().secs()) else { return };
        let status = self.runtime.block_on(async {
            let answer = self.world.http(request).await;
            let status = answer.status();
            let _ = answer.into_body().collect(1 << 24).await;
            status
        });
        // What no service implements, or an operation does not, is said with a 501; a call that takes too long, or what
        // has no room, with a 503.
        assert!(status.as_u16() != 500, "the server failed");
    }
}

impl Default for Target {
    fn default() -> Self {
        Target::new()
    }
}

async fn furnish(world: &World) {
    let key = json!([{"AttributeName": "k", "KeyType": "HASH"}]);
    let attributes = json!([{"AttributeName": "k", "AttributeType": "S"}]);
    let steps = [
        ("s3:CreateBucket", json!({"Bucket": "b"})),
        ("s3:CreateBucket", json!({"Bucket": "bucket"})),
        ("s3:CreateBucket", json!({"Bucket": "versions"})),
        (
            "s3:PutBucketVersioning",
            json!({"Bucket": "versions", "VersioningConfiguration": {"Status": "Enabled"}}),
        ),
        ("s3:PutObject", json!({"Bucket": "bucket", "Key": "k", "Metadata": {"m": "v"}})),
        ("s3:PutObject", json!({"Bucket": "versions", "Key": "k"})),
        (
            "s3:PutBucketWebsite",
            json!({"Bucket": "bucket", "WebsiteConfiguration": {
                "IndexDocument": {"Suffix": "k"}, "ErrorDocument": {"Key": "k"},
            }}),
        ),
        (
            "dynamodb:CreateTable",
            json!({"TableName": "table", "KeySchema": key, "AttributeDefinitions": attributes,
                "BillingMode": "PAY_PER_REQUEST"}),
        ),
        ("sqs:CreateQueue", json!({"QueueName": "queue"})),
        ("sns:CreateTopic", json!({"Name": "topic"})),
        ("logs:CreateLogGroup", json!({"logGroupName": "group"})),
        ("iam:CreateUser", json!({"UserName": "user"})),
        ("ssm:PutParameter", json!({"Name": "p", "Value": "v", "Type": "String"})),
        ("secretsmanager:CreateSecret", json!({"Name": "s", "SecretString": "v"})),
    ];
    for (action, input) in steps {
        // What cannot be made is missing, and the requests about it are refused.
        if let Err(fault) = world.call(action, input).await {
            eprintln!("{action}: {fault}");
        }
    }
}

/// The protocols in which bodies are read, by number.
pub const PROTOCOLS: [Protocol; 6] = [
    Protocol::AwsJson1_0,
    Protocol::AwsQuery,
    Protocol::RestXml,
    Protocol::RestJson1,
    Protocol::RpcV2Cbor,
    Protocol::Ec2Query,
];

/// The operation of a service that bytes choose: its service, itself, the protocol, and what is left of the bytes.
pub fn choose(bytes: &[u8]) -> Option<(&'static Service, &'static Op, Protocol, &[u8])> {
    let ([service, operation, protocol], rest) = bytes.split_first_chunk::<3>()?;
    let service = SERVICES[usize::from(*service) % SERVICES.len()];
    let operation = service.operations.get(usize::from(*operation) % service.operations.len())?;
    let protocol = PROTOCOLS[usize::from(*protocol) % PROTOCOLS.len()];
    Some((service, operation, protocol, rest))
}
