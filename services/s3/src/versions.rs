//! Versions of objects: which is current, what they are called, and what writing and removing does to them.
//!
//! The current object lies in `OBJECTS`; all before it, and delete markers, lie in `VERSIONS`, newest first. Where
//! there is no current object, the first row in `VERSIONS` is a delete marker.

use std::cmp::Reverse;

use fogbank_core::{Fault, ReadTx, Timestamp, Tx, WriteTx};
use sha2::{Digest, Sha256};

use crate::directory;
use crate::error::Error;
use crate::events::{self, Change};
use crate::metadata_tables::{Entry, note};
use crate::mfa;
use crate::model::{
    BucketVersioningStatus, GetBucketVersioningInput, GetBucketVersioningOutput, MFADelete,
    PutBucketVersioningInput, PutBucketVersioningOutput,
};
use crate::objects;
use crate::reads::http_date;
use crate::replication;
use crate::store::{
    self, BUCKETS, Bucket, Marker, NULLS, OBJECTS, Object, VERSIONS, Version, VersionName,
    Versioning,
};

/// A bucket's name and a key.
pub(crate) type At<'a> = (&'a str, &'a str);

/// The id of the version with this number: 32 letters, of which the first half is the number.
pub(crate) fn id(number: u64) -> String {
    let digest = Sha256::digest(number.to_be_bytes());
    format!("{number:016x}{}", hex::encode(&digest[..8]))
}

/// The number of the version with this id, if an id can look so.
pub(crate) fn number(id: &str) -> Option<u64> {
    let number = u64::from_str_radix(id.get(..16)?, 16).ok()?;
    (self::id(number) == id).then_some(number)
}

/// What a version is called where its name is always told, as in listings.
pub(crate) fn called(name: VersionName, number: u64) -> String {
    match name {
        VersionName::Id => id(number),
        VersionName::Null | VersionName::Unversioned => "null".to_owned(),
    }
}

impl Object {
    /// The version's id as answers tell it: not at all where versioning was never enabled.
    pub(crate) fn version_id(&self) -> Option<String> {
        match self.version_name {
            VersionName::Unversioned => None,
            name => Some(called(name, self.version)),
        }
    }

    /// The version's id as the answer to its writing tells it: S3 does not tell `null`.
    pub(crate) fn written_id(&self) -> Option<String> {
        (self.version_name == VersionName::Id).then(|| id(self.version))
    }
}

/// Which version a request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    Null,
    Number(u64),
}

fn meant(version_id: &str) -> Result<Meant, Error> {
    match version_id {
        "" => Err(Error::argument("versionId", "", "Version id cannot be the empty string")),
        "null" => Ok(Meant::Null),
        id => number(id)
            .map(Meant::Number)
            .ok_or_else(|| Error::argument("versionId", id, "Invalid version id specified")),
    }
}

/// A version that was found, and where it lies.
pub(crate) enum Found {
    Current(Object),
    Older(u64, Object),
    Marker(u64, Marker),
}

impl Found {
    /// The object, unless it is a delete marker.
    pub(crate) fn object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Found::Current(object) | Found::Older(_, object) => Some(object),
            Found::Marker(..) => None,
        }
    }
}

/// Finds a version, or the current object; nothing for a delete marker that is current.
pub(crate) fn find(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version_id: Option<&str>,
) -> Result<Option<Found>, Error> {
    let Some(version_id) = version_id else {
        return Ok(store::object(tx, at.0, at.1)?.map(Found::Current));
    };
    let meant = meant(version_id)?;
    if let Some(current) = store::object(tx, at.0, at.1)? {
        let is_meant = match meant {
            Meant::Null => current.version_name.is_null(),
            Meant::Number(number) => {
                current.version == number && current.version_name == VersionName::Id
            }
        };
        if is_meant {
            return Ok(Some(Found::Current(current)));
        }
    }
    let number = match meant {
        Meant::Number(number) => number,
        Meant::Null => match NULLS.get(tx, &at)? {
            Some(number) => number,
            None => return Ok(None),
        },
    };
    let found = VERSIONS.get(tx, &(at.0, at.1, Reverse(number)))?;
    Ok(found.and_then(|version| match version {
        Version::Object(object) => (object.version_name.is_null() == (meant == Meant::Null))
            .then(|| Found::Older(number, *object)),
        Version::Marker(marker) => (marker.version_name.is_null() == (meant == Meant::Null))
            .then(|| Found::Marker(number, marker)),
    }))
}

