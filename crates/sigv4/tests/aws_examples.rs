//! The examples of AWS's documentation: S3's "Authenticating Requests" pages and the cases of the SigV4 test suite.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use fogbank_sigv4::sign::{ChunkSigner, Signer};
use fogbank_sigv4::{Options, RequestView, Rules, SigningKey, parse, sha256_hex, verify};
use http::{HeaderMap, HeaderName, HeaderValue};

const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_NOW: i64 = 1_369_353_600;
const SUITE_NOW: i64 = 1_440_938_160;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    map
}

fn s3_signer() -> Signer<'static> {
    Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: S3_SECRET,
        session_token: None,
        region: "us-east-1",
        service: "s3",
        rules: Rules::S3,
    }
}

/// Signs as the example does, expects its signature, and verifies what was signed.
fn s3_example(
    method: &str,
    path: &str,
    query: &str,
    pairs: &[(&str, &str)],
    body: &str,
    expected: &str,
) {
    let mut headers = headers(pairs);
    let empty = HeaderMap::new();
    let request = RequestView {
        method,
        raw_path: path,
        raw_query: query,
        host: "examplebucket.s3.amazonaws.com",
        headers: &empty,
    };
    let hash = sha256_hex(body.as_bytes());
    let signed = s3_signer().sign(&request, &mut headers, &hash, S3_NOW).unwrap();
    assert_eq!(signed.signature, expected, "{method} {path}?{query}");
    let request = RequestView { headers: &headers, ..request };
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive(S3_SECRET, "20130524", "us-east-1", "s3");
    verify(&presented, &request, &key, Some(&hash), S3_NOW, &Options::new(Rules::S3)).unwrap();
}

