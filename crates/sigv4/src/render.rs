//! Words an [`Error`] as the AWS service would: code, message, status and the extra elements of S3's XML.
//!
//! Texts are what AWS's services answer, as seen in their documentation and in reports of their users. Where a service
//! family words a case in a way that is not known, the closest known text of that family stands.

use std::borrow::Cow;

use crate::error::{CredentialFault, Error, HeaderFault, QueryFault};
use crate::time::{AmzDate, extended};

/// Whose manner an error is worded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// S3 and its kin.
    S3Xml,
    /// awsQuery: IAM, STS, SNS, CloudFormation and others. Codes without `Exception`, mostly 403.
    Query,
    /// awsJson and RPC v2 CBOR: DynamoDB, KMS, Logs and others. Codes with `Exception`, always 400.
    Json,
    /// restJson: Lambda, API Gateway and others. The codes of [`Style::Json`], mostly 403.
    RestJson,
    /// EC2, which tells little: `AuthFailure`, 401.
    Ec2,
}

/// An error in a service's words, ready for the service's wire format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The error's code.
    pub code: &'static str,
    /// The error's message.
    pub message: Cow<'static, str>,
    /// Further elements of the XML, in order. Only S3 has any.
    pub extra: Vec<(&'static str, String)>,
    /// The HTTP status.
    pub status: u16,
}

impl Rendered {
    fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), extra: Vec::new(), status }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.extra.push((name, value.into()));
        self
    }
}

impl Error {
    /// Words the error in a service's manner.
    pub fn render(&self, style: Style) -> Rendered {
        match self {
            // What S3 alone knows is worded its way for everyone.
            Self::SigV2
            | Self::Ended { .. }
            | Self::MissingDecodedLength
            | Self::LengthMismatch
            | Self::IncompleteBody
            | Self::ChunkTooSmall { .. }
            | Self::MalformedTrailer
            | Self::InvalidContentSha256 { .. }
            | Self::MissingContentSha256
            | Self::HeadersNotSigned(_) => self.s3(),
            _ if style == Style::S3Xml => self.s3(),
            _ if style == Style::Ec2 => self.ec2(),
            _ => self.common(style),
        }
    }

    fn s3(&self) -> Rendered {
        match self {
            Self::MissingAuthentication => Rendered::new(403, "AccessDenied", "Access Denied"),
            Self::SigV2 => Rendered::new(400, "InvalidRequest", SIGV2),
            // The texts of both families are guesses, after those of other headers that are missing.
            Self::MissingRegionSet => header_error("X-Amz-Region-Set is missing."),
            Self::TwoMechanisms { authorization } => Rendered::new(400, "InvalidArgument", TWO)
                .with("ArgumentName", "Authorization")
                .with("ArgumentValue", authorization),
            Self::UnknownAlgorithm => query_error(UNKNOWN_ALGORITHM),
            Self::MalformedHeader(fault) => header_error(s3_header_fault(fault)),
            Self::MalformedQuery(fault) => query_error(s3_query_fault(fault)),
            Self::Credential { fault, presigned } => s3_credential(fault, *presigned),
            Self::InvalidDate { .. } | Self::HostNotSigned | Self::HeadersNotSigned(_) => {
                self.s3_access_denied()
            }
            Self::Expired { .. } | Self::Ended { .. } | Self::NotYetValid { .. } => {
                self.s3_access_denied()
            }
            Self::MissingContentSha256 => {
                let text = "Missing required header for this request: x-amz-content-sha256";
                Rendered::new(400, "InvalidRequest", text)
            }
            Self::InvalidContentSha256 { value } => {
                Rendered::new(400, "InvalidArgument", INVALID_CONTENT_SHA256)
                    .with("ArgumentName", "x-amz-content-sha256")
                    .with("ArgumentValue", value)
            }
            Self::SignedHeaderAbsent(_) => Rendered::new(403, "SignatureDoesNotMatch", S3_MISMATCH),
            Self::Skewed { signed_at, now, window_secs } => {
                Rendered::new(403, "RequestTimeTooSkewed", SKEWED)
                    .with("RequestTime", AmzDate::from_unix(*signed_at).as_str())
                    .with("ServerTime", extended(*now))
                    .with("MaxAllowedSkewMilliseconds", (window_secs * 1000).to_string())
            }
            Self::SignatureDoesNotMatch(_) => self.s3_mismatch(),
            Self::ContentSha256Mismatch { client, computed } => {
                Rendered::new(400, "XAmzContentSHA256Mismatch", HASH_MISMATCH)
                    .with("ClientComputedContentSHA256", client)
                    .with("S3ComputedContentSHA256", computed)
            }
            Self::UnknownAccessKey { access_key_id } => {
                let text = "The AWS Access Key Id you provided does not exist in our records.";
                Rendered::new(403, "InvalidAccessKeyId", text).with("AWSAccessKeyId", access_key_id)
            }
            Self::ExpiredToken { token } => {
                Rendered::new(400, "ExpiredToken", "The provided token has expired.")
                    .with("Token-0", token)
            }
            Self::InvalidToken { token } => {
                let text = "The provided token is malformed or otherwise invalid.";
                Rendered::new(400, "InvalidToken", text).with("Token-0", token)
            }
            Self::MissingDecodedLength
            | Self::LengthMismatch
            | Self::IncompleteBody
            | Self::ChunkTooSmall { .. }
            | Self::MalformedTrailer => self.s3_body(),
        }
    }

