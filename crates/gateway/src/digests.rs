//! What the headers of S3's requests say of the bytes of their documents. Bodies of objects and parts are S3's own business.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_checksums::{Algorithm, value_header};
use fogbank_core::Fault;
use fogbank_core::wire::Body;
use http::{HeaderMap, HeaderName};

/// Operations that AWS refuses without a digest of their document. Its documentation wants one for many others, which it is seen
/// to take without.
const REQUIRED: [&str; 8] = [
    "DeleteObjects",
    "PutBucketCors",
    "PutBucketLifecycleConfiguration",
    "PutBucketReplication",
    "PutBucketTagging",
    "PutObjectLegalHold",
    "PutObjectLockConfiguration",
    "PutObjectRetention",
];

static CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
static SDK_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-sdk-checksum-algorithm");
static TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

/// Holds a request against the digests that its headers promise. `streams` says that the body is read later.
pub(crate) fn check(
    operation: &str,
    headers: &HeaderMap,
    body: &Body,
    streams: bool,
) -> Result<(), Fault> {
    let mut given = given(headers)?;
    if operation == "CompleteMultipartUpload" {
        // It is that of the object.
        given = None;
    } else {
        check_named(headers, given.map(|(algorithm, _)| algorithm))?;
    }
    if streams {
        return Ok(());
    }
    let trailers = body.trailers();
    let trailing = trailers.as_ref().and_then(|trailers| trailers.get());
    let trailing = trailing.into_iter().flatten().find_map(|(name, value)| {
        Some((Algorithm::from_header(name)?, value.as_str(), "trailing header"))
    });
    let header = given.and_then(|(algorithm, value)| Some((algorithm, value?, "header")));
    let promised = header.or(trailing);
    let md5 = headers.get(&CONTENT_MD5);
    if promised.is_none() && md5.is_none() && REQUIRED.contains(&operation) {
        return Err(refused(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        ));
    }
    let document = body.bytes().map(|bytes| &**bytes).unwrap_or_default();
    if let Some(md5) = md5 {
        check_md5(&String::from_utf8_lossy(md5.as_bytes()), document)?;
    }
    promised
        .map_or(Ok(()), |(algorithm, value, kind)| check_checksum(algorithm, value, kind, document))
}

/// The one checksum among the headers, or the algorithm of the one that will follow the body.
fn given(headers: &HeaderMap) -> Result<Option<(Algorithm, Option<&str>)>, Fault> {
    let mut found = None;
    let mut find = |algorithm, value| match found.replace((algorithm, value)) {
        None => Ok(()),
        Some(_) => Err(refused(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )),
    };
    for (name, value) in headers {
        if let Some(rest) = value_header(name.as_str()) {
            let algorithm = Algorithm::from_name(rest).ok_or_else(|| {
                refused("The algorithm type you specified in x-amz-checksum- header is invalid.")
            })?;
            find(algorithm, Some(value.to_str().unwrap_or_default()))?;
        }
    }
    for names in headers.get_all(&TRAILER) {
        for name in names.to_str().unwrap_or_default().split(',').map(str::trim) {
            if !name.is_empty() {
                let algorithm = Algorithm::from_header(name).ok_or_else(|| {
                    refused("The value specified in the x-amz-trailer header is not supported")
                })?;
                find(algorithm, None)?;
            }
        }
    }
    Ok(found)
}

/// Holds the algorithm that an SDK names against that of the checksum.
fn check_named(headers: &HeaderMap, given: Option<Algorithm>) -> Result<(), Fault> {
    let Some(named) = headers.get(&SDK_ALGORITHM) else { return Ok(()) };
    let named = Algorithm::from_name(named.to_str().unwrap_or_default());
    match (named, given) {
        (None, _) => Err(refused(Algorithm::unsupported())),
        (Some(_), None) => Err(refused(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )),
        (Some(named), Some(given)) if named != given => {
            Err(refused("Value for x-amz-sdk-checksum-algorithm header is invalid."))
        }
        _ => Ok(()),
    }
}

fn check_md5(expected: &str, document: &[u8]) -> Result<(), Fault> {
    if Algorithm::Md5.parse(expected).is_none() {
        let message = "The Content-MD5 you specified was invalid.";
        return Err(Fault::new("InvalidDigest", message)
            .with_status(400)
            .with("Content-MD5", expected));
    }
    let calculated = STANDARD.encode(Algorithm::Md5.of(document));
    if calculated == expected {
        return Ok(());
    }
    let message = "The Content-MD5 you specified did not match what we received.";
    let fault = Fault::new("BadDigest", message).with_status(400);
    Err(fault.with("ExpectedDigest", expected).with("CalculatedDigest", calculated))
}

