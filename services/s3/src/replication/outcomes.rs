//! How the work for a destination ends: the status of the version, and the events about it.

use fogbank_core::{BoxFuture, Cx, Fault, WriteTx};
use serde_json::Value;

use super::copying::{Job, Wanted, wanted};
use super::rules::Rule;
use super::state::{Progress, State};
use crate::error::Error;
use crate::events::{self, Change, Replicated};
use crate::store::Bucket;
use crate::versions::{self, Found};

const FAILED: &str = "OperationFailedReplication";
const MISSED: &str = "OperationMissedThreshold";
const AFTER: &str = "OperationReplicatedAfterThreshold";

/// Notes that a version could not be copied, and why.
pub(super) async fn fail(cx: &Cx, job: &Job, reason: Option<&'static str>) -> Result<(), Fault> {
    let located = cx.located(&job.account, &job.region);
    let failed = located.write(|tx| {
        let Some(Wanted { bucket, mut found, mut state, rule, .. }) = wanted(tx, job)? else {
            return Ok(());
        };
        if let Some(rule) = rule.filter(|rule| rule.has_metrics) {
            tell(tx, job, &bucket, (&mut found, &rule), (FAILED, &state, reason))?;
        }
        state.settle(&job.to, Progress::Failed);
        save(tx, job, found, &state)
    });
    Ok(failed.await?)
}

/// Notes that a version was copied.
pub(super) fn succeed(tx: &mut WriteTx<'_>, job: &Job, wanted: Wanted) -> Result<(), Error> {
    let Wanted { bucket, mut found, mut state, rule, target, .. } = wanted;
    if let Some(rule) = rule.filter(|_| target.late) {
        tell(tx, job, &bucket, (&mut found, &rule), (AFTER, &state, None))?;
    }
    state.settle(&job.to, Progress::Done);
    save(tx, job, found, &state)
}

fn save(tx: &mut WriteTx<'_>, job: &Job, mut found: Found, state: &State) -> Result<(), Error> {
    if let Some(object) = found.object_mut() {
        object.more_mut().replication = Some(state.text());
    }
    versions::save(tx, job.from(), found)
}

/// Sends an event about the work for a destination.
fn tell(
    tx: &mut WriteTx<'_>,
    job: &Job,
    bucket: &Bucket,
    (found, rule): (&mut Found, &Rule),
    (event, state, failure_reason): (&'static str, &State, Option<&'static str>),
) -> Result<(), Error> {
    let Some(object) = found.object_mut() else { return Ok(()) };
    let replicated = Replicated {
        rule_id: rule.id.clone(),
        destination: job.to.clone(),
        asked_millis: state.asked_millis,
        failure_reason,
    };
    let change = Change::replicated(event, &job.key, object, replicated);
    events::emit(tx, bucket, &job.bucket, &change)
}

/// Looks whether a copy is late, and tells so.
pub(crate) fn is_late(cx: Cx, input: Value) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let job = Job::read(&cx, &input);
        Ok(cx.write(|tx| missed(tx, &job)).await?)
    })
}

fn missed(tx: &mut WriteTx<'_>, job: &Job) -> Result<(), Error> {
    let Some(Wanted { bucket, mut found, mut state, rule, .. }) = wanted(tx, job)? else {
        return Ok(());
    };
    let Some(rule) = rule.filter(|rule| rule.has_time_control) else { return Ok(()) };
    let round = state.round;
    match state.waiting(round, &job.to) {
        Some(target) if !target.late => target.late = true,
        _ => return Ok(()),
    }
    tell(tx, job, &bucket, (&mut found, &rule), (MISSED, &state, None))?;
    save(tx, job, found, &state)
}