    fn s3_access_denied(&self) -> Rendered {
        let denied = |text| Rendered::new(403, "AccessDenied", text);
        let window = |rendered: Rendered, signed_at: i64, expires_secs: i64, now: i64| {
            rendered
                .with("Expires", extended(signed_at.saturating_add(expires_secs)))
                .with("ServerTime", extended(now))
        };
        match self {
            Self::InvalidDate { .. } => {
                denied("AWS authentication requires a valid Date or x-amz-date header")
            }
            Self::HostNotSigned => denied(NOT_SIGNED).with("HeadersNotSigned", "host"),
            Self::HeadersNotSigned(names) => {
                denied(NOT_SIGNED).with("HeadersNotSigned", names.join(", "))
            }
            Self::Ended { expires_at, now } => {
                window(denied("Request has expired"), *expires_at, 0, *now)
            }
            Self::Expired { signed_at, expires_secs, now } => {
                let expired = denied("Request has expired");
                let expired = expired.with("X-Amz-Expires", expires_secs.to_string());
                window(expired, *signed_at, *expires_secs, *now)
            }
            Self::NotYetValid { signed_at, expires_secs, now } => {
                let early = denied("Request is not yet valid");
                let millis = signed_at.saturating_mul(1000).to_string();
                window(early.with("X-Amz-Date", millis), *signed_at, *expires_secs, *now)
            }
            _ => denied("Access Denied"),
        }
    }

    fn s3_mismatch(&self) -> Rendered {
        let rendered = Rendered::new(403, "SignatureDoesNotMatch", S3_MISMATCH);
        let Self::SignatureDoesNotMatch(mismatch) = self else { return rendered };
        let rendered = rendered
            .with("AWSAccessKeyId", &mismatch.access_key_id)
            .with("StringToSign", &mismatch.string_to_sign)
            .with("SignatureProvided", &mismatch.signature_provided)
            .with("StringToSignBytes", hex_bytes(&mismatch.string_to_sign));
        if mismatch.canonical_request.is_empty() {
            return rendered;
        }
        rendered
            .with("CanonicalRequest", &mismatch.canonical_request)
            .with("CanonicalRequestBytes", hex_bytes(&mismatch.canonical_request))
    }

