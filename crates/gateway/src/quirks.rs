//! What single operations refuse that their models do not know.

use std::borrow::Cow;

use fogbank_core::Fault;
use http::{HeaderMap, HeaderName};

/// What S3 says of a method that a resource does not have.
pub(crate) fn not_allowed(method: &str, path: &str) -> Fault {
    let mut names = path.trim_start_matches('/').splitn(2, '/');
    let (bucket, key) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    let kind = match (bucket.is_empty(), key.is_empty()) {
        (true, _) => "SERVICE",
        (false, true) => "BUCKET",
        (false, false) => "OBJECT",
    };
    let message = "The specified method is not allowed against this resource.";
    Fault::new("UnknownOperation", message).with("Method", method).with("ResourceType", kind)
}

/// S3 lets only writes say how they are encrypted, lets them name no version, and has its own words for the one header
/// that a read must have.
pub(crate) fn check(
    service: &str,
    operation: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<(), Fault> {
    const ATTRIBUTES: &str = "x-amz-object-attributes";
    const NAME: &str = "x-amz-server-side-encryption";
    static HEADER: HeaderName = HeaderName::from_static(NAME);
    let version = || query.split('&').find_map(|pair| pair.strip_prefix("versionId="));
    if service == "s3"
        && matches!(operation, "PutObject" | "UploadPart")
        && let Some(version) = version()
    {
        let message = "This operation does not accept a version-id.";
        let fault = Fault::new("InvalidArgument", message).with("ArgumentName", "versionId");
        return Err(fault.with("ArgumentValue", version));
    }
    let is_said = || headers.get(ATTRIBUTES).is_some_and(|value| !value.is_empty());
    if service == "s3" && operation == "GetObjectAttributes" && !is_said() {
        let message = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
        return Err(Fault::new("InvalidRequest", message));
    }
    if service != "s3" || !matches!(operation, "GetObject" | "HeadObject") {
        return Ok(());
    }
    let Some(value) = headers.get(&HEADER) else { return Ok(()) };
    let value = String::from_utf8_lossy(value.as_bytes());
    let message = "x-amz-server-side-encryption header is not supported for this operation.";
    let fault = Fault::new("InvalidArgument", message).with("ArgumentName", NAME);
    Err(fault.with("ArgumentValue", value))
}

/// The path without the slash that the SDK for JavaScript puts too many behind a directory bucket: `/BUCKET//KEY`.
pub(crate) fn path<'a>(path: Cow<'a, str>, headers: &HeaderMap) -> Cow<'a, str> {
    const END: &str = "--x-s3//";
    let is_of_sdk = |agent: &http::HeaderValue| agent.as_bytes().starts_with(b"aws-sdk-js/");
    let agent = headers.get("x-amz-user-agent").or_else(|| headers.get(http::header::USER_AGENT));
    match path.find(END) {
        Some(at) if agent.is_some_and(is_of_sdk) && !path[1..at].contains('/') => {
            let (bucket, key) = path.split_at(at + END.len() - 1);
            Cow::Owned([bucket, &key[1..]].concat())
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_of_the_sdk_for_javascript_is_too_many() {
        let mut headers = HeaderMap::new();
        let of = |text: &'static str, headers: &HeaderMap| path(text.into(), headers).into_owned();
        assert_eq!(of("/a--use1-az4--x-s3//k", &headers), "/a--use1-az4--x-s3//k");
        let agent = http::HeaderValue::from_static("aws-sdk-js/3.1168.0");
        headers.insert("x-amz-user-agent", agent);
        assert_eq!(of("/a--use1-az4--x-s3//k//l", &headers), "/a--use1-az4--x-s3/k//l");
        assert_eq!(of("/a--use1-az4--x-s3///k", &headers), "/a--use1-az4--x-s3//k");
        assert_eq!(of("/a--use1-az4--x-s3//", &headers), "/a--use1-az4--x-s3/");
        assert_eq!(of("/photos/a--x-s3//k", &headers), "/photos/a--x-s3//k");
    }

    #[test]
    fn writes_name_no_version() {
        let refused = |query| check("s3", "UploadPart", query, &HeaderMap::new());
        let fault = refused("partNumber=1&versionId=abc").expect_err("refused");
        assert_eq!(fault.message(), "This operation does not accept a version-id.");
        assert_eq!(fault.extra()[1], ("ArgumentValue", "abc".to_owned()));
        assert!(refused("partNumber=1&uploadId=versionId").is_ok());
    }

    #[test]
    fn what_has_no_such_method_is_told() {
        for (path, kind) in
            [("/", "SERVICE"), ("/a", "BUCKET"), ("/a/", "BUCKET"), ("/a/b", "OBJECT")]
        {
            let extra = [("Method", "PATCH".to_owned()), ("ResourceType", kind.to_owned())];
            assert_eq!(not_allowed("PATCH", path).extra(), extra);
        }
    }

    #[test]
    fn attributes_are_named() {
        let mut headers = HeaderMap::new();
        let refused = |headers: &HeaderMap| check("s3", "GetObjectAttributes", "", headers);
        assert_eq!(refused(&headers).expect_err("none").name(), "InvalidRequest");
        headers.insert("x-amz-object-attributes", http::HeaderValue::from_static(""));
        assert_eq!(refused(&headers).expect_err("empty").name(), "InvalidRequest");
        headers.insert("x-amz-object-attributes", http::HeaderValue::from_static("ETag"));
        assert!(refused(&headers).is_ok());
    }

    #[test]
    fn reads_do_not_say_how_they_are_encrypted() {
        let mut headers = HeaderMap::new();
        assert!(check("s3", "GetObject", "versionId=a", &headers).is_ok());
        headers.insert("x-amz-server-side-encryption", http::HeaderValue::from_static("AES256"));
        assert!(check("s3", "PutObject", "a=b", &headers).is_ok());
        assert!(check("sqs", "GetObject", "", &headers).is_ok());
        let fault = check("s3", "HeadObject", "", &headers).expect_err("refused");
        assert_eq!(fault.name(), "InvalidArgument");
        assert_eq!(fault.extra()[1], ("ArgumentValue", "AES256".to_owned()));
    }
}
