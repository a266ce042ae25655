//! Finds the signature that a request presents and checks its form. No secret is needed for that.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderMap, HeaderName};
use memchr::{memchr, memchr_iter};
use sha2::{Digest, Sha256};

use crate::canonical::decode;
use crate::error::{CredentialFault, Error, HeaderFault, QueryFault};
use crate::time::AmzDate;

pub(crate) const HMAC: &str = "AWS4-HMAC-SHA256";
pub(crate) const ECDSA: &str = "AWS4-ECDSA-P256-SHA256";
/// A presigned request is valid for a week at most.
const MAX_EXPIRES_SECS: i64 = 604_800;

/// The parts of a request that a signature covers, as they came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub raw_path: &'a str,
    /// The query, still percent-encoded, without the question mark; empty when there is none.
    pub raw_query: &'a str,
    /// The `Host` header, or `:authority` in HTTP/2, with its port.
    pub host: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the `Authorization` header.
    Header,
    /// In the query: the request is presigned.
    Query,
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `AWS4-HMAC-SHA256`, SigV4.
    HmacSha256,
    /// `AWS4-ECDSA-P256-SHA256`, SigV4A, for a set of regions.
    EcdsaP256Sha256,
}

impl Algorithm {
    fn parse(name: &[u8]) -> Option<Self> {
        match name {
            name if name == HMAC.as_bytes() => Some(Self::HmacSha256),
            name if name == ECDSA.as_bytes() => Some(Self::EcdsaP256Sha256),
            _ => None,
        }
    }

    /// The name that stands in requests and in what is signed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => HMAC,
            Self::EcdsaP256Sha256 => ECDSA,
        }
    }
}

