//! `ExclusiveStartKey`: where a query or scan goes on.

use super::Source;
use crate::error::{Error, Result};
use crate::invalid::Invalid;
use crate::keys::{Key, index_row_key, row_key};
use crate::value::Item;

/// Where a read goes on: the row's key in the store, and in the table or index.
pub(super) struct Start {
    /// The row's key in the store.
    pub(super) row: Vec<u8>,
    /// The key by which the rows are ordered.
    pub(super) key: Key,
}

/// What AWS says of a starting key whose attributes are not those of the keys.
pub(super) fn invalid() -> Error {
    Error::invalid("The provided starting key is invalid")
}

/// Finds the row of a starting key, which need not exist.
pub(super) fn find(source: Source<'_>, start: &Item) -> Result<Start> {
    let key = part(source, start)?;
    let named = |error: Invalid| {
        Error::invalid(format!("The provided starting key is invalid: {}", error.message))
    };
    let table_item: Item = source
        .table
        .key
        .attributes()
        .filter_map(|attribute| Some((attribute.name.clone(), start.get(&attribute.name)?.clone())))
        .collect();
    let table_key = source.table.key.check_key(&table_item).map_err(named)?;
    let row = match source.index {
        Some(index) => index_row_key(index.id, &key, &table_key),
        None => row_key(source.table.id(), &table_key),
    };
    Ok(Start { row, key })
}

/// The part of a starting key by which the rows are ordered.
fn part(source: Source<'_>, start: &Item) -> Result<Key> {
    let mut item = Item::new();
    for attribute in source.key().attributes() {
        let value = start.get(&attribute.name).ok_or_else(invalid)?;
        item.insert(attribute.name.clone(), value.clone());
    }
    Ok(source.key().check_key(&item)?)
}
