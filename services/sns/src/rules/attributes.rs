//! The attributes of topics and subscriptions.

use std::collections::BTreeMap;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Arn, Retry};
use serde_json::{Value, json};

use super::filter::Filter;
use crate::error::Error;
use crate::store::Settings;

/// How AWS delivers to HTTP endpoints unless a delivery policy says otherwise.
pub(crate) const EFFECTIVE_DELIVERY_POLICY: &str = "{\"http\":{\"defaultHealthyRetryPolicy\":{\
    \"minDelayTarget\":20,\"maxDelayTarget\":20,\"numRetries\":3,\"numMaxDelayRetries\":0,\
    \"numNoDelayRetries\":0,\"numMinDelayRetries\":0,\"backoffFunction\":\"linear\"},\
    \"disableSubscriptionOverrides\":false,\"defaultRequestPolicy\":{\"headerContentType\":\
    \"text/plain; charset=UTF-8\"}}}";

/// The attributes of a topic that can be set, besides those of the logs of deliveries.
const OF_TOPIC: [&str; 6] = [
    "DeliveryPolicy",
    "DisplayName",
    "KmsMasterKeyId",
    "Policy",
    "SignatureVersion",
    "TracingConfig",
];

/// The protocols that have attributes for the logs of their deliveries.
const LOGGED: [&str; 5] = ["Application", "Firehose", "HTTP", "Lambda", "SQS"];

/// Refuses an attribute of a topic that cannot be set so; `prefix` says where it was given.
pub(crate) fn check_topic(name: &str, value: &str, prefix: &str) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("{prefix}{why}")));
    match name {
        "Policy" if !value.is_empty() => match Document::parse(value, Kind::Resource) {
            Ok(_) => Ok(()),
            Err(_) => refuse("Policy Error: null"),
        },
        "DisplayName" if value.chars().count() > 100 => {
            refuse("DisplayName: must be at most 100 characters long")
        }
        "SignatureVersion" if !matches!(value, "1" | "2") => {
            refuse(&format!("SignatureVersion: Invalid value [{value}]. Must be 1 or 2."))
        }
        "TracingConfig" if !matches!(value, "Active" | "PassThrough") => refuse(&format!(
            "TracingConfig: Invalid value [{value}]. Must be Active or PassThrough."
        )),
        "DeliveryPolicy" if !value.is_empty() && !is_object(value) => {
            refuse("DeliveryPolicy: failed to parse JSON.")
        }
        name if OF_TOPIC.contains(&name) || is_of_logs(name) => Ok(()),
        _ => refuse("AttributeName"),
    }
}

fn is_of_logs(name: &str) -> bool {
    LOGGED.iter().filter_map(|protocol| name.strip_prefix(protocol)).any(|rest| {
        matches!(
            rest,
            "SuccessFeedbackRoleArn" | "SuccessFeedbackSampleRate" | "FailureFeedbackRoleArn"
        )
    })
}

/// How often and in which pauses deliveries over HTTP are tried, if the subscription's policy says it. The pauses
/// double from the shortest to the longest, whatever function the policy asks for.
pub(crate) fn http_retry(delivery_policy: Option<&str>, default: Retry) -> Retry {
    let policy = delivery_policy.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let number = |name: &str, limits: std::ops::RangeInclusive<u32>| {
        let found = policy.as_ref()?.get("healthyRetryPolicy")?.get(name)?.as_u64()?;
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        Some(found.clamp(*limits.start(), *limits.end()))
    };
    let millis = |name| number(name, 1..=3600).map(|secs| secs * 1000);
    let pause_millis = millis("minDelayTarget").unwrap_or(default.pause_millis);
    let longest = millis("maxDelayTarget").unwrap_or(default.longest_pause_millis);
    Retry {
        attempts: number("numRetries", 0..=100).map_or(default.attempts, |retries| retries + 1),
        pause_millis,
        longest_pause_millis: longest.max(pause_millis),
    }
}

fn is_object(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_)))
}

/// The policy of a topic that was given none: its owner may do everything.
pub(crate) fn default_policy(account: &str, topic_arn: &str) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes",
                "SNS:SetTopicAttributes",
                "SNS:AddPermission",
                "SNS:RemovePermission",
                "SNS:DeleteTopic",
                "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic",
                "SNS:Publish",
            ],
            "Resource": topic_arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
        }],
    })
}

