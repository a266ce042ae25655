//! Events: what objects and messages cause must happen at least once, in a queue or by a function that leaves a mark.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use rand::Rng;
use serde_json::{Value, json};

use super::queues::{self, url};
use super::{Failures, Next, Step};
use crate::client::{Call, Client};

/// The bucket whose objects are events.
pub const BUCKET: &str = "events";
/// The queue of events of objects.
pub const EVENTS: &str = "events";
/// The queue that the function reads.
pub const WORK: &str = "work";
/// The table in which the function leaves its marks.
pub const MARKS: &str = "marks";
/// How long the function may take to see everything, in a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);

const HANDLER: &str = include_str!("mark.py");

/// One lane of causes.
#[derive(Clone)]
pub struct Causes {
    lane: u64,
    made: u64,
    with_function: bool,
    /// Keys whose events must come to the queue.
    queued: BTreeSet<String>,
    /// Keys and messages that the function must mark.
    marked: BTreeSet<String>,
    /// Causes that were acknowledged.
    pub acknowledged: u64,
}

impl Causes {
    /// A lane that has caused nothing.
    pub fn new(lane: u64, with_function: bool) -> Causes {
        let (queued, marked) = Default::default();
        Causes { lane, made: 0, with_function, queued, marked, acknowledged: 0 }
    }

    /// One cause, and a pause: functions are slower than requests.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        self.made += 1;
        let name = format!("{}-{}", self.lane, self.made);
        let kind = if self.with_function { step.random.random_range(0..3) } else { 0 };
        let (key, outcome) = match kind {
            0 | 1 => {
                let key = format!("{}/{name}", if kind == 0 { "queue" } else { "function" });
                let path = format!("/{BUCKET}/{key}");
                (key, step.client.s3(Method::PUT, &path, "", Bytes::from_static(b"cause")).await)
            }
            _ => {
                let key = format!("message/{name}");
                let input = json!({ "QueueUrl": url(WORK), "MessageBody": key });
                (key, step.client.sqs("SendMessage", &input).await)
            }
        };
        let next = match step.sort("a cause", outcome) {
            Ok(answer) => {
                super::items::check(&step.failures, "a cause", &answer);
                self.acknowledged += 1;
                let due = if kind == 0 { &mut self.queued } else { &mut self.marked };
                due.insert(key);
                Next::Go
            }
            Err(next) => next,
        };
        let pause = if self.with_function { 20 } else { 4 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        next
    }
}

