//! Verifies a presented signature: its time, its scope, its coverage, and the signature itself.

use sha2::{Digest, Sha256};

use crate::canonical::{Canonical, PathForm, QueryForm, is_host};
use crate::chunked::{ChunkedDecoder, Framing};
use crate::error::{CredentialFault, Error, Mismatch, QueryFault};
use crate::events::EventChain;
use crate::key::{Signature, SigningKey};
use crate::parse::{Algorithm, Payload, Presented, RequestView, Source};
use crate::time::AmzDate;

/// The SHA-256 of nothing, which stands for an absent body.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Which of the two dialects of SigV4 a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// S3 and its kin: the path is encoded once and never normalised, `x-amz-content-sha256` is required, and every
    /// `x-amz-*` header must be signed.
    S3,
    /// Every other service: the path is normalised and encoded twice.
    Other,
}

/// What a verification depends on besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The service's dialect.
    pub rules: Rules,
    /// How far the request's time may be from the server's, in seconds.
    pub window_secs: i64,
    /// The region that the scope must name; `None` takes any.
    pub region: Option<&'a str>,
    /// The signing name that the scope must have; `None` takes any.
    pub service: Option<&'a str>,
    /// The times by which a presigned request expires, where that is another clock than the clients'.
    pub lifetime: Option<Lifetime>,
}

/// When a request was signed and what time it is, in Unix seconds, by the clock that expiries obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// When the request was signed.
    pub signed_at: i64,
    /// The time.
    pub now: i64,
}

impl Options<'_> {
    /// The options of a dialect: fifteen minutes, any region, any service.
    pub fn new(rules: Rules) -> Self {
        Self { rules, window_secs: 900, region: None, service: None, lifetime: None }
    }
}

/// A signature that was found to be right, with what the verification of its body needs.
#[derive(Clone, Debug)]
pub struct Verified<'p> {
    presented: &'p Presented<'p>,
    key: &'p SigningKey,
}

impl<'p> Verified<'p> {
    /// The signature as it was presented.
    pub fn presented(&self) -> &'p Presented<'p> {
        self.presented
    }

    /// The key that signs the body's chunks or events.
    pub fn signing_key(&self) -> &SigningKey {
        self.key
    }

