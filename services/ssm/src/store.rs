//! Rows: parameters, their versions, policies on them, settings, and when something is due.

use fogbank_core::store::{Read, Table, TableLabel, row};
use fogbank_core::{WriteTx, arn};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rules::names::Named;

/// Account, region, name.
pub(crate) type ParameterKey = (String, String, String);
/// Account, region, name, version.
pub(crate) type VersionKey = (String, String, String, u64);
/// Account, region, name, policy id.
pub(crate) type PolicyKey = (String, String, String, String);
/// When it is due in milliseconds since 1970, account, region, name.
pub(crate) type DueKey = (u64, String, String, String);

pub(crate) static PARAMETERS: Table<ParameterKey, Parameter> = Table::new("ssm.parameters", 0x1201);
pub(crate) static VERSIONS: Table<VersionKey, Version> = Table::new("ssm.versions", 0x1202);
/// Resource policies.
pub(crate) static POLICIES: Table<PolicyKey, ResourcePolicyRow> =
    Table::new("ssm.policies", 0x1203);
/// Service settings that are not as AWS has them, by their id.
pub(crate) static SETTINGS: Table<ParameterKey, Setting> = Table::new("ssm.settings", 0x1204);
/// Parameters by the time at which one of their policies acts.
pub(crate) static DUE: Table<DueKey, ()> = Table::new("ssm.due", 0x1205);

/// All tables.
pub(crate) static TABLES: &[TableLabel] =
    &[PARAMETERS.label(), VERSIONS.label(), POLICIES.label(), SETTINGS.label(), DUE.label()];

/// A parameter: what its versions have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parameter {
    /// The newest version.
    pub(crate) latest: u64,
    /// In the order in which they were given.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) policies: Vec<Policy>,
}

row!(Parameter, 1);

/// A parameter policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// `Expiration`, `ExpirationNotification` or `NoChangeNotification`.
    pub(crate) kind: String,
    /// As it was given.
    pub(crate) text: String,
    /// When it acts.
    pub(crate) at_millis: i64,
    pub(crate) is_done: bool,
}

/// A version of a parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// `String`, `StringList` or `SecureString`.
    pub(crate) kind: String,
    /// The text; sealed if it is secure.
    pub(crate) value: Vec<u8>,
    /// The KMS key as it was named, of secure values.
    pub(crate) key_id: Option<String>,
    pub(crate) modified_millis: i64,
    pub(crate) modified_by: String,
    pub(crate) description: Option<String>,
    pub(crate) allowed_pattern: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) is_advanced: bool,
    pub(crate) data_type: String,
}

row!(Version, 1);

/// A resource policy of a parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResourcePolicyRow {
    pub(crate) document: String,
    /// It changes with the document.
    pub(crate) hash: String,
}

row!(ResourcePolicyRow, 1);

/// A service setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) value: String,
    pub(crate) modified_millis: i64,
    pub(crate) modified_by: String,
}

row!(Setting, 1);

impl Version {
    /// Whether the value is sealed.
    pub(crate) fn is_secure(&self) -> bool {
        self.kind == "SecureString"
    }

    /// The tier as it is shown.
    pub(crate) fn tier(&self) -> &'static str {
        if self.is_advanced { "Advanced" } else { "Standard" }
    }
}

impl Parameter {
    /// When its next policy acts.
    fn due_millis(&self) -> Option<u64> {
        let waiting = self.policies.iter().filter(|policy| !policy.is_done);
        waiting.map(|policy| policy.at_millis.max(0).unsigned_abs()).min()
    }
}

/// The ARN of a parameter.
pub(crate) fn arn_of((account, region, name): &ParameterKey) -> String {
    arn::arn("ssm", region, account, format_args!("parameter/{}", name.trim_start_matches('/')))
}

/// The key of a version.
pub(crate) fn version_key(key: &ParameterKey, version: u64) -> VersionKey {
    (key.0.clone(), key.1.clone(), key.2.clone(), version)
}

fn due_key(key: &ParameterKey, millis: u64) -> DueKey {
    (millis, key.0.clone(), key.1.clone(), key.2.clone())
}

/// The parameter that a name or ARN means, if there is one.
pub(crate) fn look_up(
    rows: &(impl Read + ?Sized),
    named: &Named,
) -> Result<Option<(ParameterKey, Parameter)>, fogbank_core::store::Error> {
    for name in &named.names {
        let key = (named.account.clone(), named.region.clone(), name.clone());
        if let Some(parameter) = PARAMETERS.get(rows, &key)? {
            return Ok(Some((key, parameter)));
        }
    }
    Ok(None)
}

/// The parameter that a name or ARN means, or AWS's error.
pub(crate) fn find(
    rows: &(impl Read + ?Sized),
    named: &Named,
) -> Result<(ParameterKey, Parameter), Error> {
    look_up(rows, named)?.ok_or(Error::ParameterNotFound)
}

/// The newest version of a parameter.
pub(crate) fn latest(
    rows: &(impl Read + ?Sized),
    key: &ParameterKey,
    parameter: &Parameter,
) -> Result<Version, Error> {
    VERSIONS.get(rows, &version_key(key, parameter.latest))?.ok_or(Error::ParameterNotFound)
}

/// Writes a parameter, and when something is due with it.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    key: &ParameterKey,
    parameter: &Parameter,
) -> Result<(), fogbank_core::store::Error> {
    let before = PARAMETERS.get(tx, key)?.and_then(|before| before.due_millis());
    let after = parameter.due_millis();
    if before != after {
        if let Some(millis) = before {
            DUE.delete(tx, &due_key(key, millis))?;
        }
        if let Some(millis) = after {
            DUE.put(tx, &due_key(key, millis), &())?;
            tx.wake(crate::tasks::DUE);
        }
    }
    PARAMETERS.put(tx, key, parameter)
}

/// Removes a parameter with all that belongs to it.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    key: &ParameterKey,
    parameter: &Parameter,
) -> Result<(), fogbank_core::store::Error> {
    for version in VERSIONS.range(key).keys(tx)? {
        VERSIONS.delete(tx, &version)?;
    }
    for policy in POLICIES.range(key).keys(tx)? {
        POLICIES.delete(tx, &policy)?;
    }
    if let Some(millis) = parameter.due_millis() {
        DUE.delete(tx, &due_key(key, millis))?;
    }
    PARAMETERS.delete(tx, key)
}
