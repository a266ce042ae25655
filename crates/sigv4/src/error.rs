//! All the ways in which a signature fails, with everything that AWS's error responses print.

/// Why a request's signature, or its signed body, is refused. [`Error::render`] words it for a protocol.
///
/// The caller raises [`Error::MissingAuthentication`], [`Error::UnknownAccessKey`], [`Error::ExpiredToken`] and
/// [`Error::InvalidToken`] itself: only it knows which requests may be anonymous, and the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The operation needs a signature, and the request has none.
    #[error("the request is not signed")]
    MissingAuthentication,
    /// The request is signed by a header and by the query at once.
    #[error("the request is signed by a header and by the query")]
    TwoMechanisms {
        /// The `Authorization` header.
        authorization: String,
    },
    /// Signature Version 2, which AWS has retired for all but presigned requests to S3.
    #[error("Signature Version 2 is not supported")]
    SigV2,
    /// A request that is signed by SigV4A does not say for which regions.
    #[error("X-Amz-Region-Set is missing")]
    MissingRegionSet,
    /// `X-Amz-Algorithm` names an algorithm that does not exist.
    #[error("unknown signing algorithm")]
    UnknownAlgorithm,
    /// The `Authorization` header lacks something or cannot be read.
    #[error("the authorization header is malformed: {0:?}")]
    MalformedHeader(HeaderFault),
    /// The presigned query lacks something or cannot be read.
    #[error("the presigned query is malformed: {0:?}")]
    MalformedQuery(QueryFault),
    /// The credential is not `KEY/YYYYMMDD/REGION/SERVICE/aws4_request`, or names the wrong one of these.
    #[error("the credential scope is wrong: {fault:?}")]
    Credential {
        /// What is wrong.
        fault: CredentialFault,
        /// Whether the credential stands in the query.
        presigned: bool,
    },
    /// Neither `x-amz-date` nor `Date` has a time.
    #[error("the request has no usable date")]
    InvalidDate {
        /// What stands in their place.
        found: String,
    },
    /// S3 needs `x-amz-content-sha256`.
    #[error("x-amz-content-sha256 is missing")]
    MissingContentSha256,
    /// `x-amz-content-sha256` is neither a hash nor one of the known words.
    #[error("x-amz-content-sha256 is invalid")]
    InvalidContentSha256 {
        /// Its value.
        value: String,
    },
    /// `host` is not among the signed headers.
    #[error("the host is not signed")]
    HostNotSigned,
    /// A signed header is not in the request.
    #[error("the signed header {0} is not in the request")]
    SignedHeaderAbsent(String),
    /// `x-amz-*` headers that the signature does not cover, which S3 refuses.
    #[error("headers are not signed: {0:?}")]
    HeadersNotSigned(Vec<String>),
    /// The request's time is too far from the server's.
    #[error("the request's time is too far from the server's")]
    Skewed {
        /// When the request was signed, in Unix seconds.
        signed_at: i64,
        /// The server's time, in Unix seconds.
        now: i64,
        /// The window to either side, in seconds.
        window_secs: i64,
    },
    /// A presigned request is past its end.
    #[error("the presigned request has expired")]
    Expired {
        /// When the request was signed, in Unix seconds.
        signed_at: i64,
        /// How long it was valid, in seconds.
        expires_secs: i64,
        /// The server's time, in Unix seconds.
        now: i64,
    },
    /// A presigned request of Signature Version 2 is past its end.
    #[error("the presigned request has ended")]
    Ended {
        /// When it ended, in Unix seconds.
        expires_at: i64,
        /// The server's time, in Unix seconds.
        now: i64,
    },
    /// A presigned request is from the future.
    #[error("the presigned request is not valid yet")]
    NotYetValid {
        /// When the request says it was signed, in Unix seconds.
        signed_at: i64,
        /// How long it will be valid, in seconds.
        expires_secs: i64,
        /// The server's time, in Unix seconds.
        now: i64,
    },
    /// The signature is not the one that the secret yields.
    #[error("the signature does not match")]
    SignatureDoesNotMatch(Box<Mismatch>),
    /// The body does not have the hash that `x-amz-content-sha256` states.
    #[error("the body does not have the stated hash")]
    ContentSha256Mismatch {
        /// What the client states.
        client: String,
        /// What was computed.
        computed: String,
    },
    /// Nobody has this access key. Raised by the caller.
    #[error("the access key {access_key_id} is unknown")]
    UnknownAccessKey {
        /// The key's id.
        access_key_id: String,
    },
    /// The session token's time is over. Raised by the caller.
    #[error("the session token has expired")]
    ExpiredToken {
        /// The token.
        token: String,
    },
    /// The session token does not belong to the access key, or is missing. Raised by the caller.
    #[error("the session token is invalid")]
    InvalidToken {
        /// The token.
        token: String,
    },
    /// The body is `aws-chunked` and does not say how long it will be.
    #[error("x-amz-decoded-content-length is missing")]
    MissingDecodedLength,
    /// The body has more or fewer bytes than announced.
    #[error("the body does not have the announced length")]
    LengthMismatch,
    /// The chunks cannot be read, or the last one is missing.
    #[error("the body's chunks are malformed")]
    IncompleteBody,
    /// A chunk other than the last is smaller than 8,192 bytes.
    #[error("a chunk other than the last is smaller than 8192 bytes")]
    ChunkTooSmall {
        /// The number, from one, of the chunk that follows the small one.
        chunk: u64,
        /// The small chunk's size in bytes.
        size: u64,
    },
    /// The trailing headers cannot be read, or are not those that were announced.
    #[error("the trailing headers are malformed")]
    MalformedTrailer,
}

