//! POST policies of S3: what a signed HTML form may upload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::SigningKey;
use crate::error::Mismatch;

/// The fields of a form before the file, in their order, with names in lower case.
pub type Fields = [(String, String)];

/// How a form is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormSignature {
    /// Signature Version 4 with the day, region and service of its scope.
    V4 {
        /// The access key id.
        access_key_id: String,
        /// The day of the scope, `YYYYMMDD`.
        day: String,
        /// The region of the scope.
        region: String,
        /// The service of the scope.
        service: String,
        /// The signature in hexadecimal digits.
        signature: String,
    },
    /// Signature Version 2.
    V2 {
        /// The access key id.
        access_key_id: String,
        /// The signature in base64.
        signature: String,
    },
}

/// Why a form is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostError {
    /// A field is missing that a signed form must have.
    MissingField(&'static str),
    /// The policy is none; what follows `Invalid Policy: `.
    Malformed(String),
    /// The policy does not allow the form; what follows `Invalid according to Policy: `.
    Refused(String),
    /// The signature is not that of the policy.
    WrongSignature(Box<Mismatch>),
}

/// The first value of a field.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

impl FormSignature {
    /// Reads the signature of a form; nothing if the form has no policy and so no signature.
    pub fn read(fields: &Fields) -> Result<Option<FormSignature>, PostError> {
        if field(fields, "policy").is_none() {
            return Ok(None);
        }
        let need = |name: &str, shown: &'static str| {
            field(fields, name).map(ToOwned::to_owned).ok_or(PostError::MissingField(shown))
        };
        if field(fields, "x-amz-algorithm").is_none() {
            return Ok(Some(FormSignature::V2 {
                access_key_id: need("awsaccesskeyid", "AWSAccessKeyId")?,
                signature: need("signature", "Signature")?,
            }));
        }
        let credential = need("x-amz-credential", "X-Amz-Credential")?;
        let parts: Vec<&str> = credential.rsplitn(5, '/').collect();
        let [_, service, region, day, access_key_id] = parts[..] else {
            return Err(PostError::MissingField("X-Amz-Credential"));
        };
        Ok(Some(FormSignature::V4 {
            access_key_id: access_key_id.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signature: need("x-amz-signature", "X-Amz-Signature")?,
        }))
    }

    /// The access key id.
    pub fn access_key_id(&self) -> &str {
        match self {
            FormSignature::V4 { access_key_id, .. } | FormSignature::V2 { access_key_id, .. } => {
                access_key_id
            }
        }
    }

    /// Verifies the signature of the policy as the field has it.
    pub fn verify(&self, policy: &str, secret: &str) -> Result<(), PostError> {
        let (right, given) = match self {
            FormSignature::V4 { day, region, service, signature, .. } => {
                let key = SigningKey::derive(secret, day, region, service);
                (key.sign(&[policy.as_bytes()]), signature)
            }
            FormSignature::V2 { signature, .. } => {
                let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())
                    .expect("HMAC takes a key of any length");
                mac.update(policy.as_bytes());
                (STANDARD.encode(mac.finalize().into_bytes()), signature)
            }
        };
        if right.as_bytes().ct_eq(given.as_bytes()).into() {
            return Ok(());
        }
        Err(PostError::WrongSignature(Box::new(Mismatch {
            access_key_id: self.access_key_id().to_owned(),
            signature_provided: given.clone(),
            string_to_sign: policy.to_owned(),
            canonical_request: String::new(),
        })))
    }
}

/// What a policy allows of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The fewest and the most bytes.
    pub length: Option<(u64, u64)>,
}

/// Holds a form against its policy. `now` is the time in seconds since 1970.
pub fn check(policy: &str, fields: &Fields, bucket: &str, now: i64) -> Result<Allowed, PostError> {
    let malformed = |what: &str| PostError::Malformed(what.to_owned());
    let bytes = STANDARD.decode(policy.trim()).map_err(|_| malformed("Invalid JSON."))?;
    let policy: Value = serde_json::from_slice(&bytes).map_err(|_| malformed("Invalid JSON."))?;
    let expiration = policy.get("expiration").and_then(Value::as_str);
    let expiration = expiration.ok_or_else(|| malformed("Policy missing expiration."))?;
    let is_iso = expiration.contains('T') && expiration.ends_with('Z');
    let expiration = Some(expiration)
        .filter(|_| is_iso)
        .unwrap_or_default()
        .parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_second)
        .map_err(|_| PostError::Malformed(format!("Invalid 'expiration' value: '{expiration}'")))?;
    let conditions = policy.get("conditions").and_then(Value::as_array);
    let conditions = conditions.ok_or_else(|| malformed("Policy missing conditions."))?;
    if now > expiration {
        return Err(PostError::Refused("Policy expired.".to_owned()));
    }
    let mut allowed = Allowed::default();
    let mut named: Vec<String> = Vec::new();
    for condition in conditions {
        match read(condition)? {
            Condition::Length(least, most) => allowed.length = Some((least, most)),
            Condition::Match { name, wanted, is_prefix } => {
                let given = match name.as_str() {
                    "bucket" => bucket,
                    name => field(fields, name).unwrap_or_default(),
                };
                let holds = if is_prefix { given.starts_with(&wanted) } else { given == wanted };
                if !holds {
                    let kind = if is_prefix { "starts-with" } else { "eq" };
                    return Err(PostError::Refused(format!(
                        "Policy Condition failed: [\"{kind}\", \"${name}\", \"{wanted}\"]"
                    )));
                }
                named.push(name);
            }
        }
    }
    const FREE: [&str; 6] =
        ["policy", "signature", "awsaccesskeyid", "x-amz-signature", "file", "bucket"];
    // That checksums are free as well is what clients count on; AWS's page does not say.
    let is_free = |name: &str| {
        FREE.contains(&name) || name.starts_with("x-ignore-") || name.starts_with("x-amz-checksum-")
    };
    let extra = fields.iter().find(|(name, _)| !is_free(name) && !named.contains(name));
    match extra {
        Some((name, _)) => Err(PostError::Refused(format!("Extra input fields: {name}"))),
        None => Ok(allowed),
    }
}

