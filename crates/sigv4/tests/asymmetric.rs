//! SigV4A: requests that the AWS Common Runtime signed (`data/sign_with_awscrt.py`), AWS's published key and signatures,
//! sets of regions, and chunks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use fogbank_sigv4::sign::{ChunkSigner, RegionSetSigner, Signer};
use fogbank_sigv4::{
    Algorithm, EMPTY_SHA256, Error, Options, Payload, RequestView, Rules, SigningKey,
    SigningKeyCache, Style, parse, sha256_hex, verify,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

const NOW: i64 = 1_795_208_709;
const CHUNKS: &str = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
const CHUNKS_TRAILER: &str = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn signer(rules: Rules) -> RegionSetSigner<'static> {
    let signer = Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        session_token: None,
        region: "",
        service: if rules == Rules::S3 { "s3" } else { "sts" },
        rules,
    };
    RegionSetSigner { signer, region_set: "eu-west-1,us-*" }
}

fn view<'a>(query: &'a str, headers: &'a HeaderMap) -> RequestView<'a> {
    RequestView {
        method: "PUT",
        raw_path: "/b/k%20",
        raw_query: query,
        host: "127.0.0.1:4566",
        headers,
    }
}

fn check(view: &RequestView<'_>, rules: Rules, region: Option<&str>) -> Result<(), Error> {
    let presented = parse(view)?.unwrap();
    let key = SigningKey::of(&presented, signer(rules).signer.secret);
    let options = Options { region, ..Options::new(rules) };
    verify(&presented, view, &key, Some(EMPTY_SHA256), NOW, &options).map(drop)
}

#[test]
fn what_the_common_runtime_signs_verifies() {
    let data: Value = serde_json::from_str(include_str!("data/awscrt.json")).unwrap();
    let secret = data["secret"].as_str().unwrap();
    let cache = SigningKeyCache::default();
    for case in data["requests"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let pairs = case["headers"].as_array().unwrap();
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect();
        let headers = headers(&pairs);
        let view = RequestView {
            method: text("method"),
            raw_path: text("path"),
            raw_query: text("query"),
            host: text("host"),
            headers: &headers,
        };
        let rules = if text("rules") == "s3" { Rules::S3 } else { Rules::Other };
        let check = |view: &RequestView<'_>, body: &str| {
            let presented = parse(view)?.unwrap();
            assert_eq!(presented.algorithm, Algorithm::EcdsaP256Sha256);
            assert_eq!(presented.service(), text("service"));
            assert_eq!(presented.regions().collect::<Vec<_>>().join(","), text("region_set"));
            assert_eq!(presented.session_token.as_deref(), case["token"].as_str());
            let hash = match presented.payload {
                Payload::SignedChunks(_) => None,
                _ => Some(sha256_hex(body.as_bytes())),
            };
            let key = cache.key(&presented, secret);
            verify(&presented, view, &key, hash.as_deref(), NOW, &Options::new(rules)).map(drop)
        };
        let name = text("name");
        assert_eq!(check(&view, text("body")), Ok(()), "{name}");
        assert!(check(&RequestView { method: "PATCH", ..view }, text("body")).is_err(), "{name}");
        let query = format!("{}&x=y", view.raw_query);
        assert!(check(&RequestView { raw_query: &query, ..view }, text("body")).is_err());
        if view.raw_query.is_empty() && name != "s3-chunks" {
            assert!(check(&view, "other").is_err(), "{name}");
        }
    }
    assert_eq!(cache.len(), 1, "one key for all days, services and regions");
}

