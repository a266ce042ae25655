//! Encryption at rest with keys of KMS: rows of a table that names a key lie sealed, but for their keys in the store.
//!
//! A table has a data key, which KMS sealed and the table's row keeps; a change of the table's key adds another, and the rows
//! are sealed anew in the background. Who uses a table must be allowed `kms:Decrypt`, of which KMS is asked again after five
//! minutes. DynamoDB itself opens data keys by a grant, which the creation of the table gives it.
//!
//! Transactions cannot wait for KMS: what an operation needs is unlocked before it begins, and lies in memory then. A sealed
//! row is [`SEALED`], the table's number, the data key's number, the size of the item, and what [`fogbank_core::seal`] made.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::at_rest::{DataKey, KmsKey};
use fogbank_core::seal::NONCE_BYTES;
use fogbank_core::{Arn, Cloud, Cx, Effect, Fault, Principal, Tx, WriteTx, arn};
use parking_lot::RwLock;
use serde_json::json;

use crate::definition::Definition;
use crate::encoding::{Corrupt, row_size};
use crate::error::{Error, Result};
use crate::names::TableName;
use crate::store::{self, DataKeyRow, TableRow};

/// The first byte of a sealed row, where others have the version of their format.
const SEALED: u8 = 0xF0;
/// Bytes before what is sealed.
const HEADER: usize = 1 + 8 + 4 + 4;
/// The service as KMS knows it.
const SERVICE: &str = "dynamodb.amazonaws.com";
/// DynamoDB's key in each account.
pub(crate) const MANAGED: &str = "alias/aws/dynamodb";
/// For how long KMS is not asked again. AWS says five minutes.
const REUSE: Duration = Duration::from_secs(300);
/// Data keys that nobody unlocked for so long are forgotten when there are many.
const IDLE_MILLIS: i64 = 15 * 60 * 1000;
const MANY: usize = 4096;

/// A data key and when it was last unlocked, in milliseconds since 1970.
type Unlocked = (i64, Arc<DataKey>);

/// Data keys in memory, by the table's number and theirs.
#[derive(Default)]
struct Ring {
    /// Whether any table has data keys: not known, no, yes.
    need: AtomicU8,
    keys: RwLock<HashMap<(u64, u32), Unlocked>>,
}

const UNKNOWN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;

impl Ring {
    fn find(&self, table: u64, number: u32) -> Result<Arc<DataKey>> {
        let found = self.keys.read().get(&(table, number)).map(|(_, key)| Arc::clone(key));
        found.ok_or_else(|| Fault::internal("a table's data key is not in memory").into())
    }

    fn keep(&self, now_millis: i64, at: (u64, u32), key: Arc<DataKey>) {
        self.need.store(YES, Ordering::Release);
        let mut keys = self.keys.write();
        if keys.len() >= MANY {
            keys.retain(|_, (at_millis, _)| *at_millis + IDLE_MILLIS > now_millis);
        }
        keys.insert(at, (now_millis, key));
    }
}

/// Forgets all data keys: other rows take the place of those that sealed them.
pub(crate) fn forget(cloud: &Cloud) {
    let ring = cloud.state(Ring::default);
    ring.keys.write().clear();
    ring.need.store(UNKNOWN, Ordering::Release);
}

/// Whether any table may need data keys: almost never, and then this is all that it costs.
pub(crate) fn is_used(cx: &Cx) -> Result<bool> {
    let ring = cx.state(Ring::default);
    match ring.need.load(Ordering::Acquire) {
        NO => Ok(false),
        YES => Ok(true),
        _ => {
            let is_used = cx.read(store::any_data_key)?;
            let found = if is_used { YES } else { NO };
            // Whoever made the first one meanwhile has said so.
            let _ = ring.need.compare_exchange(UNKNOWN, found, Ordering::AcqRel, Ordering::Acquire);
            Ok(is_used)
        }
    }
}

/// Gets the data keys of these tables as the caller, who may not be allowed to use them. Tables that are not there are for the
/// operation to miss.
pub(crate) async fn unlock(cx: &Cx, tables: &[&str]) -> Result<()> {
    if !is_used(cx)? {
        return Ok(());
    }
    // Apart, so that what hardly any table needs makes no operation's future larger.
    Box::pin(unlock_all(cx, tables)).await
}

async fn unlock_all(cx: &Cx, tables: &[&str]) -> Result<()> {
    for &name in tables {
        let Ok(name) = TableName::of_data(name) else { continue };
        if let Some(table) = cx.read(|tx| store::find(tx, name))? {
            unlock_table(cx, &table).await?;
        }
    }
    Ok(())
}

