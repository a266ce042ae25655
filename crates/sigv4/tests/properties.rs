//! Properties of signing and verifying: what is signed verifies, what is changed does not, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{
    Error, Options, RequestView, Rules, SigningKey, Style, parse, sha256_hex, verify,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

const NOW: i64 = 1_795_209_909;

#[derive(Debug, Clone)]
struct Request {
    rules: Rules,
    method: String,
    path: String,
    query: String,
    host: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    secret: String,
    token: Option<String>,
}

fn requests() -> impl Strategy<Value = Request> {
    let headers = prop::collection::vec(
        ("(x-amz-meta-[a-z]{1,4}|content-type|range|x-[a-z]{1,3})", "[ -~\t\u{e9}]{0,20}"),
        0..6,
    );
    (
        prop::sample::select(vec![Rules::S3, Rules::Other]),
        "(GET|PUT|POST|DELETE|HEAD)",
        "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|/|\\.\\.){0,20})?",
        "([a-zA-Z0-9=&%+/:*~-]|%[0-9A-F]{2}){0,30}",
        "[a-z.]{1,20}(:[0-9]{1,5})?",
        headers,
        prop::collection::vec(any::<u8>(), 0..64),
        "[a-zA-Z0-9+/]{4,40}",
        prop::option::of("[a-zA-Z0-9+/=]{1,60}"),
    )
        .prop_map(|(rules, method, path, query, host, headers, body, secret, token)| Request {
            rules,
            method,
            path,
            query,
            host,
            headers,
            body,
            secret,
            token,
        })
}

