//! Why a request could not be decoded, in AWS's words.

use std::fmt;

use crate::{Protocol, Style, XmlFlavour};

/// Why a request could not be decoded. The caller is always at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Members are missing or break the model's constraints.
    Validation(Vec<Violation>),
    /// A rule of the service is broken; the message is complete.
    Invalid(String),
    /// The document is malformed, or a value is of the wrong type. The text may be empty.
    Serialization(String),
    /// A header, label or query parameter is of the wrong type.
    Argument {
        /// The name on the wire.
        name: String,
        /// The text that was given.
        value: String,
        /// The model's type, such as `Integer`.
        expected: &'static str,
    },
}

/// One constraint that a member breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The value as it appears in the message.
    pub value: Shown,
    /// The member's path, such as `tags.1.member.key`.
    pub path: String,
    /// The broken constraint, such as `Member must not be null`.
    pub constraint: String,
    /// Whether the member stood in the request's document, not in its headers or URI.
    pub in_document: bool,
}

/// A value in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The member is missing.
    Null,
    /// The member is sensitive.
    Hidden,
    /// The value's text.
    Text(String),
}

/// How many violations one answer lists at most, so that a hostile request cannot make it huge.
pub(crate) const MAX_VIOLATIONS: usize = 100;

const MALFORMED_XML: &str =
    "The XML you provided was not well-formed or did not validate against our published schema";

impl Violation {
    /// Whether what is missing is the input's whole document.
    fn lacks_body(&self) -> bool {
        self.in_document && self.value == Shown::Null && !self.path.contains('.')
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Shown::Null => f.write_str("Value null")?,
            Shown::Hidden => f.write_str("Value")?,
            Shown::Text(text) => write!(f, "Value '{text}'")?,
        }
        write!(f, " at '{}' failed to satisfy constraint: {}", self.path, self.constraint)
    }
}

/// The message of violated constraints, such as `1 validation error detected: Value null at …`.
fn validation_message(violations: &[Violation]) -> String {
    use fmt::Write;
    let plural = if violations.len() == 1 { "" } else { "s" };
    let mut text = format!("{} validation error{plural} detected: ", violations.len());
    for (index, violation) in violations.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let _ = write!(text, "{separator}{violation}");
    }
    text
}

impl Rejection {
    /// The error code for the client.
    pub fn code(&self, protocol: Protocol, style: &Style) -> &'static str {
        match self {
            Rejection::Validation(violations) => validation_code(protocol, style, Some(violations)),
            Rejection::Invalid(_) => validation_code(protocol, style, None),
            Rejection::Serialization(_) => match protocol {
                Protocol::RestXml if style.xml == XmlFlavour::S3 => "MalformedXML",
                Protocol::RestXml | Protocol::AwsQuery => "MalformedInput",
                Protocol::Ec2Query => "InvalidParameterValue",
                _ => "SerializationException",
            },
            Rejection::Argument { .. } => match protocol {
                Protocol::RestXml if style.xml == XmlFlavour::S3 => "InvalidArgument",
                Protocol::RestXml | Protocol::AwsQuery => "MalformedInput",
                Protocol::Ec2Query => "InvalidParameterValue",
                _ => "SerializationException",
            },
        }
    }

    /// The message for the client.
    pub fn message(&self, protocol: Protocol, style: &Style) -> String {
        let s3 = protocol == Protocol::RestXml && style.xml == XmlFlavour::S3;
        match self {
            Rejection::Validation(violations) if s3 => s3_violation(violations),
            Rejection::Validation(violations) if protocol == Protocol::Ec2Query => {
                ec2_violation(violations)
            }
            Rejection::Validation(violations) => validation_message(violations),
            Rejection::Invalid(message) => message.clone(),
            Rejection::Serialization(_) if s3 => MALFORMED_XML.to_owned(),
            Rejection::Serialization(text) => text.clone(),
            Rejection::Argument { name, value, expected } => match protocol {
                Protocol::RestXml if s3 && *expected == "Integer" => {
                    format!("Provided {name} not an integer or within integer range")
                }
                Protocol::RestXml if s3 => format!("Invalid value for {name}"),
                Protocol::Ec2Query => format!(
                    "Value ({value}) for parameter {name} is invalid. Expected a value of type {expected}."
                ),
                Protocol::AwsQuery | Protocol::RestXml => {
                    format!("Value '{value}' at '{name}' cannot be converted to {expected}")
                }
                _ => format!("STRING_VALUE cannot be converted to {expected}"),
            },
        }
    }

    /// The elements that S3 adds to the error.
    pub fn extra(&self, style: &Style) -> Vec<(&'static str, String)> {
        match self {
            Rejection::Argument { name, value, .. } if style.xml == XmlFlavour::S3 => {
                vec![("ArgumentName", name.clone()), ("ArgumentValue", value.clone())]
            }
            _ => Vec::new(),
        }
    }
}

fn validation_code(
    protocol: Protocol,
    style: &Style,
    violations: Option<&[Violation]>,
) -> &'static str {
    if !style.validation_code.is_empty() {
        return style.validation_code;
    }
    let violations = violations.unwrap_or_default();
    match protocol {
        Protocol::RestXml if style.xml == XmlFlavour::S3 => {
            if violations.iter().any(Violation::lacks_body) {
                "MissingRequestBodyError"
            } else if violations.iter().any(|violation| violation.in_document) {
                "MalformedXML"
            } else {
                "InvalidArgument"
            }
        }
        Protocol::Ec2Query => match violations.first() {
            Some(Violation { value: Shown::Null, .. }) => "MissingParameter",
            _ => "InvalidParameterValue",
        },
        Protocol::RestXml => "InvalidInput",
        Protocol::AwsQuery => "ValidationError",
        _ => "ValidationException",
    }
}

fn s3_violation(violations: &[Violation]) -> String {
    if violations.iter().any(Violation::lacks_body) {
        "Request Body is empty".to_owned()
    } else if violations.iter().any(|violation| violation.in_document) {
        MALFORMED_XML.to_owned()
    } else {
        "Invalid Argument".to_owned()
    }
}

/// EC2 reports one parameter at a time, in its own words.
fn ec2_violation(violations: &[Violation]) -> String {
    let Some(first) = violations.first() else { return String::new() };
    let name = crate::text::upper_first(&first.path);
    match &first.value {
        Shown::Null => format!("The request must contain the parameter {name}"),
        Shown::Hidden => format!("Value for parameter {name} is invalid. {}", first.constraint),
        Shown::Text(value) => {
            format!("Value ({value}) for parameter {name} is invalid. {}", first.constraint)
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Protocol::AwsJson1_0, &Style::DEFAULT))
    }
}

impl std::error::Error for Rejection {}
