//! Access by attributes: whether a bucket's tags count in policies, for the bucket and for what lies in it.

use fogbank_core::{Check, Fault, ReadTx, Tx, WriteTx};

use crate::access_points;
use crate::directory;
use crate::documents;
use crate::error::Error;
use crate::model::{
    AbacStatus, BucketAbacStatus, GetBucketAbacInput, GetBucketAbacOutput, PutBucketAbacInput,
    PutBucketAbacOutput,
};
use crate::store::{self, BUCKET_TAGS, Tags};

/// The kind of document that says so.
const KIND: &str = "abac";

fn is_enabled(tx: &(impl Tx + ?Sized), bucket: &str) -> Result<bool, Error> {
    let found = documents::get::<AbacStatus>(tx, bucket, KIND, "")?;
    Ok(found.is_some_and(|found| found.status == Some(BucketAbacStatus::Enabled)))
}

/// Whether the bucket's tags count; they do not unless it was said.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketAbacInput,
) -> Result<GetBucketAbacOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let status = match is_enabled(tx, &input.bucket)? {
        true => BucketAbacStatus::Enabled,
        false => BucketAbacStatus::Disabled,
    };
    Ok(GetBucketAbacOutput { abac_status: Some(AbacStatus { status: Some(status) }) })
}

/// Says whether the bucket's tags count.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketAbacInput,
) -> Result<PutBucketAbacOutput, Error> {
    if input.abac_status.status.is_none() {
        return Err(Error::MalformedXML);
    }
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    documents::put(tx, &input.bucket, KIND, "", &input.abac_status)?;
    Ok(PutBucketAbacOutput {})
}

/// The tags that count for a bucket or an object: the bucket's, if it says so, as directory buckets always do; for an access
/// point its own.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let bucket = match check.resource.strip_prefix("arn:aws:s3:::") {
        Some(resource) => {
            let bucket = resource.split('/').next().unwrap_or_default();
            if !is_enabled(tx, bucket)? {
                return Ok(Vec::new());
            }
            bucket
        }
        None => match directory::named_by(&check.resource) {
            Some(bucket) => bucket,
            None => return access_points::tags(tx, &check.resource),
        },
    };
    Ok(BUCKET_TAGS.get(tx, bucket)?.map(|Tags(tags)| tags).unwrap_or_default())
}

/// Where tags decide, they are changed by what has permissions of its own, TagResource and UntagResource of S3 Control.
pub(crate) fn refuse_enabled(tx: &impl Tx, bucket: &str) -> Result<(), Error> {
    match is_enabled(tx, bucket)? {
        // AWS's documentation says that the operations no longer work; code and words are not known.
        true => Err(Error::request(
            "Use TagResource and UntagResource to change the tags of a bucket that has ABAC enabled.",
        )),
        false => Ok(()),
    }
}
