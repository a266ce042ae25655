//! What may be sent, and which attributes a receiver sees.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::digest;
use crate::error::Error;
use crate::model::{MessageAttributeValue, MessageSystemAttributeValue};
use crate::store::{Attribute, AttributeValue};

type Attributes = BTreeMap<String, MessageAttributeValue>;
type SystemAttributes = BTreeMap<String, MessageSystemAttributeValue>;

/// For how long a deduplication id makes copies of what follows, in milliseconds.
pub(crate) const DEDUPLICATION_MILLIS: u64 = 5 * 60 * 1000;

/// The names that `ReceiveMessage` knows among a message's system attributes.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

/// Refuses an empty body and characters that XML cannot carry.
pub(crate) fn check_body(body: &str) -> Result<(), Error> {
    if body.is_empty() {
        return Err(Error::MissingRequiredParameterException("MessageBody"));
    }
    if is_clean(body) { Ok(()) } else { Err(Error::InvalidMessageContents) }
}

fn is_clean(text: &str) -> bool {
    // Nearly every body is clean text, in which only control characters need a look.
    text.chars().all(|char| match char {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        char => char >= ' ',
    })
}

/// Checks and takes over the attributes of a message.
pub(crate) fn attributes(given: Option<Attributes>) -> Result<Vec<Attribute>, Error> {
    let given = given.unwrap_or_default();
    if given.len() > 10 {
        return Err(Error::parameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            given.len()
        )));
    }
    given.into_iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: String, given: MessageAttributeValue) -> Result<Attribute, Error> {
    check_attribute_name(&name)?;
    let data_type = given.data_type;
    let kind = data_type.split('.').next().unwrap_or_default();
    if data_type.len() >= 256 {
        return Err(Error::parameter(
            "Message (user) attribute types must be shorter than 256 Bytes",
        ));
    }
    let empty = |kind: &str| {
        Error::parameter(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        ))
    };
    let value = match kind {
        "String" | "Number" => {
            let text = given.string_value.filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| empty("String"))?;
            if !is_clean(&text) {
                return Err(Error::parameter(Error::InvalidMessageContents.to_string()));
            }
            if kind == "Number" && text.trim().parse::<f64>().is_err() {
                return Err(Error::parameter(format!(
                    "Can't cast the value of message (user) attribute '{name}' to a number."
                )));
            }
            AttributeValue::Text(text)
        }
        "Binary" => {
            let bytes = given.binary_value.filter(|bytes| !bytes.is_empty());
            AttributeValue::Binary(bytes.ok_or_else(|| empty("Binary"))?.to_vec())
        }
        _ => {
            return Err(Error::parameter(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the \
                 following supported type prefixes: Binary, Number, String."
            )));
        }
    };
    Ok(Attribute { name, data_type, value })
}

