//! Keys: making them, showing them, switching them on and off, deleting them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{Cx, ReadTx, Tx, WriteTx, page};

use crate::crypto::material::{self, Fresh};
use crate::error::Error;
use crate::lookup::{self, Found};
use crate::model::{
    CancelKeyDeletionInput, CancelKeyDeletionOutput, CreateKeyInput, CreateKeyOutput,
    DescribeKeyInput, DescribeKeyOutput, DisableKeyInput, DisableKeyOutput, EnableKeyInput,
    EnableKeyOutput, ExpirationModelType, KeyListEntry, KeyMetadata, KeySpec, KeyUsageType,
    ListKeysInput, ListKeysOutput, MultiRegionConfiguration, MultiRegionKey, OriginType,
    ResourceOwnerType, ScheduleKeyDeletionInput, ScheduleKeyDeletionOutput,
    UpdateKeyDescriptionInput, UpdateKeyDescriptionOutput,
};
use crate::rules::spec;
use crate::store::{self, Deletion, KEYS, Key, KeyKey, MATERIALS, Material, MultiRegion};
use crate::{managed, policies, regions, tags};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 24 * 3600 * 1000;

/// Creates a key.
pub(crate) async fn create(cx: &Cx, input: CreateKeyInput) -> Result<CreateKeyOutput, Error> {
    let (spec, usage) = spec::wanted(&input)?;
    let origin = input.origin.unwrap_or(OriginType::AwsKms);
    check_origin(&input, origin, spec)?;
    let tags = tags::wanted(input.tags.as_deref())?;
    let fresh = match origin {
        OriginType::AwsKms => Some(generate(cx, spec.as_str().to_owned()).await?),
        _ => None,
    };
    let is_multi_region = input.multi_region.unwrap_or_default();
    let id = new_id(cx, is_multi_region);
    let at = (cx.account().to_owned(), cx.region().to_owned(), id);
    let bypass = input.bypass_policy_lockout_safety_check.unwrap_or_default();
    if let Some(policy) = &input.policy {
        policies::check(cx, &store::key_arn(&at), policy, bypass)?;
    }
    let key = Key {
        created_millis: cx.request().now.millis(),
        description: input.description.unwrap_or_default(),
        spec: spec.as_str().to_owned(),
        usage: usage.as_str().to_owned(),
        origin: origin.as_str().to_owned(),
        enabled: true,
        managed_by: None,
        deletion: None,
        policy: input.policy.unwrap_or_else(|| crate::rules::policy::default(cx.account())),
        tags,
        multi_region: is_multi_region
            .then(|| MultiRegion { primary: cx.region().to_owned(), replicas: Vec::new() }),
        rotation: None,
        rotations_on_demand: 0,
        material: None,
        expires_millis: None,
        lacks_material: false,
        due_millis: None,
    };
    let metadata = cx
        .write(|tx| {
            let key = insert(tx, &at, key.clone(), fresh.as_ref())?;
            metadata(&tx.as_read(), &at, &key)
        })
        .await?;
    Ok(CreateKeyOutput { key_metadata: Some(metadata) })
}

fn check_origin(input: &CreateKeyInput, origin: OriginType, spec: KeySpec) -> Result<(), Error> {
    if spec == KeySpec::Sm2 {
        // As outside of AWS's regions in China.
        return Err(Error::unsupported("KeySpec SM2 is not supported in this Region."));
    }
    match origin {
        OriginType::AwsKms => {}
        OriginType::External => {
            let name = spec.as_str();
            if name.starts_with("ML_") || spec == KeySpec::EccNistEdwards25519 {
                let message = format!("KeySpec {name} is not supported for Origin EXTERNAL");
                return Err(Error::invalid(message));
            }
        }
        OriginType::AwsCloudhsm | OriginType::ExternalKeyStore => {
            return Err(Error::unsupported(format!(
                "Keys of origin {} need a custom key store; Fogbank has neither AWS CloudHSM clusters nor external \
                 key stores.",
                origin.as_str()
            )));
        }
    }
    match &input.custom_key_store_id {
        Some(id) => Err(crate::custom_key_stores::unknown(id)),
        None if input.xks_key_id.is_some() => {
            Err(Error::invalid("XksKeyId is only for keys in an external key store."))
        }
        None => Ok(()),
    }
}

