//! Access points of directory buckets: their names, and the scopes that limit what is done through them.

use fogbank_accesspoints::{self as points, ACCESS_POINTS, Scope as Row};
use fogbank_core::{ReadTx, WriteTx};

use crate::access_points::{self, Asked, find, is_name};
use crate::error::Error;
use crate::model::*;

/// The most bytes that the prefixes of a scope have together.
const MAX_PREFIX_BYTES: usize = 255;

/// Refuses a name that no access point may have, or not one of this bucket: those of directory buckets bear their zone, and
/// they alone have a scope.
pub(crate) fn check_name(input: &CreateAccessPointInput) -> Result<(), Error> {
    let Some((base, zone)) = points::directory_parts(&input.name) else {
        let is_directory = input.bucket.ends_with("--x-s3");
        return match is_name(&input.name) && !is_directory && input.scope.is_none() {
            true => Ok(()),
            false => Err(Error::InvalidAccessPoint),
        };
    };
    if !is_name(base) {
        return Err(Error::InvalidAccessPoint);
    }
    if !input.bucket.ends_with(&format!("--{zone}--x-s3")) {
        // The words are a guess.
        let message = "The access point must be in the same zone as its directory bucket.";
        return Err(Error::InvalidRequest(message.to_owned()));
    }
    Ok(())
}

/// A scope as rows have it.
pub(crate) fn scope_of(given: &Scope) -> Result<Row, Error> {
    let prefixes = given.prefixes.clone().unwrap_or_default();
    if prefixes.iter().map(String::len).sum::<usize>() > MAX_PREFIX_BYTES {
        // The words are a guess.
        let message = "The total length of the prefixes must be less than 256 bytes.";
        return Err(Error::InvalidRequest(message.to_owned()));
    }
    let permissions = given.permissions.iter().flatten();
    let permissions = permissions.map(|permission| permission.as_str().to_owned()).collect();
    Ok(Row { permissions, prefixes })
}

/// Sets the scope of an access point of a directory bucket.
pub(crate) fn put_scope(
    tx: &mut WriteTx<'_>,
    input: PutAccessPointScopeInput,
) -> Result<PutAccessPointScopeOutput, Error> {
    set(tx, &input.name, Some(scope_of(&input.scope)?))?;
    Ok(PutAccessPointScopeOutput {})
}

/// Takes the scope from an access point, which then limits nothing.
pub(crate) fn delete_scope(
    tx: &mut WriteTx<'_>,
    input: DeleteAccessPointScopeInput,
) -> Result<DeleteAccessPointScopeOutput, Error> {
    set(tx, &input.name, None)?;
    Ok(DeleteAccessPointScopeOutput {})
}

fn set(tx: &mut WriteTx<'_>, name: &str, scope: Option<Row>) -> Result<(), Error> {
    if !points::is_directory(name) {
        return Err(Error::InvalidAccessPoint);
    }
    let (key, row) = find(tx, name)?;
    ACCESS_POINTS.put(tx, &key, &points::AccessPoint { scope, ..row })?;
    Ok(())
}

/// The scope of an access point; nothing if it has none.
pub(crate) fn get_scope(
    tx: &ReadTx<'_>,
    input: GetAccessPointScopeInput,
) -> Result<GetAccessPointScopeOutput, Error> {
    let (_, row) = find(tx, &input.name)?;
    let scope = row.scope.map(|scope| {
        let permissions =
            scope.permissions.iter().filter_map(|name| ScopePermission::from_name(name));
        Scope { permissions: Some(permissions.collect()), prefixes: Some(scope.prefixes) }
    });
    Ok(GetAccessPointScopeOutput { scope })
}

/// The access points of directory buckets of the account in the region; of one bucket, if it is named.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListAccessPointsForDirectoryBucketsInput,
) -> Result<ListAccessPointsForDirectoryBucketsOutput, Error> {
    let (found, next_token) = access_points::page(
        tx,
        &Asked {
            bucket: input.directory_bucket.as_deref(),
            is_directory: true,
            limit: input.max_results,
            token: input.next_token.as_deref(),
        },
    )?;
    Ok(ListAccessPointsForDirectoryBucketsOutput { access_point_list: Some(found), next_token })
}
