//! `UpdateTable`.

use std::collections::BTreeSet;

use fogbank_core::{Cx, Timestamp, Tx, WriteTx};

use super::{create, describe, rules};
use crate::definition::Definition;
use crate::encryption::{self, Fresh};
use crate::error::{Error, Result};
use crate::model::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate,
    ProvisionedThroughput, TableDescription, UpdateGlobalSecondaryIndexAction, UpdateTableInput,
    UpdateTableOutput,
};
use crate::store::{self, IndexRow, TableRow, ThroughputRow};
use crate::tasks;

/// Changes how a table is billed, its indexes, stream, encryption, class or protection.
pub(crate) async fn update(cx: &Cx, input: UpdateTableInput) -> Result<UpdateTableOutput> {
    let table =
        cx.read(|tx| super::find_checked(tx, input.table_name.as_deref(), || check(&input)))?;
    let asks_for_rows =
        input.sse_specification.is_some() || input.global_secondary_index_updates.is_some();
    if asks_for_rows {
        encryption::unlock_table(cx, &table).await?;
    }
    let fresh = match create::encryption_key(input.sse_specification.as_ref()) {
        Some(key_id) => {
            let at = (&*table.account, &*table.region, table.name());
            Some(encryption::fresh(cx, at, &key_id).await?)
        }
        None => None,
    };
    cx.write(|tx| update_in(tx, &input, fresh.as_ref())).await
}

fn update_in(
    tx: &mut WriteTx<'_>,
    input: &UpdateTableInput,
    fresh: Option<&Fresh>,
) -> Result<UpdateTableOutput> {
    let table = super::find_checked(tx, input.table_name.as_deref(), || check(input))?;
    let now = tx.now();
    let mut row = table.row.clone();
    let has_indexes = input.global_secondary_index_updates.iter().flatten().next().is_some();
    if has_indexes {
        merge_attributes(&mut row, input.attribute_definitions.as_deref().unwrap_or_default())?;
    }
    change_billing(&mut row, input, now)?;
    let mut removed = Vec::new();
    let mut added = Vec::new();
    for update in input.global_secondary_index_updates.iter().flatten() {
        match (&update.create, &update.update, &update.delete) {
            (Some(create), ..) => {
                // The types must be given again even of attributes that are known.
                let attributes = input.attribute_definitions.as_deref().unwrap_or_default();
                rules::check_declared(&create.key_schema, attributes)?;
                added.push(add_index(tx, &mut row, create)?);
            }
            (_, Some(update), _) => change_index(&mut row, update, now)?,
            (.., Some(delete)) => removed.push(remove_index(&mut row, &delete.index_name)?),
            (None, None, None) => {}
        }
    }
    if has_indexes {
        forget_attributes(&mut row);
    }
    change_stream(&mut row, input, now)?;
    change_rest(&mut row, input, now);
    if let Some(fresh) = fresh {
        fresh.put_into(tx, &mut row);
    }
    store::put_table(tx, &table.account, &table.region, &row)?;
    for index in &removed {
        store::purge(tx, index.id)?;
    }
    let changed = Definition::new(&table.account, &table.region, row)?;
    for id in &added {
        tasks::begin_fill(tx, &changed, *id)?;
    }
    if input.sse_specification.is_some() {
        tasks::begin_fill(tx, &changed, tasks::SEALING)?;
    }
    let description = answer(tx, &table, &changed, &removed)?;
    Ok(UpdateTableOutput { table_description: Some(description) })
}

/// What AWS answers: the table while it changes, with the capacity that it still has.
fn answer(
    tx: &WriteTx<'_>,
    before: &Definition,
    after: &Definition,
    removed: &[IndexRow],
) -> Result<TableDescription> {
    let mut description = describe::description(&tx.as_read(), after, "UPDATING")?;
    if let Some(throughput) = &mut description.provisioned_throughput {
        throughput.read_capacity_units = Some(before.row.throughput.read_units);
        throughput.write_capacity_units = Some(before.row.throughput.write_units);
    }
    let gone = Definition::new(
        &before.account,
        &before.region,
        TableRow { global_indexes: removed.to_vec(), ..before.row.clone() },
    )?;
    let gone = describe::description(&tx.as_read(), &gone, "DELETING")?;
    if let Some(gone) = gone.global_secondary_indexes {
        description.global_secondary_indexes.get_or_insert_default().extend(gone);
    }
    Ok(description)
}

