//! Changes of items: the one way by which an item, its indexes' entries and its expiry are written.
//!
//! All of it is one transaction, so that an index always agrees with its table.

use std::collections::BTreeMap;

use fogbank_core::WriteTx;

use crate::capacity::{Consumed, write_units};
use crate::convert;
use crate::definition::{Definition, Index};
use crate::encoding::{decode_item, encode_item};
use crate::error::Result;
use crate::keys::{Key, index_row_key, row_key};
use crate::model::{ItemCollectionMetrics, ReturnItemCollectionMetrics};
use crate::store;
use crate::value::{AttributeValue, Item, item_size};

/// The item under a key, if there is one.
pub(crate) fn read_item(
    tx: &impl fogbank_core::Tx,
    table: &Definition,
    key: &Key,
) -> Result<Option<Item>> {
    match store::get_row(tx, table.id(), key)? {
        Some(row) => Ok(Some(decode_item(&row)?)),
        None => Ok(None),
    }
}

/// A change of one item.
pub(crate) struct Change<'a> {
    /// The item's key.
    pub(crate) key: &'a Key,
    /// The item before; may be left out if the table does not need it ([`Definition::needs_old_item`]).
    pub(crate) old: Option<&'a Item>,
    /// The item after; none: it is deleted.
    pub(crate) new: Option<&'a Item>,
}

/// Writes a change. A stream's record of it would belong into the same transaction, and so be written here.
pub(crate) fn apply(tx: &mut WriteTx<'_>, table: &Definition, change: &Change<'_>) -> Result<()> {
    let row = row_key(table.id(), change.key);
    match change.new {
        Some(item) => store::put_row(tx, table, &row, &encode_item(item))?,
        None => store::delete_row(tx, &row),
    }
    for index in &table.indexes {
        change_entry(tx, table, index, change)?;
    }
    change_expiry(tx, table, change, &row)
}

/// The entry of an item in an index: its key in the store and its bytes.
pub(crate) fn entry(index: &Index, key: &Key, item: &Item) -> Option<(Vec<u8>, Vec<u8>)> {
    let index_key = index.key_of(item)?;
    Some((index_row_key(index.id, &index_key, key), encode_item(&index.entry(item))))
}

fn change_entry(
    tx: &mut WriteTx<'_>,
    table: &Definition,
    index: &Index,
    change: &Change<'_>,
) -> Result<()> {
    let old = change.old.and_then(|item| entry(index, change.key, item));
    let new = change.new.and_then(|item| entry(index, change.key, item));
    if old == new {
        return Ok(());
    }
    if let Some((key, _)) = &old
        && new.as_ref().is_none_or(|(new_key, _)| new_key != key)
    {
        store::delete_row(tx, key);
    }
    match &new {
        Some((key, bytes)) => store::put_row(tx, table, key, bytes),
        None => Ok(()),
    }
}

/// When an item expires, in seconds since 1970, if the table's items do and this one says when.
pub(crate) fn expiry(table: &Definition, item: &Item) -> Option<u64> {
    let AttributeValue::N(number) = item.get(table.row.expiry_attribute.as_ref()?)? else {
        return None;
    };
    number.as_str().split('.').next()?.parse().ok()
}

fn change_expiry(
    tx: &mut WriteTx<'_>,
    table: &Definition,
    change: &Change<'_>,
    row: &[u8],
) -> Result<()> {
    let old = change.old.and_then(|item| expiry(table, item));
    let new = change.new.and_then(|item| expiry(table, item));
    if old == new {
        return Ok(());
    }
    if let Some(secs) = old {
        store::delete_expiry(tx, secs, table.id(), row)?;
    }
    if let Some(secs) = new {
        store::put_expiry(tx, secs, table.id(), row)?;
    }
    Ok(())
}

/// What a change used: the larger of the items before and after, and as much again for each index that it changed;
/// twice where an entry moved.
pub(crate) fn consumed(table: &Definition, change: &Change<'_>) -> Consumed {
    let size = |item: Option<&Item>| item.map_or(0, item_size);
    let mut consumed = Consumed::of_table(write_units(size(change.old).max(size(change.new))));
    for index in &table.indexes {
        let part = |item: &Item| Some((index.key_of(item)?, index.entry(item)));
        let units = match (change.old.and_then(part), change.new.and_then(part)) {
            (None, None) => continue,
            (Some((_, entry)), None) | (None, Some((_, entry))) => write_units(item_size(&entry)),
            (Some((old_key, old)), Some((new_key, new))) => {
                if old_key == new_key && old == new {
                    continue;
                }
                let (old_units, new_units) =
                    (write_units(item_size(&old)), write_units(item_size(&new)));
                if old_key == new_key { old_units.max(new_units) } else { old_units + new_units }
            }
        };
        consumed.add_index(index, units);
    }
    consumed
}

/// The metrics of the item's collection, if the table has collections and the request asks for them.
///
/// Collections of more than a gigabyte are not told apart from smaller ones.
pub(crate) fn collection_metrics(
    table: &Definition,
    key: &Key,
    wanted: Option<ReturnItemCollectionMetrics>,
) -> Option<ItemCollectionMetrics> {
    if wanted != Some(ReturnItemCollectionMetrics::Size) || !table.has_collections() {
        return None;
    }
    let collection = BTreeMap::from([(table.key.partition.name.clone(), key.partition.clone())]);
    Some(ItemCollectionMetrics {
        item_collection_key: Some(convert::to_wire(collection)),
        size_estimate_range_gb: Some(vec![0.0, 1.0]),
    })
}
