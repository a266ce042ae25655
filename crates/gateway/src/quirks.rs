//! What single operations refuse that their models do not know.

use fogbank_core::Fault;
use http::HeaderMap;

/// S3 lets only writes say how they are encrypted.
pub(crate) fn check(service: &str, operation: &str, headers: &HeaderMap) -> Result<(), Fault> {
    const NAME: &str = "x-amz-server-side-encryption";
    if service != "s3" || !matches!(operation, "GetObject" | "HeadObject") {
        return Ok(());
    }
    let Some(value) = headers.get(NAME) else { return Ok(()) };
    let value = String::from_utf8_lossy(value.as_bytes());
    let message = "x-amz-server-side-encryption header is not supported for this operation.";
    let fault = Fault::new("InvalidArgument", message).with("ArgumentName", NAME);
    Err(fault.with("ArgumentValue", value))
}

#[cfg(test)]
mod tests {
    use super::*;

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
