//! Queues whose messages a function gets.

use fogbank_testkit::{Value, expect, json};

use super::{ECHO, Lambda};

const JOBS: &str = "http://127.0.0.1:4566/000000000000/jobs";
const SEEN: &str = "http://127.0.0.1:4566/000000000000/seen";
const JOBS_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";

/// Writes each body into the file that it names, and fails as the body says.
const WORKER: &str = r#"
import json
def handler(event, context):
    failed = []
    for record in event["Records"]:
        job = json.loads(record["body"])
        with open(job["file"], "a") as file:
            file.write(job["name"] + " ")
        if job.get("crash"):
            raise Exception("crash")
        if job.get("fail"):
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"#;

struct Work {
    lambda: Lambda,
    file: tempfile::NamedTempFile,
    uuid: String,
}

impl Work {
    async fn new(more: Value) -> Work {
        let lambda = Lambda::new().await;
        for name in ["jobs", "seen"] {
            lambda.call("sqs:CreateQueue", json!({"QueueName": name})).await.expect("a queue");
        }
        lambda.python("worker", WORKER).await;
        let mut input = json!({"FunctionName": "worker", "EventSourceArn": JOBS_ARN});
        if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
            input.extend(more.clone());
        }
        let made = lambda.call("lambda:CreateEventSourceMapping", input).await.expect("a mapping");
        assert_eq!(made["State"], "Creating");
        let uuid = made["UUID"].as_str().expect("an id").to_owned();
        let work = Work { lambda, file: tempfile::NamedTempFile::new().expect("a file"), uuid };
        work.becomes("Enabled").await;
        work
    }

    async fn becomes(&self, state: &str) {
        let get = || self.lambda.call("lambda:GetEventSourceMapping", json!({"UUID": self.uuid}));
        self.lambda.until(|| async { get().await.expect("a mapping")["State"] == state }).await;
    }

    async fn send(&self, name: &str, more: Value) {
        let mut job = json!({"file": self.file.path(), "name": name});
        if let (Some(job), Some(more)) = (job.as_object_mut(), more.as_object()) {
            job.extend(more.clone());
        }
        let input = json!({"QueueUrl": JOBS, "MessageBody": job.to_string()});
        self.lambda.call("sqs:SendMessage", input).await.expect("sent");
    }

    fn done(&self) -> String {
        std::fs::read_to_string(self.file.path()).expect("the file")
    }

    async fn did(&self, expected: &str) {
        self.lambda.until(|| async { self.done() == expected }).await;
    }

    /// How many messages are in the queue, visible or not.
    async fn left(&self) -> i64 {
        let input = json!({"QueueUrl": JOBS, "AttributeNames": ["All"]});
        let output = self.lambda.call("sqs:GetQueueAttributes", input).await.expect("attributes");
        let count = |name: &str| -> i64 {
            output["Attributes"][name].as_str().and_then(|text| text.parse().ok()).unwrap_or(-1)
        };
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible")
    }

    async fn leaves(&self, count: i64) {
        self.lambda.until(|| async { self.left().await == count }).await;
    }
}

#[tokio::test]
async fn messages_reach_the_function_and_go() {
    let work = Work::new(json!({})).await;
    work.send("one", json!({})).await;
    work.did("one ").await;
    work.leaves(0).await;
}

#[tokio::test]
async fn a_failed_batch_comes_again() {
    let work = Work::new(json!({})).await;
    work.send("one", json!({"crash": true})).await;
    work.did("one ").await;
    work.leaves(1).await;
    work.lambda.clock().advance(31_000);
    work.did("one one ").await;
}

#[tokio::test]
async fn the_answer_may_name_what_failed() {
    let types = json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]});
    let work = Work::new(types).await;
    work.send("good", json!({})).await;
    work.leaves(0).await;
    work.send("bad", json!({"fail": true})).await;
    work.did("good bad ").await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    work.leaves(1).await;
    work.lambda.clock().advance(31_000);
    work.did("good bad bad ").await;
}

