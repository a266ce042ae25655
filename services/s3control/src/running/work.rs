//! Some tasks of a job at a time: they are done side by side, and what came of them is kept in one transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fogbank_core::{BoxFuture, Fault, Principal, WriteTx};
use futures_util::stream::{self, StreamExt};

use super::entries::{encode, field};
use super::{Running, Trouble, may_heal, operations, roles};
use crate::error::Error;
use crate::model::JobReportScope;
use crate::store::{CHUNKS, Chunk, Entry, JOBS, Job, LINES, Lines, Status};

/// How many tasks are under way at once.
const SIDE_BY_SIDE: usize = 16;
/// How often a task is tried whose failure may heal. AWS does not say how often it does.
const MAX_ATTEMPTS: u8 = 4;
/// After how many tasks a job fails of which more than half failed.
const FAIR_CHANCE: u64 = 1000;
/// The most characters of a message in a report, as AWS has it for functions.
const MAX_MESSAGE: usize = 1024;

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done; what the report says.
    Succeeded(String),
    /// It failed: a status of HTTP, a code and a message.
    Failed(u16, String, String),
    /// It is to be tried again, and failed so if it was tried often enough.
    Again(u16, String, String),
    /// It was not begun.
    Left,
}

impl Outcome {
    /// A refusal, or something that may heal.
    pub(super) fn of_fault(fault: &Fault) -> Outcome {
        let status = fault.status().unwrap_or_else(|| status_of(fault.name()));
        let (code, message) = (fault.name().to_owned(), fault.message().to_owned());
        match may_heal(fault) {
            true => Outcome::Again(status, code, message),
            false => Outcome::Failed(status, code, message),
        }
    }
}

/// The status that goes with a code of S3 or Lambda, as far as tasks meet them.
fn status_of(code: &str) -> u16 {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "InvalidObjectState"
        | "ObjectAlreadyInActiveTierError" => 403,
        "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchVersion"
        | "NotFound"
        | "ResourceNotFoundException" => 404,
        "MethodNotAllowed" => 405,
        "OperationAborted" | "RestoreAlreadyInProgress" => 409,
        "PreconditionFailed" => 412,
        "TooManyRequestsException" => 429,
        "NotImplemented" => 501,
        "ServiceUnavailable" | "SlowDown" => 503,
        "InternalError" | "InternalFailure" | "ServiceException" => 500,
        _ => 400,
    }
}

/// Does some of the first tasks that are left; ends the work if none are.
pub(super) async fn some(running: &Running<'_>) -> Result<(), Error> {
    let number = running.job.chunks.0;
    let (account, region, id) = running.key;
    let at = (&**account, &**region, &**id, number);
    let Some(Chunk(entries)) = running.cx.read(|tx| CHUNKS.get(tx, &at))? else {
        let end = |_: &mut WriteTx<'_>, job: &mut Job| {
            job.status = Status::Completing;
            Ok(())
        };
        running.change(Status::Active, end).await?;
        return Ok(());
    };
    let role = match roles::assume(running).await {
        Ok(role) => role,
        Err(Trouble::Failed(failure)) => return fail(running, failure).await,
        Err(Trouble::Ended) => return Ok(()),
        Err(Trouble::Broken(fault)) => return Err(fault.into()),
    };
    let count = entries.len().min(operations::at_once(&running.asked.operation));
    let (now, later) = entries.split_at(count);
    if let Some(attempts) = now.iter().map(|entry| entry.attempts).max().filter(|count| *count > 0)
    {
        running.cx.clock().rest(Duration::from_millis(100 << attempts.min(6))).await;
    }
    let begun_millis = running.cx.now().millis();
    let outcomes = perform(running, &role, now).await?;
    let done = Done {
        number,
        entries: now,
        outcomes: &outcomes,
        later,
        millis: (running.cx.now().millis() - begun_millis).max(0) as u64,
        is_told: is_told(running),
    };
    running.cx.write(|tx| done.keep(tx, running)).await
}

async fn fail(running: &Running<'_>, (code, reason): super::Failure) -> Result<(), Error> {
    let end = |_: &mut WriteTx<'_>, job: &mut Job| {
        job.status = Status::Failing;
        job.failures = vec![(code.to_owned(), reason.clone())];
        Ok(())
    };
    running.change(Status::Active, end).await?;
    Ok(())
}

/// Whether the report tells of tasks that succeeded, and of those that failed.
fn is_told(running: &Running<'_>) -> (bool, bool) {
    let report = &running.asked.report;
    let tells_all = report.report_scope == Some(JobReportScope::AllTasks);
    (report.enabled && tells_all, report.enabled)
}

