//! The task that does batch jobs.
//!
//! A job is prepared by reading its manifest into chunks of entries; then some of the first chunk are done at a time, side by
//! side, and what came of them is kept in the transaction that takes them away; at last the report is written. Killed
//! anywhere, a job goes on with the entries that it was at: these may be done again, as on AWS, but are told of once.
//!
//! Of the jobs of an account in a region those of the highest priority go on at once, and the others wait for them.

mod checksums;
pub(crate) mod entries;
mod functions;
mod generated;
mod manifests;
mod operations;
mod replication;
mod reports;
mod roles;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fogbank_accesspoints::REPLICATIONS;
use fogbank_core::{BoxFuture, Cx, Fault, ReadTx, WriteTx, tracing};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::Error;
use crate::jobs;
use crate::model::CreateJobInput;
pub(crate) use checksums::is_known as is_known_checksum;

use crate::store::{CHUNKS, JOBS, Job, JobKey, LINES, LIVE, Status};

/// The topic and name of the task.
pub(crate) const TASK: &str = "s3control.jobs";
/// How long the task rests when nothing wakes it.
pub(crate) const PAUSE: Duration = Duration::from_secs(900);
/// By which name policies know who does the jobs.
pub(crate) const SERVICE: &str = "batchoperations.s3.amazonaws.com";
/// For how long a job that has ended can be looked at.
const KEPT_MILLIS: i64 = 90 * 86_400_000;
/// How many jobs go on at once.
const AT_ONCE: usize = 16;

/// What wakes the work of a job when its status was changed.
pub(crate) fn topic(key: &JobKey) -> String {
    format!("{TASK}/{}", key.2)
}

/// Does all jobs as far as they can be done now.
pub(crate) fn run(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        forget_old(&cx).await?;
        let waiter = cx.wakes().waiter(TASK);
        let mut under_way = FuturesUnordered::new();
        let mut busy = BTreeSet::new();
        // What fails for a reason of ours waits for the next round.
        let mut put_off = BTreeSet::new();
        loop {
            for (key, step) in cx.read(next)? {
                if busy.len() == AT_ONCE || put_off.contains(&key) || !busy.insert(key.clone()) {
                    continue;
                }
                under_way.push(begin(cx.located(&key.0, &key.1), key, step));
            }
            if under_way.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some((key, outcome)) = under_way.next() => {
                    busy.remove(&key);
                    if let Err(error) = outcome {
                        let error = Fault::from(error);
                        tracing::warn!(id = key.2, ?error, "a batch job waits");
                        put_off.insert(key);
                    }
                }
                () = waiter.wait() => {}
            }
        }
    })
}

/// What is to be done next with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Prepare,
    Activate,
    Work,
    Pause,
    Report,
}

/// The jobs with which something is to be done.
fn next(tx: &ReadTx<'_>) -> Result<Vec<(JobKey, Step)>, Error> {
    let mut found = Vec::new();
    let mut highest: BTreeMap<(String, String), i32> = BTreeMap::new();
    for (key, ()) in LIVE.list(tx, &())? {
        let Some(job) = JOBS.get(tx, &key)? else { continue };
        if is_runnable(job.status) {
            let place = highest.entry((key.0.clone(), key.1.clone())).or_insert(job.priority);
            *place = job.priority.max(*place);
        }
        found.push((key, job));
    }
    let step = |(key, job): (JobKey, Job)| {
        let is_first = highest.get(&(key.0.clone(), key.1.clone())) == Some(&job.priority);
        let step = match job.status {
            Status::New | Status::Preparing => Step::Prepare,
            Status::Ready | Status::Paused if is_first => Step::Activate,
            Status::Active if is_first => Step::Work,
            Status::Active | Status::Pausing => Step::Pause,
            Status::Completing | Status::Failing | Status::Cancelling => Step::Report,
            _ => return None,
        };
        Some((key, step))
    };
    Ok(found.into_iter().filter_map(step).collect())
}

