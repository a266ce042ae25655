//! Tables of the catalog.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Fault, ReadTx, WriteTx, tracing};
use fogbank_iceberg::{Requirement, Table as Iceberg, Update};
use serde_json::Value;

use super::{Of, continued, one, refusal, refused, size};
use crate::error::Error;
use crate::metadata;
use crate::model::*;
use crate::store::{self, Table, TableKey};
use crate::tables;

fn ours(error: Error) -> Error {
    refusal(error, Of::Table)
}

fn json(table: &Iceberg) -> Result<Value, Error> {
    serde_json::to_value(table).map_err(|error| Fault::internal(error).into())
}

/// Lists the tables of a namespace.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: IcebergListTablesInput,
) -> Result<IcebergListTablesOutput, Error> {
    let asked = ListTablesInput {
        table_bucket_arn: input.table_bucket_arn,
        namespace: Some(input.namespace),
        prefix: None,
        continuation_token: continued(input.page_token),
        max_tables: size(input.page_size),
    };
    let page = tables::list(tx, asked).map_err(|error| refusal(error, Of::Namespace))?;
    let identifier = |table: TableSummary| {
        Some(IcebergIdentifier { namespace: table.namespace?, name: table.name? })
    };
    let identifiers = page.tables.unwrap_or_default().into_iter().filter_map(identifier);
    Ok(IcebergListTablesOutput {
        identifiers: Some(identifiers.collect()),
        next_page_token: page.continuation_token,
    })
}

/// Creates a table with its first metadata.
pub(crate) async fn create(
    cx: &Cx,
    input: IcebergCreateTableInput,
) -> Result<IcebergCreateTableOutput, Error> {
    create_with(cx, input).await.map_err(ours)
}

async fn create_with(
    cx: &Cx,
    input: IcebergCreateTableInput,
) -> Result<IcebergCreateTableOutput, Error> {
    if input.stage_create == Some(true) {
        return Err(Error::bad("The stage-create option is not supported."));
    }
    if input.location.is_some() {
        return Err(Error::bad("The location of a table cannot be chosen."));
    }
    let new = metadata::asked(
        input.schema,
        input.partition_spec,
        input.write_order,
        input.properties.unwrap_or_default(),
    )?;
    let asked = CreateTableInput {
        table_bucket_arn: input.table_bucket_arn,
        namespace: input.namespace,
        name: input.name,
        format: OpenTableFormat::Iceberg,
        ..CreateTableInput::default()
    };
    let (_, row) = tables::with_metadata(cx, &asked, &new).await?;
    let location = row.metadata_location.clone().unwrap_or_default();
    let table = metadata::read(cx, &row, &location).await?;
    Ok(IcebergCreateTableOutput {
        metadata_location: Some(location),
        metadata: Some(json(&table)?),
        config: Some(BTreeMap::new()),
    })
}

/// A table with its metadata.
async fn find(
    cx: &Cx,
    (bucket, namespace, name): (&str, &str, &str),
) -> Result<(TableKey, Table, Iceberg), Error> {
    let (key, row) = cx.read(|tx| store::table(tx, (bucket, namespace, name)))?;
    // S3 Tables makes tables without metadata, which no client of Iceberg can read: AWS answers so, say its users.
    let location = row.metadata_location.as_deref().ok_or_else(Error::bad_location)?;
    let table = metadata::read(cx, &row, location).await?;
    Ok((key, row, table))
}

/// What a table is.
pub(crate) async fn load(
    cx: &Cx,
    input: IcebergLoadTableInput,
) -> Result<IcebergLoadTableOutput, Error> {
    let named = (&*input.table_bucket_arn, &*input.namespace, &*input.name);
    let (_, row, mut table) = find(cx, named).await.map_err(ours)?;
    if input.snapshots.as_deref() == Some("refs") {
        let meant: Vec<i64> = table.refs.values().map(|reference| reference.snapshot_id).collect();
        table.snapshots.retain(|snapshot| meant.contains(&snapshot.snapshot_id));
    }
    Ok(IcebergLoadTableOutput {
        metadata_location: row.metadata_location,
        metadata: Some(json(&table)?),
        config: Some(BTreeMap::new()),
    })
}

