//! The configuration of access logs: where a bucket's log goes.

use fogbank_core::{Fault, ReadTx, WriteTx};

use crate::access_logs::DELIVERY;
use crate::documents;
use crate::error::Error;
use crate::model::{
    BucketLoggingStatus, GetBucketLoggingInput, GetBucketLoggingOutput, LoggingEnabled,
    PutBucketLoggingInput, PutBucketLoggingOutput, TargetObjectKeyFormat,
};
use crate::store::{self, AclGrantee, AclPermission, BUCKETS, Bucket, LOGGED};

/// How the document of logging is called.
pub(crate) const KIND: &str = "logging";

/// Sets where the log of a bucket goes, or that there is none.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketLoggingInput,
) -> Result<PutBucketLoggingOutput, Error> {
    let name = &*input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    match input.bucket_logging_status.logging_enabled {
        Some(mut enabled) => {
            check(tx, &bucket, &mut enabled)?;
            let status = BucketLoggingStatus { logging_enabled: Some(enabled) };
            documents::put(tx, name, KIND, "", &status)?;
            LOGGED.put(tx, name, &())?;
            bucket.has_logging = true;
        }
        None => {
            documents::delete(tx, name, KIND, "")?;
            LOGGED.delete(tx, name)?;
            bucket.has_logging = false;
        }
    }
    BUCKETS.put(tx, name, &bucket)?;
    tx.wake(DELIVERY);
    Ok(PutBucketLoggingOutput {})
}

/// Where the log of a bucket goes, if it has one.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketLoggingInput,
) -> Result<GetBucketLoggingOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let status = documents::get::<BucketLoggingStatus>(tx, &input.bucket, KIND, "")?;
    Ok(GetBucketLoggingOutput { logging_enabled: status.and_then(|status| status.logging_enabled) })
}

fn wrong_target(message: &str, target: &str) -> Error {
    let fault = Fault::new("InvalidTargetBucketForLogging", message).with_status(400);
    Error::Fault(fault.with("TargetBucket", target))
}

fn check(tx: &WriteTx<'_>, source: &Bucket, enabled: &mut LoggingEnabled) -> Result<(), Error> {
    let name = &*enabled.target_bucket;
    let Some(target) = BUCKETS.get(tx, name)? else {
        return Err(wrong_target("The target bucket for logging does not exist", name));
    };
    if target.account != source.account {
        let message =
            "The owner for the bucket to be logged and the target bucket must be the same.";
        return Err(wrong_target(message, name));
    }
    if target.region != source.region {
        let message = "Cross S3 location logging not allowed. ";
        let fault = Fault::new("CrossLocationLoggingProhibitted", message).with_status(403);
        let fault = fault.with("TargetBucketLocation", target.region);
        return Err(Error::Fault(fault.with("SourceBucketLocation", source.region.clone())));
    }
    // A policy may let the log in as well, of which S3 finds out when it delivers.
    if target.policy == 0 && !target.is_enforced() && !lets_delivery_in(&target) {
        let message = "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket";
        return Err(wrong_target(message, name));
    }
    check_grants(&target, enabled)?;
    match &mut enabled.target_object_key_format {
        Some(TargetObjectKeyFormat { simple_prefix: Some(_), partitioned_prefix: Some(_) }) => {
            Err(Error::MalformedXML)
        }
        Some(format) if format.partitioned_prefix.is_none() => {
            format.simple_prefix.get_or_insert_default();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether the ACL of a bucket lets the group write that delivers logs.
pub(crate) fn lets_delivery_in(target: &Bucket) -> bool {
    let grants = |permission| {
        target.acl.as_ref().is_some_and(|acl| {
            acl.0.iter().any(|grant| {
                grant.grantee == AclGrantee::LogDelivery
                    && (grant.permission == permission
                        || grant.permission == AclPermission::FullControl)
            })
        })
    };
    grants(AclPermission::Write) && grants(AclPermission::ReadAcp)
}

/// Refuses grants on objects of a bucket without ACLs. AWS documents that it does; which error it has is a guess.
fn check_grants(target: &Bucket, enabled: &LoggingEnabled) -> Result<(), Error> {
    let grants = enabled.target_grants.as_deref().unwrap_or_default();
    if grants.is_empty() {
        return Ok(());
    }
    if target.is_enforced() {
        return Err(Error::InvalidBucketAclWithObjectOwnership);
    }
    let is_whole = |grant: &crate::model::TargetGrant| {
        grant.permission.is_some()
            && grant.grantee.as_ref().is_some_and(|who| {
                matches!(&*who.r#type, "CanonicalUser" | "Group")
                    && (who.id.is_some() || who.uri.is_some())
            })
    };
    if grants.iter().all(is_whole) { Ok(()) } else { Err(Error::MalformedXML) }
}
