//! The lines of access logs, in AWS's format of server access logs.

use std::fmt::Write;

use fogbank_core::{Answered, PrincipalKind};

use crate::rules;

/// A line with its end. What has no value is `-`, and so is what nobody knows here: cipher and version of TLS, access
/// points, and whether an ACL was needed.
pub(super) fn line(
    answered: &Answered<'_>,
    owner: &str,
    bucket: &str,
    key: Option<&str>,
) -> String {
    let request = answered.request;
    let time = jiff::Timestamp::from_millisecond(request.now.millis())
        .map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
        .unwrap_or_default();
    let ip = request.source_ip.map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string());
    let key = key.filter(|key| !key.is_empty()).map(rules::url_encode);
    let header = |name: &str| {
        answered.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or("-".into());
    let quoted = |text: &str| match text {
        "" => "\"-\"".to_owned(),
        // A quote or a break would end the field or the line.
        text => format!("\"{}\"", text.replace(['"', '\r', '\n'], "%22")),
    };
    let size = header("content-range")
        .and_then(|range| range.rsplit_once('/').map(|(_, size)| size.to_owned()))
        .or_else(|| header("content-length").filter(|_| request.operation == "GetObject"))
        .or_else(|| answered.received.map(|bytes| bytes.to_string()));
    let bytes = answered.sent.filter(|bytes| *bytes > 0).map(|bytes| bytes.to_string());
    let took = answered.took.as_millis();
    let (signature, auth) = answered.signature.unwrap_or(("-", "-"));
    let mut line = String::with_capacity(512);
    // Writing to a text does not fail.
    let _ = writeln!(
        line,
        "{owner} {bucket} [{time}] {ip} {} {} {} {} {} {} {} {} {} {took} {took} {} {} {} {} {signature} - {auth} {} - - -",
        requester(answered),
        request.id,
        operation(answered.method, request.operation, answered.labels),
        dash(key),
        quoted(&format!("{} {} HTTP/1.1", answered.method, answered.uri)),
        answered.status,
        dash(answered.error_code.map(str::to_owned)),
        dash(bytes),
        dash(size),
        quoted(&request.referer),
        quoted(&request.user_agent),
        dash(header("x-amz-version-id")),
        request.id,
        request.endpoint.authority,
    );
    line
}

/// Who asked: an account by its canonical id, everybody else by the ARN.
fn requester(answered: &Answered<'_>) -> String {
    let principal = &answered.request.principal;
    match principal.kind {
        PrincipalKind::Anonymous => "-".to_owned(),
        PrincipalKind::Root => rules::canonical_id(&principal.account),
        _ => principal.arn.clone(),
    }
}

/// What was asked for: `REST.`, the method and the kind of resource.
fn operation(method: &str, operation: &str, labels: &[(&'static str, String)]) -> String {
    let resource = match operation {
        "CopyObject" => return "REST.COPY.OBJECT".to_owned(),
        "UploadPartCopy" => return "REST.COPY.PART".to_owned(),
        "UploadPart" => "PART",
        "CreateMultipartUpload" | "ListMultipartUploads" => "UPLOADS",
        "CompleteMultipartUpload" | "AbortMultipartUpload" | "ListParts" => "UPLOAD",
        "DeleteObjects" => "MULTI_OBJECT_DELETE",
        "ListObjectVersions" => "BUCKETVERSIONS",
        "GetObjectAttributes" => "OBJECT_ATTRIBUTES",
        name if name.ends_with("ObjectTagging") => "OBJECT_TAGGING",
        name if name.ends_with("BucketTagging") => "TAGGING",
        name if name.ends_with("Acl") => "ACL",
        name if name.ends_with("BucketPolicyStatus") => "BUCKETPOLICYSTATUS",
        name if name.ends_with("BucketPolicy") => "BUCKETPOLICY",
        name if name.ends_with("BucketCors") => "CORS",
        name if name.contains("BucketLifecycle") => "LIFECYCLE",
        name if name.ends_with("BucketLocation") => "LOCATION",
        name if name.ends_with("BucketLogging") => "LOGGING_STATUS",
        name if name.contains("BucketNotification") => "NOTIFICATION",
        name if name.ends_with("BucketVersioning") => "VERSIONING",
        name if name.ends_with("BucketWebsite") => "WEBSITE",
        name if name.ends_with("BucketEncryption") => "ENCRYPTION",
        name if name.ends_with("BucketReplication") => "REPLICATION",
        name if name.ends_with("BucketRequestPayment") => "REQUEST_PAYMENT",
        name if name.contains("BucketAccelerate") => "ACCELERATE",
        name if name.ends_with("PublicAccessBlock") => "PUBLIC_ACCESS_BLOCK",
        name if name.ends_with("OwnershipControls") => "OWNERSHIP_CONTROLS",
        name if name.ends_with("ObjectLockConfiguration") => "OBJECT_LOCK_CONFIGURATION",
        name if name.ends_with("ObjectRetention") => "OBJECT_LOCK_RETENTION",
        name if name.ends_with("ObjectLegalHold") => "OBJECT_LOCK_LEGALHOLD",
        _ if labels.iter().any(|(label, _)| *label == "Key") => "OBJECT",
        _ => "BUCKET",
    };
    format!("REST.{method}.{resource}")
}