/// The key and the signatures of `get-vanilla` in AWS's signing test suite.
#[test]
fn published_signatures_verify() {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let check = |view: &RequestView<'_>| {
        let presented = parse(view)?.unwrap();
        let key = SigningKey::of(&presented, secret);
        let options = Options { service: Some("service"), ..Options::new(Rules::Other) };
        verify(&presented, view, &key, Some(EMPTY_SHA256), 1_440_938_160, &options).map(drop)
    };
    let signed = headers(&[
        ("x-amz-date", "20150830T123600Z"),
        ("x-amz-region-set", "us-east-1"),
        (
            "authorization",
            "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/20150830/service/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-region-set, \
             Signature=3046022100fddaaf816a31e30d04973875b13bc27b98da10907a3a1872fd5819a221334abc\
             022100de2ee81d83b54f31efc82834de07e6cd4d5c6f25bfa08e0f29a15bb0977c343e",
        ),
    ]);
    let host = "example.amazonaws.com";
    let get = RequestView { method: "GET", raw_path: "/", host, ..view("", &signed) };
    assert_eq!(check(&get), Ok(()));
    let query = "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fservice%2Faws4_request\
        &X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600\
        &X-Amz-Region-Set=us-east-1\
        &X-Amz-Signature=3045022100a28466db6c76223d5aa6ed436a8451b30e21ba0a076e7f2f943dd1f3d28162\
        49022049e4b3746929cd2a2cb7b7984dbe0f5d40a300e7d9a7a7f1307c196b6f96b61a";
    let none = HeaderMap::new();
    assert_eq!(check(&RequestView { raw_query: query, headers: &none, ..get }), Ok(()));
    let other = query.replace("Set=us-east-1", "Set=us-west-1");
    let refused = check(&RequestView { raw_query: &other, headers: &none, ..get });
    assert!(matches!(refused, Err(Error::SignatureDoesNotMatch(_))), "{refused:?}");
}

#[test]
fn a_set_of_regions_opens_its_regions_alone() {
    for rules in [Rules::S3, Rules::Other] {
        let mut signed = HeaderMap::new();
        let none = HeaderMap::new();
        signer(rules).sign(&view("", &none), &mut signed, EMPTY_SHA256, NOW).unwrap();
        let query = signer(rules).presign(&view("", &none), 60, NOW);
        for view in [view("", &signed), view(&query, &none)] {
            for region in [None, Some("eu-west-1"), Some("us-east-1"), Some("us-")] {
                assert_eq!(check(&view, rules, region), Ok(()), "{region:?}");
            }
            for region in ["eu-west-2", "us", "", "ap-us-east-1"] {
                let refused = check(&view, rules, Some(region)).unwrap_err();
                assert!(matches!(refused, Error::Credential { .. }), "{region}: {refused:?}");
            }
        }
    }
}

#[test]
fn the_set_of_regions_must_be_there_and_signed() {
    let mut signed = HeaderMap::new();
    signer(Rules::Other)
        .sign(&view("", &HeaderMap::new()), &mut signed, EMPTY_SHA256, NOW)
        .unwrap();
    let mut missing = signed.clone();
    missing.remove("x-amz-region-set");
    let refused = parse(&view("", &missing)).unwrap_err();
    assert_eq!(refused, Error::MissingRegionSet);
    assert_eq!(refused.render(Style::S3Xml).code, "AuthorizationHeaderMalformed");
    assert_eq!(refused.render(Style::Query).code, "IncompleteSignature");
    let text = signed["authorization"].to_str().unwrap().replace(";x-amz-region-set", "");
    signed.insert("authorization", HeaderValue::from_str(&text).unwrap());
    let refused = check(&view("", &signed), Rules::Other, None).unwrap_err();
    assert_eq!(refused, Error::HeadersNotSigned(vec!["x-amz-region-set".to_owned()]));
}

#[test]
fn a_key_of_the_other_algorithm_verifies_nothing() {
    let mut signed = HeaderMap::new();
    signer(Rules::S3).sign(&view("", &HeaderMap::new()), &mut signed, EMPTY_SHA256, NOW).unwrap();
    let view = view("", &signed);
    let presented = parse(&view).unwrap().unwrap();
    let key = SigningKey::derive(signer(Rules::S3).signer.secret, "20261120", "", "s3");
    let options = Options::new(Rules::S3);
    assert!(verify(&presented, &view, &key, None, NOW, &options).is_err());
    let wrong = SigningKey::of(&presented, "another secret");
    assert!(verify(&presented, &view, &wrong, None, NOW, &options).is_err());
}

