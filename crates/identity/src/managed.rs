//! The managed policies of AWS that people attach most.
//!
//! Their names, paths, versions, dates and documents are AWS's as the AWS Managed Policy Reference lists them; an ARN
//! that is not among them does not exist here. Very large ones (`ReadOnlyAccess`, `SecurityAudit`) are left out.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The policy of a boundary or session whose own policy is gone.
pub(crate) const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

/// The policy of a root that stands behind a session.
pub(crate) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// The account in the ARNs of AWS's own policies.
pub const OWNER: &str = "aws";

/// A managed policy of AWS.
#[derive(Debug, Deserialize)]
pub struct AwsPolicy {
    /// The name.
    pub name: String,
    /// The path, such as `/service-role/`.
    pub path: String,
    /// The number of the version in force.
    pub version: u32,
    /// When AWS created it, in seconds since 1970.
    pub created_secs: i64,
    /// When AWS changed it last, in seconds since 1970.
    pub updated_secs: i64,
    /// The document.
    pub document: String,
}

impl AwsPolicy {
    /// The ARN.
    pub fn arn(&self) -> String {
        crate::rows::entity_arn(OWNER, "policy", &self.path, &self.name)
    }

    /// A unique id, always the same for this policy but not the one that AWS gave it.
    pub fn id(&self) -> String {
        const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // FNV-1a over 128 bits, which gives more than the 17 digits need.
        let hash =
            self.name.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58du128, |hash, byte| {
                (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
            });
        let digit = |index: u32| BASE32[(hash >> (5 * index) & 31) as usize] as char;
        "ANPA".chars().chain((0..17).map(digit)).collect()
    }
}

static POLICIES: LazyLock<Vec<AwsPolicy>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("managed.json")).expect("a test reads the same file")
});

static BY_ARN: LazyLock<HashMap<String, &'static AwsPolicy>> =
    LazyLock::new(|| POLICIES.iter().map(|policy| (policy.arn(), policy)).collect());

/// All of AWS's policies that exist here, in the order of their names.
pub fn all() -> &'static [AwsPolicy] {
    &POLICIES
}

/// AWS's policy with this ARN.
pub fn find(arn: &str) -> Option<&'static AwsPolicy> {
    arn.starts_with("arn:aws:iam::aws:").then(|| BY_ARN.get(arn).copied()).flatten()
}

#[cfg(test)]
mod tests {
    use fogbank_core::policy::{Document, Kind};

    use super::*;

    #[test]
    fn every_document_is_a_policy() {
        let mut ids = std::collections::HashSet::new();
        for policy in all() {
            let parsed = Document::parse(&policy.document, Kind::Identity);
            assert!(parsed.is_ok(), "{}: {:?}", policy.name, parsed.err());
            assert!(ids.insert(policy.id()), "{}", policy.name);
            assert!(policy.created_secs <= policy.updated_secs);
        }
        assert!(all().is_sorted_by(|one, next| one.name < next.name));
    }

    #[test]
    fn finds_by_the_whole_arn() {
        let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        assert_eq!(
            find(arn).map(|policy| policy.name.as_str()),
            Some("AWSLambdaBasicExecutionRole")
        );
        assert!(find("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole").is_none());
        assert!(find("arn:aws:iam::aws:policy/NoSuchThing").is_none());
    }
}
