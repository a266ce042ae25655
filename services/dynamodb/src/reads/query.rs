//! `Query`.

use fogbank_core::{Cx, ReadTx};

use super::page::Request;
use super::selection::{self, Notation, Selection};
use super::{Source, leads_to, legacy_filter, start, start_key};
use crate::capacity::Kind;
use crate::error::{Error, Result};
use crate::expressions::{
    Condition, ExpressionKind, KeyConditions, KeyQuery, Projection, attributes_to_get,
    check_parameters, key_conditions,
};
use crate::keys::{Key, KeyRange, partition_prefix};
use crate::model::{QueryInput, QueryOutput};
use crate::names::TableName;
use crate::value::Item;
use crate::{conditions, convert, encryption, store};

/// A query whose request has been parsed.
struct Query {
    start: Option<Item>,
    keys: KeyConditions,
    filter: Option<Condition>,
    /// The parameter that has the filter, as messages call it.
    filter_name: &'static str,
    projection: Option<Projection>,
}

/// Reads the items of a partition, in the order of their sort keys.
pub(crate) async fn query(cx: &Cx, input: QueryInput) -> Result<QueryOutput> {
    encryption::unlock(cx, &[&*input.table_name]).await?;
    cx.read(|tx| query_in(tx, input))
}

fn query_in(tx: &ReadTx<'_>, mut input: QueryInput) -> Result<QueryOutput> {
    let query = parse(&mut input)?;
    let table = store::table(tx, &input.table_name)?;
    let is_consistent = input.consistent_read.unwrap_or_default();
    let source = Source::find(&table, input.index_name.as_deref(), is_consistent)?;
    let attributes = source.start_attributes().len();
    if query.start.as_ref().is_some_and(|start| start.len() != attributes) {
        return Err(start::invalid());
    }
    let ordering = |start| start::ordering_key(source, start);
    let start_key = query.start.as_ref().map(ordering).transpose()?;
    let keys = query.keys.resolve(source.key())?;
    let is_reverse = input.scan_index_forward == Some(false);
    let prefix = partition_prefix(source.id(), &keys.partition);
    let mut range = match &keys.sort {
        Some(condition) => condition.range(&prefix),
        None => KeyRange::of_prefix(prefix),
    };
    if let (Some(start), Some(key)) = (&query.start, start_key) {
        let after = start_row(source, start, &key, &keys)?;
        go_on(&mut range, after, is_reverse);
    }
    if let Some(projection) = &query.projection {
        table.check_paths(projection.paths())?;
    }
    if let Some(filter) = &query.filter {
        check_filter(source, filter, query.filter_name)?;
    }
    let selection = Selection::new(source, input.select, query.projection)?;
    if let Some(filter) = &query.filter {
        table.check_paths(filter.paths())?;
    }
    let request = Request {
        source,
        range,
        is_reverse,
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()),
        filter: query.filter,
        selection,
        is_consistent,
    };
    let page = request.read(tx)?;
    let wanted = input.return_consumed_capacity;
    Ok(QueryOutput {
        items: page.items,
        count: Some(page.count as i32),
        scanned_count: Some(page.scanned as i32),
        last_evaluated_key: page.last.map(convert::to_wire),
        consumed_capacity: page.consumed.report(table.name(), wanted, Kind::Plain),
    })
}

