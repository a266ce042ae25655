//! Warehouses: the buckets in which the files of Amazon S3 Tables' tables lie.
//!
//! S3 Tables makes them and lets them go; S3 keeps no rows of them but their objects, parts and uploads. They take few
//! operations, for which the caller must be allowed `s3tables:GetTableData` or `s3tables:PutTableData` on the table.

use fogbank_core::store::Error as StoreError;
use fogbank_core::wire::{Item, Kind, Struct};
use fogbank_core::{BoxFuture, Cx, Demand, Fault, ReadTx, Task, Tx, Way, WriteTx};
use fogbank_identity::bucket_sessions;
use fogbank_tablebuckets::{self as tables, NONCURRENT, REMOVED, WAREHOUSES};

use crate::access::bucket_arn;
use crate::directory;
use crate::error::Error;
use crate::store::{self, Bucket, DELETED, DefaultEncryption, LISTED, UPLOADS};
use crate::tasks;

/// The task that removes what is left of warehouses.
pub(crate) const REMOVAL: Task =
    Task { name: tables::REMOVAL, every: std::time::Duration::from_secs(3600), run: remove_all };

/// How many objects one transaction removes.
const AT_ONCE: usize = 100;

/// The operations that read.
const READS: [&str; 2] = ["GetObject", "HeadObject"];
/// The operations that write.
const WRITES: [&str; 6] = [
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CreateMultipartUpload",
    // It lists what the caller uploads.
    "ListParts",
    "PutObject",
    "UploadPart",
];
/// The operations that S3 Tables alone has, for its maintenance, and whether they write.
const MAINTAINING: [(&str, bool); 2] = [("DeleteObjects", true), ("ListObjectsV2", false)];
/// Members of inputs that mean nothing in warehouses.
const MISSING: [&str; 8] = [
    "ObjectLockLegalHoldStatus",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "Tagging",
    "VersionId",
    "WebsiteRedirectLocation",
];

/// The bucket of a table, as S3 would have made it; nothing if it is none, or no more.
pub(crate) fn bucket(tx: &(impl Tx + ?Sized), name: &str) -> Result<Option<Bucket>, StoreError> {
    if !tables::is_warehouse(name) {
        return Ok(None);
    }
    let Some(warehouse) = WAREHOUSES.get(tx, name)? else { return Ok(None) };
    let encryption = match warehouse.kms_key {
        Some(key) => {
            DefaultEncryption::Kms { is_dual: false, key_id: Some(key), bucket_key: false }
        }
        None => DefaultEncryption::S3,
    };
    let location = match &*warehouse.region {
        "us-east-1" => String::new(),
        region => region.to_owned(),
    };
    let place = (&*warehouse.account, &*warehouse.region);
    let fresh = Bucket::fresh(warehouse.number, place, warehouse.created_millis);
    Ok(Some(Bucket { location, encryption, ..fresh }))
}

/// The ARN of the table whose files lie in a bucket; nothing for other buckets.
pub(crate) fn table_arn(tx: &(impl Tx + ?Sized), name: &str) -> Result<Option<String>, StoreError> {
    if !tables::is_warehouse(name) {
        return Ok(None);
    }
    Ok(WAREHOUSES.get(tx, name)?.map(|warehouse| warehouse.table_arn()))
}

/// Says in which way a call reaches the warehouse that it names, and refuses what warehouses do not have; what is about
/// other buckets goes on to what else may stand for a bucket.
pub(crate) fn reached(tx: &ReadTx<'_>, input: &mut dyn Struct) -> Result<Vec<Way>, Fault> {
    match input.text("Bucket").filter(|name| tables::is_warehouse(name)) {
        Some(name) => Ok(vec![way(tx, input, name)?]),
        None => directory::reached(tx, input),
    }
}