impl Request {
    fn signer(&self) -> Signer<'_> {
        Signer {
            access_key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: &self.secret,
            session_token: self.token.as_deref(),
            region: "eu-central-1",
            service: if self.rules == Rules::S3 { "s3" } else { "dynamodb" },
            rules: self.rules,
        }
    }

    fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(HeaderName::try_from(name).unwrap(), value);
        }
        map
    }

    fn view<'a>(&'a self, headers: &'a HeaderMap) -> RequestView<'a> {
        RequestView {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            host: &self.host,
            headers,
        }
    }

    fn verify(&self, view: &RequestView<'_>, body: &[u8]) -> Result<(), Error> {
        let presented = parse(view)?.ok_or(Error::MissingAuthentication)?;
        assert_eq!(presented.session_token.as_deref(), self.token.as_deref());
        let key = SigningKey::derive(
            &self.secret,
            presented.day(),
            presented.region(),
            presented.service(),
        );
        let options = Options::new(self.rules);
        verify(&presented, view, &key, Some(&sha256_hex(body)), NOW, &options).map(drop)
    }

    fn signed_headers(&self) -> HeaderMap {
        let mut headers = self.header_map();
        let hash = sha256_hex(&self.body);
        let unsigned = self.view(&headers);
        let unsigned = RequestView { headers: &HeaderMap::new(), ..unsigned };
        let mut signed = headers.clone();
        self.signer().sign(&unsigned, &mut signed, &hash, NOW).unwrap();
        std::mem::swap(&mut headers, &mut signed);
        headers
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies(request in requests()) {
        let headers = request.signed_headers();
        let checked = request.verify(&request.view(&headers), &request.body);
        prop_assert!(checked.is_ok(), "{:#?}", checked);
    }

    #[test]
    fn what_is_presigned_verifies(request in requests()) {
        let headers = request.header_map();
        let query = request.signer().presign(&request.view(&headers), 60, NOW - 59);
        let view = RequestView { raw_query: &query, ..request.view(&headers) };
        let checked = request.verify(&view, b"");
        prop_assert!(checked.is_ok(), "{:#?}", checked);
    }

    #[test]
    fn what_is_changed_is_refused(request in requests(), which in any::<prop::sample::Index>()) {
        let headers = request.signed_headers();
        let view = request.view(&headers);
        let (path, query, host) =
            (view.raw_path.to_owned() + "/x", view.raw_query.to_owned() + "&x", "x".to_owned() + view.host);
        for changed in [
            RequestView { method: "PATCH", ..view },
            RequestView { raw_path: &path, ..view },
            RequestView { raw_query: &query, ..view },
            RequestView { host: &host, ..view },
        ] {
            prop_assert!(request.verify(&changed, &request.body).is_err());
        }
        let mut body = request.body.clone();
        body.push(0);
        prop_assert!(request.verify(&view, &body).is_err());
        // Any signed header: another value, one value more, or none.
        let names: Vec<HeaderName> =
            headers.keys().filter(|name| *name != "authorization").cloned().collect();
        let name = &names[which.index(names.len())];
        let mut other = headers.clone();
        other.append(name, HeaderValue::from_static("appended"));
        let appended = RequestView { headers: &other, ..view };
        // What is read from the first of several values is not read from the second.
        let single = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
        prop_assert!(request.verify(&appended, &request.body).is_err());
        other.insert(name, HeaderValue::from_static("changed"));
        if !single.contains(&name.as_str()) {
            let changed = RequestView { headers: &other, ..view };
            prop_assert!(request.verify(&changed, &request.body).is_err());
        }
    }

    #[test]
    fn a_flipped_bit_in_the_authorization_is_refused(
        request in requests(),
        at in any::<prop::sample::Index>(),
        bit in 0..7u8,
    ) {
        let mut headers = request.signed_headers();
        let mut bytes = headers["authorization"].as_bytes().to_vec();
        // Flips in the key id are for whoever looks keys up; the flipped scheme is anonymous.
        let start = bytes.iter().position(|byte| *byte == b'/').unwrap_or(0);
        let at = start + at.index(bytes.len() - start);
        bytes[at] ^= 1 << bit;
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            headers.insert("authorization", value);
            let result = request.verify(&request.view(&headers), &request.body);
            // A comma's neighbour may turn into another kind of blank, which means nothing.
            let blank = bytes[at] == b' ' || bytes[at] ^ (1 << bit) == b' ';
            prop_assert!(result.is_err() || blank, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn arbitrary_headers_and_queries_never_panic(
        authorization in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "AWS4-HMAC-SHA256 [ -~]{0,150}".prop_map(String::into_bytes),
            "AWS4-HMAC-SHA256 Credential=[a-z0-9/]{0,60}/aws4_request, ?SignedHeaders=[a-z;-]{0,30},?Signature=[a-f0-9]{0,70}"
                .prop_map(String::into_bytes),
        ],
        date in prop_oneof![Just("20261120T210509Z".to_owned()), "[ -~]{0,30}"],
        hash in "[ -~]{0,70}",
        query in prop_oneof![
            "[ -~]{0,200}",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a(/|%2F)2026112[01](/|%2F)r(/|%2F)s(/|%2F)aws4_request&X-Amz-Date=2026112[01]T210509Z&X-Amz-Expires=-?[0-9]{0,20}&X-Amz-SignedHeaders=[a-z;%0-9]{0,10}&X-Amz-Signature=[a-f0-9%]{0,70}",
        ],
        path in "[ -~\u{0}-\u{ffff}]{0,40}",
        now in any::<i64>(),
        secret in ".{0,50}",
    ) {
        let mut headers = HeaderMap::new();
        let values = [("authorization", &authorization[..]), ("x-amz-date", date.as_bytes()),
            ("x-amz-content-sha256", hash.as_bytes())];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(name, value);
            }
        }
        for query in ["", query.as_str()] {
            let view = RequestView { method: "GET", raw_path: &path, raw_query: query, host: "h", headers: &headers };
            let Err(error) = check(&view, &secret, now) else { continue };
            for style in [Style::S3Xml, Style::Query, Style::Json, Style::RestJson, Style::Ec2] {
                let rendered = error.render(style);
                prop_assert!((400..502).contains(&rendered.status));
                prop_assert!(!rendered.code.is_empty() && !rendered.message.is_empty());
            }
        }
    }
}

fn check(view: &RequestView<'_>, secret: &str, now: i64) -> Result<(), Error> {
    let Some(presented) = parse(view)? else { return Ok(()) };
    let key = SigningKey::derive(secret, presented.day(), presented.region(), presented.service());
    for rules in [Rules::S3, Rules::Other] {
        let options = Options::new(rules);
        let result = verify(&presented, view, &key, None, now, &options);
        assert!(result.is_err(), "nothing arbitrary verifies");
        if rules == Rules::Other {
            result.map(drop)?;
        }
    }
    Ok(())
}
