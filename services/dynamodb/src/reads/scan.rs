//! `Scan`.

use fogbank_core::{Cx, ReadTx};

use super::page::Request;
use super::query::go_on;
use super::selection::{self, Notation, Selection};
use super::{Source, legacy_filter, start, start_key};
use crate::capacity::Kind;
use crate::error::{Error, Result};
use crate::expressions::{
    Condition, ExpressionKind, Projection, attributes_to_get, check_parameters,
};
use crate::keys::{KeyRange, segment_hashes};
use crate::model::{ScanInput, ScanOutput};
use crate::names::TableName;
use crate::value::Item;
use crate::{convert, encryption, store};

/// A scan whose request has been parsed.
struct Scan {
    start: Option<Item>,
    filter: Option<Condition>,
    projection: Option<Projection>,
    /// The segment and how many there are.
    segment: (u32, u32),
}

/// Reads all items, in the order of their partition keys' hashes.
pub(crate) async fn scan(cx: &Cx, input: ScanInput) -> Result<ScanOutput> {
    encryption::unlock(cx, &[&*input.table_name]).await?;
    cx.read(|tx| scan_in(tx, input))
}

fn scan_in(tx: &ReadTx<'_>, mut input: ScanInput) -> Result<ScanOutput> {
    let scan = parse(&mut input)?;
    let table = store::table(tx, &input.table_name)?;
    let is_consistent = input.consistent_read.unwrap_or_default();
    let source = Source::find(&table, input.index_name.as_deref(), is_consistent)?;
    if let Some(start) = &scan.start
        && start.len() != source.start_attributes().len()
    {
        return Err(match source.index {
            Some(_) => start::invalid(),
            None => Error::invalid(
                "The provided starting key is invalid: The provided key element does not match the schema",
            ),
        });
    }
    let start_key = match &scan.start {
        Some(start) if source.index.is_some() => Some(start::ordering_key(source, start)?),
        Some(start) => Some(start::table_key(source, start)?),
        None => None,
    };
    let selection = Selection::new(source, input.select, scan.projection)?;
    let (segment, total) = scan.segment;
    let mut range = KeyRange::of_hashes(source.id(), segment_hashes(segment, total));
    if let (Some(item), Some(key)) = (&scan.start, &start_key) {
        let row = start::row(source, item, key)?;
        if row < range.start || row >= range.end {
            return Err(Error::invalid(format!(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: {total} Segment: {segment}"
            )));
        }
        go_on(&mut range, row, false);
    }
    if let selection::Output::Part(projection) = &selection.output {
        table.check_paths(projection.paths())?;
    }
    if let Some(filter) = &scan.filter {
        table.check_paths(filter.paths())?;
    }
    let request = Request {
        source,
        range,
        is_reverse: false,
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()),
        filter: scan.filter,
        selection,
        is_consistent,
    };
    let page = request.read(tx)?;
    let wanted = input.return_consumed_capacity;
    Ok(ScanOutput {
        items: page.items,
        count: Some(page.count as i32),
        scanned_count: Some(page.scanned as i32),
        last_evaluated_key: page.last.map(convert::to_wire),
        consumed_capacity: page.consumed.report(table.name(), wanted, Kind::Plain),
    })
}

fn parse(input: &mut ScanInput) -> Result<Scan> {
    TableName::of_data(&input.table_name)?;
    check_parameters(
        &[
            ("ProjectionExpression", input.projection_expression.is_some()),
            ("FilterExpression", input.filter_expression.is_some()),
        ],
        &[
            ("AttributesToGet", input.attributes_to_get.is_some()),
            ("ScanFilter", input.scan_filter.is_some()),
            ("ConditionalOperator", input.conditional_operator.is_some()),
        ],
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
    )?;
    let names = input.attributes_to_get.as_deref().map(attributes_to_get).transpose()?;
    let legacy = legacy_filter(input.scan_filter.take(), input.conditional_operator)?;
    let start = start_key(input.exclusive_start_key.take())?;
    let segment = segment(input.segment, input.total_segments)?;
    let notation = match (&input.projection_expression, &names) {
        (Some(_), _) => Some(Notation::Expression),
        (None, Some(_)) => Some(Notation::Names),
        (None, None) => None,
    };
    selection::check(input.select, notation, input.index_name.is_some(), "")?;
    let mut placeholders = convert::placeholders(
        input.expression_attribute_names.take(),
        input.expression_attribute_values.take(),
    )?;
    let parse =
        |source: &String| Condition::parse(ExpressionKind::Filter, source, &mut placeholders);
    let filter = input.filter_expression.as_ref().map(parse).transpose()?;
    let parse = |source: &String| Projection::parse(source, &mut placeholders);
    let projection = input.projection_expression.as_ref().map(parse).transpose()?;
    placeholders.check_all_used()?;
    Ok(Scan { start, filter: filter.or(legacy), projection: projection.or(names), segment })
}

/// The segment to scan, and how many there are; the whole is one segment of one.
fn segment(segment: Option<i32>, total: Option<i32>) -> Result<(u32, u32)> {
    let refuse = |message: String| Err(Error::ValidationException(message));
    match (segment, total) {
        (None, None) => Ok((0, 1)),
        (Some(_), None) => refuse("The TotalSegments parameter is required but was not present in the request when Segment parameter is present".to_owned()),
        (None, Some(_)) => refuse("The Segment parameter is required but was not present in the request when parameter TotalSegments is present".to_owned()),
        (Some(segment), Some(total)) if segment >= total => refuse(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} is not less than TotalSegments: {total}"
        )),
        (Some(segment), Some(total)) => Ok((segment.unsigned_abs(), total.unsigned_abs())),
    }
}