impl Settings {
    /// Changes one attribute of a subscription; `prefix` says where it was given.
    pub(crate) fn set(&mut self, name: &str, value: &str, prefix: &str) -> Result<(), Error> {
        let refuse = |why: String| Error::invalid(format!("{prefix}{why}"));
        let some = || (!value.is_empty()).then(|| value.to_owned());
        match name {
            "RawMessageDelivery" => {
                self.is_raw = match value.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => {
                        return Err(refuse(format!(
                            "RawMessageDelivery: Invalid value [{value}]. Must be true or false."
                        )));
                    }
                };
            }
            "FilterPolicyScope" => {
                self.filters_body = match value {
                    "MessageBody" => true,
                    "MessageAttributes" => false,
                    _ => {
                        return Err(refuse(format!(
                            "FilterPolicyScope: Invalid value [{value}]. Please use either \
                             MessageBody or MessageAttributes"
                        )));
                    }
                };
                self.check_filter(prefix)?;
            }
            "FilterPolicy" => {
                self.filter_policy = some();
                self.check_filter(prefix)?;
            }
            "RedrivePolicy" => self.redrive = redrive(value).map_err(refuse)?,
            "DeliveryPolicy" if value.is_empty() || is_object(value) => {
                self.delivery_policy = some();
            }
            "DeliveryPolicy" => {
                return Err(refuse("DeliveryPolicy: failed to parse JSON.".to_owned()));
            }
            "SubscriptionRoleArn" => self.role_arn = some(),
            _ => return Err(refuse("AttributeName".to_owned())),
        }
        Ok(())
    }

    /// Changes all given attributes: the scope before the policy, which depends on it.
    pub(crate) fn change(
        &mut self,
        given: &BTreeMap<String, String>,
        prefix: &str,
    ) -> Result<(), Error> {
        let (scope, others): (Vec<_>, Vec<_>) =
            given.iter().partition(|(name, _)| *name == "FilterPolicyScope");
        scope.into_iter().chain(others).try_for_each(|(name, value)| self.set(name, value, prefix))
    }

    fn check_filter(&self, prefix: &str) -> Result<(), Error> {
        let Some(policy) = &self.filter_policy else { return Ok(()) };
        Filter::parse(policy, self.filters_body)
            .map(|_| ())
            .map_err(|why| Error::invalid(format!("{prefix}{why}")))
    }

    /// The attributes as `GetSubscriptionAttributes` shows them.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let scope = if self.filters_body { "MessageBody" } else { "MessageAttributes" };
        [
            ("RawMessageDelivery", Some(self.is_raw.to_string())),
            ("FilterPolicy", self.filter_policy.clone()),
            // Observed: AWS shows the scope only beside a policy.
            ("FilterPolicyScope", self.filter_policy.as_ref().map(|_| scope.to_owned())),
            ("RedrivePolicy", self.redrive.as_ref().map(|(text, _)| text.clone())),
            ("DeliveryPolicy", self.delivery_policy.clone()),
            ("SubscriptionRoleArn", self.role_arn.clone()),
        ]
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)))
    }

    /// The ARN of the queue for messages that could not be delivered.
    pub(crate) fn dead_letter_arn(&self) -> Option<&str> {
        self.redrive.as_ref().map(|(_, arn)| arn.as_str())
    }
}

fn redrive(text: &str) -> Result<Option<(String, String)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|_| "RedrivePolicy: failed to parse JSON.".to_owned())?;
    let arn = value["deadLetterTargetArn"].as_str().unwrap_or_default();
    let is_queue = Arn::parse(arn).is_some_and(|arn| arn.service == "sqs");
    if !is_queue {
        return Err("RedrivePolicy: deadLetterTargetArn is an invalid arn".to_owned());
    }
    Ok(Some((text.to_owned(), arn.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, value, "").map_err(|error| error.to_string())?;
        }
        Ok(settings)
    }

    #[test]
    fn attributes_of_subscriptions_are_refused_in_aws_words() {
        for (name, value, expected) in [
            ("FakeAttribute", "x", "AttributeName"),
            (
                "RawMessageDelivery",
                "test-ValUe",
                "RawMessageDelivery: Invalid value [test-ValUe]. Must be true or false.",
            ),
            (
                "FilterPolicyScope",
                "RandomValue",
                "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or \
                 MessageAttributes",
            ),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"fake-arn"}"#,
                "RedrivePolicy: deadLetterTargetArn is an invalid arn",
            ),
            ("FilterPolicy", "{invalid", "FilterPolicy: failed to parse JSON."),
        ] {
            let error = set(&[(name, value)]).unwrap_err();
            assert_eq!(error, format!("Invalid parameter: {expected}"));
        }
    }

    #[test]
    fn the_scope_is_shown_beside_a_policy() {
        let shown =
            |settings: &Settings| -> Vec<&str> { settings.texts().map(|(name, _)| name).collect() };
        let settings = set(&[("FilterPolicyScope", "MessageBody")]).unwrap();
        assert_eq!(shown(&settings), ["RawMessageDelivery"]);
        let nested = r#"{"a":{"b":["c"]}}"#;
        let settings =
            set(&[("FilterPolicyScope", "MessageBody"), ("FilterPolicy", nested)]).unwrap();
        assert_eq!(shown(&settings), ["RawMessageDelivery", "FilterPolicy", "FilterPolicyScope"]);
        let mut back = settings;
        assert!(back.set("FilterPolicyScope", "MessageAttributes", "").is_err());
    }

    #[test]
    fn delivery_policies_say_how_often_to_try() {
        let default = Retry { attempts: 4, pause_millis: 20_000, longest_pause_millis: 20_000 };
        let asked = |policy: &str| {
            let retry = http_retry(Some(policy), default);
            (retry.attempts, retry.pause_millis, retry.longest_pause_millis)
        };
        assert_eq!(http_retry(None, default), default);
        for silent in ["{}", r#"{"healthyRetryPolicy":null}"#, "nonsense"] {
            assert_eq!(asked(silent), (4, 20_000, 20_000));
        }
        let policy =
            r#"{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":9,"numRetries":2}}"#;
        assert_eq!(asked(policy), (3, 1000, 9000));
        let odd = r#"{"healthyRetryPolicy":{"minDelayTarget":99999999999,"maxDelayTarget":0,"numRetries":-1}}"#;
        assert_eq!(asked(odd), (4, 3_600_000, 3_600_000));
    }

    #[test]
    fn topics_know_their_attributes() {
        assert!(check_topic("DisplayName", "Faces", "").is_ok());
        assert!(check_topic("LambdaSuccessFeedbackRoleArn", "arn", "").is_ok());
        let text = |name: &str, value: &str| check_topic(name, value, "").unwrap_err().to_string();
        assert_eq!(text("FifoTopic", "false"), "Invalid parameter: AttributeName");
        assert_eq!(text("Policy", "{}"), "Invalid parameter: Policy Error: null");
        let policy = default_policy("000000000000", "arn:aws:sns:us-east-1:000000000000:t");
        assert!(check_topic("Policy", &policy.to_string(), "").is_ok());
        assert!(is_object(EFFECTIVE_DELIVERY_POLICY));
    }
}
