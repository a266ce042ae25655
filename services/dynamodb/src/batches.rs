//! `BatchGetItem` and `BatchWriteItem`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fogbank_core::{Cx, ReadTx};

use crate::attributes::Attributes;
use crate::capacity::{self, Consumed, Kind, read_units};
use crate::changes::collection_metrics;
use crate::definition::Definition;
use crate::encoding::{decode_item, encode_item, row_size};
use crate::error::{Error, Result};
use crate::expressions::Projection;
use crate::items::{Outcome, What, Write};
use crate::keys::{Key, row_key};
use crate::model::{
    BatchGetItemInput, BatchGetItemOutput, BatchWriteItemInput, BatchWriteItemOutput,
    KeysAndAttributes, WriteRequest,
};
use crate::names::TableName;
use crate::value::{AMBIGUOUS_VALUE, Item, check_item_nesting, check_put_size};
use crate::{convert, encryption, projections, store};

/// How many items a request may read.
const MAX_KEYS: usize = 100;
/// How many items a request may write.
const MAX_WRITES: usize = 25;
/// How many bytes of items an answer holds; further keys are returned as unprocessed.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What AWS says of the same item twice.
const DUPLICATES: &str = "Provided list of item keys contains duplicates";

/// What AWS says of a key that does not fit the table.
const KEY_MISMATCH: &str = "The provided key element does not match the schema";

/// The part of a `BatchGetItem` that concerns one table.
struct Keys {
    table: String,
    keys: Vec<Item>,
    projection: Option<Projection>,
    wire: KeysAndAttributes,
}

/// Reads items of several tables.
pub(crate) async fn get(cx: &Cx, input: BatchGetItemInput) -> Result<BatchGetItemOutput> {
    let tables: Vec<&str> =
        input.request_items.iter().flatten().map(|(table, _)| &**table).collect();
    encryption::unlock(cx, &tables).await?;
    cx.read(|tx| get_in(tx, input))
}