/// The version that the transaction with this number wrote, if it is still there and an object.
pub(crate) fn numbered(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    number: u64,
) -> Result<Option<Found>, Error> {
    let current = store::object(tx, at.0, at.1)?;
    if let Some(current) = current.filter(|current| current.version == number) {
        return Ok(Some(Found::Current(current)));
    }
    Ok(match VERSIONS.get(tx, &(at.0, at.1, Reverse(number)))? {
        Some(Version::Object(object)) => Some(Found::Older(number, *object)),
        _ => None,
    })
}

/// The object that a request reads, or S3's error about what is there instead.
pub(crate) fn read(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version_id: Option<&str>,
) -> Result<Object, Error> {
    if version_id.is_none() {
        // The most frequent of reads, whose object need not be moved from one form to the next.
        return store::object(tx, at.0, at.1)?.ok_or_else(|| missing(tx, at));
    }
    match find(tx, at, version_id)? {
        Some(Found::Current(object) | Found::Older(_, object)) => Ok(object),
        Some(Found::Marker(number, marker)) => Err(is_marker(tx, number, &marker)),
        None if version_id.is_some() => Err(no_version(tx, at, version_id.unwrap_or_default())),
        None => Err(missing(tx, at)),
    }
}

/// What is asked for is a delete marker, of which there is nothing to read.
fn is_marker(tx: &(impl Tx + ?Sized), number: u64, marker: &Marker) -> Error {
    let fault = not_allowed(tx)
        .with("x-amz-delete-marker", "true")
        .with("x-amz-version-id", called(marker.version_name, number));
    Error::Fault(match tx.request().operation {
        "GetObject" | "HeadObject" => {
            let modified = Timestamp::from_millis(marker.modified_millis);
            fault.with("Last-Modified", http_date(modified))
        }
        _ => fault,
    })
}

/// A delete marker can only be removed.
fn not_allowed(tx: &(impl Tx + ?Sized)) -> Fault {
    let operation = tx.request().operation;
    let method = match operation {
        _ if operation.starts_with("Head") => "HEAD",
        _ if operation.starts_with("Put") || operation.starts_with("Update") => "PUT",
        _ if operation.starts_with("Delete") => "DELETE",
        "RestoreObject" | "SelectObjectContent" => "POST",
        _ => "GET",
    };
    Fault::new("MethodNotAllowed", "The specified method is not allowed against this resource.")
        .with("Method", method)
        .with("ResourceType", "DeleteMarker")
        .with("Allow", "DELETE")
}

fn no_version(tx: &(impl Tx + ?Sized), at: At<'_>, version_id: &str) -> Error {
    match objects::missing(tx, at.0, at.1) {
        Error::NoSuchKey { key } => Error::NoSuchVersion { key, version: version_id.to_owned() },
        other => other,
    }
}

/// There is no current object: S3 also says if a delete marker is the reason.
fn missing(tx: &(impl Tx + ?Sized), at: At<'_>) -> Error {
    let error = objects::missing(tx, at.0, at.1);
    let Error::NoSuchKey { .. } = &error else { return error };
    // Observed of PutObjectAcl; that the others which change what an object has do the same is a guess.
    let changes = matches!(
        tx.request().operation,
        "PutObjectAcl"
            | "PutObjectTagging"
            | "DeleteObjectTagging"
            | "PutObjectRetention"
            | "PutObjectLegalHold"
    );
    match VERSIONS.first(tx, &at) {
        Ok(Some((_, Version::Marker(_)))) if changes => Error::Fault(not_allowed(tx)),
        Ok(Some(((_, _, Reverse(number)), Version::Marker(marker)))) => Error::Fault(
            Fault::from(error)
                .with("x-amz-delete-marker", "true")
                .with("x-amz-version-id", called(marker.version_name, number)),
        ),
        _ => error,
    }
}

/// Writes a version back whose place does not change.
pub(crate) fn save(tx: &mut WriteTx<'_>, at: At<'_>, found: Found) -> Result<(), Error> {
    match found {
        Found::Current(object) => Ok(OBJECTS.put(tx, &at, &object)?),
        Found::Older(number, object) => {
            let key = (at.0, at.1, Reverse(number));
            Ok(VERSIONS.put(tx, &key, &Version::Object(Box::new(object)))?)
        }
        Found::Marker(..) => Ok(()),
    }
}

/// Writes an object as the current one. What was current before is kept or goes, as the bucket's versioning has it.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    object: &mut Object,
    old: Option<Object>,
) -> Result<(), Error> {
    object.version_name = match bucket.versioning {
        Versioning::Never => {
            directory::settle(tx, bucket, at.0, object)?;
            return store::put_object(tx, at, object, old.as_ref());
        }
        Versioning::Enabled => VersionName::Id,
        Versioning::Suspended => VersionName::Null,
    };
    make_way(tx, bucket, at, old)?;
    replication::written(tx, bucket, at, object)?;
    Ok(OBJECTS.put(tx, &at, object)?)
}

