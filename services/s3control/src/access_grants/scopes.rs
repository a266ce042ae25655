//! Where data lies that is granted: `s3://BUCKET/PREFIX*`, or one object. Pure.

use fogbank_core::Arn;
use serde_json::{Value, json};

/// How all scopes begin; by itself the default location, which is all data.
pub(super) const DEFAULT: &str = "s3://";

/// Some data: what begins with a prefix in a bucket, or one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) bucket: String,
    /// The prefix, or the object's key.
    pub(super) key: String,
    pub(super) is_object: bool,
}

impl Scope {
    /// Reads a scope that names a bucket; without an asterisk it is a prefix all the same, unless it is said to be an object.
    pub(super) fn parse(text: &str, is_object: bool) -> Option<Scope> {
        let rest = text.get(..DEFAULT.len()).filter(|start| start.eq_ignore_ascii_case(DEFAULT));
        let rest = rest.map(|_| &text[DEFAULT.len()..])?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = if key.is_empty() { bucket.trim_end_matches('*') } else { bucket };
        let is_name = bucket.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-'
        });
        // An object has a key; the key of an object may end in an asterisk.
        if bucket.is_empty() || !is_name || (is_object && key.is_empty()) {
            return None;
        }
        let key = if is_object { key } else { key.strip_suffix('*').unwrap_or(key) };
        Some(Scope { bucket: bucket.to_owned(), key: key.to_owned(), is_object })
    }

    /// Whether other data lies in it.
    pub(super) fn has(&self, other: &Scope) -> bool {
        self.bucket == other.bucket
            && match self.is_object {
                true => other.is_object && self.key == other.key,
                false => other.key.starts_with(&self.key),
            }
    }

    /// As answers show it.
    pub(super) fn shown(&self) -> String {
        let end = if self.is_object { "" } else { "*" };
        format!("{DEFAULT}{}/{}{end}", self.bucket, self.key)
    }

    /// The policy that narrows a session to reading or writing this data.
    pub(super) fn policy(&self, (reads, writes): (bool, bool)) -> Value {
        let bucket = format!("arn:aws:s3:::{}", self.bucket);
        let end = if self.is_object { "" } else { "*" };
        let keys = format!("{}{end}", literal(&self.key));
        let objects = format!("{bucket}/{keys}");
        let mut statements = Vec::new();
        if reads {
            statements.push(allow(&READS, &objects));
            statements.push(allow(&["kms:Decrypt"], "*"));
            if !self.is_object {
                let mut list = allow(&["s3:ListBucket", "s3:ListBucketVersions"], &bucket);
                if !self.key.is_empty() {
                    list["Condition"] = json!({"StringLike": {"s3:prefix": keys}});
                }
                statements.push(list);
            }
        }
        if writes {
            statements.push(allow(&WRITES, &objects));
            statements.push(allow(&["kms:Decrypt", "kms:GenerateDataKey"], "*"));
        }
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}

/// What AWS's guide lets a location's role do to read, and to write.
const READS: [&str; 5] = [
    "s3:GetObject",
    "s3:GetObjectAcl",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAcl",
    "s3:ListMultipartUploadParts",
];
const WRITES: [&str; 6] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
];

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

/// A key within a pattern of a policy: what would be wildcards and variables are the characters themselves.
fn literal(key: &str) -> String {
    let mut pattern = String::with_capacity(key.len());
    for char in key.chars() {
        match char {
            '*' | '?' | '$' => pattern.extend(["${", char.encode_utf8(&mut [0; 4]), "}"]),
            _ => pattern.push(char),
        }
    }
    pattern
}

/// Whether a location may have this scope.
pub(super) fn is_location(scope: &str) -> bool {
    let found = Scope::parse(scope, false);
    scope == DEFAULT || found.is_some_and(|found| !found.bucket.ends_with("--x-s3"))
}

