//! The task that makes tables and brings records into journals.
//!
//! Records go in batches, in their order: the last record of a batch is noted, then the batch is written as one data file and
//! committed, and then it is noted how far the journal has come, upon which the records are removed bit by bit. The table's
//! metadata itself says how far it has come, so that a batch that was committed is not committed again, wherever its
//! delivery was stopped; its files have names that are made of what it is, so that what is written twice lies there once.

use std::ops::ControlFlow;

use fogbank_columns::Writer;
use fogbank_core::reset::is_meant;
use fogbank_core::{BoxFuture, Cx, Fault, WriteTx, tracing};
use fogbank_iceberg::{Commit, DataFile, Table};

use super::columns;
use super::configurations;
use super::creation;
use super::live;
use super::maintenance;
use super::rows::{Failure, JOURNALS, Journal, RECORDS, Record};
use super::tables::{Open, Trouble, Worker, snapshot_of, uuid_of};
use crate::error::Error;

/// How long the first record of a batch waits for others. AWS says "near real time".
const DELAY_MILLIS: i64 = 30_000;
/// How many records a batch has at most, and about how many bytes of them.
const BATCH_RECORDS: usize = if cfg!(test) { 20 } else { 20_000 };
const BATCH_BYTES: usize = 8 << 20;
/// How many batches of a journal go before the next journal has its turn.
const BATCHES: usize = 8;
/// How many records are looked at, or removed, at once.
const PAGE: usize = if cfg!(test) { 7 } else { 500 };
/// The property of a journal's table that says the transaction and place of its last record.
const DELIVERED: &str = "fogbank.delivered";

/// The transaction and place of a record.
type Place = (u64, u64);

/// One round.
pub(crate) fn run(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        creation::run(&cx).await?;
        while deliver_all(&cx).await? {}
        Ok(())
    })
}

/// Looks after every journal; says whether some have more to deliver.
async fn deliver_all(cx: &Cx) -> Result<bool, Fault> {
    let mut after: Option<u64> = None;
    let mut is_more = false;
    loop {
        let next = cx.read(|tx| {
            let mut rows = JOURNALS.range(&()).limit(1);
            if let Some(after) = &after {
                rows = rows.after(after);
            }
            rows.list(tx)
        })?;
        let Some((number, journal)) = next.into_iter().next() else { return Ok(is_more) };
        let bucket = journal.bucket.clone();
        match look_after(cx, number, journal).await {
            Ok(has_more) => is_more |= has_more,
            Err(error) => {
                let error = Fault::from(error);
                tracing::warn!(bucket, ?error, "a journal waits");
            }
        }
        after = Some(number);
    }
}

/// Looks after a journal; says whether it has more to deliver at once.
async fn look_after(cx: &Cx, number: u64, mut journal: Journal) -> Result<bool, Error> {
    let Some(arn) = journal.table_arn.clone() else {
        // It has no table yet, or never will.
        return match journal.is_ended {
            true => end(cx, number).await.map(|()| false),
            false => Ok(false),
        };
    };
    let worker = Worker::new(cx, &journal.bucket, &journal.account, &journal.region);
    live::recover(&worker, &journal.bucket, number).await?;
    let delivery = Delivery { worker: &worker, number, arn: &arn };
    let failure = match delivery.deliver(&mut journal).await {
        Ok(true) => return Ok(true),
        Ok(false) if journal.is_ended => return end(cx, number).await.map(|()| false),
        Ok(false) => {
            let bucket = journal.bucket.clone();
            maintenance::journal(&worker, number, journal, &arn).await?;
            return live::look_after(&worker, &bucket, number).await.map(|()| false);
        }
        Err(Trouble::Broken(fault)) => return Err(fault.into()),
        Err(Trouble::Gone) => Failure::DestinationTableNotFound,
        Err(Trouble::Denied) => Failure::AccessDeniedWritingToTable,
    };
    cx.write(|tx| configurations::fail(tx, &journal.bucket, number, failure)).await?;
    // What it left is dropped.
    Ok(true)
}

/// Drops the records that are left of a journal, and the journal.
async fn end(cx: &Cx, number: u64) -> Result<(), Error> {
    remove(cx, number, (u64::MAX, u64::MAX)).await?;
    cx.write(|tx| Ok(JOURNALS.delete(tx, &number)?)).await
}

/// Drops the journals of an account that is reset, or of all, whose buckets are gone.
pub(crate) async fn reset(cx: &Cx, account: Option<&str>) -> Result<(), Error> {
    for (number, journal) in cx.read(|tx| JOURNALS.range(&()).list(tx))? {
        if is_meant(account, &journal.account) {
            end(cx, number).await?;
        }
    }
    Ok(())
}

