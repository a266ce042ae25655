//! Signs requests, presigned URLs and chunked bodies: the client's half, for tests, benchmarks and calls that this
//! cloud makes itself.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::canonical::{Canonical, PathForm, QueryForm, encode};
use crate::chunked::{ChainedPart, ChainedText};
use crate::key::{Signature, SigningKey};
use crate::parse::RequestView;
use crate::time::AmzDate;
use crate::trailers::canonical as canonical_trailers;
use crate::verify::{EMPTY_SHA256, Rules, StringToSign};

/// Who signs, and for which service.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// The secret access key.
    pub secret: &'a str,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region of the scope.
    pub region: &'a str,
    /// The service of the scope, by its signing name.
    pub service: &'a str,
    /// The service's dialect.
    pub rules: Rules,
}

/// What came of signing: the start of a chain of chunk signatures.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The signature, sixty-four hexadecimal digits.
    pub signature: String,
    key: SigningKey,
    at: AmzDate,
    scope: String,
}

/// A name or value that no header can have.
#[derive(Debug, thiserror::Error)]
#[error("a credential or a payload hash cannot stand in a header")]
pub struct InvalidHeader(#[from] http::header::InvalidHeaderValue);

impl Signer<'_> {
    /// Signs a request: adds `x-amz-date`, `x-amz-security-token`, for S3 `x-amz-content-sha256`, and
    /// `authorization`. All headers but those that proxies change are signed. `payload` is the body's SHA-256 in
    /// lower-case hexadecimal, `UNSIGNED-PAYLOAD` or one of the `STREAMING-…` words; `request.headers` is not read.
    pub fn sign(
        &self,
        request: &RequestView<'_>,
        headers: &mut HeaderMap,
        payload: &str,
        now: i64,
    ) -> Result<Signed, InvalidHeader> {
        let at = AmzDate::from_unix(now);
        headers.insert("x-amz-date", HeaderValue::from_str(at.as_str())?);
        if let Some(token) = self.session_token {
            headers.insert("x-amz-security-token", HeaderValue::from_str(token)?);
        }
        let special = payload == "UNSIGNED-PAYLOAD" || payload.starts_with("STREAMING-");
        if self.rules == Rules::S3 || special {
            headers.insert("x-amz-content-sha256", HeaderValue::from_str(payload)?);
        }
        let names = signed_headers(headers);
        let view = RequestView { headers, ..*request };
        let signed = self.signature(&view, &names, payload, at, false);
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={}",
            self.access_key_id, signed.scope, signed.signature
        );
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
        Ok(signed)
    }

    /// Presigns a request that is valid for `expires_secs` and returns its query. All of `request.headers` are
    /// signed, and the client must send them.
    pub fn presign(&self, request: &RequestView<'_>, expires_secs: u64, now: i64) -> String {
        let at = AmzDate::from_unix(now);
        let names = signed_headers(request.headers);
        let credential = format!("{}/{}", self.access_key_id, self.scope(&at));
        let mut query = request.raw_query.to_owned();
        let mut add = |name: &str, value: &str| {
            let mut encoded = Vec::with_capacity(value.len());
            encode(value.as_bytes(), false, &mut encoded);
            if !query.is_empty() {
                query.push('&');
            }
            query.extend([name, "=", &String::from_utf8_lossy(&encoded)]);
        };
        add("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
        add("X-Amz-Credential", &credential);
        add("X-Amz-Date", at.as_str());
        add("X-Amz-Expires", &expires_secs.to_string());
        add("X-Amz-SignedHeaders", &names);
        if let Some(token) = self.session_token {
            add("X-Amz-Security-Token", token);
        }
        let payload = if self.rules == Rules::S3 { "UNSIGNED-PAYLOAD" } else { EMPTY_SHA256 };
        let view = RequestView { raw_query: &query, ..*request };
        let signed = self.signature(&view, &names, payload, at, true);
        query + "&X-Amz-Signature=" + &signed.signature
    }

    fn scope(&self, at: &AmzDate) -> String {
        [at.day(), self.region, self.service, "aws4_request"].join("/")
    }

    fn signature(
        &self,
        request: &RequestView<'_>,
        signed_headers: &str,
        payload_hash: &str,
        at: AmzDate,
        presigned: bool,
    ) -> Signed {
        let key = SigningKey::derive(self.secret, at.day(), self.region, self.service);
        let path = match self.rules {
            Rules::S3 => PathForm::Raw,
            Rules::Other => PathForm::NormalizedDouble,
        };
        let mut text = Vec::with_capacity(1024);
        Canonical { request, signed_headers, payload_hash, presigned }.write(
            path,
            QueryForm::Encoded,
            &mut text,
        );
        let scope = self.scope(&at);
        let hash = Signature::of(&Sha256::digest(&text).into());
        let signature = StringToSign { at: &at, scope: &scope, hash }.sign(&key);
        Signed { signature: signature.as_str().to_owned(), key, at, scope }
    }
}

