//! Which operations directory buckets have, and how those that they lack are refused.

use fogbank_core::Fault;

use crate::error::Error;

/// How a call of an operation on a directory bucket is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By a session, or by the permission to create one that may change things or not.
    Zonal { writes: bool },
    /// By the permission to create a session that may change things, but by no session itself.
    Unsessioned,
    /// By the action of the same name.
    Regional,
    /// It creates a session.
    Session,
    /// There is no such operation for directory buckets.
    Missing,
}

const READS: [&str; 7] = [
    "GetObject",
    "GetObjectAttributes",
    // AWS's guide says that no session is taken for it, and AWS's tools sign it with one.
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectsV2",
    "ListParts",
];
const WRITES: [&str; 8] = [
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjects",
    "PutObject",
    "RenameObject",
    "UploadPart",
];
const REGIONAL: [&str; 19] = [
    "CreateBucket",
    "DeleteBucket",
    "DeleteBucketEncryption",
    "DeleteBucketInventoryConfiguration",
    "DeleteBucketLifecycle",
    "DeleteBucketMetricsConfiguration",
    "DeleteBucketPolicy",
    "GetBucketEncryption",
    "GetBucketInventoryConfiguration",
    "GetBucketLifecycleConfiguration",
    "GetBucketMetricsConfiguration",
    "GetBucketPolicy",
    "ListBucketInventoryConfigurations",
    "ListBucketMetricsConfigurations",
    "PutBucketEncryption",
    "PutBucketInventoryConfiguration",
    "PutBucketLifecycleConfiguration",
    "PutBucketMetricsConfiguration",
    "PutBucketPolicy",
];

/// How a call of this operation is allowed.
pub(super) fn standing(operation: &str) -> Standing {
    match operation {
        _ if READS.contains(&operation) => Standing::Zonal { writes: false },
        _ if WRITES.contains(&operation) => Standing::Zonal { writes: true },
        "CopyObject" | "UploadPartCopy" => Standing::Unsessioned,
        "CreateSession" => Standing::Session,
        _ if REGIONAL.contains(&operation) => Standing::Regional,
        _ => Standing::Missing,
    }
}

/// The documents that the endpoint of directory buckets was seen to take for a wrong one of CreateBucket.
const DOCUMENTS: [(&str, &str); 15] = [
    ("PutBucketAccelerateConfiguration", "AccelerateConfiguration"),
    ("PutBucketAcl", "AccessControlPolicy"),
    ("PutBucketAnalyticsConfiguration", "AnalyticsConfiguration"),
    ("PutBucketCors", "CORSConfiguration"),
    ("PutBucketIntelligentTieringConfiguration", "IntelligentTieringConfiguration"),
    ("PutBucketLogging", "BucketLoggingStatus"),
    ("PutBucketNotificationConfiguration", "NotificationConfiguration"),
    ("PutBucketOwnershipControls", "OwnershipControls"),
    ("PutBucketReplication", "ReplicationConfiguration"),
    ("PutBucketRequestPayment", "RequestPaymentConfiguration"),
    ("PutBucketTagging", "Tagging"),
    ("PutBucketVersioning", "VersioningConfiguration"),
    ("PutBucketWebsite", "WebsiteConfiguration"),
    ("PutObjectLockConfiguration", "ObjectLockConfiguration"),
    ("PutPublicAccessBlock", "PublicAccessBlockConfiguration"),
];

/// Refuses an operation that directory buckets do not have.
pub(super) fn missing(operation: &str) -> Fault {
    if let Some((_, root)) = DOCUMENTS.iter().find(|(known, _)| *known == operation) {
        let message = format!("{root} is not valid, expected CreateBucketConfiguration");
        return Fault::new("InvalidArgument", message);
    }
    if operation == "ListObjects" {
        // The code was seen, the words are a guess.
        let message = "This operation is not supported for directory buckets. Use ListObjectsV2.";
        return Fault::new("NotSupported", message);
    }
    if operation.contains("Object") && operation != "ListObjectVersions" {
        let message = "A header you provided implies functionality that is not implemented";
        return Fault::new("NotImplemented", message);
    }
    Error::MethodNotAllowed { method: operation.to_owned(), kind: "BUCKET".to_owned() }.into()
}

