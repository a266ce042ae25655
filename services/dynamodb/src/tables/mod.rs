//! Tables: `CreateTable`, `DescribeTable`, `UpdateTable`, `DeleteTable` and `ListTables`.
//!
//! A table is ready as soon as it exists. Answers still say `CREATING`, `UPDATING` and `DELETING` as AWS's do, so that
//! clients take the same steps; the next look finds the table `ACTIVE`, or gone.

mod create;
mod describe;
mod rules;
mod update;

pub(crate) use create::create;
pub(crate) use describe::describe;
pub(crate) use update::update;

use std::sync::Arc;

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::model::{DeleteTableInput, DeleteTableOutput, ListTablesInput, ListTablesOutput};
use crate::names::TableName;
use crate::store;

/// How many names a page of `ListTables` has.
const MAX_NAMES: i32 = 100;

/// The table that an operation on tables is about.
pub(crate) fn find(tx: &impl Tx, name: Option<&str>) -> Result<Arc<Definition>> {
    let table = TableName::of_control(name)?;
    store::find(tx, table)?.ok_or_else(|| Error::no_table(table.name))
}

/// The same for a request that has to be looked at between its table's name and its table.
pub(crate) fn find_checked(
    tx: &impl Tx,
    name: Option<&str>,
    check: impl FnOnce() -> Result<()>,
) -> Result<Arc<Definition>> {
    TableName::of_control(name)?;
    check()?;
    find(tx, name)
}

/// Deletes a table.
pub(crate) fn delete(tx: &mut WriteTx<'_>, input: DeleteTableInput) -> Result<DeleteTableOutput> {
    let table = find(tx, input.table_name.as_deref())?;
    if table.row.is_protected {
        return Err(Error::invalid(format!(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first. Table: {}",
            table.arn()
        )));
    }
    let mut description = describe::description(&tx.as_read(), &table, "DELETING")?;
    // A table on its way out has no attributes, keys and indexes any more.
    description.attribute_definitions = None;
    description.key_schema = None;
    description.creation_date_time = None;
    description.local_secondary_indexes = None;
    description.global_secondary_indexes = None;
    store::delete_table(tx, &table)?;
    Ok(DeleteTableOutput { table_description: Some(description) })
}

/// Lists the names of tables.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListTablesInput) -> Result<ListTablesOutput> {
    let limit = input.limit.unwrap_or(MAX_NAMES).clamp(1, MAX_NAMES).unsigned_abs() as usize;
    let after = input.exclusive_start_table_name.as_deref();
    let (names, more) = store::table_names(tx, after, limit)?;
    let last = names.last().filter(|_| more).cloned();
    Ok(ListTablesOutput { table_names: Some(names), last_evaluated_table_name: last })
}
