//! What may be published.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::model::MessageAttributeValue;

/// The largest message with its attributes, and the largest sum of a batch, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 262_144;

/// A message attribute. A binary value is kept in base64, as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) data_type: String,
    pub(crate) value: String,
}

impl Attribute {
    /// Whether the value is bytes in base64.
    pub(crate) fn is_binary(&self) -> bool {
        self.data_type.starts_with("Binary")
    }
}

/// Checks and takes over the attributes of a message.
pub(crate) fn attributes(
    given: Option<BTreeMap<String, MessageAttributeValue>>,
) -> Result<Vec<Attribute>, Error> {
    given.unwrap_or_default().into_iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: String, given: MessageAttributeValue) -> Result<Attribute, Error> {
    check_attribute_name(&name)?;
    let data_type = given.data_type;
    let (kind, custom) = data_type.split_once('.').unwrap_or((&data_type, "custom"));
    if !matches!(kind, "String" | "Number" | "Binary") || custom.is_empty() {
        return Err(value_error(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        )));
    }
    let text = given.string_value.filter(|text| !text.is_empty());
    let bytes = given.binary_value.filter(|bytes| !bytes.is_empty());
    let (field, value, other) = match kind {
        "Binary" => ("Binary", bytes.map(|bytes| base64(&bytes)), text.is_some()),
        _ => ("String", text, bytes.is_some()),
    };
    match value {
        Some(value) => Ok(Attribute { name, data_type, value }),
        None if other => Err(value_error(format!(
            "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
        ))),
        None => Err(value_error(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for \
             message attribute type '{data_type}'."
        ))),
    }
}

fn value_error(text: impl Into<String>) -> Error {
    Error::InvalidParameterValueException(text.into())
}

fn check_attribute_name(name: &str) -> Result<(), Error> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    if name.is_empty() || name.len() > 256 {
        return Err(value_error("Length of message attribute name must be less than 256 bytes."));
    }
    if let Some(char) = name.chars().find(|char| !is_plain(*char)) {
        return Err(value_error(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. \
             Can only include alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(char)
        )));
    }
    for (is_wrong, place) in [(name.starts_with('.'), "starting"), (name.ends_with('.'), "ending")]
    {
        if is_wrong {
            return Err(value_error(format!(
                "Invalid message attribute name {place} with character '.' was found."
            )));
        }
    }
    if name.contains("..") {
        return Err(value_error("Message attribute name can not have successive '.' character."));
    }
    Ok(())
}

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Refuses a subject that e-mail could not carry.
pub(crate) fn check_subject(subject: Option<&str>) -> Result<(), Error> {
    let Some(subject) = subject else { return Ok(()) };
    let is_good = !subject.is_empty()
        && subject.chars().count() <= 100
        && !subject.starts_with(char::is_whitespace)
        && !subject.chars().any(char::is_control);
    if is_good { Ok(()) } else { Err(Error::invalid("Subject")) }
}

/// What each protocol is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    default: String,
    by_protocol: BTreeMap<String, String>,
}

impl Texts {
    /// Reads the message, which is text for all or, with the structure `json`, one for each protocol.
    pub(crate) fn new(message: String, structure: Option<&str>) -> Result<Texts, Error> {
        if message.is_empty() {
            return Err(Error::invalid("Empty message"));
        }
        match structure {
            None | Some("") => Ok(Texts { default: message, by_protocol: BTreeMap::new() }),
            Some("json") => Texts::of_json(&message),
            // Guessed: AWS's words for this are not known.
            Some(_) => Err(Error::invalid("MessageStructure")),
        }
    }

    fn of_json(message: &str) -> Result<Texts, Error> {
        let Ok(Value::Object(map)) = serde_json::from_str(message) else {
            return Err(Error::invalid("Message Structure - JSON message body failed to parse"));
        };
        let mut by_protocol: BTreeMap<String, String> = map
            .into_iter()
            .filter_map(|(protocol, text)| Some((protocol, text.as_str()?.to_owned())))
            .collect();
        let default = by_protocol.remove("default").ok_or_else(|| {
            Error::invalid("Message Structure - No default entry in JSON message body")
        })?;
        Ok(Texts { default, by_protocol })
    }

