//! Quotas, policy documents, tags, pages: rules without rows.

pub(crate) mod linked;
pub(crate) mod passwords;
pub(crate) mod qr;
pub(crate) mod ssh;
pub(crate) mod statements;
pub(crate) mod templates;

use fogbank_core::page;
use fogbank_core::policy::{Document, Kind};
use fogbank_identity::rows::Tags;

use crate::error::Error;
use crate::model::Tag;

/// The most access keys of a user.
pub(crate) const ACCESS_KEYS_PER_USER: usize = 2;
/// The most groups of a user.
pub(crate) const GROUPS_PER_USER: usize = 10;
/// The most managed policies of a user, group or role.
pub(crate) const ATTACHED_POLICIES: usize = 10;
/// The most versions of a managed policy.
pub(crate) const VERSIONS_PER_POLICY: usize = 5;
/// The most characters of a managed policy.
pub(crate) const POLICY_SIZE: usize = 6144;
/// The most characters of a trust policy.
pub(crate) const TRUST_POLICY_SIZE: usize = 2048;
/// The most tags of a resource.
pub(crate) const TAGS: usize = 50;

/// How many characters count: IAM does not count white space.
pub(crate) fn counted_len(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

/// Checks the document of a managed policy.
pub(crate) fn check_policy(document: &str) -> Result<(), Error> {
    Document::parse(document, Kind::Identity)?;
    if counted_len(document) > POLICY_SIZE {
        return Err(Error::quota("PolicySize", POLICY_SIZE));
    }
    Ok(())
}

/// Checks a trust policy and compiles it.
pub(crate) fn check_trust(document: &str) -> Result<Document, Error> {
    let compiled = Document::parse(document, Kind::Trust)?;
    if counted_len(document) > TRUST_POLICY_SIZE {
        return Err(Error::quota("ACLSizePerRole", TRUST_POLICY_SIZE));
    }
    Ok(compiled)
}

/// A document as answers carry it: encoded as in a URL (RFC 3986).
pub(crate) fn url_encoded(document: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(document.len() * 2);
    for byte in document.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            encoded.push('%');
            encoded.push(HEX[usize::from(byte >> 4)] as char);
            encoded.push(HEX[usize::from(byte & 15)] as char);
        }
    }
    encoded
}

/// The tags of a new resource, or those to be added to one.
pub(crate) fn tags(given: Vec<Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for Tag { key, value } in given {
        if key.to_lowercase().starts_with("aws:") {
            let message = "aws: prefixed tag key names are not allowed for external use.";
            return Err(Error::InvalidInputException(message.to_owned()));
        }
        if tags.iter().any(|(known, _)| is_same_key(known, &key)) {
            let message =
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Error::InvalidInputException(message.to_owned()));
        }
        tags.push((key, value));
    }
    Ok(tags)
}

/// Adds tags to those of a resource; a key of the same letters is replaced.
pub(crate) fn add_tags(tags: &mut Tags, added: Tags, noun: &str) -> Result<(), Error> {
    for (key, value) in added {
        match tags.iter_mut().find(|(known, _)| is_same_key(known, &key)) {
            Some(known) => *known = (key, value),
            None => tags.push((key, value)),
        }
    }
    if tags.len() > TAGS { Err(Error::quota(&format!("TagsPer{noun}"), TAGS)) } else { Ok(()) }
}

/// Removes tags.
pub(crate) fn remove_tags(tags: &mut Tags, keys: &[String]) {
    tags.retain(|(known, _)| !keys.iter().any(|key| is_same_key(known, key)));
}

/// Tags as answers carry them.
pub(crate) fn shown_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

fn is_same_key(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// An ARN of something of IAM.
pub(crate) fn arn(account: &str, kind: &str, path: &str, name: &str) -> String {
    fogbank_identity::rows::entity_arn(account, kind, path, name)
}

/// Bytes in base 32 (RFC 4648), without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut pending, mut count) = (0u32, 0);
    for byte in bytes {
        pending = pending << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(DIGITS[(pending >> count & 31) as usize] as char);
        }
    }
    if count > 0 {
        text.push(DIGITS[(pending << (5 - count) & 31) as usize] as char);
    }
    text
}

