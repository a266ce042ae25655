//! A table's definition, as the operations on its items need it.

use crate::error::{Error, Result};
use crate::keys::{Key, KeyAttribute, KeySchema};
use crate::names;
use crate::store::{IndexRow, KeyRow, TableRow};
use crate::value::{AttributeType, Item};

/// A table and its indexes.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The account that owns it.
    pub(crate) account: String,
    /// The region in which it lies.
    pub(crate) region: String,
    /// The table's key.
    pub(crate) key: KeySchema,
    /// The indexes, local ones first.
    pub(crate) indexes: Vec<Index>,
    /// All else that is known of it.
    pub(crate) row: TableRow,
}

/// An index of a table.
#[derive(Debug)]
pub(crate) struct Index {
    /// The number under which its entries lie.
    pub(crate) id: u64,
    /// The name.
    pub(crate) name: String,
    /// Whether it is a global one.
    pub(crate) is_global: bool,
    /// Whether entries for older items are still missing.
    pub(crate) is_filling: bool,
    /// The index's key.
    pub(crate) key: KeySchema,
    /// The attributes that its entries have; `None`: all.
    pub(crate) attributes: Option<Vec<String>>,
}

impl Definition {
    /// The definition in a row.
    pub(crate) fn new(account: &str, region: &str, row: TableRow) -> Result<Definition> {
        let key = key_schema(&row, &row.key)?;
        let local = row.local_indexes.iter().map(|index| (index, false));
        let global = row.global_indexes.iter().map(|index| (index, true));
        let indexes = local
            .chain(global)
            .map(|(index, is_global)| Index::new(&row, &key, index, is_global))
            .collect::<Result<_>>()?;
        Ok(Definition { account: account.to_owned(), region: region.to_owned(), key, indexes, row })
    }

    /// The number under which the items lie.
    pub(crate) fn id(&self) -> u64 {
        self.row.id
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.row.name
    }

    /// The ARN.
    pub(crate) fn arn(&self) -> String {
        let resource = names::table_resource(&self.row.name);
        fogbank_core::arn::arn("dynamodb", &self.region, &self.account, resource)
    }

    /// The index with this name.
    pub(crate) fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// Whether the table has local secondary indexes, and so item collections with metrics.
    pub(crate) fn has_collections(&self) -> bool {
        !self.row.local_indexes.is_empty()
    }

    /// Whether a write must know what was there before.
    pub(crate) fn needs_old_item(&self) -> bool {
        !self.indexes.is_empty() || self.row.expiry_attribute.is_some() || self.has_stream()
    }

    /// Whether changes go into a stream.
    pub(crate) fn has_stream(&self) -> bool {
        self.row.stream.as_ref().is_some_and(|stream| stream.is_enabled)
    }

    /// The key of an item that a request would store, whose attributes also fit the indexes.
    pub(crate) fn check_item(&self, item: &Item) -> Result<Key> {
        let key = self.key.check_item(item)?;
        self.check_index_keys(item)?;
        Ok(key)
    }

    /// Refuses an item that has a key attribute of an index in another type.
    pub(crate) fn check_index_keys(&self, item: &Item) -> Result<()> {
        for index in &self.indexes {
            index.key.check_index_item(&index.name, item)?;
        }
        Ok(())
    }

    /// Refuses paths into attributes of keys, which are never documents.
    pub(crate) fn check_paths<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p crate::expressions::Path>,
    ) -> Result<()> {
        let nested: Vec<&str> =
            paths.into_iter().filter(|path| path.is_nested()).map(|path| path.head()).collect();
        if nested.is_empty() {
            return Ok(());
        }
        let refuse = |what: &str, name: &str| {
            Err(Error::invalid(format!(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: {what}: {name}"
            )))
        };
        for attribute in self.key.attributes() {
            if nested.contains(&attribute.name.as_str()) {
                return refuse("Key", &attribute.name);
            }
        }
        for attribute in self.indexes.iter().flat_map(|index| index.key.attributes()) {
            if nested.contains(&attribute.name.as_str()) {
                return refuse("IndexKey", &attribute.name);
            }
        }
        Ok(())
    }
}

impl Index {
    fn new(
        table: &TableRow,
        table_key: &KeySchema,
        row: &IndexRow,
        is_global: bool,
    ) -> Result<Index> {
        let key = key_schema(table, &row.key)?;
        let attributes = (row.projection != "ALL").then(|| {
            let keys = table_key.attributes().chain(key.attributes());
            let mut names: Vec<String> = keys.map(|attribute| attribute.name.clone()).collect();
            names.extend(row.non_key_attributes.iter().cloned());
            names.sort_unstable();
            names.dedup();
            names
        });
        Ok(Index {
            id: row.id,
            name: row.name.clone(),
            is_global,
            is_filling: row.is_filling,
            key,
            attributes,
        })
    }

    /// The index's key of an item, if the item is in the index. Its attributes have been checked.
    pub(crate) fn key_of(&self, item: &Item) -> Option<Key> {
        self.key.check_index_item(&self.name, item).ok().flatten()
    }

    /// The part of an item that its entry has.
    pub(crate) fn entry(&self, item: &Item) -> Item {
        match &self.attributes {
            None => item.clone(),
            Some(names) => names
                .iter()
                .filter_map(|name| Some((name.clone(), item.get(name)?.clone())))
                .collect(),
        }
    }

    /// Whether an entry has the attribute.
    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.attributes.as_ref().is_none_or(|names| names.iter().any(|name| name == attribute))
    }
}

/// The schema of a key, with the types that the table declares.
fn key_schema(table: &TableRow, key: &KeyRow) -> Result<KeySchema> {
    let attribute = |name: &String| {
        let kind = table.attributes.iter().find(|(declared, _)| declared == name);
        let kind = kind.and_then(|(_, kind)| AttributeType::from_name(kind)).ok_or_else(|| {
            fogbank_core::Fault::internal(format!("the key attribute {name} has no type"))
        })?;
        Ok::<_, Error>(KeyAttribute::new(name.clone(), kind))
    };
    let sort = key.sort.as_ref().map(attribute).transpose()?;
    Ok(KeySchema { partition: attribute(&key.partition)?, sort })
}
