//! Batches of messages: the event that a function gets, and which messages its answer means.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// The event of a batch, from messages as ReceiveMessage returns them.
pub(super) fn event(messages: &[Value], queue_arn: &str, region: &str) -> Value {
    let records: Vec<Value> =
        messages.iter().map(|message| record(message, queue_arn, region)).collect();
    json!({ "Records": records })
}

fn record(message: &Value, queue_arn: &str, region: &str) -> Value {
    let attributes = message["Attributes"].as_object().cloned().unwrap_or_default();
    let mut record = json!({
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": attributes,
        "messageAttributes": message_attributes(&message["MessageAttributes"]),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    });
    if let Some(digest) = message["MD5OfMessageAttributes"].as_str() {
        record["md5OfMessageAttributes"] = json!(digest);
    }
    record
}

fn message_attributes(given: &Value) -> Value {
    let mut attributes = Map::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let mut attribute = json!({
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value["DataType"],
        });
        for (from, to) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
            if !value[from].is_null() {
                attribute[to] = value[from].clone();
            }
        }
        attributes.insert(name.clone(), attribute);
    }
    Value::Object(attributes)
}

/// The ids of the messages that a function says it could not handle; `None` if its answer makes no sense, which fails
/// the whole batch.
pub(super) fn failures(answer: &[u8], messages: &[Value]) -> Option<HashSet<String>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let listed = match &answer {
        Value::Null => return Some(HashSet::new()),
        Value::Object(members) => members.get("batchItemFailures"),
        _ => return None,
    };
    let listed = match listed {
        None | Some(Value::Null) => return Some(HashSet::new()),
        Some(Value::Array(listed)) => listed,
        Some(_) => return None,
    };
    let known: HashSet<&str> =
        messages.iter().filter_map(|message| message["MessageId"].as_str()).collect();
    listed
        .iter()
        .map(|item| {
            let id = item["itemIdentifier"].as_str()?;
            known.contains(id).then(|| id.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> Value {
        json!({
            "MessageId": id,
            "ReceiptHandle": "r",
            "Body": "b",
            "MD5OfBody": "m",
            "Attributes": {"ApproximateReceiveCount": "1"},
            "MessageAttributes": {"Title": {"DataType": "String", "StringValue": "x"}},
            "MD5OfMessageAttributes": "a",
        })
    }

    #[test]
    fn records_read_as_awss() {
        let event = event(&[message("1")], "arn:aws:sqs:eu-west-1:111111111111:q", "eu-west-1");
        assert_eq!(
            event["Records"][0],
            json!({
                "messageId": "1",
                "receiptHandle": "r",
                "body": "b",
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {"Title": {
                    "stringValue": "x",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                }},
                "md5OfBody": "m",
                "md5OfMessageAttributes": "a",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:111111111111:q",
                "awsRegion": "eu-west-1",
            })
        );
    }

    #[test]
    fn answers_name_failures() {
        let messages = [message("1"), message("2")];
        let failed = |answer: &str| {
            let failed = failures(answer.as_bytes(), &messages);
            failed.map(|failed| {
                let mut failed: Vec<String> = failed.into_iter().collect();
                failed.sort();
                failed.join(",")
            })
        };
        for all_well in
            ["null", "{}", r#"{"batchItemFailures": []}"#, r#"{"batchItemFailures": null}"#]
        {
            assert_eq!(failed(all_well), Some(String::new()), "{all_well}");
        }
        let one = r#"{"batchItemFailures": [{"itemIdentifier": "2"}]}"#;
        assert_eq!(failed(one), Some("2".to_owned()));
        for nonsense in [
            "no json",
            "[]",
            "\"text\"",
            r#"{"batchItemFailures": 1}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": "3"}]}"#,
            r#"{"batchItemFailures": [{"item": "1"}]}"#,
        ] {
            assert_eq!(failed(nonsense), None, "{nonsense}");
        }
    }
}
