//! What a task is: a call of S3 or Lambda as the job's role.

use fogbank_core::wire::{self, Struct};
use fogbank_core::{Arn, Principal};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::work::Outcome;
use super::{Running, checksums, functions, replication};
use crate::model::*;
use crate::store::Entry;

/// What the report says of a task that was done.
const DONE: &str = "Successful";
/// What stands for itself in `CopySource` and in tags of a query.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// How many tasks are done between two transactions.
pub(super) fn at_once(operation: &JobOperation) -> usize {
    // Functions and large objects may take long.
    let is_long =
        operation.lambda_invoke.is_some() || operation.s3_compute_object_checksum.is_some();
    if is_long { 16 } else { 100 }
}

/// Does a task.
pub(super) async fn perform(running: &Running<'_>, role: &Principal, entry: &Entry) -> Outcome {
    let operation = &running.asked.operation;
    if let Some(invoke) = &operation.lambda_invoke {
        return functions::invoke(running, role, invoke, entry).await;
    }
    if let Some(checksum) = &operation.s3_compute_object_checksum {
        return checksums::compute(running, role, checksum, entry).await;
    }
    if operation.s3_replicate_object.is_some() {
        return replication::repeat(running, role, entry).await;
    }
    let Some((action, input)) = call(operation, entry) else {
        let fault = fogbank_core::Fault::not_implemented("s3control", &running.job.operation);
        return Outcome::of_fault(&fault);
    };
    match running.cx.call(role.clone(), action, input).await {
        Ok(_) => Outcome::Succeeded(DONE.to_owned()),
        Err(fault) => Outcome::of_fault(&fault),
    }
}

/// The call that a task is.
fn call(operation: &JobOperation, entry: &Entry) -> Option<(&'static str, Value)> {
    let mut input = json!({ "Bucket": entry.bucket, "Key": entry.key });
    if let Some(version) = &entry.version {
        input["VersionId"] = version.clone().into();
    }
    if let Some(copy) = &operation.s3_put_object_copy {
        return Some(("s3:CopyObject", copied(copy, entry)));
    }
    if let Some(acl) = &operation.s3_put_object_acl {
        let policy = acl.access_control_policy.clone().unwrap_or_default();
        match policy.access_control_list {
            Some(list) => input["AccessControlPolicy"] = list_of(&list),
            None => {
                let canned =
                    policy.canned_access_control_list.map(S3CannedAccessControlList::as_str);
                input["ACL"] = canned.into();
            }
        }
        return Some(("s3:PutObjectAcl", input));
    }
    if let Some(tagging) = &operation.s3_put_object_tagging {
        let tags = tagging.tag_set.iter().flatten();
        let tags: Vec<Value> =
            tags.map(|tag| json!({ "Key": tag.key, "Value": tag.value })).collect();
        input["Tagging"] = json!({ "TagSet": tags });
        return Some(("s3:PutObjectTagging", input));
    }
    if operation.s3_delete_object_tagging.is_some() {
        return Some(("s3:DeleteObjectTagging", input));
    }
    if let Some(restore) = &operation.s3_initiate_restore_object {
        input["RestoreRequest"] = restored(restore);
        return Some(("s3:RestoreObject", input));
    }
    if let Some(hold) = &operation.s3_put_object_legal_hold {
        input["LegalHold"] = json!({ "Status": hold.legal_hold.status.as_str() });
        return Some(("s3:PutObjectLegalHold", input));
    }
    if let Some(retention) = &operation.s3_put_object_retention {
        input["Retention"] = wire::to_json(&retention.retention);
        if retention.bypass_governance_retention == Some(true) {
            input["BypassGovernanceRetention"] = true.into();
        }
        return Some(("s3:PutObjectRetention", input));
    }
    if let Some(update) = &operation.s3_update_object_encryption {
        let encryption = update.object_encryption.as_ref().map(|given| wire::to_json(given));
        input["ObjectEncryption"] = encryption.unwrap_or_default();
        return Some(("s3:UpdateObjectEncryption", input));
    }
    None
}

/// A request to restore: without days for what tiers itself.
fn restored(restore: &S3InitiateRestoreObjectOperation) -> Value {
    let mut request = json!({});
    if let Some(days) = restore.expiration_in_days {
        request["Days"] = days.into();
    }
    let tier = match restore.glacier_job_tier {
        Some(S3GlacierJobTier::Bulk) => "Bulk",
        _ => "Standard",
    };
    // What tiers itself has no days, and names its tier beside them.
    match restore.expiration_in_days {
        Some(_) => request["GlacierJobParameters"] = json!({ "Tier": tier }),
        None => request["Tier"] = tier.into(),
    }
    request
}

/// Members of the operation that CopyObject has by another name, or the same.
const COPIED: &[(&str, &str)] = &[
    ("BucketKeyEnabled", "BucketKeyEnabled"),
    ("CannedAccessControlList", "ACL"),
    ("ChecksumAlgorithm", "ChecksumAlgorithm"),
    ("MetadataDirective", "MetadataDirective"),
    ("ModifiedSinceConstraint", "CopySourceIfModifiedSince"),
    ("ObjectLockEventHold", "ObjectLockEventHold"),
    ("ObjectLockLegalHoldStatus", "ObjectLockLegalHoldStatus"),
    ("ObjectLockMode", "ObjectLockMode"),
    ("ObjectLockRetainUntilDate", "ObjectLockRetainUntilDate"),
    ("RedirectLocation", "WebsiteRedirectLocation"),
    ("SSEAwsKmsKeyId", "SSEKMSKeyId"),
    ("StorageClass", "StorageClass"),
    ("UnModifiedSinceConstraint", "CopySourceIfUnmodifiedSince"),
];

