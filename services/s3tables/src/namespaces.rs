//! Namespaces: create, find, list and delete them.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx, page};

use crate::buckets;
use crate::error::Error;
use crate::model::*;
use crate::rules;
use crate::store::{self, METADATA_SERVICE, NAMESPACES, Namespace, TABLES, is_service};

/// The namespace of journals of S3 Metadata's first version.
const S3_METADATA: &str = "aws_s3_metadata";

/// Creates a namespace, which has one level.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateNamespaceInput,
) -> Result<CreateNamespaceOutput, Error> {
    let (bucket, _) = store::changeable_bucket(tx, &input.table_bucket_arn)?;
    let name = input.namespace.first().cloned().unwrap_or_default();
    let request = tx.request();
    // S3 makes it for journals of the first version, as the caller.
    let is_s3s = name == S3_METADATA && request.via.iter().any(|via| via == "s3.amazonaws.com");
    let is_valid = match is_service(&request.principal, METADATA_SERVICE) {
        true => rules::is_managed_namespace_name(&name),
        false => is_s3s || rules::is_namespace_name(&name),
    };
    if !is_valid {
        return Err(Error::bad("The specified namespace name is not valid."));
    }
    let key = store::namespace_key(&bucket, &name);
    if NAMESPACES.contains(tx, &key)? {
        let message = "A namespace with an identical name already exists in the bucket.";
        return Err(Error::conflict(message));
    }
    let row = Namespace {
        id: tx.ids().uuid(),
        created_millis: tx.now().millis(),
        created_by: creator(tx),
    };
    NAMESPACES.put(tx, &key, &row)?;
    Ok(CreateNamespaceOutput {
        table_bucket_arn: Some(store::bucket_arn(&bucket)),
        namespace: Some(vec![name]),
    })
}

/// The account of the caller; that of the resource for services.
pub(crate) fn creator(tx: &(impl Tx + ?Sized)) -> String {
    let account = &tx.request().principal.account;
    if account.is_empty() { tx.account().to_owned() } else { account.clone() }
}

/// What a namespace is.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetNamespaceInput) -> Result<GetNamespaceOutput, Error> {
    let (key, bucket) = store::bucket(tx, &input.table_bucket_arn)?;
    let row = store::namespace(tx, &key, &input.namespace)?;
    Ok(GetNamespaceOutput {
        namespace: Some(vec![input.namespace]),
        created_at: Some(Timestamp::from_millis(row.created_millis)),
        created_by: Some(row.created_by),
        owner_account_id: Some(key.0),
        namespace_id: Some(row.id),
        table_bucket_id: Some(bucket.id),
    })
}

/// Lists the namespaces of a table bucket by name.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListNamespacesInput,
) -> Result<ListNamespacesOutput, Error> {
    let (bucket, row) = store::bucket(tx, &input.table_bucket_arn)?;
    let limit = buckets::limit(input.max_namespaces);
    let prefix = input.prefix.unwrap_or_default();
    let after = input.continuation_token.as_deref().map(buckets::last).transpose()?;
    let mut rows = NAMESPACES.range(&(&*bucket.0, &*bucket.1, &*bucket.2));
    if let Some(after) = &after {
        rows = rows.after(&store::namespace_key(&bucket, after));
    }
    let mut namespaces: Vec<NamespaceSummary> = Vec::new();
    let mut next = None;
    rows.visit(tx, |key, namespace| {
        if !key.3.starts_with(&prefix) {
            return ControlFlow::Continue(());
        }
        if namespaces.len() == limit {
            let last = namespaces.last().and_then(|last| last.namespace.as_ref()?.first());
            next = last.map(|last| page::text_token(last));
            return ControlFlow::Break(());
        }
        namespaces.push(NamespaceSummary {
            namespace: Some(vec![key.3]),
            created_at: Some(Timestamp::from_millis(namespace.created_millis)),
            created_by: Some(namespace.created_by),
            owner_account_id: Some(key.0),
            namespace_id: Some(namespace.id),
            table_bucket_id: Some(row.id.clone()),
        });
        ControlFlow::Continue(())
    })?;
    Ok(ListNamespacesOutput { namespaces: Some(namespaces), continuation_token: next })
}

/// Deletes a namespace that is empty.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteNamespaceInput,
) -> Result<DeleteNamespaceOutput, Error> {
    let (bucket, _) = store::bucket(tx, &input.table_bucket_arn)?;
    let key = store::namespace_key(&bucket, &input.namespace);
    store::namespace(tx, &bucket, &input.namespace)?;
    if TABLES.range(&(&*key.0, &*key.1, &*key.2, &*key.3)).limit(1).count(tx)? > 0 {
        return Err(Error::conflict("The namespace that you tried to delete is not empty."));
    }
    NAMESPACES.delete(tx, &key)?;
    Ok(DeleteNamespaceOutput {})
}
