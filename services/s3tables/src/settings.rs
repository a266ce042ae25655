//! Storage classes, metrics and the expiration of records.

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::*;
use crate::store::{self, BUCKETS, Expiration, TABLES, Table};

/// The storage class of tables of which nobody said another.
pub(crate) fn standard() -> String {
    StorageClass::Standard.as_str().to_owned()
}

/// A storage class as rows have it.
pub(crate) fn class(given: StorageClassConfiguration) -> String {
    given.storage_class.as_str().to_owned()
}

fn shown(class: &str) -> Option<StorageClassConfiguration> {
    let storage_class = match class {
        "INTELLIGENT_TIERING" => StorageClass::IntelligentTiering,
        _ => StorageClass::Standard,
    };
    Some(StorageClassConfiguration { storage_class })
}

/// Sets the storage class of new tables of a bucket.
pub(crate) fn put_class(
    tx: &mut WriteTx<'_>,
    input: PutTableBucketStorageClassInput,
) -> Result<PutTableBucketStorageClassOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    row.storage_class = Some(class(input.storage_class_configuration));
    BUCKETS.put(tx, &key, &row)?;
    Ok(PutTableBucketStorageClassOutput {})
}

/// The storage class of new tables of a bucket.
pub(crate) fn get_class(
    tx: &ReadTx<'_>,
    input: GetTableBucketStorageClassInput,
) -> Result<GetTableBucketStorageClassOutput, Error> {
    let (_, row) = store::bucket(tx, &input.table_bucket_arn)?;
    let class = row.storage_class.unwrap_or_else(standard);
    Ok(GetTableBucketStorageClassOutput { storage_class_configuration: shown(&class) })
}

/// The storage class of a table.
pub(crate) fn class_of_table(
    tx: &ReadTx<'_>,
    input: GetTableStorageClassInput,
) -> Result<GetTableStorageClassOutput, Error> {
    let (_, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    Ok(GetTableStorageClassOutput { storage_class_configuration: shown(&row.storage_class) })
}

/// Configures metrics of a table bucket.
pub(crate) fn put_metrics(
    tx: &mut WriteTx<'_>,
    input: PutTableBucketMetricsConfigurationInput,
) -> Result<PutTableBucketMetricsConfigurationOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    if row.metrics.is_none() {
        row.metrics = Some(tx.ids().uuid());
        BUCKETS.put(tx, &key, &row)?;
    }
    Ok(PutTableBucketMetricsConfigurationOutput {})
}

/// The configuration of metrics of a table bucket.
pub(crate) fn get_metrics(
    tx: &ReadTx<'_>,
    input: GetTableBucketMetricsConfigurationInput,
) -> Result<GetTableBucketMetricsConfigurationOutput, Error> {
    let (key, row) = store::bucket(tx, &input.table_bucket_arn)?;
    let id = row.metrics.ok_or_else(|| Error::no_such("metrics configuration"))?;
    Ok(GetTableBucketMetricsConfigurationOutput {
        table_bucket_arn: Some(store::bucket_arn(&key)),
        id: Some(id),
    })
}

/// Removes the configuration of metrics of a table bucket.
pub(crate) fn delete_metrics(
    tx: &mut WriteTx<'_>,
    input: DeleteTableBucketMetricsConfigurationInput,
) -> Result<DeleteTableBucketMetricsConfigurationOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    row.metrics = None;
    BUCKETS.put(tx, &key, &row)?;
    Ok(DeleteTableBucketMetricsConfigurationOutput {})
}

/// Configures the expiration of a table's records.
pub(crate) fn put_expiration(
    tx: &mut WriteTx<'_>,
    input: PutTableRecordExpirationConfigurationInput,
) -> Result<PutTableRecordExpirationConfigurationOutput, Error> {
    let (key, mut row) = store::table_with_arn(tx, &input.table_arn)?;
    check_expiring(&row)?;
    let is_enabled = input.value.status == Some(TableRecordExpirationStatus::Enabled);
    let days = input.value.settings.and_then(|settings| settings.days);
    if is_enabled && days.is_none() {
        return Err(Error::bad("The number of days is required to enable record expiration."));
    }
    row.expiration = Some(Expiration { is_enabled, days });
    TABLES.put(tx, &key, &row)?;
    Ok(PutTableRecordExpirationConfigurationOutput {})
}

/// Only tables that services of AWS manage have records that expire.
fn check_expiring(row: &Table) -> Result<(), Error> {
    match row.managed_by {
        Some(_) => Ok(()),
        None => Err(fogbank_core::Fault::new(
            "MethodNotAllowedException",
            "Record expiration is supported for tables that are managed by AWS only.",
        )
        .into()),
    }
}

/// The expiration of a table's records.
pub(crate) fn get_expiration(
    tx: &ReadTx<'_>,
    input: GetTableRecordExpirationConfigurationInput,
) -> Result<GetTableRecordExpirationConfigurationOutput, Error> {
    let (_, row) = store::table_with_arn(tx, &input.table_arn)?;
    check_expiring(&row)?;
    let (is_enabled, days) =
        row.expiration.map_or((false, None), |known| (known.is_enabled, known.days));
    let status = match is_enabled {
        true => TableRecordExpirationStatus::Enabled,
        false => TableRecordExpirationStatus::Disabled,
    };
    let configuration = TableRecordExpirationConfigurationValue {
        status: Some(status),
        settings: days.map(|days| TableRecordExpirationSettings { days: Some(days) }),
    };
    Ok(GetTableRecordExpirationConfigurationOutput { configuration: Some(configuration) })
}

/// How far the expiration of a table's records is: nothing here expires them, and the answer says so.
pub(crate) fn expiration_status(
    tx: &ReadTx<'_>,
    input: GetTableRecordExpirationJobStatusInput,
) -> Result<GetTableRecordExpirationJobStatusOutput, Error> {
    let (_, row) = store::table_with_arn(tx, &input.table_arn)?;
    check_expiring(&row)?;
    let is_enabled = row.expiration.is_some_and(|known| known.is_enabled);
    Ok(GetTableRecordExpirationJobStatusOutput {
        status: Some(if is_enabled { "NotYetRun" } else { "Disabled" }.to_owned()),
        ..GetTableRecordExpirationJobStatusOutput::default()
    })
}
