//! The job that copies a version, a change of one, or a delete marker, to one bucket.
//!
//! Looking, asking IAM and encrypting anew come first; then one transaction looks again, writes the copy and the status of
//! the version. Killed anywhere, the job begins anew.

use std::cmp::Reverse;

use fogbank_core::{Cx, Fault, Timestamp, Tx, WriteTx, tracing};
use serde_json::Value;

use super::outcomes;
use super::placing;
use super::roles::{self, Trouble};
use super::rules::{Rule, Subject};
use super::state::{State, Target};
use crate::encryption;
use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::metadata_tables::{By, Entry, note};
use crate::resealing::{self, Body, Sealed};
use crate::store::{
    self, BUCKETS, Bucket, Chain, Encryption, Listed, Marker, More, Object, PARTS, Part, VERSIONS,
    Version, VersionName, Versioning,
};
use crate::versions::{self, At, Found};

/// What a job is about.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) number: u64,
    pub(super) round: u64,
    /// The bucket to copy to.
    pub(super) to: String,
    is_marker: bool,
    /// Whether it was tried for the last time.
    pub(super) is_exhausted: bool,
    pub(super) account: String,
    pub(super) region: String,
}

impl Job {
    pub(super) fn read(cx: &Cx, input: &Value) -> Job {
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| input[name].as_u64().unwrap_or_default();
        Job {
            bucket: text("bucket"),
            key: text("key"),
            number: number("number"),
            round: number("round"),
            to: text("to"),
            is_marker: input["marker"] == true,
            is_exhausted: input["exhausted"] == true,
            account: cx.account().to_owned(),
            region: cx.region().to_owned(),
        }
    }

    pub(super) fn from(&self) -> At<'_> {
        (&self.bucket, &self.key)
    }

    pub(super) fn to(&self) -> At<'_> {
        (&self.to, &self.key)
    }
}

/// What is still wanted, as the rows have it.
pub(super) struct Wanted {
    pub(super) bucket: Bucket,
    pub(super) found: Found,
    pub(super) state: State,
    pub(super) target: Target,
    /// The rule, if it is still there.
    pub(super) rule: Option<Rule>,
    role: String,
}

/// What a job is to do; nothing if the version is gone, or somebody asked anew.
pub(super) fn wanted(tx: &(impl Tx + ?Sized), job: &Job) -> Result<Option<Wanted>, Error> {
    let Some(bucket) = BUCKETS.get(tx, &*job.bucket)? else { return Ok(None) };
    let Some(mut found) = versions::numbered(tx, job.from(), job.number)? else { return Ok(None) };
    let more = found.object_mut().and_then(|object| object.more.as_ref());
    let Some(text) = more.and_then(|more| more.replication.as_deref()) else { return Ok(None) };
    let mut state = State::read(text);
    let Some(target) = state.waiting(job.round, &job.to).cloned() else { return Ok(None) };
    let rules = super::compiled(tx, &job.bucket, &bucket)?;
    let rule = rules.as_ref().and_then(|rules| rules.named(&target.rule)).cloned();
    let role = rules.map(|rules| rules.role.clone()).unwrap_or_default();
    Ok(Some(Wanted { bucket, found, state, target, rule, role }))
}

/// Does a job.
pub(crate) async fn run(cx: Cx, input: Value) -> Result<(), Fault> {
    let job = Job::read(&cx, &input);
    if job.is_exhausted {
        return if job.is_marker { Ok(()) } else { outcomes::fail(&cx, &job, None).await };
    }
    let mut outcome = attempt(&cx, &job, true).await;
    if let Err(Trouble::Refused(_)) = outcome {
        // The session may be one of a role that has changed since.
        outcome = attempt(&cx, &job, false).await;
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(Trouble::Broken(fault)) => Err(fault),
        Err(Trouble::Refused(reason)) => {
            let Job { bucket, key, to, .. } = &job;
            tracing::debug!(bucket, key, to, reason, "a version is not replicated");
            if job.is_marker { Ok(()) } else { outcomes::fail(&cx, &job, Some(reason)).await }
        }
    }
}

async fn attempt(cx: &Cx, job: &Job, may_reuse: bool) -> Result<(), Trouble> {
    if job.is_marker {
        return marker(cx, job, may_reuse).await;
    }
    let Some(mut wanted) = cx.read(|tx| wanted(tx, job))? else { return Ok(()) };
    let Some(rule) = wanted.rule.take() else {
        return Err(Trouble::Refused("SrcBucketReplicationConfigMissing"));
    };
    let Some(object) = wanted.found.object_mut() else { return Ok(()) };
    let destination = cx.read(|tx| destination(tx, job, &wanted.bucket, &rule))?;
    let role_cx = roles::assume(cx, &job.bucket, &wanted.bucket, &wanted.role, may_reuse).await?;
    let places = (&*job.bucket, &*job.to, &*job.key);
    let reads_tags = roles::check(&role_cx, places, &wanted.bucket, object, &rule)?;
    let is_there = cx.read(|tx| versions::numbered(tx, job.to(), job.number))?.is_some();
    if !is_there && !wanted.target.copies {
        return Err(Trouble::Refused("DstVersionNotFound"));
    }
    if is_there && !reads_tags {
        return Err(Trouble::Refused("SrcGetTaggingNotPermitted"));
    }
    let is_customers = matches!(object.encryption(), Some(Encryption::Customer { .. }));
    if is_customers && !is_there && cx.read(|tx| encryption::blocks_customer_keys(tx, &job.to))? {
        return Err(Trouble::Refused("DstPutObjectNotPermitted"));
    }
    let sealed = match object.encryption() {
        Some(Encryption::Kms(_)) if !is_there => {
            Some(seal_anew(&role_cx, job, object, &rule, &destination).await?)
        }
        _ => None,
    };
    role_cx.write(|tx| copy(tx, job, reads_tags, sealed.as_ref())).await
}

