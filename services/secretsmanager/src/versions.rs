//! Versions of secrets and their staging labels.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::{
    ListSecretVersionIdsInput, ListSecretVersionIdsOutput, SecretVersionsListEntry,
    UpdateSecretVersionStageInput, UpdateSecretVersionStageOutput,
};
use crate::rules::schedule::{self, Schedule};
use crate::rules::stages;
use crate::store::{self, Rotation, Secret, SecretKey, VERSIONS, Version, version_key};
use crate::{access, cross_account, replication};

/// How many versions without labels are kept.
const KEPT: usize = 100;
/// Versions that are younger are kept in any case.
const KEPT_DAYS: i64 = 1;
/// How many versions a page has when it is not told.
const PAGE: i32 = 100;

/// Lists versions that have a value.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListSecretVersionIdsInput,
) -> Result<ListSecretVersionIdsOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::find(tx, &id)?;
    let with_deprecated = input.include_deprecated.unwrap_or_default();
    let limit = usize::try_from(input.max_results.unwrap_or(PAGE)).unwrap_or(1);
    let mut range = VERSIONS.range(&key);
    if let Some(token) = &input.next_token {
        let last = page::parse_text(token).ok_or_else(access::bad_token)?;
        range = range.after(&version_key(&key, &last));
    }
    let mut entries: Vec<SecretVersionsListEntry> = Vec::new();
    let mut next_token = None;
    range.visit(tx, |(_, _, _, version_id), version| {
        let stages = secret.stages_of(&version_id);
        if stages.is_empty() && !with_deprecated {
            return ControlFlow::Continue(());
        }
        if entries.len() == limit {
            let last = entries.last().and_then(|last| last.version_id.as_deref());
            next_token = last.map(page::text_token);
            return ControlFlow::Break(());
        }
        entries.push(shown(version_id, version, stages));
        ControlFlow::Continue(())
    })?;
    Ok(ListSecretVersionIdsOutput {
        versions: Some(entries),
        next_token,
        arn: Some(secret.arn(&key)),
        name: Some(key.2),
    })
}

fn shown(version_id: String, version: Version, stages: Vec<String>) -> SecretVersionsListEntry {
    SecretVersionsListEntry {
        version_id: Some(version_id),
        version_stages: Some(stages).filter(|stages| !stages.is_empty()),
        last_accessed_date: version.accessed_millis.map(Timestamp::from_millis),
        created_date: Some(Timestamp::from_millis(version.created_millis)),
        kms_key_ids: Some(vec![
            version.kms_key_id.unwrap_or_else(|| "DefaultEncryptionKey".to_owned()),
        ]),
    }
}

/// Moves a staging label.
pub(crate) fn update_stage(
    tx: &mut WriteTx<'_>,
    input: UpdateSecretVersionStageInput,
) -> Result<UpdateSecretVersionStageOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::primary(tx, &id)?;
    cross_account::refuse_replica(tx, &key)?;
    let move_to = input.move_to_version_id.as_deref();
    if let Some(to) = move_to
        && !VERSIONS.contains(tx, &version_key(&key, to))?
        && !secret.stages.values().any(|version| version == to)
    {
        return Err(Error::no_version(to));
    }
    let before = secret.stages.get(stages::CURRENT).cloned();
    let remove_from = input.remove_from_version_id.as_deref();
    stages::update(&mut secret.stages, &input.version_stage, remove_from, move_to)?;
    let now = tx.now().millis();
    secret.changed_millis = now;
    if secret.stages.get(stages::CURRENT) != before.as_ref() {
        plan_rotation(&mut secret, now)?;
    }
    prune(tx, &key, &mut secret)?;
    replication::write(tx, &key, &secret)?;
    Ok(UpdateSecretVersionStageOutput { arn: Some(secret.arn(&key)), name: Some(key.2) })
}

/// Removes the oldest versions without labels, if there are too many that are old enough.
pub(crate) fn prune(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &mut Secret,
) -> Result<(), Error> {
    let now = tx.now().millis();
    let labelled: BTreeSet<&String> = secret.stages.values().collect();
    let deprecated = (secret.version_count as usize).saturating_sub(labelled.len());
    if deprecated <= KEPT || now < secret.prune_millis {
        return Ok(());
    }
    let mut candidates = Vec::new();
    VERSIONS.scan(tx, key, |(_, _, _, version_id), version| {
        if !labelled.contains(&version_id) {
            candidates.push((version.created_millis, version_id));
        }
        ControlFlow::Continue(())
    })?;
    candidates.sort_unstable();
    let surplus = candidates.len().saturating_sub(KEPT);
    let mut removed = 0;
    for (created, version_id) in &candidates[..surplus] {
        let old_enough = schedule::days_after(*created, KEPT_DAYS);
        if old_enough > now {
            secret.prune_millis = old_enough;
            break;
        }
        store::remove_version(tx, &version_key(key, version_id))?;
        for replica in secret.replicas.iter().filter(|replica| replica.is_in_sync) {
            let key = store::in_region(key, &replica.region);
            store::remove_version(tx, &version_key(&key, version_id))?;
        }
        removed += 1;
    }
    secret.version_count = secret.version_count.saturating_sub(removed);
    Ok(())
}

/// The schedule of a rotation.
pub(crate) fn schedule_of(rotation: &Rotation) -> Result<Option<Schedule>, Error> {
    let Rotation { after_days, schedule, duration, .. } = rotation;
    Schedule::parse(*after_days, schedule.as_deref(), duration.as_deref())
}

/// Plans the next rotation, counted from `from_millis`.
pub(crate) fn plan_rotation(secret: &mut Secret, from_millis: i64) -> Result<(), Error> {
    if let Some(rotation) = secret.rotation.as_mut().filter(|rotation| rotation.is_enabled) {
        let schedule = schedule_of(rotation)?;
        rotation.next_millis = schedule.and_then(|schedule| schedule.next(from_millis));
    }
    Ok(())
}

/// Refuses a token that is not that of the rotation that is going on.
pub(crate) fn require_rotation_token(secret: &Secret, given: Option<&str>) -> Result<(), Error> {
    let Some(given) = given else { return Ok(()) };
    let attempt = secret.rotation.as_ref().and_then(|rotation| rotation.attempt.as_ref());
    if attempt.is_some_and(|attempt| attempt.rotation_token == given) {
        return Ok(());
    }
    // AWS's words are not known.
    Err(Error::invalid("The rotation token isn't that of a rotation in progress."))
}
