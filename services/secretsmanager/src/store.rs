//! Rows: secrets, their versions and values, policies, and when something is due.

use std::collections::BTreeMap;

use fogbank_core::store::{Raw, Read, Table, TableLabel, row};
use fogbank_core::{WriteTx, arn};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rules::identifier::Identifier;

/// Account, region, name.
pub(crate) type SecretKey = (String, String, String);
/// Account, region, name, version id.
pub(crate) type VersionKey = (String, String, String, String);
/// When it is due in milliseconds since 1970, account, region, name.
pub(crate) type DueKey = (u64, String, String, String);

pub(crate) static SECRETS: Table<SecretKey, Secret> = Table::new("secretsmanager.secrets", 0x1101);
pub(crate) static VERSIONS: Table<VersionKey, Version> =
    Table::new("secretsmanager.versions", 0x1102);
/// Sealed values.
pub(crate) static VALUES: Table<VersionKey, Raw> = Table::new("secretsmanager.values", 0x1103);
/// Resource policies, as they were given.
pub(crate) static POLICIES: Table<SecretKey, String> =
    Table::new("secretsmanager.policies", 0x1104);
/// Secrets that follow one of another account, and those that are followed.
pub(crate) static LINKS: Table<SecretKey, Link> = Table::new("secretsmanager.links", 0x1106);
/// Secrets by the time at which they are to be deleted or rotated.
pub(crate) static DUE: Table<DueKey, ()> = Table::new("secretsmanager.due", 0x1105);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    SECRETS.label(),
    VERSIONS.label(),
    VALUES.label(),
    POLICIES.label(),
    LINKS.label(),
    DUE.label(),
];

/// A secret without its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Secret {
    /// The six characters at the end of its ARN.
    pub(crate) suffix: String,
    pub(crate) description: Option<String>,
    /// As the caller named it; none for `alias/aws/secretsmanager`.
    pub(crate) kms_key_id: Option<String>,
    pub(crate) created_millis: i64,
    pub(crate) changed_millis: i64,
    /// The day on which a value was last read, as its midnight.
    pub(crate) accessed_millis: Option<i64>,
    /// When it is deleted for good.
    pub(crate) deletion_millis: Option<i64>,
    /// Which version has which staging label; a version need not have a value.
    pub(crate) stages: BTreeMap<String, String>,
    /// How many versions have a value.
    pub(crate) version_count: u32,
    /// Before this time no version without labels is old enough to be removed.
    pub(crate) prune_millis: i64,
    /// In the order in which they were given.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) rotation: Option<Rotation>,
    /// The region of the primary, once there are replicas.
    pub(crate) primary_region: Option<String>,
    /// The primary's replicas.
    pub(crate) replicas: Vec<Replica>,
}

row!(Secret, 1);

/// How a secret is rotated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) is_enabled: bool,
    pub(crate) lambda_arn: String,
    pub(crate) after_days: Option<i64>,
    pub(crate) schedule: Option<String>,
    pub(crate) duration: Option<String>,
    pub(crate) rotated_millis: Option<i64>,
    /// When the next window opens, and when it closes.
    pub(crate) next_millis: Option<(i64, i64)>,
    pub(crate) attempt: Option<Attempt>,
}

/// A rotation that has begun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// The version that becomes the next one.
    pub(crate) version_id: String,
    /// By which the function proves that Secrets Manager called it.
    pub(crate) rotation_token: String,
    /// Whether only the configuration is tried, by the step `testSecret`.
    pub(crate) is_test: bool,
    /// Until when the outbox tries at most.
    pub(crate) tried_until_millis: i64,
}

/// Another region's copy of a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Replica {
    pub(crate) region: String,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) is_in_sync: bool,
    pub(crate) message: Option<String>,
}

/// A version that has a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) created_millis: i64,
    /// The day on which it was last read, as its midnight.
    pub(crate) accessed_millis: Option<i64>,
    /// As the secret named it when the value was sealed.
    pub(crate) kms_key_id: Option<String>,
}

row!(Version, 1);

/// One side of a replication across accounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The ARN of the secret on the other side.
    pub(crate) other: String,
    /// Whether this is the side of the primary.
    pub(crate) is_primary: bool,
    /// The role that opens and seals values, if it is not whoever changes the primary.
    pub(crate) role_arn: Option<String>,
    /// As the API spells it.
    pub(crate) status: String,
    pub(crate) message: Option<String>,
}

row!(Link, 1);

