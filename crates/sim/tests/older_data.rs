//! Data that older versions wrote is read by this one.
//!
//! `fixtures/NAME/` holds a data directory as `data.tar.gz` and, in `answers.json`, what every reading operation
//! answered to the version that wrote it. When a format changes, the old fixtures stay, and one more is written by
//! `FOGBANK_FIXTURE=NAME cargo test -p fogbank-sim --test older_data -- --ignored`.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use fogbank_core::store::{Db, Options};
use fogbank_core::{Body, Clock, Ids, Principal, Service, Timestamp};
use fogbank_testkit::{ACCOUNT, Value, World, json};

static SERVICES: &[&Service] = &[
    &fogbank_s3::SERVICE,
    &fogbank_dynamodb::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sns::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_sts::SERVICE,
    &fogbank_lambda::SERVICE,
    &fogbank_apigatewayv2::SERVICE,
];

/// 2026-01-01T00:00:00Z, when the data were written.
const WRITTEN_SECS: i64 = 1_767_225_600;
const ROLE: &str = "arn:aws:iam::000000000000:role/worker";
/// A zip with `app.py`.
const CODE: &str = "UEsDBBQAAAAAAAAAIVy0CHBpLgAAAC4AAAAGAAAAYXBwLnB5ZGVmIGhhbmRsZXIoZXZlbnQsIGNvbnRleHQpOgogICAgcm\
                    V0dXJuIGV2ZW50ClBLAQIUAxQAAAAAAAAAIVy0CHBpLgAAAC4AAAAGAAAAAAAAAAAAAACkAQAAAABhcHAucHlQSwUGAAAA\
                    AAEAAQA0AAAAUgAAAAAA";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn open(path: &Path, secs: i64, seed: u64) -> World {
    let db = Db::open(&Options::new(path)).expect("it opens");
    World::with(SERVICES, db, Clock::frozen(Timestamp::from_secs(secs)), Ids::seeded(seed))
}

fn url(queue: &str) -> String {
    format!("http://127.0.0.1:4566/{ACCOUNT}/{queue}")
}

/// A body of this length that repeats itself after a while.
fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// The writer: everything that leaves rows.
struct Writer {
    world: World,
    /// All of them are shown at the end.
    failures: RefCell<Vec<String>>,
}

impl Writer {
    async fn call(&self, action: &str, input: Value) -> Value {
        self.send(action, input, Vec::new()).await
    }

    async fn send(&self, action: &str, input: Value, body: Vec<u8>) -> Value {
        let body = if body.is_empty() { Body::empty() } else { Body::from(body) };
        match self.world.send(Principal::root(ACCOUNT), action, input, body).await {
            Ok(reply) => reply.output,
            Err(fault) => {
                self.failures.borrow_mut().push(format!("{action}: {fault:?}"));
                Value::Null
            }
        }
    }

    async fn write_all(&self) {
        self.identities().await;
        self.objects().await;
        self.items().await;
        self.messages().await;
        self.functions().await;
        self.logs().await;
    }