/// Waits until everything that lanes caused in the queue was received.
pub async fn check_queue(lanes: &mut [&mut Causes], client: &Client, failures: &Failures) {
    let begun = Instant::now();
    while lanes.iter().any(|lane| !lane.queued.is_empty()) {
        let bodies = match queues::take(client, EVENTS).await {
            Ok(bodies) => bodies,
            Err(error) => return failures.add(format!("draining {EVENTS}: {error:#}")),
        };
        for body in &bodies {
            let event: Value = serde_json::from_str(body).unwrap_or_default();
            for record in event["Records"].as_array().into_iter().flatten() {
                let key = record["s3"]["object"]["key"].as_str().unwrap_or_default();
                let key = key.replace("%2F", "/");
                lanes.iter_mut().for_each(|lane| {
                    lane.queued.remove(&key);
                });
            }
        }
        if begun.elapsed() > Duration::from_secs(30) {
            let left: Vec<_> = lanes.iter().flat_map(|lane| &lane.queued).collect();
            return failures.add(format!("no event came for {left:?}"));
        }
        if bodies.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Waits until the function has left all its marks.
pub async fn check_marks(lanes: &mut [&mut Causes], client: &Client, failures: &Failures) {
    let begun = Instant::now();
    loop {
        let found = match marks(client).await {
            Ok(found) => found,
            Err(error) => return failures.add(format!("the marks cannot be read: {error:#}")),
        };
        for lane in lanes.iter_mut() {
            lane.marked.retain(|key| !found.contains(key));
        }
        let left: Vec<_> = lanes.iter().flat_map(|lane| &lane.marked).collect();
        if left.is_empty() {
            return;
        }
        if begun.elapsed() > PATIENCE {
            return failures.add(format!("the function never saw {left:?}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn marks(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut start = Value::Null;
    loop {
        let mut input = json!({ "TableName": MARKS, "ConsistentRead": true });
        if !start.is_null() {
            input["ExclusiveStartKey"] = start;
        }
        let page = client.dynamodb("Scan", &input).await.success()?.json();
        let ids = page["Items"].as_array().into_iter().flatten();
        found.extend(ids.filter_map(|item| Some(item["id"]["S"].as_str()?.to_owned())));
        start = page["LastEvaluatedKey"].clone();
        if start.is_null() {
            return Ok(found);
        }
    }
}

/// Makes the bucket, the queues and, if wanted, the function with what calls it.
pub async fn set_up(client: &Client, with_function: bool) -> anyhow::Result<()> {
    client.s3(Method::PUT, &format!("/{BUCKET}"), "", Bytes::new()).await.success()?;
    for name in [EVENTS, WORK] {
        let input = json!({ "QueueName": name, "Attributes": { "VisibilityTimeout": "10" } });
        client.sqs("CreateQueue", &input).await.success()?;
    }
    let mut rules = format!(
        "<QueueConfiguration><Id>q</Id><Queue>arn:aws:sqs:us-east-1:000000000000:{EVENTS}</Queue>\
         <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name>\
         <Value>queue/</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
    );
    allow_events(client).await?;
    if with_function {
        let function = make_function(client).await.context("making the function")?;
        rules += &format!(
            "<CloudFunctionConfiguration><Id>f</Id><CloudFunction>{function}</CloudFunction>\
             <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name>\
             <Value>function/</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration>"
        );
    }
    let rules = format!("<NotificationConfiguration>{rules}</NotificationConfiguration>");
    let path = format!("/{BUCKET}");
    client.s3(Method::PUT, &path, "notification=", Bytes::from(rules)).await.success()?;
    Ok(())
}

/// Lets S3 send to the queue of events.
async fn allow_events(client: &Client) -> anyhow::Result<()> {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "s3.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": format!("arn:aws:sqs:us-east-1:000000000000:{EVENTS}"),
    }]});
    let input = json!({
        "QueueUrl": url(EVENTS),
        "Attributes": { "Policy": policy.to_string() },
    });
    client.sqs("SetQueueAttributes", &input).await.success()?;
    Ok(())
}

async fn make_function(client: &Client) -> anyhow::Result<String> {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "lambda.amazonaws.com" },
        "Action": "sts:AssumeRole",
    }]});
    let rights = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["dynamodb:*", "sqs:*", "logs:*"], "Resource": "*",
    }]});
    let form = |fields: &[(&str, &str)]| {
        let field = |(name, value): &(&str, &str)| format!("{name}={}", escape(value));
        fields.iter().map(field).collect::<Vec<_>>().join("&")
    };
    let (trust, rights) = (trust.to_string(), rights.to_string());
    let version = ("Version", "2010-05-08");
    for fields in [
        vec![
            ("Action", "CreateRole"),
            version,
            ("RoleName", "marker"),
            ("AssumeRolePolicyDocument", &trust),
        ],
        vec![
            ("Action", "PutRolePolicy"),
            version,
            ("RoleName", "marker"),
            ("PolicyName", "rights"),
            ("PolicyDocument", &rights),
        ],
    ] {
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        call(client, "iam", "/", headers, form(&fields)).await?;
    }
    let input = json!({
        "FunctionName": "mark",
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::000000000000:role/marker",
        "Handler": "mark.handler",
        "Timeout": 10,
        "Code": { "ZipFile": STANDARD.encode(package()?) },
    });
    let made = lambda(client, "/2015-03-31/functions", &input).await?;
    let arn = made["FunctionArn"].as_str().context("a function without an ARN")?.to_owned();
    let input = json!({
        "StatementId": "s3",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": format!("arn:aws:s3:::{BUCKET}"),
    });
    lambda(client, "/2015-03-31/functions/mark/policy", &input).await?;
    let input = json!({
        "FunctionName": "mark",
        "EventSourceArn": format!("arn:aws:sqs:us-east-1:000000000000:{WORK}"),
        "BatchSize": 10,
    });
    lambda(client, "/2015-03-31/event-source-mappings", &input).await?;
    Ok(arn)
}

async fn lambda(client: &Client, path: &str, input: &Value) -> anyhow::Result<Value> {
    let headers = vec![("content-type", "application/json".to_owned())];
    let text = call(client, "lambda", path, headers, input.to_string()).await?;
    Ok(serde_json::from_str(&text)?)
}

async fn call(
    client: &Client,
    service: &str,
    path: &str,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> anyhow::Result<String> {
    let call = Call {
        service,
        method: Method::POST,
        path: path.to_owned(),
        query: String::new(),
        headers,
        body: body.into(),
    };
    let answer = client.call(call).await.success().with_context(|| format!("{service} {path}"))?;
    Ok(answer.text())
}

fn escape(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn package() -> anyhow::Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("mark.py", zip::write::SimpleFileOptions::default())?;
    archive.write_all(HANDLER.as_bytes())?;
    let bytes = archive.finish()?.into_inner();
    ensure!(!bytes.is_empty(), "an empty package");
    Ok(bytes)
}
