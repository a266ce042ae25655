//! Who signed: finds the signature, looks its key up, verifies it.

use std::sync::Arc;

use fogbank_core::wire::{self, Protocol};
use fogbank_core::{Fault, Principal, Timestamp};
use fogbank_identity::{Credential, LookUp, bucket_sessions};
use fogbank_sigv4::{
    Algorithm, ChunkedDecoder, Error, EventChain, Lifetime, Options, Presented, PresignedV2,
    RequestView, Rules, SigningKey, Style, verify,
};

use crate::Inner;
use crate::catalogue::S3_EXPRESS;

/// A caller whose signature was verified.
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    /// Takes the body out of its chunks, where it has some.
    pub(crate) decoder: Option<Box<ChunkedDecoder>>,
    /// Verifies the messages of the body, where it is a stream of signed events.
    pub(crate) events: Option<Box<EventChain>>,
}

/// Verifies `presented`, whose scope must have `signing_name`. `body_hash` is the body's SHA-256 where the body
/// was read already.
///
/// Clients sign with their own clocks, so how far a signature is off is told by the machine's time. How long it is good
/// for is told by the cloud's.
pub(crate) fn verify_signature(
    gateway: &Inner,
    presented: &Presented<'_>,
    signing_name: &str,
    view: &RequestView<'_>,
    body_hash: Option<&str>,
) -> Result<Caller, Refusal> {
    let clock = gateway.cloud.clock();
    let (now, machine_now) = clock.both();
    let access_key_id = presented.access_key_id();
    let token = match presented.is_bucket_session {
        true => Token::Bucket(presented.session_token.as_deref()),
        false => Token::Security(presented.session_token.as_deref()),
    };
    let credential = credential(gateway, access_key_id, token, now)?;
    if presented.is_bucket_session && signing_name != S3_EXPRESS {
        return Err(token.refused());
    }
    let Some(secret) = &credential.secret else {
        // --accept-any-credentials: the signature says nothing, the chunks' framing still does.
        let decoder = presented.payload.is_chunked().then(|| unsigned_decoder(view)).transpose()?;
        let decoder = decoder.map(Box::new);
        return Ok(Caller { principal: credential.principal.clone(), decoder, events: None });
    };
    let own_region = &*gateway.cloud.settings().region;
    let key: SigningKey = gateway.keys.own().key(presented, secret);
    let options = Options {
        // A signature for one service must not open another: what names the service need not be signed.
        service: Some(signing_name),
        lifetime: Some(Lifetime {
            signed_at: clock.at(Timestamp::from_secs(presented.signed_at.unix_secs())).secs(),
            now: now.secs(),
        }),
        region: (!is_region(region(presented, own_region))).then_some(own_region),
        ..Options::new(rules(presented.service()))
    };
    let verified = verify(presented, view, &key, body_hash, machine_now.secs(), &options)?;
    let decoder = verified.chunked(decoded_len(view), announced_trailers(view))?.map(Box::new);
    let events = verified.events(secret).map(Box::new);
    Ok(Caller { principal: credential.principal.clone(), decoder, events })
}

/// The region that a request is for. A signature for a set of regions means our own, if it is in the set, else the
/// first that has a name.
pub(crate) fn region<'a>(presented: &'a Presented<'_>, own: &'a str) -> &'a str {
    match presented.algorithm {
        Algorithm::EcdsaP256Sha256 if presented.covers(own) => own,
        Algorithm::EcdsaP256Sha256 => {
            presented.regions().find(|region| is_region(region)).unwrap_or(presented.region())
        }
        Algorithm::HmacSha256 => presented.region(),
    }
}

/// The name that the scope of a signature for `service` must have.
pub(crate) fn signing_name<'a>(service: &wire::Service, presented: &'a str) -> &'a str {
    match service.signing_name {
        "s3" if rules(presented) == Rules::S3 => presented,
        name => name,
    }
}

/// Whether a scope's region can be one; it becomes a part of ARNs.
fn is_region(region: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&region.len()) && region.bytes().all(is_plain)
}

/// The decoder of an unsigned request's body, if it comes in chunks.
pub(crate) fn anonymous_decoder(view: &RequestView<'_>) -> Result<Option<ChunkedDecoder>, Refusal> {
    let says = |name: &str, word: &str| {
        view.headers.get_all(name).iter().any(|value| {
            let mut words = value.to_str().unwrap_or_default().split(',').map(str::trim);
            words.any(|found| found.eq_ignore_ascii_case(word))
        })
    };
    let is_chunked = says("content-encoding", "aws-chunked")
        || says("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    Ok(is_chunked.then(|| unsigned_decoder(view)).transpose()?)
}

fn unsigned_decoder(view: &RequestView<'_>) -> Result<ChunkedDecoder, Error> {
    let len = decoded_len(view).ok_or(Error::MissingDecodedLength)?;
    Ok(ChunkedDecoder::unsigned(len, announced_trailers(view)))
}

/// The length of a body in chunks without its chunks.
pub(crate) fn decoded_len(view: &RequestView<'_>) -> Option<u64> {
    view.headers.get("x-amz-decoded-content-length")?.to_str().ok()?.trim().parse().ok()
}

fn announced_trailers<'a>(view: &RequestView<'a>) -> Option<&'a str> {
    view.headers.get("x-amz-trailer")?.to_str().ok()
}