    fn s3_body(&self) -> Rendered {
        match self {
            Self::MissingDecodedLength => Rendered::new(
                411,
                "MissingContentLength",
                "You must provide the Content-Length HTTP header.",
            ),
            Self::LengthMismatch => Rendered::new(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
            Self::ChunkTooSmall { chunk, size } => Rendered::new(
                400,
                "InvalidChunkSizeError",
                "Only the last chunk is allowed to have a size less than 8192 bytes",
            )
            .with("Chunk", chunk.to_string())
            .with("BadChunkSize", size.to_string()),
            Self::MalformedTrailer => {
                Rendered::new(400, "MalformedTrailerError", MALFORMED_TRAILER)
            }
            _ => Rendered::new(400, "IncompleteBody", "The request body terminated unexpectedly"),
        }
    }

    /// The query and JSON families share their texts; codes and statuses differ.
    fn common(&self, style: Style) -> Rendered {
        let kind = match self {
            Self::MissingAuthentication => Kind::Missing,
            Self::UnknownAccessKey { .. } | Self::InvalidToken { .. } => Kind::UnknownKey,
            Self::ExpiredToken { .. } => Kind::ExpiredToken,
            Self::MalformedHeader(_)
            | Self::MalformedQuery(_)
            | Self::UnknownAlgorithm
            | Self::MissingRegionSet
            | Self::TwoMechanisms { .. }
            | Self::InvalidDate { .. } => Kind::Incomplete,
            Self::Credential { fault: CredentialFault::Malformed { .. }, .. } => Kind::Incomplete,
            _ => Kind::Mismatch,
        };
        let (code, status) = kind.code(style);
        Rendered::new(status, code, self.common_text())
    }

    fn common_text(&self) -> Cow<'static, str> {
        match self {
            Self::MissingAuthentication => "Request is missing Authentication Token".into(),
            Self::UnknownAccessKey { .. } | Self::InvalidToken { .. } => {
                "The security token included in the request is invalid.".into()
            }
            Self::ExpiredToken { .. } => {
                "The security token included in the request is expired".into()
            }
            Self::MalformedHeader(fault) => common_header_fault(fault),
            Self::MalformedQuery(fault) => common_query_fault(fault),
            Self::UnknownAlgorithm => UNKNOWN_ALGORITHM.into(),
            Self::MissingRegionSet => NO_REGION_SET.into(),
            Self::TwoMechanisms { .. } => TWO.into(),
            Self::InvalidDate { found } if found.is_empty() => NO_DATE.into(),
            Self::InvalidDate { found } => format!(
                "Date must be in ISO-8601 'basic format'. Got '{found}'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
            .into(),
            Self::Credential { fault, .. } => common_credential(fault),
            Self::HostNotSigned => {
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into()
            }
            Self::SignedHeaderAbsent(name) => format!(
                "'{name}' is named as a SignedHeader, but it does not exist in the HTTP request"
            )
            .into(),
            Self::Skewed { signed_at, now, window_secs } if signed_at > now => {
                too_early(*signed_at, *now, *window_secs).into()
            }
            Self::Skewed { signed_at, now, window_secs } => {
                too_late(*signed_at, *now, *window_secs).into()
            }
            Self::NotYetValid { signed_at, now, .. } => too_early(*signed_at, *now, 900).into(),
            Self::Expired { signed_at, expires_secs, now } => {
                too_late(*signed_at, *now, *expires_secs).into()
            }
            _ => MISMATCH.into(),
        }
    }

    fn ec2(&self) -> Rendered {
        let failure = || {
            let text = "AWS was not able to validate the provided access credentials";
            Rendered::new(401, "AuthFailure", text)
        };
        match self {
            Self::MissingAuthentication => Rendered::new(
                400,
                "MissingParameter",
                "The request must contain the parameter AWSAccessKeyId",
            ),
            Self::ExpiredToken { .. } | Self::Expired { .. } => {
                Rendered::new(400, "RequestExpired", "Request has expired.")
            }
            Self::Skewed { signed_at, now, .. } if signed_at < now => {
                Rendered::new(400, "RequestExpired", "Request has expired.")
            }
            Self::MalformedHeader(_) | Self::MalformedQuery(_) | Self::InvalidDate { .. } => {
                self.common(Style::Query)
            }
            _ => failure(),
        }
    }
}

/// The five codes that a family of services has for all that can go wrong with a signature.
#[derive(Clone, Copy)]
enum Kind {
    Missing,
    UnknownKey,
    ExpiredToken,
    Incomplete,
    Mismatch,
}

impl Kind {
    fn code(self, style: Style) -> (&'static str, u16) {
        if style == Style::Query {
            return match self {
                Self::Missing => ("MissingAuthenticationToken", 403),
                Self::UnknownKey => ("InvalidClientTokenId", 403),
                Self::ExpiredToken => ("ExpiredToken", 403),
                Self::Incomplete => ("IncompleteSignature", 400),
                Self::Mismatch => ("SignatureDoesNotMatch", 403),
            };
        }
        let code = match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::Incomplete => "IncompleteSignatureException",
            Self::Mismatch => "InvalidSignatureException",
        };
        (code, if style == Style::RestJson { 403 } else { 400 })
    }
}