/// The bucket to copy to, if copies can lie there.
pub(super) fn destination(
    tx: &(impl Tx + ?Sized),
    job: &Job,
    bucket: &Bucket,
    rule: &Rule,
) -> Result<Bucket, Trouble> {
    let destination = BUCKETS.get(tx, &*job.to)?.ok_or(Trouble::Refused("DstBucketNotFound"))?;
    if destination.versioning != Versioning::Enabled {
        return Err(Trouble::Refused("DstBucketUnversioned"));
    }
    if bucket.has_lock && !destination.has_lock {
        return Err(Trouble::Refused("DstBucketObjectLockConfigMissing"));
    }
    if rule.account.as_ref().is_some_and(|account| *account != destination.account) {
        return Err(Trouble::Refused("DstPutObjectNotPermitted"));
    }
    Ok(destination)
}

/// Writes the copy, or what was changed since, and notes that it is done.
fn copy(
    tx: &mut WriteTx<'_>,
    job: &Job,
    reads_tags: bool,
    sealed: Option<&Sealed>,
) -> Result<(), Trouble> {
    let Some(mut wanted) = wanted(tx, job)? else { return Ok(()) };
    let Some(rule) = wanted.rule.clone() else {
        return Err(Trouble::Refused("SrcBucketReplicationConfigMissing"));
    };
    let to = destination(tx, job, &wanted.bucket, &rule)?;
    let Some(object) = wanted.found.object_mut() else { return Ok(()) };
    let (owner, acl) = ownership(&wanted.bucket, object, &to, &rule);
    match versions::numbered(tx, job.to(), job.number)? {
        Some(mut there) => {
            if let Some(copy) = there.object_mut() {
                let is_news = copy.tags != object.tags;
                repeat(copy, object, (&to, tx.now()), acl);
                if is_news {
                    note(tx, &to, job.to(), Entry::Updated(copy), By::S3)?;
                }
            }
            versions::save(tx, job.to(), there)?;
        }
        None => {
            let (retention, _) = locks::settle(&to, locks::Asked::default(), tx.now())?;
            let source = object.more.as_deref().cloned().unwrap_or_default();
            let (encryption, parts, body) = share(tx, object, source.encryption, sealed)?;
            let copy = Object {
                listed: Listed {
                    storage_class: class(object, &rule),
                    owner,
                    restored: None,
                    ..object.listed.clone()
                },
                version: object.version,
                version_name: VersionName::Id,
                parts,
                headers: object.headers.clone(),
                metadata: object.metadata.clone(),
                tags: if reads_tags { object.tags.clone() } else { Vec::new() },
                more: Some(Box::new(More {
                    acl,
                    retention: source.retention.or(retention),
                    legal_hold: source.legal_hold,
                    encryption,
                    replication: Some(State::replica().text()),
                })),
                body,
            };
            // Which of the two a large copy is called is a guess.
            let event = if copy.parts.is_some() { "CompleteMultipartUpload" } else { "Put" };
            events::emit(tx, &to, &job.to, &Change::created(event, &job.key, &copy))?;
            note(tx, &to, job.to(), Entry::Created(&copy), By::S3)?;
            placing::object(tx, &to, job.to(), copy)?;
        }
    }
    Ok(outcomes::succeed(tx, job, wanted)?)
}

fn class(object: &Object, rule: &Rule) -> Option<String> {
    let class = rule.storage_class.clone().or_else(|| object.listed.storage_class.clone());
    class.filter(|class| class != "STANDARD")
}

/// Who owns a copy, if it is not the bucket's owner, and its ACL.
fn ownership(
    from: &Bucket,
    object: &Object,
    to: &Bucket,
    rule: &Rule,
) -> (Option<String>, Option<store::Acl>) {
    if rule.owns_copies || to.is_enforced() {
        return (None, None);
    }
    let owner = object.listed.owner.as_ref().filter(|_| !from.is_enforced());
    let owner = owner.unwrap_or(&from.account).clone();
    let acl = object.more.as_ref().and_then(|more| more.acl.clone());
    (Some(owner).filter(|owner| *owner != to.account), acl.filter(|_| !from.is_enforced()))
}

