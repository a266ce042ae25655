//! Where a copy comes to lie among the versions of its key: in the order in which they were written first, whenever the
//! copy comes.

use std::cmp::Reverse;

use fogbank_core::WriteTx;

use crate::error::Error;
use crate::store::{self, Bucket, Marker, OBJECTS, Object, VERSIONS, Version};
use crate::versions::{self, At};

/// Makes way for a version with this number if it is newer than all that are there; says whether it is.
fn is_newest(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    number: u64,
) -> Result<bool, Error> {
    let current = store::object(tx, at.0, at.1)?;
    let older = VERSIONS.first(tx, &at)?;
    let newest = current.as_ref().map(|current| current.version);
    let newest = newest.max(older.map(|((_, _, Reverse(number)), _)| number));
    if newest.is_some_and(|newest| newest > number) {
        return Ok(false);
    }
    versions::make_way(tx, bucket, at, current)?;
    Ok(true)
}

/// Writes a copy of an object, in a bucket that keeps versions.
pub(super) fn object(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    object: Object,
) -> Result<(), Error> {
    if is_newest(tx, bucket, at, object.version)? {
        return Ok(OBJECTS.put(tx, &at, &object)?);
    }
    let key = (at.0, at.1, Reverse(object.version));
    Ok(VERSIONS.put(tx, &key, &Version::Object(Box::new(object)))?)
}

/// Writes a copy of a delete marker, in a bucket that keeps versions.
pub(super) fn marker(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    number: u64,
    marker: Marker,
) -> Result<(), Error> {
    if is_newest(tx, bucket, at, number)? {
        OBJECTS.delete(tx, &at)?;
    }
    let key = (at.0, at.1, Reverse(number));
    Ok(VERSIONS.put(tx, &key, &Version::Marker(marker))?)
}
