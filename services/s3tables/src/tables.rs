//! Tables: create, find, list, rename and delete them.

use std::ops::ControlFlow;

use fogbank_core::{Cx, ReadTx, Timestamp, Tx, WriteTx, page};
use fogbank_iceberg::New;

use crate::buckets;
use crate::encryption;
use crate::error::Error;
use crate::metadata;
use crate::model::*;
use crate::namespaces::creator;
use crate::rules;
use crate::settings;
use crate::store::{
    self, METADATA_SERVICE, NAMES, Named, PENDING, TABLES, Table, TableBucket, TableKey,
    WAREHOUSES, Warehouse, is_service,
};
use crate::tags;

/// Creates a table. Where its schema is given, its first metadata is written before anybody sees it.
pub(crate) async fn create(cx: &Cx, input: CreateTableInput) -> Result<CreateTableOutput, Error> {
    let first = match &input.metadata {
        Some(TableMetadata::Iceberg(given)) => Some(metadata::given(given)?),
        _ => None,
    };
    let (arn, row) = match first {
        None => cx.write(|tx| create_at_once(tx, &input)).await?,
        Some(first) => with_metadata(cx, &input, &first).await?,
    };
    Ok(CreateTableOutput { table_arn: Some(arn), version_token: Some(row.version_token) })
}

fn create_at_once(
    tx: &mut WriteTx<'_>,
    input: &CreateTableInput,
) -> Result<(String, Table), Error> {
    let (key, row) = prepare(tx, input)?;
    add(tx, &key, &row)?;
    Ok((store::arn_of(&key, &row), row))
}

/// Makes the warehouse, writes the metadata into it, and then the table. Whoever is stopped in between leaves a warehouse
/// that a task removes.
pub(crate) async fn with_metadata(
    cx: &Cx,
    input: &CreateTableInput,
    first: &New,
) -> Result<(String, Table), Error> {
    let (key, mut row) = cx
        .write(|tx| {
            let (key, row) = prepare(tx, input)?;
            PENDING.put(tx, &row.warehouse, &u64::try_from(row.created_millis).unwrap_or(0))?;
            Ok::<_, Error>((key, row))
        })
        .await?;
    let written = metadata::write_first(cx, &row, first).await;
    let location = match written {
        Ok(location) => location,
        Err(error) => {
            cx.write(|tx| store::remove_warehouse(tx, &row.warehouse)).await?;
            return Err(error);
        }
    };
    row.metadata_location = Some(location);
    let outcome = cx.write(|tx| complete(tx, input, &key, &row)).await;
    if outcome.is_err() {
        cx.write(|tx| store::remove_warehouse(tx, &row.warehouse)).await?;
    }
    outcome?;
    Ok((store::arn_of(&key, &row), row))
}

fn complete(
    tx: &mut WriteTx<'_>,
    input: &CreateTableInput,
    key: &TableKey,
    row: &Table,
) -> Result<(), Error> {
    check_free(tx, input)?;
    if !PENDING.contains(tx, &*row.warehouse)? {
        // It took so long that the warehouse was given up.
        return Err(Error::conflict("The table was not created in time. Try again."));
    }
    PENDING.delete(tx, &*row.warehouse)?;
    add(tx, key, row)
}

fn add(tx: &mut WriteTx<'_>, key: &TableKey, row: &Table) -> Result<(), Error> {
    let (account, region, bucket, namespace, name) = key;
    let named = Named { namespace: namespace.clone(), name: name.clone() };
    NAMES.put(tx, &(&**account, &**region, &**bucket, &*row.id), &named)?;
    Ok(TABLES.put(tx, key, row)?)
}

/// Refuses a table where its name is taken, or where none may be.
fn check_free(
    tx: &WriteTx<'_>,
    input: &CreateTableInput,
) -> Result<(store::BucketKey, TableBucket), Error> {
    let (bucket, settings) = store::changeable_bucket(tx, &input.table_bucket_arn)?;
    store::namespace(tx, &bucket, &input.namespace)?;
    if !rules::is_name(&input.name) {
        return Err(Error::bad("The specified table name is not valid."));
    }
    if TABLES.contains(tx, &store::table_key(&bucket, &input.namespace, &input.name))? {
        return Err(Error::conflict(
            "A table with an identical name already exists in the namespace.",
        ));
    }
    Ok((bucket, settings))
}