/// Does tasks until they are done, or the job is to stop.
async fn perform(
    running: &Running<'_>,
    role: &Principal,
    entries: &[Entry],
) -> Result<Vec<Outcome>, Error> {
    let waiter = running.cx.wakes().waiter(&super::topic(running.key));
    let has_stopped = AtomicBool::new(false);
    let tasks: Vec<BoxFuture<'_, Outcome>> =
        entries.iter().map(|entry| task(running, role, entry, &has_stopped)).collect();
    let mut under_way = stream::iter(tasks).buffered(SIDE_BY_SIDE);
    let mut outcomes = Vec::with_capacity(entries.len());
    loop {
        tokio::select! {
            biased;
            outcome = under_way.next() => match outcome {
                Some(outcome) => outcomes.push(outcome),
                None => return Ok(outcomes),
            },
            () = waiter.wait() => {
                let job = running.cx.read(|tx| JOBS.get(tx, running.key))?;
                let goes_on = job.is_some_and(|job| job.status == Status::Active);
                has_stopped.store(!goes_on, Ordering::Relaxed);
            }
        }
    }
}

/// One task, which is left if the job is to stop before it begins.
fn task<'a>(
    running: &'a Running<'_>,
    role: &'a Principal,
    entry: &'a Entry,
    has_stopped: &'a AtomicBool,
) -> BoxFuture<'a, Outcome> {
    Box::pin(async move {
        match has_stopped.load(Ordering::Relaxed) {
            true => Outcome::Left,
            false => operations::perform(running, role, entry).await,
        }
    })
}

/// What was done of a chunk.
struct Done<'a> {
    number: u64,
    entries: &'a [Entry],
    outcomes: &'a [Outcome],
    later: &'a [Entry],
    millis: u64,
    is_told: (bool, bool),
}

impl Done<'_> {
    /// Keeps what came of the tasks, and takes them from what is to be done.
    fn keep(&self, tx: &mut WriteTx<'_>, running: &Running<'_>) -> Result<(), Error> {
        let found = JOBS.get(tx, running.key)?;
        let is_same = |job: &Job| !job.status.is_final() && job.chunks.0 == self.number;
        let Some(mut job) = found.filter(is_same) else { return Ok(()) };
        let (mut succeeded, mut failed) = (String::new(), String::new());
        let (mut left, mut again) = (Vec::new(), Vec::new());
        for (entry, outcome) in self.entries.iter().zip(self.outcomes) {
            match outcome {
                Outcome::Left => left.push(entry.clone()),
                Outcome::Again(..) if entry.attempts + 1 < MAX_ATTEMPTS => {
                    again.push(Entry { attempts: entry.attempts + 1, ..entry.clone() });
                }
                Outcome::Succeeded(message) => {
                    job.succeeded += 1;
                    succeeded += &line(entry, "succeeded", 200, "", message);
                }
                Outcome::Again(status, code, message) | Outcome::Failed(status, code, message) => {
                    job.failed += 1;
                    failed += &line(entry, "failed", *status, code, message);
                }
            }
        }
        left.extend_from_slice(self.later);
        let (account, region, id) = running.key;
        let at = |number: u64| (&**account, &**region, &**id, number);
        if left.is_empty() {
            CHUNKS.delete(tx, &at(self.number))?;
            job.chunks.0 += 1;
        } else {
            CHUNKS.put(tx, &at(self.number), &Chunk(left))?;
        }
        if !again.is_empty() {
            CHUNKS.put(tx, &at(job.chunks.1), &Chunk(again))?;
            job.chunks.1 += 1;
        }
        let of = [(false, self.is_told.0, succeeded), (true, self.is_told.1, failed)];
        for (is_of_failed, is_told, lines) in of {
            if is_told && !lines.is_empty() {
                let key = (&**account, &**region, &**id, is_of_failed, job.lines);
                LINES.put(tx, &key, &Lines(lines))?;
            }
        }
        job.lines += 1;
        job.active_millis += self.millis;
        settle(&mut job);
        Ok(JOBS.put(tx, running.key, &job)?)
    }
}

/// Ends the work of a job that is done, or fails too often.
fn settle(job: &mut Job) {
    if job.status != Status::Active {
        return;
    }
    let done = job.succeeded + job.failed;
    if done >= FAIR_CHANCE && job.failed * 2 > done {
        job.status = Status::Failing;
        let reason = format!("More than half of the tasks failed: {} of {done}.", job.failed);
        job.failures = vec![("FailureThresholdExceeded".to_owned(), reason)];
    } else if job.chunks.0 == job.chunks.1 {
        job.status = Status::Completing;
    }
}

/// A line of the report. The status of HTTP stands before the code, as in AWS's examples, though the schema that reports name
/// has them the other way round.
fn line(entry: &Entry, word: &str, status: u16, code: &str, message: &str) -> String {
    let version = entry.version.as_deref().unwrap_or_default();
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    format!(
        "{},{},{},{word},{status},{},{}\n",
        field(&entry.bucket),
        field(&encode(&entry.key)),
        field(version),
        field(code),
        field(&message)
    )
}