/// Removes the records of a journal up to one.
async fn remove(cx: &Cx, number: u64, last: Place) -> Result<(), Error> {
    let mut after: Option<(u64, u64, u64)> = None;
    loop {
        let mut keys = cx.read(|tx| {
            let mut range = RECORDS.range(&(number,)).up_to(&(number, last.0, last.1)).limit(PAGE);
            if let Some(after) = &after {
                range = range.after(after);
            }
            range.keys(tx)
        })?;
        cx.write(|tx| {
            for key in &keys {
                RECORDS.delete(tx, key)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
        if keys.len() < PAGE {
            return Ok(());
        }
        // Each look begins where the last one ended, so that it does not walk through what was removed before.
        after = keys.pop();
    }
}

/// The records of a journal on their way into its table.
struct Delivery<'a> {
    worker: &'a Worker,
    number: u64,
    arn: &'a str,
}

/// What is to go at once.
struct Batch {
    last: Place,
    /// Whether more waits behind it that is due, too.
    is_full: bool,
}

impl Delivery<'_> {
    /// Delivers what is due, but no more than some batches; says whether more may be.
    async fn deliver(&self, journal: &mut Journal) -> Result<bool, Trouble> {
        for _ in 0..BATCHES {
            if !self.step(journal).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Delivers a batch, if one is due; says whether another one may be.
    async fn step(&self, journal: &mut Journal) -> Result<bool, Trouble> {
        let cx = &self.worker.cx;
        remove(cx, self.number, journal.delivered).await?;
        let Some(batch) = cx.read(|tx| self.next(tx, journal))? else { return Ok(false) };
        if journal.batch != Some(batch.last) {
            journal.batch = Some(batch.last);
            cx.write(|tx| save(tx, self.number, journal)).await?;
        }
        let mut open = self.worker.open(self.arn).await?;
        if delivered(open.table()?, self.number).is_none_or(|done| done < batch.last) {
            self.commit(&mut open, journal, batch.last).await?;
        }
        let after = std::mem::replace(&mut journal.delivered, batch.last);
        journal.batch = None;
        let touched = cx.read(|tx| live::touched(tx, self.number, after, batch.last))?;
        cx.write(|tx| {
            live::mark(tx, self.number, &touched)?;
            save(tx, self.number, journal)
        })
        .await?;
        if !batch.is_full {
            remove(cx, self.number, journal.delivered).await?;
        }
        Ok(batch.is_full)
    }

    /// The batch that is next, if it is due.
    fn next(
        &self,
        tx: &fogbank_core::ReadTx<'_>,
        journal: &Journal,
    ) -> Result<Option<Batch>, Error> {
        if let Some(last) = journal.batch {
            return Ok(Some(Batch { last, is_full: true }));
        }
        let now = self.worker.cx.now().millis();
        let (mut count, mut bytes) = (0, 0);
        let mut batch: Option<Batch> = None;
        let after = (self.number, journal.delivered.0, journal.delivered.1);
        RECORDS.range(&(self.number,)).after(&after).visit(tx, |key, record| {
            let waits = record.millis + DELAY_MILLIS > now && record.millis <= now;
            if count == 0 && waits && !journal.is_ended {
                return ControlFlow::Break(());
            }
            count += 1;
            bytes += weight(&record);
            let is_full = count == BATCH_RECORDS || bytes >= BATCH_BYTES;
            batch = Some(Batch { last: (key.1, key.2), is_full });
            if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(batch)
    }

    /// Writes the batch up to `last` into the table.
    async fn commit(
        &self,
        open: &mut Open<'_>,
        journal: &Journal,
        last: Place,
    ) -> Result<(), Trouble> {
        let name = format!("journal {} {} {}", self.number, last.0, last.1);
        let uuid = uuid_of(&name);
        let mut table = open.table()?.clone();
        let columns = table.current_schema().columns()?;
        let mut file = Writer::new("journal", columns)?;
        self.write_rows(&mut file, journal, last).await?;
        let (bytes, statistics) = file.finish_with_statistics()?;
        let path = format!("{}/data/{uuid}.parquet", open.location());
        let data = DataFile::parquet(&path, bytes.len(), &statistics);
        open.write(&path, bytes).await?;
        table
            .properties
            .insert(DELIVERED.to_owned(), format!("{} {} {}", self.number, last.0, last.1));
        let commit = Commit {
            snapshot_id: snapshot_of(&name),
            uuid,
            now_millis: self.worker.cx.now().millis(),
        };
        open.commit(table.append(commit, vec![data])).await
    }

    async fn write_rows(
        &self,
        file: &mut Writer,
        journal: &Journal,
        last: Place,
    ) -> Result<(), Trouble> {
        let bucket = (&*journal.bucket, journal.bucket_id);
        let mut after = (self.number, journal.delivered.0, journal.delivered.1);
        loop {
            let page = self.worker.cx.read(|tx| {
                let range = RECORDS.range(&(self.number,)).after(&after);
                range.up_to(&(self.number, last.0, last.1)).limit(PAGE).list(tx)
            })?;
            let is_last = page.len() < PAGE;
            for (key, record) in page {
                after = key;
                file.push(columns::of_record(bucket, (key.1, key.2), record))?;
            }
            if is_last {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

/// About how many bytes a record takes.
fn weight(record: &Record) -> usize {
    let pairs = |pairs: &[(String, String)]| -> usize {
        pairs.iter().map(|(key, value)| key.len() + value.len() + 16).sum()
    };
    let described = record
        .described
        .as_ref()
        .map_or(0, |described| pairs(&described.tags) + pairs(&described.metadata));
    record.key.len() + described + 300
}

/// How far a table says that it has come with the records of a configuration.
fn delivered(table: &Table, number: u64) -> Option<Place> {
    let mut numbers = table.properties.get(DELIVERED)?.split(' ').map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (of, transaction, place) = (next()?, next()?, next()?);
    (of == number).then_some((transaction, place))
}

/// Keeps how far a journal is. Whether it is ended, others decide.
pub(super) fn save(tx: &mut WriteTx<'_>, number: u64, row: &Journal) -> Result<(), Error> {
    let Some(now) = JOURNALS.get(tx, &number)? else { return Ok(()) };
    let (is_ended, table_arn) = (now.is_ended, now.table_arn);
    Ok(JOURNALS.put(tx, &number, &Journal { is_ended, table_arn, ..row.clone() })?)
}