#[test]
fn s3_single_chunk() {
    let range = [("Range", "bytes=0-9")];
    let get = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    s3_example("GET", "/test.txt", "", &range, "", get);
    let put = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    let put_headers =
        [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    s3_example("PUT", "/test%24file.text", "", &put_headers, "Welcome to Amazon S3.", put);
    let lifecycle = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    s3_example("GET", "/", "lifecycle", &[], "", lifecycle);
    let list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    s3_example("GET", "/", "max-keys=2&prefix=J", &[], "", list);
}

#[test]
fn s3_presigned_url() {
    let empty = HeaderMap::new();
    let request = RequestView {
        method: "GET",
        raw_path: "/test.txt",
        raw_query: "",
        host: "examplebucket.s3.amazonaws.com",
        headers: &empty,
    };
    let query = s3_signer().presign(&request, 86_400, S3_NOW);
    assert_eq!(
        query,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    let request = RequestView { raw_query: &query, ..request };
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive(S3_SECRET, "20130524", "us-east-1", "s3");
    let options = Options::new(Rules::S3);
    verify(&presented, &request, &key, None, S3_NOW + 86_399, &options).unwrap();
    assert!(verify(&presented, &request, &key, None, S3_NOW + 86_400, &options).is_err());
}

struct Upload {
    headers: HeaderMap,
    body: Bytes,
}

/// The upload of 65 KiB of `a` in chunks of 64 KiB, 1 KiB and nothing.
fn upload(
    pairs: &[(&str, &str)],
    payload: &str,
    trailers: &[(String, String)],
) -> (String, Upload) {
    let mut headers = headers(pairs);
    let empty = HeaderMap::new();
    let request = chunk_request(&empty);
    let signed = s3_signer().sign(&request, &mut headers, payload, S3_NOW).unwrap();
    let seed = signed.signature.clone();
    let mut signer = ChunkSigner::new(signed);
    let data = vec![b'a'; 66_560];
    let mut body = signer.chunk(&data[..65_536]).to_vec();
    body.extend_from_slice(&signer.chunk(&data[65_536..]));
    body.extend_from_slice(&signer.finish(trailers));
    (seed, Upload { headers, body: body.into() })
}

fn chunk_request(headers: &HeaderMap) -> RequestView<'_> {
    RequestView {
        method: "PUT",
        raw_path: "/examplebucket/chunkObject.txt",
        raw_query: "",
        host: "s3.amazonaws.com",
        headers,
    }
}

fn decode(upload: &Upload, announced: Option<&str>) -> (Vec<u8>, Vec<(String, String)>) {
    let request = chunk_request(&upload.headers);
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive(S3_SECRET, "20130524", "us-east-1", "s3");
    let options = Options::new(Rules::S3);
    let verified = verify(&presented, &request, &key, None, S3_NOW, &options).unwrap();
    let mut decoder = verified.chunked(Some(66_560), announced).unwrap().unwrap();
    let mut input = upload.body.clone();
    let mut payload = Vec::new();
    while let Some(slice) = decoder.decode(&mut input).unwrap() {
        payload.extend_from_slice(&slice);
    }
    (payload, decoder.finish().unwrap().trailers)
}

#[test]
fn s3_multiple_chunks() {
    let (seed, upload) = upload(
        &[
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("Content-Length", "66824"),
        ],
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        &[],
    );
    assert_eq!(seed, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    assert_eq!(upload.body.len(), 66_824);
    let text = String::from_utf8_lossy(&upload.body);
    for signature in [
        "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    ] {
        assert!(text.contains(signature), "{signature}");
    }
    let (payload, trailers) = decode(&upload, None);
    assert_eq!(payload, vec![b'a'; 66_560]);
    assert_eq!(trailers, []);
}

#[test]
fn s3_trailing_headers() {
    let trailers = [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())];
    let (seed, upload) = upload(
        &[
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ],
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        &trailers,
    );
    assert_eq!(seed, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    let text = String::from_utf8_lossy(&upload.body);
    for signature in [
        "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
        "400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
        "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n",
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
    ] {
        assert!(text.contains(signature), "{signature}");
    }
    let (payload, found) = decode(&upload, Some("x-amz-checksum-crc32c"));
    assert_eq!(payload.len(), 66_560);
    assert_eq!(found, trailers);
    // The layout that the documentation prints: a blank line before the signature.
    let printed = text.replace("sOO8/Q==\r\n", "sOO8/Q==\n\r\n") + "\r\n";
    let printed = Upload { body: printed.into_bytes().into(), ..upload };
    assert_eq!(decode(&printed, None).1, trailers);
}

/// Method, path, query, headers, body and signature of a case of the SigV4 test suite.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

const SUITE: [Case; 15] = [
    ("GET", "/", "", &[], "", VANILLA),
    ("GET", "/example/..", "", &[], "", VANILLA),
    ("GET", "//", "", &[], "", VANILLA),
    (
        "GET",
        "/",
        "Param2=value2&Param1=value1",
        &[],
        "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "GET",
        "/",
        "Param1=value1",
        &[],
        "",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    (
        "GET",
        "/",
        "",
        &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
        "",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "GET",
        "/",
        "",
        &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
        "",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "GET",
        "/",
        "",
        &[
            ("My-Header1", "value4"),
            ("My-Header1", "value1"),
            ("My-Header1", "value3"),
            ("My-Header1", "value2"),
        ],
        "",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    (
        "GET",
        "//example//",
        "",
        &[],
        "",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    (
        "GET",
        "/./example",
        "",
        &[],
        "",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    (
        "GET",
        "/example space/",
        "",
        &[],
        "",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    (
        "GET",
        "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "",
        &[],
        "",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    (
        "GET",
        "/\u{1234}",
        "",
        &[],
        "",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    ("POST", "/", "", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "POST",
        "/",
        "",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
];

#[test]
fn the_test_suite() {
    for (method, path, query, pairs, body, expected) in SUITE {
        suite_case("example.amazonaws.com", "service", method, path, query, pairs, body, expected);
    }
    // "Create a signed request" in the IAM user guide.
    suite_case(
        "iam.amazonaws.com",
        "iam",
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        &[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
        "",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
}

#[expect(clippy::too_many_arguments, reason = "the columns of the suite's table")]
fn suite_case(
    host: &str,
    service: &str,
    method: &str,
    path: &str,
    query: &str,
    pairs: &[(&str, &str)],
    body: &str,
    expected: &str,
) {
    let mut headers = headers(pairs);
    let empty = HeaderMap::new();
    let request = RequestView { method, raw_path: path, raw_query: query, host, headers: &empty };
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret: SUITE_SECRET,
        session_token: None,
        region: "us-east-1",
        service,
        rules: Rules::Other,
    };
    let hash = sha256_hex(body.as_bytes());
    let signed = signer.sign(&request, &mut headers, &hash, SUITE_NOW).unwrap();
    assert_eq!(signed.signature, expected, "{method} {path}?{query} {pairs:?}");
    let request = RequestView { headers: &headers, ..request };
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive(SUITE_SECRET, "20150830", "us-east-1", service);
    verify(&presented, &request, &key, Some(&hash), SUITE_NOW, &Options::new(Rules::Other))
        .unwrap();
}
