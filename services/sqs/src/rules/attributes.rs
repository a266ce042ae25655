//! A queue's attributes: their defaults, ranges and texts.

use std::collections::BTreeMap;

use fogbank_core::Arn;
use fogbank_core::policy::{Document, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// The largest message, in bytes; also the largest sum of a batch.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 1_048_576;
/// The longest visibility timeout, in seconds.
pub(crate) const MAX_VISIBILITY_SECS: u32 = 43_200;

/// What `SetQueueAttributes` can change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) delay_secs: u32,
    pub(crate) max_bytes: u32,
    pub(crate) retention_secs: u32,
    pub(crate) wait_secs: u32,
    pub(crate) visibility_secs: u32,
    pub(crate) policy: Option<String>,
    pub(crate) redrive: Option<Redrive>,
    pub(crate) redrive_allow: Option<String>,
    pub(crate) kms_key: Option<String>,
    /// None: the default, which AWS does not show.
    pub(crate) kms_reuse_secs: Option<u32>,
    pub(crate) managed_sse: bool,
    /// What makes it a FIFO queue.
    pub(crate) fifo: Option<Fifo>,
}

/// What a FIFO queue has beyond others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    /// Whether the body's SHA-256 stands in for a deduplication id.
    pub(crate) deduplicates_content: bool,
    /// Whether deduplication ids are apart by message group.
    pub(crate) deduplicates_by_group: bool,
    /// What AWS limits the throughput by; here nothing does.
    pub(crate) is_limited_by_group: bool,
}

/// Where messages go that are received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    pub(crate) target_arn: String,
    pub(crate) max_receives: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            delay_secs: 0,
            max_bytes: MAX_MESSAGE_BYTES,
            retention_secs: 345_600,
            wait_secs: 0,
            visibility_secs: 30,
            policy: None,
            redrive: None,
            redrive_allow: None,
            kms_key: None,
            kms_reuse_secs: None,
            managed_sse: true,
            fifo: None,
        }
    }
}

