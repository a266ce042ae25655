//! Properties of every parser of the signature layer: whatever comes, none panics, and none lets anything through.
//!
//! More cases: `PROPTEST_CASES=100000 cargo test --release -p fogbank-sigv4 --test parsers`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_sigv4::post::{self, Allowed, FormSignature, PostError};
use fogbank_sigv4::sign::{RegionSetSigner, Signer};
use fogbank_sigv4::{
    AmzDate, ChunkedDecoder, Error, Options, PresignedV2, RequestView, Rules, SigningKey, parse,
    verify,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_795_208_709;

/// Text that looks like the parts of a signature, and sometimes is none.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("AWS4-HMAC-SHA256".to_owned()),
        Just("AWS4-ECDSA-P256-SHA256".to_owned()),
        Just("AWS".to_owned()),
        Just("Credential=A/20261120/us-east-1/s3/aws4_request".to_owned()),
        Just("Credential=A/20261120/s3/aws4_request".to_owned()),
        Just("SignedHeaders=host;x-amz-date".to_owned()),
        "Signature=([0-9a-f]{64}|30[0-9a-f]{0,142}|[0-9a-zA-Z*]{0,10})",
        "[ -~]{0,12}",
    ]
}

fn parameter() -> impl Strategy<Value = String> {
    prop_oneof![
        "X-Amz-Algorithm=AWS4-(HMAC|ECDSA-P256)-SHA256",
        "X-Amz-Credential=A(/|%2F)20261120(/|%2F)(us-east-1(/|%2F))?s3(/|%2F)aws4_request",
        Just("X-Amz-Date=20261120T210509Z".to_owned()),
        "X-Amz-Expires=[0-9-]{0,20}",
        "X-Amz-SignedHeaders=[a-z%3B;]{0,12}",
        "X-Amz-Signature=[0-9a-f%]{0,150}",
        "X-Amz-Region-Set=[a-z0-9*,%C-]{0,20}",
        "AWSAccessKeyId=[A-Z]{0,4}",
        "Signature=[a-zA-Z0-9%+/]{0,30}",
        "Expires=-?[0-9]{0,20}",
        "[ -~\u{80}-\u{2fff}]{0,12}",
    ]
}

