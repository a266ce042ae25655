//! Keys of several regions: the same id and material, each with a policy of its own.

use fogbank_core::store::Read;
use fogbank_core::{Cx, Tx, WriteTx};

use crate::error::Error;
use crate::lookup::{self, Found};
use crate::model::{
    ReplicateKeyInput, ReplicateKeyOutput, Tag, UpdatePrimaryRegionInput, UpdatePrimaryRegionOutput,
};
use crate::store::{self, KEYS, Key, KeyKey, MATERIALS, Material, MultiRegion};
use crate::{import, keys, policies, tags};

/// The same key in another region.
pub(crate) fn at((account, _, id): &KeyKey, region: &str) -> KeyKey {
    (account.clone(), region.to_owned(), id.clone())
}

/// The regions of a primary key's replicas.
pub(crate) fn replicas(
    rows: &(impl Read + ?Sized),
    primary: &KeyKey,
) -> Result<Vec<String>, Error> {
    let key = KEYS.get(rows, primary)?;
    Ok(key.and_then(|key| key.multi_region).map(|multi| multi.replicas).unwrap_or_default())
}

fn primary(tx: &impl Tx, text: &str) -> Result<(Found, MultiRegion), Error> {
    let found = lookup::own(tx, text)?;
    found.check_enabled()?;
    match found.key.multi_region.clone() {
        Some(multi) if multi.primary == found.at.1 => Ok((found, multi)),
        // AWS's words are not known.
        Some(_) => Err(Error::unsupported(format!("{} is not a primary key.", found.arn))),
        None => Err(Error::unsupported(format!("{} is not a multi-Region key.", found.arn))),
    }
}

/// Makes a replica in another region.
pub(crate) async fn replicate(
    cx: &Cx,
    input: ReplicateKeyInput,
) -> Result<ReplicateKeyOutput, Error> {
    let wanted = tags::wanted(input.tags.as_deref())?;
    let (found, _) = cx.read(|tx| primary(tx, &input.key_id))?;
    let replica = at(&found.at, &input.replica_region);
    let bypass = input.bypass_policy_lockout_safety_check.unwrap_or_default();
    if let Some(policy) = &input.policy {
        policies::check(cx, &store::key_arn(&replica), policy, bypass)?;
    }
    let there = cx.located(cx.account(), &input.replica_region);
    let metadata = there
        .write(|tx| {
            // The handler's own region is that of the primary key.
            let now = tx.now().millis();
            let mut source = store::key(tx, &found.at)?;
            let Some(multi) = &mut source.multi_region else {
                return Err(Error::no_key(&found.arn));
            };
            if multi.replicas.contains(&replica.1) || replica.1 == found.at.1 {
                // The model's error for this is the alias's, whose text is different.
                let message = format!("{} already exists", store::key_arn(&replica));
                return Err(fogbank_core::Fault::new("AlreadyExistsException", message).into());
            }
            multi.replicas.push(replica.1.clone());
            let key = Key {
                created_millis: now,
                description: input.description.clone().unwrap_or_default(),
                policy: input
                    .policy
                    .clone()
                    .unwrap_or_else(|| crate::rules::policy::default(&replica.0)),
                tags: wanted.clone(),
                enabled: true,
                multi_region: Some(MultiRegion {
                    primary: found.at.1.clone(),
                    replicas: Vec::new(),
                }),
                rotation: None,
                due_millis: None,
                ..source.clone()
            };
            store::put(tx, &found.at, source)?;
            let key = copy_materials(tx, &found.at, &replica, key)?;
            keys::metadata(&tx.as_read(), &replica, &key)
        })
        .await?;
    let shown =
        |(key, value): (&String, &String)| Tag { tag_key: key.clone(), tag_value: value.clone() };
    let policy = cx.read(|tx| store::key(tx, &replica))?.policy;
    Ok(ReplicateKeyOutput {
        replica_key_metadata: Some(metadata),
        replica_policy: Some(policy),
        replica_tags: Some(wanted.iter().map(shown).collect()),
    })
}

/// Gives a replica the primary key's materials. Imported ones have to be imported there, too.
fn copy_materials(
    tx: &mut WriteTx<'_>,
    from: &KeyKey,
    to: &KeyKey,
    key: Key,
) -> Result<Key, Error> {
    for (id, material) in store::materials(tx, from)? {
        let row = match &material.imported {
            Some(_) => Material { sealed: None, ..material },
            None => {
                let secret = store::secret(tx, from, &id)?;
                let sealed = secret.map(|secret| store::seal(tx, to, &id, &secret)).transpose()?;
                Material { sealed, ..material }
            }
        };
        MATERIALS.put(tx, &store::material_key(to, &id), &row)?;
    }
    import::refresh(tx, to, key)?;
    store::key(tx, to)
}

/// Makes a replica the primary key, and the primary key a replica.
pub(crate) fn update_primary(
    tx: &mut WriteTx<'_>,
    input: UpdatePrimaryRegionInput,
) -> Result<UpdatePrimaryRegionOutput, Error> {
    let (found, multi) = primary(tx, &input.key_id)?;
    let region = &input.primary_region;
    let next = at(&found.at, region);
    if !multi.replicas.contains(region) {
        return Err(Error::no_key(&store::key_arn(&next)));
    }
    let mut replicas: Vec<String> =
        multi.replicas.into_iter().filter(|replica| replica != region).collect();
    replicas.push(found.at.1.clone());
    let next_key = store::key(tx, &next)?;
    let rotation = found.key.rotation;
    for replica in &replicas {
        let of_replica = at(&found.at, replica);
        let key = store::key(tx, &of_replica)?;
        let multi = MultiRegion { primary: region.clone(), replicas: Vec::new() };
        store::put(tx, &of_replica, Key { multi_region: Some(multi), rotation: None, ..key })?;
    }
    let multi = MultiRegion { primary: region.clone(), replicas };
    store::put(tx, &next, Key { multi_region: Some(multi), rotation, ..next_key })?;
    Ok(UpdatePrimaryRegionOutput {})
}

/// Tells the primary key of a replica that is gone. If it was the last one that a deletion waits for, its window begins.
pub(crate) fn forget(tx: &mut WriteTx<'_>, gone: &KeyKey, key: &Key) -> Result<(), Error> {
    let Some(multi) = &key.multi_region else { return Ok(()) };
    if multi.primary == gone.1 {
        return Ok(());
    }
    let primary = at(gone, &multi.primary);
    let Some(mut key) = KEYS.get(tx, &primary)? else { return Ok(()) };
    if let Some(multi) = &mut key.multi_region {
        multi.replicas.retain(|region| *region != gone.1);
        if let Some(deletion) = key.deletion.as_mut().filter(|it| it.at_millis.is_none())
            && multi.replicas.is_empty()
        {
            deletion.at_millis =
                Some(tx.now().millis() + i64::from(deletion.window_days) * keys::DAY);
        }
    }
    store::put(tx, &primary, key)
}
