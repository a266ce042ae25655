//! Rotation: new material takes the place of the old, which decrypts for ever what it encrypted.

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};

use crate::crypto::material;
use crate::error::Error;
use crate::keys::DAY;
use crate::lookup::{self, Found};
use crate::model::{
    DisableKeyRotationInput, DisableKeyRotationOutput, EnableKeyRotationInput,
    EnableKeyRotationOutput, ExpirationModelType, GetKeyRotationStatusInput,
    GetKeyRotationStatusOutput, IncludeKeyMaterial, ListKeyRotationsInput, ListKeyRotationsOutput,
    RotateKeyOnDemandInput, RotateKeyOnDemandOutput, RotationsListEntry,
};
use crate::rules::spec;
use crate::store::{self, Key, KeyKey, MATERIALS, Material, Rotated, Rotation};
use crate::{changes, keys, regions};

/// How often a key may be rotated on demand.
const MOST_ON_DEMAND: u32 = 25;
/// How many rotations a page has unless the caller says.
const PAGE: usize = 100;
/// The period unless the caller says.
const PERIOD_DAYS: i32 = 365;

/// The key, if it is one that rotates. AWS's words for those that do not are not known.
fn rotating(tx: &impl Tx, text: &str, automatically: bool) -> Result<Found, Error> {
    let found = lookup::own(tx, text)?;
    let origin = &found.key.origin;
    if !spec::is_symmetric(&found.key.spec) || automatically && origin != "AWS_KMS" {
        return Err(Error::unsupported(format!(
            "{} key spec is {} and origin {origin}, for which this operation is not supported.",
            found.arn, found.key.spec
        )));
    }
    Ok(found)
}

/// The same, if its rotation may be changed now.
fn changing(tx: &impl Tx, text: &str, automatically: bool) -> Result<Found, Error> {
    let found = rotating(tx, text, automatically)?;
    keys::check_customer(&found)?;
    found.check_enabled()?;
    if found.key.multi_region.as_ref().is_some_and(|multi| multi.primary != found.at.1) {
        return Err(Error::unsupported(format!(
            "{} is a replica key; rotate its primary key.",
            found.arn
        )));
    }
    Ok(found)
}

/// Rotates a key every so many days.
pub(crate) fn enable(
    tx: &mut WriteTx<'_>,
    input: EnableKeyRotationInput,
) -> Result<EnableKeyRotationOutput, Error> {
    let found = changing(tx, &input.key_id, true)?;
    let now = tx.now().millis();
    let before = found.key.rotation;
    let period_days = input.rotation_period_in_days.unwrap_or(PERIOD_DAYS);
    // Enabling again without a change keeps the date.
    let rotation = before.filter(|rotation| rotation.period_days == period_days);
    let next_millis = now + i64::from(period_days) * DAY;
    let rotation = Some(rotation.unwrap_or(Rotation { period_days, next_millis }));
    set(tx, &found, rotation)?;
    Ok(EnableKeyRotationOutput {})
}

/// Rotates a key no more.
pub(crate) fn disable(
    tx: &mut WriteTx<'_>,
    input: DisableKeyRotationInput,
) -> Result<DisableKeyRotationOutput, Error> {
    let found = changing(tx, &input.key_id, true)?;
    set(tx, &found, None)?;
    Ok(DisableKeyRotationOutput {})
}

fn set(tx: &mut WriteTx<'_>, found: &Found, rotation: Option<Rotation>) -> Result<(), Error> {
    store::put(tx, &found.at, Key { rotation, ..found.key.clone() })
}

/// Whether, how often and when next a key rotates.
pub(crate) fn status(
    tx: &ReadTx<'_>,
    input: GetKeyRotationStatusInput,
) -> Result<GetKeyRotationStatusOutput, Error> {
    let found = rotating_or_imported(tx, &input.key_id)?;
    let rotation = match &found.key.multi_region {
        Some(multi) if multi.primary != found.at.1 => {
            store::key(tx, &regions::at(&found.at, &multi.primary))?.rotation
        }
        _ => found.key.rotation,
    };
    let next = rotation.filter(|_| found.key.deletion.is_none());
    Ok(GetKeyRotationStatusOutput {
        key_rotation_enabled: Some(next.is_some()),
        key_id: Some(found.arn),
        rotation_period_in_days: rotation.map(|rotation| rotation.period_days),
        next_rotation_date: next.map(|rotation| Timestamp::from_millis(rotation.next_millis)),
        // A rotation on demand is done when its answer leaves.
        on_demand_rotation_start_date: None,
    })
}

fn rotating_or_imported(tx: &ReadTx<'_>, text: &str) -> Result<Found, Error> {
    let found = rotating(tx, text, false)?;
    match found.state() {
        "PendingImport" => {
            Err(Error::KMSInvalidStateException(format!("{} is pending import.", found.arn)))
        }
        _ => Ok(found),
    }
}