fn get_in(tx: &ReadTx<'_>, input: BatchGetItemInput) -> Result<BatchGetItemOutput> {
    let requests = parse_gets(input.request_items.unwrap_or_default())?;
    let tables = requests
        .iter()
        .map(|request| {
            let table = store::table(tx, &request.table)?;
            let check = |key| Ok(table.key.check_key(key)?);
            let keys = request.keys.iter().map(check).collect::<Result<Vec<Key>>>()?;
            if let Some(projection) = &request.projection {
                table.check_paths(projection.paths())?;
            }
            Ok((table, keys))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut room = MAX_BYTES;
    let mut responses = BTreeMap::new();
    let mut unprocessed = BTreeMap::new();
    let mut consumed = Vec::new();
    for (request, (table, keys)) in requests.into_iter().zip(tables) {
        let is_consistent = request.wire.consistent_read.unwrap_or_default();
        let mut items = Vec::new();
        let mut used = Consumed::default();
        let mut done = 0;
        for key in &keys {
            if room == 0 {
                break;
            }
            done += 1;
            let row = store::get_row(tx, table.id(), key)?;
            let bytes = row.as_ref().map_or(Ok(0), |row| row_size(row))?;
            room = room.saturating_sub(bytes);
            used.table += read_units(bytes, is_consistent);
            items.extend(match (row, &request.projection) {
                (None, _) => None,
                (Some(row), None) => Some(Attributes::of_row(row)),
                (Some(row), Some(part)) => Some(part.apply(&decode_item(&row)?).into()),
            });
        }
        if done < keys.len() {
            let rest = request.keys.into_iter().skip(done).map(convert::to_wire).collect();
            let rest = KeysAndAttributes { keys: rest, ..request.wire };
            unprocessed.insert(request.table.clone(), rest);
        }
        consumed.extend(used.report(table.name(), input.return_consumed_capacity, Kind::Plain));
        responses.insert(request.table, items);
    }
    Ok(BatchGetItemOutput {
        responses: Some(responses),
        unprocessed_keys: Some(unprocessed),
        consumed_capacity: capacity::is_wanted(input.return_consumed_capacity).then_some(consumed),
    })
}

fn parse_gets(requests: BTreeMap<String, KeysAndAttributes>) -> Result<Vec<Keys>> {
    if requests.is_empty() {
        return Err(Error::invalid("The requestItems parameter is required for BatchGetItem"));
    }
    for (table, request) in &requests {
        TableName::of_data(table)?;
        if request.keys.len() > MAX_KEYS {
            return Err(Error::invalid(format!(
                "1 validation error detected: Value at 'RequestItems.{table}.member.Keys' failed to satisfy constraint: Member must have length less than or equal to {MAX_KEYS}"
            )));
        }
    }
    if requests.values().map(|request| request.keys.len()).sum::<usize>() > MAX_KEYS {
        return Err(Error::invalid("Too many items requested for the BatchGetItem call"));
    }
    requests.into_iter().map(|(table, request)| parse_get(table, request)).collect()
}

fn parse_get(table: String, mut wire: KeysAndAttributes) -> Result<Keys> {
    projections::check_parameters(
        wire.projection_expression.as_deref(),
        wire.attributes_to_get.as_deref(),
        wire.expression_attribute_names.is_some(),
    )?;
    let projection = projections::parse(
        wire.projection_expression.as_deref(),
        wire.attributes_to_get.as_deref(),
        wire.expression_attribute_names.clone(),
    )?;
    let mut seen = HashSet::new();
    let keys = std::mem::take(&mut wire.keys)
        .into_iter()
        .map(|key| {
            let key = convert::item(key)?;
            if !seen.insert(encode_item(&key)) {
                return Err(Error::invalid(DUPLICATES));
            }
            Ok(key)
        })
        .collect::<Result<_>>()?;
    Ok(Keys { table, keys, projection, wire })
}

/// Puts and deletes items of several tables.
pub(crate) async fn write(cx: &Cx, input: BatchWriteItemInput) -> Result<BatchWriteItemOutput> {
    let writes = parse_writes(input.request_items.unwrap_or_default())?;
    let tables: Vec<&str> = writes.iter().map(|write| &*write.table).collect();
    encryption::unlock(cx, &tables).await?;
    let wanted = input.return_consumed_capacity;
    let reports = capacity::is_wanted(wanted);
    cx.write(|tx| {
        let mut found: Vec<(Arc<Definition>, Key)> = Vec::with_capacity(writes.len());
        let mut seen = HashSet::new();
        for write in &writes {
            found.push((store::table(tx, &write.table)?, empty_key()));
        }
        for (write, (table, key)) in writes.iter().zip(&mut found) {
            *key = match &write.what {
                // A batch words it as for keys, though the key is a part of the item.
                What::Put(item) if lacks_key(table, item) => {
                    return Err(Error::invalid(KEY_MISMATCH));
                }
                _ => write.key(table)?,
            };
            if !seen.insert(row_key(table.id(), key)) {
                return Err(Error::invalid(DUPLICATES));
            }
        }
        let mut used: BTreeMap<String, Consumed> = BTreeMap::new();
        let mut metrics: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (write, (table, key)) in writes.iter().zip(found) {
            // Batches have no conditions, so nothing can keep a write from happening.
            let Outcome::May(prepared) = write.prepare_at(tx, table, key, reports)? else {
                continue;
            };
            prepared.apply(tx)?;
            if reports {
                let name = prepared.table.name().to_owned();
                used.entry(name).or_default().add(&prepared.consumed());
            }
            let wanted = input.return_item_collection_metrics;
            if let Some(found) = collection_metrics(&prepared.table, &prepared.key, wanted) {
                metrics.entry(write.table.clone()).or_default().push(found);
            }
        }
        let report = |(name, used): (&String, &Consumed)| used.report(name, wanted, Kind::Plain);
        Ok(BatchWriteItemOutput {
            unprocessed_items: Some(BTreeMap::new()),
            item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
            consumed_capacity: reports.then(|| used.iter().filter_map(report).collect()),
        })
    })
    .await
}

/// Whether an item has not the table's key attributes in their types.
fn lacks_key(table: &Definition, item: &Item) -> bool {
    table.key.attributes().any(|attribute| {
        item.get(&attribute.name).map(|value| value.kind()) != Some(attribute.kind)
    })
}

/// Stands for a key that has not been found yet.
fn empty_key() -> Key {
    Key { partition: crate::value::AttributeValue::Null, sort: None }
}

fn parse_writes(requests: BTreeMap<String, Vec<WriteRequest>>) -> Result<Vec<Write>> {
    if requests.is_empty() {
        return Err(Error::invalid("The requestItems parameter is required for BatchWriteItem"));
    }
    requests.keys().try_for_each(|table| TableName::of_data(table).map(|_| ()))?;
    let mut writes = Vec::new();
    for (table, list) in requests {
        for request in list {
            let what = match (request.put_request, request.delete_request) {
                (Some(put), None) => {
                    let item = convert::item(put.item)?;
                    check_item_nesting(&item)?;
                    check_put_size(&item)?;
                    What::Put(item)
                }
                (None, Some(delete)) => What::Delete(convert::item(delete.key)?),
                _ => return Err(Error::invalid(AMBIGUOUS_VALUE)),
            };
            writes.push(Write {
                table: table.clone(),
                what,
                condition: None,
                shows_item_on_failure: false,
            });
        }
    }
    if writes.len() > MAX_WRITES {
        return Err(Error::invalid("Too many items requested for the BatchWriteItem call"));
    }
    Ok(writes)
}
