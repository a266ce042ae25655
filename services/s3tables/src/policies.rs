//! Policies of table buckets and tables. A call on a table may be allowed or denied by either.

use std::sync::Arc;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Check, Fault, ParsedPolicies, ReadTx, ResourcePolicy, Tx, WriteTx};
use serde_json::json;

use crate::error::Error;
use crate::model::*;
use crate::store::{
    self, BUCKETS, MAINTENANCE_SERVICE, MANAGED_BUCKET, METADATA_SERVICE, NAMES, TABLES, is_service,
};

/// How many policies are kept parsed.
const MAX_PARSED: usize = 1024;

/// Policies of table buckets and tables as parsed documents.
struct Parsed(ParsedPolicies);

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(MAX_PARSED))).0.get(text)
}

/// What lets the service in that fills the bucket of services of AWS.
fn for_services() -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": METADATA_SERVICE },
            "Action": "s3tables:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

/// What lets the service in that maintains tables.
fn for_maintenance() -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": MAINTENANCE_SERVICE },
            "Action": ["s3tables:GetTableData", "s3tables:PutTableData"],
            "Resource": "*",
        }],
    })
    .to_string()
}

/// The owner and the policies of the table bucket or table that an ARN names.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Option<ResourcePolicy>, Fault> {
    let Some((account, region, name, table)) = store::parse(&check.resource) else {
        return Ok(None);
    };
    let bucket = BUCKETS.get(tx, &(account, region, name))?;
    let of_bucket = bucket.and_then(|bucket| bucket.policy);
    let mut of_table = None;
    if let Some(id) = table
        && let Some(named) = NAMES.get(tx, &(account, region, name, id))?
    {
        let key = (account, region, name, &*named.namespace, &*named.name);
        of_table = TABLES.get(tx, &key)?.and_then(|table| table.policy);
    }
    let main = of_table.as_ref().or(of_bucket.as_ref());
    let document = main.map(|text| parsed(tx, text)).transpose()?;
    let mut policy = ResourcePolicy::new(account, document);
    if let (Some(_), Some(text)) = (&of_table, &of_bucket) {
        policy = policy.with_grant("the table bucket's policy", parsed(tx, text)?);
    }
    if is_service(&tx.request().principal, MAINTENANCE_SERVICE) {
        policy = policy.with_grant("AWS services", parsed(tx, &for_maintenance())?);
    }
    if name == MANAGED_BUCKET {
        policy = policy.with_grant("AWS services", parsed(tx, &for_services())?);
    }
    Ok(Some(policy))
}

/// Refuses what is no policy, and policies on what is not this resource or in it.
fn check(arn: &str, policy: &str) -> Result<(), Error> {
    let document =
        Document::parse(policy, Kind::Resource).map_err(|fault| Error::bad(fault.to_string()))?;
    if document.lacks_resources() {
        return Err(Error::bad("Missing required field Resource"));
    }
    let is_here = |resource: &str| {
        resource
            .strip_prefix(arn)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*', '?']))
    };
    if !document.resources().all(is_here) {
        return Err(Error::bad("Policy has invalid resource"));
    }
    let is_ours =
        |action: &str| action == "*" || action.to_ascii_lowercase().starts_with("s3tables:");
    match document.actions().all(is_ours) {
        true => Ok(()),
        false => Err(Error::bad("Policy has invalid action")),
    }
}

/// Sets the policy of a table bucket.
pub(crate) fn put_bucket(
    tx: &mut WriteTx<'_>,
    input: PutTableBucketPolicyInput,
) -> Result<PutTableBucketPolicyOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    check(&input.table_bucket_arn, &input.resource_policy)?;
    row.policy = Some(input.resource_policy);
    BUCKETS.put(tx, &key, &row)?;
    Ok(PutTableBucketPolicyOutput {})
}

/// The policy of a table bucket, as it was given.
pub(crate) fn get_bucket(
    tx: &ReadTx<'_>,
    input: GetTableBucketPolicyInput,
) -> Result<GetTableBucketPolicyOutput, Error> {
    let (_, row) = store::bucket(tx, &input.table_bucket_arn)?;
    let policy = row.policy.ok_or_else(|| Error::no_such("bucket policy"))?;
    Ok(GetTableBucketPolicyOutput { resource_policy: Some(policy) })
}

/// Removes the policy of a table bucket.
pub(crate) fn delete_bucket(
    tx: &mut WriteTx<'_>,
    input: DeleteTableBucketPolicyInput,
) -> Result<DeleteTableBucketPolicyOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    row.policy = None;
    BUCKETS.put(tx, &key, &row)?;
    Ok(DeleteTableBucketPolicyOutput {})
}

/// Sets the policy of a table.
pub(crate) fn put_table(
    tx: &mut WriteTx<'_>,
    input: PutTablePolicyInput,
) -> Result<PutTablePolicyOutput, Error> {
    let (key, mut row) =
        store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    check(&store::arn_of(&key, &row), &input.resource_policy)?;
    row.policy = Some(input.resource_policy);
    TABLES.put(tx, &key, &row)?;
    Ok(PutTablePolicyOutput {})
}

/// The policy of a table, as it was given.
pub(crate) fn get_table(
    tx: &ReadTx<'_>,
    input: GetTablePolicyInput,
) -> Result<GetTablePolicyOutput, Error> {
    let (_, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    let policy = row.policy.ok_or_else(|| Error::no_such("table policy"))?;
    Ok(GetTablePolicyOutput { resource_policy: Some(policy) })
}

/// Removes the policy of a table.
pub(crate) fn delete_table(
    tx: &mut WriteTx<'_>,
    input: DeleteTablePolicyInput,
) -> Result<DeleteTablePolicyOutput, Error> {
    let (key, mut row) =
        store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    row.policy = None;
    TABLES.put(tx, &key, &row)?;
    Ok(DeleteTablePolicyOutput {})
}