/// The scope of a grant: what is appended to that of a location. Nothing for what is not in the location, or is all data.
pub(super) fn granted(location: &str, sub_prefix: Option<&str>, is_object: bool) -> Option<Scope> {
    let sub_prefix = sub_prefix.unwrap_or_default();
    if location == DEFAULT {
        return Scope::parse(&format!("{DEFAULT}{sub_prefix}"), is_object);
    }
    let base = Scope::parse(location, false)?;
    Scope::parse(&format!("{DEFAULT}{}/{}{sub_prefix}", base.bucket, base.key), is_object)
}

/// Whether an ARN is that of a user or role of IAM.
pub(super) fn is_grantee(arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| {
        let is_kind = ["user/", "role/"].iter().any(|kind| arn.resource.starts_with(kind));
        arn.service == "iam" && arn.account.len() == 12 && is_kind
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text, false).expect("a scope")
    }

    #[test]
    fn scopes_hold_what_begins_with_their_prefix() {
        let grant = scope("s3://data/team/*");
        assert_eq!(grant.shown(), "s3://data/team/*");
        for inside in ["s3://data/team/*", "s3://data/team/a*", "S3://data/team/b/"] {
            assert!(grant.has(&scope(inside)), "{inside}");
        }
        for outside in ["s3://data/tea*", "s3://data", "s3://other/team/*", "s3://dat/team/*"] {
            assert!(!grant.has(&scope(outside)), "{outside}");
        }
        let object = Scope::parse("s3://data/team/a*", true).expect("an object");
        assert_eq!(object.shown(), "s3://data/team/a*");
        assert!(
            grant.has(&object) && object.has(&object) && !object.has(&scope("s3://data/team/a*"))
        );
        assert!(scope("s3://data").has(&object) && scope("s3://data*").has(&object));
        for bad in ["", "s3:/", "s3://", "s3:///a", "https://data/a", "s3://Data/a", "s3://da ta/a"]
        {
            assert_eq!(Scope::parse(bad, false), None, "{bad}");
        }
        assert_eq!(Scope::parse("s3://data/", true), None);
    }

    #[test]
    fn grants_lie_in_their_location() {
        let granted = |location, sub| granted(location, sub, false).map(|scope| scope.shown());
        assert_eq!(granted("s3://", Some("data/a*")).as_deref(), Some("s3://data/a*"));
        assert_eq!(granted("s3://", Some("data/*")).as_deref(), Some("s3://data/*"));
        assert_eq!(granted("s3://", None), None);
        assert_eq!(granted("s3://data", Some("a*")).as_deref(), Some("s3://data/a*"));
        assert_eq!(granted("s3://data", None).as_deref(), Some("s3://data/*"));
        assert_eq!(granted("s3://data/team*", Some("-a/*")).as_deref(), Some("s3://data/team-a/*"));
        assert!(is_location("s3://") && is_location("s3://data") && is_location("s3://data/p*"));
        assert!(!is_location("data") && !is_location("s3://logs--use1-az4--x-s3"));
    }

    #[test]
    fn characters_of_keys_are_no_wildcards() {
        assert_eq!(literal("a*b?${c}"), "a${*}b${?}${$}{c}");
        let policy = scope("s3://data/a?/*").policy((true, false));
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::data/a${?}/*");
        let all = scope("s3://data").policy((true, true));
        assert_eq!(all["Statement"][2]["Condition"], Value::Null);
        let object = Scope::parse("s3://data/k", true).expect("an object").policy((false, true));
        assert_eq!(object["Statement"][0]["Resource"], "arn:aws:s3:::data/k");
        assert_eq!(object["Statement"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn grantees_are_users_and_roles() {
        assert!(is_grantee("arn:aws:iam::111111111111:user/a"));
        assert!(is_grantee("arn:aws:iam::111111111111:role/path/a"));
        assert!(!is_grantee("arn:aws:iam::111111111111:root"));
        assert!(!is_grantee("arn:aws:sts::111111111111:assumed-role/a/b"));
    }
}