const SIGV2: &str =
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
const NO_REGION_SET: &str =
    "Authorization header requires existence of a 'X-Amz-Region-Set' header or parameter.";
const TWO: &str = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified";
const UNKNOWN_ALGORITHM: &str =
    "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"";
const SKEWED: &str = "The difference between the request time and the current time is too large.";
const S3_MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
const HASH_MISMATCH: &str =
    "The provided 'x-amz-content-sha256' header does not match what was computed.";
const NOT_SIGNED: &str = "There were headers present in the request which were not signed";
const NO_DATE: &str =
    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
const INVALID_CONTENT_SHA256: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
const MALFORMED_TRAILER: &str = "The request contained trailing data that was not well-formed or did not conform to our published schema.";

fn header_error(text: impl AsRef<str>) -> Rendered {
    let text = format!("The authorization header is malformed; {}", text.as_ref());
    Rendered::new(400, "AuthorizationHeaderMalformed", text)
}

fn query_error(text: impl Into<Cow<'static, str>>) -> Rendered {
    Rendered::new(400, "AuthorizationQueryParametersError", text)
}

fn s3_header_fault(fault: &HeaderFault) -> Cow<'static, str> {
    match fault {
        HeaderFault::Missing { credential, signed_headers, signature, .. } => {
            match (credential, signed_headers, signature) {
                (true, false, false) => "missing Credential.",
                (false, true, false) => "missing SignedHeaders.",
                (false, false, true) => "missing Signature.",
                _ => {
                    "the authorization header requires three components: Credential, SignedHeaders, and Signature."
                }
            }
            .into()
        }
        HeaderFault::NotAPair { component, .. } => {
            format!("the authorization component \"{component}\" is malformed.").into()
        }
        HeaderFault::NotText => "the authorization header is not text.".into(),
    }
}

fn s3_query_fault(fault: &QueryFault) -> &'static str {
    match fault {
        QueryFault::MissingParameter(_) => {
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        }
        QueryFault::InvalidDate => {
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        }
        QueryFault::ExpiresNotANumber => "X-Amz-Expires should be a number",
        QueryFault::ExpiresNegative => "X-Amz-Expires must be non-negative",
        QueryFault::ExpiresTooLarge => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
        }
    }
}

