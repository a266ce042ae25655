//! Imported material: a wrapping key for the way here, the material, its end.

use bytes::Bytes;
use fogbank_core::seal::Zeroizing;
use fogbank_core::{Cx, Timestamp, Tx, WriteTx};

use crate::crypto::material::{self, Fresh};
use crate::crypto::rsa;
use crate::error::Error;
use crate::keys::{self, DAY};
use crate::lookup::{self, Found};
use crate::model::{
    AlgorithmSpec, DeleteImportedKeyMaterialInput, DeleteImportedKeyMaterialOutput,
    ExpirationModelType, GetParametersForImportInput, GetParametersForImportOutput,
    ImportKeyMaterialInput, ImportKeyMaterialOutput, ImportType, WrappingKeySpec,
};
use crate::rules::spec;
use crate::store::{self, Imported, Key, KeyKey, MATERIALS, Material};

/// What ties tokens to their use.
const TOKEN: &[u8] = b"kms.import-token";

fn external(tx: &impl Tx, text: &str) -> Result<Found, Error> {
    let found = lookup::own(tx, text)?;
    if found.key.origin != "EXTERNAL" {
        return Err(Error::unsupported(format!(
            "{} origin is {} which is not valid for this operation.",
            found.arn, found.key.origin
        )));
    }
    Ok(found)
}

/// A wrapping key and a token that holds its private half, sealed, for the next 24 hours.
pub(crate) async fn parameters(
    cx: &Cx,
    input: GetParametersForImportInput,
) -> Result<GetParametersForImportOutput, Error> {
    let found = cx.read(|tx| external(tx, &input.key_id))?;
    found.check_not_pending_deletion()?;
    if input.wrapping_key_spec == WrappingKeySpec::Sm2
        || input.wrapping_algorithm == AlgorithmSpec::Sm2Pke
    {
        return Err(Error::unsupported("SM2 is not supported in this Region."));
    }
    let is_short = matches!(
        input.wrapping_algorithm,
        AlgorithmSpec::RsaesPkcs1V15
            | AlgorithmSpec::RsaesOaepSha1
            | AlgorithmSpec::RsaesOaepSha256
    );
    if is_short && found.key.spec.starts_with("RSA_") {
        return Err(Error::invalid(format!(
            "WrappingAlgorithm {} cannot wrap the key material of a key with key spec {}.",
            input.wrapping_algorithm.as_str(),
            found.key.spec
        )));
    }
    let pair = keys::generate(cx, input.wrapping_key_spec.as_str().to_owned()).await?;
    let valid_to = cx.request().now.millis() + DAY;
    let algorithm = input.wrapping_algorithm.as_str();
    let mut token = format!("{valid_to}\0{algorithm}\0{}\0", found.arn).into_bytes();
    token.extend_from_slice(&pair.secret);
    let token = Zeroizing::new(token);
    Ok(GetParametersForImportOutput {
        key_id: Some(found.arn),
        import_token: Some(cx.root_key().seal(cx.ids(), TOKEN, &token).into()),
        public_key: pair.public.map(Bytes::from),
        parameters_valid_to: Some(Timestamp::from_millis(valid_to)),
    })
}

/// Unwraps the material with the private key that the token holds.
fn unwrap(cx: &Cx, arn: &str, input: &ImportKeyMaterialInput) -> Result<Zeroizing<Vec<u8>>, Error> {
    let invalid = || Error::InvalidImportTokenException("The import token is invalid.".to_owned());
    let token = cx.root_key().open(TOKEN, &input.import_token).map_err(|_| invalid())?;
    let mut parts = token.splitn(4, |byte| *byte == 0);
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (valid_to, algorithm, of_key) = (text(), text(), text());
    let secret = parts.next().ok_or_else(invalid)?;
    let valid_to: i64 = valid_to.and_then(|millis| millis.parse().ok()).ok_or_else(invalid)?;
    let algorithm = algorithm.and_then(AlgorithmSpec::from_name).ok_or_else(invalid)?;
    if of_key != Some(arn) {
        return Err(invalid());
    }
    if valid_to < cx.request().now.millis() {
        return Err(Error::ExpiredImportTokenException("The import token is expired.".to_owned()));
    }
    let unwrapped = rsa::unwrap(secret, algorithm, &input.encrypted_key_material);
    unwrapped.map_err(|_| Error::InvalidCiphertextException)
}

/// Imports material.
pub(crate) async fn import(
    cx: &Cx,
    input: ImportKeyMaterialInput,
) -> Result<ImportKeyMaterialOutput, Error> {
    let found = cx.read(|tx| external(tx, &input.key_id))?;
    found.check_not_pending_deletion()?;
    let expires_millis = expiry(cx, &input)?;
    let secret = unwrap(cx, &found.arn, &input)?;
    let fresh = material::take_in(&found.key.spec, secret).map_err(|_| {
        // AWS's words are not known.
        Error::IncorrectKeyMaterialException(format!(
            "The key material is not valid for a key with key spec {}.",
            found.key.spec
        ))
    })?;
    let id = material::id(&found.at.2, &fresh.secret);
    if input.key_material_id.as_ref().is_some_and(|wanted| *wanted != id) {
        return Err(incorrect(&found.arn));
    }
    cx.write(|tx| {
        let found = external(tx, &input.key_id)?;
        found.check_not_pending_deletion()?;
        let imported = Imported {
            expires_millis,
            description: input.key_material_description.clone(),
            is_pending: false,
        };
        take(tx, found, (&id, &fresh), imported, input.import_type)
    })
    .await?;
    let shown = spec::is_symmetric(&found.key.spec).then_some(id);
    Ok(ImportKeyMaterialOutput { key_id: Some(found.arn), key_material_id: shown })
}