fn check_checksum(
    algorithm: Algorithm,
    value: &str,
    kind: &str,
    document: &[u8],
) -> Result<(), Fault> {
    let Some(expected) = algorithm.parse(value) else {
        let name = algorithm.lower_name();
        return Err(refused(format!("Value for x-amz-checksum-{name} {kind} is invalid.")));
    };
    if algorithm.of(document) == expected {
        return Ok(());
    }
    let name = algorithm.name();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    Err(Fault::new("BadDigest", message).with_status(400))
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new("InvalidRequest", message).with_status(400)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// What becomes of a request with these headers and the body `123456789`.
    fn outcome(operation: &str, given: &[(&'static str, &'static str)]) -> String {
        let headers = given
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let body = Body::from("123456789".to_owned());
        match check(operation, &headers.collect(), &body, operation == "PutObject") {
            Ok(()) => "taken".to_owned(),
            Err(fault) => format!("{}: {}", fault.name(), fault.message()),
        }
    }

    const SDK: &str = "x-amz-sdk-checksum-algorithm";
    const MD5: &str = "content-md5";
    const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "y/Q5Jg==");
    const XXHASH64: (&str, &str) = ("x-amz-checksum-xxhash64", "jLhB20DmroM=");

    #[test]
    fn right_digests_are_taken() {
        for given in [
            &[CRC32][..],
            &[XXHASH64],
            &[CRC32, (SDK, "crc32"), ("x-amz-checksum-type", "FULL_OBJECT")],
            &[(MD5, "JfnnlDI7RTiF9RgfG2JNCw==")],
            &[(MD5, "JfnnlDI7RTiF9RgfG2JNCw=="), XXHASH64, (SDK, "XXHASH64")],
        ] {
            assert_eq!(outcome("DeleteObjects", given), "taken", "{given:?}");
            assert_eq!(outcome("PutObjectTagging", given), "taken", "{given:?}");
        }
        assert_eq!(outcome("PutObjectTagging", &[]), "taken");
        // What a completion promises is the checksum of the object, and S3 looks at bodies of objects itself.
        for operation in ["CompleteMultipartUpload", "PutObject"] {
            assert_eq!(outcome(operation, &[("x-amz-checksum-crc32", "AAAAAA==")]), "taken");
        }
    }

    #[test]
    fn wrong_digests_are_refused() {
        let zeros = ("x-amz-checksum-xxhash64", "AAAAAAAAAAA=");
        for (operation, given, expected) in [
            ("DeleteObjects", &[][..], "InvalidRequest: Missing required header for this request"),
            (
                "DeleteObjects",
                &[(SDK, "CRC32")],
                "InvalidRequest: x-amz-sdk-checksum-algorithm spec",
            ),
            (
                "PutObjectTagging",
                &[CRC32, XXHASH64],
                "InvalidRequest: Expecting a single x-amz-che",
            ),
            ("PutObject", &[CRC32, XXHASH64], "InvalidRequest: Expecting a single x-amz-checksum-"),
            (
                "PutObject",
                &[("x-amz-checksum-xxhash32", "AAAAAA==")],
                "InvalidRequest: The algorithm",
            ),
            (
                "PutObjectTagging",
                &[zeros],
                "BadDigest: The XXHASH64 you specified did not match the",
            ),
            (
                "PutObjectTagging",
                &[CRC32, (SDK, "SHA1")],
                "InvalidRequest: Value for x-amz-sdk-check",
            ),
            (
                "PutObjectTagging",
                &[("x-amz-checksum-xxhash128", "AAAAAAAAAAA=")],
                "InvalidRequest: Value for x-amz-checksum-xxhash128 header is invalid.",
            ),
            (
                "CompleteMultipartUpload",
                &[(MD5, "x")],
                "InvalidDigest: The Content-MD5 you specifie",
            ),
            ("PutObjectTagging", &[(MD5, "x")], "InvalidDigest: The Content-MD5 you specified was"),
            (
                "PutObjectTagging",
                &[(MD5, "AAAAAAAAAAAAAAAAAAAAAA=="), CRC32],
                "BadDigest: The Content-MD5 you specified did not match what we received.",
            ),
        ] {
            let outcome = outcome(operation, given);
            assert!(outcome.starts_with(expected), "{operation} {given:?}: {outcome}");
        }
    }
}
