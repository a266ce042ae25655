//! Replication: versions that are written to one bucket are copied to others, by rules.
//!
//! A write that a rule means has its copying in the outbox in the same transaction, one job for each destination, so that
//! none is lost. A job works as the role that the bucket's owner named: S3 assumes it, and IAM decides about every copy.
//! Copies share the bytes of what they are copied from, but where a key of KMS encrypts them anew.
//!
//! What of a version is still to be done stands with its status ([`state`]). A version lies under the same id in all
//! buckets, and in the order of ids, whenever its copy comes.

mod annotating;
mod copying;
mod existing;
mod outcomes;
mod placing;
mod roles;
mod rules;
mod state;
mod validation;

use std::sync::Arc;

use fogbank_core::{Effect, ReadTx, Request, Tx, WriteTx};
use serde_json::json;

use crate::access::bucket_arn;
use crate::documents;
use crate::error::Error;
use crate::model::{
    DeleteBucketReplicationInput, DeleteBucketReplicationOutput, GetBucketReplicationInput,
    GetBucketReplicationOutput, PutBucketReplicationInput, PutBucketReplicationOutput,
    ReplicationConfiguration, ReplicationStatus,
};
use crate::store::{self, BUCKETS, Bucket, Encryption, More, Object, Versioning};
use crate::versions::At;
pub(crate) use annotating::{annotated, annotation_removed, run as run_annotation};
pub(crate) use copying::run;
pub(crate) use existing::run as repeat;
pub(crate) use outcomes::is_late;
pub(crate) use roles::session;
use rules::{Rule, Rules, Subject};
use state::{State, Target};

/// The job that copies.
pub(crate) const JOB: &str = "replicate";
/// The job that copies an annotation, or its end.
pub(crate) const ANNOTATION_JOB: &str = "replicate-annotation";
/// The job that has copied what is there already.
pub(crate) const EXISTING_JOB: &str = "replicate-existing";
/// The job that looks whether a copy came in time.
pub(crate) const LATE_JOB: &str = "replication-threshold";
/// How documents of replication are called.
const KIND: &str = "replication";
/// After how long a copy under Replication Time Control is late, in seconds: the only time that AWS offers.
const THRESHOLD_SECS: u32 = 15 * 60;

/// Sets the rules of a bucket.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketReplicationInput,
) -> Result<PutBucketReplicationOutput, Error> {
    let name = &*input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let mut given = input.replication_configuration;
    validation::check(&given, &bucket)?;
    if bucket.versioning != Versioning::Enabled {
        let message =
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration";
        return Err(Error::request(message));
    }
    for rule in &mut given.rules {
        check_destination(tx, name, &rule.destination.bucket)?;
        rule.id =
            Some(rule.id.take().filter(|id| !id.is_empty()).unwrap_or_else(|| tx.ids().uuid()));
    }
    documents::put(tx, name, KIND, "", &given)?;
    bucket.has_replication = true;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutBucketReplicationOutput {})
}

fn check_destination(tx: &WriteTx<'_>, name: &str, arn: &str) -> Result<(), Error> {
    if arn == bucket_arn(name) {
        return Err(Error::request("Destination bucket cannot be the same as the source bucket."));
    }
    match BUCKETS.get_shared(tx, validation::bucket_of(arn).unwrap_or_default())? {
        None => Err(Error::request("Destination bucket must exist.")),
        Some(destination) if destination.versioning != Versioning::Enabled => {
            Err(Error::request("Destination bucket must have versioning enabled."))
        }
        Some(_) => Ok(()),
    }
}

/// The rules of a bucket.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketReplicationInput,
) -> Result<GetBucketReplicationOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    match documents::get::<ReplicationConfiguration>(tx, &input.bucket, KIND, "")? {
        Some(found) => Ok(GetBucketReplicationOutput { replication_configuration: Some(found) }),
        None => Err(Error::ReplicationConfigurationNotFoundError { bucket: input.bucket }),
    }
}

/// Removes the rules of a bucket. What waits to be copied fails.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketReplicationInput,
) -> Result<DeleteBucketReplicationOutput, Error> {
    let name = &*input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    documents::delete(tx, name, KIND, "")?;
    bucket.has_replication = false;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(DeleteBucketReplicationOutput {})
}

/// What PutBucketReplication must be allowed to do: S3 is given a role.
pub(crate) fn access(
    _: &Request,
    input: &dyn fogbank_core::wire::Struct,
) -> Result<fogbank_core::Access, fogbank_core::Fault> {
    let bucket = bucket_arn(input.text("Bucket").unwrap_or_default());
    let access = fogbank_core::Access::to("s3:PutReplicationConfiguration", bucket.clone());
    let Some(input) = input.downcast_ref::<PutBucketReplicationInput>() else { return Ok(access) };
    let role = &*input.replication_configuration.role;
    Ok(access.and_pass_role(role, crate::events::SERVICE, bucket))
}

/// The rules of a bucket.
fn compiled(
    tx: &(impl Tx + ?Sized),
    name: &str,
    bucket: &Bucket,
) -> Result<Option<Arc<Rules>>, Error> {
    if !bucket.has_replication {
        return Ok(None);
    }
    documents::compiled(tx, name, KIND, Rules::new)
}

