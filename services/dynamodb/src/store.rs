//! How DynamoDB's state lies in the store: the only file that knows.
//!
//! A table is a row of its definition; its items lie under its number, its indexes' entries under theirs. Numbers are
//! never used again, so that a table's name is free as soon as the definition is gone; what lay under its number is
//! removed in the background.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::store::{
    self, Key as StoreKey, KeyOf, Raw, Read, Table, TableLabel, Value, Write, row,
};
use fogbank_core::{ReadTx, Tx, WriteTx};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::encryption;
use crate::error::{Error, Result};
use crate::keys::{self, Key, KeyRange};
use crate::names::TableName;

/// The definitions of tables by account, region and name.
pub(crate) static DEFINITIONS: Table<(String, String, String), Raw> =
    Table::new("dynamodb.tables", 0x0301).read_often();
/// Where a table's definition stands, by its number.
static PLACES: Table<u64, Place> = Table::new("dynamodb.places", 0x0302);
/// Items and indexes' entries under keys of [`keys`].
static ROWS: Table<RowKey, Raw> = Table::new("dynamodb.rows", 0x0303);
/// Items that expire, by the second, their table's number and their key.
pub(crate) static EXPIRIES: Table<(u64, u64, Bytes), ()> = Table::new("dynamodb.expiries", 0x0304);
/// How far an index, or the expiries (number 0), of a table are filled with what the table held before.
static BACKFILLS: Table<(u64, u64), Backfill> = Table::new("dynamodb.backfills", 0x0305);
/// Numbers whose rows are to be removed.
static PURGES: Table<u64, ()> = Table::new("dynamodb.purges", 0x0306);
/// Transactions that were done, by account, region and the client's token.
static TOKENS: Table<(String, String, String), Token> = Table::new("dynamodb.tokens", 0x0307);
/// The same by the time at which they are forgotten.
pub(crate) static TOKEN_ENDS: Table<(u64, String, String, String), ()> =
    Table::new("dynamodb.token_ends", 0x0308);
/// What tables and indexes held when they were last counted.
static COUNTS: Table<u64, Counted> = Table::new("dynamodb.counts", 0x0309);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    DEFINITIONS.label(),
    PLACES.label(),
    ROWS.label(),
    EXPIRIES.label(),
    BACKFILLS.label(),
    PURGES.label(),
    TOKENS.label(),
    TOKEN_ENDS.label(),
    COUNTS.label(),
];

/// A key of [`keys`] as it stands: only who knows the table can take it apart.
struct RowKey(Vec<u8>);

