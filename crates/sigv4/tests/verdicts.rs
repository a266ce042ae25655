//! Each way in which a signature fails, in the words of each family of services.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{
    EMPTY_SHA256, Error, Options, Payload, Rendered, RequestView, Rules, SigningKey, Source, Style,
    parse, sha256_hex, verify,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// 2026-11-20T21:05:09Z.
const NOW: i64 = 1_795_208_709;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn get<'a>(path: &'a str, query: &'a str, headers: &'a HeaderMap) -> RequestView<'a> {
    RequestView { method: "GET", raw_path: path, raw_query: query, host: "127.0.0.1:4566", headers }
}

fn signer(rules: Rules) -> Signer<'static> {
    Signer {
        access_key_id: "test",
        secret: "test",
        session_token: None,
        region: "us-east-1",
        service: if rules == Rules::S3 { "s3" } else { "sts" },
        rules,
    }
}

fn options(rules: Rules) -> Options<'static> {
    let service = if rules == Rules::S3 { "s3" } else { "sts" };
    Options { region: Some("us-east-1"), service: Some(service), ..Options::new(rules) }
}

/// Signs a GET, lets `change` spoil it, and verifies it.
fn check(rules: Rules, change: impl FnOnce(&mut HeaderMap)) -> Result<(), Error> {
    let mut signed = HeaderMap::new();
    signer(rules).sign(&get("/", "", &HeaderMap::new()), &mut signed, EMPTY_SHA256, NOW).unwrap();
    change(&mut signed);
    check_at(rules, &get("/", "", &signed), NOW)
}

fn check_at(rules: Rules, request: &RequestView<'_>, now: i64) -> Result<(), Error> {
    let presented = parse(request)?.ok_or(Error::MissingAuthentication)?;
    let key = SigningKey::derive("test", presented.day(), presented.region(), presented.service());
    verify(&presented, request, &key, Some(EMPTY_SHA256), now, &options(rules)).map(drop)
}

fn replace(headers: &mut HeaderMap, name: &'static str, from: &str, to: &str) {
    let value = headers[name].to_str().unwrap().replace(from, to);
    headers.insert(name, HeaderValue::from_str(&value).unwrap());
}

fn authorization(from: &str, to: &str) -> impl FnOnce(&mut HeaderMap) {
    move |headers| replace(headers, "authorization", from, to)
}

#[track_caller]
fn expect(error: Error, style: Style, status: u16, code: &str, message: &str) -> Rendered {
    let rendered = error.render(style);
    assert_eq!((rendered.status, rendered.code), (status, code), "{}", rendered.message);
    assert_eq!(rendered.message, message);
    rendered
}

#[test]
fn an_untouched_request_verifies() {
    for rules in [Rules::S3, Rules::Other] {
        assert_eq!(check(rules, |_| {}), Ok(()));
    }
}

#[test]
fn a_wrong_signature() {
    let text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    let wrong = || {
        check(Rules::Other, |headers| {
            headers.insert("x-amz-date", HeaderValue::from_static("20261120T210510Z"));
        })
        .unwrap_err()
    };
    expect(wrong(), Style::Query, 403, "SignatureDoesNotMatch", text);
    expect(wrong(), Style::Json, 400, "InvalidSignatureException", text);
    expect(wrong(), Style::RestJson, 403, "InvalidSignatureException", text);
    let text = "AWS was not able to validate the provided access credentials";
    expect(wrong(), Style::Ec2, 401, "AuthFailure", text);
}

