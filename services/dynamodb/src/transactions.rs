//! `TransactWriteItems` and `TransactGetItems`: all or nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fogbank_core::{Cx, Fault, ReadTx, WriteTx, wire};

use crate::attributes::Attributes;
use crate::capacity::{self, Consumed, Kind, read_units};
use crate::changes::{self, collection_metrics};
use crate::definition::Definition;
use crate::encoding::{decode_item, row_size};
use crate::error::{Error, Result};
use crate::items::{Outcome, ParsedUpdate, Prepared, What, Write};
use crate::keys::{Key, row_key};
use crate::model::{
    self, CancellationReason, ItemResponse, ReturnValuesOnConditionCheckFailure as OnFailure,
    TransactGetItemsInput, TransactGetItemsOutput, TransactWriteItem, TransactWriteItemsInput,
    TransactWriteItemsOutput,
};
use crate::names::TableName;
use crate::value::{check_item_nesting, check_put_size, item_size};
use crate::{conditions, convert, encryption, projections, store};

/// How many bytes of items a transaction may touch.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long a token is remembered.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
const TOKEN_MILLIS: i64 = 10 * 60 * 1000;
/// How many times the units of a single request an action of a transaction uses: to prepare and to commit.
const TRANSACT_FACTOR: f64 = 2.0;

/// What AWS says of two actions on one item.
const MULTIPLE: &str = "Transaction request cannot include multiple operations on one item";

/// Writes several items, or none.
pub(crate) async fn write(
    cx: &Cx,
    input: TransactWriteItemsInput,
) -> Result<TransactWriteItemsOutput> {
    let token = input.client_request_token.clone();
    let digest = token.as_ref().map_or(0, |_| digest(&input.transact_items));
    let writes: Vec<Write> = input.transact_items.into_iter().map(parse).collect::<Result<_>>()?;
    let wanted = (input.return_consumed_capacity, input.return_item_collection_metrics);
    let tables: Vec<&str> = writes.iter().map(|write| &*write.table).collect();
    encryption::unlock(cx, &tables).await?;
    cx.write(|tx| {
        if let Some(token) = &token
            && let Some(done) = store::token(tx, token)?
            && done.done_millis + TOKEN_MILLIS > fogbank_core::Tx::now(tx).millis()
        {
            return if done.digest == digest {
                repeated(tx, &writes, wanted.0)
            } else {
                mismatch()
            };
        }
        let output = run(tx, &writes, wanted)?;
        if let Some(token) = &token {
            let end = fogbank_core::Tx::now(tx).millis() + TOKEN_MILLIS;
            store::put_token(tx, token, digest, end)?;
        }
        Ok(output)
    })
    .await
}

type Wanted = (Option<model::ReturnConsumedCapacity>, Option<model::ReturnItemCollectionMetrics>);

fn run(tx: &mut WriteTx<'_>, writes: &[Write], wanted: Wanted) -> Result<TransactWriteItemsOutput> {
    let prepared = prepare(tx, writes)?;
    let mut used: BTreeMap<String, Consumed> = BTreeMap::new();
    let mut metrics: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for action in &prepared {
        action.apply(tx)?;
        if capacity::is_wanted(wanted.0) {
            let units = action.consumed().times(TRANSACT_FACTOR);
            used.entry(action.table.name().to_owned()).or_default().add(&units);
        }
        if let Some(found) = collection_metrics(&action.table, &action.key, wanted.1) {
            metrics.entry(action.table.name().to_owned()).or_default().push(found);
        }
    }
    Ok(TransactWriteItemsOutput {
        consumed_capacity: report(&used, wanted.0, Kind::TransactWrite),
        item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
    })
}

/// Finds out what the actions change, and cancels all if one cannot be done.
fn prepare<'w>(tx: &WriteTx<'_>, writes: &'w [Write]) -> Result<Vec<Prepared<'w>>> {
    let tables = writes
        .iter()
        .map(|write| store::table(tx, &write.table))
        .collect::<Result<Vec<Arc<Definition>>>>()?;
    let keys: Vec<Result<Key>> =
        writes.iter().zip(&tables).map(|(write, table)| write.key(table)).collect();
    if let Some(reasons) = first_invalid(&keys) {
        return Err(cancelled(reasons));
    }
    let mut seen = HashSet::new();
    for (table, key) in tables.iter().zip(&keys) {
        if let Ok(key) = key
            && !seen.insert(row_key(table.id(), key))
        {
            return Err(Error::invalid(MULTIPLE));
        }
    }
    let mut prepared = Vec::with_capacity(writes.len());
    let mut reasons = Vec::with_capacity(writes.len());
    for ((write, table), key) in writes.iter().zip(tables).zip(keys) {
        let attempt = key.and_then(|key| write.prepare_at(tx, table, key, true));
        reasons.push(match attempt {
            Ok(Outcome::May(action)) => {
                prepared.push(action);
                none()
            }
            Ok(Outcome::ConditionFailed(item)) => CancellationReason {
                code: Some("ConditionalCheckFailed".to_owned()),
                message: Some("The conditional request failed".to_owned()),
                item: item.filter(|_| write.shows_item_on_failure).map(Attributes::from),
            },
            Err(Error::ValidationException(message)) => invalid(message),
            Err(other) => return Err(other),
        });
    }
    if prepared.len() < writes.len() {
        return Err(cancelled(reasons));
    }
    check_size(&prepared)?;
    Ok(prepared)
}