fn s3_credential(fault: &CredentialFault, presigned: bool) -> Rendered {
    let text = match fault {
        CredentialFault::Malformed { .. } => {
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".".to_owned()
        }
        CredentialFault::DayFormat { day, .. } => format!(
            "incorrect date format \"{day}\". This date in the credential must be in the format \"yyyyMMdd\"."
        ),
        CredentialFault::DayMismatch { day, signed_at } if presigned => {
            let date = signed_at.get(..8).unwrap_or_default();
            return query_error(format!(
                "Invalid credential date \"{day}\". This date is not the same as X-Amz-Date: \"{date}\"."
            ));
        }
        CredentialFault::DayMismatch { .. } => {
            "Invalid credential date. Date is not the same as X-Amz-Date.".to_owned()
        }
        CredentialFault::Terminator { found } => {
            format!("incorrect terminal \"{found}\". This endpoint uses \"aws4_request\".")
        }
        CredentialFault::Region { expected, found } => {
            format!("the region '{found}' is wrong; expecting '{expected}'")
        }
        CredentialFault::Service { expected, found } => {
            format!("incorrect service \"{found}\". This endpoint belongs to \"{expected}\".")
        }
    };
    let rendered = if presigned {
        query_error(format!("Error parsing the X-Amz-Credential parameter; {text}"))
    } else {
        header_error(text)
    };
    match fault {
        CredentialFault::Region { expected, .. } => rendered.with("Region", expected),
        _ => rendered,
    }
}

fn common_header_fault(fault: &HeaderFault) -> Cow<'static, str> {
    match fault {
        HeaderFault::Missing { credential, signed_headers, signature, date, header_hash } => {
            let needed = [
                (credential, "Credential"),
                (signature, "Signature"),
                (signed_headers, "SignedHeaders"),
            ];
            let mut text = String::new();
            for (_, name) in needed.into_iter().filter(|(missing, _)| **missing) {
                text += &format!("Authorization header requires '{name}' parameter. ");
            }
            if *date {
                text += NO_DATE;
                text += " ";
            }
            text += "(Hashed with SHA-256 and encoded with Base64) Authorization=";
            (text + header_hash).into()
        }
        HeaderFault::NotAPair { header_hash, .. } => format!(
            "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '{header_hash}'."
        )
        .into(),
        HeaderFault::NotText => "Authorization header is not text.".into(),
    }
}

fn common_query_fault(fault: &QueryFault) -> Cow<'static, str> {
    match fault {
        QueryFault::MissingParameter(name) => format!(
            "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
        )
        .into(),
        fault => s3_query_fault(fault).into(),
    }
}

fn common_credential(fault: &CredentialFault) -> Cow<'static, str> {
    match fault {
        CredentialFault::Malformed { credential } => format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        ),
        CredentialFault::DayFormat { day, signed_at }
        | CredentialFault::DayMismatch { day, signed_at } => {
            let date = signed_at.get(..8).unwrap_or_default();
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{date}', from '{signed_at}'."
            )
        }
        CredentialFault::Terminator { found } => format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{found}'. "
        ),
        // The blank at the end of these two is AWS's, which joins several such sentences.
        CredentialFault::Region { found, .. } => {
            format!("Credential should be scoped to a valid region, not '{found}'. ")
        }
        CredentialFault::Service { expected, .. } => {
            format!("Credential should be scoped to correct service: '{expected}'. ")
        }
    }
    .into()
}

fn too_late(signed_at: i64, now: i64, window_secs: i64) -> String {
    let [signed, limit, server] =
        [signed_at, now.saturating_sub(window_secs), now].map(AmzDate::from_unix);
    format!(
        "Signature expired: {signed:?} is now earlier than {limit:?} ({server:?} - {} min.)",
        window_secs / 60
    )
}

fn too_early(signed_at: i64, now: i64, window_secs: i64) -> String {
    let [signed, limit, server] =
        [signed_at, now.saturating_add(window_secs), now].map(AmzDate::from_unix);
    format!(
        "Signature not yet current: {signed:?} is still later than {limit:?} ({server:?} + {} min.)",
        window_secs / 60
    )
}

/// The bytes of a text as S3 shows them: `41 57 53`.
fn hex_bytes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for (at, byte) in text.bytes().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.extend(
            [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')),
        );
    }
    out
}
