//! Replication of annotations: each is copied by itself, after its version, and so is its removal.
//!
//! That live replication copies annotations one by one, as they change, AWS says. Which permissions the role needs for them
//! it does not say: those for the version are enough here. That removals are repeated, too, is a guess.

use fogbank_core::{Cx, Fault, Tx, WriteTx, tracing};
use serde_json::{Value, json};

use super::copying::{self, Job};
use super::roles::{self, Trouble};
use super::rules::Rule;
use super::state::{Progress, State, Target};
use super::{ANNOTATION_JOB, compiled, job, subject};
use crate::annotations::rows::{self, Annotation};
use crate::annotations::stored;
use crate::bodies::{self, Received};
use crate::ciphers::Locked;
use crate::encryption::{self, Sealing};
use crate::error::Error;
use crate::events::{self, Change};
use crate::metadata_tables::{By, Entry, RecordKind, note};
use crate::store::{BUCKETS, Bucket, Encryption, Object};
use crate::versions::{self, At};

/// The rules that mean the annotations of a version; none if no copy of it was asked for.
fn meant(
    tx: &(impl Tx + ?Sized),
    bucket: &Bucket,
    (at, object): (At<'_>, &Object),
) -> Result<Vec<Rule>, Error> {
    let before = object.more.as_ref().and_then(|more| more.replication.as_deref());
    let Some(before) = before.map(State::read) else { return Ok(Vec::new()) };
    let Some(rules) = compiled(tx, at.0, bucket)? else { return Ok(Vec::new()) };
    let repeats = |rule: &&Rule| !before.is_replica() || rule.replica_modifications;
    Ok(rules.of(&subject(at.1, object)).into_iter().filter(repeats).cloned().collect())
}

/// Has a new annotation copied, as the rules of its bucket say of its version. The caller writes the annotation.
pub(crate) fn annotated(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    (at, object): (At<'_>, &Object),
    name: &str,
    status: &mut Option<String>,
) -> Result<(), Error> {
    let meant = meant(tx, bucket, (at, object))?;
    if meant.is_empty() {
        return Ok(());
    }
    let targets = meant.iter().map(|rule| Target::new(rule, true)).collect();
    let state = State::pending(tx.version(), tx.now(), targets, false);
    for target in &state.targets {
        let input = json!({
            "bucket": at.0, "key": at.1, "number": object.version, "round": state.round,
            "to": target.to, "annotation": name,
        });
        tx.emit(job(bucket, ANNOTATION_JOB, &input, &target.to))?;
    }
    *status = Some(state.text());
    Ok(())
}

/// Has the removal of an annotation repeated where it was copied.
pub(crate) fn annotation_removed(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    (at, object): (At<'_>, &Object),
    name: &str,
) -> Result<(), Error> {
    for rule in meant(tx, bucket, (at, object))? {
        let input = json!({
            "bucket": at.0, "key": at.1, "number": object.version, "round": tx.version(),
            "to": rule.destination, "rule": rule.id, "annotation": name, "removed": true,
        });
        tx.emit(job(bucket, ANNOTATION_JOB, &input, &rule.destination))?;
    }
    Ok(())
}

/// What a job is about.
struct Task {
    job: Job,
    name: String,
    /// The rule after which a removal is repeated; none for what is to be copied.
    removal: Option<String>,
}

/// What is to be done, as the rows have it.
struct Wanted {
    bucket: Bucket,
    object: Object,
    /// The annotation with the number under which it lies; none if it was removed.
    annotation: Option<(u64, Annotation)>,
    rule: Rule,
    role: String,
}

/// Looks up what is still wanted; nothing if the version is gone, or something else is wanted by now.
fn wanted(tx: &(impl Tx + ?Sized), task: &Task) -> Result<Option<Wanted>, Trouble> {
    let at = task.job.from();
    let Some(bucket) = BUCKETS.get(tx, at.0)? else { return Ok(None) };
    let found = versions::numbered(tx, at, task.job.number)?;
    let Some(object) = found.and_then(|mut found| found.object_mut().cloned()) else {
        return Ok(None);
    };
    let annotated = rows::annotated(tx, at, object.version)?;
    let annotation = rows::find(tx, at, object.version, &task.name)?;
    let annotation = annotated.map(|annotated| annotated.number).zip(annotation);
    let rule = match (&task.removal, &annotation) {
        (Some(rule), None) => rule.clone(),
        (None, Some((_, annotation))) => {
            let state = annotation.listed.replication.as_deref().map(State::read);
            let target = state.and_then(|mut state| {
                state.waiting(task.job.round, &task.job.to).map(|target| target.rule.clone())
            });
            let Some(rule) = target else { return Ok(None) };
            rule
        }
        _ => return Ok(None),
    };
    let rules = compiled(tx, at.0, &bucket)?;
    let named = rules.as_ref().and_then(|rules| Some((rules.named(&rule)?.clone(), &rules.role)));
    let Some((rule, role)) = named else {
        return Err(Trouble::Refused("SrcBucketReplicationConfigMissing"));
    };
    Ok(Some(Wanted { role: role.clone(), bucket, object, annotation, rule }))
}

/// Does a job.
pub(crate) async fn run(cx: Cx, input: Value) -> Result<(), Fault> {
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let removal = (input["removed"] == true).then(|| text("rule"));
    let task = Task { job: Job::read(&cx, &input), name: text("annotation"), removal };
    if task.job.is_exhausted {
        return fail(&cx, &task).await;
    }
    let mut outcome = attempt(&cx, &task, true).await;
    if let Err(Trouble::Refused(_)) = outcome {
        // The session may be one of a role that has changed since.
        outcome = attempt(&cx, &task, false).await;
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(Trouble::Broken(fault)) => Err(fault),
        Err(Trouble::Refused(reason)) => {
            let Job { bucket, key, to, .. } = &task.job;
            tracing::debug!(bucket, key, to, reason, "an annotation is not replicated");
            fail(&cx, &task).await
        }
    }
}

async fn attempt(cx: &Cx, task: &Task, may_reuse: bool) -> Result<(), Trouble> {
    let job = &task.job;
    let Some(wanted) = cx.read(|tx| wanted(tx, task))? else { return Ok(()) };
    let Wanted { bucket, object, rule, .. } = &wanted;
    let to = cx.read(|tx| copying::destination(tx, job, bucket, rule))?;
    let role_cx = roles::assume(cx, &job.bucket, bucket, &wanted.role, may_reuse).await?;
    roles::check(&role_cx, (&job.bucket, &job.to, &job.key), bucket, object, rule)?;
    let there = cx.read(|tx| versions::numbered(tx, job.to(), job.number))?;
    let Some(there) = there.and_then(|mut there| there.object_mut().cloned()) else {
        return match awaits_copy(object, &job.to) {
            true => Err(Trouble::Broken(Fault::internal("the version is not there yet"))),
            false => Err(Trouble::Refused("DstVersionNotFound")),
        };
    };
    let sealed = match &wanted.annotation {
        Some((_, annotation)) => seal(&role_cx, task, annotation, (&to, &there)).await?,
        None => None,
    };
    role_cx.write(|tx| repeat(tx, task, sealed.as_ref())).await
}

fn awaits_copy(object: &Object, to: &str) -> bool {
    let state = object.more.as_ref().and_then(|more| more.replication.as_deref());
    state.is_some_and(|state| State::read(state).awaits_copy(to))
}

/// Writes an annotation anew, if it or the copy of its version is encrypted with a key of KMS.
async fn seal(
    cx: &Cx,
    task: &Task,
    annotation: &Annotation,
    (to, there): (&Bucket, &Object),
) -> Result<Option<(Sealing, Received)>, Trouble> {
    let job = &task.job;
    let sealing = match there.encryption() {
        Some(Encryption::Kms(kms)) => {
            encryption::of_replica(cx, to, job.to(), &kms.key_arn, kms).await.map_err(|error| {
                copying::refused(error, ["DstPutObjectNotPermitted", "DstKmsKeyInvalidState"])
            })?
        }
        _ => Sealing::Managed,
    };
    if sealing.is_managed() && annotation.encryption.is_none() {
        return Ok(None);
    }
    let locked = cx.read(|tx| Locked::new(tx.cx(), &stored(annotation)))?;
    let key =
        encryption::open(cx, job.from(), annotation.encryption.as_ref(), None).await.map_err(
            |error| copying::refused(error, ["SrcGetObjectNotPermitted", "SrcKmsKeyInvalidState"]),
        )?;
    let reader = locked.unlock(key.as_ref())?;
    let algorithm = Some(annotation.listed.checksum.algorithm);
    let received = bodies::copy(cx, reader, algorithm, sealing.sealer(cx)).await?;
    Ok(Some((sealing, received)))
}

/// Writes the copy, or removes it, and notes that it is done.
fn repeat(
    tx: &mut WriteTx<'_>,
    task: &Task,
    sealed: Option<&(Sealing, Received)>,
) -> Result<(), Trouble> {
    let job = &task.job;
    let Some(wanted) = wanted(tx, task)? else { return Ok(()) };
    let to = copying::destination(tx, job, &wanted.bucket, &wanted.rule)?;
    let there = versions::numbered(tx, job.to(), job.number)?;
    let Some(there) = there.and_then(|mut there| there.object_mut().cloned()) else {
        return Err(Trouble::Refused("DstVersionNotFound"));
    };
    let Some((number, annotation)) = wanted.annotation else {
        if rows::remove(tx, job.to(), there.version, &task.name)? {
            let change = Change::annotated("Delete", &job.key, &there);
            events::emit(tx, &to, &job.to, &change)?;
            let entry = Entry::Annotated(RecordKind::DeleteAnnotation, &there, &task.name);
            note(tx, &to, job.to(), entry, By::S3)?;
        }
        return Ok(());
    };
    let mut copy = annotation.clone();
    copy.listed.replication = Some(State::replica().text());
    match sealed {
        Some((sealing, received)) => {
            copy.encryption = sealing.keep(tx, received.nonce)?;
            copy.body.clone_from(&received.body);
        }
        None => copy.body.retain(tx)?,
    }
    rows::put(tx, job.to(), there.version, (&task.name, &copy))?;
    events::emit(tx, &to, &job.to, &Change::annotated("Put", &job.key, &there))?;
    let entry = Entry::Annotated(RecordKind::CreateAnnotation, &there, &task.name);
    note(tx, &to, job.to(), entry, By::S3)?;
    Ok(settle(tx, task, (number, annotation), Progress::Done)?)
}

/// Notes how the work for a destination ended.
fn settle(
    tx: &mut WriteTx<'_>,
    task: &Task,
    (number, mut annotation): (u64, Annotation),
    progress: Progress,
) -> Result<(), Error> {
    let Some(kept) = annotation.listed.replication.as_deref() else { return Ok(()) };
    let mut state = State::read(kept);
    state.settle(&task.job.to, progress);
    annotation.listed.replication = Some(state.text());
    rows::save(tx, number, &task.name, &annotation)
}

/// Notes that an annotation could not be copied.
async fn fail(cx: &Cx, task: &Task) -> Result<(), Fault> {
    let located = cx.located(&task.job.account, &task.job.region);
    let failed = located.write(|tx| {
        let at = task.job.from();
        let Some(annotated) = rows::annotated(tx, at, task.job.number)? else { return Ok(()) };
        let found = rows::find(tx, at, task.job.number, &task.name)?;
        let Some(annotation) = found.filter(|_| task.removal.is_none()) else { return Ok(()) };
        let kept = annotation.listed.replication.as_deref().map(State::read);
        let waits =
            kept.is_some_and(|mut state| state.waiting(task.job.round, &task.job.to).is_some());
        if !waits {
            return Ok(());
        }
        settle(tx, task, (annotated.number, annotation), Progress::Failed)
    });
    Ok(failed.await?)
}
