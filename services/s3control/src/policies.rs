//! Policies of access points.

use fogbank_accesspoints::{self as points, ACCESS_POINTS};
use fogbank_core::policy::{Document, Kind};
use fogbank_core::{ReadTx, WriteTx};

use crate::access_points::find;
use crate::error::Error;
use crate::model::*;

/// The longest policy, in bytes.
const MAX_POLICY_BYTES: usize = 20 * 1024;

/// Sets the policy of an access point.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutAccessPointPolicyInput,
) -> Result<PutAccessPointPolicyOutput, Error> {
    let (key, mut row) = find(tx, &input.name)?;
    check(&points::arn((&key.0, &key.1, &key.2)), &input.policy)?;
    if row.block.policy && points::is_public(&input.policy) {
        return Err(Error::AccessDenied);
    }
    row.policy = Some(input.policy);
    ACCESS_POINTS.put(tx, &key, &row)?;
    Ok(PutAccessPointPolicyOutput {})
}

/// Refuses what is no policy, and policies on what is not this access point.
fn check(arn: &str, policy: &str) -> Result<(), Error> {
    let malformed = |message: &str| Error::MalformedPolicy(message.to_owned());
    if policy.len() > MAX_POLICY_BYTES {
        return Err(malformed(
            "Normalized policy document exceeds the maximum allowed size of 20480 bytes.",
        ));
    }
    let document = Document::parse(policy, Kind::Resource)
        .map_err(|fault| Error::MalformedPolicy(fault.to_string()))?;
    let fits = match points::is_directory(arn) {
        true => points::check_directory,
        false => points::check,
    };
    fits(&document, arn).map_err(malformed)
}

/// The policy of an access point, as it was given.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetAccessPointPolicyInput,
) -> Result<GetAccessPointPolicyOutput, Error> {
    let (key, row) = find(tx, &input.name)?;
    match row.policy {
        Some(policy) => Ok(GetAccessPointPolicyOutput { policy: Some(policy) }),
        None => Err(Error::no_policy(&key.2)),
    }
}

/// Removes the policy of an access point.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAccessPointPolicyInput,
) -> Result<DeleteAccessPointPolicyOutput, Error> {
    let (key, mut row) = find(tx, &input.name)?;
    row.policy = None;
    ACCESS_POINTS.put(tx, &key, &row)?;
    Ok(DeleteAccessPointPolicyOutput {})
}

/// Whether the policy of an access point is public.
pub(crate) fn status(
    tx: &ReadTx<'_>,
    input: GetAccessPointPolicyStatusInput,
) -> Result<GetAccessPointPolicyStatusOutput, Error> {
    let (key, row) = find(tx, &input.name)?;
    let Some(policy) = row.policy else { return Err(Error::no_policy(&key.2)) };
    let is_public = Some(points::is_public(&policy));
    Ok(GetAccessPointPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public }) })
}
