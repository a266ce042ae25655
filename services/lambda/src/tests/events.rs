//! Asynchronous invocations.

use fogbank_testkit::{Value, expect, json};

use super::{Lambda, encoded};

const FLAKY: &str = r#"
import os
def handler(event, context):
    path = event["path"]
    with open(path, "a") as file:
        file.write(context.aws_request_id + "\n")
    with open(path) as file:
        runs = len(file.readlines())
    if runs < event["works_at"]:
        raise Exception("not yet")
    return runs
"#;

/// A function that works at a certain run, and the file in which it counts.
struct Flaky {
    lambda: Lambda,
    file: tempfile::NamedTempFile,
}

impl Flaky {
    async fn new(more: Value) -> Flaky {
        let lambda = Lambda::new().await;
        lambda.call("sqs:CreateQueue", json!({"QueueName": "done"})).await.expect("a queue");
        lambda.python_with("flaky", FLAKY, more).await.expect("a function");
        Flaky { lambda, file: tempfile::NamedTempFile::new().expect("a file") }
    }

    async fn start(&self, works_at: u32) {
        let event = json!({"path": self.file.path(), "works_at": works_at});
        let input = json!({
            "FunctionName": "flaky",
            "InvocationType": "Event",
            "Payload": encoded(&event),
        });
        let answer = self.lambda.invoke(input).await.expect("accepted");
        assert_eq!(answer, json!({"StatusCode": 202}));
    }

    fn runs(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file.path()).expect("the file");
        text.lines().map(str::to_owned).collect()
    }

    async fn ran(&self, count: usize) {
        self.lambda.until(|| async { self.runs().len() >= count }).await;
        // The row is written after the run.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(self.runs().len(), count);
    }

    /// The next message of the queue `done`.
    async fn message(&self) -> Value {
        let url = "http://127.0.0.1:4566/000000000000/done";
        let input = json!({"QueueUrl": url, "MessageAttributeNames": ["All"]});
        for _ in 0..1000 {
            let output = self.lambda.call("sqs:ReceiveMessage", input.clone()).await;
            let message = output.expect("an answer")["Messages"][0].clone();
            if !message.is_null() {
                return message;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no message came");
    }

    async fn record(&self) -> Value {
        let message = self.message().await;
        let body = message["Body"].as_str().expect("a body");
        serde_json::from_str(body).expect("a record")
    }
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:done";

#[tokio::test]
async fn errors_are_tried_again_after_one_and_two_minutes() {
    let flaky = Flaky::new(json!({})).await;
    let config = json!({
        "FunctionName": "flaky",
        "DestinationConfig":
            {"OnSuccess": {"Destination": QUEUE}, "OnFailure": {"Destination": QUEUE}},
    });
    let put = flaky.lambda.call("lambda:PutFunctionEventInvokeConfig", config).await;
    put.expect("a configuration");
    flaky.start(3).await;
    flaky.ran(1).await;
    flaky.lambda.clock().advance(59_000);
    flaky.ran(1).await;
    flaky.lambda.clock().advance(1_000);
    flaky.ran(2).await;
    flaky.lambda.clock().advance(119_000);
    flaky.ran(2).await;
    flaky.lambda.clock().advance(1_000);
    flaky.ran(3).await;
    let runs = flaky.runs();
    assert!(runs.iter().all(|id| *id == runs[0]), "one request id: {runs:?}");
    let mut record = flaky.record().await;
    assert_eq!(record["requestContext"]["requestId"], runs[0]);
    record["requestContext"]["requestId"] = json!("");
    record["requestPayload"] = json!({});
    expect![[r#"
        {
          "requestContext": {
            "approximateInvokeCount": 3,
            "condition": "Success",
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:flaky:$LATEST",
            "requestId": ""
          },
          "requestPayload": {},
          "responseContext": {
            "executedVersion": "$LATEST",
            "statusCode": 200
          },
          "responsePayload": 3,
          "timestamp": "2026-01-01T00:03:00.000Z",
          "version": "1.0"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&record).expect("JSON"));
}

#[tokio::test]
async fn what_fails_for_good_goes_to_its_destination_and_dead_letters() {
    let flaky = Flaky::new(json!({"DeadLetterConfig": {"TargetArn": QUEUE}})).await;
    let config = json!({
        "FunctionName": "flaky",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    });
    let put = flaky.lambda.call("lambda:PutFunctionEventInvokeConfig", config).await;
    put.expect("a configuration");
    flaky.start(9).await;
    flaky.ran(1).await;
    let (one, two) = (flaky.message().await, flaky.message().await);
    let (record, dead) = if one["MessageAttributes"].is_null() { (one, two) } else { (two, one) };
    let record: Value =
        serde_json::from_str(record["Body"].as_str().expect("a body")).expect("a record");
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "not yet");
    let body: Value = serde_json::from_str(dead["Body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["works_at"], 9);
    assert_eq!(dead["MessageAttributes"]["ErrorMessage"]["StringValue"], "not yet");
    assert_eq!(dead["MessageAttributes"]["ErrorCode"]["StringValue"], "200");
}

#[tokio::test]
async fn events_grow_too_old() {
    let flaky = Flaky::new(json!({})).await;
    let config = json!({
        "FunctionName": "flaky",
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    });
    let put = flaky.lambda.call("lambda:PutFunctionEventInvokeConfig", config).await;
    put.expect("a configuration");
    // The first run takes no time on this clock, so that the second is due at exactly the greatest age.
    flaky.start(9).await;
    flaky.ran(1).await;
    flaky.lambda.clock().advance(60_000);
    flaky.ran(2).await;
    let record = flaky.record().await;
    assert_eq!(record["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
}

#[tokio::test]
async fn a_stopped_function_gets_its_events_later() {
    let flaky = Flaky::new(json!({})).await;
    let put = json!({"FunctionName": "flaky", "ReservedConcurrentExecutions": 0});
    flaky.lambda.call("lambda:PutFunctionConcurrency", put).await.expect("nothing");
    flaky.start(1).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    flaky.ran(0).await;
    let delete = json!({"FunctionName": "flaky"});
    flaky.lambda.call("lambda:DeleteFunctionConcurrency", delete).await.expect("free");
    flaky.lambda.clock().advance(1_000);
    flaky.ran(1).await;
}

#[tokio::test]
async fn an_event_survives_until_somebody_runs_it() {
    let mut flaky = Flaky::new(json!({})).await;
    flaky.lambda.settled("flaky").await;
    flaky.lambda.pause();
    flaky.start(1).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(flaky.runs().len(), 0);
    let _background = flaky.lambda.background();
    flaky.ran(1).await;
}

#[tokio::test]
async fn events_of_a_deleted_function_are_dropped() {
    let mut flaky = Flaky::new(json!({})).await;
    flaky.lambda.settled("flaky").await;
    flaky.lambda.pause();
    flaky.start(1).await;
    let delete = json!({"FunctionName": "flaky"});
    flaky.lambda.call("lambda:DeleteFunction", delete).await.expect("an end");
    flaky.lambda.python("flaky", FLAKY).await;
    let _background = flaky.lambda.background();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    flaky.ran(0).await;
    let left = flaky
        .lambda
        .cloud()
        .db()
        .read(|rows| crate::store::EVENTS.range(&()).count(rows))
        .expect("a count");
    assert_eq!(left, 0);
}
