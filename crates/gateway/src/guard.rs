//! Refuses what a browser may send to a loopback port without its user's will.

use http::HeaderMap;
use http::header::ORIGIN;

use crate::hosts;

/// Why a request is refused before anything else is looked at.
///
/// DNS rebinding shows a foreign `Host`; a cross-site request shows a foreign `Origin`. A server
/// that was told to serve other machines has names that we cannot know and relies on signatures.
pub(crate) fn refusal(
    host: &str,
    headers: &HeaderMap,
    is_signed: bool,
    allow_remote: bool,
) -> Option<&'static str> {
    if allow_remote {
        return None;
    }
    if !host.is_empty() && !hosts::is_local(host) {
        return Some(
            "The Host header names another machine. Start with --allow-remote to serve it.",
        );
    }
    let foreign_origin = headers
        .get(ORIGIN)
        .and_then(|origin| origin.to_str().ok())
        .filter(|origin| *origin != "null")
        .and_then(|origin| origin.split_once("://"))
        .is_some_and(|(_, host)| !hosts::is_local(host));
    // A signature cannot be forged by a foreign page, and S3 answers CORS by its own rules.
    (foreign_origin && !is_signed).then_some("A page of another origin may not call this endpoint.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_rebinding_and_cross_site_calls() {
        let mut headers = HeaderMap::new();
        assert!(refusal("evil.example:4566", &headers, true, false).is_some());
        assert!(refusal("evil.example:4566", &headers, true, true).is_none());
        assert!(refusal("127.0.0.1:4566", &headers, false, false).is_none());
        headers.insert(ORIGIN, "https://evil.example".parse().expect("a value"));
        assert!(refusal("127.0.0.1:4566", &headers, false, false).is_some());
        assert!(refusal("127.0.0.1:4566", &headers, true, false).is_none());
        headers.insert(ORIGIN, "http://localhost:3000".parse().expect("a value"));
        assert!(refusal("127.0.0.1:4566", &headers, false, false).is_none());
    }
}
