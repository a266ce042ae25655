//! Maintenance: its configuration, and how its jobs ended. Nothing here compacts files, and the status of that job says so.

mod files;
mod jobs;

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Timestamp, WriteTx};

use crate::error::Error;
use crate::model::*;
use crate::store::{
    self, BUCKETS, Compaction, FileRemoval, Job, MAINTAINED, Outcome, Snapshots, TABLES, Table,
};
pub(crate) use jobs::{TASK, run};

/// What AWS does where nothing is configured.
const UNREFERENCED_DAYS: i32 = 3;
const NON_CURRENT_DAYS: i32 = 10;
const TARGET_FILE_SIZE_MIB: i32 = 512;
const MIN_SNAPSHOTS: i32 = 1;
const MAX_SNAPSHOT_AGE_HOURS: i32 = 120;

fn status(is_enabled: bool) -> Option<MaintenanceStatus> {
    Some(if is_enabled { MaintenanceStatus::Enabled } else { MaintenanceStatus::Disabled })
}

/// Whether a status enables; what is not said stays enabled.
fn is_enabled(given: Option<&MaintenanceStatus>) -> bool {
    given != Some(&MaintenanceStatus::Disabled)
}

fn mismatch() -> Error {
    Error::bad("The specified maintenance settings do not match the maintenance type.")
}

fn file_removal(row: &store::TableBucket) -> FileRemoval {
    row.file_removal.clone().unwrap_or(FileRemoval {
        is_enabled: true,
        unreferenced_days: UNREFERENCED_DAYS,
        non_current_days: NON_CURRENT_DAYS,
    })
}

fn compaction(row: &Table) -> Compaction {
    row.compaction.clone().unwrap_or_else(|| Compaction {
        is_enabled: true,
        target_file_size_mib: TARGET_FILE_SIZE_MIB,
        strategy: IcebergCompactionStrategy::Auto.as_str().to_owned(),
    })
}

fn snapshots(row: &Table) -> Snapshots {
    row.snapshots.clone().unwrap_or(Snapshots {
        is_enabled: true,
        min_to_keep: MIN_SNAPSHOTS,
        max_age_hours: MAX_SNAPSHOT_AGE_HOURS,
    })
}

/// Configures the removal of files that no snapshot names.
pub(crate) fn put_bucket(
    tx: &mut WriteTx<'_>,
    input: PutTableBucketMaintenanceConfigurationInput,
) -> Result<PutTableBucketMaintenanceConfigurationOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    let mut known = file_removal(&row);
    known.is_enabled = is_enabled(input.value.status.as_ref());
    match input.value.settings {
        None => {}
        Some(TableBucketMaintenanceSettings::IcebergUnreferencedFileRemoval(given)) => {
            known.unreferenced_days = given.unreferenced_days.unwrap_or(known.unreferenced_days);
            known.non_current_days = given.non_current_days.unwrap_or(known.non_current_days);
        }
        Some(_) => return Err(mismatch()),
    }
    row.file_removal = Some(known);
    BUCKETS.put(tx, &key, &row)?;
    Ok(PutTableBucketMaintenanceConfigurationOutput {})
}

/// The maintenance of a table bucket.
pub(crate) fn get_bucket(
    tx: &ReadTx<'_>,
    input: GetTableBucketMaintenanceConfigurationInput,
) -> Result<GetTableBucketMaintenanceConfigurationOutput, Error> {
    let (key, row) = store::bucket(tx, &input.table_bucket_arn)?;
    let known = file_removal(&row);
    let settings = IcebergUnreferencedFileRemovalSettings {
        unreferenced_days: Some(known.unreferenced_days),
        non_current_days: Some(known.non_current_days),
    };
    let value = TableBucketMaintenanceConfigurationValue {
        status: status(known.is_enabled),
        settings: Some(TableBucketMaintenanceSettings::IcebergUnreferencedFileRemoval(settings)),
    };
    let name = TableBucketMaintenanceType::IcebergUnreferencedFileRemoval.as_str().to_owned();
    Ok(GetTableBucketMaintenanceConfigurationOutput {
        table_bucket_arn: Some(store::bucket_arn(&key)),
        configuration: Some(BTreeMap::from([(name, value)])),
    })
}

