//! The task that maintains the tables of accounts: each hour it lets old snapshots go, and removes files that no snapshot
//! names. Tables that services of AWS fill are maintained by these.
//!
//! A snapshot goes by new metadata, which takes the place of the table's if nobody committed meanwhile; else the next round
//! tries again. Stopped anywhere, it leaves the table as it was or as it is to be, and at most a file that nothing names.

use fogbank_core::bytes::Bytes;
use fogbank_core::{BoxFuture, Cx, Fault, WriteTx, tracing};
use fogbank_iceberg as iceberg;

use super::files;
use crate::error::Error;
use crate::metadata;
use crate::store::{
    self, BUCKETS, Job, MAINTAINED, MAINTENANCE_SERVICE, Maintained, Outcome, Snapshots, TABLES,
    Table, TableKey,
};

/// The name of the task.
pub(crate) const TASK: &str = "s3tables.maintenance";
/// How long a table rests between two looks.
const REST_MILLIS: i64 = 3_600_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// Properties of a table by which it says itself for how long, and how many, snapshots are kept.
const MAX_AGE: &str = "history.expire.max-snapshot-age-ms";
const MIN_SNAPSHOTS: &str = "history.expire.min-snapshots-to-keep";

/// Looks after every table.
pub(crate) fn run(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let mut after: Option<TableKey> = None;
        loop {
            let next = cx.read(|tx| {
                let mut rows = TABLES.range(&()).limit(1);
                if let Some(after) = &after {
                    rows = rows.after(after);
                }
                rows.list(tx)
            })?;
            let Some((key, row)) = next.into_iter().next() else { return Ok(()) };
            if row.managed_by.is_none() && row.metadata_location.is_some() {
                let work = Work::new(&cx, key.clone(), row);
                if let Err(error) = work.look_after().await {
                    let arn = &work.arn;
                    let error = Fault::from(error);
                    tracing::warn!(arn, ?error, "the maintenance of a table waits");
                }
            }
            after = Some(key);
        }
    })
}

/// A table that is maintained, as it was found.
pub(super) struct Work {
    /// As the service that maintains tables, on behalf of this one.
    pub(super) cx: Cx,
    pub(super) arn: String,
    pub(super) key: TableKey,
    pub(super) row: Table,
}

impl Work {
    fn new(cx: &Cx, key: TableKey, row: Table) -> Work {
        let arn = store::arn_of(&key, &row);
        let cx = cx.located(&key.0, &key.1).as_service(MAINTENANCE_SERVICE, &arn);
        Work { cx, arn, key, row }
    }

    async fn look_after(&self) -> Result<(), Error> {
        let now = self.cx.now().millis();
        let (bucket, known) = self.cx.read(|tx| {
            let bucket = (&*self.key.0, &*self.key.1, &*self.key.2);
            let known = MAINTAINED.get(tx, &*self.row.warehouse)?.unwrap_or_default();
            Ok::<_, Error>((BUCKETS.get(tx, &bucket)?, known))
        })?;
        let Some(bucket) = bucket else { return Ok(()) };
        let is_due = |job: &Option<Job>| {
            let rested = |job: &Job| (0..REST_MILLIS).contains(&(now - job.ran_millis));
            !job.as_ref().is_some_and(rested)
        };
        let snapshots = super::snapshots(&self.row);
        if snapshots.is_enabled && is_due(&known.snapshots) {
            let outcome = self.expire(&snapshots, now).await;
            self.note(outcome, now, |known| &mut known.snapshots).await?;
        }
        let removal = super::file_removal(&bucket);
        if removal.is_enabled && is_due(&known.files) {
            // The snapshots may just have gone.
            let row = self.cx.read(|tx| TABLES.get(tx, &self.key))?;
            let Some(row) = row.filter(|row| row.id == self.row.id) else { return Ok(()) };
            let now_it_is = Work::new(&self.cx, self.key.clone(), row);
            let outcome = files::remove(&now_it_is, &removal, now).await;
            self.note(outcome, now, |known| &mut known.files).await?;
        }
        Ok(())
    }