/// Takes the current object out of the way of a new version.
pub(crate) fn make_way(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    old: Option<Object>,
) -> Result<(), Error> {
    let replaces_null = bucket.versioning == Versioning::Suspended;
    if replaces_null && let Some(number) = NULLS.get(tx, &at)? {
        remove_older(tx, at, number)?;
    }
    match old {
        None => Ok(()),
        Some(old) if replaces_null && old.version_name.is_null() => store::free(tx, at, &old),
        Some(mut old) => {
            if old.version_name.is_null() {
                old.version_name = VersionName::Null;
                NULLS.put(tx, &at, &old.version)?;
            }
            let key = (at.0, at.1, Reverse(old.version));
            Ok(VERSIONS.put(tx, &key, &Version::Object(Box::new(old)))?)
        }
    }
}

/// Removes a version that is not current, with its body.
fn remove_older(tx: &mut WriteTx<'_>, at: At<'_>, number: u64) -> Result<(), Error> {
    let key = (at.0, at.1, Reverse(number));
    if let Some(version) = VERSIONS.get(tx, &key)? {
        let is_null = match &version {
            Version::Object(object) => {
                store::free(tx, at, object)?;
                object.version_name.is_null()
            }
            Version::Marker(marker) => marker.version_name.is_null(),
        };
        if is_null {
            NULLS.delete(tx, &at)?;
        }
        VERSIONS.delete(tx, &key)?;
    }
    Ok(())
}

/// What a removal did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) version_id: Option<String>,
    /// Whether a delete marker was made or removed.
    pub(crate) is_marker: bool,
}

/// What a removal asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Removal<'a> {
    pub(crate) version_id: Option<&'a str>,
    /// Whether the caller wishes to pass over governance.
    pub(crate) bypasses_governance: bool,
    pub(crate) cause: Cause,
}

/// Who removes something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cause {
    #[default]
    Caller,
    Lifecycle,
}

/// Removes the current object, by a delete marker where versions are kept, or one version for good. That there is
/// nothing to remove is no error.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    removal: Removal<'_>,
) -> Result<Removed, Error> {
    match removal.version_id {
        Some(version_id) => remove_version(tx, bucket, at, version_id, removal),
        None if bucket.versioning == Versioning::Never => {
            if let Some(old) = store::object(tx, at.0, at.1)? {
                store::delete_object(tx, at, &old)?;
                let change = Change::removed(at.1, tx.version(), None).of(removal.cause);
                events::emit(tx, bucket, at.0, &change)?;
                let entry = Entry::Removed(old.version, old.version_name);
                note(tx, bucket, at, entry, removal.cause.into())?;
            }
            Ok(Removed::default())
        }
        None => mark(tx, bucket, at, removal.cause),
    }
}

/// Makes a delete marker.
fn mark(tx: &mut WriteTx<'_>, bucket: &Bucket, at: At<'_>, cause: Cause) -> Result<Removed, Error> {
    let number = tx.version();
    let version_name = match bucket.versioning {
        Versioning::Suspended => VersionName::Null,
        _ => VersionName::Id,
    };
    let version_id = Some(called(version_name, number));
    let key = (at.0, at.1, Reverse(number));
    let removed = Removed { version_id, is_marker: true };
    if VERSIONS.contains(tx, &key)? {
        // The same request names the key twice.
        return Ok(removed);
    }
    let old = store::object(tx, at.0, at.1)?;
    make_way(tx, bucket, at, old)?;
    OBJECTS.delete(tx, &at)?;
    let owner = Some(tx.account().to_owned()).filter(|account| *account != bucket.account);
    let marker = Marker { version_name, modified_millis: tx.now().millis(), owner };
    note(tx, bucket, at, Entry::Marked(number, &marker), cause.into())?;
    VERSIONS.put(tx, &key, &Version::Marker(marker))?;
    if version_name.is_null() {
        NULLS.put(tx, &at, &number)?;
    }
    let change = Change::marked(at.1, number, removed.version_id.clone()).of(cause);
    events::emit(tx, bucket, at.0, &change)?;
    // What lifecycles do is done by those of each bucket.
    if cause == Cause::Caller {
        replication::marked(tx, bucket, at, number)?;
    }
    Ok(removed)
}

