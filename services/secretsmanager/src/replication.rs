//! Replicas: copies of a secret in other regions, each sealed by a key of its region.

use fogbank_core::store::Read;
use fogbank_core::{Cx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    RemoveRegionsFromReplicationInput, RemoveRegionsFromReplicationOutput, ReplicaRegionType,
    ReplicateSecretToRegionsInput, ReplicateSecretToRegionsOutput, ReplicationStatusType,
    StopReplicationToReplicaInput, StopReplicationToReplicaOutput,
};
use crate::sealing::Value;
use crate::store::{
    self, POLICIES, Replica, SECRETS, Secret, SecretKey, VALUES, VERSIONS, in_region, version_key,
};
use crate::values::{self, SealedValue};
use crate::{access, cross_account};

/// The status message of a region that has a secret of this name.
const NAME_IS_TAKEN: &str = "Secret with this name already exists in this region";

/// Copies a secret to regions.
pub(crate) async fn replicate(
    cx: &Cx,
    input: ReplicateSecretToRegionsInput,
) -> Result<ReplicateSecretToRegionsOutput, Error> {
    let id = access::identifier(cx.request(), &input.secret_id)?;
    let force = input.force_overwrite_replica_secret.unwrap_or_default();
    loop {
        let (key, secret) = cx.read(|tx| store::primary(tx, &id))?;
        cx.read(|tx| cross_account::refuse_replica(tx, &key))?;
        let new = cx.read(|tx| planned(tx, &key, &secret, &input.add_replica_regions, force))?;
        // What the values are sealed for: the new replicas alone.
        let target = Secret { replicas: new.clone(), ..secret.clone() };
        let sealed = seal_versions(cx, &key, &target).await?;
        let done = cx
            .write(|tx| {
                let (key, mut now) = store::primary(tx, &id)?;
                let again = planned(tx, &key, &now, &input.add_replica_regions, force)?;
                if again != new
                    || !values::seals_alike(&secret, &now)
                    || now.stages != secret.stages
                {
                    return Ok(None);
                }
                make_room(tx, &key, &new)?;
                now.replicas.retain(|known| !new.iter().any(|new| new.region == known.region));
                now.replicas.extend(new.iter().cloned());
                now.primary_region = Some(key.1.clone());
                for (version_id, created_millis, sealed) in &sealed {
                    sealed.write(tx, &key, &now, version_id, *created_millis)?;
                    mark_failed(&mut now, &sealed.failed);
                }
                now.changed_millis = tx.now().millis();
                write(tx, &key, &now)?;
                copy_policy(tx, &key, &now)?;
                Ok::<_, Error>(Some(now))
            })
            .await?;
        if let Some(now) = done {
            let replication_status = Some(begun(&now));
            return Ok(ReplicateSecretToRegionsOutput {
                arn: Some(now.arn(&key)),
                replication_status,
            });
        }
    }
}

/// The replicas that a request asks for; those whose name is taken have failed.
pub(crate) fn planned(
    rows: &(impl Read + ?Sized),
    key: &SecretKey,
    secret: &Secret,
    wanted: &[ReplicaRegionType],
    force: bool,
) -> Result<Vec<Replica>, Error> {
    let mut planned: Vec<Replica> = Vec::with_capacity(wanted.len());
    for ReplicaRegionType { region, kms_key_id } in wanted {
        let region = region.clone().unwrap_or_default();
        let is_known =
            secret.replicas.iter().any(|known| known.region == region && known.is_in_sync);
        // AWS's words for these three are not known.
        if region == key.1 {
            return Err(Error::invalid("You can't replicate a secret to its primary Region."));
        }
        if is_known {
            return Err(Error::invalid(format!("The secret is already replicated to {region}.")));
        }
        if planned.iter().any(|other| other.region == region) {
            return Err(Error::invalid(format!("The Region {region} is listed more than once.")));
        }
        let is_taken = SECRETS.contains(rows, &in_region(key, &region))? && !force;
        planned.push(Replica {
            region,
            kms_key_id: kms_key_id.clone().filter(|id| !id.is_empty()),
            is_in_sync: !is_taken,
            message: is_taken.then(|| NAME_IS_TAKEN.to_owned()),
        });
    }
    Ok(planned)
}

/// Removes the secrets that new replicas overwrite.
pub(crate) fn make_room(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    replicas: &[Replica],
) -> Result<(), Error> {
    for replica in replicas.iter().filter(|replica| replica.is_in_sync) {
        let key = in_region(key, &replica.region);
        if let Some(old) = SECRETS.get(tx, &key)? {
            store::remove(tx, &key, &old)?;
        }
    }
    Ok(())
}

/// Seals all versions that have labels for a secret's replicas.
async fn seal_versions(
    cx: &Cx,
    key: &SecretKey,
    secret: &Secret,
) -> Result<Vec<(String, i64, SealedValue)>, Error> {
    let mut labelled: Vec<&String> = secret.stages.values().collect();
    labelled.sort_unstable();
    labelled.dedup();
    let mut all = Vec::with_capacity(labelled.len());
    for version_id in labelled {
        let key_of_version = version_key(key, version_id);
        let found = cx.read(|tx| {
            let version = VERSIONS.get(tx, &key_of_version)?;
            Ok::<_, Error>(version.zip(VALUES.get(tx, &key_of_version)?))
        })?;
        let Some((version, sealed)) = found else { continue };
        let value: Value = values::open(cx, key, secret, version_id, &version, &sealed).await?;
        let sealed = SealedValue::for_replicas(cx, key, secret, version_id, &value).await?;
        all.push((version_id.clone(), version.created_millis, sealed));
    }
    Ok(all)
}

