//! Directory buckets (S3 Express One Zone): buckets in one zone, whose objects are reached by sessions, can be appended to
//! and renamed, and lack much of what other buckets have.
//!
//! Everything that tells them from other buckets lies here. Their names end in `--ZONE--x-s3`, as no other bucket's may, so
//! that the name alone tells the kind. Their objects, parts and uploads are the same rows.

mod appending;
pub(crate) mod buckets;
mod encryption;
mod names;
mod operations;
mod points;
mod reached;
mod renaming;
mod rows;
mod sessions;

pub(crate) use appending::append;
pub(crate) use encryption::settle_encryption;
pub(crate) use names::{arn, is_name, named_by, zone};
pub(crate) use points::scope;
pub(crate) use reached::reached;
pub(crate) use renaming::{FORGET, rename};
pub(crate) use rows::{DIRECTORIES, Directory, RENAME_ENDS, RENAMES, Renamed};
pub(crate) use sessions::{create as create_session, lets_lifecycle_in};

use fogbank_core::{Ids, Tx};

use crate::error::Error;
use crate::model::BucketLifecycleConfiguration;
use crate::rules::ETag;
use crate::store::{Bucket, Object, UPLOADS};

/// The class of objects in Availability Zones.
const EXPRESS: &str = "EXPRESS_ONEZONE";
/// The class of objects in Local Zones.
const LOCAL: &str = "ONEZONE_IA";

/// An ETag that says nothing of the bytes, as those in directory buckets do not.
pub(crate) fn e_tag(ids: &Ids, parts: u16) -> ETag {
    let mut md5 = [0; 16];
    ids.fill(&mut md5);
    ETag { md5, parts }
}

/// The storage class of all objects in a directory bucket; none for other buckets.
pub(crate) fn class(
    tx: &(impl Tx + ?Sized),
    bucket: &Bucket,
    name: &str,
) -> Result<Option<String>, Error> {
    if !is_name(name) {
        return Ok(None);
    }
    let directory = DIRECTORIES.get(tx, &(&*bucket.account, name))?;
    let is_local = directory.is_some_and(|directory| directory.is_local_zone);
    Ok(Some(if is_local { LOCAL } else { EXPRESS }.to_owned()))
}

/// Gives an object that is written to a directory bucket the class and an ETag of such objects.
pub(crate) fn settle(
    tx: &(impl Tx + ?Sized),
    bucket: &Bucket,
    name: &str,
    object: &mut Object,
) -> Result<(), Error> {
    if let Some(class) = class(tx, bucket, name)? {
        if !object.tags.is_empty() {
            // A copy would bring them.
            let detail = "Directory buckets do not support object tags";
            return Err(Error::header("x-amz-tagging", detail));
        }
        object.listed.storage_class = Some(class);
        object.listed.e_tag = e_tag(tx.ids(), object.listed.e_tag.parts);
    }
    Ok(())
}

/// Whether uploads keep a directory bucket from being deleted, as they do not keep others.
pub(crate) fn has_uploads(
    tx: &(impl Tx + ?Sized),
    bucket: &Bucket,
    name: &str,
) -> Result<bool, Error> {
    Ok(is_name(name) && UPLOADS.first(tx, &(bucket.id,))?.is_some())
}

/// Refuses to complete an upload to a directory bucket with parts that do not count from 1 on. The code is a guess.
pub(crate) fn check_parts(
    name: &str,
    mut numbers: impl Iterator<Item = u16>,
    upload_id: &str,
) -> Result<(), Error> {
    let mut next = 1..;
    if is_name(name) && !numbers.all(|number| next.next() == Some(number)) {
        return Err(Error::InvalidPartOrder { upload: upload_id.to_owned() });
    }
    Ok(())
}

/// Refuses lifecycles of directory buckets that do more than expire objects and give up uploads.
pub(crate) fn check_lifecycle(given: &BucketLifecycleConfiguration) -> Result<(), Error> {
    // The words are guesses.
    let refused =
        |what: &str| Err(Error::request(format!("{what} is not supported for directory buckets")));
    for rule in &given.rules {
        let has = |list: bool, what| if list { refused(what) } else { Ok(()) };
        has(rule.transitions.is_some(), "Transition")?;
        has(rule.noncurrent_version_transitions.is_some(), "NoncurrentVersionTransition")?;
        has(rule.noncurrent_version_expiration.is_some(), "NoncurrentVersionExpiration")?;
        let marker =
            rule.expiration.as_ref().and_then(|expiration| expiration.expired_object_delete_marker);
        has(marker.is_some(), "ExpiredObjectDeleteMarker")?;
        if let Some(filter) = &rule.filter {
            let both = filter.and.as_ref();
            let has_tags = filter.tag.is_some() || both.is_some_and(|both| both.tags.is_some());
            has(has_tags, "Tag")?;
        }
    }
    Ok(())
}
