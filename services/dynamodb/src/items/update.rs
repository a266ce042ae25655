//! `UpdateItem`.

use std::collections::BTreeMap;

use fogbank_core::Cx;

use super::{Prepared, What, Write};
use crate::attributes::Attributes;
use crate::capacity::{self, Kind};
use crate::changes::collection_metrics;
use crate::error::Result;
use crate::expressions::{
    AttributeUpdate, Condition, Placeholders, Projection, Update, UpdateAction, attribute_updates,
    check_parameters,
};
use crate::invalid::Invalid;
use crate::model::{
    self, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure, UpdateItemInput,
    UpdateItemOutput,
};
use crate::names::TableName;
use crate::value::Item;
use crate::{conditions, convert, encryption};

/// Changes the item under a key, or makes one.
pub(crate) async fn update(cx: &Cx, mut input: UpdateItemInput) -> Result<UpdateItemOutput> {
    let returns = input.return_values.unwrap_or(ReturnValue::None);
    let (write, projection) = parse(&mut input)?;
    encryption::unlock(cx, &[&*write.table]).await?;
    cx.write(|tx| {
        let prepared = write.prepare(tx, true)?;
        prepared.apply(tx)?;
        let wanted = input.return_consumed_capacity;
        let consumed = capacity::is_wanted(wanted).then(|| prepared.consumed());
        let report = consumed
            .and_then(|consumed| consumed.report(prepared.table.name(), wanted, Kind::Plain));
        let wanted = input.return_item_collection_metrics;
        Ok(UpdateItemOutput {
            item_collection_metrics: collection_metrics(&prepared.table, &prepared.key, wanted),
            attributes: returned(&prepared, returns, &projection).map(Attributes::from),
            consumed_capacity: report,
        })
    })
    .await
}

fn returned(prepared: &Prepared<'_>, wanted: ReturnValue, changed: &Projection) -> Option<Item> {
    let (old, new) = (prepared.old.as_ref(), prepared.new.as_deref());
    let part = |item: &Item| Some(changed.apply(item)).filter(|part| !part.is_empty());
    match wanted {
        ReturnValue::None => None,
        ReturnValue::AllOld => old.cloned(),
        ReturnValue::AllNew => new.cloned(),
        ReturnValue::UpdatedOld => old.and_then(part),
        ReturnValue::UpdatedNew => new.and_then(part),
    }
}

fn parse(input: &mut UpdateItemInput) -> Result<(Write, Projection)> {
    TableName::of_data(&input.table_name)?;
    check_parameters(
        &[
            ("UpdateExpression", input.update_expression.is_some()),
            ("ConditionExpression", input.condition_expression.is_some()),
        ],
        &[
            ("AttributeUpdates", input.attribute_updates.is_some()),
            ("Expected", input.expected.is_some()),
        ],
        input.expression_attribute_names.is_some(),
        input.expression_attribute_values.is_some(),
    )?;
    let key = convert::item(std::mem::take(&mut input.key))?;
    let legacy = input.attribute_updates.take().map(of_attribute_updates).transpose()?;
    let expected = conditions::of_expected(input.expected.take(), input.conditional_operator)?;
    let names = input.expression_attribute_names.take();
    let placeholders = convert::placeholders(names, input.expression_attribute_values.take())?;
    let parsed = Parsed::new(
        input.update_expression.as_deref(),
        input.condition_expression.as_deref(),
        placeholders,
    )?;
    let update = parsed.update.or(legacy).unwrap_or_default();
    let projection = update.projection();
    let write = Write {
        table: std::mem::take(&mut input.table_name),
        what: What::Update(key, update),
        condition: parsed.condition.or(expected),
        shows_item_on_failure: input.return_values_on_condition_check_failure
            == Some(OnFailure::AllOld),
    };
    Ok((write, projection))
}

/// The expressions of an update.
pub(crate) struct Parsed {
    /// What it changes.
    pub(crate) update: Option<Update>,
    /// What must hold before.
    pub(crate) condition: Option<Condition>,
}

impl Parsed {
    /// Parses the expressions of an update.
    pub(crate) fn new(
        update: Option<&str>,
        condition: Option<&str>,
        mut placeholders: Placeholders,
    ) -> Result<Parsed> {
        let update = update.map(|source| Update::parse(source, &mut placeholders)).transpose()?;
        let condition = conditions::of_expression(condition, &mut placeholders)?;
        placeholders.check_all_used()?;
        Ok(Parsed { update, condition })
    }
}

fn of_attribute_updates(wire: BTreeMap<String, model::AttributeValueUpdate>) -> Result<Update> {
    let updates = wire
        .into_iter()
        .map(|(name, wire)| {
            let action = match wire.action {
                Some(model::AttributeAction::Add) => UpdateAction::Add,
                Some(model::AttributeAction::Delete) => UpdateAction::Delete,
                Some(model::AttributeAction::Put) | None => UpdateAction::Put,
            };
            let value = wire.value.map(convert::value).transpose()?;
            Ok((name, AttributeUpdate { value, action }))
        })
        .collect::<std::result::Result<BTreeMap<_, _>, Invalid>>()?;
    Ok(attribute_updates(&updates)?)
}
