//! Rows: keys, their material, aliases and grants.
//!
//! A key's secret material is sealed by the cloud's root key, with the key's ARN and the material's id as additional
//! data. Everything else of a row is plain.

use std::collections::BTreeMap;

use fogbank_core::seal::Zeroizing;
use fogbank_core::store::{Read, Table, TableLabel, row};
use fogbank_core::{Tx, WriteTx, arn, root_key};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Account, region, id of the key.
pub(crate) type KeyKey = (String, String, String);
/// Account, region, id of the key, id of the material.
pub(crate) type MaterialKey = (String, String, String, String);
/// Account, region, name of the alias with its `alias/`.
pub(crate) type AliasKey = (String, String, String);
/// Account, region, id of the key, id of the grant.
pub(crate) type GrantKey = (String, String, String, String);
/// When something is due, in milliseconds since 1970, and the key that it is about.
pub(crate) type DueKey = (i64, String, String, String);

pub(crate) static KEYS: Table<KeyKey, Key> = Table::new("kms.keys", 0x1001);
pub(crate) static MATERIALS: Table<MaterialKey, Material> = Table::new("kms.materials", 0x1002);
pub(crate) static ALIASES: Table<AliasKey, Alias> = Table::new("kms.aliases", 0x1003);
/// Aliases by the key that they stand for: account, region, key, alias.
pub(crate) static ALIASES_OF: Table<(String, String, String, String), ()> =
    Table::new("kms.aliases-of-keys", 0x1004);
pub(crate) static GRANTS: Table<GrantKey, Grant> = Table::new("kms.grants", 0x1005);
/// Grants by who may retire them: the principal, then the grant's key.
pub(crate) static RETIRABLE: Table<(String, String, String, String, String), ()> =
    Table::new("kms.retirable-grants", 0x1006);
/// Keys by the time at which something happens to them.
pub(crate) static DUE: Table<DueKey, ()> = Table::new("kms.due", 0x1007);

/// Grants by who may use them: the grantee, then the grant's key.
pub(crate) static GRANTED: Table<(String, String, String, String, String), ()> =
    Table::new("kms.granted", 0x1008);
pub(crate) static LAST_USES: Table<KeyKey, LastUse> = Table::new("kms.last-uses", 0x1009);
/// What is known of the rows as a whole: [`TRACKING`] and [`ALL_GRANTED`].
pub(crate) static MARKS: Table<(u64,), u64> = Table::new("kms.marks", 0x100A);

/// Since when last uses are noted, in milliseconds since 1970.
pub(crate) const TRACKING: u64 = 1;
/// That every grant has its row in [`GRANTED`], which those of older versions had not.
pub(crate) const ALL_GRANTED: u64 = 2;

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    KEYS.label(),
    MATERIALS.label(),
    ALIASES.label(),
    ALIASES_OF.label(),
    GRANTS.label(),
    RETIRABLE.label(),
    DUE.label(),
    GRANTED.label(),
    LAST_USES.label(),
    MARKS.label(),
];

/// A key without its material.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) created_millis: i64,
    pub(crate) description: String,
    /// The names of the model's enumerations.
    pub(crate) spec: String,
    pub(crate) usage: String,
    pub(crate) origin: String,
    pub(crate) enabled: bool,
    /// The service whose AWS-managed key it is, such as `s3`.
    pub(crate) managed_by: Option<String>,
    pub(crate) deletion: Option<Deletion>,
    pub(crate) policy: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) multi_region: Option<MultiRegion>,
    pub(crate) rotation: Option<Rotation>,
    pub(crate) rotations_on_demand: u32,
    /// The material that encrypts and signs; none before the first import.
    pub(crate) material: Option<String>,
    /// When the first of the imported materials expires.
    pub(crate) expires_millis: Option<i64>,
    /// Whether a material of the key was deleted or has expired, without which the key cannot be used.
    pub(crate) lacks_material: bool,
    /// Under which time the key stands in the table of what is due.
    pub(crate) due_millis: Option<i64>,
}

row!(Key, 1);

/// A deletion that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) window_days: i32,
    /// None while replicas keep the primary key alive.
    pub(crate) at_millis: Option<i64>,
}

/// What makes a key one of several in several regions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MultiRegion {
    pub(crate) primary: String,
    /// The regions of the replicas; known to the primary only.
    pub(crate) replicas: Vec<String>,
}

/// Automatic rotation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) period_days: i32,
    pub(crate) next_millis: i64,
}

/// Secret material of a key, sealed, and what may be known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Material {
    /// The how-manieth of its key it is.
    pub(crate) number: u32,
    pub(crate) created_millis: i64,
    /// None after imported material was deleted or has expired.
    pub(crate) sealed: Option<Vec<u8>>,
    /// The public half, as DER.
    pub(crate) public: Option<Vec<u8>>,
    /// When and why it took the place of the one before.
    pub(crate) rotated: Option<Rotated>,
    pub(crate) imported: Option<Imported>,
}

row!(Material, 1);

/// When and why material took the place of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rotated {
    pub(crate) at_millis: i64,
    pub(crate) on_demand: bool,
}

/// What is special about imported material.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Imported {
    pub(crate) expires_millis: Option<i64>,
    pub(crate) description: Option<String>,
    /// It was imported and waits for a rotation.
    pub(crate) is_pending: bool,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) key_id: String,
    pub(crate) created_millis: i64,
    pub(crate) updated_millis: i64,
}

row!(Alias, 1);