/// The attributes that can be set, besides those of FIFO queues.
const SETTABLE: [&str; 11] = [
    "DelaySeconds",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// The attributes that only `GetQueueAttributes` knows.
const COMPUTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// The attributes of FIFO queues alone.
const FIFO: [&str; 4] =
    ["ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit"];

/// Whether `GetQueueAttributes` may be asked for this name.
pub(crate) fn is_known(name: &str) -> bool {
    name == "All" || SETTABLE.contains(&name) || COMPUTED.contains(&name) || FIFO.contains(&name)
}

impl Settings {
    /// Changes the attributes named in `given`.
    pub(crate) fn change(&mut self, given: &BTreeMap<String, String>) -> Result<(), Error> {
        let has = |name: &str| given.get(name).is_some_and(|text| !text.is_empty());
        if has("KmsMasterKeyId")
            && given.get("SqsManagedSseEnabled").is_some_and(|on| on.eq_ignore_ascii_case("true"))
        {
            return Err(Error::InvalidAttributeName(
                "You can use one type of server-side encryption (SSE) at one time. \
                 You can either enable KMS SSE or SQS SSE."
                    .to_owned(),
            ));
        }
        given.iter().try_for_each(|(name, text)| self.set(name, text))
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let number = |from, to| number(name, text, from, to);
        match name {
            "DelaySeconds" => self.delay_secs = number(0, 900)?,
            "MaximumMessageSize" => self.max_bytes = number(1024, MAX_MESSAGE_BYTES)?,
            "MessageRetentionPeriod" => self.retention_secs = number(60, 1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait_secs = number(0, 20)?,
            "VisibilityTimeout" => self.visibility_secs = number(0, MAX_VISIBILITY_SECS)?,
            "Policy" => self.policy = policy(text)?,
            "RedrivePolicy" => self.redrive = redrive(text)?,
            "RedriveAllowPolicy" => self.redrive_allow = redrive_allow(text)?,
            "KmsMasterKeyId" => {
                self.kms_key = (!text.is_empty()).then(|| text.to_owned());
                self.managed_sse &= self.kms_key.is_none();
            }
            "KmsDataKeyReusePeriodSeconds" => {
                let secs = number(60, 86_400)?;
                self.kms_reuse_secs = (secs != 300).then_some(secs);
            }
            "SqsManagedSseEnabled" => {
                self.managed_sse = flag(name, text)?;
                if self.managed_sse {
                    self.kms_key = None;
                }
            }
            name if FIFO.contains(&name) => self.set_fifo(name, text)?,
            _ => return Err(Error::unknown_attribute(name)),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let Some(fifo) = &mut self.fifo else {
            return Err(match name {
                "DeduplicationScope" | "FifoThroughputLimit" => Error::InvalidAttributeName(
                    format!("You can specify the {name} only when FifoQueue is set to true."),
                ),
                _ => Error::unknown_attribute(name),
            });
        };
        let choice = |one: &str, other: &str| match text {
            text if text == one => Ok(false),
            text if text == other => Ok(true),
            _ => Err(invalid(name)),
        };
        match name {
            "ContentBasedDeduplication" => fifo.deduplicates_content = flag(name, text)?,
            "DeduplicationScope" => fifo.deduplicates_by_group = choice("queue", "messageGroup")?,
            "FifoThroughputLimit" => {
                fifo.is_limited_by_group = choice("perQueue", "perMessageGroupId")?;
            }
            _ if flag(name, text)? => {}
            _ => {
                return Err(Error::InvalidAttributeValue(format!(
                    "Invalid value for the parameter {name}. Reason: Modifying queue type is not supported."
                )));
            }
        }
        Ok(())
    }

    /// An attribute's text as `GetQueueAttributes` shows it; `None` if it is not set.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(match name {
            "DelaySeconds" => self.delay_secs.to_string(),
            "MaximumMessageSize" => self.max_bytes.to_string(),
            "MessageRetentionPeriod" => self.retention_secs.to_string(),
            "ReceiveMessageWaitTimeSeconds" => self.wait_secs.to_string(),
            "VisibilityTimeout" => self.visibility_secs.to_string(),
            "Policy" => self.policy.clone()?,
            "RedrivePolicy" => self.redrive.as_ref()?.text(),
            "RedriveAllowPolicy" => self.redrive_allow.clone()?,
            "KmsMasterKeyId" => self.kms_key.clone()?,
            "KmsDataKeyReusePeriodSeconds" => self.kms_reuse_secs?.to_string(),
            "SqsManagedSseEnabled" => self.managed_sse.to_string(),
            "FifoQueue" => self.fifo.map(|_| true)?.to_string(),
            "ContentBasedDeduplication" => self.fifo?.deduplicates_content.to_string(),
            "DeduplicationScope" => match self.fifo?.deduplicates_by_group {
                true => "messageGroup".to_owned(),
                false => "queue".to_owned(),
            },
            "FifoThroughputLimit" => match self.fifo?.is_limited_by_group {
                true => "perMessageGroupId".to_owned(),
                false => "perQueue".to_owned(),
            },
            _ => return None,
        })
    }

    /// All attributes that are set.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        SETTABLE.iter().chain(&FIFO).filter_map(|name| Some((*name, self.text(name)?)))
    }

    /// The first of the given attributes that is not as it would be after `given`.
    pub(crate) fn difference(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<Option<String>, Error> {
        let mut wanted = self.clone();
        wanted.change(given)?;
        let differs = |name: &&String| match name.as_str() {
            "Policy" => !same_json(self.policy.as_deref(), wanted.policy.as_deref()),
            name => self.text(name) != wanted.text(name),
        };
        Ok(given.keys().find(differs).cloned())
    }

    /// Whether the queue with this ARN may name this queue as its dead-letter queue.
    pub(crate) fn allows_source(&self, source_arn: &str) -> bool {
        let Some(text) = &self.redrive_allow else { return true };
        let Ok(value) = serde_json::from_str::<Value>(text) else { return true };
        match value["redrivePermission"].as_str() {
            Some("denyAll") => false,
            Some("byQueue") => value["sourceQueueArns"]
                .as_array()
                .is_some_and(|arns| arns.iter().any(|arn| arn == source_arn)),
            _ => true,
        }
    }
}