/// Refuses a request that asks for nothing or contradicts itself.
fn check(input: &UpdateTableInput) -> Result<()> {
    let updates = input.global_secondary_index_updates.as_deref().unwrap_or_default();
    let asks = input.provisioned_throughput.is_some()
        || input.billing_mode.is_some()
        || !updates.is_empty()
        || input.stream_specification.is_some()
        || input.sse_specification.is_some()
        || input.table_class.is_some()
        || input.deletion_protection_enabled.is_some()
        || input.on_demand_throughput.is_some()
        || input.warm_throughput.is_some();
    if !asks {
        return Err(Error::invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ));
    }
    if input.replica_updates.as_ref().is_some_and(|updates| !updates.is_empty()) {
        return Err(Error::invalid("ReplicaUpdates are not supported by this endpoint"));
    }
    if input.billing_mode == Some(BillingMode::Provisioned)
        && input.provisioned_throughput.is_none()
    {
        return Err(Error::parameter(
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ));
    }
    input.provisioned_throughput.as_ref().map_or(Ok(()), rules::check_units)?;
    check_index_updates(updates)?;
    create::check_encryption(input.sse_specification.as_ref())?;
    create::check_stream(input.stream_specification.as_ref())
}

fn check_index_updates(updates: &[GlobalSecondaryIndexUpdate]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for update in updates {
        let create = update.create.as_ref().map(|action| &action.index_name);
        let change = update.update.as_ref().map(|action| &action.index_name);
        let delete = update.delete.as_ref().map(|action| &action.index_name);
        let mut names = [create, change, delete].into_iter().flatten();
        let Some(name) = names.next() else {
            return Err(Error::parameter(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null",
            ));
        };
        if names.next().is_some() {
            return Err(Error::parameter(
                "Only one of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete may be specified",
            ));
        }
        if !seen.insert(name) {
            return Err(Error::parameter(format!(
                "Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )));
        }
    }
    let is_slow =
        |update: &&GlobalSecondaryIndexUpdate| update.create.is_some() || update.delete.is_some();
    if updates.iter().filter(is_slow).count() > 1 {
        return Err(Error::LimitExceededException(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table".to_owned(),
        ));
    }
    Ok(())
}

/// Adds declarations of attributes; those that are known keep their type.
fn merge_attributes(row: &mut TableRow, attributes: &[AttributeDefinition]) -> Result<()> {
    rules::check_declarations(attributes)?;
    for attribute in attributes {
        let (name, kind) = (&attribute.attribute_name, attribute.attribute_type.as_str());
        match row.attributes.iter().find(|(known, _)| known == name) {
            Some((_, known)) if known != kind => {
                return Err(Error::parameter(format!(
                    "Attribute {name} cannot be redefined with another type"
                )));
            }
            Some(_) => {}
            None => row.attributes.push((name.clone(), kind.to_owned())),
        }
    }
    Ok(())
}

/// Forgets the declarations of attributes that no key has any more.
fn forget_attributes(row: &mut TableRow) {
    let keys: Vec<String> = std::iter::once(&row.key)
        .chain(row.local_indexes.iter().chain(&row.global_indexes).map(|index| &index.key))
        .flat_map(|key| std::iter::once(&key.partition).chain(&key.sort))
        .cloned()
        .collect();
    row.attributes.retain(|(name, _)| keys.contains(name));
}

fn change_billing(row: &mut TableRow, input: &UpdateTableInput, now: Timestamp) -> Result<()> {
    let wants_on_demand = match input.billing_mode {
        Some(mode) => mode == BillingMode::PayPerRequest,
        None => row.is_on_demand,
    };
    if input.provisioned_throughput.is_some() && wants_on_demand {
        return Err(Error::parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ));
    }
    let was_on_demand = std::mem::replace(&mut row.is_on_demand, wants_on_demand);
    if wants_on_demand {
        if !was_on_demand {
            row.on_demand_since_millis = Some(now.millis());
            let indexes = row.global_indexes.iter_mut().map(|index| &mut index.throughput);
            for throughput in std::iter::once(&mut row.throughput).chain(indexes) {
                throughput.lowered_millis = Some(now.millis());
                (throughput.read_units, throughput.write_units) = (0, 0);
            }
        }
    } else if let Some(wire) = &input.provisioned_throughput {
        change_units(&mut row.throughput, wire, now, "table")?;
    }
    Ok(())
}

fn change_units(
    row: &mut ThroughputRow,
    wire: &ProvisionedThroughput,
    now: Timestamp,
    what: &str,
) -> Result<()> {
    let (reads, writes) = (wire.read_capacity_units, wire.write_capacity_units);
    if (reads, writes) == (row.read_units, row.write_units) {
        return Err(Error::invalid(format!(
            "The provisioned throughput for the {what} will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the {what}: {reads}. Requested ReadCapacityUnits: {reads}. Current WriteCapacityUnits provisioned for the {what}: {writes}. Requested WriteCapacityUnits: {writes}. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
        )));
    }
    if reads > row.read_units || writes > row.write_units {
        row.raised_millis = Some(now.millis());
    }
    if reads < row.read_units || writes < row.write_units {
        row.lowered_millis = Some(now.millis());
    }
    (row.read_units, row.write_units) = (reads, writes);
    Ok(())
}

/// Adds an index, which is not filled yet, and returns its number.
fn add_index(
    tx: &WriteTx<'_>,
    row: &mut TableRow,
    wire: &CreateGlobalSecondaryIndexAction,
) -> Result<u64> {
    let name = &wire.index_name;
    let mut indexes = row.local_indexes.iter().chain(&row.global_indexes);
    if indexes.any(|index| index.name == *name) {
        return Err(Error::parameter(format!(
            "Attempting to create an index which already exists: {name}"
        )));
    }
    if row.global_indexes.len() >= rules::MAX_GLOBAL_INDEXES {
        return Err(Error::LimitExceededException(
            "Subscriber limit exceeded: Number of global secondary indexes exceeds the per-table limit of 20".to_owned(),
        ));
    }
    let throughput = wire.provisioned_throughput.as_ref();
    rules::check_global_throughput(name, throughput, row.is_on_demand)?;
    let id = store::new_id(tx, 1 + row.global_indexes.len() as u8);
    let index = create::index_row(id, name, &wire.key_schema, &wire.projection)?;
    row.global_indexes.push(IndexRow {
        throughput: rules::throughput(throughput),
        on_demand_limits: rules::limits(wire.on_demand_throughput.as_ref()),
        is_filling: true,
        ..index
    });
    Ok(id)
}

fn change_index(
    row: &mut TableRow,
    wire: &UpdateGlobalSecondaryIndexAction,
    now: Timestamp,
) -> Result<()> {
    let is_on_demand = row.is_on_demand;
    let index = row
        .global_indexes
        .iter_mut()
        .find(|index| index.name == wire.index_name)
        .ok_or(Error::ResourceNotFoundException)?;
    if let Some(throughput) = &wire.provisioned_throughput {
        rules::check_global_throughput(&index.name, Some(throughput), is_on_demand)?;
        let what = format!("index {}", index.name);
        change_units(&mut index.throughput, throughput, now, &what)?;
    }
    if let Some(limits) = rules::limits(wire.on_demand_throughput.as_ref()) {
        index.on_demand_limits = Some(limits);
    }
    Ok(())
}

fn remove_index(row: &mut TableRow, name: &str) -> Result<IndexRow> {
    let at = row.global_indexes.iter().position(|index| index.name == name);
    let at = at.ok_or(Error::ResourceNotFoundException)?;
    Ok(row.global_indexes.remove(at))
}

fn change_stream(row: &mut TableRow, input: &UpdateTableInput, now: Timestamp) -> Result<()> {
    let Some(wire) = &input.stream_specification else { return Ok(()) };
    let is_enabled = row.stream.as_ref().is_some_and(|stream| stream.is_enabled);
    match (wire.stream_enabled, is_enabled) {
        (true, true) => Err(Error::invalid(
            "Table already has an enabled stream: TableName: ".to_owned() + &row.name,
        )),
        (false, false) => {
            Err(Error::invalid("Table is not stream enabled: TableName: ".to_owned() + &row.name))
        }
        (true, false) => {
            row.stream = create::stream(Some(wire), now);
            Ok(())
        }
        (false, true) => {
            // The last stream can still be read; only changes no longer go into it.
            if let Some(stream) = &mut row.stream {
                stream.is_enabled = false;
            }
            Ok(())
        }
    }
}

fn change_rest(row: &mut TableRow, input: &UpdateTableInput, now: Timestamp) {
    if let Some(wire) = &input.sse_specification {
        row.encryption_key = create::encryption_key(Some(wire));
    }
    if let Some(class) = input.table_class {
        row.class = Some(class.as_str().to_owned());
        row.class_changed_millis = Some(now.millis());
    }
    if let Some(is_protected) = input.deletion_protection_enabled {
        row.is_protected = is_protected;
    }
    if let Some(limits) = rules::limits(input.on_demand_throughput.as_ref()) {
        row.on_demand_limits = Some(limits);
    }
}
