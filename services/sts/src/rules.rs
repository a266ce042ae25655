//! Session policies, tags and durations: rules without rows.

use fogbank_core::Principal;
use fogbank_core::policy::{Document, Kind};
use fogbank_identity::rows::Tags;

use crate::error::Error;
use crate::model::{PolicyDescriptorType, Tag};

/// The longest session of a role that was assumed by a session of a role, in seconds.
const CHAINED_SECS: u32 = 3600;
/// The longest session of the root user, in seconds.
const ROOT_SECS: i32 = 3600;
/// The length of a user's session unless it asks for another, in seconds.
const USER_SECS: i32 = 12 * 3600;
/// The most managed session policies.
const MANAGED_POLICIES: usize = 10;
/// The most characters of all session policies.
const POLICY_CHARACTERS: usize = 2048;
/// The most session tags.
const TAGS: usize = 50;

/// The policies that limit a session: the inline one and the ARNs of managed ones.
pub(crate) fn policies(
    inline: Option<String>,
    managed: Option<Vec<PolicyDescriptorType>>,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let arns: Vec<String> =
        managed.unwrap_or_default().into_iter().filter_map(|policy| policy.arn).collect();
    if arns.len() > MANAGED_POLICIES {
        return Err(Error::validation(format!(
            "The number of managed policies ({}) exceeds the limit of {MANAGED_POLICIES}.",
            arns.len()
        )));
    }
    if let Some(document) = &inline {
        Document::parse(document, Kind::Session)?;
    }
    Ok((inline.into_iter().collect(), arns))
}

/// How much of the allotted space policies and tags take, in percent. AWS packs them in a way that nobody knows; their
/// plain text stands in for it.
pub(crate) fn packed_percent(
    policies: &[String],
    arns: &[String],
    tags: &[(String, String)],
) -> Result<Option<i32>, Error> {
    if policies.is_empty() && arns.is_empty() && tags.is_empty() {
        return Ok(None);
    }
    let policies: usize = policies.iter().chain(arns).map(|text| text.chars().count()).sum();
    // The longest tags are as many as 50 of 128 and 256 characters, which AWS packs into the same space.
    let tags: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let percent = (policies * 100).div_ceil(POLICY_CHARACTERS) + (tags * 100).div_ceil(TAGS * 384);
    match i32::try_from(percent) {
        Ok(percent @ ..=100) => Ok(Some(percent)),
        _ => Err(Error::PackedPolicyTooLargeException(percent)),
    }
}