enum Condition {
    Length(u64, u64),
    Match { name: String, wanted: String, is_prefix: bool },
}

fn read(condition: &Value) -> Result<Condition, PostError> {
    let malformed = |what: &str| PostError::Malformed(what.to_owned());
    match condition {
        Value::Object(members) => {
            let mut members = members.iter();
            let (Some((name, Value::String(wanted))), None) = (members.next(), members.next())
            else {
                return Err(malformed(
                    "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                ));
            };
            let name = name.to_ascii_lowercase();
            Ok(Condition::Match { name, wanted: wanted.clone(), is_prefix: false })
        }
        Value::Array(parts) => {
            let [Value::String(kind), second, third] = &parts[..] else {
                return Err(malformed("Invalid Condition: the wrong number of arguments."));
            };
            match (kind.to_ascii_lowercase().as_str(), second, third) {
                ("content-length-range", least, most) => {
                    let (Some(least), Some(most)) = (number(least), number(most)) else {
                        return Err(malformed("Invalid content-length-range."));
                    };
                    Ok(Condition::Length(least, most))
                }
                (kind @ ("eq" | "starts-with"), Value::String(name), Value::String(wanted)) => {
                    let name = name
                        .strip_prefix('$')
                        .ok_or_else(|| malformed("Invalid Condition: a field begins with $."))?;
                    Ok(Condition::Match {
                        name: name.to_ascii_lowercase(),
                        wanted: wanted.clone(),
                        is_prefix: kind == "starts-with",
                    })
                }
                _ => Err(malformed("Invalid Condition: unknown operation.")),
            }
        }
        _ => Err(malformed("Invalid Condition.")),
    }
}

/// A number, also in quotes.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn outcome(conditions: Value, pairs: &[(&str, &str)]) -> Result<Allowed, PostError> {
        let policy = json!({"expiration": "1970-01-01T00:00:10.000Z", "conditions": conditions});
        check(&STANDARD.encode(policy.to_string()), &fields(pairs), "b", 5)
    }

    #[test]
    fn every_field_must_be_allowed() {
        let conditions =
            json!([{"bucket": "b"}, ["starts-with", "$Key", "a/"], {"acl": "private"}]);
        assert_eq!(
            outcome(conditions.clone(), &[("key", "a/1"), ("acl", "private"), ("x-ignore-a", "")]),
            Ok(Allowed::default())
        );
        for (pairs, expected) in [
            (
                &[("key", "b/1"), ("acl", "private")][..],
                "Policy Condition failed: [\"starts-with\", \"$key\", \"a/\"]",
            ),
            (&[("key", "a/1")], "Policy Condition failed: [\"eq\", \"$acl\", \"private\"]"),
            (&[("key", "a/1"), ("acl", "private"), ("x", "")], "Extra input fields: x"),
        ] {
            let refused = outcome(conditions.clone(), pairs).expect_err("a refusal");
            assert_eq!(refused, PostError::Refused(expected.to_owned()));
        }
    }

    #[test]
    fn lengths_and_times() {
        let range = json!([["content-length-range", 0, "7"]]);
        assert_eq!(outcome(range, &[]), Ok(Allowed { length: Some((0, 7)) }));
        let policy = STANDARD
            .encode(json!({"expiration": "1970-01-01T00:00:04Z", "conditions": []}).to_string());
        let refused = check(&policy, &[], "b", 5).expect_err("expired");
        assert_eq!(refused, PostError::Refused("Policy expired.".to_owned()));
        for wrong in [
            json!([{}]),
            json!([["content-length-range", 1]]),
            json!([["eq", "key", "k"]]),
            json!([7]),
            json!([{"a": "b", "c": "d"}]),
        ] {
            assert!(matches!(outcome(wrong, &[]), Err(PostError::Malformed(_))));
        }
        assert!(matches!(check("!", &[], "b", 0), Err(PostError::Malformed(_))));
    }

    #[test]
    fn signatures_of_both_versions() {
        let form = fields(&[("policy", "cA=="), ("awsaccesskeyid", "k"), ("signature", "s")]);
        let signature = FormSignature::read(&form).expect("complete").expect("signed");
        assert_eq!(signature.access_key_id(), "k");
        let refused = signature.verify("cA==", "secret");
        assert!(matches!(refused, Err(PostError::WrongSignature(_))), "{refused:?}");
        let form = fields(&[("policy", "cA=="), ("awsaccesskeyid", "k")]);
        assert_eq!(FormSignature::read(&form), Err(PostError::MissingField("Signature")));
        assert_eq!(FormSignature::read(&fields(&[("key", "a")])), Ok(None));
        let form = fields(&[
            ("policy", "cA=="),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", "k/20260101/us-east-1/s3/aws4_request"),
            ("x-amz-signature", "0"),
        ]);
        let signature = FormSignature::read(&form).expect("complete").expect("signed");
        assert!(matches!(&signature, FormSignature::V4 { day, .. } if day == "20260101"));
    }
}