impl KeyOf<RowKey> for RowKey {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl StoreKey for RowKey {
    fn decode(input: &mut &[u8]) -> std::result::Result<RowKey, store::Error> {
        Ok(RowKey(std::mem::take(input).to_vec()))
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_first_chunk() {
            Some((id, key)) => write!(f, "({}, {})", u64::from_be_bytes(*id), key.escape_ascii()),
            None => write!(f, "({})", self.0.escape_ascii()),
        }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableRow {
    /// The number under which its items lie.
    pub(crate) id: u64,
    /// The id that callers see.
    pub(crate) uuid: String,
    /// The name.
    pub(crate) name: String,
    /// When it was created, in milliseconds since 1970.
    pub(crate) created_millis: i64,
    /// The attributes of its and its indexes' keys: name and type.
    pub(crate) attributes: Vec<(String, String)>,
    /// The names of its key's attributes.
    pub(crate) key: KeyRow,
    /// Its local secondary indexes.
    pub(crate) local_indexes: Vec<IndexRow>,
    /// Its global secondary indexes.
    pub(crate) global_indexes: Vec<IndexRow>,
    /// Whether it is billed by the request.
    pub(crate) is_on_demand: bool,
    /// When it last began to be billed by the request.
    pub(crate) on_demand_since_millis: Option<i64>,
    /// What was provisioned.
    pub(crate) throughput: ThroughputRow,
    /// The most that a table billed by the request may use: reads and writes a second.
    pub(crate) on_demand_limits: Option<(Option<i64>, Option<i64>)>,
    /// Its stream.
    pub(crate) stream: Option<StreamRow>,
    /// The key of KMS with which the caller wants it encrypted, if it is not AWS's own; empty: DynamoDB's key in KMS.
    pub(crate) encryption_key: Option<String>,
    /// The storage class, if one was named.
    pub(crate) class: Option<String>,
    /// When the storage class was changed.
    pub(crate) class_changed_millis: Option<i64>,
    /// Whether it may not be deleted.
    pub(crate) is_protected: bool,
    /// The attribute that says when an item expires.
    pub(crate) expiry_attribute: Option<String>,
    /// The tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// The data keys with which its rows are sealed; the last one is the present one.
    pub(crate) data_keys: Vec<DataKeyRow>,
    /// When DynamoDB found that the key of KMS cannot be used.
    pub(crate) inaccessible_millis: Option<i64>,
}

row!(TableRow, 2, older_table);

/// A data key of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataKeyRow {
    /// Its number among those that the table had.
    pub(crate) number: u32,
    /// The ARN of the key of KMS that sealed it.
    pub(crate) key_arn: String,
    /// The data key as KMS sealed it.
    pub(crate) sealed: Vec<u8>,
    /// The grant by which DynamoDB opens it.
    pub(crate) grant_id: String,
}

#[derive(Deserialize)]
struct TableRowV1 {
    id: u64,
    uuid: String,
    name: String,
    created_millis: i64,
    attributes: Vec<(String, String)>,
    key: KeyRow,
    local_indexes: Vec<IndexRow>,
    global_indexes: Vec<IndexRow>,
    is_on_demand: bool,
    on_demand_since_millis: Option<i64>,
    throughput: ThroughputRow,
    on_demand_limits: Option<(Option<i64>, Option<i64>)>,
    stream: Option<StreamRow>,
    encryption_key: Option<String>,
    class: Option<String>,
    class_changed_millis: Option<i64>,
    is_protected: bool,
    expiry_attribute: Option<String>,
    tags: BTreeMap<String, String>,
}

fn older_table(version: u8, bytes: &[u8]) -> std::result::Result<TableRow, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let old: TableRowV1 = store::decode_fields(bytes)?;
    Ok(TableRow {
        id: old.id,
        uuid: old.uuid,
        name: old.name,
        created_millis: old.created_millis,
        attributes: old.attributes,
        key: old.key,
        local_indexes: old.local_indexes,
        global_indexes: old.global_indexes,
        is_on_demand: old.is_on_demand,
        on_demand_since_millis: old.on_demand_since_millis,
        throughput: old.throughput,
        on_demand_limits: old.on_demand_limits,
        stream: old.stream,
        encryption_key: old.encryption_key,
        class: old.class,
        class_changed_millis: old.class_changed_millis,
        is_protected: old.is_protected,
        expiry_attribute: old.expiry_attribute,
        tags: old.tags,
        data_keys: Vec::new(),
        inaccessible_millis: None,
    })
}

/// The names of a key's attributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyRow {
    /// The partition key.
    pub(crate) partition: String,
    /// The sort key.
    pub(crate) sort: Option<String>,
}

/// An index of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexRow {
    /// The number under which its entries lie.
    pub(crate) id: u64,
    /// The name.
    pub(crate) name: String,
    /// The names of its key's attributes.
    pub(crate) key: KeyRow,
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    pub(crate) projection: String,
    /// The attributes that it has besides keys.
    pub(crate) non_key_attributes: Vec<String>,
    /// What was provisioned; unused for local indexes.
    pub(crate) throughput: ThroughputRow,
    /// The most that an index billed by the request may use: reads and writes a second.
    pub(crate) on_demand_limits: Option<(Option<i64>, Option<i64>)>,
    /// Whether entries for older items are still missing.
    pub(crate) is_filling: bool,
}

