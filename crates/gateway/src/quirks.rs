//! What single operations refuse that their models do not know.

use std::borrow::Cow;

use fogbank_core::Fault;
use http::{HeaderMap, HeaderName};

/// S3 lets only writes say how they are encrypted.
pub(crate) fn check(service: &str, operation: &str, headers: &HeaderMap) -> Result<(), Fault> {
    const NAME: &str = "x-amz-server-side-encryption";
    static HEADER: HeaderName = HeaderName::from_static(NAME);
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
    fn reads_do_not_say_how_they_are_encrypted() {
        let mut headers = HeaderMap::new();
        assert!(check("s3", "GetObject", &headers).is_ok());
        headers.insert("x-amz-server-side-encryption", http::HeaderValue::from_static("AES256"));
        assert!(check("s3", "PutObject", &headers).is_ok());
        assert!(check("sqs", "GetObject", &headers).is_ok());
        let fault = check("s3", "HeadObject", &headers).expect_err("refused");
        assert_eq!(fault.name(), "InvalidArgument");
        assert_eq!(fault.extra()[1], ("ArgumentValue", "AES256".to_owned()));
    }
}