/// S3's dialect of the signature, or everybody else's.
pub(crate) fn rules(signing_name: &str) -> Rules {
    match signing_name {
        "s3" | S3_EXPRESS | "s3-object-lambda" => Rules::S3,
        _ => Rules::Other,
    }
}

/// Why a caller is refused.
pub(crate) enum Refusal {
    /// The signature is at fault.
    Signature(Box<Error>),
    /// We are.
    Ours(Fault),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Signature(Box::new(error))
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Ours(fault)
    }
}

impl Refusal {
    /// The fault as a service with this protocol words it.
    pub(crate) fn into_fault(self, service: &str, protocol: Protocol) -> Fault {
        match self {
            Refusal::Ours(fault) => fault,
            Refusal::Signature(error) => fault(&error, style(service, protocol)),
        }
    }
}

pub(crate) fn style(service: &str, protocol: Protocol) -> Style {
    match protocol {
        _ if service == "s3" => Style::S3Xml,
        // SQS speaks JSON today and has kept the codes and statuses of its years with the query protocol.
        _ if service == "sqs" => Style::Query,
        Protocol::Ec2Query => Style::Ec2,
        Protocol::AwsQuery | Protocol::RestXml => Style::Query,
        Protocol::RestJson1 => Style::RestJson,
        _ => Style::Json,
    }
}

/// A signature's error as a fault, with AWS's code, message and elements.
pub(crate) fn fault(error: &Error, style: Style) -> Fault {
    let rendered = error.render(style);
    let mut fault = Fault::new(rendered.code, rendered.message).with_status(rendered.status);
    for (name, value) in rendered.extra {
        fault = fault.with(name, value);
    }
    if let Error::UnknownAccessKey { access_key_id } = error {
        fault = fault.because(format!(
            "nobody created the access key {access_key_id}; --accept-any-credentials would allow it"
        ));
    }
    fault
}

/// A presigned request of Signature Version 2, and the bucket that its host named.
pub(crate) struct Old<'a> {
    pub(crate) presigned: PresignedV2<'a>,
    pub(crate) bucket: Option<&'a str>,
}

/// Verifies the signature of an old presigned request. It says when it ends and not when it began, so that only the
/// machine's time can tell whether it has.
pub(crate) fn verify_old(
    gateway: &Inner,
    old: &Old<'_>,
    view: &RequestView<'_>,
) -> Result<Arc<Principal>, Refusal> {
    let Old { presigned, bucket } = old;
    let token = Token::Security(presigned.session_token.as_deref());
    let clock = gateway.cloud.clock();
    let now = clock.now();
    let credential = credential(gateway, &presigned.access_key_id, token, now)?;
    if let Some(secret) = &credential.secret {
        presigned.verify(view, *bucket, secret, clock.machine_now().secs())?;
    }
    Ok(credential.principal.clone())
}

/// The token that comes with a signature, if one does: its place says which sessions it may be of.
#[derive(Clone, Copy)]
pub(crate) enum Token<'a> {
    /// Of a session of STS.
    Security(Option<&'a str>),
    /// Of a session with one bucket, which is good for that bucket alone.
    Bucket(Option<&'a str>),
}

impl Token<'_> {
    fn text(&self) -> Option<&str> {
        let (Token::Security(token) | Token::Bucket(token)) = self;
        *token
    }

    fn refused(&self) -> Refusal {
        let token = self.text().unwrap_or_default().to_owned();
        Error::InvalidToken { token }.into()
    }
}

/// What is known of an access key that may be used.
pub(crate) fn credential(
    gateway: &Inner,
    access_key_id: &str,
    token: Token<'_>,
    now: Timestamp,
) -> Result<Arc<Credential>, Refusal> {
    // Most keys are remembered, or built in, so that no view of the rows is taken.
    let rows = gateway.cloud.db().lazily();
    let found = gateway
        .directory
        .credential(&rows, access_key_id, token.text(), now)
        .map_err(|error| Refusal::Ours(Fault::from(error)))?;
    let expired = || token.text().unwrap_or_default().to_owned();
    match found {
        LookUp::Found(credential) => {
            let is_of_bucket = bucket_sessions::of(&credential.principal).is_some();
            match is_of_bucket == matches!(token, Token::Bucket(_)) {
                true => Ok(credential),
                false => Err(token.refused()),
            }
        }
        // AWS tells of a closed account no more than of a key that is not known.
        LookUp::Unknown | LookUp::Inactive | LookUp::Closed => {
            let access_key_id = access_key_id.to_owned();
            Err(Error::UnknownAccessKey { access_key_id }.into())
        }
        LookUp::Expired => Err(Error::ExpiredToken { token: expired() }.into()),
        LookUp::InvalidToken => Err(token.refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_plain_words() {
        for region in ["us-east-1", "us-isob-east-1", "eu", "mars-1"] {
            assert!(is_region(region), "{region}");
        }
        for region in ["", "us-east-1:111122223333:x", "../..", "US-EAST-1", "*", "a b", "é"] {
            assert!(!is_region(region), "{region}");
        }
        assert!(!is_region(&"x".repeat(33)));
    }
}