    /// Notes how a job ended. What failed here, or lost a race, is tried again by the next round and is no outcome.
    async fn note(
        &self,
        outcome: Result<Outcome, Error>,
        now: i64,
        job: impl Fn(&mut Maintained) -> &mut Option<Job>,
    ) -> Result<(), Error> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error @ Error::ConflictException(_)) => return Err(error),
            Err(error) => {
                let fault = Fault::from(error);
                if fault.cause().is_some() {
                    return Err(fault.into());
                }
                Outcome::Failed(fault.message().to_owned())
            }
        };
        let ran = Job { ran_millis: now, outcome };
        let warehouse = &*self.row.warehouse;
        self.cx
            .write(|tx| {
                if TABLES.get(tx, &self.key)?.is_none_or(|row| row.id != self.row.id) {
                    return Ok(());
                }
                let mut known = MAINTAINED.get(tx, warehouse)?.unwrap_or_default();
                *job(&mut known) = Some(ran.clone());
                Ok(MAINTAINED.put(tx, warehouse, &known)?)
            })
            .await
    }

    /// The table as its metadata tells of it.
    pub(super) async fn table(&self) -> Result<iceberg::Table, Error> {
        let location = self.row.metadata_location.as_deref().ok_or_else(Error::bad_location)?;
        metadata::read(&self.cx, &self.row, location).await
    }

    /// One of the table's files.
    pub(super) async fn file(&self, location: &str) -> Result<Bytes, Error> {
        tokio::task::yield_now().await;
        metadata::read_file(&self.cx, &self.row, location).await
    }

    /// Lets snapshots go that are too old and too many.
    async fn expire(&self, settings: &Snapshots, now: i64) -> Result<Outcome, Error> {
        let table = self.table().await?;
        if keeps_by_itself(&table, settings) {
            return Ok(Outcome::Disabled);
        }
        let oldest = now.saturating_sub(i64::from(settings.max_age_hours) * HOUR_MILLIS);
        let keep = usize::try_from(settings.min_to_keep).unwrap_or(1).max(1);
        let mut expiry = table.expire_snapshots(oldest, keep, now);
        if expiry.expired() == 0 {
            return Ok(Outcome::Successful);
        }
        while let Some(location) = expiry.wants().map(str::to_owned) {
            expiry.give(&self.file(&location).await?).map_err(metadata::refusal)?;
        }
        let change = expiry.finish(&self.cx.ids().uuid()).map_err(metadata::refusal)?;
        let (location, _) = metadata::write(&self.cx, &self.row, change).await?;
        let placed = self.cx.write(|tx| self.place(tx, &location)).await;
        // Of what else may go wrong nobody knows whether it has happened.
        if let Err(Error::ConflictException(_) | Error::NotFoundException(_)) = &placed
            && let Some(key) = metadata::key_of(&location, &self.row.warehouse)
        {
            metadata::remove(&self.cx, &self.arn, &self.row, &[key]).await?;
        }
        placed?;
        Ok(Outcome::Successful)
    }

    /// Puts metadata in the place of the table's, unless somebody else has done so.
    fn place(&self, tx: &mut WriteTx<'_>, location: &str) -> Result<(), Error> {
        let found = TABLES.get(tx, &self.key)?.filter(|row| row.id == self.row.id);
        let mut row = found.ok_or_else(Error::no_table)?;
        if row.version_token != self.row.version_token {
            return Err(Error::conflict("The table was changed meanwhile."));
        }
        row.version_token = store::version_token(tx);
        row.metadata_location = Some(location.to_owned());
        Ok(TABLES.put(tx, &self.key, &row)?)
    }
}

/// Whether a table itself says what it keeps: a branch or tag does, or its properties ask for more than the configuration.
/// AWS's guide says that snapshots are not managed then.
fn keeps_by_itself(table: &iceberg::Table, settings: &Snapshots) -> bool {
    let by_reference = table.refs.values().any(|reference| {
        reference.min_snapshots_to_keep.is_some()
            || reference.max_snapshot_age_ms.is_some()
            || reference.max_ref_age_ms.is_some()
    });
    let asks_for_more = |name: &str, most: i64| {
        let asked = table.properties.get(name).and_then(|value| value.trim().parse::<i64>().ok());
        asked.is_some_and(|asked| asked > most)
    };
    by_reference
        || asks_for_more(MAX_AGE, i64::from(settings.max_age_hours) * HOUR_MILLIS)
        || asks_for_more(MIN_SNAPSHOTS, i64::from(settings.min_to_keep))
}
