//! `ExclusiveStartKey`: where a query or scan goes on.

use super::Source;
use crate::error::{Error, Result};
use crate::keys::{Key, index_row_key, row_key};
use crate::value::Item;

/// What AWS says of a starting key whose attributes are not those of the keys.
pub(super) fn invalid() -> Error {
    Error::invalid("The provided starting key is invalid")
}

/// The part of a starting key by which the rows are ordered.
pub(super) fn ordering_key(source: Source<'_>, start: &Item) -> Result<Key> {
    let mut item = Item::new();
    for attribute in source.key().attributes() {
        let value = start.get(&attribute.name).ok_or_else(invalid)?;
        item.insert(attribute.name.clone(), value.clone());
    }
    Ok(source.key().check_key(&item)?)
}

/// The key of the table in a starting key.
pub(super) fn table_key(source: Source<'_>, start: &Item) -> Result<Key> {
    let schema = &source.table.key;
    let item: Item = schema
        .attributes()
        .filter_map(|attribute| Some((attribute.name.clone(), start.get(&attribute.name)?.clone())))
        .collect();
    schema.check_key(&item).map_err(|error| {
        Error::invalid(format!("The provided starting key is invalid: {}", error.message))
    })
}

/// The store's key of the row of a starting key, which need not exist. `key`: its part by which the rows are ordered.
pub(super) fn row(source: Source<'_>, start: &Item, key: &Key) -> Result<Vec<u8>> {
    let table_key = table_key(source, start)?;
    Ok(match source.index {
        Some(index) => index_row_key(index.id, key, &table_key),
        None => row_key(source.table.id(), &table_key),
    })
}