fn is_runnable(status: Status) -> bool {
    matches!(status, Status::Ready | Status::Active | Status::Pausing | Status::Paused)
}

fn begin(cx: Cx, key: JobKey, step: Step) -> BoxFuture<'static, (JobKey, Result<(), Error>)> {
    Box::pin(async move {
        let outcome = take(&cx, &key, step).await;
        (key, outcome)
    })
}

async fn take(cx: &Cx, key: &JobKey, step: Step) -> Result<(), Error> {
    match step {
        Step::Prepare => prepare(cx, key).await,
        Step::Activate => turn(cx, key, &[Status::Ready, Status::Paused], Status::Active).await,
        Step::Pause => {
            turn(cx, key, &[Status::Active], Status::Pausing).await?;
            turn(cx, key, &[Status::Pausing], Status::Paused).await
        }
        Step::Work => match load(cx, key)? {
            Some(running) => work::some(&running).await,
            None => Ok(()),
        },
        Step::Report => match load(cx, key)? {
            Some(running) => reports::write(&running).await,
            None => Ok(()),
        },
    }
}

/// A job as it is being done.
struct Running<'a> {
    cx: &'a Cx,
    key: &'a JobKey,
    job: Job,
    asked: CreateJobInput,
}

fn load<'a>(cx: &'a Cx, key: &'a JobKey) -> Result<Option<Running<'a>>, Error> {
    let Some(job) = cx.read(|tx| JOBS.get(tx, key))? else { return Ok(None) };
    let asked = jobs::request(&job)?;
    Ok(Some(Running { cx, key, job, asked }))
}

impl Running<'_> {
    fn arn(&self) -> String {
        jobs::arn((&self.key.0, &self.key.1, &self.key.2))
    }

    /// Changes the job's row, unless its status is another by now: then nothing is changed, and the answer is no.
    async fn change(
        &self,
        status: Status,
        mut change: impl FnMut(&mut WriteTx<'_>, &mut Job) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        self.cx
            .write(|tx| {
                let found = JOBS.get(tx, self.key)?.filter(|job| job.status == status);
                let Some(mut job) = found else { return Ok(false) };
                change(tx, &mut job)?;
                if job.status.is_final() {
                    LIVE.delete(tx, self.key)?;
                }
                JOBS.put(tx, self.key, &job)?;
                Ok(true)
            })
            .await
    }
}

/// Gives a job a status, if it has one of these.
async fn turn(cx: &Cx, key: &JobKey, from: &[Status], to: Status) -> Result<(), Error> {
    cx.write(|tx| {
        if let Some(mut job) = JOBS.get(tx, key)?.filter(|job| from.contains(&job.status)) {
            job.status = to;
            JOBS.put(tx, key, &job)?;
        }
        Ok(())
    })
    .await
}

/// Why a job fails as a whole: a code and a reason. The codes are guesses, AWS publishes none.
type Failure = (&'static str, String);

/// Why a job does not go on.
enum Trouble {
    /// It fails.
    Failed(Failure),
    /// It was cancelled meanwhile.
    Ended,
    /// Something is broken and may heal.
    Broken(Fault),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Broken(error.into())
    }
}

/// Whether a fault is the cloud's own, so that it may heal.
fn may_heal(fault: &Fault) -> bool {
    fault.cause().is_some()
        || matches!(
            fault.name(),
            "InternalError"
                | "InternalFailure"
                | "InternalServiceException"
                | "OperationAborted"
                | "RequestTimeout"
                | "ServiceException"
                | "ServiceUnavailable"
                | "SlowDown"
                | "TooManyRequestsException"
        )
}