/// Notes the regions that could not be brought up to date.
pub(crate) fn mark_failed(secret: &mut Secret, failed: &[(String, String)]) {
    for (region, why) in failed {
        for replica in secret.replicas.iter_mut().filter(|replica| replica.region == *region) {
            replica.is_in_sync = false;
            replica.message = Some(why.clone());
        }
    }
}

/// Writes a secret, and what its replicas have of it.
pub(crate) fn write(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &Secret,
) -> Result<(), fogbank_core::store::Error> {
    store::put(tx, key, secret)?;
    cross_account::changed(tx, key)?;
    for replica in secret.replicas.iter().filter(|replica| replica.is_in_sync) {
        let key = in_region(key, &replica.region);
        let before = SECRETS.get(tx, &key)?;
        let copy = Secret {
            kms_key_id: replica.kms_key_id.clone(),
            accessed_millis: before.and_then(|before| before.accessed_millis),
            replicas: Vec::new(),
            ..secret.clone()
        };
        store::put(tx, &key, &copy)?;
    }
    Ok(())
}

/// Gives the replicas the policy of their primary.
pub(crate) fn copy_policy(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &Secret,
) -> Result<(), Error> {
    let policy = POLICIES.get(tx, key)?;
    for replica in secret.replicas.iter().filter(|replica| replica.is_in_sync) {
        let key = in_region(key, &replica.region);
        match &policy {
            Some(policy) => POLICIES.put(tx, &key, policy)?,
            None => POLICIES.delete(tx, &key)?,
        }
    }
    Ok(())
}

/// Deletes replicas.
pub(crate) fn remove_regions(
    tx: &mut WriteTx<'_>,
    input: RemoveRegionsFromReplicationInput,
) -> Result<RemoveRegionsFromReplicationOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::primary(tx, &id)?;
    for region in &input.remove_replica_regions {
        let index = secret.replicas.iter().position(|replica| replica.region == *region);
        let index = index.ok_or_else(|| {
            // AWS's words are not known.
            Error::invalid(format!("The secret isn't replicated to {region}."))
        })?;
        if secret.replicas.remove(index).is_in_sync {
            let key = in_region(&key, region);
            if let Some(replica) = SECRETS.get(tx, &key)?.filter(|found| found.is_replica(&key)) {
                store::remove(tx, &key, &replica)?;
            }
        }
    }
    if secret.replicas.is_empty() {
        secret.primary_region = None;
    }
    write(tx, &key, &secret)?;
    Ok(RemoveRegionsFromReplicationOutput {
        arn: Some(secret.arn(&key)),
        replication_status: Some(shown(tx, &key, &secret)?),
    })
}

/// Makes a replica a secret of its own.
pub(crate) fn stop(
    tx: &mut WriteTx<'_>,
    input: StopReplicationToReplicaInput,
) -> Result<StopReplicationToReplicaOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::usable(tx, &id)?;
    if cross_account::stop(tx, &key)? {
        return Ok(StopReplicationToReplicaOutput { arn: Some(secret.arn(&key)) });
    }
    let Some(primary_region) = secret.primary_region.take().filter(|region| *region != key.1)
    else {
        // AWS's words are not known.
        return Err(Error::invalid(
            "Operation not permitted on a primary secret. Call must be made in replica secret's region.",
        ));
    };
    // The function and its schedule belong to the region of the primary.
    secret.rotation = None;
    secret.version_count = u32::try_from(VERSIONS.range(&key).count(tx)?).unwrap_or(u32::MAX);
    secret.changed_millis = tx.now().millis();
    store::put(tx, &key, &secret)?;
    let primary_key = in_region(&key, &primary_region);
    if let Some(mut primary) = SECRETS.get(tx, &primary_key)? {
        primary.replicas.retain(|replica| replica.region != key.1);
        if primary.replicas.is_empty() {
            primary.primary_region = None;
        }
        write(tx, &primary_key, &primary)?;
    }
    Ok(StopReplicationToReplicaOutput { arn: Some(secret.arn(&key)) })
}

/// The replicas as they are.
pub(crate) fn shown(
    rows: &(impl Read + ?Sized),
    key: &SecretKey,
    secret: &Secret,
) -> Result<Vec<ReplicationStatusType>, fogbank_core::store::Error> {
    let show = |replica: &Replica| {
        let copy = match replica.is_in_sync {
            true => SECRETS.get(rows, &in_region(key, &replica.region))?,
            false => None,
        };
        let accessed = copy.and_then(|copy| copy.accessed_millis);
        let message = match replica.is_in_sync {
            true => Some("Replication succeeded".to_owned()),
            false => replica.message.clone(),
        };
        Ok(ReplicationStatusType {
            region: Some(replica.region.clone()),
            kms_key_id: Some(shown_key(replica)),
            status: Some(if replica.is_in_sync { "InSync" } else { "Failed" }.to_owned()),
            status_message: message,
            last_accessed_date: accessed.map(Timestamp::from_millis),
        })
    };
    secret.replicas.iter().map(show).collect()
}

fn shown_key(replica: &Replica) -> String {
    replica.kms_key_id.clone().unwrap_or_else(|| "alias/aws/secretsmanager".to_owned())
}

/// The replicas as AWS shows them to whoever asked for them: what has not failed has begun.
pub(crate) fn begun(secret: &Secret) -> Vec<ReplicationStatusType> {
    let show = |replica: &Replica| ReplicationStatusType {
        region: Some(replica.region.clone()),
        kms_key_id: Some(shown_key(replica)),
        status: Some(if replica.is_in_sync { "InProgress" } else { "Failed" }.to_owned()),
        status_message: replica.message.clone(),
        last_accessed_date: None,
    };
    secret.replicas.iter().map(show).collect()
}