#[test]
fn s3_shows_both_sides_of_a_wrong_signature() {
    let signature = "0".repeat(64);
    let error = check(Rules::S3, |headers| {
        let text = headers["authorization"].to_str().unwrap();
        let (head, _) = text.split_once("Signature=").unwrap();
        let text = format!("{head}Signature={signature}");
        headers.insert("authorization", HeaderValue::from_str(&text).unwrap());
    });
    let text = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    let rendered = expect(error.unwrap_err(), Style::S3Xml, 403, "SignatureDoesNotMatch", text);
    let canonical = format!(
        "GET\n/\n\nhost:127.0.0.1:4566\nx-amz-content-sha256:{EMPTY_SHA256}\nx-amz-date:20261120T210509Z\n\nhost;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}"
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n20261120T210509Z\n20261120/us-east-1/s3/aws4_request\n{}",
        sha256_hex(canonical.as_bytes())
    );
    let (names, values): (Vec<_>, Vec<_>) = rendered.extra.into_iter().unzip();
    assert_eq!(
        names,
        [
            "AWSAccessKeyId",
            "StringToSign",
            "SignatureProvided",
            "StringToSignBytes",
            "CanonicalRequest",
            "CanonicalRequestBytes"
        ]
    );
    assert_eq!(values[..3], ["test".to_owned(), to_sign, signature]);
    assert!(values[3].starts_with("41 57 53 34 2d 48 4d 41 43"));
    assert_eq!(values[4], canonical);
    assert!(values[5].starts_with("47 45 54 0a 2f 0a 0a"));
}

#[test]
fn a_skewed_clock() {
    let mut signed = HeaderMap::new();
    signer(Rules::Other)
        .sign(&get("/", "", &HeaderMap::new()), &mut signed, EMPTY_SHA256, NOW)
        .unwrap();
    let late = || check_at(Rules::Other, &get("/", "", &signed), NOW + 901).unwrap_err();
    let text = "Signature expired: 20261120T210509Z is now earlier than 20261120T210510Z (20261120T212010Z - 15 min.)";
    expect(late(), Style::Query, 403, "SignatureDoesNotMatch", text);
    expect(late(), Style::Json, 400, "InvalidSignatureException", text);
    expect(late(), Style::Ec2, 400, "RequestExpired", "Request has expired.");
    let early = check_at(Rules::Other, &get("/", "", &signed), NOW - 901).unwrap_err();
    let text = "Signature not yet current: 20261120T210509Z is still later than 20261120T210508Z (20261120T205008Z + 15 min.)";
    expect(early, Style::Query, 403, "SignatureDoesNotMatch", text);
    let error = Error::Skewed { signed_at: NOW, now: NOW + 901, window_secs: 900 };
    let text = "The difference between the request time and the current time is too large.";
    let rendered = expect(error, Style::S3Xml, 403, "RequestTimeTooSkewed", text);
    assert_eq!(
        rendered.extra,
        [
            ("RequestTime", "20261120T210509Z".to_owned()),
            ("ServerTime", "2026-11-20T21:20:10Z".to_owned()),
            ("MaxAllowedSkewMilliseconds", "900000".to_owned())
        ]
    );
}

#[test]
fn presigned_requests_expire() {
    let none = HeaderMap::new();
    let query = signer(Rules::S3).presign(&get("/b/k", "", &none), 60, NOW);
    let at = |now| check_at(Rules::S3, &get("/b/k", &query, &none), now);
    assert_eq!(at(NOW + 59), Ok(()));
    let rendered =
        expect(at(NOW + 60).unwrap_err(), Style::S3Xml, 403, "AccessDenied", "Request has expired");
    assert_eq!(
        rendered.extra,
        [
            ("X-Amz-Expires", "60".to_owned()),
            ("Expires", "2026-11-20T21:06:09Z".to_owned()),
            ("ServerTime", "2026-11-20T21:06:09Z".to_owned())
        ]
    );
    let early = at(NOW - 901).unwrap_err();
    let rendered = expect(early, Style::S3Xml, 403, "AccessDenied", "Request is not yet valid");
    assert_eq!(rendered.extra[0], ("X-Amz-Date", "1795208709000".to_owned()));
}