/// An issuer's URL: whether it is reached over TLS, and the rest without a slash at the end. AWS takes `https` alone; a
/// developer's machine takes `http` for issuers on itself, which a server must not let its users reach.
pub(crate) fn issuer(url: &str, is_server: bool) -> Result<(bool, &str), Error> {
    let (is_tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) if !is_server && is_loopback(rest) => (false, rest),
        _ => return Err(invalid_issuer()),
    };
    let rest = rest.trim_end_matches('/');
    let is_plain =
        rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte));
    if rest.is_empty() || rest.starts_with('/') || !is_plain {
        return Err(invalid_issuer());
    }
    Ok((is_tls, rest))
}

fn invalid_issuer() -> Error {
    Error::validation("Invalid Open ID Connect Provider URL")
}

/// Whether the host in front of a path is this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// How many items a page has.
pub(crate) fn page_size(max_items: Option<i32>) -> usize {
    max_items.and_then(|max| usize::try_from(max).ok()).unwrap_or(100).clamp(1, 1000)
}

/// A page of a listing, and the marker of the next one.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// What to ask for next, if there is more.
    pub(crate) marker: Option<String>,
}

impl<T> Page<T> {
    /// The page of `items` after `marker`; `key` is what the listing is ordered by.
    pub(crate) fn of(
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
        marker: Option<&str>,
        max_items: Option<i32>,
    ) -> Result<Page<T>, Error> {
        let after = marker.map(after).transpose()?;
        let mut items = items
            .into_iter()
            .skip_while(|item| after.as_ref().is_some_and(|after| key(item) != *after))
            .skip(usize::from(after.is_some()));
        let size = page_size(max_items);
        let page: Vec<T> = items.by_ref().take(size).collect();
        let marker = match (items.next(), page.last()) {
            (Some(_), Some(last)) => Some(page::text_token(&key(last))),
            _ => None,
        };
        Ok(Page { items: page, marker })
    }

    /// Whether there is more.
    pub(crate) fn is_truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }
}

/// The key after which a page begins.
pub(crate) fn after(marker: &str) -> Result<String, Error> {
    page::parse_text(marker).ok_or_else(|| Error::validation("Invalid Marker."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn issuers_are_reached_safely() {
        assert_eq!(issuer("https://a.example/x/", true).ok(), Some((true, "a.example/x")));
        assert_eq!(issuer("http://127.0.0.1:80/x", false).ok(), Some((false, "127.0.0.1:80/x")));
        assert!(issuer("http://127.0.0.1:80/x", true).is_err());
        for url in ["http://a.example", "ftp://x", "https://", "https://a?b", "https://u@a", "a"] {
            assert!(issuer(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn encodes_documents_as_in_urls() {
        assert_eq!(url_encoded(r#"{"a": "*é~"}"#), "%7B%22a%22%3A%20%22%2A%C3%A9~%22%7D");
    }

    #[test]
    fn pages_follow_each_other() {
        let all: Vec<String> = (0..5).map(|number| format!("n{number}")).collect();
        let page = |marker: Option<&str>| {
            Page::of(all.clone(), Clone::clone, marker, Some(2)).expect("a good marker")
        };
        let first = page(None);
        assert_eq!((first.items.join(" ").as_str(), first.is_truncated()), ("n0 n1", Some(true)));
        let second = page(first.marker.as_deref());
        assert_eq!(second.items.join(" "), "n2 n3");
        let third = page(second.marker.as_deref());
        assert_eq!((third.items.join(" ").as_str(), third.is_truncated()), ("n4", Some(false)));
        assert!(Page::of(all, Clone::clone, Some("zz"), None).is_err());
    }

    #[test]
    fn tags_are_unique_whatever_the_case() {
        let tag = |key: &str| Tag { key: key.to_owned(), value: "v".to_owned() };
        assert!(tags(vec![tag("a"), tag("A")]).is_err());
        assert!(tags(vec![tag("aws:x")]).is_err());
        let mut known = tags(vec![tag("Team")]).expect("one tag");
        add_tags(&mut known, vec![("team".to_owned(), "w".to_owned())], "User").expect("few");
        assert_eq!(known, [("team".to_owned(), "w".to_owned())]);
        remove_tags(&mut known, &["TEAM".to_owned()]);
        assert!(known.is_empty());
    }

    #[test]
    fn white_space_does_not_count() {
        let statement = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        let padded = statement.replace(',', &format!(",{}", " ".repeat(7000)));
        assert!(check_policy(&padded).is_ok());
        assert_eq!(counted_len(&padded), statement.len());
    }
}