impl Redrive {
    fn text(&self) -> String {
        let Redrive { target_arn, max_receives } = self;
        let arn = Value::from(target_arn.as_str());
        format!("{{\"deadLetterTargetArn\":{arn},\"maxReceiveCount\":{max_receives}}}")
    }
}

fn invalid(name: &str) -> Error {
    Error::InvalidAttributeValue(format!("Invalid value for the parameter {name}."))
}

fn number(name: &str, text: &str, from: u32, to: u32) -> Result<u32, Error> {
    let value = text.parse().ok().filter(|value| (from..=to).contains(value));
    value.ok_or_else(|| invalid(name))
}

fn flag(name: &str, text: &str) -> Result<bool, Error> {
    match text {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(invalid(name)),
    }
}

fn policy(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    Document::parse(text, Kind::Resource).map_err(|_| invalid("Policy"))?;
    Ok(Some(text.to_owned()))
}

fn redrive(text: &str) -> Result<Option<Redrive>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let refuse = |reason: &str| Error::value(text, "RedrivePolicy", reason);
    let Ok(Value::Object(map)) = serde_json::from_str(text) else {
        return Err(refuse("Redrive policy is not a valid JSON map."));
    };
    let mandatory = |name: &str| {
        map.get(name).ok_or_else(|| {
            refuse(&format!("Redrive policy does not contain mandatory attribute: {name}."))
        })
    };
    let target = mandatory("deadLetterTargetArn")?;
    let target_arn = target.as_str().filter(|arn| is_queue_arn(arn));
    let target_arn =
        target_arn.ok_or_else(|| refuse("Invalid value for deadLetterTargetArn."))?.to_owned();
    let count = mandatory("maxReceiveCount")?;
    // Tools write the number as text as well.
    let number = count.as_u64().or_else(|| count.as_str().and_then(|text| text.parse().ok()));
    let max_receives = number.filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
        let shown = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
        refuse(&format!(
            "Invalid value for maxReceiveCount: {shown}, valid values are from 1 to 1000 both inclusive."
        ))
    })?;
    Ok(Some(Redrive { target_arn, max_receives: max_receives as u32 }))
}

fn is_queue_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "sqs" && !arn.resource.contains(':'))
}

fn redrive_allow(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let sources = value["sourceQueueArns"].as_array();
    let is_good = match value["redrivePermission"].as_str() {
        Some("allowAll" | "denyAll") => sources.is_none(),
        Some("byQueue") => sources.is_some_and(|arns| {
            (1..=10).contains(&arns.len())
                && arns.iter().all(|arn| arn.as_str().is_some_and(is_queue_arn))
        }),
        _ => false,
    };
    if is_good {
        return Ok(Some(text.to_owned()));
    }
    Err(Error::value(
        text,
        "RedriveAllowPolicy",
        "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.",
    ))
}