/// What is wrong with an `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFault {
    /// One or more of its three components are missing.
    Missing {
        /// `Credential` is missing.
        credential: bool,
        /// `SignedHeaders` is missing.
        signed_headers: bool,
        /// `Signature` is missing.
        signature: bool,
        /// The request has no date either.
        date: bool,
        /// SHA-256 of the header in base64; AWS no longer echoes the header itself.
        header_hash: String,
    },
    /// A component is not `Name=value`.
    NotAPair {
        /// The component.
        component: String,
        /// SHA-256 of the header in base64.
        header_hash: String,
    },
    /// The header is not text.
    NotText,
}

/// What is wrong with a presigned query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryFault {
    /// One of the six parameters is missing or empty.
    MissingParameter(&'static str),
    /// `X-Amz-Date` is not a time.
    InvalidDate,
    /// `X-Amz-Expires` is not a number.
    ExpiresNotANumber,
    /// `X-Amz-Expires` is below zero.
    ExpiresNegative,
    /// `X-Amz-Expires` is more than a week.
    ExpiresTooLarge,
}

/// What is wrong with a credential scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialFault {
    /// It does not have five parts.
    Malformed {
        /// The credential.
        credential: String,
    },
    /// Its day is not eight digits.
    DayFormat {
        /// Its day.
        day: String,
        /// The request's time, `YYYYMMDD'T'HHMMSS'Z'`.
        signed_at: String,
    },
    /// Its day is not the day of the request.
    DayMismatch {
        /// Its day.
        day: String,
        /// The request's time, `YYYYMMDD'T'HHMMSS'Z'`.
        signed_at: String,
    },
    /// It does not end with `aws4_request`.
    Terminator {
        /// How it ends.
        found: String,
    },
    /// It names another region.
    Region {
        /// The region that it should name.
        expected: String,
        /// The region that it names.
        found: String,
    },
    /// It names another service.
    Service {
        /// The service that it should name.
        expected: String,
        /// The service that it names.
        found: String,
    },
}

/// Both sides of a signature that does not match. S3 shows all of it to the client, which makes it debuggable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Whose signature it is.
    pub access_key_id: String,
    /// The signature that the client sent.
    pub signature_provided: String,
    /// What the server signed.
    pub string_to_sign: String,
    /// The canonical request; empty for the signature of a chunk or of a trailer.
    pub canonical_request: String,
}