#[tokio::test]
async fn a_mapping_is_switched_off_and_on() {
    let work = Work::new(json!({})).await;
    let switch = |on: bool| {
        let input = json!({"UUID": work.uuid, "Enabled": on});
        work.lambda.call("lambda:UpdateEventSourceMapping", input)
    };
    assert_eq!(switch(false).await.expect("an update")["State"], "Disabling");
    work.becomes("Disabled").await;
    work.send("late", json!({})).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(work.done(), "");
    assert_eq!(switch(true).await.expect("an update")["State"], "Enabling");
    work.did("late ").await;
    work.becomes("Enabled").await;

    let uuid = json!({"UUID": work.uuid});
    let deleted = work.lambda.call("lambda:DeleteEventSourceMapping", uuid.clone()).await;
    assert_eq!(deleted.expect("an end")["State"], "Deleting");
    let get = || work.lambda.call("lambda:GetEventSourceMapping", uuid.clone());
    work.lambda.until(|| async { get().await.is_err() }).await;
    expect!["ResourceNotFoundException: The resource you requested does not exist."]
        .assert_eq(&get().await.expect_err("gone").to_string());
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let work = Work::new(json!({})).await;
    let lambda = &work.lambda;
    lambda.python("other", ECHO).await;
    lambda.role("mute", json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})).await;
    let role = json!({"Role": "arn:aws:iam::000000000000:role/mute"});
    lambda.python_with("mute", ECHO, role).await.expect("a function");
    lambda.python_with("slow", ECHO, json!({"Timeout": 31})).await.expect("a function");
    let mut seen = Vec::new();
    for change in [
        json!({"FunctionName": "worker"}),
        json!({"FunctionName": "nobody"}),
        json!({"EventSourceArn": null}),
        json!({"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:nobody"}),
        json!({"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}),
        json!({"BatchSize": 11}),
        json!({"BatchSize": 10_001}),
        json!({"MaximumBatchingWindowInSeconds": 301}),
        json!({"ScalingConfig": {"MaximumConcurrency": 1}}),
        json!({"StartingPosition": "LATEST"}),
        json!({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}),
        json!({"DestinationConfig": {"OnFailure": {"Destination": JOBS_ARN}}}),
        json!({"FunctionName": "mute"}),
        json!({"FunctionName": "slow"}),
    ] {
        let mut input = json!({"FunctionName": "other", "EventSourceArn": JOBS_ARN});
        if let (Some(input), Some(change)) = (input.as_object_mut(), change.as_object()) {
            input.extend(change.clone());
        }
        let refusal = lambda.call("lambda:CreateEventSourceMapping", input).await;
        let text = refusal.expect_err(&change.to_string()).to_string();
        seen.push(text.replace(&work.uuid, "UUID"));
    }
    expect![[r#"
        ResourceConflictException: An event source mapping with SQS arn (" arn:aws:sqs:us-east-1:000000000000:jobs ") and function (" worker ") already exists. Please update or delete the existing mapping with UUID UUID
        InvalidParameterValueException: Function does not exist
        InvalidParameterValueException: Unrecognized event source.
        InvalidParameterValueException: Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.
        InvalidParameterValueException: Fogbank does not support kinesis as an event source yet.
        InvalidParameterValueException: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10
        ValidationException: 1 validation error detected: Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000
        ValidationException: 1 validation error detected: Value '301' at 'maximumBatchingWindowInSeconds' failed to satisfy constraint: Member must have value less than or equal to 300
        ValidationException: 1 validation error detected: Value '1' at 'scalingConfig.maximumConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 2
        InvalidParameterValueException: StartingPosition is not valid for SQS event sources.
        InvalidParameterValueException: Fogbank does not support FilterCriteria yet.
        InvalidParameterValueException: Unsupported DestinationConfig parameter for given event source mapping type.
        InvalidParameterValueException: The provided execution role does not have permissions to call ReceiveMessage on SQS
        InvalidParameterValueException: Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"#]].assert_eq(&seen.join("\n"));
}

#[tokio::test]
async fn mappings_are_listed_and_tagged() {
    let work = Work::new(json!({"Tags": {"a": "1"}, "BatchSize": 5})).await;
    let lambda = &work.lambda;
    lambda.python("other", ECHO).await;
    let second = json!({
        "FunctionName": "other",
        "EventSourceArn": SEEN.replace("http://127.0.0.1:4566/000000000000/", "arn:aws:sqs:us-east-1:000000000000:"),
        "Enabled": false,
    });
    lambda.call("lambda:CreateEventSourceMapping", second).await.expect("a mapping");
    let count = async |input: Value| {
        let listed = lambda.call("lambda:ListEventSourceMappings", input).await.expect("a list");
        listed["EventSourceMappings"].as_array().map(Vec::len)
    };
    assert_eq!(count(json!({})).await, Some(2));
    assert_eq!(count(json!({"FunctionName": "other"})).await, Some(1));
    assert_eq!(count(json!({"EventSourceArn": JOBS_ARN})).await, Some(1));
    let page = lambda.call("lambda:ListEventSourceMappings", json!({"MaxItems": 1})).await;
    let page = page.expect("a page");
    assert_eq!(count(json!({"Marker": page["NextMarker"]})).await, Some(1));

    let mapping = lambda.call("lambda:GetEventSourceMapping", json!({"UUID": work.uuid})).await;
    let arn = mapping.expect("a mapping")["EventSourceMappingArn"].clone();
    let tag = json!({"Resource": arn, "Tags": {"b": "2"}});
    lambda.call("lambda:TagResource", tag).await.expect("tags");
    let tags = lambda.call("lambda:ListTags", json!({"Resource": arn})).await.expect("tags");
    assert_eq!(tags, json!({"Tags": {"a": "1", "b": "2"}}));
}
