//! Secrets: creating, describing, changing and deleting them.

use fogbank_core::store::Raw;
use fogbank_core::{Cx, Fault, ReadTx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    CreateSecretInput, CreateSecretOutput, DeleteSecretInput, DeleteSecretOutput,
    DescribeSecretInput, DescribeSecretOutput, RestoreSecretInput, RestoreSecretOutput,
    RotationRulesType, Tag, UpdateSecretInput, UpdateSecretOutput,
};
use crate::rules::identifier::{self, SUFFIX};
use crate::rules::schedule::days_after;
use crate::rules::stages::{self, CURRENT, PENDING, PREVIOUS};
use crate::sealing::Value;
use crate::store::{
    self, Rotation, SECRETS, Secret, SecretKey, VALUES, VERSIONS, Version, version_key,
};
use crate::values::{self, SealedValue};
use crate::{access, changes, cross_account, replication, tags, versions};

/// How many days a deleted secret can be restored when the caller does not say.
const RECOVERY_DAYS: i64 = 30;

/// Creates a secret, with its first version if there is a value.
pub(crate) async fn create(cx: &Cx, input: CreateSecretInput) -> Result<CreateSecretOutput, Error> {
    refuse_partner(input.r#type.as_deref())?;
    if !identifier::is_name(&input.name) {
        return Err(Error::ValidationException(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: \
             -/_+=.@!"
                .to_owned(),
        ));
    }
    if input.cross_account_primary_arn.is_some() {
        let secret = new_secret(cx, &input)?;
        return cross_account::create(cx, input, secret).await;
    }
    let value = Value::given(input.secret_string.clone(), input.secret_binary.clone())?;
    let version_id = input.client_request_token.clone().unwrap_or_else(|| cx.ids().uuid());
    let key = (cx.account().to_owned(), cx.region().to_owned(), input.name.clone());
    let wanted = input.add_replica_regions.clone().unwrap_or_default();
    let force = input.force_overwrite_replica_secret.unwrap_or_default();
    loop {
        if let Some(existing) = cx.read(|tx| SECRETS.get(tx, &key))? {
            return created_before(cx, &key, existing, &version_id, value.as_ref()).await;
        }
        let mut secret = new_secret(cx, &input)?;
        secret.replicas = cx.read(|tx| replication::planned(tx, &key, &secret, &wanted, force))?;
        secret.primary_region = (!secret.replicas.is_empty()).then(|| key.1.clone());
        let sealed = match &value {
            Some(value) => Some(SealedValue::new(cx, &key, &secret, &version_id, value).await?),
            None => None,
        };
        let created = cx
            .write(|tx| {
                let mut secret = secret.clone();
                let planned = replication::planned(tx, &key, &new_like(&secret), &wanted, force)?;
                if SECRETS.contains(tx, &key)? || planned != secret.replicas {
                    return Ok(None);
                }
                replication::make_room(tx, &key, &secret.replicas)?;
                match &sealed {
                    Some(sealed) => {
                        stages::attach(&mut secret.stages, CURRENT, &version_id);
                        values::add_version(tx, &key, &mut secret, &version_id, sealed)?;
                    }
                    None => replication::write(tx, &key, &secret)?,
                }
                Ok::<_, Error>(Some(secret))
            })
            .await?;
        if let Some(secret) = created {
            let replication = (!secret.replicas.is_empty()).then(|| replication::begun(&secret));
            return Ok(CreateSecretOutput {
                arn: Some(secret.arn(&key)),
                name: Some(key.2),
                version_id: value.map(|_| version_id),
                replication_status: replication,
            });
        }
    }
}

/// Refuses what only partners' secrets have.
fn refuse_partner(partner: Option<&str>) -> Result<(), Error> {
    if partner.is_none_or(str::is_empty) {
        return Ok(());
    }
    Err(Fault::not_implemented("secretsmanager", "CreateSecret and UpdateSecret with Type").into())
}

fn new_secret(cx: &Cx, input: &CreateSecretInput) -> Result<Secret, Error> {
    let now = cx.request().now.millis();
    let mut all = Vec::new();
    tags::add(&mut all, input.tags.clone().unwrap_or_default())?;
    Ok(Secret {
        suffix: cx.ids().mixed(SUFFIX),
        description: input.description.clone(),
        kms_key_id: input.kms_key_id.clone().filter(|id| !id.is_empty()),
        created_millis: now,
        changed_millis: now,
        tags: all,
        ..Secret::default()
    })
}

/// The secret before it had replicas.
fn new_like(secret: &Secret) -> Secret {
    Secret { replicas: Vec::new(), ..secret.clone() }
}

/// Answers a repeated creation, or refuses another secret of the same name.
async fn created_before(
    cx: &Cx,
    key: &SecretKey,
    existing: Secret,
    version_id: &str,
    value: Option<&Value>,
) -> Result<CreateSecretOutput, Error> {
    if existing.deletion_millis.is_some() {
        return Err(Error::InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
                .to_owned(),
        ));
    }
    let key_of_version = version_key(key, version_id);
    let version = cx.read(|tx| {
        let version = VERSIONS.get(tx, &key_of_version)?;
        Ok::<_, Error>(version.zip(VALUES.get(tx, &key_of_version)?))
    })?;
    if let Some((value, (version, sealed))) = value.zip(version) {
        let kept = values::open(cx, key, &existing, version_id, &version, &sealed).await?;
        if kept == *value {
            return Ok(CreateSecretOutput {
                arn: Some(existing.arn(key)),
                name: Some(key.2.clone()),
                version_id: Some(version_id.to_owned()),
                replication_status: None,
            });
        }
        return Err(Error::token_in_use(version_id, &existing.arn(key)));
    }
    Err(Error::ResourceExistsException(format!(
        "The operation failed because the secret {} already exists.",
        key.2
    )))
}