impl Secret {
    /// Its ARN.
    pub(crate) fn arn(&self, (account, region, name): &SecretKey) -> String {
        arn::arn("secretsmanager", region, account, format_args!("secret:{name}-{}", self.suffix))
    }

    /// The staging labels of a version.
    pub(crate) fn stages_of(&self, version_id: &str) -> Vec<String> {
        let of_version = self.stages.iter().filter(|(_, version)| *version == version_id);
        of_version.map(|(stage, _)| stage.clone()).collect()
    }

    /// Whether it is the copy of a secret of another region.
    pub(crate) fn is_replica(&self, key: &SecretKey) -> bool {
        self.primary_region.as_ref().is_some_and(|primary| *primary != key.1)
    }

    /// When something has to be done with it.
    fn due_millis(&self, key: &SecretKey) -> Option<u64> {
        let rotation = || {
            let rotation = self.rotation.as_ref().filter(|rotation| rotation.is_enabled)?;
            rotation.next_millis.map(|(opens, _)| opens)
        };
        let due = match self.deletion_millis {
            Some(deletion) => Some(deletion),
            None if self.is_replica(key) => None,
            None => rotation(),
        };
        due.map(|millis| millis.max(0).unsigned_abs())
    }
}

/// The key of a version of a secret.
pub(crate) fn version_key(key: &SecretKey, version_id: &str) -> VersionKey {
    (key.0.clone(), key.1.clone(), key.2.clone(), version_id.to_owned())
}

/// The same secret's key in another region.
pub(crate) fn in_region(key: &SecretKey, region: &str) -> SecretKey {
    (key.0.clone(), region.to_owned(), key.2.clone())
}

fn due_key(key: &SecretKey, millis: u64) -> DueKey {
    (millis, key.0.clone(), key.1.clone(), key.2.clone())
}

/// The secret that an identifier names, if there is one.
pub(crate) fn look_up(
    rows: &(impl Read + ?Sized),
    id: &Identifier,
) -> Result<Option<(SecretKey, Secret)>, fogbank_core::store::Error> {
    let key = id.key();
    let secret = SECRETS.get(rows, &key)?;
    Ok(secret.filter(|secret| id.fits(&secret.suffix)).map(|secret| (key, secret)))
}

/// The secret that an identifier names, or AWS's error.
pub(crate) fn find(
    rows: &(impl Read + ?Sized),
    id: &Identifier,
) -> Result<(SecretKey, Secret), Error> {
    look_up(rows, id)?.ok_or_else(Error::no_secret)
}

/// The secret that an identifier names, unless it waits to be deleted.
pub(crate) fn usable(
    rows: &(impl Read + ?Sized),
    id: &Identifier,
) -> Result<(SecretKey, Secret), Error> {
    let (key, secret) = find(rows, id)?;
    if secret.deletion_millis.is_some() { Err(Error::doomed()) } else { Ok((key, secret)) }
}

/// The secret that an identifier names, unless it waits to be deleted or is another region's copy.
pub(crate) fn primary(
    rows: &(impl Read + ?Sized),
    id: &Identifier,
) -> Result<(SecretKey, Secret), Error> {
    let (key, secret) = usable(rows, id)?;
    if secret.is_replica(&key) { Err(Error::is_replica()) } else { Ok((key, secret)) }
}

/// Writes a secret, and when something is due with it.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &Secret,
) -> Result<(), fogbank_core::store::Error> {
    let before = SECRETS.get(tx, key)?.and_then(|before| before.due_millis(key));
    let after = secret.due_millis(key);
    if before != after {
        if let Some(millis) = before {
            DUE.delete(tx, &due_key(key, millis))?;
        }
        if let Some(millis) = after {
            DUE.put(tx, &due_key(key, millis), &())?;
            tx.wake(crate::tasks::DUE);
        }
    }
    SECRETS.put(tx, key, secret)
}

/// Removes a secret with all that belongs to it.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &Secret,
) -> Result<(), fogbank_core::store::Error> {
    for version in VERSIONS.range(key).keys(tx)? {
        remove_version(tx, &version)?;
    }
    if let Some(millis) = secret.due_millis(key) {
        DUE.delete(tx, &due_key(key, millis))?;
    }
    POLICIES.delete(tx, key)?;
    LINKS.delete(tx, key)?;
    SECRETS.delete(tx, key)
}

/// Removes a version with its value.
pub(crate) fn remove_version(
    tx: &mut WriteTx<'_>,
    key: &VersionKey,
) -> Result<(), fogbank_core::store::Error> {
    VALUES.delete(tx, key)?;
    VERSIONS.delete(tx, key)
}
