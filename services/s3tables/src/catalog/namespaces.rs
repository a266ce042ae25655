//! Namespaces of the catalog.

use fogbank_core::{ReadTx, WriteTx};

use super::{Of, continued, one, refusal, size};
use crate::error::Error;
use crate::model::*;
use crate::namespaces;

fn ours(error: Error) -> Error {
    refusal(error, Of::Namespace)
}

/// Lists namespaces, of which none lies in another.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: IcebergListNamespacesInput,
) -> Result<IcebergListNamespacesOutput, Error> {
    if let Some(parent) = input.parent {
        let found =
            GetNamespaceInput { table_bucket_arn: input.table_bucket_arn, namespace: parent };
        namespaces::get(tx, found).map_err(ours)?;
        return Ok(IcebergListNamespacesOutput {
            namespaces: Some(Vec::new()),
            next_page_token: None,
        });
    }
    let asked = ListNamespacesInput {
        table_bucket_arn: input.table_bucket_arn,
        prefix: None,
        continuation_token: continued(input.page_token),
        max_namespaces: size(input.page_size),
    };
    let page = namespaces::list(tx, asked).map_err(ours)?;
    let names = page.namespaces.unwrap_or_default().into_iter();
    Ok(IcebergListNamespacesOutput {
        namespaces: Some(names.filter_map(|summary| summary.namespace).collect()),
        next_page_token: page.continuation_token,
    })
}

/// Creates a namespace, which has no properties.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: IcebergCreateNamespaceInput,
) -> Result<IcebergCreateNamespaceOutput, Error> {
    if input.properties.is_some_and(|properties| !properties.is_empty()) {
        return Err(ours(Error::bad("Properties of namespaces are not supported.")));
    }
    let name = one(input.namespace).map_err(ours)?;
    let made =
        CreateNamespaceInput { table_bucket_arn: input.table_bucket_arn, namespace: vec![name] };
    let made = namespaces::create(tx, made).map_err(ours)?;
    Ok(IcebergCreateNamespaceOutput {
        namespace: made.namespace,
        properties: Some(Default::default()),
    })
}

/// What a namespace is.
pub(crate) fn load(
    tx: &ReadTx<'_>,
    input: IcebergLoadNamespaceInput,
) -> Result<IcebergLoadNamespaceOutput, Error> {
    let asked =
        GetNamespaceInput { table_bucket_arn: input.table_bucket_arn, namespace: input.namespace };
    let found = namespaces::get(tx, asked).map_err(ours)?;
    Ok(IcebergLoadNamespaceOutput {
        namespace: found.namespace,
        properties: Some(Default::default()),
    })
}

/// Whether there is a namespace.
pub(crate) fn exists(
    tx: &ReadTx<'_>,
    input: IcebergNamespaceExistsInput,
) -> Result<IcebergNamespaceExistsOutput, Error> {
    load(tx, input)?;
    Ok(IcebergNamespaceExistsOutput {})
}

/// Deletes a namespace that is empty.
pub(crate) fn drop(
    tx: &mut WriteTx<'_>,
    input: IcebergDropNamespaceInput,
) -> Result<IcebergDropNamespaceOutput, Error> {
    let asked = DeleteNamespaceInput {
        table_bucket_arn: input.table_bucket_arn,
        namespace: input.namespace,
    };
    namespaces::delete(tx, asked).map_err(ours)?;
    Ok(IcebergDropNamespaceOutput {})
}