/// A new table with its warehouse, whose row is written here; the table's is not.
fn prepare(tx: &mut WriteTx<'_>, input: &CreateTableInput) -> Result<(TableKey, Table), Error> {
    let (bucket, defaults) = check_free(tx, input)?;
    let encryption = match input.encryption_configuration.clone() {
        Some(given) => encryption::read(given)?,
        None => defaults.encryption.unwrap_or_default(),
    };
    let storage_class = match input.storage_class_configuration.clone() {
        Some(given) => settings::class(given),
        None => defaults.storage_class.unwrap_or_else(settings::standard),
    };
    let is_managed = is_service(&tx.request().principal, METADATA_SERVICE);
    let (id, now, by) = (tx.ids().uuid(), tx.now().millis(), creator(tx));
    let row = Table {
        warehouse: warehouse_name(tx, &id),
        created_millis: now,
        created_by: by.clone(),
        modified_millis: now,
        modified_by: by,
        version_token: store::version_token(tx),
        managed_by: is_managed.then(|| METADATA_SERVICE.to_owned()),
        encryption,
        storage_class,
        tags: tags::read(Vec::new(), input.tags.clone().unwrap_or_default())?,
        id,
        ..Table::default()
    };
    let warehouse = Warehouse {
        number: tx.version(),
        account: bucket.0.clone(),
        region: bucket.1.clone(),
        bucket: bucket.2.clone(),
        table: row.id.clone(),
        created_millis: now,
        kms_key: row.encryption.kms_key.clone(),
        managed_by: row.managed_by.clone(),
    };
    WAREHOUSES.put(tx, &row.warehouse, &warehouse)?;
    Ok((store::table_key(&bucket, &input.namespace, &input.name), row))
}

/// The name of a warehouse: 63 characters, as on AWS, which begin like the table's id.
fn warehouse_name(tx: &(impl Tx + ?Sized), id: &str) -> String {
    let start = id.get(..19).unwrap_or(id);
    format!("{start}{}{}", tx.ids().lower(34), store::WAREHOUSE_END)
}

/// What a table is.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetTableInput) -> Result<GetTableOutput, Error> {
    let named = (&input.table_bucket_arn, &input.namespace, &input.name);
    let (key, row) = match (named, &input.table_arn) {
        ((None, None, None), Some(arn)) => store::table_with_arn(tx, arn)?,
        ((Some(bucket), Some(namespace), Some(name)), None) => {
            store::table(tx, (bucket, namespace, name))?
        }
        _ => {
            return Err(Error::bad(
                "Specify either the table ARN, or the table bucket ARN, namespace and name.",
            ));
        }
    };
    let bucket = (key.0.clone(), key.1.clone(), key.2.clone());
    let namespace = store::namespace(tx, &bucket, &key.3)?;
    let bucket = store::BUCKETS.get(tx, &bucket)?.ok_or_else(Error::no_bucket)?;
    Ok(GetTableOutput {
        table_arn: Some(store::arn_of(&key, &row)),
        r#type: Some(kind(&row)),
        name: Some(key.4),
        namespace: Some(vec![key.3]),
        namespace_id: Some(namespace.id),
        version_token: Some(row.version_token),
        metadata_location: row.metadata_location,
        warehouse_location: Some(format!("s3://{}", row.warehouse)),
        created_at: Some(Timestamp::from_millis(row.created_millis)),
        created_by: Some(row.created_by),
        managed_by_service: row.managed_by,
        modified_at: Some(Timestamp::from_millis(row.modified_millis)),
        modified_by: Some(row.modified_by),
        owner_account_id: Some(key.0),
        format: Some(OpenTableFormat::Iceberg),
        table_bucket_id: Some(bucket.id),
        managed_table_information: None,
    })
}

fn kind(row: &Table) -> String {
    if row.managed_by.is_some() { "aws" } else { "customer" }.to_owned()
}

/// Lists the tables of a table bucket, or of one of its namespaces, by namespace and name.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListTablesInput) -> Result<ListTablesOutput, Error> {
    let (bucket, settings) = store::bucket(tx, &input.table_bucket_arn)?;
    if let Some(name) = &input.namespace {
        store::namespace(tx, &bucket, name)?;
    }
    let limit = buckets::limit(input.max_tables);
    let prefix = input.prefix.unwrap_or_default();
    let (account, region, name) = (&*bucket.0, &*bucket.1, &*bucket.2);
    let mut rows = match &input.namespace {
        Some(namespace) => TABLES.range(&(account, region, name, &**namespace)),
        None => TABLES.range(&(account, region, name)),
    };
    if let Some(token) = input.continuation_token.as_deref() {
        let token = buckets::last(token)?;
        let (namespace, table) = token.split_once('/').ok_or_else(Error::bad_token)?;
        rows = rows.after(&store::table_key(&bucket, namespace, table));
    }
    let mut tables: Vec<TableSummary> = Vec::new();
    let mut next = None;
    let mut last: Option<String> = None;
    let mut known: Option<(String, Option<String>)> = None;
    rows.try_visit::<Error>(tx, |key, row| {
        if !key.4.starts_with(&prefix) {
            return Ok(ControlFlow::Continue(()));
        }
        if tables.len() == limit {
            next = last.as_deref().map(page::text_token);
            return Ok(ControlFlow::Break(()));
        }
        last = Some(format!("{}/{}", key.3, key.4));
        if known.as_ref().is_none_or(|(name, _)| *name != key.3) {
            let id = store::NAMESPACES.get(tx, &store::namespace_key(&bucket, &key.3))?;
            known = Some((key.3.clone(), id.map(|namespace| namespace.id)));
        }
        tables.push(TableSummary {
            table_arn: Some(store::arn_of(&key, &row)),
            r#type: Some(kind(&row)),
            namespace: Some(vec![key.3]),
            name: Some(key.4),
            created_at: Some(Timestamp::from_millis(row.created_millis)),
            modified_at: Some(Timestamp::from_millis(row.modified_millis)),
            managed_by_service: row.managed_by,
            namespace_id: known.as_ref().and_then(|(_, id)| id.clone()),
            table_bucket_id: Some(settings.id.clone()),
        });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ListTablesOutput { tables: Some(tables), continuation_token: next })
}

