//! The lines of access logs, in AWS's format of server access logs.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use fogbank_accesspoints as points;
use fogbank_core::{Answered, Principal, PrincipalKind, Request};

use crate::rules;

/// Stands for the operation of a visit to a website.
pub(crate) const WEBSITE: &str = "website";

/// What a line tells. What has no value is `-`, and so is what nobody knows here: cipher and version of TLS, and
/// whether an ACL was needed.
#[derive(Debug, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) millis: i64,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) requester: String,
    pub(crate) request_id: &'a str,
    pub(crate) operation: String,
    pub(crate) key: Option<&'a str>,
    /// The first line of the request.
    pub(crate) uri: String,
    pub(crate) status: Option<u16>,
    pub(crate) error_code: Option<&'a str>,
    pub(crate) sent: Option<u64>,
    pub(crate) size: Option<String>,
    pub(crate) took: Option<Duration>,
    pub(crate) referer: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) version_id: Option<String>,
    pub(crate) signature: Option<(&'a str, &'a str)>,
    pub(crate) host: &'a str,
    /// The ARN of the access point by which the request came.
    pub(crate) access_point: Option<String>,
}

impl<'a> Entry<'a> {
    /// A request to the API, or to a website.
    pub(crate) fn of(answered: &'a Answered<'_>, key: Option<&'a str>) -> Entry<'a> {
        let request = answered.request;
        let header = |name: &str| {
            answered.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let size = header("content-range")
            .and_then(|range| range.rsplit_once('/').map(|(_, size)| size.to_owned()))
            .or_else(|| header("content-length").filter(|_| request.operation == "GetObject"))
            .or_else(|| answered.received.map(|bytes| bytes.to_string()));
        Entry {
            operation: operation(answered.method, request.operation, answered.labels),
            key: key.filter(|key| !key.is_empty()),
            uri: format!("{} {} HTTP/1.1", answered.method, answered.uri),
            status: Some(answered.status),
            error_code: answered.error_code,
            sent: answered.sent.filter(|bytes| *bytes > 0),
            size,
            took: Some(answered.took),
            referer: &request.referer,
            user_agent: &request.user_agent,
            version_id: header("x-amz-version-id"),
            signature: answered.signature,
            ..Entry::by(request)
        }
    }

    /// What a request tells of who asked.
    pub(crate) fn by(request: &'a Request) -> Entry<'a> {
        Entry {
            millis: request.now.millis(),
            ip: request.source_ip,
            requester: requester(&request.principal),
            request_id: &request.id,
            host: &request.endpoint.authority,
            access_point: request
                .ways
                .iter()
                .find(|way| points::parse(&way.arn).is_some())
                .map(|way| way.arn.clone()),
            ..Entry::default()
        }
    }

    /// The line with its end.
    pub(super) fn line(&self, owner: &str, bucket: &str) -> String {
        let time = jiff::Timestamp::from_millisecond(self.millis)
            .map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
            .unwrap_or_default();
        fn dash(value: Option<impl ToString>) -> String {
            let text = value.map(|value| value.to_string()).filter(|text| !text.is_empty());
            text.unwrap_or_else(|| "-".to_owned())
        }
        let quoted = |text: &str| match text {
            "" => "\"-\"".to_owned(),
            // A quote or a break would end the field or the line.
            text => format!("\"{}\"", text.replace(['"', '\r', '\n'], "%22")),
        };
        let took = dash(self.took.map(|took| took.as_millis()));
        let (signature, auth) = self.signature.unwrap_or(("-", "-"));
        let mut line = String::with_capacity(512);
        // Writing to a text does not fail.
        let _ = writeln!(
            line,
            "{owner} {bucket} [{time}] {} {} {} {} {} {} {} {} {} {} {took} {took} {} {} {} {} {signature} - {auth} {} - {} -",
            dash(self.ip),
            dash(Some(&self.requester)),
            dash(Some(self.request_id)),
            self.operation,
            dash(self.key.map(rules::url_encode)),
            quoted(&self.uri),
            dash(self.status),
            dash(self.error_code),
            dash(self.sent),
            dash(self.size.as_deref()),
            quoted(self.referer),
            quoted(self.user_agent),
            dash(self.version_id.as_deref()),
            dash(Some(self.request_id)),
            dash(Some(self.host)),
            dash(self.access_point.as_deref()),
        );
        line
    }
}

/// Who asked: an account by its canonical id, everybody else by the ARN.
fn requester(principal: &Principal) -> String {
    match principal.kind {
        PrincipalKind::Anonymous => String::new(),
        PrincipalKind::Root => rules::canonical_id(&principal.account),
        _ => principal.arn.clone(),
    }
}

/// What was asked for: `REST.`, the method and the kind of resource.
fn operation(method: &str, operation: &str, labels: &[(&'static str, &str)]) -> String {
    let resource = match operation {
        WEBSITE => return format!("WEBSITE.{method}.OBJECT"),
        "CopyObject" => return "REST.COPY.OBJECT".to_owned(),
        "UploadPartCopy" => return "REST.COPY.PART".to_owned(),
        "UploadPart" => "PART",
        "CreateMultipartUpload" | "ListMultipartUploads" => "UPLOADS",
        "CompleteMultipartUpload" | "AbortMultipartUpload" | "ListParts" => "UPLOAD",
        "DeleteObjects" => "MULTI_OBJECT_DELETE",
        "ListObjectVersions" => "BUCKETVERSIONS",
        "GetObjectAttributes" => "OBJECT_ATTRIBUTES",
        name if name.ends_with("ObjectTagging") => "OBJECT_TAGGING",
        // AWS's word for it is written nowhere.
        name if name.contains("ObjectAnnotation") => "OBJECT_ANNOTATION",
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