    /// The request's signature, from which the chain of chunk signatures starts.
    pub fn seed_signature(&self) -> &'p str {
        self.presented.signature()
    }

    /// Compares the hash of the body, in lower-case hexadecimal, with the one that the request states, if it does.
    pub fn check_body(&self, computed: &str) -> Result<(), Error> {
        match &self.presented.payload {
            Payload::Sha256(stated) if !stated.eq_ignore_ascii_case(computed) => {
                Err(Error::ContentSha256Mismatch {
                    client: stated.to_string(),
                    computed: computed.to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The decoder for a body in `aws-chunked` framing; `None` for any other.
    ///
    /// `decoded_length` is `x-amz-decoded-content-length`, `announced` is `x-amz-trailer`; without the latter any
    /// trailing header is accepted, as AWS does.
    pub fn chunked(
        &self,
        decoded_length: Option<u64>,
        announced: Option<&str>,
    ) -> Result<Option<ChunkedDecoder>, Error> {
        let framing = match self.presented.payload {
            Payload::SignedChunks(_) => Framing::Signed { trailer: false },
            Payload::SignedChunksTrailer(_) => Framing::Signed { trailer: true },
            Payload::UnsignedChunksTrailer => Framing::Unsigned,
            _ => return Ok(None),
        };
        let length = decoded_length.ok_or(Error::MissingDecodedLength)?;
        Ok(Some(ChunkedDecoder::new(framing, self, length, announced)))
    }

    /// The chain of signatures of an event stream's messages; `None` for a body that is no signed event stream.
    ///
    /// `secret` is the one that the key was derived from: messages of another day are signed with another key.
    pub fn events(&self, secret: &str) -> Option<EventChain> {
        (self.presented.payload == Payload::SignedEvents)
            .then(|| EventChain::new(self.presented, secret))
    }
}

/// Verifies a signature with the key of its owner.
///
/// `payload_hash` is the SHA-256 of the body in lower-case hexadecimal. `None` means that the body was not read yet:
/// the hash that the request states is then taken at its word, and [`Verified::check_body`] settles it later. `now`
/// is the server's time in Unix seconds.
pub fn verify<'p>(
    presented: &'p Presented<'p>,
    request: &RequestView<'_>,
    key: &'p SigningKey,
    payload_hash: Option<&str>,
    now: i64,
    options: &Options<'_>,
) -> Result<Verified<'p>, Error> {
    check_scope(presented, options)?;
    check_key(presented, key)?;
    check_coverage(presented, request, options.rules)?;
    check_time(presented, now, options)?;
    let hash = canonical_hash(presented, payload_hash, options.rules)?;
    check_signature(presented, request, key, hash, options.rules)?;
    let verified = Verified { presented, key };
    if let (Rules::S3, Some(computed)) = (options.rules, payload_hash) {
        verified.check_body(computed)?;
    }
    Ok(verified)
}

/// A key of the other algorithm is a mistake of ours, and must not verify anything.
fn check_key(presented: &Presented<'_>, key: &SigningKey) -> Result<(), Error> {
    if key.algorithm() == presented.algorithm { Ok(()) } else { Err(Error::UnknownAlgorithm) }
}

fn check_scope(presented: &Presented<'_>, options: &Options<'_>) -> Result<(), Error> {
    let wrong =
        |fault| Err(Error::Credential { fault, presigned: presented.source == Source::Query });
    if let Some(expected) = options.service.filter(|expected| *expected != presented.service()) {
        let (expected, found) = (expected.to_owned(), presented.service().to_owned());
        return wrong(CredentialFault::Service { expected, found });
    }
    if let Some(expected) = options.region.filter(|expected| !presented.covers(expected)) {
        let found = presented.regions().collect::<Vec<_>>().join(",");
        let expected = expected.to_owned();
        return wrong(CredentialFault::Region { expected, found });
    }
    Ok(())
}

/// Whether the signature covers what it must.
fn check_coverage(
    presented: &Presented<'_>,
    request: &RequestView<'_>,
    rules: Rules,
) -> Result<(), Error> {
    let signs_host = presented.signed_headers().any(is_host);
    if rules == Rules::Other {
        let needs_region_set =
            presented.algorithm == Algorithm::EcdsaP256Sha256 && presented.source == Source::Header;
        return match signs_host {
            false => Err(Error::HostNotSigned),
            true if needs_region_set && !presented.signs("x-amz-region-set") => {
                Err(Error::HeadersNotSigned(vec!["x-amz-region-set".to_owned()]))
            }
            true => Ok(()),
        };
    }
    let must_be_signed = |name: &str| {
        // The first two are part of what is signed in any case; CloudFront adds the third on its way.
        name.starts_with("x-amz-")
            && !matches!(name, "x-amz-content-sha256" | "x-amz-date" | "x-amz-cf-id")
    };
    let mut unsigned: Vec<String> = request
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| must_be_signed(name) && !presented.signs(name))
        .map(str::to_owned)
        .collect();
    if !signs_host {
        unsigned.push("host".to_owned());
    }
    if unsigned.is_empty() {
        return Ok(());
    }
    unsigned.sort_unstable();
    Err(Error::HeadersNotSigned(unsigned))
}

fn check_time(presented: &Presented<'_>, now: i64, options: &Options<'_>) -> Result<(), Error> {
    let window_secs = options.window_secs;
    let signed_at = presented.signed_at.unix_secs();
    let skewed = Err(Error::Skewed { signed_at, now, window_secs });
    match (presented.source, presented.expires_secs) {
        (Source::Query, None) if options.rules == Rules::S3 => {
            Err(Error::MalformedQuery(QueryFault::MissingParameter("X-Amz-Expires")))
        }
        (Source::Query, Some(expires_secs)) => {
            if signed_at.saturating_sub(now) > window_secs {
                return Err(Error::NotYetValid { signed_at, expires_secs, now });
            }
            let Lifetime { signed_at, now } =
                options.lifetime.unwrap_or(Lifetime { signed_at, now });
            // The seconds of both are whole: when as many have gone by, the time is over.
            if now.saturating_sub(signed_at) >= expires_secs {
                return Err(Error::Expired { signed_at, expires_secs, now });
            }
            Ok(())
        }
        _ if now.saturating_sub(signed_at).saturating_abs() > window_secs => skewed,
        _ => Ok(()),
    }
}

/// What the canonical request has in the place of the body's hash.
fn canonical_hash<'a>(
    presented: &'a Presented<'_>,
    computed: Option<&'a str>,
    rules: Rules,
) -> Result<&'a str, Error> {
    match (&presented.payload, rules, presented.source) {
        (Payload::Absent, Rules::S3, Source::Header) => Err(Error::MissingContentSha256),
        (Payload::Absent, Rules::S3, Source::Query) => Ok("UNSIGNED-PAYLOAD"),
        (Payload::Unknown(value), Rules::S3, _) => {
            Err(Error::InvalidContentSha256 { value: value.to_string() })
        }
        (Payload::Absent | Payload::Unknown(_), Rules::Other, _) => {
            Ok(computed.unwrap_or(EMPTY_SHA256))
        }
        // S3 tells a wrong hash from a wrong signature; for the others the body simply is what it is.
        (Payload::Sha256(_), Rules::Other, _) if computed.is_some() => {
            Ok(computed.unwrap_or(EMPTY_SHA256))
        }
        (stated, _, _) => Ok(stated.as_str().unwrap_or(EMPTY_SHA256)),
    }
}

