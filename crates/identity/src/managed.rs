//! The managed policies of AWS.
//!
//! Their names, paths, versions, dates and documents are AWS's; an ARN that is not among them does not exist here. Of
//! the versions there is the one in force. `cargo xtask managed-policies` writes the list and the documents.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::DeflateDecoder;
use jiff::Timestamp;

/// The policy of a boundary or session whose own policy is gone.
pub(crate) const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

/// The policy of a root that stands behind a session.
pub(crate) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// The account in the ARNs of AWS's own policies.
pub const OWNER: &str = "aws";

/// The policies, in the order of their names: name, path, version, times of its creation and of its last change.
const LIST: &str = include_str!("managed/policies.json");
/// The documents, in the same order.
const DOCUMENTS: &[u8] = include_bytes!("managed/documents.bin");
const DOCUMENTS_PER_BLOCK: usize = 32;

/// A managed policy of AWS.
#[derive(Debug)]
pub struct AwsPolicy {
    /// The name.
    pub name: &'static str,
    /// The path, such as `/service-role/`.
    pub path: &'static str,
    /// The number of the version in force.
    pub version: u32,
    /// When AWS created it, in seconds since 1970.
    pub created_secs: i64,
    /// When AWS changed it last, in seconds since 1970.
    pub updated_secs: i64,
    /// Its place in the list.
    index: usize,
}

impl AwsPolicy {
    /// The ARN.
    pub fn arn(&self) -> String {
        crate::rows::entity_arn(OWNER, "policy", self.path, self.name)
    }

    /// Whether users, groups and roles can have it: the policies of service-linked roles are for those alone.
    pub fn is_attachable(&self) -> bool {
        self.path != "/aws-service-role/"
    }

    /// The document. It is made out of a compressed one at each call: keep what is made of it.
    pub fn document(&self) -> String {
        let mut blocks = DOCUMENTS;
        for _ in 0..self.index / DOCUMENTS_PER_BLOCK {
            blocks = split_block(blocks).1;
        }
        let mut text = String::new();
        let (block, _) = split_block(blocks);
        DeflateDecoder::new(block).read_to_string(&mut text).expect("a test reads all of them");
        let document = text.split('\n').nth(self.index % DOCUMENTS_PER_BLOCK);
        document.expect("a test reads all of them").to_owned()
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

/// The first block, and those behind it.
fn split_block(blocks: &'static [u8]) -> (&'static [u8], &'static [u8]) {
    let (length, rest) = blocks.split_first_chunk::<4>().expect("a test reads all of them");
    rest.split_at(u32::from_le_bytes(*length) as usize)
}

static POLICIES: LazyLock<Vec<AwsPolicy>> = LazyLock::new(|| {
    type Line = (&'static str, &'static str, u32, Timestamp, Timestamp);
    let lines: Vec<Line> = serde_json::from_str(LIST).expect("a test reads the same file");
    let policies = lines.into_iter().enumerate().map(|(index, line)| {
        let (name, path, version, created, updated) = line;
        let (created_secs, updated_secs) = (created.as_second(), updated.as_second());
        AwsPolicy { name, path, version, created_secs, updated_secs, index }
    });
    policies.collect()
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
            let parsed = Document::parse(&policy.document(), Kind::Identity);
            assert!(parsed.is_ok(), "{}: {:?}", policy.name, parsed.err());
            assert!(ids.insert(policy.id()), "{}", policy.name);
            assert!(policy.created_secs <= policy.updated_secs);
        }
        assert!(all().is_sorted_by(|one, next| one.name < next.name));
        assert!(all().len() > 1_500);
    }

    #[test]
    fn finds_by_the_whole_arn() {
        let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        let found = find(arn).expect("it is in the list");
        assert_eq!(found.name, "AWSLambdaBasicExecutionRole");
        assert_eq!(
            found.document(),
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogGroup\",\
             \"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"
        );
        assert!(find("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole").is_none());
        assert!(find("arn:aws:iam::aws:policy/NoSuchThing").is_none());
    }

    #[test]
    fn policies_of_service_linked_roles_are_for_them() {
        let arn = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
        let of_role = find(&arn("aws-service-role/AWSSupportServiceRolePolicy"));
        assert!(!of_role.expect("it is in the list").is_attachable());
        assert!(find(&arn("AdministratorAccess")).expect("it is in the list").is_attachable());
    }
}
