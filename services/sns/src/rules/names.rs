//! Names of topics, ARNs, and the endpoints that can be subscribed.

use fogbank_core::{Arn, Request};

use crate::error::Error;
use crate::store::TopicKey;

/// What follows the account in a subscription's ARN: the topic and the subscription's id.
pub(crate) type SubscriptionKey = (TopicKey, String);

/// Refuses a topic's name that AWS would refuse.
pub(crate) fn check_topic_name(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_good = (1..=256).contains(&name.len()) && name.bytes().all(is_plain);
    if is_good { Ok(()) } else { Err(Error::invalid("Topic Name")) }
}

/// Parses the ARN of a topic in the caller's region.
pub(crate) fn topic(request: &Request, parameter: &str, text: &str) -> Result<TopicKey, Error> {
    let key = topic_anywhere(parameter, text)?;
    if key.1 == request.region { Ok(key) } else { Err(Error::invalid(parameter)) }
}

/// Parses the ARN of a topic in any region, for callers who have signed for none.
pub(crate) fn topic_anywhere(parameter: &str, text: &str) -> Result<TopicKey, Error> {
    let arn = parse(parameter, text)?;
    if arn.service != "sns" || arn.resource.contains(':') {
        return Err(Error::invalid(parameter));
    }
    Ok((arn.account.to_owned(), arn.region.to_owned(), arn.resource.to_owned()))
}

/// Parses the ARN of a subscription.
pub(crate) fn subscription(text: &str) -> Result<SubscriptionKey, Error> {
    let arn = parse("SubscriptionArn", text)?;
    let (name, id) = arn.resource.split_once(':').unwrap_or((arn.resource, ""));
    Ok(((arn.account.to_owned(), arn.region.to_owned(), name.to_owned()), id.to_owned()))
}

/// Refuses the id of a subscription that can be none.
pub(crate) fn check_subscription_id(id: &str) -> Result<(), Error> {
    if is_uuid(id) { Ok(()) } else { Err(Error::invalid("SubscriptionId")) }
}

fn parse<'a>(parameter: &str, text: &'a str) -> Result<Arn<'a>, Error> {
    if text.is_empty() && parameter == "SubscriptionArn" {
        return Err(Error::invalid(format!("{parameter} Reason: no value for required parameter")));
    }
    let count = text.split(':').count();
    if count < 6 {
        return Err(Error::invalid(format!(
            "{parameter} Reason: An ARN must have at least 6 elements, not {count}"
        )));
    }
    Arn::parse(text).ok_or_else(|| Error::invalid(parameter))
}

fn is_uuid(text: &str) -> bool {
    let is_good = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_good)
}

/// Refuses an endpoint that does not fit its protocol.
pub(crate) fn check_endpoint(protocol: &str, endpoint: &str) -> Result<(), Error> {
    let is_arn_of = |service: &str| Arn::parse(endpoint).is_some_and(|arn| arn.service == service);
    let mismatch = || Error::invalid("Endpoint must match the specified protocol");
    match protocol {
        "http" | "https" => {
            let rest = endpoint.strip_prefix(protocol).and_then(|rest| rest.strip_prefix("://"));
            let is_url =
                rest.is_some_and(|rest| !rest.is_empty()) && endpoint.parse::<http::Uri>().is_ok();
            if is_url { Ok(()) } else { Err(mismatch()) }
        }
        "email" | "email-json" if is_mail_address(endpoint) => Ok(()),
        "email" | "email-json" => Err(Error::invalid("Email address")),
        "sms" if is_phone_number(endpoint) => Ok(()),
        "sms" => Err(Error::InvalidParameterException(format!("Invalid SMS endpoint: {endpoint}"))),
        "sqs" if is_arn_of("sqs") && endpoint.ends_with(".fifo") => Err(Error::invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        )),
        "sqs" if is_arn_of("sqs") => Ok(()),
        "sqs" => Err(Error::invalid("SQS endpoint ARN")),
        "lambda" if is_arn_of("lambda") => Ok(()),
        "lambda" => Err(Error::invalid("Lambda endpoint ARN")),
        "application" | "firehose" => {
            Err(Error::not_implemented(&format!("subscriptions of the protocol {protocol}")))
        }
        _ => Err(Error::invalid(format!(
            "Amazon SNS does not support this protocol string: {protocol}"
        ))),
    }
}

fn is_mail_address(text: &str) -> bool {
    let is_clean = !text.chars().any(|char| char.is_whitespace() || char.is_control());
    let parts = text.rsplit_once('@');
    is_clean && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// Whether it is a number in the form E.164; single separators between digits are taken, as observed.
pub(crate) fn is_phone_number(text: &str) -> bool {
    let number = text.strip_prefix('+').unwrap_or(text);
    let parts: Vec<&str> = number.split(['-', '.', '/', ' ']).collect();
    let digits: String = parts.concat();
    parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(result: Result<(), Error>) -> String {
        result.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn endpoints_fit_their_protocols() {
        for (protocol, endpoint) in [
            ("http", "http://127.0.0.1:8080/hook"),
            ("https", "https://example.com"),
            ("email", "a@example.com"),
            ("sms", "+15551234567"),
            ("sms", "+12/34-567.890"),
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:jobs"),
            ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f"),
        ] {
            assert_eq!(why(check_endpoint(protocol, endpoint)), "fine", "{endpoint}");
        }
        for number in ["+15--551234567", "NAA+15551234567", "+15551234567.", "/+15551234567", "no"]
        {
            let text = why(check_endpoint("sms", number));
            assert_eq!(text, format!("Invalid SMS endpoint: {number}"));
        }
        assert_eq!(
            why(check_endpoint("sqs", "http://127.0.0.1:4566/000000000000/jobs")),
            "Invalid parameter: SQS endpoint ARN"
        );
        assert_eq!(
            why(check_endpoint("test-protocol", "x")),
            "Invalid parameter: Amazon SNS does not support this protocol string: test-protocol"
        );
        assert!(why(check_endpoint("http", "https://example.com")).contains("must match"));
    }

    #[test]
    fn subscription_arns_are_taken_apart() {
        let id = "c7fe3a54-ab0e-4ec2-88e0-db410a0f2bee";
        let text = format!("arn:aws:sns:us-east-1:000000000000:topic:{id}");
        let (topic, found) = subscription(&text).unwrap();
        assert_eq!((topic.2.as_str(), found.as_str()), ("topic", id));
        let text = |arn: &str| subscription(arn).unwrap_err().to_string();
        assert_eq!(
            text("randomstring"),
            "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"
        );
        assert_eq!(
            text(""),
            "Invalid parameter: SubscriptionArn Reason: no value for required parameter"
        );
        assert!(check_subscription_id(id).is_ok());
        let error = check_subscription_id("id").unwrap_err();
        assert_eq!(error.to_string(), "Invalid parameter: SubscriptionId");
    }
}