/// Rotates a key now: to new material, or to the imported one that waits.
pub(crate) fn on_demand(
    tx: &mut WriteTx<'_>,
    input: RotateKeyOnDemandInput,
) -> Result<RotateKeyOnDemandOutput, Error> {
    let found = changing(tx, &input.key_id, false)?;
    if found.key.rotations_on_demand >= MOST_ON_DEMAND {
        let message = format!("{} was rotated on demand {MOST_ON_DEMAND} times.", found.arn);
        return Err(Error::LimitExceededException(message));
    }
    let mut key = found.key.clone();
    key.rotations_on_demand += 1;
    let rotated = Rotated { at_millis: tx.now().millis(), on_demand: true };
    if key.origin == "EXTERNAL" {
        let materials = store::materials(tx, &found.at)?;
        let pending = materials.into_iter().find(|(_, material)| {
            material.imported.as_ref().is_some_and(|imported| imported.is_pending)
        });
        let Some((id, mut material)) = pending else {
            // AWS documents the state and not its words.
            let message = format!("{} has no key material that is pending rotation.", found.arn);
            return Err(Error::KMSInvalidStateException(message));
        };
        material.rotated = Some(rotated);
        if let Some(imported) = &mut material.imported {
            imported.is_pending = false;
        }
        MATERIALS.put(tx, &store::material_key(&found.at, &id), &material)?;
        key.material = Some(id);
        store::put(tx, &found.at, key)?;
        changes::tell(tx, &found.at, changes::ROTATION)?;
    } else {
        rotate(tx, &found.at, key, rotated)?;
    }
    Ok(RotateKeyOnDemandOutput { key_id: Some(found.arn) })
}

/// Gives a key, and its replicas in other regions, new material.
pub(crate) fn rotate(
    tx: &mut WriteTx<'_>,
    at: &KeyKey,
    key: Key,
    rotated: Rotated,
) -> Result<(), Error> {
    let fresh = material::generate(tx.ids(), &key.spec)?;
    let id = material::id(&at.2, &fresh.secret);
    let number = store::materials(tx, at)?.last().map_or(0, |(_, last)| last.number + 1);
    let replicas = key.multi_region.as_ref().map(|multi| multi.replicas.clone());
    let mut of_regions = vec![(at.clone(), key)];
    for region in replicas.into_iter().flatten() {
        let replica = regions::at(at, &region);
        let key = store::key(tx, &replica)?;
        of_regions.push((replica, key));
    }
    for (at, key) in of_regions {
        let row = Material {
            number,
            created_millis: rotated.at_millis,
            sealed: Some(store::seal(tx, &at, &id, &fresh.secret)?),
            public: None,
            rotated: Some(rotated),
            imported: None,
        };
        MATERIALS.put(tx, &store::material_key(&at, &id), &row)?;
        store::put(tx, &at, Key { material: Some(id.clone()), ..key })?;
        changes::tell(tx, &at, changes::ROTATION)?;
    }
    Ok(())
}

/// Lists rotations, the oldest first.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListKeyRotationsInput,
) -> Result<ListKeyRotationsOutput, Error> {
    let found = rotating(tx, &input.key_id, false)?;
    let all = input.include_key_material == Some(IncludeKeyMaterial::AllKeyMaterial);
    let list = store::materials(tx, &found.at)?
        .into_iter()
        .filter(|(_, material)| all || material.rotated.is_some())
        .map(|(id, material)| (format!("{:010}", material.number), shown(&found, id, material)))
        .collect();
    let (rotations, next_marker) =
        lookup::page_of(list, input.marker.as_deref(), input.limit, PAGE)?;
    Ok(ListKeyRotationsOutput {
        rotations: Some(rotations),
        truncated: Some(next_marker.is_some()),
        next_marker,
    })
}

fn shown(found: &Found, id: String, material: Material) -> RotationsListEntry {
    let imported = material.imported.as_ref();
    let is_current = found.key.material.as_deref() == Some(&*id);
    let state = match imported {
        Some(imported) if imported.is_pending => "PENDING_ROTATION",
        _ if is_current => "CURRENT",
        _ => "NON_CURRENT",
    };
    let expires = imported.and_then(|imported| imported.expires_millis);
    RotationsListEntry {
        key_id: Some(found.arn.clone()),
        key_material_id: Some(id),
        key_material_description: imported.and_then(|imported| imported.description.clone()),
        import_state: imported.map(|_| match material.sealed {
            Some(_) => "IMPORTED".to_owned(),
            None => "PENDING_IMPORT".to_owned(),
        }),
        key_material_state: Some(state.to_owned()),
        expiration_model: imported.map(|_| match expires {
            Some(_) => ExpirationModelType::KeyMaterialExpires,
            None => ExpirationModelType::KeyMaterialDoesNotExpire,
        }),
        valid_to: expires.map(Timestamp::from_millis),
        rotation_date: material.rotated.map(|rotated| Timestamp::from_millis(rotated.at_millis)),
        rotation_type: material
            .rotated
            .map(|rotated| if rotated.on_demand { "ON_DEMAND" } else { "AUTOMATIC" }.to_owned()),
    }
}
