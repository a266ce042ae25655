//! Tags of objects and buckets.

use fogbank_core::{Check, Fault, ReadTx, Tx, WriteTx};

use crate::abac;
use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::metadata_tables::{By, Entry, note};
use crate::model::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeleteObjectTaggingInput,
    DeleteObjectTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
    GetObjectTaggingInput, GetObjectTaggingOutput, PutBucketTaggingInput, PutBucketTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput,
};
use crate::replication;
use crate::rules;
use crate::store::{self, BUCKET_TAGS, Bucket, Tags};
use crate::versions::{self, At, Found};

/// The bucket, and the version whose tags are meant.
fn tagged(
    tx: &(impl Tx + ?Sized),
    (name, key): (&str, &str),
    version_id: Option<&str>,
    expected_owner: Option<&str>,
) -> Result<(Bucket, Found), Error> {
    let bucket = store::expected_bucket(tx, name, expected_owner)?;
    let found = locks::found(tx, (name, key), version_id)?;
    Ok((bucket, found))
}

/// The tags of the object, or of the version, that a permission is asked for.
pub(crate) fn of_object(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let resource = check.resource.strip_prefix("arn:aws:s3:::");
    let Some(at) = resource.and_then(|resource| resource.split_once('/')) else {
        return Ok(Vec::new());
    };
    let version = check.context.iter().find(|(key, _)| key == "s3:versionid");
    let version = version.and_then(|(_, values)| values.first());
    let found = match versions::find(tx, at, version.map(String::as_str)) {
        Ok(found) => found,
        // What is called by no id has no tags; the operation itself will say so.
        Err(Error::InvalidArgument { .. } | Error::NoSuchVersion { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let tags = found.and_then(|mut found| Some(std::mem::take(&mut found.object_mut()?.tags)));
    Ok(tags.unwrap_or_default())
}

/// Sets the tags of a version, tells of it, and says what the version is called.
fn set(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    mut found: Found,
    (event, tags): (&'static str, Vec<(String, String)>),
) -> Result<Option<String>, Error> {
    let Some(object) = found.object_mut() else { return Ok(None) };
    object.tags = tags;
    let version_id = object.version_id();
    events::emit(tx, bucket, at.0, &Change::tagged(event, at.1, object))?;
    note(tx, bucket, at, Entry::Updated(object), By::Caller)?;
    replication::changed(tx, bucket, at, object)?;
    versions::save(tx, at, found)?;
    Ok(version_id)
}

/// Replaces the tags of an object.
pub(crate) fn put_object(
    tx: &mut WriteTx<'_>,
    input: PutObjectTaggingInput,
) -> Result<PutObjectTaggingOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let tags = rules::pairs(input.tagging.tag_set);
    rules::check_object_tags(&tags)?;
    let (bucket, found) = tagged(tx, at, input.version_id.as_deref(), owner)?;
    let version_id = set(tx, &bucket, at, found, ("Put", tags))?;
    Ok(PutObjectTaggingOutput { version_id })
}

/// The tags of an object.
pub(crate) fn get_object(
    tx: &ReadTx<'_>,
    input: GetObjectTaggingInput,
) -> Result<GetObjectTaggingOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (_, mut found) = tagged(tx, at, input.version_id.as_deref(), owner)?;
    let Some(object) = found.object_mut() else { return Ok(GetObjectTaggingOutput::default()) };
    Ok(GetObjectTaggingOutput {
        version_id: object.version_id(),
        tag_set: Some(rules::tags(std::mem::take(&mut object.tags))),
    })
}

/// Removes the tags of an object.
pub(crate) fn delete_object(
    tx: &mut WriteTx<'_>,
    input: DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (bucket, found) = tagged(tx, at, input.version_id.as_deref(), owner)?;
    let version_id = set(tx, &bucket, at, found, ("Delete", Vec::new()))?;
    Ok(DeleteObjectTaggingOutput { version_id })
}

/// Replaces the tags of a bucket.
pub(crate) fn put_bucket(
    tx: &mut WriteTx<'_>,
    input: PutBucketTaggingInput,
) -> Result<PutBucketTaggingOutput, Error> {
    let name = &input.bucket;
    let tags = rules::pairs(input.tagging.tag_set);
    rules::check_bucket_tags(&tags)?;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    abac::refuse_enabled(tx, name)?;
    BUCKET_TAGS.put(tx, name, &Tags(tags))?;
    Ok(PutBucketTaggingOutput {})
}

/// The tags of a bucket, if it has some.
pub(crate) fn get_bucket(
    tx: &ReadTx<'_>,
    input: GetBucketTaggingInput,
) -> Result<GetBucketTaggingOutput, Error> {
    let name = &input.bucket;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    match BUCKET_TAGS.get(tx, name)? {
        Some(Tags(tags)) => Ok(GetBucketTaggingOutput { tag_set: Some(rules::tags(tags)) }),
        None => Err(Error::NoSuchTagSet { bucket: name.clone() }),
    }
}

/// Removes the tags of a bucket.
pub(crate) fn delete_bucket(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketTaggingInput,
) -> Result<DeleteBucketTaggingOutput, Error> {
    let name = &input.bucket;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    abac::refuse_enabled(tx, name)?;
    BUCKET_TAGS.delete(tx, name)?;
    Ok(DeleteBucketTaggingOutput {})
}
