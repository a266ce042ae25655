//! Refuses what a browser may send to a loopback port without its user's will.

use http::HeaderMap;
use http::header::ORIGIN;

use crate::hosts;

/// Why a request is refused before anything else is looked at.
///
/// `is_ours` is what [`is_ours`] says of the host. DNS rebinding shows a foreign `Host`; a cross-site request shows a
/// foreign `Origin`. A server that was told to serve other machines has names that we cannot know and relies on
/// signatures.
pub(crate) fn refusal(
    is_ours: bool,
    headers: &HeaderMap,
    is_signed: bool,
    allow_remote: bool,
) -> Option<&'static str> {
    if allow_remote {
        return None;
    }
    if !is_ours {
        return Some(
            "The Host header names another machine. Start with --allow-remote to serve it.",
        );
    }
    // A foreign page cannot forge a signature. `null` is the origin of a page that hides its own.
    let is_foreign = headers.get(ORIGIN).is_some_and(|origin| !is_local(origin));
    (is_foreign && !is_signed).then_some("A page of another origin may not call this endpoint.")
}

/// Whether a `Host` is one of this machine or of AWS, or missing.
pub(crate) fn is_ours(host: &str) -> bool {
    host.is_empty() || hosts::is_local(host) || hosts::is_amazon(host)
}

fn is_local(origin: &http::HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.is_some_and(|(_, host)| hosts::is_local(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_rebinding_and_cross_site_calls() {
        let refusal = |host: &str, headers: &HeaderMap, is_signed, allow_remote| {
            refusal(is_ours(host), headers, is_signed, allow_remote)
        };
        let mut headers = HeaderMap::new();
        assert!(refusal("evil.example:4566", &headers, true, false).is_some());
        assert!(refusal("evil.example:4566", &headers, true, true).is_none());
        assert!(refusal("127.0.0.1:4566", &headers, false, false).is_none());
        assert!(refusal("s3.us-east-1.amazonaws.com", &headers, false, false).is_none());
        headers.insert(ORIGIN, "https://evil.example".parse().expect("a value"));
        assert!(refusal("127.0.0.1:4566", &headers, false, false).is_some());
        assert!(refusal("127.0.0.1:4566", &headers, true, false).is_none());
        for foreign in ["null", "https://pages.s3.amazonaws.com", "nonsense"] {
            headers.insert(ORIGIN, foreign.parse().expect("a value"));
            assert!(refusal("127.0.0.1:4566", &headers, false, false).is_some(), "{foreign}");
        }
        headers.insert(ORIGIN, "http://localhost:3000".parse().expect("a value"));
        assert!(refusal("127.0.0.1:4566", &headers, false, false).is_none());
    }
}