/// Members of inputs that directory buckets do not have, and the headers that they are.
const MEMBERS: [(&str, &str); 27] = [
    ("ACL", "x-amz-acl"),
    ("BucketNamespace", "x-amz-bucket-namespace"),
    ("BypassGovernanceRetention", "x-amz-bypass-governance-retention"),
    ("ConfirmRemoveSelfBucketAccess", "x-amz-confirm-remove-self-bucket-access"),
    ("GrantFullControl", "x-amz-grant-full-control"),
    ("GrantRead", "x-amz-grant-read"),
    ("GrantReadACP", "x-amz-grant-read-acp"),
    ("GrantWrite", "x-amz-grant-write"),
    ("GrantWriteACP", "x-amz-grant-write-acp"),
    ("MFA", "x-amz-mfa"),
    ("ObjectLockEnabledForBucket", "x-amz-bucket-object-lock-enabled"),
    ("ObjectLockEventHold", "x-amz-object-lock-event-hold"),
    ("ObjectLockEventHoldDurationDays", "x-amz-object-lock-event-hold-duration-days"),
    ("ObjectLockEventHoldDurationYears", "x-amz-object-lock-event-hold-duration-years"),
    ("ObjectLockLegalHoldStatus", "x-amz-object-lock-legal-hold"),
    ("ObjectLockMode", "x-amz-object-lock-mode"),
    ("ObjectLockRetainUntilDate", "x-amz-object-lock-retain-until-date"),
    ("ObjectOwnership", "x-amz-object-ownership"),
    ("OptionalObjectAttributes", "x-amz-optional-object-attributes"),
    ("RequestPayer", "x-amz-request-payer"),
    ("SSECustomerAlgorithm", "x-amz-server-side-encryption-customer-algorithm"),
    ("SSECustomerKey", "x-amz-server-side-encryption-customer-key"),
    ("SSECustomerKeyMD5", "x-amz-server-side-encryption-customer-key-MD5"),
    ("StartAfter", "start-after"),
    ("TransitionDefaultMinimumObjectSize", "x-amz-transition-default-minimum-object-size"),
    ("UploadIdMarker", "upload-id-marker"),
    ("WebsiteRedirectLocation", "x-amz-website-redirect-location"),
];

/// The header of a member that directory buckets do not have, for this operation.
pub(super) fn lacks(operation: &str, member: &str) -> Option<&'static str> {
    if let Some((_, header)) = MEMBERS.iter().find(|(known, _)| *known == member) {
        return Some(header);
    }
    match member {
        "ContentMD5" if operation != "DeleteObjects" => Some("Content-MD5"),
        // The regional operations alone.
        "ExpectedBucketOwner" if standing(operation) == Standing::Regional => {
            Some("x-amz-expected-bucket-owner")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_one_of_the_models() {
        let known = |name: &&str| {
            crate::model::SERVICE.operations.iter().any(|operation| operation.name == *name)
        };
        let documents = DOCUMENTS.iter().map(|(name, _)| name);
        for name in READS.iter().chain(&WRITES).chain(&REGIONAL).chain(documents) {
            assert!(known(name), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_refused_as_s3_does() {
        let code = |name: &str| missing(name).name().to_owned();
        assert_eq!(code("PutBucketCors"), "InvalidArgument");
        assert_eq!(code("ListObjects"), "NotSupported");
        assert_eq!(code("GetObjectTagging"), "NotImplemented");
        assert_eq!(code("GetBucketLocation"), "MethodNotAllowed");
        assert_eq!(lacks("PutObject", "ContentMD5"), Some("Content-MD5"));
        assert_eq!(lacks("DeleteObjects", "ContentMD5"), None);
        assert_eq!(lacks("PutObject", "ExpectedBucketOwner"), None);
    }
}
