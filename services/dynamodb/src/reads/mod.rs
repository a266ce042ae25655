//! `Query` and `Scan`: pages of items of a table or an index.

mod page;
mod query;
mod scan;
mod selection;
mod start;

pub(crate) use query::query;
pub(crate) use scan::scan;

use std::collections::BTreeMap;

use crate::conditions;
use crate::convert::{self, WireItem};
use crate::definition::{Definition, Index};
use crate::error::{Error, Result};
use crate::expressions::{Condition, Path, filter};
use crate::invalid::Invalid;
use crate::keys::KeySchema;
use crate::model;
use crate::value::Item;

/// What a query or scan reads.
#[derive(Clone, Copy)]
struct Source<'a> {
    table: &'a Definition,
    index: Option<&'a Index>,
}

impl<'a> Source<'a> {
    /// The table, or the index of it that the request names.
    fn find(table: &'a Definition, index: Option<&str>, is_consistent: bool) -> Result<Source<'a>> {
        let Some(name) = index else { return Ok(Source { table, index: None }) };
        let index = table.index(name).ok_or_else(|| {
            Error::invalid(format!("The table does not have the specified index: {name}"))
        })?;
        if index.is_global && is_consistent {
            return Err(Error::invalid(
                "Consistent reads are not supported on global secondary indexes",
            ));
        }
        if index.is_filling {
            return Err(Error::invalid(format!(
                "Cannot read from backfilling global secondary index: {name}"
            )));
        }
        Ok(Source { table, index: Some(index) })
    }

    /// The number under which the rows lie.
    fn id(&self) -> u64 {
        self.index.map_or(self.table.id(), |index| index.id)
    }

    /// The key by which the rows are ordered.
    fn key(&self) -> &'a KeySchema {
        self.index.map_or(&self.table.key, |index| &index.key)
    }

    /// The attributes of a `LastEvaluatedKey`.
    fn start_attributes(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> =
            self.table.key.attributes().map(|attribute| attribute.name.as_str()).collect();
        for attribute in self.key().attributes() {
            if !names.contains(&attribute.name.as_str()) {
                names.push(&attribute.name);
            }
        }
        names
    }
}

/// Takes `ExclusiveStartKey` from the wire. AWS says of some mistakes, not of all, that they are in it.
fn start_key(wire: Option<WireItem>) -> Result<Option<Item>> {
    const BARE: [&str; 5] = [
        "contains duplicates",
        "number set",
        "numeric value",
        "significant digits",
        "number with magnitude",
    ];
    wire.map(convert::item).transpose().map_err(|invalid| {
        if BARE.iter().any(|part| invalid.message.contains(part)) {
            invalid.into()
        } else {
            Error::invalid(format!("The provided starting key is invalid: {invalid}"))
        }
    })
}

/// The filter that `QueryFilter` or `ScanFilter` stands for.
fn legacy_filter(
    wire: Option<BTreeMap<String, model::Condition>>,
    operator: Option<model::ConditionalOperator>,
) -> std::result::Result<Option<Condition>, Invalid> {
    let conditions = conditions::legacy(wire.unwrap_or_default())?;
    filter(&conditions, conditions::join(operator))
}

/// Whether paths lead to an attribute.
fn leads_to(paths: &[&Path], attribute: &str) -> bool {
    paths.iter().any(|path| path.head() == attribute)
}