/// The names of all headers that are worth signing, and `host`, sorted and joined.
fn signed_headers(headers: &HeaderMap) -> String {
    let kept = |name: &&str| {
        !matches!(
            *name,
            "authorization"
                | "connection"
                | "expect"
                | "host"
                | "transfer-encoding"
                | "user-agent"
                | "x-amzn-trace-id"
        )
    };
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).filter(kept).collect();
    names.push("host");
    names.sort_unstable();
    names.join(";")
}

/// Frames a body as `aws-chunked` with a signature on every chunk.
#[derive(Clone, Debug)]
pub struct ChunkSigner {
    signed: Signed,
    previous: Signature,
}

impl ChunkSigner {
    /// Starts the chain with the signature of the request that carries the body.
    pub fn new(signed: Signed) -> Self {
        let seed = Signature::parse(signed.signature.as_bytes());
        // A signature that this module made has sixty-four digits.
        Self { previous: seed.unwrap_or_else(|| Signature::of(&[0; 32])), signed }
    }

    /// Frames one chunk. S3 wants 8,192 bytes or more in all but the last.
    pub fn chunk(&mut self, payload: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(payload.len() + 128);
        self.open(payload, &mut out);
        out.put_slice(payload);
        out.put_slice(b"\r\n");
        out.freeze()
    }

    /// Frames the end: the empty chunk, and the trailing headers with their signature if there are any.
    pub fn finish(mut self, trailers: &[(String, String)]) -> Bytes {
        let mut out = BytesMut::new();
        self.open(b"", &mut out);
        if !trailers.is_empty() {
            let lines = canonical_trailers(trailers);
            let signature = self.next(ChainedPart::Trailer, lines.as_bytes());
            out.put_slice(lines.replace('\n', "\r\n").as_bytes());
            out.put_slice(b"x-amz-trailer-signature:");
            out.put_slice(signature.as_bytes());
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"\r\n");
        out.freeze()
    }

    fn open(&mut self, payload: &[u8], out: &mut BytesMut) {
        let signature = self.next(ChainedPart::Chunk, payload);
        out.put_slice(format!("{:x};chunk-signature=", payload.len()).as_bytes());
        out.put_slice(signature.as_bytes());
        out.put_slice(b"\r\n");
    }

    fn next(&mut self, part: ChainedPart, bytes: &[u8]) -> Signature {
        let hash = Signature::of(&Sha256::digest(bytes).into());
        let Signed { key, at, scope, .. } = &self.signed;
        self.previous = ChainedText { at, scope, previous: &self.previous, part, hash }.sign(key);
        self.previous
    }
}

/// Frames a body as `aws-chunked` without signatures, as `STREAMING-UNSIGNED-PAYLOAD-TRAILER` has it.
pub fn unsigned_chunks(chunks: &[&[u8]], trailers: &[(String, String)]) -> Bytes {
    let mut out = BytesMut::new();
    for chunk in chunks {
        out.put_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.put_slice(chunk);
        out.put_slice(b"\r\n");
    }
    out.put_slice(b"0\r\n");
    out.put_slice(canonical_trailers(trailers).replace('\n', "\r\n").as_bytes());
    out.put_slice(b"\r\n");
    out.freeze()
}