/// What was provisioned for a table or an index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ThroughputRow {
    /// Units of reading a second.
    pub(crate) read_units: i64,
    /// Units of writing a second.
    pub(crate) write_units: i64,
    /// When it was last raised.
    pub(crate) raised_millis: Option<i64>,
    /// When it was last lowered.
    pub(crate) lowered_millis: Option<i64>,
}

/// A table's stream. Records are not written yet; who reads streams finds none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamRow {
    /// Whether changes go into it.
    pub(crate) is_enabled: bool,
    /// What records show.
    pub(crate) view: String,
    /// The label: the time at which it was enabled.
    pub(crate) label: String,
}

/// Where a definition stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

row!(Place, 1);

/// How far a backfill has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Backfill {
    /// The last key that was looked at, without the prefix; empty: none.
    pub(crate) after: Vec<u8>,
}

row!(Backfill, 1);

/// A transaction that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// A digest of what it did.
    pub(crate) digest: u64,
    /// When it was done, in milliseconds since 1970.
    pub(crate) done_millis: i64,
}

row!(Token, 1);

/// What a table or index held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Items.
    pub(crate) items: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
    /// When they were counted, in milliseconds since 1970.
    pub(crate) at_millis: i64,
}

row!(Counted, 1);

/// Parsed definitions by the table's number, with the bytes that they were parsed from. A look-up reads the row in its
/// own transaction and takes the parsed form only if the bytes are the same, so that it can never be stale.
#[derive(Default)]
struct Parsed(RwLock<HashMap<u64, (Bytes, Arc<Definition>)>>);

/// Parsed definitions are forgotten when there are more than this.
const MAX_PARSED: usize = 4096;

/// The definition of a table, if it exists.
pub(crate) fn find(tx: &impl Tx, table: TableName<'_>) -> Result<Option<Arc<Definition>>> {
    let account = table.account.unwrap_or_else(|| tx.account());
    let region = table.region.unwrap_or_else(|| tx.region());
    let Some(bytes) = DEFINITIONS.get_bytes(tx, &(account, region, table.name))? else {
        return Ok(None);
    };
    parse(tx, account, region, bytes).map(Some)
}

fn parse(tx: &impl Tx, account: &str, region: &str, bytes: Bytes) -> Result<Arc<Definition>> {
    let damaged = || fogbank_core::Fault::internal("a table's definition is cut short");
    let (id, fields) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
    let id = u64::from_be_bytes(*id);
    let parsed = tx.cx().cloud().state(Parsed::default);
    if let Some((known, definition)) = parsed.0.read().get(&id)
        && *known == bytes
    {
        return Ok(Arc::clone(definition));
    }
    let row = TableRow::decode_slice(fields)?;
    let definition = Arc::new(Definition::new(account, region, row)?);
    let mut parsed = parsed.0.write();
    if parsed.len() >= MAX_PARSED {
        parsed.clear();
    }
    parsed.insert(id, (bytes.clone(), Arc::clone(&definition)));
    Ok(definition)
}

/// The definition of a table that an operation on items is about.
pub(crate) fn table(tx: &impl Tx, name: &str) -> Result<Arc<Definition>> {
    find(tx, TableName::of_data(name)?)?.ok_or(Error::ResourceNotFoundException)
}

/// The definition of the table with this number, if it still exists.
pub(crate) fn table_of_id(tx: &impl Tx, id: u64) -> Result<Option<Arc<Definition>>> {
    let Some(place) = PLACES.get(tx, &id)? else { return Ok(None) };
    let Place { account, region, name } = &place;
    find(tx, TableName { account: Some(account), region: Some(region), name })
}