/// Shows a secret without its value.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeSecretInput,
) -> Result<DescribeSecretOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::find(tx, &id)?;
    let replication_status = match secret.replicas.is_empty() {
        true => None,
        false => Some(replication::shown(tx, &key, &secret)?),
    };
    let (cross_account_primary, cross_account_replicas) = cross_account::shown(tx, &key)?;
    let rotation = secret.rotation.as_ref();
    let next = rotation.filter(|it| it.is_enabled).and_then(|it| it.next_millis);
    Ok(DescribeSecretOutput {
        arn: Some(secret.arn(&key)),
        rotation_enabled: rotation.map(|rotation| rotation.is_enabled),
        rotation_lambda_arn: rotation.map(|rotation| rotation.lambda_arn.clone()),
        rotation_rules: rotation.and_then(shown_rules),
        last_rotated_date: shown_time(rotation.and_then(|rotation| rotation.rotated_millis)),
        next_rotation_date: shown_time(next.map(|(_, closes)| closes)),
        last_changed_date: shown_time(Some(secret.changed_millis)),
        last_accessed_date: shown_time(secret.accessed_millis),
        deleted_date: shown_time(secret.deletion_millis),
        tags: shown_tags(&secret),
        version_ids_to_stages: shown_stages(&secret),
        created_date: shown_time(Some(secret.created_millis)),
        name: Some(key.2),
        description: secret.description,
        kms_key_id: secret.kms_key_id,
        primary_region: secret.primary_region,
        replication_status,
        cross_account_primary,
        cross_account_replicas,
        ..DescribeSecretOutput::default()
    })
}

/// A time as it is shown.
pub(crate) fn shown_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