#[test]
fn presigned_queries_are_checked_for_form() {
    let none = HeaderMap::new();
    let query = signer(Rules::S3).presign(&get("/", "", &none), 60, NOW);
    let long = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds";
    let missing = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    let credential = "Error parsing the X-Amz-Credential parameter; ";
    for (from, to, message) in [
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", long.to_owned()),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "X-Amz-Expires must be non-negative".to_owned()),
        ("X-Amz-Expires=60", "X-Amz-Expires=1h", "X-Amz-Expires should be a number".to_owned()),
        ("&X-Amz-Expires=60", "", missing.to_owned()),
        ("&X-Amz-SignedHeaders=host", "", missing.to_owned()),
        ("&X-Amz-Date=20261120T210509Z", "&X-Amz-Date", missing.to_owned()),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "", missing.to_owned()),
        (
            "20261120T210509Z",
            "2026-11-20",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"".to_owned(),
        ),
        (
            "AWS4-HMAC-SHA256",
            "AWS4",
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"".to_owned(),
        ),
        (
            "20261120%2F",
            "20261121%2F",
            "Invalid credential date \"20261121\". This date is not the same as X-Amz-Date: \"20261120\".".to_owned(),
        ),
        (
            "us-east-1",
            "eu-west-1",
            format!("{credential}the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
        ),
        (
            "%2Fs3%2F",
            "%2Fsts%2F",
            format!("{credential}incorrect service \"sts\". This endpoint belongs to \"s3\"."),
        ),
        (
            "aws4_request",
            "aws_request",
            format!("{credential}incorrect terminal \"aws_request\". This endpoint uses \"aws4_request\"."),
        ),
        (
            "%2Fus-east-1",
            "",
            format!("{credential}the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."),
        ),
    ] {
        assert!(query.contains(from), "{from}");
        let query = query.replace(from, to);
        let error = check_at(Rules::S3, &get("/", &query, &none), NOW).unwrap_err();
        expect(error, Style::S3Xml, 400, "AuthorizationQueryParametersError", &message);
    }
}

