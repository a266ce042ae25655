//! The tables of configurations, made in the background.
//!
//! Each step looks first whether it was done, since whoever makes tables may be stopped anywhere. A table that is there already
//! counts as this configuration's own if its metadata says so, or if nobody has written any yet.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Fault, WriteTx, tracing};
use fogbank_iceberg::{Field, New, PartitionSpec, SortOrder, Table as Iceberg};
use serde_json::{Value, json};

use super::columns;
use super::configurations::{MANAGED, fail, managed_arn, namespace};
use super::results::Kind;
use super::rows::{CONFIGURED, Configured, Failure, JOURNALS, Journal, Status, TableState};
use super::tables::{Trouble, Worker, uuid_of};
use crate::error::Error;
use crate::store::{BUCKETS, Bucket};

/// The property of a table that says the number of its configuration.
pub(super) const CONFIGURATION: &str = "fogbank.configuration";

/// How long the table of a configuration of the first version is waited for.
const PATIENCE_MILLIS: i64 = 900_000;

/// Makes what tables are to be made, bucket by bucket.
pub(super) async fn run(cx: &Cx) -> Result<(), Fault> {
    let mut after: Option<String> = None;
    loop {
        let next = cx.read(|tx| {
            let mut rows = CONFIGURED.range(&()).limit(1);
            if let Some(after) = &after {
                rows = rows.after(after);
            }
            rows.list(tx)
        })?;
        let Some((name, row)) = next.into_iter().next() else { return Ok(()) };
        for kind in [Kind::Journal, Kind::Inventory, Kind::Annotation] {
            if let Err(error) = look_at(cx, &name, row.number, kind).await {
                let error = Fault::from(error);
                tracing::warn!(bucket = name, table = kind.name(), ?error, "a table waits");
            }
        }
        after = Some(name);
    }
}

impl Configured {
    /// The state of one of the tables; none if it is disabled.
    pub(super) fn table_mut(&mut self, kind: Kind) -> Option<&mut TableState> {
        match kind {
            Kind::Journal => Some(&mut self.journal),
            Kind::Inventory => self.inventory.as_mut(),
            Kind::Annotation => self.annotation.as_mut(),
        }
    }
}

async fn look_at(cx: &Cx, name: &str, number: u64, kind: Kind) -> Result<(), Error> {
    let found = cx.read(|tx| {
        let row = CONFIGURED.get(tx, name)?.filter(|row| row.number == number);
        Ok::<_, Error>(row.zip(BUCKETS.get(tx, name)?))
    })?;
    let Some((mut row, bucket)) = found else { return Ok(()) };
    let has_journal = matches!(row.journal.status, Status::Active);
    let Some(table) = row.table_mut(kind).cloned() else { return Ok(()) };
    if table.status != Status::Creating || (kind != Kind::Journal && !has_journal) {
        return Ok(());
    }
    if row.customer.is_some() && table.arn.is_none() {
        return wait(cx, name, number).await;
    }
    let worker = Worker::new(cx, name, &bucket.account, &bucket.region);
    let made = make(&worker, (name, &row, &bucket), kind, &table).await;
    let outcome = match made {
        Ok(arn) => Ok(arn),
        Err(Refused::For(failure)) => Err(failure),
        Err(Refused::Later(fault)) => return Err(fault.into()),
    };
    cx.write(|tx| settle(tx, name, number, kind, &outcome)).await
}

/// Waits for the table of a configuration of the first version, which the request makes that asked for it. One that was
/// stopped will not come back.
async fn wait(cx: &Cx, name: &str, number: u64) -> Result<(), Error> {
    let now = cx.now().millis();
    cx.write(|tx| {
        let since = JOURNALS.get(tx, &number)?.map_or(0, |journal| journal.maintained_millis);
        match (0..PATIENCE_MILLIS).contains(&(now - since)) {
            true => Ok(()),
            false => fail(tx, name, number, Failure::ServerInternalError),
        }
    })
    .await
}

/// Why a table is not made.
enum Refused {
    For(Failure),
    /// It is tried again.
    Later(Fault),
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Refused {
        match trouble {
            Trouble::Gone => Refused::For(Failure::DestinationTableNotFound),
            Trouble::Denied => Refused::For(Failure::AccessDeniedCreatingResources),
            Trouble::Broken(fault) => Refused::Later(fault),
        }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Trouble::from(fault).into()
    }
}

