//! Tables that show what is there now: the inventory and the annotation table.
//!
//! Such a table is cut into stretches of keys. At first, when it is *backfilled*, each stretch is written from what the bucket
//! holds, one after the other. From then on the records that come into the journal say which stretches changed, and those
//! are written anew, from what the bucket holds then, at most half an hour later; what did not change stays as it is.
//!
//! A step is noted before it is committed, with the stretches that it writes; the table's metadata says which step was the
//! last. So whoever was stopped in between knows whether it was committed, and what it made.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fogbank_columns::Writer;
use fogbank_core::{ReadTx, WriteTx};
use fogbank_iceberg::{Commit, DataFile, Removal, Table};

use super::live_rows::Source;
use super::maintenance;
use super::results::Kind;
use super::rows::{
    CONFIGURED, Configured, Failure, LIVES, Live, RECORDS, STRETCHES, Status, Step, Stretch,
    TableState,
};
use super::tables::{Open, Trouble, Worker, snapshot_of, uuid_of};
use crate::error::Error;

/// How many rows a stretch has at most, about: all of a key are in one.
const STRETCH_ROWS: usize = if cfg!(test) { 5 } else { 50_000 };
/// From how many bytes on a file of a stretch ends.
const FILE_BYTES: usize = 8 << 20;
/// How many stretches one commit writes anew.
const STRETCHES_AT_ONCE: usize = 32;
/// How long what changed waits. AWS shows changes within an hour.
const PAUSE_MILLIS: i64 = 1_800_000;
/// The property of a table that says the configuration and the number of the last step.
const STEP: &str = "fogbank.step";

impl Kind {
    /// The number under which rows have it.
    pub(super) fn number(self) -> u8 {
        match self {
            Kind::Journal => 0,
            Kind::Inventory => 1,
            Kind::Annotation => 2,
        }
    }
}

/// The tables that show what is there now.
pub(super) const LIVE: [Kind; 2] = [Kind::Inventory, Kind::Annotation];

impl Configured {
    /// The state of one of the tables; none if it is disabled.
    fn table(&self, kind: Kind) -> Option<&TableState> {
        match kind {
            Kind::Journal => Some(&self.journal),
            Kind::Inventory => self.inventory.as_ref(),
            Kind::Annotation => self.annotation.as_ref(),
        }
    }
}

/// What is to be done for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Recover,
    Update,
}

/// Finds out what became of steps that were stopped. Records may be marked as delivered only after that: a step that was
/// committed shows the bucket as it was then, and its stretches must be known for changes of them to be noted.
pub(super) async fn recover(worker: &Worker, name: &str, number: u64) -> Result<(), Error> {
    each(worker, name, number, Task::Recover).await
}

/// Brings the tables of a bucket up to date that show what is there now.
pub(super) async fn look_after(worker: &Worker, name: &str, number: u64) -> Result<(), Error> {
    each(worker, name, number, Task::Update).await
}

async fn each(worker: &Worker, name: &str, number: u64, task: Task) -> Result<(), Error> {
    for kind in LIVE {
        let row = worker.cx.read(|tx| CONFIGURED.get(tx, name))?;
        let Some(row) = row.filter(|row| row.number == number) else { return Ok(()) };
        let Some(table) = row.table(kind) else { continue };
        let (Status::Backfilling | Status::Active, Some(arn)) = (table.status, &table.arn) else {
            continue;
        };
        let source = Source::new(worker, name, kind, row.role.as_deref());
        let work = Work { worker, name, number, kind, arn, source };
        let outcome = match task {
            Task::Recover => work.recover().await,
            Task::Update => work.update().await,
        };
        let failure = match outcome {
            Ok(()) => continue,
            Err(Trouble::Broken(fault)) => return Err(fault.into()),
            Err(Trouble::Gone) => Failure::DestinationTableNotFound,
            Err(Trouble::Denied) => Failure::AccessDeniedWritingToTable,
        };
        worker.cx.write(|tx| work.settle(tx, Status::Failed(failure))).await?;
    }
    Ok(())
}

/// A stretch, by the number of its table's kind and its first key.
pub(super) type Touched = (u8, String);

/// The stretches that the records are about that wait for the journal of a configuration, behind one and up to another.
pub(super) fn touched(
    tx: &ReadTx<'_>,
    number: u64,
    after: (u64, u64),
    last: (u64, u64),
) -> Result<Vec<Touched>, Error> {
    let mut touched = Vec::new();
    for kind in LIVE.map(Kind::number) {
        let Some(live) = LIVES.get(tx, &(number, kind))? else { continue };
        let stretches = STRETCHES.range(&(number, kind)).keys(tx)?;
        let firsts: Vec<String> = stretches.into_iter().map(|(_, _, first)| first).collect();
        let mut places = BTreeSet::new();
        let range = RECORDS.range(&(number,)).after(&(number, after.0, after.1));
        range.up_to(&(number, last.0, last.1)).visit(tx, |_, record| {
            // What comes behind the last stretch that is written will be seen when it is.
            let is_written = live.backfill.as_ref().is_none_or(|next| record.key < *next);
            let behind = firsts.partition_point(|first| *first <= record.key);
            if is_written && let Some(place) = behind.checked_sub(1) {
                places.insert(place);
            }
            ControlFlow::Continue(())
        })?;
        touched.extend(places.into_iter().map(|place| (kind, firsts[place].clone())));
    }
    Ok(touched)
}