/// Refuses a change of a table that was changed meanwhile.
fn check_token(given: Option<&str>, row: &Table) -> Result<(), Error> {
    match given {
        Some(token) if token != row.version_token => {
            Err(Error::conflict("Provided version token does not match the table version token."))
        }
        _ => Ok(()),
    }
}

/// Notes that a table was changed.
pub(crate) fn touch(tx: &(impl Tx + ?Sized), row: &mut Table) {
    row.version_token = store::version_token(tx);
    row.modified_millis = tx.now().millis();
    row.modified_by = creator(tx);
}

/// Deletes a table; its files go in the background. Even a table of a service of AWS may be deleted by its owner.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteTableInput,
) -> Result<DeleteTableOutput, Error> {
    let (key, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    check_token(input.version_token.as_deref(), &row)?;
    store::remove_table(tx, &key, &row)?;
    Ok(DeleteTableOutput {})
}

/// Gives a table another name, or puts it into another namespace.
pub(crate) fn rename(
    tx: &mut WriteTx<'_>,
    input: RenameTableInput,
) -> Result<RenameTableOutput, Error> {
    let (key, mut row) =
        store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    store::check_changeable(tx, &row)?;
    check_token(input.version_token.as_deref(), &row)?;
    if input.new_name.is_none() && input.new_namespace_name.is_none() {
        return Err(Error::bad("Specify a new name or a new namespace for the table."));
    }
    let (bucket, _) = store::bucket(tx, &input.table_bucket_arn)?;
    let namespace = input.new_namespace_name.unwrap_or(input.namespace);
    let name = input.new_name.unwrap_or(input.name);
    store::namespace(tx, &bucket, &namespace)?;
    if !rules::is_name(&name) {
        return Err(Error::bad("The specified table name is not valid."));
    }
    let new = store::table_key(&bucket, &namespace, &name);
    if TABLES.contains(tx, &new)? {
        return Err(Error::conflict(
            "A table with an identical name already exists in the namespace.",
        ));
    }
    touch(tx, &mut row);
    TABLES.delete(tx, &key)?;
    add(tx, &new, &row)?;
    Ok(RenameTableOutput {})
}

/// Where the table's current metadata and its files lie.
pub(crate) fn location(
    tx: &ReadTx<'_>,
    input: GetTableMetadataLocationInput,
) -> Result<GetTableMetadataLocationOutput, Error> {
    let (_, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    Ok(GetTableMetadataLocationOutput {
        version_token: Some(row.version_token),
        metadata_location: row.metadata_location,
        warehouse_location: Some(format!("s3://{}", row.warehouse)),
    })
}

/// Puts metadata that is there in the place of the table's current one, if nobody else did so meanwhile.
pub(crate) async fn update_location(
    cx: &Cx,
    input: UpdateTableMetadataLocationInput,
) -> Result<UpdateTableMetadataLocationOutput, Error> {
    let (key, row) = cx.read(|tx| movable(tx, &input))?;
    let arn = store::arn_of(&key, &row);
    let located = cx.located(&key.0, &key.1);
    metadata::check_there(&located, &arn, &row, &input.metadata_location).await?;
    cx.write(|tx| relocate(tx, &input)).await
}

/// The table, if its metadata may be moved as the caller asks.
fn movable(
    tx: &(impl Tx + ?Sized),
    input: &UpdateTableMetadataLocationInput,
) -> Result<(TableKey, Table), Error> {
    let (key, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    store::check_changeable(tx, &row)?;
    if !rules::is_metadata_location(&input.metadata_location, &row.warehouse) {
        return Err(Error::bad_location());
    }
    check_token(Some(&input.version_token), &row)?;
    Ok((key, row))
}

/// Puts metadata in the place of the table's current one, if nobody else did so meanwhile.
pub(crate) fn relocate(
    tx: &mut WriteTx<'_>,
    input: &UpdateTableMetadataLocationInput,
) -> Result<UpdateTableMetadataLocationOutput, Error> {
    let (key, mut row) = movable(tx, input)?;
    touch(tx, &mut row);
    row.metadata_location = Some(input.metadata_location.clone());
    TABLES.put(tx, &key, &row)?;
    Ok(UpdateTableMetadataLocationOutput {
        table_arn: Some(store::arn_of(&key, &row)),
        name: Some(key.4),
        namespace: Some(vec![key.3]),
        version_token: Some(row.version_token),
        metadata_location: row.metadata_location,
    })
}
