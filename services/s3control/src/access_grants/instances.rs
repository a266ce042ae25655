//! The instance of an account in a region, and its resource policy.

use fogbank_accesspoints::{BUCKETS, Granted, INSTANCES, Instance, InstancePolicy};
use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Fault, ReadTx, Tx, WriteTx};

use super::scopes::Scope;
use super::{find_instance, time};
use crate::error::Error;
use crate::model::*;
use crate::tags::{self, pairs};

/// The id of every instance.
const ID: &str = "default";
/// The longest policy, in bytes; the model has the same.
const MAX_POLICY_BYTES: usize = 350_000;

fn arn(account: &str, region: &str) -> Option<String> {
    Some(Granted::Instance.arn(account, region))
}

/// Refuses what needs IAM Identity Center, which is not there.
pub(super) fn refuse_directories(operation: &str, what: Option<&String>) -> Result<(), Error> {
    match what {
        None => Ok(()),
        Some(_) => Err(Fault::not_implemented("s3control", operation).into()),
    }
}

/// Creates the instance.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAccessGrantsInstanceInput,
) -> Result<CreateAccessGrantsInstanceOutput, Error> {
    refuse_directories(
        "CreateAccessGrantsInstance with IdentityCenterArn",
        input.identity_center_arn.as_ref(),
    )?;
    let tags = tags::of(pairs(input.tags.as_deref().unwrap_or_default()))?;
    let key = (tx.account().to_owned(), tx.region().to_owned());
    if INSTANCES.contains(tx, &key)? {
        return Err(Error::AccessGrantsInstanceAlreadyExists);
    }
    let row = Instance { created_millis: tx.now().millis(), tags, ..Instance::default() };
    INSTANCES.put(tx, &key, &row)?;
    Ok(CreateAccessGrantsInstanceOutput {
        created_at: time(row.created_millis),
        access_grants_instance_id: Some(ID.to_owned()),
        access_grants_instance_arn: arn(&key.0, &key.1),
        ..CreateAccessGrantsInstanceOutput::default()
    })
}

/// The instance.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    _: GetAccessGrantsInstanceInput,
) -> Result<GetAccessGrantsInstanceOutput, Error> {
    let row = find_instance(tx, tx.account())?;
    Ok(GetAccessGrantsInstanceOutput {
        access_grants_instance_arn: arn(tx.account(), tx.region()),
        access_grants_instance_id: Some(ID.to_owned()),
        created_at: time(row.created_millis),
        ..GetAccessGrantsInstanceOutput::default()
    })
}

/// Removes the instance, if nothing is in it.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    _: DeleteAccessGrantsInstanceInput,
) -> Result<DeleteAccessGrantsInstanceOutput, Error> {
    let key = (tx.account().to_owned(), tx.region().to_owned());
    if find_instance(tx, &key.0)?.locations > 0 {
        return Err(Error::AccessGrantsInstanceNotEmptyError);
    }
    INSTANCES.delete(tx, &key)?;
    Ok(DeleteAccessGrantsInstanceOutput {})
}

/// The instances of the account in the region: one or none.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    _: ListAccessGrantsInstancesInput,
) -> Result<ListAccessGrantsInstancesOutput, Error> {
    let row = INSTANCES.get(tx, &(tx.account(), tx.region()))?;
    let entry = row.map(|row| ListAccessGrantsInstanceEntry {
        access_grants_instance_id: Some(ID.to_owned()),
        access_grants_instance_arn: arn(tx.account(), tx.region()),
        created_at: time(row.created_millis),
        ..ListAccessGrantsInstanceEntry::default()
    });
    Ok(ListAccessGrantsInstancesOutput {
        access_grants_instances_list: Some(entry.into_iter().collect()),
        next_token: None,
    })
}

/// The instance that grants data to be had: that of the account, if the data's bucket is its.
pub(crate) fn for_prefix(
    tx: &ReadTx<'_>,
    input: GetAccessGrantsInstanceForPrefixInput,
) -> Result<GetAccessGrantsInstanceForPrefixOutput, Error> {
    let account = &*input.account_id;
    find_instance(tx, account)?;
    let Some(scope) = Scope::parse(&input.s3_prefix, false) else {
        return Err(Error::InvalidRequest("The S3 prefix is invalid".to_owned()));
    };
    let bucket = BUCKETS.get(tx, &*scope.bucket)?;
    if !bucket.is_some_and(|bucket| bucket.account == account && bucket.region == tx.region()) {
        return Err(Error::AccessGrantsInstanceNotExistsError);
    }
    Ok(GetAccessGrantsInstanceForPrefixOutput {
        access_grants_instance_arn: arn(account, tx.region()),
        access_grants_instance_id: Some(ID.to_owned()),
    })
}

/// Sets the policy by which other accounts may use the instance.
pub(crate) fn put_policy(
    tx: &mut WriteTx<'_>,
    input: PutAccessGrantsInstanceResourcePolicyInput,
) -> Result<PutAccessGrantsInstanceResourcePolicyOutput, Error> {
    let key = (tx.account().to_owned(), tx.region().to_owned());
    let mut row = find_instance(tx, &key.0)?;
    check(&input.policy, &Granted::Instance.arn(&key.0, &key.1))?;
    let created_millis = tx.now().millis();
    let (policy, organization) = (input.policy, input.organization);
    row.policy = Some(InstancePolicy {
        document: policy.clone(),
        organization: organization.clone(),
        created_millis,
    });
    INSTANCES.put(tx, &key, &row)?;
    Ok(PutAccessGrantsInstanceResourcePolicyOutput {
        policy: Some(policy),
        organization,
        created_at: time(created_millis),
    })
}

/// Refuses what is no policy, and policies on something else than this instance.
fn check(policy: &str, arn: &str) -> Result<(), Error> {
    if policy.len() > MAX_POLICY_BYTES {
        return Err(Error::InvalidResourcePolicy);
    }
    let document =
        Document::parse(policy, Kind::Resource).map_err(|_| Error::InvalidResourcePolicy)?;
    let is_here = |resource: &str| resource == arn;
    let is_ours = |action: &str| action.to_ascii_lowercase().starts_with("s3:");
    let fits = !document.lacks_resources()
        && document.resources().all(is_here)
        && document.actions().all(is_ours);
    if fits { Ok(()) } else { Err(Error::InvalidResourcePolicy) }
}

/// The policy of the instance.
pub(crate) fn policy(
    tx: &ReadTx<'_>,
    _: GetAccessGrantsInstanceResourcePolicyInput,
) -> Result<GetAccessGrantsInstanceResourcePolicyOutput, Error> {
    let row = find_instance(tx, tx.account())?;
    let policy = row.policy.ok_or(Error::AccessGrantsInstanceResourcePolicyNotExists)?;
    Ok(GetAccessGrantsInstanceResourcePolicyOutput {
        policy: Some(policy.document),
        organization: policy.organization,
        created_at: time(policy.created_millis),
    })
}

/// Takes the policy from the instance.
pub(crate) fn delete_policy(
    tx: &mut WriteTx<'_>,
    _: DeleteAccessGrantsInstanceResourcePolicyInput,
) -> Result<DeleteAccessGrantsInstanceResourcePolicyOutput, Error> {
    let key = (tx.account().to_owned(), tx.region().to_owned());
    let row = find_instance(tx, &key.0)?;
    INSTANCES.put(tx, &key, &Instance { policy: None, ..row })?;
    Ok(DeleteAccessGrantsInstanceResourcePolicyOutput {})
}