fn way(tx: &ReadTx<'_>, input: &dyn Struct, name: &str) -> Result<Way, Fault> {
    let request = tx.request();
    let operation = request.operation;
    let no_bucket = || Error::NoSuchBucket { bucket: name.to_owned() };
    if operation == "CreateBucket" {
        return Err(Error::InvalidBucketName { bucket: name.to_owned() }.into());
    }
    let warehouse = WAREHOUSES.get(tx, name)?.ok_or_else(no_bucket)?;
    let is_maintenance = tables::is_service(&request.principal, tables::MAINTENANCE_SERVICE);
    let maintains = MAINTAINING.iter().find(|(name, _)| is_maintenance && *name == operation);
    let writes = WRITES.contains(&operation) || maintains.is_some_and(|(_, writes)| *writes);
    if !writes && !READS.contains(&operation) && maintains.is_none() {
        let (method, kind) = (operation.to_owned(), "BUCKET".to_owned());
        return Err(Error::MethodNotAllowed { method, kind }.into());
    }
    let is_foreign = bucket_sessions::of(&request.principal).is_some();
    if is_foreign || (writes && !warehouse.may_be_written_by(&request.principal)) {
        return Err(Error::AccessDenied.into());
    }
    check_members(input)?;
    let mut context = Vec::new();
    if let Some(named) = warehouse.named(tx)? {
        context.push(("s3tables:namespace", named.namespace));
        context.push(("s3tables:tableName", named.name));
    }
    let action = Some(if writes { "PutTableData" } else { "GetTableData" });
    let demand = Demand::Instead { prefix: "s3tables", action, also: None };
    Ok(Way { to: bucket_arn(name), arn: warehouse.table_arn(), demand, context })
}

/// Refuses members that warehouses do not have.
fn check_members(input: &dyn Struct) -> Result<(), Fault> {
    let Kind::Structure(members) = &input.schema().kind else { return Ok(()) };
    for (index, member) in members.iter().enumerate() {
        let is_meant = MISSING.contains(&member.name) || member.name.starts_with("Grant");
        let item = input.member(index).item();
        if !is_meant || matches!(item, Item::Absent | Item::Text("")) {
            continue;
        }
        if member.name == "VersionId" && matches!(item, Item::Text("null")) {
            continue;
        }
        // The words are those for directory buckets, which lack such things, too.
        let message = "A header you provided implies functionality that is not implemented";
        return Err(Fault::new("NotImplemented", message));
    }
    Ok(())
}

/// Removes the objects of warehouses that are gone, and has their uploads removed.
fn remove_all(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        while let Some((name, number)) = cx.read(|tx| REMOVED.first(tx, &()))? {
            // Each look begins where the last one ended, so that it does not walk through what was removed before.
            let mut after: Option<(String, String)> = None;
            loop {
                let keys = cx.read(|tx| {
                    let mut range = LISTED.range(&(&*name,)).limit(AT_ONCE);
                    if let Some(after) = &after {
                        range = range.after(after);
                    }
                    range.keys(tx)
                })?;
                let is_last = keys.len() < AT_ONCE;
                cx.write(|tx| remove_some(tx, &name, &keys, is_last.then_some(number))).await?;
                if is_last {
                    break;
                }
                after = keys.into_iter().next_back();
            }
        }
        Ok(())
    })
}

/// Removes these objects of a warehouse; with the last ones, the warehouse of this number is forgotten.
fn remove_some(
    tx: &mut WriteTx<'_>,
    name: &str,
    keys: &[(String, String)],
    last: Option<u64>,
) -> Result<(), Error> {
    for (_, key) in keys {
        if let Some(object) = store::object(tx, name, key)? {
            store::delete_object(tx, (name, key), &object)?;
        }
        NONCURRENT.delete(tx, &(name, &**key))?;
    }
    let Some(number) = last else { return Ok(()) };
    if UPLOADS.first(tx, &(number,))?.is_some() {
        DELETED.put(tx, &number, &())?;
        tx.wake(tasks::PARTS);
    }
    Ok(REMOVED.delete(tx, name)?)
}
