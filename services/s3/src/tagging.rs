//! Tags of objects and buckets.

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::events::{self, Change};
use crate::model::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeleteObjectTaggingInput,
    DeleteObjectTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
    GetObjectTaggingInput, GetObjectTaggingOutput, PutBucketTaggingInput, PutBucketTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput,
};
use crate::rules;
use crate::store::{self, BUCKET_TAGS, Bucket, OBJECTS, Object, Tags};

/// The bucket, and the object whose tags are meant.
fn tagged(
    tx: &(impl Tx + ?Sized),
    (name, key): (&str, &str),
    version_id: Option<&str>,
    expected_owner: Option<&str>,
) -> Result<(Bucket, Object), Error> {
    let bucket = store::expected_bucket(tx, name, expected_owner)?;
    rules::check_version_id(version_id)?;
    let object =
        store::object(tx, name, key)?.ok_or_else(|| Error::NoSuchKey { key: key.to_owned() })?;
    Ok((bucket, object))
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
    let (bucket, mut object) = tagged(tx, at, input.version_id.as_deref(), owner)?;
    object.tags = tags;
    OBJECTS.put(tx, &at, &object)?;
    events::emit(tx, &bucket, at.0, &Change::tagged("Put", at.1, &object))?;
    Ok(PutObjectTaggingOutput { version_id: input.version_id })
}

/// The tags of an object.
pub(crate) fn get_object(
    tx: &ReadTx<'_>,
    input: GetObjectTaggingInput,
) -> Result<GetObjectTaggingOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (_, object) = tagged(tx, at, input.version_id.as_deref(), owner)?;
    Ok(GetObjectTaggingOutput {
        version_id: input.version_id,
        tag_set: Some(rules::tags(object.tags)),
    })
}

/// Removes the tags of an object.
pub(crate) fn delete_object(
    tx: &mut WriteTx<'_>,
    input: DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (bucket, mut object) = tagged(tx, at, input.version_id.as_deref(), owner)?;
    object.tags.clear();
    OBJECTS.put(tx, &at, &object)?;
    events::emit(tx, &bucket, at.0, &Change::tagged("Delete", at.1, &object))?;
    Ok(DeleteObjectTaggingOutput { version_id: input.version_id })
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
    BUCKET_TAGS.delete(tx, name)?;
    Ok(DeleteBucketTaggingOutput {})
}