/// The id of a new key.
pub(crate) fn new_id(cx: &Cx, is_multi_region: bool) -> String {
    match is_multi_region {
        true => format!("mrk-{}", cx.ids().hex(32)),
        false => cx.ids().uuid(),
    }
}

/// New material. Pairs of RSA keys take a while, so nobody else waits for them.
pub(crate) async fn generate(cx: &Cx, spec: String) -> Result<Fresh, Error> {
    if !spec.starts_with("RSA_") {
        return Ok(material::generate(cx.ids(), &spec)?);
    }
    let cloud = cx.cloud().clone();
    Ok(cx.work(move || material::generate(cloud.ids(), &spec)).await??)
}

/// Writes a new key with its first material.
pub(crate) fn insert(
    tx: &mut WriteTx<'_>,
    at: &KeyKey,
    mut key: Key,
    fresh: Option<&Fresh>,
) -> Result<Key, Error> {
    if let Some(fresh) = fresh {
        let id = material::id(&at.2, &fresh.secret);
        let row = Material {
            number: 0,
            created_millis: tx.now().millis(),
            sealed: Some(store::seal(tx, at, &id, &fresh.secret)?),
            public: fresh.public.clone(),
            rotated: None,
            imported: None,
        };
        MATERIALS.put(tx, &store::material_key(at, &id), &row)?;
        key.material = Some(id);
    }
    store::put(tx, at, key.clone())?;
    Ok(key)
}

/// Shows a key. An AWS-managed key that nobody has used yet is made by this.
pub(crate) async fn describe(cx: &Cx, input: DescribeKeyInput) -> Result<DescribeKeyOutput, Error> {
    crate::grants::check_tokens(cx, input.grant_tokens.as_deref())?;
    managed::ensure(cx, &input.key_id).await?;
    let metadata = cx.read(|tx| {
        let found = lookup::any(tx, &input.key_id)?;
        metadata(tx, &found.at, &found.key)
    })?;
    Ok(DescribeKeyOutput { key_metadata: Some(metadata) })
}

/// What is to be known of a key.
pub(crate) fn metadata(tx: &ReadTx<'_>, at: &KeyKey, key: &Key) -> Result<KeyMetadata, Error> {
    let state = lookup::state(key);
    let millis = fogbank_core::Timestamp::from_millis;
    let current = match &key.material {
        Some(id) => MATERIALS.get(tx, &store::material_key(at, id))?,
        None => None,
    };
    let imported =
        current.and_then(|material| material.imported).filter(|_| state != "PendingImport");
    let expires = imported.as_ref().and_then(|imported| imported.expires_millis);
    let waits = state == "PendingReplicaDeletion";
    let is_symmetric = spec::is_symmetric(&key.spec);
    let window = key.deletion.filter(|_| waits).map(|deletion| deletion.window_days);
    Ok(KeyMetadata {
        aws_account_id: Some(at.0.clone()),
        key_id: Some(at.2.clone()),
        arn: Some(store::key_arn(at)),
        creation_date: Some(millis(key.created_millis)),
        enabled: Some(state == "Enabled"),
        description: Some(key.description.clone()),
        key_usage: KeyUsageType::from_name(&key.usage),
        key_state: Some(state.to_owned()),
        deletion_date: key.deletion.and_then(|deletion| deletion.at_millis).map(millis),
        valid_to: expires.map(millis),
        origin: OriginType::from_name(&key.origin),
        expiration_model: imported.as_ref().map(|_| match expires {
            Some(_) => ExpirationModelType::KeyMaterialExpires,
            None => ExpirationModelType::KeyMaterialDoesNotExpire,
        }),
        key_manager: Some(if key.managed_by.is_some() { "AWS" } else { "CUSTOMER" }.to_owned()),
        customer_master_key_spec: spec::older_name(&key.spec),
        key_spec: KeySpec::from_name(&key.spec),
        encryption_algorithms: spec::encryption(&key.spec, &key.usage),
        signing_algorithms: spec::signing(&key.spec, &key.usage),
        key_agreement_algorithms: spec::agreement(&key.usage),
        encapsulation_algorithms: spec::encapsulation(&key.usage),
        multi_region: Some(key.multi_region.is_some()),
        multi_region_configuration: configuration(tx, at, key)?,
        pending_deletion_window_in_days: window,
        mac_algorithms: spec::mac(&key.spec),
        current_key_material_id: key.material.clone().filter(|_| is_symmetric),
        ..KeyMetadata::default()
    })
}