/// Signs a body of two chunks, decodes it, and hands out what came.
fn upload(
    payload: &str,
    trailers: &[(String, String)],
    spoil: Option<usize>,
) -> Result<Vec<u8>, Error> {
    let mut headers = HeaderMap::new();
    let signed = signer(Rules::S3).sign(&view("", &HeaderMap::new()), &mut headers, payload, NOW);
    let mut chunks = ChunkSigner::new(signed.unwrap());
    let mut body = [chunks.chunk(&[b'a'; 9000]), chunks.chunk(b"end")].concat();
    body.extend_from_slice(&chunks.finish(trailers));
    if let Some(at) = spoil {
        body[at % 9300] ^= 1;
    }
    let view = view("", &headers);
    let presented = parse(&view)?.unwrap();
    let key = SigningKey::of(&presented, signer(Rules::S3).signer.secret);
    let verified = verify(&presented, &view, &key, None, NOW, &Options::new(Rules::S3))?;
    let mut decoder = verified.chunked(Some(9003), None)?.unwrap();
    let mut input = Bytes::from(body);
    let mut out = Vec::new();
    while let Some(slice) = decoder.decode(&mut input)? {
        out.extend_from_slice(&slice);
    }
    assert_eq!(decoder.finish()?.trailers, trailers);
    Ok(out)
}

#[test]
fn chunks_verify_with_the_chain_of_their_signatures() {
    let trailers = [("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned())];
    for (payload, trailers) in [(CHUNKS, &[][..]), (CHUNKS_TRAILER, &trailers[..])] {
        assert_eq!(upload(payload, trailers, None).unwrap().len(), 9003);
        for at in [0, 30, 500, 9200] {
            assert!(upload(payload, trailers, Some(at)).is_err(), "{payload} {at}");
        }
    }
}

#[test]
fn words_of_the_other_algorithm_are_unknown() {
    let mut signed = HeaderMap::new();
    let hmac = Signer { region: "us-east-1", ..signer(Rules::S3).signer };
    hmac.sign(&view("", &HeaderMap::new()), &mut signed, CHUNKS, NOW).unwrap();
    let refused = check(&view("", &signed), Rules::S3, None).unwrap_err();
    assert_eq!(refused.render(Style::S3Xml).code, "InvalidArgument");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_other_signature_verifies(at in 0..140usize, bit in 0..7u8) {
        let mut signed = HeaderMap::new();
        signer(Rules::Other).sign(&view("", &HeaderMap::new()), &mut signed, EMPTY_SHA256, NOW).unwrap();
        let mut text = signed["authorization"].as_bytes().to_vec();
        let start = text.len() - 140;
        text[start + at] ^= 1 << bit;
        // Hexadecimal digits have two cases.
        let is_same = text[start + at].is_ascii_hexdigit() && bit == 5 && text[start + at].is_ascii_alphabetic();
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            signed.insert("authorization", value);
            prop_assert!(is_same || check(&view("", &signed), Rules::Other, None).is_err());
        }
    }

    #[test]
    fn arbitrary_signatures_never_panic(
        credential in "[a-zA-Z0-9/]{0,40}",
        signature in "[0-9a-f*]{0,160}",
        regions in "[a-z*,-]{0,30}",
    ) {
        let text = format!("AWS4-ECDSA-P256-SHA256 Credential={credential}, SignedHeaders=host, Signature={signature}");
        let mut headers = headers(&[("authorization", &text), ("x-amz-date", "20261120T210509Z")]);
        headers.insert("x-amz-region-set", HeaderValue::from_str(&regions).unwrap());
        let view = view("", &headers);
        if let Ok(Some(presented)) = parse(&view) {
            let _ = (presented.region(), presented.scope(), presented.covers("us-east-1"));
            prop_assert!(check(&view, Rules::Other, None).is_err());
        }
    }
}