/// A grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) name: Option<String>,
    pub(crate) created_millis: i64,
    /// An ARN or the name of a service.
    pub(crate) grantee: String,
    pub(crate) retiring: Option<String>,
    pub(crate) issuing_account: String,
    pub(crate) operations: Vec<String>,
    pub(crate) context_equals: Option<BTreeMap<String, String>>,
    pub(crate) context_subset: Option<BTreeMap<String, String>>,
    pub(crate) source_arn: Option<String>,
}

row!(Grant, 1);

/// When a key was used last, and what for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastUse {
    pub(crate) operation: String,
    pub(crate) at_millis: i64,
    pub(crate) request_id: String,
}

row!(LastUse, 1);

/// The ARN of a key.
pub(crate) fn key_arn((account, region, id): &KeyKey) -> String {
    arn::arn("kms", region, account, format_args!("key/{id}"))
}

/// The ARN of an alias, whose name begins with `alias/`.
pub(crate) fn alias_arn((account, region, name): &AliasKey) -> String {
    arn::arn("kms", region, account, name)
}

/// The key, or AWS's error. A key whose time has come is gone before the clean-up finds it.
pub(crate) fn key(tx: &impl Tx, at: &KeyKey) -> Result<Key, Error> {
    let key = KEYS.get(tx, at)?.filter(|key| !is_gone(key, tx.now().millis()));
    key.ok_or_else(|| Error::no_key(&key_arn(at)))
}

/// Whether the time of a key's deletion has come.
pub(crate) fn is_gone(key: &Key, now_millis: i64) -> bool {
    key.deletion.and_then(|deletion| deletion.at_millis).is_some_and(|at| at <= now_millis)
}

/// Writes a key, and when something is due for it.
pub(crate) fn put(tx: &mut WriteTx<'_>, at: &KeyKey, mut key: Key) -> Result<(), Error> {
    let (account, region, id) = at;
    let due = due(&key);
    if key.due_millis != due {
        if let Some(old) = key.due_millis {
            DUE.delete(tx, &(old, account, region, id))?;
        }
        if let Some(new) = due {
            DUE.put(tx, &(new, account, region, id), &())?;
        }
        key.due_millis = due;
    }
    Ok(KEYS.put(tx, at, &key)?)
}

fn due(key: &Key) -> Option<i64> {
    if let Some(deletion) = key.deletion {
        return deletion.at_millis;
    }
    let rotation = key.rotation.map(|rotation| rotation.next_millis);
    [rotation, key.expires_millis].into_iter().flatten().min()
}

/// Removes a key with all that hangs on it.
pub(crate) fn remove(tx: &mut WriteTx<'_>, at: &KeyKey, key: &Key) -> Result<(), Error> {
    let (account, region, id) = at;
    MATERIALS.delete_all(tx, at)?;
    for ((_, _, _, alias), ()) in ALIASES_OF.list(tx, at)? {
        ALIASES.delete(tx, &(account, region, &alias))?;
    }
    ALIASES_OF.delete_all(tx, at)?;
    for (grant_key, grant) in GRANTS.list(tx, at)? {
        remove_grant(tx, &grant_key, &grant)?;
    }
    if let Some(due) = key.due_millis {
        DUE.delete(tx, &(due, account, region, id))?;
    }
    LAST_USES.delete(tx, at)?;
    Ok(KEYS.delete(tx, at)?)
}

/// Removes a grant.
pub(crate) fn remove_grant(
    tx: &mut WriteTx<'_>,
    at: &GrantKey,
    grant: &Grant,
) -> Result<(), Error> {
    let (account, region, key, id) = at;
    if let Some(retiring) = &grant.retiring {
        RETIRABLE.delete(tx, &(retiring, account, region, key, id))?;
    }
    GRANTED.delete(tx, &(&grant.grantee, account, region, key, id))?;
    Ok(GRANTS.delete(tx, at)?)
}

/// The key of a material's row.
pub(crate) fn material_key((account, region, key): &KeyKey, id: &str) -> MaterialKey {
    (account.clone(), region.clone(), key.clone(), id.to_owned())
}

/// All materials of a key, the oldest first.
pub(crate) fn materials(
    rows: &(impl Read + ?Sized),
    at: &KeyKey,
) -> Result<Vec<(String, Material)>, Error> {
    let rows = MATERIALS.list(rows, at)?;
    let mut materials: Vec<_> = rows.into_iter().map(|((_, _, _, id), row)| (id, row)).collect();
    materials.sort_by_key(|(_, material)| material.number);
    Ok(materials)
}

/// What ties sealed material to its place.
fn place(at: &KeyKey, material: &str) -> Vec<u8> {
    format!("kms.materials\0{}\0{material}", key_arn(at)).into_bytes()
}

/// Seals secret material for its place.
pub(crate) fn seal(
    tx: &mut WriteTx<'_>,
    at: &KeyKey,
    material: &str,
    secret: &[u8],
) -> Result<Vec<u8>, Error> {
    Ok(root_key::seal(tx, &place(at, material), secret)?)
}

/// Secret material, opened.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Opens a material of a key; none if there is none with this id, or not any more.
pub(crate) fn secret(tx: &impl Tx, at: &KeyKey, id: &str) -> Result<Option<Secret>, Error> {
    let Some(material) = MATERIALS.get(tx, &material_key(at, id))? else { return Ok(None) };
    let now = tx.now().millis();
    let expires = material.imported.as_ref().and_then(|imported| imported.expires_millis);
    if expires.is_some_and(|expires| expires <= now) {
        return Ok(None);
    }
    let Some(sealed) = &material.sealed else { return Ok(None) };
    Ok(Some(tx.cx().root_key().open(&place(at, id), sealed)?))
}