#[test]
fn authorization_headers_are_checked_for_form_by_s3() {
    let three = "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
    for (from, to, message) in [
        ("Credential=test/20261120/us-east-1/s3/aws4_request, SignedHeaders", "X", three),
        ("Signature=", "signature=", "missing Signature."),
        (
            "Credential=",
            "Credential= ",
            "the authorization component \"test/20261120/us-east-1/s3/aws4_request\" is malformed.",
        ),
        (
            "/aws4_request",
            "",
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        ),
        (
            "20261120",
            "2026112",
            "incorrect date format \"2026112\". This date in the credential must be in the format \"yyyyMMdd\".",
        ),
        ("20261120", "20261119", "Invalid credential date. Date is not the same as X-Amz-Date."),
        ("us-east-1", "eu-west-1", "the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
    ] {
        let error = check(Rules::S3, authorization(from, to)).unwrap_err();
        let message = format!("The authorization header is malformed; {message}");
        let rendered = expect(error, Style::S3Xml, 400, "AuthorizationHeaderMalformed", &message);
        let region = ("Region", "us-east-1".to_owned());
        assert_eq!(rendered.extra.contains(&region), to == "eu-west-1");
    }
}

#[test]
fn authorization_headers_are_checked_for_form_by_the_others() {
    let incomplete = "IncompleteSignature";
    let mismatch = "SignatureDoesNotMatch";
    for (from, to, status, code, message) in [
        (
            "/aws4_request",
            "",
            400,
            incomplete,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'test/20261120/us-east-1/sts'",
        ),
        (
            "20261120",
            "20261119",
            403,
            mismatch,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261119' != '20261120', from '20261120T210509Z'.",
        ),
        (
            "us-east-1",
            "eu-west-1",
            403,
            mismatch,
            "Credential should be scoped to a valid region, not 'eu-west-1'. ",
        ),
        ("sts", "iam", 403, mismatch, "Credential should be scoped to correct service: 'sts'. "),
        (
            "host;",
            "",
            403,
            mismatch,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            "host;",
            "host;x-absent;",
            403,
            mismatch,
            "'x-absent' is named as a SignedHeader, but it does not exist in the HTTP request",
        ),
    ] {
        let error = check(Rules::Other, authorization(from, to)).unwrap_err();
        expect(error, Style::Query, status, code, message);
    }
    let error = check(Rules::Other, |headers| {
        headers.remove("x-amz-date");
        headers.insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 a=b"));
    });
    let text = "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=";
    let rendered = error.unwrap_err().render(Style::Json);
    assert_eq!(rendered.code, "IncompleteSignatureException");
    let hash = rendered.message.strip_prefix(text).unwrap();
    assert_eq!(hash.len(), 44, "{hash}");
}

#[test]
fn dates_that_are_missing_or_strange() {
    let missing = |rules| check(rules, |headers| drop(headers.remove("x-amz-date"))).unwrap_err();
    expect(
        missing(Rules::S3),
        Style::S3Xml,
        403,
        "AccessDenied",
        "AWS authentication requires a valid Date or x-amz-date header",
    );
    expect(
        missing(Rules::Other),
        Style::Query,
        400,
        "IncompleteSignature",
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
    let strange = check(Rules::Other, |headers| {
        headers.insert("x-amz-date", HeaderValue::from_static("20261120"));
    });
    expect(
        strange.unwrap_err(),
        Style::Json,
        400,
        "IncompleteSignatureException",
        "Date must be in ISO-8601 'basic format'. Got '20261120'. See http://en.wikipedia.org/wiki/ISO_8601",
    );
}

#[test]
fn s3_wants_every_amz_header_signed() {
    let error = check(Rules::S3, |headers| {
        headers.insert("x-amz-tagging", HeaderValue::from_static("a=b"));
        headers.insert("x-amz-acl", HeaderValue::from_static("public-read"));
        headers.insert("x-amz-cf-id", HeaderValue::from_static("cloudfront"));
        headers.insert("x-amzn-trace-id", HeaderValue::from_static("Root=1"));
        headers.insert("range", HeaderValue::from_static("bytes=0-1"));
    });
    let text = "There were headers present in the request which were not signed";
    let rendered = expect(error.unwrap_err(), Style::S3Xml, 403, "AccessDenied", text);
    assert_eq!(rendered.extra, [("HeadersNotSigned", "x-amz-acl, x-amz-tagging".to_owned())]);
    let error = check(Rules::S3, authorization("host;", "")).unwrap_err();
    let rendered = expect(error, Style::S3Xml, 403, "AccessDenied", text);
    assert_eq!(rendered.extra, [("HeadersNotSigned", "host".to_owned())]);
    let extra = |headers: &mut HeaderMap| {
        headers.insert("x-amz-user-agent", HeaderValue::from_static("js"));
    };
    assert_eq!(check(Rules::Other, extra), Ok(()));
}

#[test]
fn an_absent_signed_header_is_an_empty_one_to_s3() {
    let mut signed = headers(&[("x-custom", "")]);
    let none = HeaderMap::new();
    signer(Rules::S3).sign(&get("/", "", &none), &mut signed, EMPTY_SHA256, NOW).unwrap();
    signed.remove("x-custom");
    assert_eq!(check_at(Rules::S3, &get("/", "", &signed), NOW), Ok(()));
    let mut signed = headers(&[("x-custom", "value")]);
    signer(Rules::S3).sign(&get("/", "", &none), &mut signed, EMPTY_SHA256, NOW).unwrap();
    signed.remove("x-custom");
    let error = check_at(Rules::S3, &get("/", "", &signed), NOW).unwrap_err();
    assert_eq!(error.render(Style::S3Xml).code, "SignatureDoesNotMatch");
}

#[test]
fn the_body_must_have_the_stated_hash() {
    let mut signed = HeaderMap::new();
    let none = HeaderMap::new();
    let stated = sha256_hex(b"stated");
    signer(Rules::S3).sign(&get("/", "", &none), &mut signed, &stated, NOW).unwrap();
    let request = get("/", "", &signed);
    let presented = parse(&request).unwrap().unwrap();
    assert_eq!(presented.payload, Payload::Sha256(stated.clone().into()));
    let key = SigningKey::derive("test", "20261120", "us-east-1", "s3");
    let options = options(Rules::S3);
    let verified = verify(&presented, &request, &key, None, NOW, &options).unwrap();
    assert_eq!(verified.check_body(&stated), Ok(()));
    assert!(verified.chunked(Some(1), None).unwrap().is_none());
    let error = verified.check_body(EMPTY_SHA256).unwrap_err();
    let eager = verify(&presented, &request, &key, Some(EMPTY_SHA256), NOW, &options);
    assert_eq!(eager.unwrap_err(), error);
    let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    let rendered = expect(error, Style::S3Xml, 400, "XAmzContentSHA256Mismatch", text);
    assert_eq!(
        rendered.extra,
        [
            ("ClientComputedContentSHA256", stated),
            ("S3ComputedContentSHA256", EMPTY_SHA256.to_owned())
        ]
    );
}

#[test]
fn s3_wants_a_usable_content_hash() {
    let error = check(Rules::S3, |headers| drop(headers.remove("x-amz-content-sha256")));
    let text = "Missing required header for this request: x-amz-content-sha256";
    expect(error.unwrap_err(), Style::S3Xml, 400, "InvalidRequest", text);
    let error = check(Rules::S3, |headers| {
        headers.insert("x-amz-content-sha256", HeaderValue::from_static("abc"));
    });
    let rendered = error.unwrap_err().render(Style::S3Xml);
    assert_eq!((rendered.status, rendered.code), (400, "InvalidArgument"));
    assert_eq!(rendered.extra[1], ("ArgumentValue", "abc".to_owned()));
}

#[test]
fn clients_that_encode_their_paths_in_their_own_way() {
    let none = HeaderMap::new();
    // Signed by S3's rules, as some clients do for every service, and the reverse for a rewritten escape.
    for (rules, signed_path, sent_path) in [
        (Rules::Other, "/a%20b//c", "/a%20b//c"),
        (Rules::S3, "/b/a%20~b", "/b/a%20%7Eb"),
        (Rules::S3, "/b/%E1%88%B4", "/b/%e1%88%b4"),
    ] {
        let mut signed = HeaderMap::new();
        let raw = Signer { rules: Rules::S3, ..signer(rules) };
        raw.sign(&get(signed_path, "", &none), &mut signed, EMPTY_SHA256, NOW).unwrap();
        assert_eq!(check_at(rules, &get(sent_path, "", &signed), NOW), Ok(()), "{sent_path}");
    }
}

#[test]
fn other_mechanisms_are_told_apart() {
    let request = |value, query| {
        let headers = headers(&[("authorization", value)]);
        parse(&get("/", query, &headers)).map(|presented| presented.is_some())
    };
    for anonymous in ["Bearer AWS4-HMAC-SHA256", "Basic dGVzdA==", "AWS4", ""] {
        assert_eq!(request(anonymous, "list-type=2&Signature=x"), Ok(false), "{anonymous}");
    }
    let v2 = request("AWS test:signature", "").unwrap_err();
    assert_eq!(request("", "AWSAccessKeyId=test&Signature=x&Expires=1"), Err(v2.clone()));
    let text = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
    expect(v2, Style::S3Xml, 400, "InvalidRequest", text);
    for (value, query) in [
        ("AWS4-ECDSA-P256-SHA256 Credential=test/20261120/s3/aws4_request", ""),
        ("", "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256"),
    ] {
        let rendered = request(value, query).unwrap_err().render(Style::Json);
        assert_eq!((rendered.status, rendered.code), (400, "IncompleteSignatureException"));
    }
    let two = request("AWS4-HMAC-SHA256 x", "X-Amz-Algorithm=AWS4-HMAC-SHA256").unwrap_err();
    let rendered = two.render(Style::S3Xml);
    assert_eq!((rendered.status, rendered.code), (400, "InvalidArgument"));
    assert!(rendered.message.starts_with("Only one auth mechanism allowed;"));
}

#[test]
fn what_is_presented_can_be_read() {
    let none = HeaderMap::new();
    let signer = Signer { session_token: Some("a+b/c=="), ..signer(Rules::Other) };
    let query = signer.presign(&get("/", "Action=GetCallerIdentity", &none), 900, NOW);
    let request = get("/", &query, &none);
    let presented = parse(&request).unwrap().unwrap();
    assert_eq!(presented.access_key_id(), "test");
    assert_eq!(presented.scope(), "20261120/us-east-1/sts/aws4_request");
    let parts = [presented.day(), presented.region(), presented.service()];
    assert_eq!(parts, ["20261120", "us-east-1", "sts"]);
    assert_eq!(presented.session_token.as_deref(), Some("a+b/c=="));
    assert_eq!((presented.source, presented.expires_secs), (Source::Query, Some(900)));
    assert_eq!(presented.signed_at.unix_secs(), NOW);
    assert_eq!(presented.signature().len(), 64);
    assert_eq!(check_at(Rules::Other, &request, NOW), Ok(()));
    let late = check_at(Rules::Other, &request, NOW + 901).unwrap_err();
    let text = "Signature expired: 20261120T210509Z is now earlier than 20261120T210510Z (20261120T212010Z - 15 min.)";
    expect(late, Style::Query, 403, "SignatureDoesNotMatch", text);
}

#[test]
fn what_only_the_caller_knows() {
    let unknown = || Error::UnknownAccessKey { access_key_id: "AKIA".to_owned() };
    let text = "The AWS Access Key Id you provided does not exist in our records.";
    let rendered = expect(unknown(), Style::S3Xml, 403, "InvalidAccessKeyId", text);
    assert_eq!(rendered.extra, [("AWSAccessKeyId", "AKIA".to_owned())]);
    let text = "The security token included in the request is invalid.";
    expect(unknown(), Style::Query, 403, "InvalidClientTokenId", text);
    expect(unknown(), Style::Json, 400, "UnrecognizedClientException", text);
    expect(unknown(), Style::RestJson, 403, "UnrecognizedClientException", text);
    let text = "AWS was not able to validate the provided access credentials";
    expect(unknown(), Style::Ec2, 401, "AuthFailure", text);

    let expired = || Error::ExpiredToken { token: "t".to_owned() };
    expect(expired(), Style::S3Xml, 400, "ExpiredToken", "The provided token has expired.");
    let text = "The security token included in the request is expired";
    expect(expired(), Style::Query, 403, "ExpiredToken", text);
    expect(expired(), Style::Json, 400, "ExpiredTokenException", text);
    expect(expired(), Style::Ec2, 400, "RequestExpired", "Request has expired.");

    let missing = || Error::MissingAuthentication;
    expect(missing(), Style::S3Xml, 403, "AccessDenied", "Access Denied");
    let text = "Request is missing Authentication Token";
    expect(missing(), Style::Query, 403, "MissingAuthenticationToken", text);
    expect(missing(), Style::Json, 400, "MissingAuthenticationTokenException", text);
    let text = "The request must contain the parameter AWSAccessKeyId";
    expect(missing(), Style::Ec2, 400, "MissingParameter", text);

    let invalid = || Error::InvalidToken { token: "t".to_owned() };
    let text = "The provided token is malformed or otherwise invalid.";
    let rendered = expect(invalid(), Style::S3Xml, 400, "InvalidToken", text);
    assert_eq!(rendered.extra, [("Token-0", "t".to_owned())]);
    let text = "The security token included in the request is invalid.";
    expect(invalid(), Style::Query, 403, "InvalidClientTokenId", text);
}