    async fn identities(&self) {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        ]})
        .to_string();
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com", "AWS": ACCOUNT},
        }]});
        self.call(
            "iam:CreateUser",
            json!({"UserName": "ann", "Tags": [{"Key": "t", "Value": "v"}]}),
        )
        .await;
        self.call("iam:CreateGroup", json!({"GroupName": "staff"})).await;
        let member = json!({"GroupName": "staff", "UserName": "ann"});
        self.call("iam:AddUserToGroup", member).await;
        let policy = json!({"PolicyName": "files", "PolicyDocument": document});
        let policy = self.call("iam:CreatePolicy", policy).await;
        let attached = json!({"GroupName": "staff", "PolicyArn": policy["Policy"]["Arn"]});
        self.call("iam:AttachGroupPolicy", attached).await;
        let inline = json!({"UserName": "ann", "PolicyName": "own", "PolicyDocument": document});
        self.call("iam:PutUserPolicy", inline).await;
        self.call("iam:CreateAccessKey", json!({"UserName": "ann"})).await;
        let role = json!({"RoleName": "worker", "AssumeRolePolicyDocument": trust.to_string()});
        self.call("iam:CreateRole", role).await;
    }

    async fn objects(&self) {
        self.call("s3:CreateBucket", json!({"Bucket": "files"})).await;
        let tags = json!({"Bucket": "files", "Tagging": {"TagSet": [{"Key": "t", "Value": "v"}]}});
        self.call("s3:PutBucketTagging", tags).await;
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::files/*",
        }]});
        let policy = json!({"Bucket": "files", "Policy": policy.to_string()});
        self.call("s3:PutBucketPolicy", policy).await;
        // In a row, in a segment, in a file of its own.
        for (key, len) in [("empty", 0), ("small", 1000), ("medium", 100_000), ("large", 4_500_000)]
        {
            let input = json!({
                "Bucket": "files", "Key": key, "ContentType": "text/plain",
                "Metadata": {"name": key}, "Tagging": "a=1",
            });
            self.send("s3:PutObject", input, body(len)).await;
        }
        for (key, is_complete) in [("parts", true), ("unfinished", false)] {
            let target = json!({"Bucket": "files", "Key": key});
            let upload = self.call("s3:CreateMultipartUpload", target.clone()).await;
            let mut parts = Vec::new();
            for (number, len) in [(1, 5 << 20), (2, 10)] {
                let mut input = target.clone();
                input["UploadId"] = upload["UploadId"].clone();
                input["PartNumber"] = json!(number);
                let told = self.send("s3:UploadPart", input, body(len)).await;
                parts.push(json!({"PartNumber": number, "ETag": told["ETag"]}));
            }
            if is_complete {
                let mut input = target;
                input["UploadId"] = upload["UploadId"].clone();
                input["MultipartUpload"] = json!({"Parts": parts});
                self.call("s3:CompleteMultipartUpload", input).await;
            }
        }
    }

    async fn items(&self) {
        let key = |partition: &str| {
            json!([
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ])
        };
        self.call(
            "dynamodb:CreateTable",
            json!({
                "TableName": "items", "BillingMode": "PAY_PER_REQUEST", "KeySchema": key("pk"),
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "N"},
                    {"AttributeName": "owner", "AttributeType": "B"},
                ],
                "GlobalSecondaryIndexes": [{
                    "IndexName": "by-owner", "KeySchema": key("owner"),
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["list"]},
                }],
                "Tags": [{"Key": "t", "Value": "v"}],
            }),
        )
        .await;
        let ttl = json!({"Enabled": true, "AttributeName": "until"});
        let ttl = json!({"TableName": "items", "TimeToLiveSpecification": ttl});
        self.call("dynamodb:UpdateTimeToLive", ttl).await;
        for (number, owner) in [("-1.5", "AAE="), ("0", "AQ=="), ("12345678901234567890", "AAE=")] {
            let item = json!({
                "pk": {"S": "é"}, "sk": {"N": number}, "owner": {"B": owner},
                "list": {"L": [{"BOOL": true}, {"NULL": true}, {"M": {"k": {"SS": ["a", "b"]}}}]},
                "until": {"N": "4102444800"},
            });
            self.call("dynamodb:PutItem", json!({"TableName": "items", "Item": item})).await;
        }
        let item = json!({"pk": {"S": "t"}, "sk": {"N": "1"}});
        let put = json!({"Put": {"TableName": "items", "Item": item}});
        let input = json!({"ClientRequestToken": "token", "TransactItems": [put]});
        self.call("dynamodb:TransactWriteItems", input).await;
    }

    async fn messages(&self) {
        self.call("sqs:CreateQueue", json!({"QueueName": "dead"})).await;
        let redrive = json!({
            "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:dead"),
            "maxReceiveCount": 3,
        });
        let allow = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "sqs:*",
            "Resource": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"),
        }]});
        let attributes = json!({
            "RedrivePolicy": redrive.to_string(), "Policy": allow.to_string(),
            "MessageRetentionPeriod": "1209600",
        });
        let input = json!({"QueueName": "jobs", "Attributes": attributes, "tags": {"t": "v"}});
        self.call("sqs:CreateQueue", input).await;
        let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
        let input = json!({"QueueName": "orders.fifo", "Attributes": attributes});
        self.call("sqs:CreateQueue", input).await;
        for number in 0..3 {
            let attributes =
                json!({"n": {"DataType": "Number", "StringValue": number.to_string()}});
            let input = json!({
                "QueueUrl": url("jobs"), "MessageBody": format!("job {number}"),
                "MessageAttributes": attributes,
            });
            self.call("sqs:SendMessage", input).await;
            let input = json!({
                "QueueUrl": url("orders.fifo"), "MessageBody": format!("order {number}"),
                "MessageGroupId": format!("group-{}", number % 2),
            });
            self.call("sqs:SendMessage", input).await;
        }
        // One is on its way when the data are closed.
        let input = json!({"QueueUrl": url("jobs"), "MaxNumberOfMessages": 1});
        self.call("sqs:ReceiveMessage", input).await;
        let topic = json!({"Name": "news", "Attributes": {"DisplayName": "News"}});
        let topic = self.call("sns:CreateTopic", topic).await["TopicArn"].clone();
        let input = json!({
            "TopicArn": topic, "Protocol": "sqs",
            "Endpoint": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"),
            "Attributes": {"RawMessageDelivery": "true"},
        });
        self.call("sns:Subscribe", input).await;
        // Nothing performs effects here: this one waits in the outbox.
        self.call("sns:Publish", json!({"TopicArn": topic, "Message": "news"})).await;
    }

    async fn functions(&self) {
        let input = json!({
            "FunctionName": "echo", "Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler",
            "Code": {"ZipFile": CODE}, "Environment": {"Variables": {"TABLE": "items"}},
            "Publish": true, "Tags": {"t": "v"},
        });
        let function = self.call("lambda:CreateFunction", input).await;
        let input = json!({"FunctionName": "echo", "Name": "live", "FunctionVersion": "1"});
        self.call("lambda:CreateAlias", input).await;
        let input = json!({
            "FunctionName": "echo", "StatementId": "s", "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
        });
        self.call("lambda:AddPermission", input).await;
        let input = json!({"FunctionName": "echo", "MaximumRetryAttempts": 1});
        self.call("lambda:PutFunctionEventInvokeConfig", input).await;
        let input = json!({"LayerName": "lib", "Content": {"ZipFile": CODE}});
        self.call("lambda:PublishLayerVersion", input).await;
        let input = json!({
            "Name": "web", "ProtocolType": "HTTP", "Target": function["FunctionArn"],
            "CorsConfiguration": {"AllowOrigins": ["*"]},
        });
        self.call("apigatewayv2:CreateApi", input).await;
    }

    async fn logs(&self) {
        let group = json!({"logGroupName": "app", "tags": {"t": "v"}});
        self.call("logs:CreateLogGroup", group).await;
        let input = json!({"logGroupName": "app", "retentionInDays": 3653});
        self.call("logs:PutRetentionPolicy", input).await;
        let stream = json!({"logGroupName": "app", "logStreamName": "one"});
        self.call("logs:CreateLogStream", stream.clone()).await;
        let mut input = stream;
        input["logEvents"] = json!([
            {"timestamp": WRITTEN_SECS * 1000 - 5, "message": "first"},
            {"timestamp": WRITTEN_SECS * 1000, "message": "zweite ü"},
        ]);
        self.call("logs:PutLogEvents", input).await;
    }
}

/// What is read, in order.
fn questions() -> Vec<(&'static str, Value)> {
    let files = |key: &str| json!({"Bucket": "files", "Key": key});
    let items = json!({"TableName": "items"});
    let echo = json!({"FunctionName": "echo"});
    let all = json!({"QueueUrl": url("jobs"), "AttributeNames": ["All"]});
    let fifo = json!({"QueueUrl": url("orders.fifo"), "AttributeNames": ["All"]});
    let topic = json!({"TopicArn": format!("arn:aws:sns:us-east-1:{ACCOUNT}:news")});
    let mut questions = vec![
        ("iam:ListUsers", json!({})),
        ("iam:GetUser", json!({"UserName": "ann"})),
        ("iam:ListGroupsForUser", json!({"UserName": "ann"})),
        ("iam:ListAttachedGroupPolicies", json!({"GroupName": "staff"})),
        ("iam:GetUserPolicy", json!({"UserName": "ann", "PolicyName": "own"})),
        ("iam:ListAccessKeys", json!({"UserName": "ann"})),
        ("iam:GetRole", json!({"RoleName": "worker"})),
        ("s3:ListBuckets", json!({})),
        ("s3:GetBucketTagging", json!({"Bucket": "files"})),
        ("s3:GetBucketPolicy", json!({"Bucket": "files"})),
        ("s3:ListObjectsV2", json!({"Bucket": "files"})),
        ("s3:ListMultipartUploads", json!({"Bucket": "files"})),
        ("dynamodb:DescribeTable", items.clone()),
        ("dynamodb:DescribeTimeToLive", items.clone()),
        ("dynamodb:Scan", items),
        (
            "dynamodb:Query",
            json!({
                "TableName": "items", "IndexName": "by-owner",
                "KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": {"#o": "owner"},
                "ExpressionAttributeValues": {":o": {"B": "AAE="}},
            }),
        ),
        ("sqs:ListQueues", json!({})),
        ("sqs:GetQueueAttributes", all.clone()),
        ("sqs:ListQueueTags", json!({"QueueUrl": url("jobs")})),
        ("sqs:GetQueueAttributes", fifo),
        ("sns:GetTopicAttributes", topic.clone()),
        ("sns:ListSubscriptionsByTopic", topic),
        ("lambda:GetFunction", echo.clone()),
        ("lambda:ListVersionsByFunction", echo.clone()),
        ("lambda:GetAlias", json!({"FunctionName": "echo", "Name": "live"})),
        ("lambda:GetPolicy", echo.clone()),
        ("lambda:GetFunctionEventInvokeConfig", echo),
        ("lambda:ListLayerVersions", json!({"LayerName": "lib"})),
        ("apigatewayv2:GetApis", json!({})),
        ("logs:DescribeLogGroups", json!({})),
        ("logs:DescribeLogStreams", json!({"logGroupName": "app"})),
        (
            "logs:GetLogEvents",
            json!({"logGroupName": "app", "logStreamName": "one", "startFromHead": true}),
        ),
    ];
    for key in ["empty", "small", "medium", "large", "parts"] {
        questions.push(("s3:GetObject", files(key)));
        questions.push(("s3:GetObjectTagging", files(key)));
    }
    for queue in ["jobs", "orders.fifo"] {
        let input = json!({"QueueUrl": url(queue), "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"]});
        questions.push(("sqs:ReceiveMessage", input));
    }
    questions
}

/// What this version answers, without what differs each time.
async fn answers(world: &World) -> Vec<Value> {
    let mut answers = Vec::new();
    for (action, input) in questions() {
        let sent = world.send(Principal::root(ACCOUNT), action, input.clone(), Body::empty()).await;
        let reply = sent.unwrap_or_else(|fault| panic!("{action} {input}: {fault:?}"));
        let mut output = reply.output.clone();
        let bytes = reply.bytes(64 << 20).await.expect("a body");
        for message in output["Messages"].as_array_mut().into_iter().flatten() {
            message["ReceiptHandle"] = Value::Null;
        }
        let body = (!bytes.is_empty()).then(|| json!({"len": bytes.len(), "sum": sum(&bytes)}));
        answers.push(json!({"action": action, "input": input, "output": output, "body": body}));
    }
    answers
}

/// A sum that changes with the bytes and their order.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

/// What older versions told and this one does not, as it is no row: S3 names nobody for display any more.
const UNTOLD: [&str; 1] = ["DisplayName"];

/// Whether all of `old` is in `new`, which may say more.
fn is_within(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), _) => old
            .iter()
            .filter(|(name, _)| !UNTOLD.contains(&name.as_str()))
            .all(|(name, value)| is_within(value, &new[name])),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_within(old, new))
        }
        _ => old == new,
    }
}

fn unpack(fixture: &Path, to: &Path) {
    let packed = fs::File::open(fixture.join("data.tar.gz")).expect("the packed data");
    tar::Archive::new(GzDecoder::new(packed)).unpack(to).expect("unpacked");
}

#[tokio::test]
async fn older_data_are_read_and_written_on() {
    let mut count = 0;
    for entry in fs::read_dir(fixtures()).expect("fixtures") {
        let fixture = entry.expect("an entry").path();
        let folder = tempfile::tempdir().expect("a folder");
        unpack(&fixture, folder.path());
        let text = fs::read_to_string(fixture.join("answers.json")).expect("the answers");
        let old: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        // Past the time for which a message on its way is hidden.
        let world = open(folder.path(), WRITTEN_SECS + 60, 8);
        let new = answers(&world).await;
        for (old, new) in old.iter().zip(&new) {
            assert!(is_within(old, new), "{}\nold: {old:#}\nnew: {new:#}", fixture.display());
        }
        assert_eq!(old.len(), new.len(), "{}", fixture.display());
        write_on(&world).await;
        drop(world);
        open(folder.path(), WRITTEN_SECS + 120, 9);
        count += 1;
    }
    assert!(count > 0);
}

/// What waited goes on, and what is there can be changed.
async fn write_on(world: &World) {
    let background = world.background();
    let mut bodies = Vec::new();
    for _ in 0..200 {
        let input = json!({"QueueUrl": url("jobs"), "MaxNumberOfMessages": 10});
        let output = world.call("sqs:ReceiveMessage", input).await.expect("received");
        let messages = output["Messages"].as_array().cloned().unwrap_or_default();
        bodies.extend(messages.iter().map(|message| message["Body"].clone()));
        if bodies.contains(&json!("news")) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(bodies.contains(&json!("news")), "the effect in the outbox is lost: {bodies:?}");
    drop(background);
    for key in ["small", "medium", "large", "parts"] {
        let input = json!({"Bucket": "files", "Key": key});
        world.call("s3:DeleteObject", input).await.expect("deleted");
    }
    let item = json!({"pk": {"S": "é"}, "sk": {"N": "0"}, "owner": {"B": "Ag=="}});
    let input = json!({"TableName": "items", "Item": item});
    world.call("dynamodb:PutItem", input).await.expect("written");
}

/// Writes a fixture with this version.
#[tokio::test]
#[ignore = "writes a fixture"]
async fn write_fixture() {
    let name = std::env::var("FOGBANK_FIXTURE").expect("FOGBANK_FIXTURE names the new fixture");
    let fixture = fixtures().join(name);
    let folder = tempfile::tempdir().expect("a folder");
    let world = open(folder.path(), WRITTEN_SECS, 7);
    let writer = Writer { world, failures: RefCell::default() };
    writer.write_all().await;
    let failures = writer.failures.take();
    assert!(failures.is_empty(), "{failures:#?}");
    drop(writer);
    fs::create_dir_all(&fixture).expect("a folder");
    let packed = fs::File::create(fixture.join("data.tar.gz")).expect("a file");
    let mut archive = tar::Builder::new(GzEncoder::new(packed, Compression::best()));
    archive.append_dir_all(".", folder.path()).expect("packed");
    archive.into_inner().and_then(GzEncoder::finish).expect("packed");
    // Read by this version from a copy, since reading messages changes them.
    let copy = tempfile::tempdir().expect("a folder");
    unpack(&fixture, copy.path());
    let answers = answers(&open(copy.path(), WRITTEN_SECS + 60, 8)).await;
    let text = serde_json::to_string_pretty(&answers).expect("JSON");
    fs::write(fixture.join("answers.json"), text + "\n").expect("written");
}
