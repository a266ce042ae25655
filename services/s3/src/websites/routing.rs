//! Which bucket a request for a website means, and where its rules send it; pure.

use percent_encoding::percent_decode_str;

use crate::model::{Redirect, RoutingRule};
use crate::rules::url_encode;

/// Where websites lie on a host that names none, for machines whose names do not resolve.
pub(super) const PATH_FORM: &str = "/_website/";

/// The bucket of a website's host, such as `site.s3-website.us-east-1.localhost:4566` or
/// `site.s3-website-eu-west-1.amazonaws.com`.
fn of_host(host: &str) -> Option<&str> {
    // Most hosts are addresses, and every request is asked.
    if !host.contains('s') {
        return None;
    }
    let at = host.find(".s3-website.").or_else(|| host.find(".s3-website-"))?;
    (at > 0).then_some(&host[..at])
}

/// A request for a website: the bucket, what stands before the key in paths, and the key, still encoded.
pub(super) struct Asked<'a> {
    pub(super) bucket: &'a str,
    pub(super) base: String,
    pub(super) key: &'a str,
}

/// What a request asks of which website, if it asks one.
pub(super) fn asked<'a>(host: &'a str, path: &'a str) -> Option<Asked<'a>> {
    if let Some(bucket) = of_host(host) {
        let key = path.strip_prefix('/').unwrap_or(path);
        return Some(Asked { bucket, base: "/".to_owned(), key });
    }
    let rest = path.strip_prefix(PATH_FORM)?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then(|| Asked { bucket, base: format!("{PATH_FORM}{bucket}/"), key })
}

/// A key of a path.
pub(super) fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// A key as paths have it: folders stay folders.
pub(super) fn path_of(key: &str) -> String {
    key.split('/').map(|part| url_encode(part).replace('+', "%20")).collect::<Vec<_>>().join("/")
}

/// The first rule for a key, before anything was looked up or after a failure with a status.
pub(super) fn rule<'r>(
    rules: &'r [RoutingRule],
    key: &str,
    status: Option<u16>,
) -> Option<&'r RoutingRule> {
    rules.iter().find(|rule| {
        let condition = rule.condition.clone().unwrap_or_default();
        let code = condition.http_error_code_returned_equals;
        let code_fits = match (&code, status) {
            (None, _) => true,
            (Some(code), Some(status)) => code.parse() == Ok(status),
            (Some(_), None) => false,
        };
        code_fits && condition.key_prefix_equals.is_none_or(|prefix| key.starts_with(&prefix))
    })
}

/// The status of a redirection and where it leads.
pub(super) fn target(
    rule: &RoutingRule,
    key: &str,
    (scheme, authority, base): (&str, &str, &str),
) -> (u16, String) {
    let Redirect { host_name, http_redirect_code, protocol, .. } = &rule.redirect;
    let prefix = rule.condition.as_ref().and_then(|known| known.key_prefix_equals.as_deref());
    let key = match (&rule.redirect.replace_key_with, &rule.redirect.replace_key_prefix_with) {
        (Some(whole), _) => whole.clone(),
        (None, Some(new)) => {
            let rest = key.strip_prefix(prefix.unwrap_or_default()).unwrap_or(key);
            format!("{new}{rest}")
        }
        (None, None) => key.to_owned(),
    };
    let scheme = protocol.as_ref().map_or(scheme, |protocol| protocol.as_str());
    // A host of somebody else has no folder for the bucket.
    let (authority, base) = match host_name {
        Some(host) => (host.as_str(), "/"),
        None => (authority, base),
    };
    let status = http_redirect_code.as_ref().and_then(|code| code.parse().ok()).unwrap_or(301);
    (status, format!("{scheme}://{authority}{base}{}", path_of(&key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Condition;

    fn bucket_and_key(host: &str, path: &str) -> Option<(String, String)> {
        asked(host, path).map(|asked| (asked.bucket.to_owned(), asked.key.to_owned()))
    }

    #[test]
    fn websites_are_found_by_host_and_by_path() {
        let found = |bucket: &str, key: &str| Some((bucket.to_owned(), key.to_owned()));
        let host = "a.b.s3-website.us-east-1.localhost:4566";
        assert_eq!(bucket_and_key(host, "/x/y"), found("a.b", "x/y"));
        assert_eq!(bucket_and_key("a.s3-website-us-east-1.amazonaws.com", "/"), found("a", ""));
        assert_eq!(bucket_and_key("127.0.0.1:4566", "/_website/a/x"), found("a", "x"));
        assert_eq!(bucket_and_key("127.0.0.1:4566", "/_website/a"), found("a", ""));
        assert_eq!(bucket_and_key("127.0.0.1:4566", "/_website/"), None);
        assert_eq!(bucket_and_key("127.0.0.1:4566", "/a/x"), None);
        assert_eq!(bucket_and_key("a.s3.localhost", "/x"), None);
    }

    #[test]
    fn rules_redirect_by_prefix_and_by_error() {
        let rule_of = |prefix: &str, code: Option<&str>, redirect: Redirect| RoutingRule {
            condition: Some(Condition {
                key_prefix_equals: Some(prefix.to_owned()),
                http_error_code_returned_equals: code.map(str::to_owned),
            }),
            redirect,
        };
        let new = Redirect { replace_key_prefix_with: Some("new/".into()), ..Redirect::default() };
        let gone = Redirect {
            replace_key_with: Some("gone é.html".into()),
            host_name: Some("example.org".into()),
            http_redirect_code: Some("307".into()),
            ..Redirect::default()
        };
        let rules = [rule_of("old/", None, new), rule_of("", Some("404"), gone)];
        let place = ("http", "h:1", "/_website/b/");
        let found = rule(&rules, "old/x y", None).expect("a rule");
        assert_eq!(
            target(found, "old/x y", place),
            (301, "http://h:1/_website/b/new/x%20y".into())
        );
        assert!(rule(&rules, "x", None).is_none() && rule(&rules, "x", Some(403)).is_none());
        let found = rule(&rules, "x", Some(404)).expect("a rule");
        assert_eq!(
            target(found, "x", place),
            (307, "http://example.org/gone%20%C3%A9.html".into())
        );
    }
}