/// What a request says about its body, in `x-amz-content-sha256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Nothing. Every service but S3 then hashes the body.
    Absent,
    /// The body's SHA-256, sixty-four hexadecimal digits.
    Sha256(Cow<'a, str>),
    /// `UNSIGNED-PAYLOAD`: the signature does not cover the body.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD` or its like of SigV4A: `aws-chunked`, every chunk signed.
    SignedChunks(Algorithm),
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER` or its like: the same with signed trailing headers.
    SignedChunksTrailer(Algorithm),
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: `aws-chunked` without signatures, with trailing headers.
    UnsignedChunksTrailer,
    /// `STREAMING-AWS4-HMAC-SHA256-EVENTS`: an event stream, every message signed.
    SignedEvents,
    /// Anything else, which S3 refuses and the others ignore.
    Unknown(Cow<'a, str>),
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const UNSIGNED_CHUNKS_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const HMAC_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const HMAC_CHUNKS_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const HMAC_EVENTS: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
const ECDSA_CHUNKS: &str = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
const ECDSA_CHUNKS_TRAILER: &str = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER";

impl<'a> Payload<'a> {
    /// Reads `x-amz-content-sha256` of a request that is signed by `algorithm`; words of the other one are unknown.
    fn read(value: Cow<'a, str>, algorithm: Algorithm) -> Self {
        match (&*value, algorithm) {
            (UNSIGNED, _) => Self::Unsigned,
            (UNSIGNED_CHUNKS_TRAILER, _) => Self::UnsignedChunksTrailer,
            (HMAC_CHUNKS, Algorithm::HmacSha256) | (ECDSA_CHUNKS, Algorithm::EcdsaP256Sha256) => {
                Self::SignedChunks(algorithm)
            }
            (HMAC_CHUNKS_TRAILER, Algorithm::HmacSha256)
            | (ECDSA_CHUNKS_TRAILER, Algorithm::EcdsaP256Sha256) => {
                Self::SignedChunksTrailer(algorithm)
            }
            (HMAC_EVENTS, Algorithm::HmacSha256) => Self::SignedEvents,
            (hash, _) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Self::Sha256(value)
            }
            _ => Self::Unknown(value),
        }
    }

    /// Whether the body is in `aws-chunked` framing.
    pub fn is_chunked(&self) -> bool {
        matches!(
            self,
            Self::SignedChunks(_) | Self::SignedChunksTrailer(_) | Self::UnsignedChunksTrailer
        )
    }

    /// Whether the body is in a framing that is verified as it comes: `aws-chunked`, or a signed event stream.
    pub fn is_framed(&self) -> bool {
        self.is_chunked() || *self == Self::SignedEvents
    }

    /// The word or hash as it stands in the canonical request; `None` for [`Payload::Absent`].
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Sha256(value) | Self::Unknown(value) => Some(value),
            word => word.word(),
        }
    }

    /// The same, for whoever outlives the request.
    pub fn stated(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Sha256(value) | Self::Unknown(value) => Some(Cow::Owned(value.to_string())),
            word => word.word().map(Cow::Borrowed),
        }
    }

    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Absent | Self::Sha256(_) | Self::Unknown(_) => None,
            Self::Unsigned => Some(UNSIGNED),
            Self::SignedChunks(Algorithm::HmacSha256) => Some(HMAC_CHUNKS),
            Self::SignedChunks(Algorithm::EcdsaP256Sha256) => Some(ECDSA_CHUNKS),
            Self::SignedChunksTrailer(Algorithm::HmacSha256) => Some(HMAC_CHUNKS_TRAILER),
            Self::SignedChunksTrailer(Algorithm::EcdsaP256Sha256) => Some(ECDSA_CHUNKS_TRAILER),
            Self::UnsignedChunksTrailer => Some(UNSIGNED_CHUNKS_TRAILER),
            Self::SignedEvents => Some(HMAC_EVENTS),
        }
    }
}

/// The header of the token of a session with a bucket of S3.
static BUCKET_TOKEN: HeaderName = HeaderName::from_static("x-amz-s3session-token");
// To parse such a name for each request costs more than to look for it.
static SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
static CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
static REGION_SET: HeaderName = HeaderName::from_static("x-amz-region-set");
static AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// A signature as a request presents it: well-formed, not yet verified.
#[derive(Clone, Debug)]
pub struct Presented<'a> {
    credential: Credential<'a>,
    pub(crate) signed_headers: Cow<'a, str>,
    pub(crate) signature: Cow<'a, str>,
    region_set: Option<Cow<'a, str>>,
    /// How the request is signed.
    pub algorithm: Algorithm,
    /// The session token of temporary credentials.
    pub session_token: Option<Cow<'a, str>>,
    /// Whether the token is one of CreateSession of S3, which has a header of its own.
    pub is_bucket_session: bool,
    /// Whether it stands in the header or in the query.
    pub source: Source,
    /// When the request was signed.
    pub signed_at: AmzDate,
    /// How many seconds a presigned request is valid.
    pub expires_secs: Option<i64>,
    /// What the request says about its body.
    pub payload: Payload<'a>,
}

impl Presented<'_> {
    /// The access key id.
    pub fn access_key_id(&self) -> &str {
        self.credential.part(0)
    }

    /// The scope's day, `YYYYMMDD`.
    pub fn day(&self) -> &str {
        self.credential.part(1)
    }

    /// The scope's region; for SigV4A the first of the set of regions, which may hold wildcards.
    pub fn region(&self) -> &str {
        match &self.region_set {
            Some(set) => set.split(',').next().unwrap_or_default().trim(),
            None => self.credential.part(2),
        }
    }

    /// The regions for which the request is signed: one, or SigV4A's set, in which `*` stands for any text.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        let set = self.region_set.as_deref().unwrap_or_else(|| self.credential.part(2));
        set.split(',').map(str::trim)
    }

    /// Whether the request is signed for `region`.
    pub fn covers(&self, region: &str) -> bool {
        match self.algorithm {
            Algorithm::HmacSha256 => self.region() == region,
            Algorithm::EcdsaP256Sha256 => self.regions().any(|known| is_like(region, known)),
        }
    }

    /// The scope's service, by its signing name.
    pub fn service(&self) -> &str {
        self.credential.part(self.credential.slashes().len() - 1)
    }

    /// The whole scope, `YYYYMMDD/REGION/SERVICE/aws4_request`; SigV4A's has no region.
    pub fn scope(&self) -> &str {
        self.credential.scope()
    }

    /// The signature, as presented.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The names of the signed headers, as presented.
    pub fn signed_headers(&self) -> impl Iterator<Item = &str> {
        pieces(&self.signed_headers, b';')
    }

    /// Whether a header is among the signed ones.
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers().any(|signed| signed.eq_ignore_ascii_case(name))
    }
}

/// Whether `region` is what `pattern` stands for.
fn is_like(region: &str, pattern: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return region == pattern };
    let Some(rest) = region.strip_prefix(head) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| is_like(&rest[at..], tail))
}

/// `KEY/YYYYMMDD/REGION/SERVICE/aws4_request`, in SigV4A without the region, with the places of its slashes.
#[derive(Clone, Debug)]
struct Credential<'a> {
    text: Cow<'a, str>,
    slashes: [usize; 4],
    algorithm: Algorithm,
}

impl<'a> Credential<'a> {
    fn parse(text: Cow<'a, str>, algorithm: Algorithm) -> Result<Self, CredentialFault> {
        let mut credential = Self { text, slashes: [0; 4], algorithm };
        let count = credential.slashes().len();
        let mut found = memchr_iter(b'/', credential.text.as_bytes());
        let mut slashes = [0; 4];
        let mut wanted = slashes[..count].iter_mut();
        let complete = wanted.all(|slash| found.next().map(|at| *slash = at).is_some());
        if !complete || found.next().is_some() || slashes[0] == 0 {
            return Err(CredentialFault::Malformed { credential: credential.text.into_owned() });
        }
        credential.slashes = slashes;
        Ok(credential)
    }

    fn slashes(&self) -> &[usize] {
        match self.algorithm {
            Algorithm::HmacSha256 => &self.slashes,
            Algorithm::EcdsaP256Sha256 => &self.slashes[..3],
        }
    }

    fn part(&self, index: usize) -> &str {
        let slashes = self.slashes();
        let start = index.checked_sub(1).map_or(0, |before| slashes[before] + 1);
        let end = slashes.get(index).copied().unwrap_or(self.text.len());
        &self.text[start..end]
    }

    fn terminator(&self) -> &str {
        self.part(self.slashes().len())
    }

    fn scope(&self) -> &str {
        &self.text[self.slashes[0] + 1..]
    }

    fn check(&self, signed_at: &AmzDate) -> Result<(), CredentialFault> {
        let day = self.part(1);
        let dates = || (day.to_owned(), signed_at.as_str().to_owned());
        if self.terminator() != "aws4_request" {
            return Err(CredentialFault::Terminator { found: self.terminator().to_owned() });
        }
        if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            let (day, signed_at) = dates();
            return Err(CredentialFault::DayFormat { day, signed_at });
        }
        if day != signed_at.day() {
            let (day, signed_at) = dates();
            return Err(CredentialFault::DayMismatch { day, signed_at });
        }
        Ok(())
    }
}

/// What is before and after the first of a character of ASCII. Headers are long enough for the search of words that the
/// standard library has to take several times as long.
pub(crate) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = memchr(at, text.as_bytes())?;
    Some((&text[..place], &text[place + 1..]))
}

/// What is between the characters of ASCII that separate it.
pub(crate) fn pieces(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let cut = cut(text, separator);
        rest = cut.map(|(_, after)| after);
        Some(cut.map_or(text, |(before, _)| before))
    })
}

/// Finds the signature of a request. `None` when it has none: it is anonymous, or carries a token of another kind
/// (`Bearer`, `Basic`) that is not AWS's.
pub fn parse<'a>(request: &RequestView<'a>) -> Result<Option<Presented<'a>>, Error> {
    let query = QueryParameters::read(request.raw_query);
    let authorization = request.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let (scheme, components) = match authorization {
        Some(bytes) => split_scheme(bytes),
        None => (&b""[..], &b""[..]),
    };
    let algorithm = Algorithm::parse(scheme);
    let ours = algorithm.is_some() || scheme == b"AWS";
    match (ours, query.is_signed()) {
        (true, true) => Err(Error::TwoMechanisms {
            authorization: String::from_utf8_lossy(authorization.unwrap_or_default()).into_owned(),
        }),
        (true, false) => match algorithm {
            Some(algorithm) => {
                let authorization = authorization.unwrap_or_default();
                parse_header(request, algorithm, authorization, components).map(Some)
            }
            None => Err(Error::SigV2),
        },
        (false, true) => parse_query(request, &query).map(Some),
        (false, false) => Ok(None),
    }
}

fn split_scheme(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = bytes.trim_ascii();
    match bytes.iter().position(|byte| *byte == b' ') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

fn parse_header<'a>(
    request: &RequestView<'a>,
    algorithm: Algorithm,
    authorization: &'a [u8],
    components: &'a [u8],
) -> Result<Presented<'a>, Error> {
    let malformed = |fault| Err(Error::MalformedHeader(fault));
    let Ok(components) = std::str::from_utf8(components) else {
        return malformed(HeaderFault::NotText);
    };
    let header_hash = || STANDARD.encode(Sha256::digest(authorization));
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for component in pieces(components, b',').map(str::trim) {
        // A blank within a component is how AWS tells a key id that was copied with one.
        let has_blank = |text: &str| memchr(b' ', text.as_bytes()).is_some();
        let Some((name, value)) = cut(component, b'=').filter(|(_, value)| !has_blank(value))
        else {
            if component.is_empty() {
                continue;
            }
            let component = component.rsplit(' ').next().unwrap_or_default().to_owned();
            return malformed(HeaderFault::NotAPair { component, header_hash: header_hash() });
        };
        match name {
            "Credential" => credential = Some(value),
            "SignedHeaders" => signed_headers = Some(value),
            "Signature" => signature = Some(value),
            _ => {}
        }
    }
    let date = header_date(request.headers);
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (credential, signed_headers, signature)
    else {
        return malformed(HeaderFault::Missing {
            credential: credential.is_none(),
            signed_headers: signed_headers.is_none(),
            signature: signature.is_none(),
            date: date.is_none(),
            header_hash: header_hash(),
        });
    };
    let wrong = |fault| Error::Credential { fault, presigned: false };
    let credential = Credential::parse(credential.into(), algorithm).map_err(wrong)?;
    let bucket_token = header_text(request.headers, &BUCKET_TOKEN);
    let is_bucket_session = bucket_token.is_some();
    let signed_at = match date {
        Some(text) => AmzDate::parse_http(text).ok_or_else(|| Error::InvalidDate {
            found: String::from_utf8_lossy(text).into_owned(),
        })?,
        None => return Err(Error::InvalidDate { found: String::new() }),
    };
    credential.check(&signed_at).map_err(wrong)?;
    Ok(Presented {
        credential,
        region_set: region_set(algorithm, || header_text(request.headers, &REGION_SET))?,
        algorithm,
        signed_headers: signed_headers.into(),
        signature: signature.into(),
        session_token: bucket_token.or_else(|| header_text(request.headers, &SECURITY_TOKEN)),
        is_bucket_session,
        source: Source::Header,
        signed_at,
        expires_secs: None,
        payload: match header_text(request.headers, &CONTENT_SHA256) {
            Some(value) => Payload::read(value, algorithm),
            None => Payload::Absent,
        },
    })
}

/// The set of regions, which SigV4A must have and SigV4 never has.
fn region_set<'a>(
    algorithm: Algorithm,
    find: impl FnOnce() -> Option<Cow<'a, str>>,
) -> Result<Option<Cow<'a, str>>, Error> {
    match algorithm {
        Algorithm::HmacSha256 => Ok(None),
        Algorithm::EcdsaP256Sha256 => {
            let set = find().filter(|set| !set.is_empty());
            Ok(Some(set.ok_or(Error::MissingRegionSet)?))
        }
    }
}

/// `x-amz-date` goes before `Date`.
fn header_date(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(&AMZ_DATE).or_else(|| headers.get(DATE))?;
    Some(value.as_bytes().trim_ascii())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    headers.get(name).map(|value| {
        let bytes = value.as_bytes().trim_ascii();
        // The way that says where the text is broken costs more.
        std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
    })
}

/// The query parameters that belong to a signature, still encoded. The first of several wins.
#[derive(Default)]
struct QueryParameters<'a> {
    algorithm: Option<&'a str>,
    credential: Option<&'a str>,
    date: Option<&'a str>,
    expires: Option<&'a str>,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
    security_token: Option<&'a str>,
    bucket_token: Option<&'a str>,
    region_set: Option<&'a str>,
    content_sha256: Option<&'a str>,
    v2_key: bool,
    v2_signature: bool,
}

impl<'a> QueryParameters<'a> {
    fn read(raw: &'a str) -> Self {
        let mut found = Self::default();
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "X-Amz-Algorithm" => &mut found.algorithm,
                "X-Amz-Credential" => &mut found.credential,
                "X-Amz-Date" => &mut found.date,
                "X-Amz-Expires" => &mut found.expires,
                "X-Amz-SignedHeaders" => &mut found.signed_headers,
                "X-Amz-Signature" => &mut found.signature,
                "X-Amz-Security-Token" => &mut found.security_token,
                "X-Amz-S3session-Token" => &mut found.bucket_token,
                "X-Amz-Region-Set" => &mut found.region_set,
                "X-Amz-Content-Sha256" | "x-amz-content-sha256" => &mut found.content_sha256,
                "AWSAccessKeyId" => {
                    found.v2_key = true;
                    continue;
                }
                "Signature" => {
                    found.v2_signature = true;
                    continue;
                }
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        found
    }

    fn is_signed(&self) -> bool {
        self.algorithm.is_some()
            || self.credential.is_some()
            || self.signature.is_some()
            || (self.v2_key && self.v2_signature)
    }
}

fn parse_query<'a>(
    request: &RequestView<'a>,
    query: &QueryParameters<'a>,
) -> Result<Presented<'a>, Error> {
    let malformed = Error::MalformedQuery;
    let text = |name, value: Option<&'a str>| {
        let value = value.filter(|value| !value.is_empty()).and_then(decode);
        value.ok_or(malformed(QueryFault::MissingParameter(name)))
    };
    if query.v2_key && query.v2_signature && query.algorithm.is_none() {
        return Err(Error::SigV2);
    }
    let algorithm = text("X-Amz-Algorithm", query.algorithm)?;
    let algorithm = Algorithm::parse(algorithm.as_bytes()).ok_or(Error::UnknownAlgorithm)?;
    let wrong = |fault| Error::Credential { fault, presigned: true };
    let credential = text("X-Amz-Credential", query.credential)?;
    let credential = Credential::parse(credential, algorithm).map_err(wrong)?;
    let signed_at = AmzDate::parse(text("X-Amz-Date", query.date)?.as_bytes())
        .ok_or_else(|| malformed(QueryFault::InvalidDate))?;
    credential.check(&signed_at).map_err(wrong)?;
    let signature = text("X-Amz-Signature", query.signature)?;
    let signed_headers = text("X-Amz-SignedHeaders", query.signed_headers)?;
    let expires_secs = query.expires.map(parse_expires).transpose().map_err(malformed)?;
    let signs_hash = pieces(&signed_headers, b';').any(|name| name == "x-amz-content-sha256");
    let header_hash = signs_hash.then(|| header_text(request.headers, &CONTENT_SHA256)).flatten();
    let payload = match header_hash.or_else(|| query.content_sha256.and_then(decode)) {
        Some(value) => Payload::read(value, algorithm),
        None => Payload::Absent,
    };
    Ok(Presented {
        credential,
        region_set: region_set(algorithm, || query.region_set.and_then(decode))?,
        algorithm,
        signed_headers,
        signature,
        session_token: match query.bucket_token.or(query.security_token) {
            Some(token) => Some(decode(token).unwrap_or_else(|| token.into())),
            None => header_text(request.headers, &SECURITY_TOKEN),
        },
        is_bucket_session: query.bucket_token.is_some(),
        source: Source::Query,
        signed_at,
        expires_secs,
        payload,
    })
}

fn parse_expires(text: &str) -> Result<i64, QueryFault> {
    let secs: i64 = text.parse().map_err(|_| QueryFault::ExpiresNotANumber)?;
    match secs {
        ..0 => Err(QueryFault::ExpiresNegative),
        0..=MAX_EXPIRES_SECS => Ok(secs),
        _ => Err(QueryFault::ExpiresTooLarge),
    }
}