fn configuration(
    tx: &ReadTx<'_>,
    at: &KeyKey,
    key: &Key,
) -> Result<Option<MultiRegionConfiguration>, Error> {
    let Some(of_key) = &key.multi_region else { return Ok(None) };
    let related = |region: &str| MultiRegionKey {
        arn: Some(store::key_arn(&regions::at(at, region))),
        region: Some(region.to_owned()),
    };
    let replicas = match of_key.primary == at.1 {
        true => of_key.replicas.clone(),
        false => regions::replicas(tx, &regions::at(at, &of_key.primary))?,
    };
    let kind = if of_key.primary == at.1 { "PRIMARY" } else { "REPLICA" };
    Ok(Some(MultiRegionConfiguration {
        multi_region_key_type: Some(kind.to_owned()),
        primary_key: Some(related(&of_key.primary)),
        replica_keys: Some(replicas.iter().map(|region| related(region)).collect()),
    }))
}

/// Lists keys by id.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListKeysInput) -> Result<ListKeysOutput, Error> {
    let limit = usize::try_from(input.limit.unwrap_or(100)).unwrap_or(1);
    let place = (tx.account().to_owned(), tx.region().to_owned());
    let owners = input.resource_owners.unwrap_or_default();
    let mut keys: Vec<String> = Vec::new();
    let mut more = false;
    // Nothing is shared through AWS RAM here.
    if owners.is_empty() || owners.contains(&ResourceOwnerType::SelfValue) {
        let mut range = KEYS.range(&place);
        if let Some(last) = lookup::after(input.marker.as_deref())? {
            range = range.after(&(place.0.clone(), place.1.clone(), last));
        }
        let now = tx.now().millis();
        range.visit(tx, |(_, _, id), key| {
            if store::is_gone(&key, now) {
                return ControlFlow::Continue(());
            }
            if keys.len() == limit {
                more = true;
                return ControlFlow::Break(());
            }
            keys.push(id);
            ControlFlow::Continue(())
        })?;
    }
    let next_marker = keys.last().filter(|_| more).map(|last| page::text_token(last));
    let shown = |id: String| KeyListEntry {
        key_arn: Some(tx.arn(&format_args!("key/{id}"))),
        key_id: Some(id),
    };
    let keys = Some(keys.into_iter().map(shown).collect());
    Ok(ListKeysOutput { keys, truncated: Some(more), next_marker })
}

fn own_customer_key(tx: &impl Tx, text: &str) -> Result<Found, Error> {
    let found = lookup::own(tx, text)?;
    check_customer(&found)?;
    Ok(found)
}

/// Refuses what nobody may do to an AWS-managed key.
pub(crate) fn check_customer(found: &Found) -> Result<(), Error> {
    match &found.key.managed_by {
        // The key's policy refuses it before; this guards against policies that an administrator changes in the store.
        Some(_) => Err(Error::unsupported(format!("{} is an AWS managed key.", found.arn))),
        None => Ok(()),
    }
}

/// Switches a key on.
pub(crate) fn enable(
    tx: &mut WriteTx<'_>,
    input: EnableKeyInput,
) -> Result<EnableKeyOutput, Error> {
    switch(tx, &input.key_id, true)?;
    Ok(EnableKeyOutput {})
}

