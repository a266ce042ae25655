//! Table buckets: create, find, list and delete them.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx, page};

use crate::encryption;
use crate::error::Error;
use crate::model::*;
use crate::rules;
use crate::settings;
use crate::store::{
    self, BUCKETS, BucketKey, MANAGED_BUCKET, METADATA_SERVICE, NAMESPACES, TableBucket, is_service,
};
use crate::tags;

/// The most entries that one answer lists.
pub(crate) const MAX_LISTED: usize = 1000;

/// Creates a table bucket of the caller's account; the one that services of AWS fill is created by them.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateTableBucketInput,
) -> Result<CreateTableBucketOutput, Error> {
    let name = input.name;
    let is_managed = is_service(&tx.request().principal, METADATA_SERVICE);
    let is_fit = if is_managed { name == MANAGED_BUCKET } else { rules::is_bucket_name(&name) };
    if !is_fit {
        return Err(Error::bad("The specified bucket name is not valid."));
    }
    let key = (tx.account().to_owned(), tx.region().to_owned(), name);
    if BUCKETS.contains(tx, &key)? {
        let message = "The bucket that you tried to create already exists, and you own it.";
        return Err(Error::conflict(message));
    }
    let row = TableBucket {
        id: tx.ids().uuid(),
        created_millis: tx.now().millis(),
        is_managed,
        encryption: input.encryption_configuration.map(encryption::read).transpose()?,
        storage_class: input.storage_class_configuration.map(settings::class),
        tags: tags::read(Vec::new(), input.tags.unwrap_or_default())?,
        ..TableBucket::default()
    };
    BUCKETS.put(tx, &key, &row)?;
    Ok(CreateTableBucketOutput { arn: Some(store::bucket_arn(&key)) })
}

/// What a table bucket is.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetTableBucketInput,
) -> Result<GetTableBucketOutput, Error> {
    let (key, row) = store::bucket(tx, &input.table_bucket_arn)?;
    Ok(GetTableBucketOutput {
        arn: Some(store::bucket_arn(&key)),
        created_at: Some(Timestamp::from_millis(row.created_millis)),
        r#type: Some(kind(&row)),
        table_bucket_id: Some(row.id),
        owner_account_id: Some(key.0),
        name: Some(key.2),
    })
}

fn kind(row: &TableBucket) -> TableBucketType {
    if row.is_managed { TableBucketType::Aws } else { TableBucketType::Customer }
}

/// Lists the caller's table buckets in the region by name.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTableBucketsInput,
) -> Result<ListTableBucketsOutput, Error> {
    let limit = limit(input.max_buckets);
    let prefix = input.prefix.unwrap_or_default();
    let after = input.continuation_token.as_deref().map(last).transpose()?;
    let (account, region) = (tx.account(), tx.region());
    let mut rows = BUCKETS.range(&(account, region));
    if let Some(after) = &after {
        rows = rows.after(&(account, region, &**after));
    }
    let mut buckets: Vec<TableBucketSummary> = Vec::new();
    let mut next = None;
    rows.visit(tx, |key, row| {
        let is_meant = input.r#type.as_ref().is_none_or(|wanted| *wanted == kind(&row));
        if !is_meant || !key.2.starts_with(&prefix) {
            return ControlFlow::Continue(());
        }
        if buckets.len() == limit {
            next = buckets.last().and_then(|last| last.name.as_deref()).map(page::text_token);
            return ControlFlow::Break(());
        }
        buckets.push(summary(&key, row));
        ControlFlow::Continue(())
    })?;
    Ok(ListTableBucketsOutput { table_buckets: Some(buckets), continuation_token: next })
}

fn summary(key: &BucketKey, row: TableBucket) -> TableBucketSummary {
    TableBucketSummary {
        arn: Some(store::bucket_arn(key)),
        name: Some(key.2.clone()),
        owner_account_id: Some(key.0.clone()),
        created_at: Some(Timestamp::from_millis(row.created_millis)),
        r#type: Some(kind(&row)),
        table_bucket_id: Some(row.id),
    }
}

/// How many entries a page has at most.
pub(crate) fn limit(asked: Option<i32>) -> usize {
    asked.and_then(|count| usize::try_from(count).ok()).unwrap_or(MAX_LISTED).min(MAX_LISTED)
}

/// What stood last on the page before.
pub(crate) fn last(token: &str) -> Result<String, Error> {
    page::parse_text(token).ok_or_else(Error::bad_token)
}

/// Deletes a table bucket that is empty.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteTableBucketInput,
) -> Result<DeleteTableBucketOutput, Error> {
    let (key, _) = store::bucket(tx, &input.table_bucket_arn)?;
    if NAMESPACES.range(&(&*key.0, &*key.1, &*key.2)).limit(1).count(tx)? > 0 {
        return Err(Error::conflict("The bucket that you tried to delete is not empty."));
    }
    BUCKETS.delete(tx, &key)?;
    Ok(DeleteTableBucketOutput {})
}
