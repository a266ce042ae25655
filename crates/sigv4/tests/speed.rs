//! Prints what a verification costs. Not a test: run it with optimisation and `--ignored --nocapture`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and may panic")]

use std::hint::black_box;
use std::time::Instant;

use fogbank_sigv4::sign::{ChunkSigner, Signer};
use fogbank_sigv4::{
    EMPTY_SHA256, Options, RequestView, Rules, SigningKey, SigningKeyCache, parse, sha256_hex,
    verify,
};
use http::{HeaderMap, HeaderValue};

const NOW: i64 = 1_795_208_709;
const ROUNDS: u32 = 20_000;

fn time(what: &str, mut run: impl FnMut()) {
    let best = (0..10).map(|_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| run());
        start.elapsed() / ROUNDS
    });
    println!("{what}: {:?}", best.min().unwrap_or_default());
}

fn signer(service: &'static str, rules: Rules) -> Signer<'static> {
    Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        service,
        rules,
    }
}

#[test]
#[ignore = "a measurement"]
fn a_dynamodb_put_item() {
    let body = vec![b'x'; 600];
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "DynamoDB_20120810.PutItem"),
        ("amz-sdk-invocation-id", "f8c0a9d8-6d3c-4d5e-8f5a-0e6a3f0c9b1d"),
        ("amz-sdk-request", "attempt=1"),
        ("content-length", "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let none = HeaderMap::new();
    let view = |headers| RequestView {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        host: "127.0.0.1:4566",
        headers,
    };
    let signer = signer("dynamodb", Rules::Other);
    signer.sign(&view(&none), &mut headers, &sha256_hex(&body), NOW).unwrap();
    let request = view(&headers);
    let options = Options::new(Rules::Other);
    let cache = SigningKeyCache::default();
    time("parse", || drop(black_box(parse(&request).unwrap())));
    time("hash of a 600 B body", || drop(black_box(sha256_hex(&body))));
    time("parse, hash, cached key, verify", || {
        let presented = parse(&request).unwrap().unwrap();
        let key = cache.key(&presented, signer.secret);
        let hash = sha256_hex(&body);
        black_box(verify(&presented, &request, &key, Some(&hash), NOW, &options).unwrap());
    });
    time("parse, hash, new key, verify", || {
        let presented = parse(&request).unwrap().unwrap();
        let (day, region, service) = (presented.day(), presented.region(), presented.service());
        let key = SigningKey::derive(signer.secret, day, region, service);
        let hash = sha256_hex(&body);
        black_box(verify(&presented, &request, &key, Some(&hash), NOW, &options).unwrap());
    });
}

#[test]
#[ignore = "a measurement"]
fn an_s3_get_object() {
    let none = HeaderMap::new();
    let mut headers = HeaderMap::new();
    let view = |headers| RequestView {
        method: "GET",
        raw_path: "/bucket/some/key%20with/slashes.txt",
        raw_query: "x-id=GetObject",
        host: "127.0.0.1:4566",
        headers,
    };
    let signer = signer("s3", Rules::S3);
    signer.sign(&view(&none), &mut headers, EMPTY_SHA256, NOW).unwrap();
    let request = view(&headers);
    let options = Options::new(Rules::S3);
    let cache = SigningKeyCache::default();
    time("S3 GET: parse, cached key, verify", || {
        let presented = parse(&request).unwrap().unwrap();
        let key = cache.key(&presented, signer.secret);
        black_box(verify(&presented, &request, &key, None, NOW, &options).unwrap());
    });
    let query = signer.presign(&view(&none), 900, NOW);
    let request = RequestView { raw_query: &query, ..view(&none) };
    time("S3 presigned GET: parse, cached key, verify", || {
        let presented = parse(&request).unwrap().unwrap();
        let key = cache.key(&presented, signer.secret);
        black_box(verify(&presented, &request, &key, None, NOW, &options).unwrap());
    });
}

#[test]
#[ignore = "a measurement"]
fn a_chunked_upload() {
    let none = HeaderMap::new();
    let mut headers = HeaderMap::new();
    let view = |headers| RequestView {
        method: "PUT",
        raw_path: "/bucket/key",
        raw_query: "",
        host: "127.0.0.1:4566",
        headers,
    };
    let signer = signer("s3", Rules::S3);
    let payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let signed = signer.sign(&view(&none), &mut headers, payload, NOW).unwrap();
    let mut chunks = ChunkSigner::new(signed);
    let mut body = Vec::new();
    (0..256).for_each(|_| body.extend_from_slice(&chunks.chunk(&[7; 65_536])));
    body.extend_from_slice(&chunks.finish(&[]));
    let body = bytes::Bytes::from(body);
    let request = view(&headers);
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive(signer.secret, presented.day(), "us-east-1", "s3");
    let verified = verify(&presented, &request, &key, None, NOW, &Options::new(Rules::S3)).unwrap();
    let start = Instant::now();
    let mut decoder = verified.chunked(Some(256 * 65_536), None).unwrap().unwrap();
    for piece in 0..body.len().div_ceil(16_384) {
        let end = ((piece + 1) * 16_384).min(body.len());
        let mut input = body.slice(piece * 16_384..end);
        while let Some(slice) = decoder.decode(&mut input).unwrap() {
            black_box(slice);
        }
    }
    decoder.finish().unwrap();
    println!("16 MiB of signed 64 KiB chunks in 16 KiB reads: {:?}", start.elapsed());
}