    /// The text for a protocol.
    pub(crate) fn of(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).unwrap_or(&self.default)
    }

    /// The bytes of all texts together.
    pub(crate) fn len(&self) -> usize {
        self.default.len() + self.by_protocol.values().map(String::len).sum::<usize>()
    }
}

/// The bytes that count against the limit.
pub(crate) fn size(message: &str, attributes: &[Attribute]) -> usize {
    let of = |attribute: &Attribute| {
        let value = match attribute.is_binary() {
            true => attribute.value.len() / 4 * 3,
            false => attribute.value.len(),
        };
        attribute.name.len() + attribute.data_type.len() + value
    };
    message.len() + attributes.iter().map(of).sum::<usize>()
}

/// Checks a message group's id, which standard topics pass on to queues.
pub(crate) fn check_group(id: Option<&str>) -> Result<(), Error> {
    let is_good =
        |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match id {
        Some(id) if !is_good(id) => Err(Error::invalid(format!(
            "MessageGroupId Reason: MessageGroupId can only include alphanumeric and punctuation \
             characters. 1 to 128 in length. Received {id}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: MessageAttributeValue) -> String {
        let given = BTreeMap::from([(name.to_owned(), value)]);
        attributes(Some(given)).map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    fn text(data_type: &str, text: &str) -> MessageAttributeValue {
        MessageAttributeValue {
            data_type: data_type.to_owned(),
            string_value: Some(text.to_owned()),
            ..MessageAttributeValue::default()
        }
    }

    fn binary(data_type: &str) -> MessageAttributeValue {
        MessageAttributeValue {
            data_type: data_type.to_owned(),
            binary_value: Some(bytes::Bytes::from_static(b"123")),
            ..MessageAttributeValue::default()
        }
    }

    #[test]
    fn attributes_are_refused_in_aws_words() {
        assert_eq!(one("attr1", text("String", "x")), "fine");
        assert_eq!(one("attr1", text("Number.java", "1")), "fine");
        assert_eq!(one("attr1", binary("Binary")), "fine");
        assert_eq!(
            one("attr1", text("String", "")),
            "The message attribute 'attr1' must contain non-empty message attribute value for \
             message attribute type 'String'."
        );
        assert_eq!(
            one("attr1", binary("Number")),
            "The message attribute 'attr1' with type 'Number' must use field 'String'."
        );
        assert_eq!(
            one("attr1", text("Binary", "123")),
            "The message attribute 'attr1' with type 'Binary' must use field 'Binary'."
        );
        for wrong in ["InvalidType", "String.", "Strings"] {
            assert!(one("attr1", text(wrong, "x")).contains("invalid message attribute type"));
        }
        assert!(one("attr^", text("String", "x")).contains("'#x5E' was found"));
        assert!(one(".a", text("String", "x")).contains("starting with character '.'"));
        assert!(one("a.", text("String", "x")).contains("ending with character '.'"));
        assert!(one("a..b", text("String", "x")).contains("successive '.'"));
        assert!(one(&"a".repeat(257), text("String", "x")).contains("less than 256 bytes"));
    }

    #[test]
    fn a_json_message_tells_each_protocol_its_own() {
        let texts = Texts::new(r#"{"default":"d","sqs":"q","n":1}"#.into(), Some("json")).unwrap();
        assert_eq!((texts.of("sqs"), texts.of("email"), texts.of("n")), ("q", "d", "d"));
        let text =
            |message: &str| Texts::new(message.into(), Some("json")).unwrap_err().to_string();
        assert_eq!(
            text(r#"{"sqs":"q"}"#),
            "Invalid parameter: Message Structure - No default entry in JSON message body"
        );
        assert_eq!(
            text("{"),
            "Invalid parameter: Message Structure - JSON message body failed to parse"
        );
        assert!(text(r#"{"default":{"a":1}}"#).ends_with("No default entry in JSON message body"));
    }

    #[test]
    fn subjects_fit_on_a_line() {
        assert!(check_subject(Some("1 face found")).is_ok());
        for bad in ["", " x", "a\nb", &"x".repeat(101)] {
            assert_eq!(
                check_subject(Some(bad)).unwrap_err().to_string(),
                "Invalid parameter: Subject"
            );
        }
    }
}
