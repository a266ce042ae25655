//! The MD5 digests by which clients check that nothing was changed on the way.

use md5::{Digest, Md5};

use crate::store::{Attribute, AttributeValue};

/// The MD5 of a body.
pub(crate) fn of_body(body: &str) -> [u8; 16] {
    Md5::digest(body.as_bytes()).into()
}

/// The MD5 of attributes as the clients compute it; `None` if there are none.
///
/// Attributes follow each other by name. Of each, the name, the type and the value stand with their
/// lengths in front, and a byte says whether the value is text or binary.
pub(crate) fn of_attributes(attributes: &[&Attribute]) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut sorted = attributes.to_vec();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut digest = Md5::new();
    let mut add = |bytes: &[u8], kind: Option<u8>| {
        if let Some(kind) = kind {
            digest.update([kind]);
        }
        digest.update((bytes.len() as u32).to_be_bytes());
        digest.update(bytes);
    };
    for attribute in sorted {
        add(attribute.name.as_bytes(), None);
        add(attribute.data_type.as_bytes(), None);
        match &attribute.value {
            AttributeValue::Text(text) => add(text.as_bytes(), Some(1)),
            AttributeValue::Binary(bytes) => add(bytes, Some(2)),
        }
    }
    Some(hex(&digest.finalize()))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, value: &str) -> Attribute {
        Attribute {
            name: name.to_owned(),
            data_type: "String".to_owned(),
            value: AttributeValue::Text(value.to_owned()),
        }
    }

    /// The digests are what AWS answered for the same attributes.
    #[test]
    fn digests_are_as_aws_computes_them() {
        let (help, hello, general) =
            (text("Help.Me", "Me"), text("Hello", "There"), text("General", "Kenobi"));
        let all = of_attributes(&[&help, &hello, &general]);
        assert_eq!(all.as_deref(), Some("4c360f3fdafd970e05fae2f149d997f5"));
        let some = of_attributes(&[&help, &hello]);
        assert_eq!(some.as_deref(), Some("83fee93c1bcd8b9a5a923ffacdc636c7"));
        assert_eq!(of_attributes(&[]), None);
        let trace = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
        let binary = Attribute {
            name: "attr1".to_owned(),
            data_type: "Binary".to_owned(),
            value: AttributeValue::Binary(trace.to_vec()),
        };
        let digest = of_attributes(&[&binary]);
        assert_eq!(digest.as_deref(), Some("8cbe4db156db8a94db8b801b7addb984"));
        assert_eq!(hex(&of_body("msg")), "6e2baaf3b97dbeef01c0043275f9a0e7");
    }
}