/// Gets the data keys of a table as whoever `cx` is.
pub(crate) async fn unlock_table(cx: &Cx, table: &Definition) -> Result<()> {
    if table.row.data_keys.is_empty() {
        return Ok(());
    }
    let ring = cx.state(Ring::default);
    let cx = cx.located(cx.account(), &table.region);
    for row in &table.row.data_keys {
        let key = kms(&row.key_arn, &table.account, table.name(), REUSE);
        let key =
            key.open_data_key(&cx, &row.sealed).await.map_err(|fault| refused(&cx, &fault))?;
        ring.keep(cx.now().millis(), (table.id(), row.number), key);
    }
    Ok(())
}

/// The same as DynamoDB itself, by the grant of the table's creator.
pub(crate) async fn unlock_for_upkeep(cx: &Cx, table: &Definition) -> Result<()> {
    if table.row.data_keys.is_empty() {
        return Ok(());
    }
    unlock_table(&cx.located(&table.account, &table.region), table).await
}

fn kms<'a>(key_id: &'a str, account: &str, table: &str, reuse: Duration) -> KmsKey<'a> {
    KmsKey { service: "dynamodb", key_id, context: context(account, table), reuse }
}

fn context(account: &str, table: &str) -> BTreeMap<String, String> {
    let pairs = [("aws:dynamodb:tableName", table), ("aws:dynamodb:subscriberId", account)];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A new data key for a table, made with the caller's permissions, and the grant by which DynamoDB opens it.
#[derive(Clone)]
pub(crate) struct Fresh {
    row: DataKeyRow,
    key: Arc<DataKey>,
}

/// Makes a data key with the key of KMS that a request names; empty: DynamoDB's own.
pub(crate) async fn fresh(
    cx: &Cx,
    (account, region, table): (&str, &str, &str),
    key_id: &str,
) -> Result<Fresh> {
    let cx = cx.located(cx.account(), region);
    let key_id = if key_id.is_empty() { MANAGED } else { key_id };
    let key = kms(key_id, account, table, Duration::ZERO);
    let data_key = key.data_key(&cx).await.map_err(|fault| refused(&cx, &fault))?;
    let key_arn = data_key.kms_key_arn.clone();
    let grant = json!({
        "KeyId": key_arn,
        "GranteePrincipal": SERVICE,
        "RetiringPrincipal": SERVICE,
        "Operations": ["Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "RetireGrant"],
        "Constraints": {"EncryptionContextSubset": context(account, table)},
    });
    let bare = KmsKey { context: BTreeMap::new(), ..key };
    let granted = bare.call(&cx, "CreateGrant", grant).await;
    let granted = granted.map_err(|fault| refused(&cx, &fault))?;
    let grant_id = granted["GrantId"].as_str().unwrap_or_default().to_owned();
    let row = DataKeyRow { number: 0, key_arn, sealed: data_key.sealed.clone(), grant_id };
    Ok(Fresh { row, key: data_key })
}

impl Fresh {
    /// Makes it the data key with which a table's rows are sealed from now on.
    pub(crate) fn put_into(&self, tx: &WriteTx<'_>, row: &mut TableRow) {
        let number = row.data_keys.last().map_or(1, |last| last.number + 1);
        row.data_keys.push(DataKeyRow { number, ..self.row.clone() });
        row.inaccessible_millis = None;
        let ring = tx.cx().state(Ring::default);
        ring.keep(tx.now().millis(), (row.id, number), Arc::clone(&self.key));
    }
}

/// Gives back the grants of data keys that are not needed any more.
pub(crate) fn retire(tx: &mut WriteTx<'_>, keys: &[DataKeyRow]) -> Result<()> {
    for key in keys {
        let Some(at) = Arn::parse(&key.key_arn) else { continue };
        let input = json!({"KeyId": key.key_arn, "GrantId": key.grant_id});
        let effect = Effect::call("kms:RetireGrant", Principal::service(SERVICE), &input);
        tx.emit(effect.located(at.account, at.region))?;
    }
    Ok(())
}

/// The data key with which a table's rows are sealed now.
fn current(row: &TableRow) -> Option<&DataKeyRow> {
    row.data_keys.last().filter(|_| row.encryption_key.is_some())
}

/// Seals the bytes of a row of this table for its key in the store, if the table has a key of KMS.
pub(crate) fn seal(
    tx: &WriteTx<'_>,
    table: &Definition,
    key: &[u8],
    bytes: &[u8],
) -> Result<Option<Vec<u8>>> {
    let Some(row) = current(&table.row) else { return Ok(None) };
    let data_key = tx.cx().state(Ring::default).find(table.id(), row.number)?;
    let mut nonce = [0; NONCE_BYTES];
    tx.ids().fill(&mut nonce);
    let sealed = data_key.key().seal(nonce, key, bytes);
    let size = u32::try_from(row_size(bytes)?).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(HEADER + sealed.len());
    out.push(SEALED);
    out.extend(table.id().to_be_bytes());
    out.extend(row.number.to_be_bytes());
    out.extend(size.to_be_bytes());
    out.extend(sealed);
    Ok(Some(out))
}

/// What is sealed in the bytes under a key of the store; none if nothing is.
pub(crate) fn open(tx: &(impl Tx + ?Sized), key: &[u8], bytes: &[u8]) -> Result<Option<Bytes>> {
    if bytes.first() != Some(&SEALED) {
        return Ok(None);
    }
    let cut = || Corrupt("a sealed row is cut short");
    let (table, rest) = bytes[1..].split_first_chunk().ok_or_else(cut)?;
    let (number, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (_, sealed) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let (table, number) = (u64::from_be_bytes(*table), u32::from_be_bytes(*number));
    let data_key = tx.cx().state(Ring::default).find(table, number)?;
    let opened = data_key.key().open(key, sealed).map_err(Fault::internal)?;
    Ok(Some(Bytes::copy_from_slice(&opened)))
}

/// Bytes that DynamoDB counts for the item of a row, also of one that is sealed.
pub(crate) fn size_of(bytes: &[u8]) -> std::result::Result<usize, Corrupt> {
    match bytes.first() {
        Some(&SEALED) => {
            let size = bytes.get(HEADER - 4..).and_then(|rest| rest.first_chunk::<4>());
            let size = size.ok_or(Corrupt("a sealed row is cut short"))?;
            Ok(u32::from_be_bytes(*size) as usize)
        }
        _ => row_size(bytes),
    }
}

/// The ARN under which answers show a table's key of KMS.
pub(crate) fn shown_key(table: &Definition) -> Option<String> {
    let named = table.row.encryption_key.as_deref()?;
    if let Some(key) = current(&table.row) {
        return Some(key.key_arn.clone());
    }
    // A table of an older version, whose key nobody asked for yet.
    let of_account = |resource: &str| arn::arn("kms", &table.region, &table.account, resource);
    Some(match named {
        "" => of_account(MANAGED),
        arn if arn.starts_with("arn:") => arn.to_owned(),
        alias if alias.starts_with("alias/") => of_account(alias),
        id => of_account(&format!("key/{id}")),
    })
}

/// Whether DynamoDB finds that a table's key cannot be used, and until when that is not just a failure of ours.
pub(crate) fn is_lost(error: &Error) -> bool {
    match error {
        Error::ValidationException(_) => true,
        Error::Fault(fault) => fault.name() == "AccessDeniedException",
        _ => false,
    }
}

/// What DynamoDB says of what KMS refuses, in the words of AWS's SDK.
fn refused(cx: &Cx, fault: &Fault) -> Error {
    let (prefix, class) = match fault.name() {
        "AccessDenied" | "AccessDeniedException" => {
            ("KMS key access denied error", "AWSKMSException")
        }
        "DisabledException" => ("KMS key disabled error", "DisabledException"),
        "NotFoundException" => ("KMS validation error", "NotFoundException"),
        "KMSInvalidStateException" => ("KMS validation error", "KMSInvalidStateException"),
        "InvalidKeyUsageException" => ("KMS validation error", "InvalidKeyUsageException"),
        "InvalidArnException" => ("KMS validation error", "InvalidArnException"),
        _ => return Fault::internal(fault).into(),
    };
    let code = if class == "AWSKMSException" { "AccessDeniedException" } else { class };
    let message = format!(
        "{prefix}: com.amazonaws.services.kms.model.{class}: {} (Service: AWSKMS; Status Code: 400; Error Code: {code}; Request ID: {}; Proxy: null)",
        fault.message(),
        cx.request().id
    );
    match class {
        "AWSKMSException" => Fault::new("AccessDeniedException", message).with_status(400).into(),
        _ => Error::ValidationException(message),
    }
}
