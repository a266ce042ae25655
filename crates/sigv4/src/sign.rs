//! Signs requests, presigned URLs and chunked bodies: the client's half, for tests, benchmarks and calls that this
//! cloud makes itself.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::canonical::{Canonical, PathForm, QueryForm, encode};
use crate::chunked::{ChainedPart, ChainedText};
use crate::key::{Signature, SigningKey};
use crate::parse::{ECDSA, HMAC, RequestView};
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

/// Signs for a set of regions, by SigV4A.
#[derive(Clone, Copy, Debug)]
pub struct RegionSetSigner<'a> {
    /// Who signs; its region is not looked at.
    pub signer: Signer<'a>,
    /// The regions, such as `us-east-1,eu-*`.
    pub region_set: &'a str,
}

/// What came of signing: the start of a chain of chunk signatures.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The signature in hexadecimal digits: sixty-four, or up to 144 by SigV4A.
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
        self.signing(None).sign(request, headers, payload, now)
    }

    /// Presigns a request that is valid for `expires_secs` and returns its query. All of `request.headers` are
    /// signed, and the client must send them.
    pub fn presign(&self, request: &RequestView<'_>, expires_secs: u64, now: i64) -> String {
        self.signing(None).presign(request, expires_secs, now)
    }

    fn signing<'s>(&'s self, region_set: Option<&'s str>) -> Signing<'s> {
        Signing { signer: self, region_set }
    }
}

impl RegionSetSigner<'_> {
    /// Signs a request as [`Signer::sign`] does, by SigV4A: `x-amz-region-set` is added as well.
    pub fn sign(
        &self,
        request: &RequestView<'_>,
        headers: &mut HeaderMap,
        payload: &str,
        now: i64,
    ) -> Result<Signed, InvalidHeader> {
        self.signer.signing(Some(self.region_set)).sign(request, headers, payload, now)
    }

    /// Presigns a request as [`Signer::presign`] does, by SigV4A.
    pub fn presign(&self, request: &RequestView<'_>, expires_secs: u64, now: i64) -> String {
        self.signer.signing(Some(self.region_set)).presign(request, expires_secs, now)
    }
}

/// A signer with what makes SigV4A of it, if it is one.
struct Signing<'a> {
    signer: &'a Signer<'a>,
    region_set: Option<&'a str>,
}

impl Signing<'_> {
    fn sign(
        &self,
        request: &RequestView<'_>,
        headers: &mut HeaderMap,
        payload: &str,
        now: i64,
    ) -> Result<Signed, InvalidHeader> {
        let at = AmzDate::from_unix(now);
        headers.insert("x-amz-date", HeaderValue::from_str(at.as_str())?);
        if let Some(token) = self.signer.session_token {
            headers.insert("x-amz-security-token", HeaderValue::from_str(token)?);
        }
        if let Some(region_set) = self.region_set {
            headers.insert("x-amz-region-set", HeaderValue::from_str(region_set)?);
        }
        let special = payload == "UNSIGNED-PAYLOAD" || payload.starts_with("STREAMING-");
        if self.signer.rules == Rules::S3 || special {
            headers.insert("x-amz-content-sha256", HeaderValue::from_str(payload)?);
        }
        let names = signed_headers(headers);
        let view = RequestView { headers, ..*request };
        let signed = self.signature(&view, &names, payload, at, false);
        let value = format!(
            "{} Credential={}/{}, SignedHeaders={names}, Signature={}",
            signed.key.algorithm().as_str(),
            self.signer.access_key_id,
            signed.scope,
            signed.signature
        );
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
        Ok(signed)
    }

    fn presign(&self, request: &RequestView<'_>, expires_secs: u64, now: i64) -> String {
        let at = AmzDate::from_unix(now);
        let names = signed_headers(request.headers);
        let credential = format!("{}/{}", self.signer.access_key_id, self.scope(&at));
        let mut query = request.raw_query.to_owned();
        let mut add = |name: &str, value: &str| {
            let mut encoded = Vec::with_capacity(value.len());
            encode(value.as_bytes(), false, &mut encoded);
            if !query.is_empty() {
                query.push('&');
            }
            query.extend([name, "=", &String::from_utf8_lossy(&encoded)]);
        };
        add("X-Amz-Algorithm", if self.region_set.is_some() { ECDSA } else { HMAC });
        add("X-Amz-Credential", &credential);
        add("X-Amz-Date", at.as_str());
        add("X-Amz-Expires", &expires_secs.to_string());
        add("X-Amz-SignedHeaders", &names);
        if let Some(region_set) = self.region_set {
            add("X-Amz-Region-Set", region_set);
        }
        if let Some(token) = self.signer.session_token {
            add("X-Amz-Security-Token", token);
        }
        let payload =
            if self.signer.rules == Rules::S3 { "UNSIGNED-PAYLOAD" } else { EMPTY_SHA256 };
        let view = RequestView { raw_query: &query, ..*request };
        let signed = self.signature(&view, &names, payload, at, true);
        query + "&X-Amz-Signature=" + &signed.signature
    }

    fn scope(&self, at: &AmzDate) -> String {
        let Signer { region, service, .. } = self.signer;
        match self.region_set {
            Some(_) => [at.day(), service, "aws4_request"].join("/"),
            None => [at.day(), region, service, "aws4_request"].join("/"),
        }
    }

    fn key(&self, at: &AmzDate) -> SigningKey {
        let Signer { access_key_id, secret, region, service, .. } = self.signer;
        match self.region_set {
            Some(_) => SigningKey::derive_asymmetric(access_key_id, secret),
            None => SigningKey::derive(secret, at.day(), region, service),
        }
    }

    fn signature(
        &self,
        request: &RequestView<'_>,
        signed_headers: &str,
        payload_hash: &str,
        at: AmzDate,
        presigned: bool,
    ) -> Signed {
        let key = self.key(&at);
        let path = match self.signer.rules {
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
        let algorithm = key.algorithm();
        let signature = StringToSign { algorithm, at: &at, scope: &scope, hash }.sign(&key);
        Signed { signature, key, at, scope }
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
    previous: String,
}

impl ChunkSigner {
    /// Starts the chain with the signature of the request that carries the body.
    pub fn new(signed: Signed) -> Self {
        Self { previous: signed.signature.clone(), signed }
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

    /// The next signature of the chain, as it stands in the body.
    fn next(&mut self, part: ChainedPart, bytes: &[u8]) -> String {
        let hash = Signature::of(&Sha256::digest(bytes).into());
        let Signed { key, at, scope, .. } = &self.signed;
        let (algorithm, previous) = (key.algorithm(), &*self.previous);
        let signature = ChainedText { algorithm, at, scope, previous, part, hash }.sign(key);
        let padded = key.padded(&signature);
        self.previous = signature;
        padded
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
