//! Uploads in signed chunks with a checksum behind them, and presigned URLs, by both algorithms of the signature.

use std::time::{SystemTime, UNIX_EPOCH};

use fogbank_sigv4::sign::{ChunkSigner, RegionSetSigner, Signed, Signer};
use fogbank_sigv4::{RequestView, Rules};
use http::{HeaderMap, HeaderValue};

use crate::server::{Answer, Credentials, Server};

const PATH: &str = "/chunks/a%20b";
const FIRST: [u8; 9000] = [b'a'; 9000];
const LAST: &[u8] = b"123456789";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64
}

/// One of the two algorithms, with root's key.
struct By<'a> {
    server: &'a Server,
    region_set: Option<&'static str>,
}

impl By<'_> {
    fn signer(&self) -> Signer<'static> {
        let Credentials { access_key_id, secret } = Credentials::ROOT;
        let (region, service, rules) = ("us-east-1", "s3", Rules::S3);
        Signer { access_key_id, secret, session_token: None, region, service, rules }
    }

    fn view<'v>(&'v self, method: &'v str, headers: &'v HeaderMap) -> RequestView<'v> {
        let host = &self.server.authority;
        RequestView { method, raw_path: PATH, raw_query: "", host, headers }
    }

    fn sign(&self, headers: &mut HeaderMap, payload: &str) -> Signed {
        let (none, signer) = (HeaderMap::new(), self.signer());
        let view = self.view("PUT", &none);
        let outcome = match self.region_set {
            None => signer.sign(&view, headers, payload, now()),
            Some(region_set) => {
                RegionSetSigner { signer, region_set }.sign(&view, headers, payload, now())
            }
        };
        outcome.expect("signed")
    }

    fn presigned(&self) -> String {
        let headers = HeaderMap::new();
        let (view, signer) = (self.view("GET", &headers), self.signer());
        match self.region_set {
            None => signer.presign(&view, 60, now()),
            Some(region_set) => RegionSetSigner { signer, region_set }.presign(&view, 60, now()),
        }
    }

    /// Uploads two chunks, with a checksum behind them; the byte at `spoilt` comes changed.
    fn upload(&self, (name, value): (&str, &str), spoilt: Option<usize>) -> Answer {
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).expect("a value"));
        };
        set("content-encoding", "aws-chunked");
        set("x-amz-decoded-content-length", &(FIRST.len() + LAST.len()).to_string());
        set("x-amz-trailer", name);
        let payload = match self.region_set {
            None => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Some(_) => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
        };
        let mut chunks = ChunkSigner::new(self.sign(&mut headers, payload));
        let mut body = [chunks.chunk(&FIRST), chunks.chunk(LAST)].concat();
        body.extend_from_slice(&chunks.finish(&[(name.to_owned(), value.to_owned())]));
        if let Some(at) = spoilt {
            body[at] ^= 1;
        }
        let mut request = format!(
            "PUT {PATH} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.server.authority,
            body.len()
        );
        for (name, value) in &headers {
            request += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        self.server.raw(&[request.as_bytes(), b"\r\n", &body].concat())
    }
}

#[test]
fn signed_chunks_have_signed_trailers() {
    let server = Server::ephemeral();
    let made = server.raw(&server.signed_request("PUT", "/chunks", "s3", ""));
    assert_eq!(made.status, 200, "{made:?}");
    for region_set in [None, Some("us-east-1"), Some("eu-west-1,us-*")] {
        let by = By { server: &server, region_set };
        // Of both chunks together, as the AWS Common Runtime computes it.
        let right = ("x-amz-checksum-xxhash128", "5BlwF7M82gPioTwCsTj4dA==");
        let answer = by.upload(right, None);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer.head.contains("x-amz-checksum-xxhash128: 5BlwF7M82gPioTwCsTj4dA=="),
            "{answer:?}"
        );
        let wrong = by.upload(("x-amz-checksum-xxhash128", "AAAAAAAAAAAAAAAAAAAAAA=="), None);
        assert_eq!(wrong.status, 400, "{wrong:?}");
        assert!(wrong.body.contains("<Code>BadDigest</Code>"), "{wrong:?}");
        // A chunk's head is less than 200 bytes.
        let spoilt = by.upload(right, Some(500));
        assert_eq!(spoilt.status, 403, "{spoilt:?}");
        let query = by.presigned();
        let found = server.get(&format!("{PATH}?{query}"));
        assert_eq!((found.status, found.body.len()), (200, FIRST.len() + LAST.len()));
        assert_eq!(server.get(&format!("{PATH}?{query}&x-amz-meta-more=1")).status, 403);
        assert_eq!(server.get(&format!("/chunks/other?{query}")).status, 403);
    }
}

#[test]
fn no_bytes_in_signed_chunks_need_no_length() {
    let server = Server::ephemeral();
    let made = server.raw(&server.signed_request("PUT", "/chunks", "s3", ""));
    assert_eq!(made.status, 200, "{made:?}");
    let by = By { server: &server, region_set: None };
    let put = |spoil: bool| {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", HeaderValue::from_static("aws-chunked"));
        headers.insert("x-amz-decoded-content-length", HeaderValue::from_static("0"));
        let signed = by.sign(&mut headers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let mut last = ChunkSigner::new(signed).finish(&[]).to_vec();
        if spoil {
            let at = last.iter().position(|byte| *byte == b'=').expect("a signature") + 1;
            last[at] = if last[at] == b'0' { b'1' } else { b'0' };
        }
        let mut request = format!(
            "PUT {PATH} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n",
            server.authority
        );
        for (name, value) in &headers {
            request += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        request += &format!("\r\n{:x}\r\n", last.len());
        server.raw(&[request.as_bytes(), &last, b"\r\n0\r\n\r\n"].concat())
    };
    let spoilt = put(true);
    assert_eq!(spoilt.status, 403, "{spoilt:?}");
    let answer = put(false);
    assert_eq!(answer.status, 200, "{answer:?}");
    let found = server.get(&format!("{PATH}?{}", by.presigned()));
    assert_eq!((found.status, found.body.as_str()), (200, ""));
}