/// Makes a table, and says its ARN.
async fn make(
    worker: &Worker,
    (name, row, bucket): (&str, &Configured, &Bucket),
    kind: Kind,
    table: &TableState,
) -> Result<String, Refused> {
    let arn = match (&row.customer, &table.arn) {
        (None, _) => make_managed(worker, (name, bucket), kind, table).await?,
        (Some(_), Some(arn)) => arn.clone(),
        (Some(_), None) => return Err(Refused::For(Failure::DestinationTableNotFound)),
    };
    let mut open = worker.open(&arn).await?;
    if let Some(found) = &open.table {
        let is_own = found.properties.get(CONFIGURATION) == Some(&row.number.to_string());
        return if is_own { Ok(arn) } else { Err(Refused::For(Failure::TableAlreadyExists)) };
    }
    let uuid = uuid_of(&format!("metadata table {arn}"));
    let properties = BTreeMap::from([
        (CONFIGURATION.to_owned(), row.number.to_string()),
        ("write.parquet.compression-codec".to_owned(), "snappy".to_owned()),
    ]);
    let new = New {
        uuid: uuid.clone(),
        location: open.location(),
        fields: fields(kind),
        identifier_field_ids: Vec::new(),
        partition_spec: PartitionSpec::default(),
        sort_order: SortOrder::default(),
        properties,
        now_millis: worker.cx.now().millis(),
    };
    let first = Iceberg::new(new).map_err(Trouble::from)?;
    open.put(first.write(&uuid)).await?;
    Ok(arn)
}

/// The columns of a table.
fn fields(kind: Kind) -> Vec<Field> {
    match kind {
        Kind::Journal => columns::of_journal(),
        Kind::Inventory => columns::of_inventory(),
        Kind::Annotation => columns::of_annotations(),
    }
}

/// Makes a table in the table bucket that AWS manages.
async fn make_managed(
    worker: &Worker,
    (name, bucket): (&str, &Bucket),
    kind: Kind,
    table: &TableState,
) -> Result<String, Refused> {
    let table_bucket = managed_arn(&bucket.account, &bucket.region);
    let namespace = namespace(name);
    let is_there = |outcome: Result<Value, Fault>| match outcome {
        Err(fault) if fault.name() == "ConflictException" => Ok(None),
        Err(fault) => Err(Refused::from(fault)),
        Ok(told) => Ok(Some(told)),
    };
    is_there(worker.call("s3tables:CreateTableBucket", json!({"name": MANAGED})).await)?;
    let input = json!({"tableBucketARN": table_bucket, "namespace": [namespace]});
    is_there(worker.call("s3tables:CreateNamespace", input).await)?;
    let place = json!({
        "tableBucketARN": table_bucket, "namespace": namespace, "name": kind.name(),
    });
    let mut input = place.clone();
    input["format"] = "ICEBERG".into();
    match &table.encryption {
        None => {}
        Some(None) => input["encryptionConfiguration"] = json!({"sseAlgorithm": "AES256"}),
        Some(Some(key)) => {
            input["encryptionConfiguration"] = json!({"sseAlgorithm": "aws:kms", "kmsKeyArn": key});
        }
    }
    let told = match is_there(worker.call("s3tables:CreateTable", input).await)? {
        Some(told) => told,
        None => worker.call("s3tables:GetTable", place).await?,
    };
    Ok(told["tableARN"].as_str().unwrap_or_default().to_owned())
}

/// Notes how the making of a table ended, unless the configuration is another one now.
fn settle(
    tx: &mut WriteTx<'_>,
    name: &str,
    number: u64,
    kind: Kind,
    outcome: &Result<String, Failure>,
) -> Result<(), Error> {
    let row = CONFIGURED.get(tx, name)?.filter(|row| row.number == number);
    let Some(mut row) = row else { return Ok(()) };
    let Some(table) = row.table_mut(kind) else { return Ok(()) };
    match outcome {
        Ok(arn) => {
            table.arn = Some(arn.clone());
            table.status = if kind == Kind::Journal { Status::Active } else { Status::Backfilling };
        }
        Err(failure) => table.status = Status::Failed(*failure),
    }
    CONFIGURED.put(tx, name, &row)?;
    match outcome {
        _ if kind != Kind::Journal => Ok(()),
        Ok(arn) => {
            let Some(journal) = JOURNALS.get(tx, &number)? else { return Ok(()) };
            let table_arn = Some(arn.clone());
            Ok(JOURNALS.put(tx, &number, &Journal { table_arn, ..journal })?)
        }
        Err(failure) => fail(tx, name, number, *failure),
    }
}