/// Tags as they are shown.
pub(crate) fn shown_tags(secret: &Secret) -> Option<Vec<Tag>> {
    let shown = |(key, value): &(String, String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    Some(secret.tags.iter().map(shown).collect()).filter(|tags: &Vec<Tag>| !tags.is_empty())
}

/// Labels by version as they are shown.
pub(crate) fn shown_stages(
    secret: &Secret,
) -> Option<std::collections::BTreeMap<String, Vec<String>>> {
    let mut shown = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (stage, version) in &secret.stages {
        shown.entry(version.clone()).or_default().push(stage.clone());
    }
    Some(shown).filter(|shown| !shown.is_empty())
}

/// Rotation rules as they are shown.
pub(crate) fn shown_rules(rotation: &Rotation) -> Option<RotationRulesType> {
    let from = rotation.rotated_millis.unwrap_or_default();
    let schedule = versions::schedule_of(rotation).ok().flatten()?;
    Some(RotationRulesType {
        automatically_after_days: schedule.days(from),
        duration: rotation.duration.clone(),
        schedule_expression: rotation.schedule.clone(),
    })
}

/// Changes a secret, and gives it a new version if there is a value.
pub(crate) async fn update(cx: &Cx, input: UpdateSecretInput) -> Result<UpdateSecretOutput, Error> {
    refuse_partner(input.r#type.as_deref())?;
    let id = access::identifier(cx.request(), &input.secret_id)?;
    let value = Value::given(input.secret_string.clone(), input.secret_binary.clone())?;
    let version_id = input.client_request_token.clone().unwrap_or_else(|| cx.ids().uuid());
    loop {
        let (key, before) = cx.read(|tx| store::primary(tx, &id))?;
        if value.is_some() {
            cx.read(|tx| cross_account::refuse_replica(tx, &key))?;
        }
        let exists = cx.read(|tx| VERSIONS.contains(tx, &version_key(&key, &version_id)))?;
        if value.is_some() && exists {
            return Err(Error::token_in_use(&version_id, &before.arn(&key)));
        }
        let mut changed = before.clone();
        if let Some(kms_key_id) = &input.kms_key_id {
            changed.kms_key_id = Some(kms_key_id.clone()).filter(|id| !id.is_empty());
        }
        let resealed = match changed.kms_key_id == before.kms_key_id {
            true => Vec::new(),
            false => reseal(cx, &key, &before, &changed).await?,
        };
        let sealed = match &value {
            Some(value) => Some(SealedValue::new(cx, &key, &changed, &version_id, value).await?),
            None => None,
        };
        let updated = cx
            .write(|tx| {
                let (key, mut now) = store::primary(tx, &id)?;
                let is_there = VERSIONS.contains(tx, &version_key(&key, &version_id))?;
                if !values::seals_alike(&before, &now) || (sealed.is_some() && is_there) {
                    return Ok(None);
                }
                now.kms_key_id.clone_from(&changed.kms_key_id);
                if let Some(description) = &input.description {
                    now.description = Some(description.clone());
                }
                for (id, version, sealed) in &resealed {
                    let key = version_key(&key, id);
                    if VERSIONS.contains(tx, &key)? {
                        VERSIONS.put(tx, &key, version)?;
                        VALUES.put(tx, &key, sealed)?;
                    }
                }
                now.changed_millis = tx.now().millis();
                match &sealed {
                    Some(sealed) => {
                        stages::attach(&mut now.stages, CURRENT, &version_id);
                        values::add_version(tx, &key, &mut now, &version_id, sealed)?;
                    }
                    None => replication::write(tx, &key, &now)?,
                }
                Ok::<_, Error>(Some(now))
            })
            .await?;
        if let Some(secret) = updated {
            return Ok(UpdateSecretOutput {
                arn: Some(secret.arn(&key)),
                name: Some(key.2),
                version_id: value.map(|_| version_id),
            });
        }
    }
}

/// Seals the versions that rotation knows with a secret's new key. AWS leaves them alone if the caller may not use the
/// new key.
async fn reseal(
    cx: &Cx,
    key: &SecretKey,
    before: &Secret,
    after: &Secret,
) -> Result<Vec<(String, Version, Raw)>, Error> {
    let mut resealed: Vec<(String, Version, Raw)> = Vec::new();
    for stage in [CURRENT, PENDING, PREVIOUS] {
        let Some(version_id) = before.stages.get(stage) else { continue };
        if resealed.iter().any(|(known, ..)| known == version_id) {
            continue;
        }
        let key_of_version = version_key(key, version_id);
        let found = cx.read(|tx| {
            let version = VERSIONS.get(tx, &key_of_version)?;
            Ok::<_, Error>(version.zip(VALUES.get(tx, &key_of_version)?))
        })?;
        let Some((version, sealed)) = found else { continue };
        let value = values::open(cx, key, before, version_id, &version, &sealed).await?;
        match values::seal_own(cx, key, after, version_id, &value).await.map_err(Fault::from) {
            Ok(sealed) => {
                let version = Version { kms_key_id: after.kms_key_id.clone(), ..version };
                resealed.push((version_id.clone(), version, sealed));
            }
            Err(fault) if fault.name().starts_with("AccessDenied") => return Ok(Vec::new()),
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(resealed)
}

/// Deletes a secret now, or after a time in which it can be restored.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteSecretInput,
) -> Result<DeleteSecretOutput, Error> {
    let force = input.force_delete_without_recovery.unwrap_or_default();
    if let Some(days) = input.recovery_window_in_days {
        if force {
            return Err(Error::invalid(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        if !(7..=30).contains(&days) {
            return Err(Error::invalid(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
    }
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let now = tx.now().millis();
    let Some((key, mut secret)) = store::look_up(tx, &id)? else {
        if force {
            return Ok(DeleteSecretOutput {
                arn: Some(id.arn()),
                name: Some(id.name),
                deletion_date: shown_time(Some(now)),
            });
        }
        return Err(Error::no_secret());
    };
    if secret.is_replica(&key) {
        return Err(Error::is_replica());
    }
    cross_account::refuse_linked(tx, &key)?;
    let arn = secret.arn(&key);
    if !secret.replicas.is_empty() {
        let regions: Vec<_> = secret.replicas.iter().map(|it| it.region.as_str()).collect();
        return Err(Error::invalid(format!(
            "You can't delete secret {arn} that still has replica regions [{}].",
            regions.join(", ")
        )));
    }
    let date = if force {
        store::remove(tx, &key, &secret)?;
        changes::tell(tx, &key, &secret, "EndSecretVersionDelete")?;
        now
    } else if secret.deletion_millis.is_some() {
        return Err(Error::InvalidRequestException(
            "You can't perform this operation on the secret because it was already scheduled for deletion."
                .to_owned(),
        ));
    } else {
        let date = days_after(now, input.recovery_window_in_days.unwrap_or(RECOVERY_DAYS));
        secret.deletion_millis = Some(date);
        store::put(tx, &key, &secret)?;
        changes::tell(tx, &key, &secret, "StartSecretVersionDelete")?;
        date
    };
    Ok(DeleteSecretOutput {
        arn: Some(arn),
        name: Some(key.2),
        deletion_date: shown_time(Some(date)),
    })
}

/// Keeps a secret that waited to be deleted.
pub(crate) fn restore(
    tx: &mut WriteTx<'_>,
    input: RestoreSecretInput,
) -> Result<RestoreSecretOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::find(tx, &id)?;
    if secret.deletion_millis.take().is_some() {
        secret.changed_millis = tx.now().millis();
        store::put(tx, &key, &secret)?;
        changes::tell(tx, &key, &secret, "CancelSecretVersionDelete")?;
    }
    Ok(RestoreSecretOutput { arn: Some(secret.arn(&key)), name: Some(key.2) })
}
