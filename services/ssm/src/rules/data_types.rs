//! Data types of values, which Parameter Store checks before it keeps them.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::Error;

/// Refuses an unknown data type, or a value that is not of its type.
///
/// Whether an image of `aws:ec2:image` exists cannot be told, for there is no EC2: its form alone is checked. AWS's words
/// for values of a wrong type are not known.
pub(crate) fn check(data_type: &str, value: &str) -> Result<(), Error> {
    let fits = match data_type {
        "text" | "aws:ssm:integration" => true,
        "aws:ec2:image" => is_image(value),
        "aws:region" => is_region(value),
        "aws:account:id" => value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()),
        "boolean" => value == "true" || value == "false",
        "integer" => value.parse::<i64>().is_ok(),
        "float" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "binary" => BASE64_STANDARD.decode(value).is_ok(),
        "hostname" => is_hostname(value),
        "email" => {
            value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && is_hostname(host))
        }
        "ipv4-address" => value.parse::<Ipv4Addr>().is_ok(),
        "ipv6-address" => value.parse::<Ipv6Addr>().is_ok(),
        "url" => is_url(value),
        "json" => serde_json::from_str::<serde_json::Value>(value).is_ok(),
        "jsonc" => serde_json::from_str::<serde_json::Value>(&without_comments(value)).is_ok(),
        _ => {
            return Err(Error::invalid(format!(
                "The following data type is not supported: {data_type} (Data type names are all lowercase.)"
            )));
        }
    };
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!("The parameter value is not of the data type {data_type}.")))
}

/// `ami-` and 8 or 17 hexadecimal digits.
fn is_image(value: &str) -> bool {
    let digits = value.strip_prefix("ami-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_region(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let words = parts.len().saturating_sub(1);
    words >= 2
        && parts[..words]
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        && parts[words].parse::<u8>().is_ok()
}

fn is_hostname(value: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    value.len() <= 253 && value.split('.').all(label)
}

fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && !value.contains(char::is_whitespace)
}

/// JSON without the comments between its tokens.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.find("*/").map_or("", |end| &comment[end + 2..]);
        } else if first == '"' {
            let end = end_of_text(rest);
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

/// Where a quoted text ends, behind its second quote.
fn end_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_of_their_types() {
        for (data_type, value, fits) in [
            ("text", "anything", true),
            ("aws:ec2:image", "ami-0123456789abcdef0", true),
            ("aws:ec2:image", "ami-xyz", false),
            ("aws:region", "us-gov-west-1", true),
            ("aws:region", "somewhere", false),
            ("aws:account:id", "000000000000", true),
            ("boolean", "yes", false),
            ("integer", "-5", true),
            ("integer", "5.0", false),
            ("float", "1e3", true),
            ("float", "NaN", false),
            ("binary", "AAE=", true),
            ("hostname", "a.example", true),
            ("hostname", "-a", false),
            ("email", "a@b.example", true),
            ("email", "a", false),
            ("ipv4-address", "10.0.0.1", true),
            ("ipv6-address", "::1", true),
            ("ipv6-address", "10.0.0.1", false),
            ("url", "https://a.example/b", true),
            ("url", "a b", false),
            ("json", "{\"a\": [1]}", true),
            ("json", "{ // no\n}", false),
            ("jsonc", "{ // yes\n \"a//\": /* b */ 1}", true),
            ("Text", "x", false),
        ] {
            assert_eq!(check(data_type, value).is_ok(), fits, "{data_type} {value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[/*\"\\\\a{}:ü\n ]{0,20}") {
            let _ = check("jsonc", &text);
            let _ = check("hostname", &text);
        }
    }
}