/// Writes a table's definition.
pub(crate) fn put_table(
    tx: &mut WriteTx<'_>,
    account: &str,
    region: &str,
    row: &TableRow,
) -> Result<()> {
    let mut bytes = row.id.to_be_bytes().to_vec();
    row.encode(&mut bytes)?;
    let key = (account.to_owned(), region.to_owned(), row.name.clone());
    DEFINITIONS.put(tx, &key, &Raw(bytes.into()))?;
    let (account, region, name) = key;
    Ok(PLACES.put(tx, &row.id, &Place { account, region, name })?)
}

/// Removes a table. Its items go in the background.
pub(crate) fn delete_table(tx: &mut WriteTx<'_>, table: &Definition) -> Result<()> {
    let (account, region) = (table.account.as_str(), table.region.as_str());
    DEFINITIONS.delete(tx, &(account, region, table.row.name.as_str()))?;
    encryption::retire(tx, &table.row.data_keys)?;
    PLACES.delete(tx, &table.row.id)?;
    purge(tx, table.row.id)?;
    for index in &table.indexes {
        purge(tx, index.id)?;
    }
    Ok(())
}

/// Removes the table under a key of its definition.
pub(crate) fn delete_at(
    tx: &mut WriteTx<'_>,
    (account, region, name): &(String, String, String),
) -> Result<()> {
    let name = TableName { account: Some(account), region: Some(region), name };
    match find(tx, name)? {
        Some(table) => delete_table(tx, &table),
        None => Ok(()),
    }
}

/// Forgets when an item of a table that is gone would have expired.
pub(crate) fn delete_stray_expiry(tx: &mut WriteTx<'_>, expiry: &Expiry) -> Result<()> {
    match PLACES.contains(tx, &expiry.1)? {
        true => Ok(()),
        false => Ok(EXPIRIES.delete(tx, expiry)?),
    }
}

/// Whether any table has data keys.
pub(crate) fn any_data_key(tx: &ReadTx<'_>) -> Result<bool> {
    let mut found = false;
    for id in all_table_ids(tx)? {
        found |= table_of_id(tx, id)?.is_some_and(|table| !table.row.data_keys.is_empty());
    }
    Ok(found)
}

/// The numbers of all tables.
pub(crate) fn all_table_ids(tx: &ReadTx<'_>) -> Result<BTreeSet<u64>> {
    Ok(PLACES.range(&()).keys(tx)?.into_iter().collect())
}

/// Has the rows under a number removed in the background.
pub(crate) fn purge(tx: &mut WriteTx<'_>, id: u64) -> Result<()> {
    PURGES.put(tx, &id, &())?;
    COUNTS.delete(tx, &id)?;
    tx.wake(crate::tasks::UPKEEP);
    Ok(())
}

/// Names of tables in order: up to `limit` that follow `after`, and whether there are more.
pub(crate) fn table_names(
    tx: &ReadTx<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<String>, bool)> {
    let (account, region) = (tx.account(), tx.region());
    let mut range = DEFINITIONS.range(&(account, region)).limit(limit + 1);
    if let Some(after) = after {
        range = range.after(&(account, region, after));
    }
    let mut names: Vec<String> = range.keys(tx)?.into_iter().map(|(_, _, name)| name).collect();
    let more = names.len() > limit;
    names.truncate(limit);
    Ok((names, more))
}

/// How many tables the account has in the region, up to `most`.
pub(crate) fn count_tables(tx: &impl Tx, most: usize) -> Result<usize> {
    Ok(DEFINITIONS.range(&(tx.account(), tx.region())).limit(most).count(tx)?)
}

/// The numbers of tables that follow `after`, up to `limit`.
pub(crate) fn table_ids(tx: &ReadTx<'_>, after: Option<u64>, limit: usize) -> Result<Vec<u64>> {
    let mut range = PLACES.range(&()).limit(limit);
    if let Some(after) = after {
        range = range.after(&after);
    }
    Ok(range.keys(tx)?)
}

/// A number that was never used for a table or an index; `which` tells those of one transaction apart.
pub(crate) fn new_id(tx: &WriteTx<'_>, which: u8) -> u64 {
    tx.version() << 8 | u64::from(which)
}