fn incorrect(arn: &str) -> Error {
    Error::IncorrectKeyMaterialException(format!(
        "The key material is not the same as that which was imported into {arn} before."
    ))
}

fn expiry(cx: &Cx, input: &ImportKeyMaterialInput) -> Result<Option<i64>, Error> {
    let model = input.expiration_model.unwrap_or(ExpirationModelType::KeyMaterialExpires);
    match (model, input.valid_to) {
        (ExpirationModelType::KeyMaterialExpires, None) => Err(Error::invalid(
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        )),
        (ExpirationModelType::KeyMaterialDoesNotExpire, Some(_)) => Err(Error::invalid(
            "ValidTo must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        )),
        (_, None) => Ok(None),
        (_, Some(at)) => {
            let now = cx.request().now.millis();
            if at.millis() <= now || at.millis() > now + 365 * DAY {
                return Err(Error::invalid(
                    "ValidTo must be in the future and within 365 days of the request.",
                ));
            }
            Ok(Some(at.millis()))
        }
    }
}

/// Takes material in: again, for the first time, or as what the next rotation puts into force.
fn take(
    tx: &mut WriteTx<'_>,
    found: Found,
    (id, fresh): (&str, &Fresh),
    mut imported: Imported,
    import_type: Option<ImportType>,
) -> Result<(), Error> {
    let Found { at, key, arn } = found;
    let materials = store::materials(tx, &at)?;
    let known = materials.iter().find(|(known, _)| known == id).map(|(_, known)| known);
    let is_first = materials.is_empty();
    let is_new = import_type == Some(ImportType::NewKeyMaterial);
    if known.is_none() && !is_first && !(is_new && spec::is_symmetric(&key.spec)) {
        return Err(incorrect(&arn));
    }
    let was_pending = |material: &Material| {
        material.imported.as_ref().is_some_and(|imported| imported.is_pending)
    };
    match known {
        Some(known) => imported.is_pending = was_pending(known),
        None => imported.is_pending = !is_first,
    }
    if imported.is_pending
        && let Some((other, _)) =
            materials.iter().find(|(other, material)| other != id && was_pending(material))
    {
        // What waits was never used: the new one takes its place.
        MATERIALS.delete(tx, &store::material_key(&at, other))?;
    }
    let row = Material {
        number: known.map_or_else(
            || materials.last().map_or(0, |(_, last)| last.number + 1),
            |known| known.number,
        ),
        created_millis: known.map_or(tx.now().millis(), |known| known.created_millis),
        sealed: Some(store::seal(tx, &at, id, &fresh.secret)?),
        public: fresh.public.clone(),
        rotated: known.and_then(|known| known.rotated),
        imported: Some(imported),
    };
    MATERIALS.put(tx, &store::material_key(&at, id), &row)?;
    let material = key.material.clone().or_else(|| Some(id.to_owned()));
    refresh(tx, &at, Key { material, ..key })
}

/// Writes what a key's imported materials mean for it.
pub(crate) fn refresh(tx: &mut WriteTx<'_>, at: &KeyKey, mut key: Key) -> Result<(), Error> {
    let materials = store::materials(tx, at)?;
    let in_use = || {
        materials.iter().map(|(_, material)| material).filter(|material| {
            material.imported.as_ref().is_some_and(|imported| !imported.is_pending)
        })
    };
    key.lacks_material = in_use().any(|material| material.sealed.is_none());
    key.expires_millis = materials
        .iter()
        .filter(|(_, material)| material.sealed.is_some())
        .filter_map(|(_, material)| material.imported.as_ref()?.expires_millis)
        .min();
    store::put(tx, at, key)
}

/// Forgets the secret of a material. The key waits for the same one again.
pub(crate) fn forget(tx: &mut WriteTx<'_>, at: &KeyKey, id: &str) -> Result<(), Error> {
    let row = store::material_key(at, id);
    if let Some(mut material) = MATERIALS.get(tx, &row)? {
        if material.imported.as_ref().is_some_and(|imported| imported.is_pending) {
            MATERIALS.delete(tx, &row)?;
        } else {
            material.sealed = None;
            MATERIALS.put(tx, &row, &material)?;
        }
    }
    Ok(())
}

/// Deletes imported material.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteImportedKeyMaterialInput,
) -> Result<DeleteImportedKeyMaterialOutput, Error> {
    let found = external(tx, &input.key_id)?;
    found.check_not_pending_deletion()?;
    let id = input.key_material_id.or_else(|| found.key.material.clone());
    let Found { at, key, arn } = found;
    let known = match &id {
        Some(id) => MATERIALS.contains(tx, &store::material_key(&at, id))?,
        None => false,
    };
    if let Some(id) = id.as_deref().filter(|_| known) {
        forget(tx, &at, id)?;
        refresh(tx, &at, key)?;
    }
    Ok(DeleteImportedKeyMaterialOutput { key_id: Some(arn), key_material_id: id })
}