/// The forms in which a client may have signed its path, the most likely first. A form is only tried when those
/// before it failed.
///
/// S3's two equate only spellings of one key. Of the others, [`PathForm::Raw`] is a courtesy to clients that sign
/// every service's path as if it were S3's. Its price is that a captured signature of `/a%20b` also fits `/a%2520b`
/// for its fifteen minutes, a path that names nothing unless somebody puts escapes into names.
fn path_forms(rules: Rules) -> &'static [PathForm] {
    match rules {
        Rules::S3 => &[PathForm::Raw, PathForm::Single],
        Rules::Other => &[PathForm::NormalizedDouble, PathForm::Double, PathForm::Raw],
    }
}

fn check_signature(
    presented: &Presented<'_>,
    request: &RequestView<'_>,
    key: &SigningKey,
    payload_hash: &str,
    rules: Rules,
) -> Result<(), Error> {
    let canonical = Canonical {
        request,
        signed_headers: &presented.signed_headers,
        payload_hash,
        presigned: presented.source == Source::Query,
    };
    let mut text = Vec::with_capacity(1024);
    let mut string_to_sign = |path, query| {
        match canonical.write(path, query, &mut text) {
            // S3 instead takes an absent header for an empty one, and the signature decides.
            Some(absent) if rules == Rules::Other => {
                return Err(Error::SignedHeaderAbsent(absent.to_owned()));
            }
            _ => {}
        }
        let hash = Signature::of(&Sha256::digest(&text).into());
        let Presented { algorithm, signed_at: at, .. } = presented;
        Ok(StringToSign { algorithm: *algorithm, at, scope: presented.scope(), hash })
    };
    let mut tried: Vec<StringToSign<'_>> = Vec::new();
    for query in [QueryForm::Encoded, QueryForm::Raw] {
        for path in path_forms(rules) {
            let to_sign = string_to_sign(*path, query)?;
            if tried.iter().any(|before| before.hash == to_sign.hash) {
                continue;
            }
            if key.verifies(&to_sign.parts(), presented.signature.as_bytes()) {
                return Ok(());
            }
            tried.push(to_sign);
        }
        if request.raw_query.is_empty() {
            break;
        }
    }
    let string_to_sign = string_to_sign(path_forms(rules)[0], QueryForm::Encoded)?.text();
    Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
        access_key_id: presented.access_key_id().to_owned(),
        signature_provided: presented.signature().to_owned(),
        string_to_sign,
        canonical_request: String::from_utf8_lossy(&text).into_owned(),
    })))
}

/// The text that a request's signature is of.
pub(crate) struct StringToSign<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) at: &'a AmzDate,
    pub(crate) scope: &'a str,
    /// The hash of the canonical request.
    pub(crate) hash: Signature,
}

impl StringToSign<'_> {
    fn parts(&self) -> [&[u8]; 7] {
        [
            self.algorithm.as_str().as_bytes(),
            b"\n",
            self.at.as_str().as_bytes(),
            b"\n",
            self.scope.as_bytes(),
            b"\n",
            self.hash.as_bytes(),
        ]
    }

    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        key.sign(&self.parts())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.parts().concat()).into_owned()
    }
}

/// The SHA-256 of `bytes` in lower-case hexadecimal, as [`verify`] takes it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Signature::of(&Sha256::digest(bytes).into()).as_str().to_owned()
}