/// Notes that stretches changed.
pub(super) fn mark(tx: &mut WriteTx<'_>, number: u64, touched: &[Touched]) -> Result<(), Error> {
    for (kind, first) in touched {
        let key = (number, *kind, &**first);
        if let Some(stretch) = STRETCHES.get(tx, &key)?.filter(|stretch| !stretch.is_changed) {
            STRETCHES.put(tx, &key, &Stretch { is_changed: true, ..stretch })?;
        }
    }
    Ok(())
}

/// Forgets how far a table is that is written no more.
pub(super) fn forget(tx: &mut WriteTx<'_>, number: u64, kind: Kind) -> Result<(), Error> {
    let kind = kind.number();
    LIVES.delete(tx, &(number, kind))?;
    STRETCHES.delete_all(tx, &(number, kind))?;
    Ok(())
}

/// One table.
struct Work<'a> {
    worker: &'a Worker,
    name: &'a str,
    number: u64,
    kind: Kind,
    arn: &'a str,
    source: Source<'a>,
}

/// What was written for a step.
#[derive(Default)]
struct Written {
    files: Vec<DataFile>,
    added: Vec<(String, Vec<String>)>,
}

impl Work<'_> {
    fn key(&self) -> (u64, u8) {
        (self.number, self.kind.number())
    }

    async fn update(&self) -> Result<(), Trouble> {
        let cx = &self.worker.cx;
        let found = cx.read(|tx| LIVES.get(tx, &self.key()))?;
        let fresh = || Live { backfill: Some(String::new()), ..Live::default() };
        let mut live = found.unwrap_or_else(fresh);
        while let Some(first) = live.backfill.clone() {
            let mut open = self.worker.open(self.arn).await?;
            let mut written = Written::default();
            let generation = live.generation + 1;
            let next = self.write(&open, generation, &mut written, (&first, None)).await?;
            let step =
                Step { generation, added: std::mem::take(&mut written.added), backfill: next };
            self.take(&mut open, &mut live, step, written.files, BTreeSet::new()).await?;
        }
        let now = cx.now().millis();
        if (0..PAUSE_MILLIS).contains(&(now - live.refreshed_millis)) {
            return Ok(());
        }
        while self.refresh(&mut live).await? {}
        maintenance::expire(&mut self.worker.open(self.arn).await?, now).await?;
        live.refreshed_millis = now;
        cx.write(|tx| self.save(tx, &live)).await?;
        Ok(())
    }

    /// Writes some of the stretches anew that changed; says whether there were any.
    async fn refresh(&self, live: &mut Live) -> Result<bool, Trouble> {
        let changed = self.worker.cx.read(|tx| self.changed(tx))?;
        if changed.is_empty() {
            return Ok(false);
        }
        let mut open = self.worker.open(self.arn).await?;
        let generation = live.generation + 1;
        let mut written = Written::default();
        let mut gone = BTreeSet::new();
        for (first, stretch, end) in &changed {
            gone.extend(stretch.files.iter().cloned());
            let mut from = Some(first.clone());
            while let Some(first) = from {
                let within = (&*first, end.as_deref());
                from = self.write(&open, generation, &mut written, within).await?;
            }
        }
        let step = Step { generation, added: std::mem::take(&mut written.added), backfill: None };
        self.take(&mut open, live, step, written.files, gone).await?;
        Ok(true)
    }

    /// Stretches that changed, with their first keys and where they end.
    fn changed(
        &self,
        tx: &ReadTx<'_>,
    ) -> Result<Vec<(String, Stretch, Option<String>)>, fogbank_core::store::Error> {
        let mut changed: Vec<(String, Stretch, Option<String>)> = Vec::new();
        let mut is_open = false;
        STRETCHES.range(&self.key()).visit(tx, |(_, _, first), stretch| {
            if let Some((_, _, end)) = changed.last_mut().filter(|_| is_open) {
                *end = Some(first.clone());
            }
            is_open = stretch.is_changed && changed.len() < STRETCHES_AT_ONCE;
            let is_full = !is_open && changed.len() == STRETCHES_AT_ONCE;
            if is_open {
                changed.push((first, stretch, None));
            }
            if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(changed)
    }

    /// Writes the files of a stretch from a key on; returns where the next one begins, if this one came to its limit.
    async fn write(
        &self,
        open: &Open<'_>,
        generation: u64,
        written: &mut Written,
        (first, end): (&str, Option<&str>),
    ) -> Result<Option<String>, Trouble> {
        let columns = open.table()?.current_schema().columns()?;
        let mut walk = self.source.walk(first, end, STRETCH_ROWS);
        let mut paths = Vec::new();
        let mut file = Writer::new(self.kind.name(), columns.clone())?;
        loop {
            let page = walk.next().await?;
            let is_last = page.is_empty();
            for row in page {
                file.push(row)?;
            }
            if file.len() >= FILE_BYTES || (is_last && !file.is_empty()) {
                let done =
                    std::mem::replace(&mut file, Writer::new(self.kind.name(), columns.clone())?);
                let number = written.files.len();
                let of = format!("{} {} {generation} {number}", self.kind.name(), self.number);
                let path = format!("{}/data/{}.parquet", open.location(), uuid_of(&of));
                let (bytes, statistics) = done.finish_with_statistics()?;
                written.files.push(DataFile::parquet(&path, bytes.len(), &statistics));
                open.write(&path, bytes).await?;
                paths.push(path);
            }
            if is_last {
                break;
            }
            tokio::task::yield_now().await;
        }
        written.added.push((first.to_owned(), paths));
        Ok(walk.rest())
    }

    /// Notes a step, commits it, and notes that it was.
    async fn take(
        &self,
        open: &mut Open<'_>,
        live: &mut Live,
        step: Step,
        files: Vec<DataFile>,
        gone: BTreeSet<String>,
    ) -> Result<(), Trouble> {
        let cx = &self.worker.cx;
        live.step = Some(step.clone());
        cx.write(|tx| self.save(tx, live)).await?;
        let name = format!("{} {} {}", self.kind.name(), self.number, step.generation);
        let commit = Commit {
            snapshot_id: snapshot_of(&name),
            uuid: uuid_of(&name),
            now_millis: cx.now().millis(),
        };
        let mut table = open.table()?.clone();
        table.properties.insert(STEP.to_owned(), format!("{} {}", self.number, step.generation));
        let removal = if gone.is_empty() { Removal::Nothing } else { Removal::Files(gone) };
        open.commit(table.overwrite(commit, removal, files)).await?;
        self.apply(live, step).await
    }

    /// Finds out whether a step was committed, and notes what it made if it was.
    async fn recover(&self) -> Result<(), Trouble> {
        let found = self.worker.cx.read(|tx| LIVES.get(tx, &self.key()))?;
        let Some(mut live) = found else { return Ok(()) };
        let Some(step) = live.step.clone() else { return Ok(()) };
        let open = self.worker.open(self.arn).await?;
        if committed(open.table()?, self.number) == Some(step.generation) {
            return self.apply(&mut live, step).await;
        }
        // It is taken anew, under the next number, since what the bucket holds may have changed.
        let files: Vec<String> = step.added.iter().flat_map(|(_, files)| files.clone()).collect();
        open.forget(&files).await?;
        live.generation = step.generation;
        live.step = None;
        Ok(self.worker.cx.write(|tx| self.save(tx, &live)).await?)
    }

    async fn apply(&self, live: &mut Live, step: Step) -> Result<(), Trouble> {
        let was_backfilling = live.backfill.is_some();
        live.generation = step.generation;
        live.step = None;
        live.backfill.clone_from(&step.backfill);
        if was_backfilling && step.backfill.is_none() {
            live.refreshed_millis = self.worker.cx.now().millis();
        }
        let (number, kind) = self.key();
        let done = self.worker.cx.write(|tx| {
            // What changed since the files were written would be forgotten here, if anybody had marked it meanwhile. Only
            // the delivery of the same journal marks, and one task has both done, one after the other.
            for (first, files) in &step.added {
                let stretch = Stretch { files: files.clone(), is_changed: false };
                STRETCHES.put(tx, &(number, kind, &**first), &stretch)?;
            }
            self.save(tx, live)?;
            match was_backfilling && step.backfill.is_none() {
                true => self.settle(tx, Status::Active),
                false => Ok(()),
            }
        });
        Ok(done.await?)
    }

    /// Keeps how far the table is, unless it is written no more.
    fn save(&self, tx: &mut WriteTx<'_>, live: &Live) -> Result<(), Error> {
        match self.is_meant(tx)? {
            true => Ok(LIVES.put(tx, &self.key(), live)?),
            false => forget(tx, self.number, self.kind),
        }
    }

    /// Whether the configuration still has the table.
    fn is_meant(&self, tx: &WriteTx<'_>) -> Result<bool, Error> {
        let row = CONFIGURED.get(tx, self.name)?.filter(|row| row.number == self.number);
        let arn = row.as_ref().and_then(|row| row.table(self.kind)?.arn.as_deref());
        Ok(arn == Some(self.arn))
    }

    /// Sets the status of the table.
    fn settle(&self, tx: &mut WriteTx<'_>, status: Status) -> Result<(), Error> {
        if !self.is_meant(tx)? {
            return Ok(());
        }
        let Some(mut row) = CONFIGURED.get(tx, self.name)? else { return Ok(()) };
        if let Some(table) = row.table_mut(self.kind) {
            table.status = status;
        }
        if let Status::Failed(_) = status {
            forget(tx, self.number, self.kind)?;
        }
        Ok(CONFIGURED.put(tx, self.name, &row)?)
    }
}

/// The last step that a table says was taken for a configuration.
fn committed(table: &Table, number: u64) -> Option<u64> {
    let (of, generation) = table.properties.get(STEP)?.split_once(' ')?;
    (of.parse() == Ok(number)).then(|| generation.parse().ok()).flatten()
}