fn parse(input: &mut QueryInput) -> Result<Query> {
    TableName::of_data(&input.table_name)?;
    if input.limit.is_some_and(|limit| limit < 1) {
        return Err(Error::invalid(
            "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ));
    }
    check_notations(input)?;
    let legacy = legacy_filter(input.query_filter.take(), input.conditional_operator)?;
    let names = input.attributes_to_get.as_deref().map(attributes_to_get).transpose()?;
    let start = start_key(input.exclusive_start_key.take())?;
    let notation = match (&input.projection_expression, &names) {
        (Some(_), _) => Some(Notation::Expression),
        (None, Some(_)) => Some(Notation::Names),
        (None, None) => None,
    };
    let required = "1 validation error detected: ";
    selection::check(input.select, notation, input.index_name.is_some(), required)?;
    if input.key_conditions.is_none() && input.key_condition_expression.is_none() {
        return Err(Error::invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ));
    }
    let mut placeholders = convert::placeholders(
        input.expression_attribute_names.take(),
        input.expression_attribute_values.take(),
    )?;
    let parse =
        |source: &String| Condition::parse(ExpressionKind::KeyCondition, source, &mut placeholders);
    let keys = input.key_condition_expression.as_ref().map(parse).transpose()?;
    let parse =
        |source: &String| Condition::parse(ExpressionKind::Filter, source, &mut placeholders);
    let filter = input.filter_expression.as_ref().map(parse).transpose()?;
    let parse = |source: &String| Projection::parse(source, &mut placeholders);
    let projection = input.projection_expression.as_ref().map(parse).transpose()?;
    placeholders.check_all_used()?;
    let keys = match keys {
        Some(keys) => KeyConditions::of(&keys)?,
        None => {
            let wire = input.key_conditions.take().unwrap_or_default();
            key_conditions(&conditions::legacy(wire)?)?
        }
    };
    let filter_name = if filter.is_some() { "Filter Expression" } else { "QueryFilter" };
    Ok(Query {
        start,
        keys,
        filter: filter.or(legacy),
        filter_name,
        projection: projection.or(names),
    })
}

fn check_notations(input: &QueryInput) -> Result<()> {
    let mut legacy = vec![
        ("AttributesToGet", input.attributes_to_get.is_some()),
        ("QueryFilter", input.query_filter.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ];
    // KeyConditions may stand beside expressions other than their own.
    if input.key_condition_expression.is_some() {
        legacy.push(("KeyConditions", input.key_conditions.is_some()));
    }
    Ok(check_parameters(
        &[
            ("ProjectionExpression", input.projection_expression.is_some()),
            ("FilterExpression", input.filter_expression.is_some()),
            ("KeyConditionExpression", input.key_condition_expression.is_some()),
        ],
        &legacy,
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
    )?)
}

/// Refuses a filter on the attributes that order the rows.
fn check_filter(source: Source<'_>, filter: &Condition, name: &str) -> Result<()> {
    let paths = filter.paths();
    for attribute in source.key().attributes() {
        if leads_to(&paths, &attribute.name) {
            return Err(Error::invalid(format!(
                "{name} can only contain non-primary key attributes: Primary key attribute: {}",
                attribute.name
            )));
        }
    }
    Ok(())
}

/// The store's key of the row after which the query goes on, which must be one that the query could return.
fn start_row(source: Source<'_>, start: &Item, key: &Key, query: &KeyQuery) -> Result<Vec<u8>> {
    let row = start::row(source, start, key)?;
    let is_other = key.partition != query.partition;
    let Some(sort) = &query.sort else {
        if is_other {
            return Err(Error::invalid(
                "The provided starting key is outside query boundaries based on provided conditions",
            ));
        }
        if source.index.is_none() && key.sort.is_none() {
            // There is but one item, and nothing after it.
            return Err(Error::invalid(format!(
                "The provided exclusive start key is invalid: ExclusiveStartKey: {{{}=AttributeValue: {}}}",
                source.table.key.partition.name,
                key.partition.describe()
            )));
        }
        return Ok(row);
    };
    if !key.sort.as_ref().is_some_and(|value| sort.holds(value)) {
        return Err(Error::invalid(
            "The provided starting key does not match the range key predicate",
        ));
    }
    if is_other {
        return Err(Error::invalid("The query can return at most one row and cannot be restarted"));
    }
    Ok(row)
}

/// Narrows a range to what follows a row.
pub(super) fn go_on(range: &mut KeyRange, row: Vec<u8>, is_reverse: bool) {
    if is_reverse {
        range.end = row.min(std::mem::take(&mut range.end));
    } else {
        let mut next = row;
        next.push(0);
        range.start = next.max(std::mem::take(&mut range.start));
    }
}