/// The same of the duration of an event hold.
const DURATION: &[(&str, &str)] =
    &[("Days", "ObjectLockEventHoldDurationDays"), ("Years", "ObjectLockEventHoldDurationYears")];

/// The same of its metadata.
const METADATA: &[(&str, &str)] = &[
    ("CacheControl", "CacheControl"),
    ("ContentDisposition", "ContentDisposition"),
    ("ContentEncoding", "ContentEncoding"),
    ("ContentLanguage", "ContentLanguage"),
    ("ContentType", "ContentType"),
    ("HttpExpiresDate", "Expires"),
    ("UserMetadata", "Metadata"),
];

fn take_over(from: &Value, names: &[(&str, &str)], into: &mut Value) -> bool {
    let mut has_any = false;
    for (theirs, ours) in names {
        if let Some(value) = from.get(*theirs).filter(|value| !value.is_null()) {
            into[*ours] = value.clone();
            has_any = true;
        }
    }
    has_any
}

/// The input of CopyObject.
fn copied(copy: &S3CopyObjectOperation, entry: &Entry) -> Value {
    let target = copy.target_resource.as_deref().unwrap_or_default();
    // An access point is named by its ARN.
    let bucket = Arn::parse(target).filter(|arn| arn.account.is_empty());
    let bucket = bucket.map_or(target, |arn| arn.resource);
    let key = match &copy.target_key_prefix {
        Some(prefix) => format!("{prefix}/{}", entry.key),
        None => entry.key.clone(),
    };
    let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let mut source = format!("{}/{}", entry.bucket, encode(&entry.key));
    if let Some(version) = &entry.version {
        source += &format!("?versionId={}", encode(version));
    }
    let mut input = json!({ "Bucket": bucket, "Key": key, "CopySource": source });
    let given = wire::to_json(copy as &dyn Struct);
    take_over(&given, COPIED, &mut input);
    take_over(&given["ObjectLockEventHoldDuration"], DURATION, &mut input);
    let metadata = given.get("NewObjectMetadata").cloned().unwrap_or_default();
    let has_metadata = take_over(&metadata, METADATA, &mut input);
    if has_metadata && copy.metadata_directive.is_none() {
        input["MetadataDirective"] = "REPLACE".into();
    }
    match metadata["SSEAlgorithm"].as_str() {
        Some("KMS") => input["ServerSideEncryption"] = "aws:kms".into(),
        Some(algorithm) => input["ServerSideEncryption"] = algorithm.into(),
        None if copy.sse_aws_kms_key_id.is_some() => {
            input["ServerSideEncryption"] = "aws:kms".into();
        }
        None => {}
    }
    if let Some(tags) = &copy.new_object_tagging {
        let tags = tags.iter().map(|tag| format!("{}={}", encode(&tag.key), encode(&tag.value)));
        input["Tagging"] = tags.collect::<Vec<_>>().join("&").into();
        input["TaggingDirective"] = "REPLACE".into();
    }
    if copy.requester_pays == Some(true) {
        input["RequestPayer"] = "requester".into();
    }
    for (header, grantees) in grants(copy.access_control_grants.as_deref().unwrap_or_default()) {
        input[header] = grantees;
    }
    input
}

/// Grants as the headers of a request have them.
fn grants(given: &[S3Grant]) -> Map<String, Value> {
    let mut headers = Map::new();
    for grant in given {
        let header = match grant.permission {
            Some(S3Permission::Read) => "GrantRead",
            Some(S3Permission::ReadAcp) => "GrantReadACP",
            Some(S3Permission::WriteAcp) => "GrantWriteACP",
            // Nobody can be let write to an object.
            Some(S3Permission::Write) => continue,
            Some(S3Permission::FullControl) | None => "GrantFullControl",
        };
        let grantee = grant.grantee.clone().unwrap_or_default();
        let kind = grantee.type_identifier.map_or("id", S3GranteeTypeIdentifier::as_str);
        let shown = format!("{kind}=\"{}\"", grantee.identifier.unwrap_or_default());
        let text = match headers.get(header).and_then(Value::as_str) {
            Some(before) => format!("{before}, {shown}"),
            None => shown,
        };
        headers.insert(header.to_owned(), text.into());
    }
    headers
}

/// An access control list as PutObjectAcl takes it.
fn list_of(list: &S3AccessControlList) -> Value {
    let grants = list.grants.iter().flatten().map(|grant| {
        let given = grant.grantee.clone().unwrap_or_default();
        let (kind, member) = match given.type_identifier {
            Some(S3GranteeTypeIdentifier::EmailAddress) => {
                ("AmazonCustomerByEmail", "EmailAddress")
            }
            Some(S3GranteeTypeIdentifier::Uri) => ("Group", "URI"),
            _ => ("CanonicalUser", "ID"),
        };
        let mut grantee = json!({ "Type": kind });
        grantee[member] = given.identifier.into();
        json!({ "Grantee": grantee, "Permission": grant.permission.map(S3Permission::as_str) })
    });
    let grants: Vec<Value> = grants.collect();
    json!({ "Owner": wire::to_json(&list.owner), "Grants": grants })
}