fn json_like() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("content-length-range")),
        Just(json!("starts-with")),
        Just(json!("eq")),
        Just(json!("$key")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn no_request_panics_or_verifies(
        authorization in prop::collection::vec(part(), 0..5),
        glue in prop_oneof![Just(" "), Just(", "), Just(",")],
        parameters in prop::collection::vec(parameter(), 0..9),
        path in "[ -~\u{80}-\u{2fff}]{0,20}",
        regions in "[ -~]{0,20}",
        rules in prop_oneof![Just(Rules::S3), Just(Rules::Other)],
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", authorization.join(glue)),
            ("x-amz-date", "20261120T210509Z".to_owned()),
            ("x-amz-region-set", regions),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let query = parameters.join("&");
        let view = RequestView { method: "GET", raw_path: &path, raw_query: &query, host: "h", headers: &headers };
        if let Some(old) = PresignedV2::parse(&view) {
            prop_assert!(old.verify(&view, None, "secret", NOW).is_err());
        }
        if let Ok(Some(presented)) = parse(&view) {
            let _ = (presented.day(), presented.region(), presented.service(), presented.scope());
            let key = SigningKey::of(&presented, "secret");
            let options = Options { region: Some("us-east-1"), service: Some("s3"), ..Options::new(rules) };
            prop_assert!(verify(&presented, &view, &key, None, NOW, &options).is_err());
        }
    }

    #[test]
    fn no_chunks_panic_or_yield_more_than_was_announced(
        pieces in prop::collection::vec(
            prop_oneof![
                "[0-9a-f]{1,17}(;chunk-signature=[0-9a-f*]{0,150})?\r\n".prop_map(String::into_bytes),
                Just(b"5\r\nhello\r\n".to_vec()),
                Just(b"0\r\n".to_vec()),
                Just(b"\r\n".to_vec()),
                "[a-z-]{0,8}:[ -~]{0,8}\r\n".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..20),
            ],
            0..8,
        ),
        announced in 0..30u64,
        trailer in prop::option::of("[a-z,-]{0,12}"),
    ) {
        let mut decoder = ChunkedDecoder::unsigned(announced, trailer.as_deref());
        let mut received = 0;
        for piece in pieces {
            let mut input = Bytes::from(piece);
            while let Ok(Some(slice)) = decoder.decode(&mut input) {
                received += slice.len() as u64;
            }
        }
        prop_assert!(received <= announced);
        if let Ok(decoded) = decoder.finish() {
            prop_assert_eq!((decoded.length, received), (announced, announced));
        }
    }

    #[test]
    fn no_post_policy_panics(
        policy in prop_oneof![
            "\\PC{0,40}",
            json_like().prop_map(|conditions| STANDARD.encode(
                json!({"expiration": "2027-01-01T00:00:00Z", "conditions": conditions}).to_string()
            )),
            json_like().prop_map(|policy| STANDARD.encode(policy.to_string())),
        ],
        fields in prop::collection::vec(
            ("(key|acl|policy|x-amz-(algorithm|credential|signature|date)|awsaccesskeyid|signature|[a-z]{1,4})", "[ -~]{0,60}"),
            0..6,
        ),
    ) {
        let _ = post::check(&policy, &fields, "bucket", NOW);
        if let Ok(Some(signature)) = FormSignature::read(&fields) {
            let refused = signature.verify(&policy, "secret");
            prop_assert!(matches!(refused, Err(PostError::WrongSignature(_))));
        }
    }

    #[test]
    fn a_post_policy_allows_what_it_names_and_nothing_else(
        prefix in "[a-z/]{0,4}",
        key in "[a-z/]{0,8}",
        acl in prop::option::of("(private|public-read)"),
        extra in prop::option::of("x-amz-meta-[a-z]{1,3}"),
        late in any::<bool>(),
    ) {
        let policy = json!({
            "expiration": "2027-01-01T00:00:00Z",
            "conditions": [["starts-with", "$key", prefix], {"acl": "private"}, ["content-length-range", 1, 9]],
        });
        let mut fields = vec![("key".to_owned(), key.clone())];
        fields.extend(acl.clone().map(|acl| ("acl".to_owned(), acl)));
        fields.extend(extra.clone().map(|name| (name, "v".to_owned())));
        let now = if late { NOW + 400 * 86_400 } else { NOW };
        let verdict = post::check(&STANDARD.encode(policy.to_string()), &fields, "b", now);
        let holds = !late
            && key.starts_with(&prefix)
            && acl.as_deref() == Some("private")
            && extra.is_none();
        match holds {
            true => prop_assert_eq!(verdict, Ok(Allowed { length: Some((1, 9)) })),
            false => prop_assert!(matches!(verdict, Err(PostError::Refused(_))), "{:?}", verdict),
        }
    }

    #[test]
    fn dates_survive_and_nothing_else_is_one(secs in -62_167_219_200..253_402_207_200_i64, text in "\\PC{0,20}") {
        let date = AmzDate::from_unix(secs);
        prop_assert_eq!(AmzDate::parse(date.as_str().as_bytes()), Some(date));
        if let Some(date) = AmzDate::parse(text.as_bytes()) {
            prop_assert_eq!(date.as_str(), &text);
        }
        let _ = AmzDate::parse_http(text.as_bytes());
    }

    #[test]
    fn paths_of_any_script_verify_however_they_are_escaped(
        path in "(/[a-z \u{e9}\u{4e2d}\u{1f600}+~*'().%-]{0,6}){1,4}",
        rules in prop_oneof![Just(Rules::S3), Just(Rules::Other)],
        is_asymmetric in any::<bool>(),
        lower in any::<bool>(),
    ) {
        let escaped = escape(&path, lower);
        let (mut headers, none) = (HeaderMap::new(), HeaderMap::new());
        let signer = Signer {
            access_key_id: "A", secret: "secret", session_token: None, region: "us-east-1", service: "s3", rules,
        };
        let view = RequestView { method: "GET", raw_path: &escaped, raw_query: "", host: "h", headers: &none };
        let hash = fogbank_sigv4::EMPTY_SHA256;
        match is_asymmetric {
            true => RegionSetSigner { signer, region_set: "*" }.sign(&view, &mut headers, hash, NOW),
            false => signer.sign(&view, &mut headers, hash, NOW),
        }.unwrap();
        let check = |raw_path: &str| {
            let view = RequestView { raw_path, headers: &headers, ..view };
            let presented = parse(&view)?.unwrap();
            let key = SigningKey::of(&presented, "secret");
            verify(&presented, &view, &key, Some(hash), NOW, &Options::new(rules)).map(drop)
        };
        prop_assert_eq!(check(&escaped), Ok(()));
        let other = escaped.clone() + "x";
        prop_assert!(matches!(check(&other), Err(Error::SignatureDoesNotMatch(_))));
        // A proxy may spell escapes in capitals; to S3 both are one key.
        if rules == Rules::S3 && !lower {
            prop_assert_eq!(check(&escape(&path, false)), Ok(()));
        }
    }
}

/// Percent-encodes all but what may stand in a path.
fn escape(path: &str, lower: bool) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'/' | b'-' | b'.' | b'~' | b'a'..=b'z' => text.push(char::from(byte)),
            _ if lower => text.push_str(&format!("%{byte:02x}")),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}