/// The tags of a session, and the keys of those that pass on: those given, and those that the caller passes on.
pub(crate) fn tags(
    given: Option<Vec<Tag>>,
    transitive: Option<Vec<String>>,
    inherited: Tags,
) -> Result<(Tags, Vec<String>), Error> {
    let is_same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let mut tags = Tags::new();
    for Tag { key, value } in given.unwrap_or_default() {
        if key.to_lowercase().starts_with("aws:") {
            return Err(Error::parameter("Tag keys may not start with reserved prefix \"aws:\"."));
        }
        if tags.iter().any(|(known, _)| is_same(known, &key)) {
            return Err(Error::parameter(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if inherited.iter().any(|(known, _)| is_same(known, &key)) {
            return Err(Error::parameter(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                 key from the calling session.",
            ));
        }
        tags.push((key, value));
    }
    if tags.len() > TAGS {
        return Err(Error::validation(format!("A session can have up to {TAGS} tags.")));
    }
    let mut keys = transitive.unwrap_or_default();
    if keys.iter().any(|key| !tags.iter().any(|(known, _)| is_same(known, key))) {
        return Err(Error::parameter(
            "The specified transitive tag key must be included in the requested tags.",
        ));
    }
    keys.extend(inherited.iter().map(|(key, _)| key.clone()));
    tags.extend(inherited);
    Ok((tags, keys))
}

/// The tags that an identity provider gives a session, and the keys of those that pass on.
pub(crate) fn provided_tags(
    tags: Tags,
    transitive: Vec<String>,
) -> Result<(Tags, Vec<String>), Error> {
    let given = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    self::tags(Some(given), Some(transitive), Tags::new())
}

/// The ARN of a federated user.
pub(crate) fn federated_arn(account: &str, name: &str) -> String {
    format!("arn:aws:sts::{account}:federated-user/{name}")
}

/// How long a role's session lasts, in seconds.
pub(crate) fn role_session_secs(
    asked: Option<i32>,
    max_secs: u32,
    is_chained: bool,
) -> Result<i64, Error> {
    let Some(asked) = asked.and_then(|secs| u32::try_from(secs).ok()) else {
        return Ok(i64::from(CHAINED_SECS));
    };
    if is_chained && asked > CHAINED_SECS {
        return Err(Error::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if asked > max_secs {
        return Err(Error::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(i64::from(asked))
}

/// How long a user's or root's session lasts, in seconds. The root's is cut to an hour.
pub(crate) fn user_session_secs(asked: Option<i32>, is_root: bool) -> i64 {
    let secs = asked.unwrap_or(USER_SECS);
    i64::from(if is_root { secs.min(ROOT_SECS) } else { secs })
}

/// Account and name of a role in its ARN.
pub(crate) fn is_role_arn(arn: &str) -> bool {
    let Some((account, resource)) =
        arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

/// The name that stands in the ARN of a role's session.
pub(crate) fn session_arn(account: &str, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}

/// Whether the caller has temporary credentials of a role.
pub(crate) fn is_role_session(principal: &Principal) -> bool {
    matches!(principal.kind, fogbank_core::PrincipalKind::Role { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_limits() {
        assert_eq!(role_session_secs(None, 43_200, false).ok(), Some(3600));
        assert_eq!(role_session_secs(Some(7200), 43_200, false).ok(), Some(7200));
        assert!(role_session_secs(Some(7200), 3600, false).is_err());
        assert!(role_session_secs(Some(7200), 43_200, true).is_err());
        assert_eq!(user_session_secs(None, false), 43_200);
        assert_eq!(user_session_secs(None, true), 3600);
        assert_eq!(user_session_secs(Some(900), true), 900);
    }

    #[test]
    fn role_arns_are_recognised() {
        assert!(is_role_arn("arn:aws:iam::000000000000:role/path/deployer"));
        for arn in [
            "arn:aws:iam::000000000000:user/ann",
            "arn:aws:iam::0000:role/x",
            "arn:aws:iam::000000000000:role/",
            "deployer",
        ] {
            assert!(!is_role_arn(arn), "{arn}");
        }
    }

    #[test]
    fn tags_are_unique_and_pass_on() {
        let tag = |key: &str| Tag { key: key.to_owned(), value: "v".to_owned() };
        let inherited = vec![("Team".to_owned(), "blue".to_owned())];
        let given = Some(vec![tag("a")]);
        let (all, keys) =
            tags(given, Some(vec!["A".to_owned()]), inherited.clone()).expect("good tags");
        assert_eq!(all.len(), 2);
        assert_eq!(keys, ["A", "Team"]);
        assert!(tags(Some(vec![tag("team")]), None, inherited).is_err());
        assert!(tags(Some(vec![tag("a"), tag("A")]), None, Vec::new()).is_err());
        assert!(tags(None, Some(vec!["a".to_owned()]), Vec::new()).is_err());
    }

    #[test]
    fn too_much_does_not_fit() {
        let long = vec!["x".repeat(2049)];
        assert!(packed_percent(&long, &[], &[]).is_err());
        assert_eq!(packed_percent(&["x".repeat(1024)], &[], &[]).ok(), Some(Some(50)));
        assert_eq!(packed_percent(&[], &[], &[]).ok(), Some(None));
    }
}