fn subject<'a>(key: &'a str, object: &'a Object) -> Subject<'a> {
    let is_kms = matches!(object.encryption(), Some(Encryption::Kms(_)));
    Subject { key, tags: &object.tags, is_kms }
}

/// Has a new version copied, as the rules of its bucket say. The caller writes the version.
pub(crate) fn written(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    object: &mut Object,
) -> Result<(), Error> {
    let Some(rules) = compiled(tx, at.0, bucket)? else { return Ok(()) };
    // What is written into an archive is not copied.
    if matches!(object.listed.class(), "GLACIER" | "DEEP_ARCHIVE") {
        return Ok(());
    }
    let meant = rules.of(&subject(at.1, object));
    let targets = meant.iter().map(|rule| Target::new(rule, true)).collect();
    begin(tx, bucket, (at, object.version), &rules, targets, &mut object.more)
}

/// Has a change of a version's tags, ACL or lock repeated where the version was copied. The caller writes the version.
pub(crate) fn changed(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    object: &mut Object,
) -> Result<(), Error> {
    let Some(before) = object.more.as_ref().and_then(|more| more.replication.as_deref()) else {
        return Ok(());
    };
    let Some(rules) = compiled(tx, at.0, bucket)? else { return Ok(()) };
    let before = State::read(before);
    let mut meant = rules.of(&subject(at.1, object));
    if before.is_replica() {
        meant.retain(|rule| rule.replica_modifications);
    }
    if meant.is_empty() {
        return Ok(());
    }
    // What was not copied yet is to be copied as a whole, also where the rules do not mean the version any more.
    let copies = |rule: &&Rule| Target::new(rule, before.awaits_copy(&rule.destination));
    let mut targets: Vec<Target> = meant.iter().map(copies).collect();
    targets.extend(before.waiting_beside(&targets));
    begin(tx, bucket, (at, object.version), &rules, targets, &mut object.more)
}

/// Writes down what is to be done, and has it done.
fn begin(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    (at, number): (At<'_>, u64),
    rules: &Rules,
    targets: Vec<Target>,
    more: &mut Option<Box<More>>,
) -> Result<(), Error> {
    if targets.is_empty() {
        return Ok(());
    }
    let more = more.get_or_insert_default();
    let before = more.replication.as_deref().map(State::read);
    let is_replica = before.is_some_and(|before| before.is_replica());
    let state = State::pending(tx.version(), tx.now(), targets, is_replica);
    for Target { to, rule, .. } in &state.targets {
        let input = json!({
            "bucket": at.0, "key": at.1, "number": number, "round": state.round, "to": to,
        });
        tx.emit(job(bucket, JOB, &input, to))?;
        if rules.named(rule).is_some_and(|rule| rule.has_time_control) {
            let late = job(bucket, LATE_JOB, &input, to);
            tx.emit(late.in_lane("s3:replication-threshold").delayed(THRESHOLD_SECS))?;
        }
    }
    more.replication = Some(state.text());
    Ok(())
}

/// Has a delete marker that a caller made repeated, where rules say so.
pub(crate) fn marked(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    number: u64,
) -> Result<(), Error> {
    let Some(rules) = compiled(tx, at.0, bucket)? else { return Ok(()) };
    for rule in rules.of(&Subject { key: at.1, tags: &[], is_kms: false }) {
        if rule.delete_markers {
            let input = json!({
                "bucket": at.0, "key": at.1, "number": number, "to": rule.destination, "marker": true,
            });
            tx.emit(job(bucket, JOB, &input, &rule.destination))?;
        }
    }
    Ok(())
}

/// A job for a destination, in that destination's lane. When it was tried for about a day, it fails for good.
fn job(bucket: &Bucket, name: &str, input: &serde_json::Value, destination: &str) -> Effect {
    let target = format!("s3:{name}");
    let mut last = input.clone();
    last["exhausted"] = true.into();
    Effect::job(&target, input)
        .located(&bucket.account, &bucket.region)
        .in_lane(&format!("s3:replicate/{destination}"))
        .or_else(Effect::job(&target, &last).located(&bucket.account, &bucket.region))
}

/// The status as answers tell it.
pub(crate) fn told(more: &More) -> Option<ReplicationStatus> {
    more.replication.as_deref().map(told_of)
}

/// The same of what a row keeps.
pub(crate) fn told_of(kept: &str) -> ReplicationStatus {
    match State::read(kept).word() {
        "PENDING" => ReplicationStatus::Pending,
        "COMPLETED" => ReplicationStatus::Completed,
        "FAILED" => ReplicationStatus::Failed,
        _ => ReplicationStatus::Replica,
    }
}

/// The same as a word.
pub(crate) fn word(more: &More) -> Option<&'static str> {
    more.replication.as_deref().map(|text| State::read(text).word())
}

/// Whether lifecycles leave a version alone, since it is not copied yet, or could not be.
pub(crate) fn holds(bucket: &Bucket, object: &Object) -> bool {
    let word = object.more.as_deref().and_then(word);
    bucket.has_replication && matches!(word, Some("PENDING" | "FAILED"))
}