async fn prepare(cx: &Cx, key: &JobKey) -> Result<(), Error> {
    turn(cx, key, &[Status::New], Status::Preparing).await?;
    // What was read before the server was killed is read anew.
    clear_chunks(cx, key).await?;
    let Some(running) = load(cx, key)? else { return Ok(()) };
    let anew = |_: &mut WriteTx<'_>, job: &mut Job| {
        (job.chunks, job.total) = ((0, 0), None);
        Ok(())
    };
    if !running.change(Status::Preparing, anew).await? {
        return Ok(());
    }
    let outcome = manifests::read(&running).await;
    let now_millis = cx.now().millis();
    match outcome {
        Ok(()) => {
            let must_confirm = running.asked.confirmation_required == Some(true);
            let ready = |_: &mut WriteTx<'_>, job: &mut Job| {
                job.status = if must_confirm { Status::Suspended } else { Status::Ready };
                job.suspended_millis = must_confirm.then_some(now_millis);
                Ok(())
            };
            running.change(Status::Preparing, ready).await?;
        }
        Err(Trouble::Failed((code, reason))) => {
            let fail = |_: &mut WriteTx<'_>, job: &mut Job| {
                job.status = Status::Failing;
                job.failures = vec![(code.to_owned(), reason.clone())];
                Ok(())
            };
            running.change(Status::Preparing, fail).await?;
        }
        Err(Trouble::Ended) => {}
        Err(Trouble::Broken(fault)) => return Err(fault.into()),
    }
    Ok(())
}

/// How many rows one transaction removes.
const REMOVED_AT_ONCE: usize = 200;

/// Forgets what was read of a manifest.
async fn clear_chunks(cx: &Cx, key: &JobKey) -> Result<(), Error> {
    let (account, region, id) = (&*key.0, &*key.1, &*key.2);
    let some = |tx: &mut WriteTx<'_>| -> Result<bool, Error> {
        let range = CHUNKS.range(&(account, region, id)).limit(REMOVED_AT_ONCE);
        let keys = range.keys(tx)?;
        for key in &keys {
            CHUNKS.delete(tx, key)?;
        }
        Ok(keys.len() == REMOVED_AT_ONCE)
    };
    while cx.write(some).await? {}
    Ok(())
}

/// Forgets what was to be told of a job.
async fn clear_lines(cx: &Cx, key: &JobKey) -> Result<(), Error> {
    let (account, region, id) = (&*key.0, &*key.1, &*key.2);
    let some = |tx: &mut WriteTx<'_>| -> Result<bool, Error> {
        // What S3 answered to a task that nobody waits for any more.
        for key in REPLICATIONS.range(&(account, region, id)).limit(REMOVED_AT_ONCE).keys(tx)? {
            REPLICATIONS.delete(tx, &key)?;
        }
        let keys = LINES.range(&(account, region, id)).limit(REMOVED_AT_ONCE).keys(tx)?;
        for key in &keys {
            LINES.delete(tx, key)?;
        }
        Ok(keys.len() == REMOVED_AT_ONCE)
    };
    while cx.write(some).await? {}
    Ok(())
}

/// Forgets the jobs that ended long ago.
async fn forget_old(cx: &Cx) -> Result<(), Error> {
    let before_millis = cx.now().millis() - KEPT_MILLIS;
    let is_old = |_: &JobKey, job: &Job| job.ended_millis.is_some_and(|at| at <= before_millis);
    fogbank_core::reset::each(cx, &JOBS, is_old, jobs::forget).await?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    //! Steps that are repeated as they are when the server is killed.

    use super::*;

    /// Does a job with every step done twice: the second time with what was known before the first.
    pub(crate) async fn steps(cx: &Cx, key: &JobKey) {
        prepare(cx, key).await.expect("prepared");
        turn(cx, key, &[Status::Ready], Status::Active).await.expect("active");
        let stale = load(cx, key).expect("a job").expect("a job");
        work::some(&stale).await.expect("done");
        work::some(&stale).await.expect("done");
        let stale = load(cx, key).expect("a job").expect("a job");
        assert_eq!(stale.job.status, Status::Completing);
        assert!(reports::write_all(&stale).await.is_ok());
        assert!(reports::write_all(&stale).await.is_ok());
        clear_lines(cx, key).await.expect("cleared");
        let again = load(cx, key).expect("a job").expect("a job");
        reports::write(&again).await.expect("written");
    }
}
