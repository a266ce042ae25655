//! `PutItem`.

use fogbank_core::Cx;

use super::{What, Write};
use crate::attributes::Attributes;
use crate::capacity::{self, Kind};
use crate::changes::collection_metrics;
use crate::error::{Error, Result};
use crate::expressions::check_parameters;
use crate::model::{
    PutItemInput, PutItemOutput, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use crate::names::TableName;
use crate::value::{check_item_nesting, check_put_size};
use crate::{conditions, convert, encryption};

/// Writes an item in place of what was under its key.
pub(crate) async fn put(cx: &Cx, mut input: PutItemInput) -> Result<PutItemOutput> {
    let write = parse(&mut input)?;
    let returns_old = input.return_values == Some(ReturnValue::AllOld);
    let reports = capacity::is_wanted(input.return_consumed_capacity);
    encryption::unlock(cx, &[&*write.table]).await?;
    cx.write(|tx| {
        let prepared = write.prepare(tx, returns_old || reports)?;
        prepared.apply(tx)?;
        let consumed = reports.then(|| prepared.consumed()).and_then(|consumed| {
            let wanted = input.return_consumed_capacity;
            consumed.report(prepared.table.name(), wanted, Kind::Plain)
        });
        let wanted = input.return_item_collection_metrics;
        Ok(PutItemOutput {
            item_collection_metrics: collection_metrics(&prepared.table, &prepared.key, wanted),
            attributes: prepared.old.filter(|_| returns_old).map(Attributes::from),
            consumed_capacity: consumed,
        })
    })
    .await
}

fn parse(input: &mut PutItemInput) -> Result<Write> {
    TableName::of_data(&input.table_name)?;
    check_parameters(
        &[("ConditionExpression", input.condition_expression.is_some())],
        &[("Expected", input.expected.is_some())],
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
    )?;
    let item = convert::item(std::mem::take(&mut input.item))?;
    if !matches!(input.return_values, None | Some(ReturnValue::AllOld | ReturnValue::None)) {
        return Err(Error::invalid("ReturnValues can only be ALL_OLD or NONE"));
    }
    check_item_nesting(&item)?;
    check_put_size(&item)?;
    let expected = conditions::of_expected(input.expected.take(), input.conditional_operator)?;
    let names = input.expression_attribute_names.take();
    let mut placeholders = convert::placeholders(names, input.expression_attribute_values.take())?;
    let source = input.condition_expression.as_deref();
    let condition = conditions::of_expression(source, &mut placeholders)?;
    placeholders.check_all_used()?;
    Ok(Write {
        table: std::mem::take(&mut input.table_name),
        what: What::Put(item),
        condition: condition.or(expected),
        shows_item_on_failure: input.return_values_on_condition_check_failure
            == Some(OnFailure::AllOld),
    })
}