/// How long the prefix of a table is in the store's keys.
const PREFIX_LEN: usize = 4;

/// The store's key of an item or an index's entry.
fn row(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + key.len());
    out.extend_from_slice(&ROWS.prefix().to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// The bytes of an item.
pub(crate) fn get_row(tx: &impl Tx, id: u64, key: &Key) -> Result<Option<Bytes>> {
    get_row_at(tx, &keys::row_key(id, key))
}

/// The bytes under a key of [`keys`].
pub(crate) fn get_row_at(tx: &impl Tx, key: &[u8]) -> Result<Option<Bytes>> {
    let Some(bytes) = tx.get(&row(key))? else { return Ok(None) };
    let opened = encryption::open(tx, key, &bytes)?;
    Ok(Some(opened.unwrap_or(bytes)))
}

/// Writes an item or an index's entry of a table under a key of [`keys`].
pub(crate) fn put_row(
    tx: &mut WriteTx<'_>,
    table: &Definition,
    key: &[u8],
    bytes: &[u8],
) -> Result<()> {
    match encryption::seal(tx, table, key, bytes)? {
        Some(sealed) => tx.put(&row(key), &sealed),
        None => tx.put(&row(key), bytes),
    }
    Ok(())
}

/// Removes an item or an index's entry.
pub(crate) fn delete_row(tx: &mut WriteTx<'_>, key: &[u8]) {
    tx.delete(&row(key));
}

/// Visits the items or entries in a range of [`keys`], whose keys it shows as [`keys`] made them.
pub(crate) fn scan_rows(
    tx: &(impl Tx + ?Sized),
    range: &KeyRange,
    is_reverse: bool,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<()> {
    let mut failure = None;
    scan_stored(tx, range, is_reverse, |key, bytes| match encryption::open(tx, key, bytes) {
        Ok(None) => visit(key, bytes),
        Ok(Some(opened)) => visit(key, &opened),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failure.map_or(Ok(()), Err)
}

/// The same with bytes as they lie in the store, maybe sealed.
pub(crate) fn scan_stored(
    tx: &(impl Read + ?Sized),
    range: &KeyRange,
    is_reverse: bool,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<()> {
    if range.start >= range.end {
        return Ok(());
    }
    let (start, end) = (row(&range.start), row(&range.end));
    tx.scan(&start, &end, is_reverse, &mut |key, value| visit(&key[PREFIX_LEN..], value))?;
    Ok(())
}

/// Remembers when an item expires.
pub(crate) fn put_expiry(tx: &mut WriteTx<'_>, secs: u64, table: u64, key: &[u8]) -> Result<()> {
    Ok(EXPIRIES.put(tx, &(secs, table, key), &())?)
}

/// Forgets when an item expires.
pub(crate) fn delete_expiry(tx: &mut WriteTx<'_>, secs: u64, table: u64, key: &[u8]) -> Result<()> {
    Ok(EXPIRIES.delete(tx, &(secs, table, key))?)
}

/// When an item expires: the second, the table and the key.
pub(crate) type Expiry = (u64, u64, Bytes);

/// Items that expire up to a second, the earliest first, of those that follow `after`.
pub(crate) fn expired(
    tx: &impl Tx,
    after: Option<&Expiry>,
    up_to_secs: u64,
    limit: usize,
) -> Result<Vec<Expiry>> {
    let end = (up_to_secs.saturating_add(1), 0_u64, Bytes::new());
    let mut range = EXPIRIES.range(&()).before(&end).limit(limit);
    if let Some(after) = after {
        range = range.after(after);
    }
    Ok(range.keys(tx)?)
}

/// Begins to fill an index, or the expiries (number 0), from what the table holds.
pub(crate) fn start_backfill(tx: &mut WriteTx<'_>, table: u64, index: u64) -> Result<()> {
    BACKFILLS.put(tx, &(table, index), &Backfill { after: Vec::new() })?;
    tx.wake(crate::tasks::UPKEEP);
    Ok(())
}

/// Remembers how far a backfill has come; `None`: it is done.
pub(crate) fn put_backfill(
    tx: &mut WriteTx<'_>,
    table: u64,
    index: u64,
    after: Option<Vec<u8>>,
) -> Result<()> {
    match after {
        Some(after) => Ok(BACKFILLS.put(tx, &(table, index), &Backfill { after })?),
        None => Ok(BACKFILLS.delete(tx, &(table, index))?),
    }
}

/// A backfill that is not done: the table, the index and the last key that was looked at.
pub(crate) fn first_backfill(tx: &impl Tx) -> Result<Option<(u64, u64, Vec<u8>)>> {
    let first = BACKFILLS.first(tx, &())?;
    Ok(first.map(|((table, index), backfill)| (table, index, backfill.after)))
}

/// A number whose rows are to be removed.
pub(crate) fn first_purge(tx: &impl Tx) -> Result<Option<u64>> {
    Ok(PURGES.first(tx, &())?.map(|(id, ())| id))
}

/// Keys of rows in a range of [`keys`], up to `limit`.
pub(crate) fn some_keys(
    tx: &(impl Read + ?Sized),
    range: &KeyRange,
    limit: usize,
) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    scan_stored(tx, range, false, |key, _| {
        keys.push(key.to_vec());
        if keys.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(keys)
}

/// Forgets that the rows under a number are to be removed.
pub(crate) fn end_purge(tx: &mut WriteTx<'_>, id: u64) -> Result<()> {
    Ok(PURGES.delete(tx, &id)?)
}

/// The transaction that was done under a client's token.
pub(crate) fn token(tx: &impl Tx, token: &str) -> Result<Option<Token>> {
    Ok(TOKENS.get(tx, &(tx.account(), tx.region(), token))?)
}

/// Remembers a transaction until `end_millis`.
pub(crate) fn put_token(
    tx: &mut WriteTx<'_>,
    token: &str,
    digest: u64,
    end_millis: i64,
) -> Result<()> {
    let done_millis = tx.now().millis();
    let (account, region) = (tx.account().to_owned(), tx.region().to_owned());
    let end = end_millis.max(0).unsigned_abs();
    TOKEN_ENDS.put(tx, &(end, account.as_str(), region.as_str(), token), &())?;
    let key = (account.as_str(), region.as_str(), token);
    Ok(TOKENS.put(tx, &key, &Token { digest, done_millis })?)
}

/// Forgets up to `limit` transactions whose time is over, and says whether none is left.
pub(crate) fn forget_tokens(tx: &mut WriteTx<'_>, now_millis: i64, limit: usize) -> Result<bool> {
    let end = (now_millis.max(0).unsigned_abs(), String::new(), String::new(), String::new());
    let over = TOKEN_ENDS.range(&()).before(&end).limit(limit).keys(tx)?;
    for key in &over {
        forget_token(tx, key)?;
    }
    Ok(over.len() < limit)
}

/// Forgets a transaction: the time at which it would be forgotten, account, region and token.
pub(crate) fn forget_token(
    tx: &mut WriteTx<'_>,
    key: &(u64, String, String, String),
) -> Result<()> {
    TOKEN_ENDS.delete(tx, key)?;
    Ok(TOKENS.delete(tx, &(key.1.as_str(), key.2.as_str(), key.3.as_str()))?)
}

/// What a table or index held when it was last counted.
pub(crate) fn counted(tx: &impl Tx, id: u64) -> Result<Option<Counted>> {
    Ok(COUNTS.get(tx, &id)?)
}

/// Remembers what a table or index holds.
pub(crate) fn put_counted(tx: &mut WriteTx<'_>, id: u64, counted: &Counted) -> Result<()> {
    Ok(COUNTS.put(tx, &id, counted)?)
}
