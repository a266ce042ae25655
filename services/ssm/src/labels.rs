//! Labels: names of a parameter's versions.

use fogbank_core::{Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    LabelParameterVersionInput, LabelParameterVersionOutput, UnlabelParameterVersionInput,
    UnlabelParameterVersionOutput,
};
use crate::rules::labels;
use crate::rules::names::Named;
use crate::store::{self, VERSIONS, version_key};
use crate::{changes, values};

/// Attaches labels to a version, and takes them from others.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: LabelParameterVersionInput,
) -> Result<LabelParameterVersionOutput, Error> {
    let named = Named::parse(&input.name, tx.account(), tx.region());
    let (key, parameter) = store::find(tx, &named)?;
    let latest = i64::try_from(parameter.latest).unwrap_or(i64::MAX);
    let number = input.parameter_version.unwrap_or(latest);
    let missing = || Error::ParameterVersionNotFound(number.to_string(), key.2.clone());
    let unsigned = u64::try_from(number).map_err(|_| missing())?;
    let mut version = VERSIONS.get(tx, &version_key(&key, unsigned))?.ok_or_else(missing)?;
    let (valid, invalid): (Vec<String>, Vec<String>) =
        input.labels.into_iter().partition(|label| labels::is_label(label));
    for label in valid {
        if version.labels.contains(&label) {
            continue;
        }
        if let Some((other, mut holder)) = values::labelled(tx, &key, &label)? {
            holder.labels.retain(|known| *known != label);
            VERSIONS.put(tx, &version_key(&key, other), &holder)?;
        }
        version.labels.push(label);
    }
    if version.labels.len() > labels::MAX {
        return Err(Error::ParameterVersionLabelLimitExceeded);
    }
    VERSIONS.put(tx, &version_key(&key, unsigned), &version)?;
    changes::tell(tx, &key, "LabelParameterVersion", &version)?;
    Ok(LabelParameterVersionOutput {
        invalid_labels: Some(invalid),
        parameter_version: Some(number),
    })
}

/// Takes labels from a version.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UnlabelParameterVersionInput,
) -> Result<UnlabelParameterVersionOutput, Error> {
    let named = Named::parse(&input.name, tx.account(), tx.region());
    let (key, _) = store::find(tx, &named)?;
    let number = input.parameter_version;
    let missing = || Error::ParameterVersionNotFound(number.to_string(), key.2.clone());
    let unsigned = u64::try_from(number).map_err(|_| missing())?;
    let mut version = VERSIONS.get(tx, &version_key(&key, unsigned))?.ok_or_else(missing)?;
    let (removed, invalid): (Vec<String>, Vec<String>) =
        input.labels.into_iter().partition(|label| version.labels.contains(label));
    version.labels.retain(|label| !removed.contains(label));
    VERSIONS.put(tx, &version_key(&key, unsigned), &version)?;
    Ok(UnlabelParameterVersionOutput {
        removed_labels: Some(removed),
        invalid_labels: Some(invalid),
    })
}
