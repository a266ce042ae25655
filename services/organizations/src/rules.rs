//! Quotas, documents, tags, pages: rules without rows.

use fogbank_core::page;
use fogbank_core::policy::{Document, Kind};
use fogbank_identity::organizations::{RESOURCE_CONTROL, SERVICE_CONTROL};
use fogbank_identity::rows::Tags;

use crate::error::Error;
use crate::model::{PolicyType, Tag};

/// Documents that only lie here.
pub(crate) const TAG_POLICY: &str = "TAG_POLICY";
/// The most accounts of an organization: what AWS grants at most.
pub(crate) const ACCOUNTS: usize = 50_000;
/// The most organizational units of an organization.
pub(crate) const UNITS: usize = 2000;
/// The most units that lie in each other.
pub(crate) const UNIT_DEPTH: usize = 5;
/// The most tags of a resource.
const TAGS: usize = 50;
/// What a page holds if the caller does not say.
const PAGE: usize = 20;

/// The most policies of a type in an organization.
pub(crate) fn policies(kind: &str) -> usize {
    if kind == SERVICE_CONTROL { 10_000 } else { 1000 }
}

/// The most policies of a type on one root, unit or account.
pub(crate) fn attachments(kind: &str) -> usize {
    if kind == TAG_POLICY { 10 } else { 5 }
}

/// The types of policies that exist here.
pub(crate) fn kind(wanted: PolicyType) -> Result<&'static str, Error> {
    match wanted.as_str() {
        SERVICE_CONTROL => Ok(SERVICE_CONTROL),
        RESOURCE_CONTROL => Ok(RESOURCE_CONTROL),
        TAG_POLICY => Ok(TAG_POLICY),
        other => Err(fogbank_core::Fault::not_implemented("organizations", other).into()),
    }
}

/// Checks the document of a policy.
pub(crate) fn check_document(kind: &str, content: &str) -> Result<(), Error> {
    let limit = if kind == TAG_POLICY { 10_000 } else { 5120 };
    if content.chars().count() > limit {
        let message = "You have exceeded the maximum policy size.";
        return Err(Error::constraint("POLICY_CONTENT_LIMIT_EXCEEDED", message));
    }
    match kind {
        SERVICE_CONTROL => Document::parse(content, Kind::ServiceControl).map(drop)?,
        RESOURCE_CONTROL => {
            Document::parse(content, Kind::ResourceControl)?;
            if !only_denies_everybody(content) {
                let message = "The provided policy document does not meet the requirements of the \
                               specified policy type.";
                return Err(Error::MalformedPolicyDocumentException(message.to_owned()));
            }
        }
        _ => {
            let is_object = serde_json::from_str::<serde_json::Value>(content)
                .is_ok_and(|document| document.is_object());
            if !is_object {
                let message = "The provided policy document is not a JSON object.".to_owned();
                return Err(Error::MalformedPolicyDocumentException(message));
            }
        }
    }
    Ok(())
}

/// Whether every statement denies, and everybody: a customer's resource control policies can do nothing else.
fn only_denies_everybody(content: &str) -> bool {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(content) else { return false };
    let statements = match &document["Statement"] {
        serde_json::Value::Array(statements) => statements.as_slice(),
        single => std::slice::from_ref(single),
    };
    statements.iter().all(|statement| {
        statement["Effect"] == "Deny"
            && (statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*")
    })
}

/// Adds tags to others.
pub(crate) fn merge(tags: &mut Tags, given: Vec<Tag>) -> Result<(), Error> {
    for tag in given {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            let message = "You provided an invalid value: tag keys must not begin with aws:.";
            return Err(Error::invalid("INVALID_SYSTEM_TAGS_PARAMETER", message));
        }
        match tags.iter_mut().find(|(key, _)| *key == tag.key) {
            Some((_, value)) => *value = tag.value,
            None => tags.push((tag.key, tag.value)),
        }
    }
    if tags.len() > TAGS {
        let message = "You have exceeded the number of tags allowed on this resource.";
        return Err(Error::constraint("MAX_TAG_LIMIT_EXCEEDED", message));
    }
    Ok(())
}

/// The tags of something new.
pub(crate) fn tags(given: Option<Vec<Tag>>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    merge(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

/// Tags as answers show them.
pub(crate) fn shown_tags(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// The part of `ids`, which are in order, that a page shows, and the token of the next page.
pub(crate) fn page(
    ids: Vec<String>,
    token: Option<&str>,
    wanted: Option<i32>,
) -> Result<(Vec<String>, Option<String>), Error> {
    let after = token.map(|token| {
        page::parse_text(token).ok_or_else(|| {
            Error::invalid("INVALID_NEXT_TOKEN", "You provided an invalid NextToken.")
        })
    });
    let after = after.transpose()?.unwrap_or_default();
    let count = wanted.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(PAGE);
    let mut rest = ids.into_iter().filter(|id| *id > after);
    let shown: Vec<String> = rest.by_ref().take(count).collect();
    let next = rest.next().and(shown.last()).map(|last| page::text_token(last));
    Ok((shown, next))
}