/// If a key does not fit its table, why: AWS looks at no action after the first such.
fn first_invalid(keys: &[Result<Key>]) -> Option<Vec<CancellationReason>> {
    let at = keys.iter().position(|key| matches!(key, Err(Error::ValidationException(_))))?;
    let reasons = keys.iter().enumerate().map(|(index, key)| match key {
        Err(Error::ValidationException(message)) if index == at => invalid(message.clone()),
        _ => none(),
    });
    Some(reasons.collect())
}

fn check_size(prepared: &[Prepared<'_>]) -> Result<()> {
    let bytes: usize =
        prepared.iter().filter_map(|action| action.new.as_deref()).map(item_size).sum();
    if bytes > MAX_BYTES {
        // AWS's words are only partly known.
        return Err(Error::invalid("Transaction request size cannot exceed 4194304 bytes"));
    }
    Ok(())
}

fn none() -> CancellationReason {
    CancellationReason { code: Some("None".to_owned()), ..CancellationReason::default() }
}

fn invalid(message: String) -> CancellationReason {
    CancellationReason {
        code: Some("ValidationError".to_owned()),
        message: Some(message),
        item: None,
    }
}

fn cancelled(reasons: Vec<CancellationReason>) -> Error {
    let codes: Vec<&str> =
        reasons.iter().map(|reason| reason.code.as_deref().unwrap_or_default()).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let members =
        model::TransactionCanceledException { message: None, cancellation_reasons: Some(reasons) };
    Error::Fault(Fault::new("TransactionCanceledException", message).with_members(members))
}

fn mismatch() -> Result<TransactWriteItemsOutput> {
    // The code is AWS's; its words are not known.
    Err(Error::Fault(Fault::new(
        "IdempotentParameterMismatchException",
        "The request uses the same client token as a previous, but non-identical request.",
    )))
}

/// The answer to a transaction that was done before: reading its items is all that it used.
fn repeated(
    tx: &WriteTx<'_>,
    writes: &[Write],
    wanted: Option<model::ReturnConsumedCapacity>,
) -> Result<TransactWriteItemsOutput> {
    let mut used: BTreeMap<String, Consumed> = BTreeMap::new();
    if capacity::is_wanted(wanted) {
        for write in writes {
            let table = store::table(tx, &write.table)?;
            let key = write.key(&table)?;
            let item = changes::read_item(tx, &table, &key)?;
            let units = read_units(item.as_ref().map_or(0, item_size), true) * TRANSACT_FACTOR;
            used.entry(table.name().to_owned()).or_default().table += units;
        }
    }
    Ok(TransactWriteItemsOutput {
        consumed_capacity: report(&used, wanted, Kind::TransactRead),
        item_collection_metrics: None,
    })
}

fn report(
    used: &BTreeMap<String, Consumed>,
    wanted: Option<model::ReturnConsumedCapacity>,
    kind: Kind,
) -> Option<Vec<model::ConsumedCapacity>> {
    let report = |(name, used): (&String, &Consumed)| used.report(name, wanted, kind);
    capacity::is_wanted(wanted).then(|| used.iter().filter_map(report).collect())
}

/// A digest of what a transaction does (FNV-1a), by which a repetition is told from another transaction.
fn digest(items: &[TransactWriteItem]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for item in items {
        for byte in wire::to_json(item).to_string().bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

fn parse(item: TransactWriteItem) -> Result<Write> {
    match (item.condition_check, item.put, item.delete, item.update) {
        (Some(check), None, None, None) => parse_check(check),
        (None, Some(put), None, None) => parse_put(put),
        (None, None, Some(delete), None) => parse_delete(delete),
        (None, None, None, Some(update)) => parse_update(update),
        _ => Err(Error::invalid(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        )),
    }
}

fn parse_check(check: model::ConditionCheck) -> Result<Write> {
    TableName::of_data(&check.table_name)?;
    let key = convert::item(check.key)?;
    let mut placeholders =
        convert::placeholders(check.expression_attribute_names, check.expression_attribute_values)?;
    let condition =
        conditions::of_expression(Some(&check.condition_expression), &mut placeholders)?;
    placeholders.check_all_used()?;
    let on_failure = check.return_values_on_condition_check_failure;
    Ok(Write {
        table: check.table_name,
        what: What::Check(key),
        condition,
        shows_item_on_failure: on_failure == Some(OnFailure::AllOld),
    })
}

fn parse_put(put: model::Put) -> Result<Write> {
    TableName::of_data(&put.table_name)?;
    let item = convert::item(put.item)?;
    check_item_nesting(&item)?;
    check_put_size(&item)?;
    let mut placeholders =
        convert::placeholders(put.expression_attribute_names, put.expression_attribute_values)?;
    let source = put.condition_expression.as_deref();
    let condition = conditions::of_expression(source, &mut placeholders)?;
    placeholders.check_all_used()?;
    let on_failure = put.return_values_on_condition_check_failure;
    Ok(Write {
        table: put.table_name,
        what: What::Put(item),
        condition,
        shows_item_on_failure: on_failure == Some(OnFailure::AllOld),
    })
}

fn parse_delete(delete: model::Delete) -> Result<Write> {
    TableName::of_data(&delete.table_name)?;
    let key = convert::item(delete.key)?;
    let mut placeholders = convert::placeholders(
        delete.expression_attribute_names,
        delete.expression_attribute_values,
    )?;
    let source = delete.condition_expression.as_deref();
    let condition = conditions::of_expression(source, &mut placeholders)?;
    placeholders.check_all_used()?;
    let on_failure = delete.return_values_on_condition_check_failure;
    Ok(Write {
        table: delete.table_name,
        what: What::Delete(key),
        condition,
        shows_item_on_failure: on_failure == Some(OnFailure::AllOld),
    })
}

fn parse_update(update: model::Update) -> Result<Write> {
    TableName::of_data(&update.table_name)?;
    let key = convert::item(update.key)?;
    let placeholders = convert::placeholders(
        update.expression_attribute_names,
        update.expression_attribute_values,
    )?;
    let source = update.condition_expression.as_deref();
    let parsed = ParsedUpdate::new(Some(&update.update_expression), source, placeholders)?;
    let on_failure = update.return_values_on_condition_check_failure;
    Ok(Write {
        table: update.table_name,
        what: What::Update(key, parsed.update.unwrap_or_default()),
        condition: parsed.condition,
        shows_item_on_failure: on_failure == Some(OnFailure::AllOld),
    })
}

/// Reads several items in one consistent view.
pub(crate) async fn get(cx: &Cx, input: TransactGetItemsInput) -> Result<TransactGetItemsOutput> {
    let tables: Vec<&str> = input.transact_items.iter().map(|item| &*item.get.table_name).collect();
    encryption::unlock(cx, &tables).await?;
    cx.read(|tx| get_in(tx, input))
}

fn get_in(tx: &ReadTx<'_>, input: TransactGetItemsInput) -> Result<TransactGetItemsOutput> {
    let gets = input
        .transact_items
        .into_iter()
        .map(|item| {
            let get = item.get;
            TableName::of_data(&get.table_name)?;
            let key = convert::item(get.key)?;
            let projection = projections::parse(
                get.projection_expression.as_deref(),
                None,
                get.expression_attribute_names,
            )?;
            Ok((get.table_name, key, projection))
        })
        .collect::<Result<Vec<_>>>()?;
    let tables =
        gets.iter().map(|(table, ..)| store::table(tx, table)).collect::<Result<Vec<_>>>()?;
    let keys: Vec<Result<Key>> = gets
        .iter()
        .zip(&tables)
        .map(|((_, key, _), table)| Ok(table.key.check_key(key)?))
        .collect();
    if let Some(reasons) = first_invalid(&keys) {
        return Err(cancelled(reasons));
    }
    let keys = keys.into_iter().collect::<Result<Vec<Key>>>()?;
    let mut seen = HashSet::new();
    for (key, table) in keys.iter().zip(&tables) {
        if !seen.insert(row_key(table.id(), key)) {
            return Err(Error::invalid(MULTIPLE));
        }
    }
    let mut used: BTreeMap<String, Consumed> = BTreeMap::new();
    let mut responses = Vec::with_capacity(gets.len());
    for (((_, _, projection), table), key) in gets.iter().zip(&tables).zip(&keys) {
        let row = store::get_row(tx, table.id(), key)?;
        if capacity::is_wanted(input.return_consumed_capacity) {
            let bytes = row.as_ref().map_or(Ok(0), |row| row_size(row))?;
            let units = read_units(bytes, true) * TRANSACT_FACTOR;
            used.entry(table.name().to_owned()).or_default().table += units;
        }
        let item = match (row, projection) {
            (None, _) => None,
            (Some(row), None) => Some(Attributes::of_row(row)),
            (Some(row), Some(part)) => Some(part.apply(&decode_item(&row)?).into()),
        };
        responses.push(ItemResponse { item });
    }
    Ok(TransactGetItemsOutput {
        consumed_capacity: report(&used, input.return_consumed_capacity, Kind::TransactRead),
        responses: Some(responses),
    })
}