/// Repeats in a copy what may change of a version.
fn repeat(
    copy: &mut Object,
    object: &Object,
    (to, now): (&Bucket, Timestamp),
    acl: Option<store::Acl>,
) {
    copy.tags.clone_from(&object.tags);
    let more = object.more.as_deref().cloned().unwrap_or_default();
    let known = copy.more_mut();
    known.acl = acl;
    if to.has_lock {
        known.retention = locks::repeated(known.retention, more.retention, now);
        known.legal_hold = more.legal_hold;
    }
}

/// The body of a copy: that of the version, which is kept for one more, or what was encrypted anew.
fn share(
    tx: &mut WriteTx<'_>,
    object: &Object,
    encryption: Option<Encryption>,
    sealed: Option<&Sealed>,
) -> Result<Body, Error> {
    if let Some(sealed) = sealed {
        return sealed.keep(tx);
    }
    let Some(parts) = &object.parts else {
        object.body.retain(tx)?;
        return Ok((encryption, None, object.body.clone()));
    };
    let rows = PARTS.range(&(parts.number,)).list(tx)?;
    let rows: Vec<(u16, Part)> = rows.into_iter().map(|((_, part), row)| (part, row)).collect();
    for (_, row) in &rows {
        row.body.retain(tx)?;
    }
    Ok((encryption, Some(resealing::keep_parts(tx, &rows)?), Chain::default()))
}

/// Reads a body that a key of KMS encrypts, and writes it under that of the rule.
async fn seal_anew(
    cx: &Cx,
    job: &Job,
    object: &Object,
    rule: &Rule,
    to: &Bucket,
) -> Result<Sealed, Trouble> {
    let Some(Encryption::Kms(kms)) = object.encryption() else {
        return Err(Trouble::Broken(Fault::internal("a body is no body of KMS")));
    };
    let Some(key_id) = &rule.kms_key_id else {
        return Err(Trouble::Refused("DstKmsKeyNotFound"));
    };
    let key = encryption::open(cx, job.from(), object.encryption(), None)
        .await
        .map_err(|error| refused(error, ["SrcGetObjectNotPermitted", "SrcKmsKeyInvalidState"]))?;
    let sealing = encryption::of_replica(cx, to, job.to(), key_id, kms)
        .await
        .map_err(|error| refused(error, ["DstPutObjectNotPermitted", "DstKmsKeyInvalidState"]))?;
    Ok(resealing::seal(cx, object, key.as_ref(), sealing).await?)
}

/// What AWS calls a refusal of KMS: for want of permission, or for the state of the key.
pub(super) fn refused(error: Error, [denied, state]: [&'static str; 2]) -> Trouble {
    let fault = Fault::from(error);
    match fault.name() {
        "AccessDenied" => Trouble::Refused(denied),
        "KMS.NotFoundException" if state.starts_with("Dst") => {
            Trouble::Refused("DstKmsKeyNotFound")
        }
        name if name.starts_with("KMS.") => Trouble::Refused(state),
        _ => Trouble::Broken(fault),
    }
}

/// Repeats a delete marker.
async fn marker(cx: &Cx, job: &Job, may_reuse: bool) -> Result<(), Trouble> {
    let found = cx.read(|tx| {
        let Some(bucket) = BUCKETS.get(tx, &*job.bucket)? else { return Ok(None) };
        let Some(rules) = super::compiled(tx, &job.bucket, &bucket)? else { return Ok(None) };
        let subject = Subject { key: &job.key, tags: &[], is_kms: false };
        let rule = rules.of(&subject).into_iter().find(|rule| rule.destination == job.to).cloned();
        Ok::<_, Error>(rule.map(|rule| (bucket, rules.role.clone(), rule)))
    })?;
    let Some((bucket, role, rule)) = found else { return Ok(()) };
    cx.read(|tx| destination(tx, job, &bucket, &rule))?;
    let role_cx = roles::assume(cx, &job.bucket, &bucket, &role, may_reuse).await?;
    roles::check_marker(&role_cx, &job.bucket, &job.to, &job.key)?;
    role_cx.write(|tx| repeat_marker(tx, job, &bucket, &rule)).await
}

fn repeat_marker(
    tx: &mut WriteTx<'_>,
    job: &Job,
    bucket: &Bucket,
    rule: &Rule,
) -> Result<(), Trouble> {
    let place = |at: At<'_>| (at.0.to_owned(), at.1.to_owned(), Reverse(job.number));
    let Some(Version::Marker(marker)) = VERSIONS.get(tx, &place(job.from()))? else {
        return Ok(());
    };
    let to = destination(tx, job, bucket, rule)?;
    if VERSIONS.contains(tx, &place(job.to()))? {
        return Ok(());
    }
    let owner = marker.owner.unwrap_or_else(|| bucket.account.clone());
    let keeps_owner = !rule.owns_copies && !to.is_enforced() && owner != to.account;
    let copy = Marker { owner: Some(owner).filter(|_| keeps_owner), ..marker };
    note(tx, &to, job.to(), Entry::Marked(job.number, &copy), By::S3)?;
    placing::marker(tx, &to, job.to(), job.number, copy)?;
    let change = Change::marked(&job.key, job.number, Some(versions::id(job.number)));
    Ok(events::emit(tx, &to, &job.to, &change)?)
}
