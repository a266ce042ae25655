//! Requests that botocore signed (`data/sign_with_botocore.py`) verify, and stop to verify when anything in them changes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use fogbank_sigv4::{
    Error, Options, RequestView, Rules, SigningKeyCache, Style, parse, sha256_hex, verify,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

struct Case {
    name: String,
    method: String,
    path: String,
    query: String,
    host: String,
    headers: HeaderMap,
    body: String,
    token: Option<String>,
    service: String,
    region: String,
    rules: Rules,
}

fn cases() -> (String, i64, Vec<Case>) {
    let data: Value = serde_json::from_str(include_str!("data/botocore.json")).unwrap();
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let requests = data["requests"].as_array().unwrap().iter().map(|request| Case {
        name: text(request, "name"),
        method: text(request, "method"),
        path: text(request, "path"),
        query: text(request, "query"),
        host: text(request, "host"),
        headers: headers(&request["headers"]),
        body: text(request, "body"),
        token: request["token"].as_str().map(str::to_owned),
        service: text(request, "service"),
        region: text(request, "region"),
        rules: if text(request, "rules") == "s3" { Rules::S3 } else { Rules::Other },
    });
    (text(&data, "secret"), data["now"].as_i64().unwrap(), requests.collect())
}

fn headers(pairs: &Value) -> HeaderMap {
    let pair = |pair: &Value| {
        let name: HeaderName = pair[0].as_str().unwrap().parse().unwrap();
        (name, HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap())
    };
    pairs.as_array().unwrap().iter().map(pair).collect()
}

impl Case {
    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            host: &self.host,
            headers: &self.headers,
        }
    }

    fn check(&self, view: &RequestView<'_>, secret: &str, now: i64) -> Result<(), Error> {
        let presented = parse(view)?.ok_or(Error::MissingAuthentication)?;
        assert_eq!(presented.access_key_id(), "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(presented.session_token.as_deref(), self.token.as_deref());
        let cache = SigningKeyCache::default();
        let key = cache.key(&presented, secret);
        let options = Options {
            region: Some(&self.region),
            service: Some(&self.service),
            ..Options::new(self.rules)
        };
        let hash = sha256_hex(self.body.as_bytes());
        verify(&presented, view, &key, Some(&hash), now, &options).map(drop)
    }
}

#[test]
fn what_botocore_signs_verifies() {
    let (secret, now, cases) = cases();
    assert_eq!(cases.len(), 15);
    for case in &cases {
        let checked = case.check(&case.view(), &secret, now);
        assert!(checked.is_ok(), "{}: {checked:#?}", case.name);
    }
}

#[test]
fn another_secret_method_host_path_or_query_does_not() {
    let (secret, now, cases) = cases();
    for case in &cases {
        let view = case.view();
        let path = format!("{}x", view.raw_path);
        let query = format!("{}&x=y", view.raw_query);
        for changed in [
            RequestView { method: "DELETE", ..view },
            RequestView { host: "example.com", ..view },
            RequestView { raw_path: &path, ..view },
            RequestView { raw_query: &query, ..view },
        ] {
            let error = case.check(&changed, &secret, now).unwrap_err();
            assert!(matches!(error, Error::SignatureDoesNotMatch(_)), "{}: {error}", case.name);
        }
        let error = case.check(&view, &secret[1..], now).unwrap_err();
        assert_eq!(error.render(Style::Query).code, "SignatureDoesNotMatch");
    }
}

#[test]
fn another_signed_header_or_body_does_not() {
    let (secret, now, mut cases) = cases();
    for case in &mut cases {
        let signed: Vec<String> = {
            let view = case.view();
            let presented = parse(&view).unwrap().unwrap();
            presented.signed_headers().map(str::to_owned).collect()
        };
        for name in signed.iter().filter(|name| *name != "host") {
            let value = case.headers.insert(
                HeaderName::try_from(name).unwrap(),
                HeaderValue::from_static("20261120T210508Z"),
            );
            let changed = case.check_without_token(&secret, now);
            assert!(changed.is_err(), "{}: {name}", case.name);
            case.headers.insert(HeaderName::try_from(name).unwrap(), value.unwrap());
        }
        let hashed = case.query.is_empty() || case.rules == Rules::Other;
        if hashed && !case.name.ends_with("unsigned-payload") {
            case.body.push('!');
            let error = case.check(&case.view(), &secret, now).unwrap_err();
            let code = error.render(Style::S3Xml).code;
            let expected = match case.rules {
                Rules::S3 => "XAmzContentSHA256Mismatch",
                Rules::Other => "SignatureDoesNotMatch",
            };
            assert_eq!(code, expected, "{}", case.name);
        }
    }
}

impl Case {
    fn check_without_token(&self, secret: &str, now: i64) -> Result<(), Error> {
        let view = self.view();
        let presented = parse(&view)?.ok_or(Error::MissingAuthentication)?;
        let key = SigningKeyCache::default().key(&presented, secret);
        let hash = sha256_hex(self.body.as_bytes());
        let options = Options::new(self.rules);
        verify(&presented, &view, &key, Some(&hash), now, &options).map(drop)
    }
}

#[test]
fn time_and_scope_are_checked_before_the_signature() {
    let (secret, now, cases) = cases();
    for case in &cases {
        let presigned = case.query.contains("X-Amz-Signature");
        let code = |now| {
            let error = case.check(&case.view(), &secret, now).unwrap_err();
            error.render(Style::S3Xml).code
        };
        let expected = if presigned { "AccessDenied" } else { "RequestTimeTooSkewed" };
        assert_eq!(code(now + 3601), expected, "{}", case.name);
        assert_eq!(code(now - 901), expected, "{}", case.name);
        assert!(case.check(&case.view(), &secret, now + 900).is_ok());
        assert!(case.check(&case.view(), &secret, now - 900).is_ok());
    }
}