/// Whether there is a table.
pub(crate) fn exists(
    tx: &ReadTx<'_>,
    input: IcebergTableExistsInput,
) -> Result<IcebergTableExistsOutput, Error> {
    store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name)).map_err(ours)?;
    Ok(IcebergTableExistsOutput {})
}

/// Changes a table, if what the client requires of it still holds when the change is written.
pub(crate) async fn commit(
    cx: &Cx,
    input: IcebergCommitTableInput,
) -> Result<IcebergCommitTableOutput, Error> {
    commit_to(cx, input).await.map_err(|error| match error {
        Error::ConflictException(text) => refused("CommitFailedException", 409, text),
        other => ours(other),
    })
}

async fn commit_to(
    cx: &Cx,
    input: IcebergCommitTableInput,
) -> Result<IcebergCommitTableOutput, Error> {
    let named = (&*input.table_bucket_arn, &*input.namespace, &*input.name);
    let (key, row, table) = find(cx, named).await?;
    cx.read(|tx| store::check_changeable(tx, &row))?;
    for requirement in input.requirements {
        let requirement = Requirement::from_json(requirement).map_err(metadata::refusal)?;
        requirement.check(Some(&table)).map_err(metadata::refusal)?;
    }
    let updates = input.updates.into_iter().map(Update::from_json);
    let updates = updates.collect::<Result<Vec<_>, _>>().map_err(metadata::refusal)?;
    let now = cx.now().millis();
    let updated =
        Iceberg::updated(Some(&table), updates, &row.id, now).map_err(metadata::refusal)?;
    if updated.location != table.location || updated.table_uuid != table.table_uuid {
        return Err(Error::bad("The location and the UUID of a table cannot be changed."));
    }
    let change = updated.write(&cx.ids().uuid());
    let (location, updated) = metadata::write(cx, &row, change).await?;
    let asked = UpdateTableMetadataLocationInput {
        table_bucket_arn: input.table_bucket_arn,
        namespace: input.namespace,
        name: input.name,
        version_token: row.version_token.clone(),
        metadata_location: location.clone(),
    };
    let outcome = cx.write(|tx| tables::relocate(tx, &asked)).await;
    if let Err(Error::ConflictException(_)) = &outcome {
        let arn = store::arn_of(&key, &row);
        forget(&cx.located(&key.0, &key.1), &arn, &row, &location).await;
    }
    outcome?;
    Ok(IcebergCommitTableOutput {
        metadata_location: Some(location),
        metadata: Some(json(&updated)?),
    })
}

/// Removes metadata that lost a race. What is left of it, if that fails or the process is killed before, goes with the files
/// that no snapshot names.
async fn forget(cx: &Cx, arn: &str, row: &Table, location: &str) {
    let Some(key) = metadata::key_of(location, &row.warehouse) else { return };
    if let Err(error) = metadata::remove(cx, arn, row, &[key]).await {
        tracing::info!(?error, location, "metadata that lost a race stays for a while");
    }
}

/// Deletes a table with its files; AWS's catalog does not delete one and keep its files.
pub(crate) fn drop(
    tx: &mut WriteTx<'_>,
    input: IcebergDropTableInput,
) -> Result<IcebergDropTableOutput, Error> {
    if input.purge_requested != Some(true) {
        return Err(ours(Error::bad("Tables can be dropped with purgeRequested=true only.")));
    }
    let asked = DeleteTableInput {
        table_bucket_arn: input.table_bucket_arn,
        namespace: input.namespace,
        name: input.name,
        version_token: None,
    };
    tables::delete(tx, asked).map_err(ours)?;
    Ok(IcebergDropTableOutput {})
}

/// Gives a table another name, or puts it into another namespace.
pub(crate) fn rename(
    tx: &mut WriteTx<'_>,
    input: IcebergRenameTableInput,
) -> Result<IcebergRenameTableOutput, Error> {
    let asked = RenameTableInput {
        table_bucket_arn: input.table_bucket_arn,
        namespace: one(input.source.namespace).map_err(ours)?,
        name: input.source.name,
        new_namespace_name: Some(one(input.destination.namespace).map_err(ours)?),
        new_name: Some(input.destination.name),
        version_token: None,
    };
    tables::rename(tx, asked).map_err(ours)?;
    Ok(IcebergRenameTableOutput {})
}