/// Switches a key off.
pub(crate) fn disable(
    tx: &mut WriteTx<'_>,
    input: DisableKeyInput,
) -> Result<DisableKeyOutput, Error> {
    switch(tx, &input.key_id, false)?;
    Ok(DisableKeyOutput {})
}

fn switch(tx: &mut WriteTx<'_>, text: &str, enabled: bool) -> Result<(), Error> {
    let found = own_customer_key(tx, text)?;
    found.check_alive()?;
    store::put(tx, &found.at, Key { enabled, ..found.key })
}

/// Describes a key anew.
pub(crate) fn update_description(
    tx: &mut WriteTx<'_>,
    input: UpdateKeyDescriptionInput,
) -> Result<UpdateKeyDescriptionOutput, Error> {
    let found = own_customer_key(tx, &input.key_id)?;
    found.check_not_pending_deletion()?;
    store::put(tx, &found.at, Key { description: input.description, ..found.key })?;
    Ok(UpdateKeyDescriptionOutput {})
}

/// Deletes a key after a while. A primary key waits for its replicas.
pub(crate) fn schedule_deletion(
    tx: &mut WriteTx<'_>,
    input: ScheduleKeyDeletionInput,
) -> Result<ScheduleKeyDeletionOutput, Error> {
    let found = own_customer_key(tx, &input.key_id)?;
    found.check_not_pending_deletion()?;
    let days = input.pending_window_in_days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(Error::invalid(
            "The PendingWindowInDays parameter must be between 7 and 30 days, inclusive.",
        ));
    }
    let waits = found.key.multi_region.as_ref().is_some_and(|multi| !multi.replicas.is_empty());
    let at_millis = (!waits).then(|| tx.now().millis() + i64::from(days) * DAY);
    let deletion = Some(Deletion { window_days: days, at_millis });
    let key = Key { deletion, enabled: false, ..found.key };
    let state = lookup::state(&key).to_owned();
    store::put(tx, &found.at, key)?;
    Ok(ScheduleKeyDeletionOutput {
        key_id: Some(found.arn),
        deletion_date: at_millis.map(fogbank_core::Timestamp::from_millis),
        key_state: Some(state),
        pending_window_in_days: Some(days),
    })
}

/// Keeps a key that was about to be deleted. It is switched off.
pub(crate) fn cancel_deletion(
    tx: &mut WriteTx<'_>,
    input: CancelKeyDeletionInput,
) -> Result<CancelKeyDeletionOutput, Error> {
    let found = own_customer_key(tx, &input.key_id)?;
    if found.key.deletion.is_none() {
        return Err(Error::KMSInvalidStateException(format!(
            "{} is not pending deletion.",
            found.arn
        )));
    }
    store::put(tx, &found.at, Key { deletion: None, enabled: false, ..found.key })?;
    Ok(CancelKeyDeletionOutput { key_id: Some(found.arn) })
}

/// The key of AWS for a service of an account, which is made at its first use.
pub(crate) fn managed_key(cx: &Cx, service: &str) -> Key {
    let now = cx.request().now.millis();
    Key {
        created_millis: now,
        description: crate::rules::policy::managed_description(service).to_owned(),
        spec: "SYMMETRIC_DEFAULT".to_owned(),
        usage: "ENCRYPT_DECRYPT".to_owned(),
        origin: "AWS_KMS".to_owned(),
        enabled: true,
        managed_by: Some(service.to_owned()),
        deletion: None,
        policy: crate::rules::policy::managed(service, cx.account(), cx.region()),
        tags: BTreeMap::new(),
        multi_region: None,
        // AWS rotates its keys every year.
        rotation: Some(store::Rotation { period_days: 365, next_millis: now + 365 * DAY }),
        rotations_on_demand: 0,
        material: None,
        expires_millis: None,
        lacks_material: false,
        due_millis: None,
    }
}
