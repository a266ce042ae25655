//! Where invocations go that are over: queues, topics, functions and event buses.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_core::{Arn, Cx, Effect, Principal, Retry};
use serde_json::{Value, json};

use super::record::{Condition, Record};

/// Sends a record to a destination; `None` if the ARN is of nothing that takes records.
pub(super) fn deliver(
    cx: &Cx,
    principal: &Principal,
    destination: &str,
    record: &Record<'_>,
) -> Option<Effect> {
    let arn = Arn::parse(destination)?;
    let text = record.json();
    let (target, input) = match arn.service {
        "sqs" => ("sqs:SendMessage", json!({"QueueUrl": queue_url(cx, &arn), "MessageBody": text})),
        "sns" => ("sns:Publish", json!({"TopicArn": destination, "Message": text})),
        "lambda" => {
            let payload = BASE64_STANDARD.encode(text);
            let input = json!({
                "FunctionName": destination,
                "InvocationType": "Event",
                "Payload": payload,
            });
            ("lambda:Invoke", input)
        }
        "events" => ("events:PutEvents", put_events(destination, record, &text)),
        _ => return None,
    };
    Some(effect(target, principal, &input, &arn))
}

/// Sends an event that failed to a dead-letter target, as it came and with the error beside it.
pub(super) fn bury(
    cx: &Cx,
    principal: &Principal,
    dead_letter: &str,
    record: &Record<'_>,
) -> Option<Effect> {
    let arn = Arn::parse(dead_letter)?;
    let message = record.answer.as_ref().map(|answer| error_message(answer.payload));
    let attribute = |kind: &str, value: String| json!({"DataType": kind, "StringValue": value});
    let mut attributes = json!({
        "RequestID": attribute("String", record.request_id.to_owned()),
        "ErrorCode": attribute("Number", "200".to_owned()),
    });
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        attributes["ErrorMessage"] = attribute("String", message);
    }
    let (target, input) = match arn.service {
        "sqs" => (
            "sqs:SendMessage",
            json!({
                "QueueUrl": queue_url(cx, &arn),
                "MessageBody": record.request,
                "MessageAttributes": attributes,
            }),
        ),
        "sns" => (
            "sns:Publish",
            json!({
                "TopicArn": dead_letter,
                "Message": record.request,
                "MessageAttributes": attributes,
            }),
        ),
        _ => return None,
    };
    Some(effect(target, principal, &input, &arn))
}

fn effect(target: &str, principal: &Principal, input: &Value, arn: &Arn<'_>) -> Effect {
    // What fails here fails for lack of a permission or a queue, which more patience would not give.
    Effect::call(target, principal.clone(), input)
        .located(&principal.account, arn.region)
        .in_lane(&arn.to_string())
        .retried(Retry::BRIEF)
}

fn queue_url(cx: &Cx, arn: &Arn<'_>) -> String {
    format!("http://{}/{}/{}", cx.settings().local_authority, arn.account, arn.resource)
}

fn put_events(bus: &str, record: &Record<'_>, detail: &str) -> Value {
    let outcome = if record.condition == Condition::Success { "Success" } else { "Failure" };
    json!({"Entries": [{
        "Source": "lambda",
        "DetailType": format!("Lambda Function Invocation Result - {outcome}"),
        "Detail": detail,
        "EventBusName": bus,
        "Resources": [bus, record.function_arn()],
    }]})
}

/// The message of an error document, at most a kilobyte of it.
fn error_message(document: &str) -> String {
    let parsed: Value = serde_json::from_str(document).unwrap_or_default();
    let message = parsed["errorMessage"].as_str().unwrap_or_default();
    message.chars().take(1024).collect()
}
