//! Background work: parts that belong to nothing any more are removed bit by bit.

use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task, WriteTx};

use crate::access_logs;
use crate::annotations;
use crate::directory;
use crate::error::Error;
use crate::inventory;
use crate::lifecycle;
use crate::metadata_tables;
use crate::request_metrics;
use crate::storage_metrics;
use crate::store::{DELETED, ORPHANS, PARTS_AT_ONCE, UPLOADS, delete_parts};
use crate::tiering;
use crate::warehouses;

/// The topic and name of the task that removes parts.
pub(crate) const PARTS: &str = "s3.parts";

/// The reconcilers of S3.
pub(crate) static TASKS: &[Task] = &[
    Task { name: PARTS, every: Duration::from_secs(3600), run: remove_parts },
    // Whether a midnight has come is looked up for each bucket with a lifecycle.
    Task { name: lifecycle::SWEEP, every: Duration::from_secs(900), run: lifecycle::run },
    // Whether a report is due is looked up for each inventory.
    Task { name: inventory::REPORTS, every: Duration::from_secs(900), run: inventory::run },
    directory::FORGET,
    // How long records wait is a matter of their own age.
    Task {
        name: metadata_tables::DELIVERY,
        every: Duration::from_secs(10),
        run: metadata_tables::run,
    },
    warehouses::REMOVAL,
    Task { name: tiering::ACCESSES, every: Duration::from_secs(60), run: tiering::note },
    Task { name: access_logs::DELIVERY, every: access_logs::PAUSE, run: access_logs::deliver },
    Task {
        name: request_metrics::CONFIGURATIONS,
        every: Duration::from_secs(300),
        run: request_metrics::refresh,
    },
    // Whether a day has come is looked up for each bucket.
    Task {
        name: storage_metrics::COUNT,
        every: Duration::from_secs(900),
        run: storage_metrics::run,
    },
];

/// Removes the parts of uploads that are gone, and the uploads of buckets that are gone.
fn remove_parts(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        while cx.write(remove_some).await? {}
        Ok(())
    })
}

/// Removes a bounded number of rows; false when nothing is left to remove.
fn remove_some(tx: &mut WriteTx<'_>) -> Result<bool, Error> {
    if let Some((number, ())) = ORPHANS.first(tx, &())? {
        if delete_parts(tx, number, PARTS_AT_ONCE)? < PARTS_AT_ONCE {
            ORPHANS.delete(tx, &number)?;
        }
        return Ok(true);
    }
    if annotations::rows::remove_orphans(tx)? {
        return Ok(true);
    }
    let Some((bucket, ())) = DELETED.first(tx, &())? else { return Ok(false) };
    match UPLOADS.first(tx, &(bucket,))? {
        None => DELETED.delete(tx, &bucket)?,
        Some((key, upload)) => {
            ORPHANS.put(tx, &upload.number, &())?;
            UPLOADS.delete(tx, &key)?;
        }
    }
    Ok(true)
}