fn same_json(left: Option<&str>, right: Option<&str>) -> bool {
    let parse = |text: Option<&str>| -> Option<Value> { serde_json::from_str(text?).ok() };
    parse(left) == parse(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn changed(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        settings.change(&given(pairs)).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn numbers_have_ranges() {
        for (name, low, high) in [
            ("DelaySeconds", 0, 900),
            ("MaximumMessageSize", 1024, 1_048_576),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("VisibilityTimeout", 0, 43_200),
        ] {
            for good in [low, high] {
                let settings = changed(&[(name, &good.to_string())]).unwrap();
                assert_eq!(settings.text(name), Some(good.to_string()));
            }
            for bad in [(low - 1).to_string(), (high + 1).to_string(), String::new(), "x".into()] {
                let error = changed(&[(name, &bad)]).unwrap_err();
                assert_eq!(error, format!("Invalid value for the parameter {name}."));
            }
        }
    }

    #[test]
    fn a_redrive_policy_is_checked_and_written_as_aws_does() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        let text = format!(r#"{{"maxReceiveCount":"3","deadLetterTargetArn":"{arn}"}}"#);
        let settings = changed(&[("RedrivePolicy", &text)]).unwrap();
        let shown = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#);
        assert_eq!(settings.text("RedrivePolicy"), Some(shown));
        let reason = |text: &str| {
            let error = changed(&[("RedrivePolicy", text)]).unwrap_err();
            error.split("Reason: ").nth(1).unwrap().to_owned()
        };
        assert_eq!(reason("["), "Redrive policy is not a valid JSON map.");
        assert_eq!(
            reason(r#"{"deadLetterTargetArn":"dummy","maxReceiveCount":42}"#),
            "Invalid value for deadLetterTargetArn."
        );
        assert_eq!(
            reason(&format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#)),
            "Redrive policy does not contain mandatory attribute: maxReceiveCount."
        );
        assert_eq!(
            reason(&format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":0}}"#)),
            "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."
        );
    }

    #[test]
    fn an_allow_policy_names_sources() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:jobs";
        let text = format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{arn}"]}}"#);
        let settings = changed(&[("RedriveAllowPolicy", &text)]).unwrap();
        assert!(settings.allows_source(arn));
        assert!(!settings.allows_source("arn:aws:sqs:us-east-1:000000000000:other"));
        assert!(changed(&[("RedriveAllowPolicy", r#"{"redrivePermission":"byQueue"}"#)]).is_err());
    }

    #[test]
    fn encryption_is_of_one_kind() {
        let kms = changed(&[("KmsMasterKeyId", "key"), ("KmsDataKeyReusePeriodSeconds", "6000")]);
        let kms = kms.unwrap();
        assert_eq!(kms.text("SqsManagedSseEnabled").as_deref(), Some("false"));
        assert!(changed(&[("KmsMasterKeyId", "key"), ("SqsManagedSseEnabled", "true")]).is_err());
    }

    #[test]
    fn attributes_of_other_queues_are_refused() {
        let error = changed(&[("FifoThroughputLimit", "perQueue")]).unwrap_err();
        assert_eq!(
            error,
            "You can specify the FifoThroughputLimit only when FifoQueue is set to true."
        );
        assert_eq!(changed(&[("FifoQueue", "true")]).unwrap_err(), "Unknown Attribute FifoQueue.");
        assert_eq!(changed(&[("QueueArn", "x")]).unwrap_err(), "Unknown Attribute QueueArn.");
        let mut fifo = Settings { fifo: Some(Fifo::default()), ..Settings::default() };
        fifo.change(&given(&[("FifoQueue", "True"), ("DeduplicationScope", "messageGroup")]))
            .unwrap();
        assert_eq!(fifo.text("DeduplicationScope").as_deref(), Some("messageGroup"));
        let error = fifo.change(&given(&[("FifoQueue", "false")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        );
    }

    #[test]
    fn a_difference_is_found_by_value() {
        let settings = changed(&[("DelaySeconds", "1"), ("VisibilityTimeout", "5")]).unwrap();
        let difference = |pairs: &[(&str, &str)]| settings.difference(&given(pairs)).unwrap();
        assert_eq!(difference(&[("DelaySeconds", "1")]), None);
        assert_eq!(difference(&[]), None);
        assert_eq!(
            difference(&[("DelaySeconds", "2"), ("VisibilityTimeout", "5")]).as_deref(),
            Some("DelaySeconds")
        );
    }
}