fn remove_version(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    version_id: &str,
    removal: Removal<'_>,
) -> Result<Removed, Error> {
    let removed = Removed { version_id: Some(version_id.to_owned()), is_marker: false };
    let (is_marker, number, name) = match find(tx, at, Some(version_id))? {
        None => return Ok(removed),
        Some(Found::Current(object)) => {
            crate::locks::check(tx, at, &object, removal)?;
            store::delete_object(tx, at, &object)?;
            (false, object.version, object.version_name)
        }
        Some(Found::Older(number, object)) => {
            crate::locks::check(tx, at, &object, removal)?;
            remove_older(tx, at, number)?;
            (false, number, object.version_name)
        }
        Some(Found::Marker(number, marker)) => {
            remove_older(tx, at, number)?;
            (true, number, marker.version_name)
        }
    };
    note(tx, bucket, at, Entry::Removed(number, name), removal.cause.into())?;
    if bucket.versioning != Versioning::Never {
        promote(tx, at)?;
    }
    let told = Some(version_id.to_owned()).filter(|_| bucket.versioning != Versioning::Never);
    events::emit(tx, bucket, at.0, &Change::removed(at.1, tx.version(), told))?;
    Ok(Removed { is_marker, ..removed })
}

/// Makes the newest version current, if nothing is and it is an object.
fn promote(tx: &mut WriteTx<'_>, at: At<'_>) -> Result<(), Error> {
    if OBJECTS.contains(tx, &at)? {
        return Ok(());
    }
    let Some((key, Version::Object(object))) = VERSIONS.first(tx, &at)? else { return Ok(()) };
    VERSIONS.delete(tx, &key)?;
    if object.version_name.is_null() {
        NULLS.delete(tx, &at)?;
    }
    Ok(OBJECTS.put(tx, &at, &object)?)
}

/// Removes some versions of a bucket that are not current, whatever locks them; the keys come from a look before.
pub(crate) fn forget(tx: &mut WriteTx<'_>, at: At<'_>, number: u64) -> Result<(), Error> {
    remove_older(tx, at, number)
}

/// Whether a bucket keeps versions.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketVersioningInput,
) -> Result<GetBucketVersioningOutput, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::Enabled),
        Versioning::Suspended => Some(BucketVersioningStatus::Suspended),
    };
    let mfa_delete = bucket.mfa_delete.map(|is_on| match is_on {
        true => MFADelete::Enabled.as_str().to_owned(),
        false => MFADelete::Disabled.as_str().to_owned(),
    });
    Ok(GetBucketVersioningOutput { status, mfa_delete })
}

/// Makes a bucket keep versions, or not any more.
pub(crate) fn configure(
    tx: &mut WriteTx<'_>,
    input: PutBucketVersioningInput,
) -> Result<PutBucketVersioningOutput, Error> {
    let name = &input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let given = &input.versioning_configuration;
    let shown = mfa::shown(input.mfa.as_deref())?;
    let mfa_delete = given.mfa_delete.map(|given| given == MFADelete::Enabled);
    if bucket.mfa_delete == Some(true) || mfa_delete == Some(true) {
        mfa::take(tx, &bucket, shown.as_ref())?;
    }
    if mfa_delete == Some(true) && bucket.has_lifecycle {
        let message = "Mfa Authentication is not supported on a bucket with lifecycle configuration. Delete lifecycle configuration before enabling Mfa Authentication.";
        return Err(Error::Fault(Fault::new("InvalidBucketState", message)));
    }
    bucket.versioning = match given.status {
        None => return Err(Error::IllegalVersioningConfigurationException),
        Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
        Some(BucketVersioningStatus::Suspended) if bucket.has_lock => {
            let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
            return Err(Error::Fault(Fault::new("InvalidBucketState", message)));
        }
        Some(BucketVersioningStatus::Suspended) if bucket.has_replication => {
            let message = "A replication configuration is present on this bucket, so the versioning state cannot be changed to suspended.";
            return Err(Error::Fault(Fault::new("InvalidBucketState", message)));
        }
        Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
    };
    bucket.mfa_delete = mfa_delete.or(bucket.mfa_delete);
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutBucketVersioningOutput::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_of_numbers_and_nothing_else_is_one() {
        assert_eq!(id(7).len(), 32);
        assert_eq!(number(&id(u64::MAX)), Some(u64::MAX));
        for other in ["", "null", "é", "0000000000000007", &id(7)[1..], &id(7).to_uppercase()] {
            assert_eq!(number(other), None, "{other}");
        }
        assert!(matches!(meant("x"), Err(Error::InvalidArgument { .. })));
        assert!(matches!(meant("null"), Ok(Meant::Null)));
    }
}