/// Configures a table's compaction or its management of snapshots.
pub(crate) fn put_table(
    tx: &mut WriteTx<'_>,
    input: PutTableMaintenanceConfigurationInput,
) -> Result<PutTableMaintenanceConfigurationOutput, Error> {
    let (key, mut row) =
        store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    store::check_changeable(tx, &row)?;
    let is_enabled = is_enabled(input.value.status.as_ref());
    match (input.r#type, input.value.settings) {
        (TableMaintenanceType::IcebergCompaction, settings) => {
            let mut known = Compaction { is_enabled, ..compaction(&row) };
            match settings {
                None => {}
                Some(TableMaintenanceSettings::IcebergCompaction(given)) => {
                    known.target_file_size_mib = target(given.target_file_size_mb, &known)?;
                    if let Some(strategy) = given.strategy {
                        strategy.as_str().clone_into(&mut known.strategy);
                    }
                }
                Some(_) => return Err(mismatch()),
            }
            row.compaction = Some(known);
        }
        (TableMaintenanceType::IcebergSnapshotManagement, settings) => {
            let mut known = Snapshots { is_enabled, ..snapshots(&row) };
            match settings {
                None => {}
                Some(TableMaintenanceSettings::IcebergSnapshotManagement(given)) => {
                    known.min_to_keep = given.min_snapshots_to_keep.unwrap_or(known.min_to_keep);
                    known.max_age_hours =
                        given.max_snapshot_age_hours.unwrap_or(known.max_age_hours);
                }
                Some(_) => return Err(mismatch()),
            }
            row.snapshots = Some(known);
        }
    }
    TABLES.put(tx, &key, &row)?;
    Ok(PutTableMaintenanceConfigurationOutput {})
}

/// How large compacted files are to be: between 64 and 512 MiB, says AWS's guide.
fn target(given: Option<i32>, known: &Compaction) -> Result<i32, Error> {
    match given {
        None => Ok(known.target_file_size_mib),
        Some(size @ 64..=512) => Ok(size),
        Some(_) => Err(Error::bad("The target file size must be between 64 MB and 512 MB.")),
    }
}

/// The maintenance of a table.
pub(crate) fn get_table(
    tx: &ReadTx<'_>,
    input: GetTableMaintenanceConfigurationInput,
) -> Result<GetTableMaintenanceConfigurationOutput, Error> {
    let (key, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    let (compaction, snapshots) = (compaction(&row), snapshots(&row));
    let strategy = [
        IcebergCompactionStrategy::Binpack,
        IcebergCompactionStrategy::Sort,
        IcebergCompactionStrategy::ZOrder,
    ]
    .into_iter()
    .find(|known| known.as_str() == compaction.strategy)
    .unwrap_or(IcebergCompactionStrategy::Auto);
    let compacting = TableMaintenanceConfigurationValue {
        status: status(compaction.is_enabled),
        settings: Some(TableMaintenanceSettings::IcebergCompaction(IcebergCompactionSettings {
            target_file_size_mb: Some(compaction.target_file_size_mib),
            strategy: Some(strategy),
        })),
    };
    let keeping = IcebergSnapshotManagementSettings {
        min_snapshots_to_keep: Some(snapshots.min_to_keep),
        max_snapshot_age_hours: Some(snapshots.max_age_hours),
    };
    let managing = TableMaintenanceConfigurationValue {
        status: status(snapshots.is_enabled),
        settings: Some(TableMaintenanceSettings::IcebergSnapshotManagement(keeping)),
    };
    let of = |kind: TableMaintenanceType| kind.as_str().to_owned();
    Ok(GetTableMaintenanceConfigurationOutput {
        table_arn: Some(store::arn_of(&key, &row)),
        configuration: Some(BTreeMap::from([
            (of(TableMaintenanceType::IcebergCompaction), compacting),
            (of(TableMaintenanceType::IcebergSnapshotManagement), managing),
        ])),
    })
}

/// How far the jobs of a table's maintenance are.
pub(crate) fn job_status(
    tx: &ReadTx<'_>,
    input: GetTableMaintenanceJobStatusInput,
) -> Result<GetTableMaintenanceJobStatusOutput, Error> {
    let (key, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    let (_, bucket) = store::bucket(tx, &input.table_bucket_arn)?;
    let known = MAINTAINED.get(tx, &*row.warehouse)?.unwrap_or_default();
    let status = BTreeMap::from([
        ("icebergCompaction".to_owned(), told(compaction(&row).is_enabled, None)),
        ("icebergSnapshotManagement".to_owned(), told(snapshots(&row).is_enabled, known.snapshots)),
        (
            "icebergUnreferencedFileRemoval".to_owned(),
            told(file_removal(&bucket).is_enabled, known.files),
        ),
    ]);
    Ok(GetTableMaintenanceJobStatusOutput {
        table_arn: Some(store::arn_of(&key, &row)),
        status: Some(status),
    })
}

/// What is told of a job.
fn told(is_enabled: bool, last: Option<Job>) -> TableMaintenanceJobStatusValue {
    let ran = last.as_ref().map(|job| Timestamp::from_millis(job.ran_millis));
    let (status, failure_message) = match last.map(|job| job.outcome) {
        _ if !is_enabled => ("Disabled", None),
        None => ("Not_Yet_Run", None),
        Some(Outcome::Successful) => ("Successful", None),
        Some(Outcome::Failed(why)) => ("Failed", Some(why)),
        Some(Outcome::Disabled) => ("Disabled", None),
    };
    TableMaintenanceJobStatusValue {
        status: Some(status.to_owned()),
        last_run_timestamp: ran,
        failure_message,
    }
}