fn check_attribute_name(name: &str) -> Result<(), Error> {
    if name.len() > 256 || name.is_empty() {
        return Err(Error::parameter(
            "Message (user) attribute names must be shorter than 256 Bytes",
        ));
    }
    // Not documented, but observed: letters beyond ASCII are taken.
    let is_plain = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    if !name.chars().all(is_plain) {
        return Err(Error::parameter(
            "Message (user) attributes name can only contain upper and lower score characters, \
             digits, periods, hyphens and underscores. ",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.")
        || lower.starts_with("amazon.")
        || lower.starts_with('.')
        || lower.ends_with('.')
    {
        return Err(Error::parameter(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These \
             strings are reserved for internal use. Additionally, they cannot start or end with '.'.",
        ));
    }
    Ok(())
}

/// Checks and takes over the one system attribute that a sender can give: the trace header.
pub(crate) fn trace_header(given: Option<SystemAttributes>) -> Result<Option<Attribute>, Error> {
    let mut header = None;
    for (name, value) in given.unwrap_or_default() {
        let text = value.string_value.filter(|text| !text.is_empty());
        match (name.as_str(), text) {
            ("AWSTraceHeader", Some(text)) if value.data_type == "String" => {
                header = Some(Attribute {
                    name,
                    data_type: value.data_type,
                    value: AttributeValue::Text(text),
                });
            }
            ("AWSTraceHeader", _) => {
                return Err(Error::parameter(format!(
                    "Message (system) attribute '{name}' must contain a non-empty value of type 'String'."
                )));
            }
            _ => {
                return Err(Error::parameter(format!(
                    "Message system attribute name '{name}' is invalid."
                )));
            }
        }
    }
    Ok(header)
}

/// The bytes that count against the limit: the body, and names, types and values of attributes.
pub(crate) fn size(body: &str, attributes: &[Attribute]) -> usize {
    let of = |attribute: &Attribute| {
        let value = match &attribute.value {
            AttributeValue::Text(text) => text.len(),
            AttributeValue::Binary(bytes) => bytes.len(),
        };
        attribute.name.len() + attribute.data_type.len() + value
    };
    body.len() + attributes.iter().map(of).sum::<usize>()
}

/// Checks a message group's or a deduplication's id.
pub(crate) fn check_group(parameter: &str, id: Option<&str>) -> Result<(), Error> {
    let is_good =
        |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match id {
        Some(id) if !is_good(id) => Err(Error::value(
            id,
            parameter,
            &format!(
                "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            ),
        )),
        _ => Ok(()),
    }
}

/// The SHA-256 of a body, which stands in for a deduplication id.
pub(crate) fn content_id(body: &str) -> String {
    digest::hex(&Sha256::digest(body.as_bytes()))
}

/// A sequence number as clients see it: twenty digits that grow.
pub(crate) fn sequence_number(sequence: u64) -> String {
    (10_000_000_000_000_000_000 + u128::from(sequence)).to_string()
}

/// Which attributes a receiver has asked for.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    system: Vec<String>,
    user: Vec<String>,
}

impl Selection {
    /// Takes the request's lists; system attributes may stand in an old and in a new one.
    pub(crate) fn new(
        old: Option<Vec<String>>,
        new: Option<Vec<String>>,
        user: Option<Vec<String>>,
    ) -> Result<Selection, Error> {
        let mut system = old.unwrap_or_default();
        system.extend(new.unwrap_or_default());
        match system.iter().find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str())) {
            Some(unknown) => Err(Error::unknown_attribute(unknown)),
            None => Ok(Selection { system, user: user.unwrap_or_default() }),
        }
    }

    /// Whether the receiver wants this system attribute.
    pub(crate) fn system(&self, name: &str) -> bool {
        self.system.iter().any(|wanted| wanted == "All" || wanted == name)
    }

    /// Whether the receiver wants this attribute: by `All`, `.*`, its name, or `prefix.*`.
    pub(crate) fn user(&self, name: &str) -> bool {
        self.user.iter().any(|wanted| match wanted.as_str() {
            "All" | "*" | ".*" => true,
            wanted => {
                wanted == name
                    || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
            }
        })
    }
}

/// A parameter of `ReceiveMessage` and the like that must lie within a range.
pub(crate) fn within(
    parameter: &str,
    value: Option<i32>,
    range: std::ops::RangeInclusive<u32>,
    reason: &str,
) -> Result<Option<u32>, Error> {
    let Some(value) = value else { return Ok(None) };
    let number = u32::try_from(value).ok().filter(|number| range.contains(number));
    number.map(Some).ok_or_else(|| Error::value(value, parameter, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, data_type: &str, text: &str) -> Result<Vec<Attribute>, String> {
        let value = MessageAttributeValue {
            data_type: data_type.to_owned(),
            string_value: Some(text.to_owned()),
            ..MessageAttributeValue::default()
        };
        attributes(Some(Attributes::from([(name.to_owned(), value)])))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn attributes_are_checked() {
        assert!(one("attr.1øßä", "String", "Valid").is_ok());
        assert!(one("n", "Number.java.lang.Long", "12").is_ok());
        for (name, data_type, text) in [
            ("attr", "String", "bad\u{8}"),
            ("aWs.x", "String", "v"),
            ("AMAZON.x", "String", "v"),
            (".x", "String", "v"),
            ("x.", "String", "v"),
            ("a!b", "String", "v"),
            ("a", "Invalid", "v"),
            ("a", "Number", "twelve"),
            ("a", "Binary", "text in the wrong place"),
        ] {
            assert!(one(name, data_type, text).is_err(), "{name} {data_type}");
        }
        assert_eq!(
            one("ErrorDetails", "String", "").unwrap_err(),
            "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."
        );
        assert!(one(&"L".repeat(257), "String", "v").is_err());
        assert!(one("a", &format!("Number.{}", "L".repeat(256)), "1").is_err());
    }

    #[test]
    fn bodies_are_what_xml_can_carry() {
        assert!(check_body("tab\t line\n return\r ü \u{10ffff}").is_ok());
        for bad in ["\0", "\u{8}", "\u{13}", "\u{ffff}", "\u{fffe}"] {
            assert_eq!(check_body(bad).unwrap_err().name(), "InvalidMessageContents");
        }
        let error = check_body("").unwrap_err();
        assert_eq!(error.to_string(), "The request must contain the parameter MessageBody.");
    }

    #[test]
    fn selections_know_prefixes() {
        let select = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Selection::new(None, None, Some(names)).unwrap()
        };
        assert!(select(&["All"]).user("Help.Me"));
        assert!(select(&[".*"]).user("Help.Me"));
        assert!(select(&["Hel.*"]).user("Help.Me"));
        assert!(select(&["Hel.*"]).user("Hello"));
        assert!(!select(&["Help"]).user("Help.Me"));
        assert!(!select(&[]).user("Help.Me"));
        let error = Selection::new(Some(vec!["Foo".into()]), None, None).unwrap_err();
        assert_eq!(error.to_string(), "Unknown Attribute Foo.");
    }

    #[test]
    fn sizes_count_attributes() {
        let attribute = Attribute {
            name: "ab".into(),
            data_type: "String".into(),
            value: AttributeValue::Text("xyz".into()),
        };
        assert_eq!(size("ü", &[attribute]), 2 + 2 + 6 + 3);
    }
}
