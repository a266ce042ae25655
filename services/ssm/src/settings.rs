//! Service settings of Parameter Store.

use fogbank_core::{Fault, ReadTx, Timestamp, Tx, WriteTx, arn};

use crate::error::Error;
use crate::model::{
    GetServiceSettingInput, GetServiceSettingOutput, ParameterTier, ResetServiceSettingInput,
    ResetServiceSettingOutput, ServiceSetting, UpdateServiceSettingInput,
    UpdateServiceSettingOutput,
};
use crate::store::{ParameterKey, SETTINGS, Setting};

const TIER: &str = "/ssm/parameter-store/default-parameter-tier";
const THROUGHPUT: &str = "/ssm/parameter-store/high-throughput-enabled";

/// A setting that is known: its id, its values and how it is at first.
struct Known {
    id: &'static str,
    values: &'static [&'static str],
}

const KNOWN: [Known; 2] = [
    Known { id: TIER, values: &["Standard", "Advanced", "Intelligent-Tiering"] },
    Known { id: THROUGHPUT, values: &["false", "true"] },
];

/// The setting that an id or ARN names.
fn known(text: &str) -> Result<&'static Known, Error> {
    let id = match text.split_once(":servicesetting") {
        Some((_, id)) => id.to_owned(),
        None => format!("/{}", text.trim_start_matches('/')),
    };
    if let Some(known) = KNOWN.iter().find(|known| known.id == id) {
        return Ok(known);
    }
    let is_of_parameters = id.starts_with("/ssm/parameter-store/");
    if id.starts_with("/ssm/") && !is_of_parameters {
        return Err(Fault::not_implemented(
            "ssm",
            "service settings of other tools than Parameter Store",
        )
        .into());
    }
    // AWS's words are not known; these are its model's.
    Err(Error::ServiceSettingNotFound(
        "The specified service setting wasn't found. Either the service name or the setting hasn't been provisioned by \
         the Amazon Web Services service team."
            .to_owned(),
    ))
}

fn key(tx: &impl Tx, known: &Known) -> ParameterKey {
    (tx.account().to_owned(), tx.region().to_owned(), known.id.to_owned())
}

fn shown(tx: &impl Tx, known: &Known, setting: Option<Setting>) -> ServiceSetting {
    let arn =
        arn::arn("ssm", tx.region(), tx.account(), format_args!("servicesetting{}", known.id));
    let (status, setting) = match setting {
        Some(setting) => ("Customized", setting),
        None => {
            let (value, modified_by) = (known.values[0].to_owned(), "System".to_owned());
            ("Default", Setting { value, modified_millis: 0, modified_by })
        }
    };
    ServiceSetting {
        setting_id: Some(known.id.to_owned()),
        setting_value: Some(setting.value),
        last_modified_date: Some(Timestamp::from_millis(setting.modified_millis)),
        last_modified_user: Some(setting.modified_by),
        arn: Some(arn),
        status: Some(status.to_owned()),
    }
}

/// Shows a setting.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetServiceSettingInput,
) -> Result<GetServiceSettingOutput, Error> {
    let known = known(&input.setting_id)?;
    let setting = SETTINGS.get(tx, &key(tx, known))?;
    Ok(GetServiceSettingOutput { service_setting: Some(shown(tx, known, setting)) })
}

/// Changes a setting.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateServiceSettingInput,
) -> Result<UpdateServiceSettingOutput, Error> {
    let known = known(&input.setting_id)?;
    if !known.values.contains(&input.setting_value.as_str()) {
        // AWS's words are not known.
        return Err(Error::invalid(format!(
            "The setting value {} is not valid. Valid values include: [{}].",
            input.setting_value,
            known.values.join(", ")
        )));
    }
    let setting = Setting {
        value: input.setting_value,
        modified_millis: tx.now().millis(),
        modified_by: tx.request().principal.arn.clone(),
    };
    SETTINGS.put(tx, &key(tx, known), &setting)?;
    Ok(UpdateServiceSettingOutput {})
}

/// Makes a setting what it was at first.
pub(crate) fn reset(
    tx: &mut WriteTx<'_>,
    input: ResetServiceSettingInput,
) -> Result<ResetServiceSettingOutput, Error> {
    let known = known(&input.setting_id)?;
    SETTINGS.delete(tx, &key(tx, known))?;
    Ok(ResetServiceSettingOutput { service_setting: Some(shown(tx, known, None)) })
}

/// The tier of parameters for which none is named.
pub(crate) fn default_tier(tx: &impl Tx) -> Result<ParameterTier, Error> {
    let setting = SETTINGS.get(tx, &key(tx, &KNOWN[0]))?;
    let tier = setting.and_then(|setting| ParameterTier::from_name(&setting.value));
    Ok(tier.unwrap_or(ParameterTier::Standard))
}
