//! What a destination learns of an invocation.

use fogbank_core::Timestamp;
use serde_json::json;

use crate::rules::target::Target;

/// Why an invocation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Condition::Success => "Success",
            Condition::RetriesExhausted => "RetriesExhausted",
            Condition::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// The answer of the last run, if there was one.
pub(super) struct Answer<'a> {
    pub(super) executed_version: &'a str,
    pub(super) is_error: bool,
    pub(super) payload: &'a str,
}

/// An invocation that is over.
pub(super) struct Record<'a> {
    pub(super) now: Timestamp,
    pub(super) request_id: &'a str,
    pub(super) target: &'a Target,
    pub(super) condition: Condition,
    /// How often the function ran.
    pub(super) runs: u32,
    pub(super) request: &'a str,
    pub(super) answer: Option<Answer<'a>>,
}

impl Record<'_> {
    /// The ARN that stands in the record: always with a qualifier.
    pub(super) fn function_arn(&self) -> String {
        self.target.arn_with(self.target.qualifier_or_latest())
    }

    /// The record as JSON. Payloads go in as they are: they may be large.
    pub(super) fn json(&self) -> String {
        let context = json!({
            "requestId": self.request_id,
            "functionArn": self.function_arn(),
            "condition": self.condition.as_str(),
            "approximateInvokeCount": self.runs,
        });
        let now = jiff::Timestamp::from_millisecond(self.now.millis()).unwrap_or_default();
        let mut text = format!(
            r#"{{"version":"1.0","timestamp":"{}","requestContext":{context},"requestPayload":{}"#,
            now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"),
            as_json(self.request)
        );
        if let Some(answer) = &self.answer {
            let mut context =
                json!({"statusCode": 200, "executedVersion": answer.executed_version});
            if answer.is_error {
                context["functionError"] = json!("Unhandled");
            }
            let payload = as_json(answer.payload);
            text += &format!(r#","responseContext":{context},"responsePayload":{payload}"#);
        }
        text.push('}');
        text
    }
}

/// The text if it is JSON, or else a JSON string of it.
fn as_json(text: &str) -> std::borrow::Cow<'_, str> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => text.into(),
        Err(_) => json!(text).to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_awss() {
        let target = Target {
            account: "111111111111".to_owned(),
            region: "eu-west-1".to_owned(),
            name: "f".to_owned(),
            qualifier: None,
        };
        let record = Record {
            now: Timestamp::from_secs(1_767_225_600),
            request_id: "id",
            target: &target,
            condition: Condition::RetriesExhausted,
            runs: 3,
            request: r#"{"a":1}"#,
            answer: Some(Answer {
                executed_version: "$LATEST",
                is_error: true,
                payload: "no json",
            }),
        };
        let parsed: serde_json::Value = serde_json::from_str(&record.json()).expect("JSON");
        assert_eq!(
            parsed,
            json!({
                "version": "1.0",
                "timestamp": "2026-01-01T00:00:00.000Z",
                "requestContext": {
                    "requestId": "id",
                    "functionArn": "arn:aws:lambda:eu-west-1:111111111111:function:f:$LATEST",
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                },
                "requestPayload": {"a": 1},
                "responseContext":
                    {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
                "responsePayload": "no json",
            })
        );
    }
}
