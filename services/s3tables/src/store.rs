//! Rows of table buckets, namespaces and tables, found by what requests name.
//!
//! The rows themselves lie in `fogbank-tablebuckets`, where S3 reads them for its requests.

use fogbank_core::store::Read;
use fogbank_core::{Arn, Tx, WriteTx};
pub(crate) use fogbank_tablebuckets::*;

use crate::error::Error;

/// The account, region and name in the ARN of a table bucket, or of something in it.
pub(crate) fn parse(text: &str) -> Option<(&str, &str, &str, Option<&str>)> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "s3tables")?;
    let rest = arn.resource.strip_prefix("bucket/")?;
    let (name, table) = match rest.split_once("/table/") {
        Some((name, table)) => (name, Some(table)),
        None => (rest, None),
    };
    (!name.is_empty() && !name.contains('/')).then_some((arn.account, arn.region, name, table))
}

/// The key of the table bucket with an ARN.
pub(crate) fn bucket_key(arn: &str) -> Result<BucketKey, Error> {
    match parse(arn) {
        Some((account, region, name, None)) => Ok((account.into(), region.into(), name.into())),
        _ => Err(Error::bad("The specified ARN is not the ARN of a table bucket.")),
    }
}

/// The table bucket with an ARN.
pub(crate) fn bucket(
    tx: &(impl Read + ?Sized),
    arn: &str,
) -> Result<(BucketKey, TableBucket), Error> {
    let key = bucket_key(arn)?;
    let row = BUCKETS.get(tx, &key)?.ok_or_else(Error::no_bucket)?;
    Ok((key, row))
}

/// The table bucket with an ARN, if the caller may change what is in it as far as policies do not decide that.
pub(crate) fn changeable_bucket(
    tx: &(impl Tx + ?Sized),
    arn: &str,
) -> Result<(BucketKey, TableBucket), Error> {
    let (key, row) = bucket(tx, arn)?;
    match row.is_managed && !is_service(&tx.request().principal, METADATA_SERVICE) {
        true => Err(Error::managed()),
        false => Ok((key, row)),
    }
}

/// The key of a namespace of a table bucket.
pub(crate) fn namespace_key((account, region, bucket): &BucketKey, name: &str) -> NamespaceKey {
    (account.clone(), region.clone(), bucket.clone(), name.to_owned())
}

/// A namespace of a table bucket.
pub(crate) fn namespace(
    tx: &(impl Read + ?Sized),
    bucket: &BucketKey,
    name: &str,
) -> Result<Namespace, Error> {
    NAMESPACES.get(tx, &namespace_key(bucket, name))?.ok_or_else(Error::no_namespace)
}

/// The key of a table of a table bucket.
pub(crate) fn table_key(
    (account, region, bucket): &BucketKey,
    namespace: &str,
    name: &str,
) -> TableKey {
    (account.clone(), region.clone(), bucket.clone(), namespace.to_owned(), name.to_owned())
}

/// A table, by the ARN of its bucket, its namespace and its name.
pub(crate) fn table(
    tx: &(impl Read + ?Sized),
    (arn, namespace_name, name): (&str, &str, &str),
) -> Result<(TableKey, Table), Error> {
    let (bucket, _) = bucket(tx, arn)?;
    namespace(tx, &bucket, namespace_name)?;
    let key = table_key(&bucket, namespace_name, name);
    let row = TABLES.get(tx, &key)?.ok_or_else(Error::no_table)?;
    Ok((key, row))
}

/// The table with an ARN.
pub(crate) fn table_with_arn(
    tx: &(impl Read + ?Sized),
    arn: &str,
) -> Result<(TableKey, Table), Error> {
    let Some((account, region, bucket, Some(id))) = parse(arn) else {
        return Err(Error::bad("The specified ARN is not the ARN of a table."));
    };
    let Named { namespace, name } =
        NAMES.get(tx, &(account, region, bucket, id))?.ok_or_else(Error::no_table)?;
    let key = (account.to_owned(), region.to_owned(), bucket.to_owned(), namespace, name);
    let row = TABLES.get(tx, &key)?.ok_or_else(Error::no_table)?;
    Ok((key, row))
}

/// Refuses to change a table that a service of AWS manages to everybody else.
pub(crate) fn check_changeable(tx: &(impl Tx + ?Sized), table: &Table) -> Result<(), Error> {
    match &table.managed_by {
        Some(service) if !is_service(&tx.request().principal, service) => Err(Error::managed()),
        _ => Ok(()),
    }
}

/// The ARN of a table.
pub(crate) fn arn_of((account, region, bucket, ..): &TableKey, table: &Table) -> String {
    table_arn((account, region, bucket), &table.id)
}

/// The ARN of a table bucket.
pub(crate) fn bucket_arn((account, region, name): &BucketKey) -> String {
    arn((account, region, name))
}

/// A new version token.
pub(crate) fn version_token(tx: &(impl Tx + ?Sized)) -> String {
    tx.ids().hex(20)
}

/// Removes a table and lets its files go.
pub(crate) fn remove_table(
    tx: &mut WriteTx<'_>,
    key: &TableKey,
    row: &Table,
) -> Result<(), fogbank_core::store::Error> {
    let (account, region, bucket, ..) = key;
    NAMES.delete(tx, &(&**account, &**region, &**bucket, &*row.id))?;
    TABLES.delete(tx, key)?;
    remove_warehouse(tx, &row.warehouse)
}
