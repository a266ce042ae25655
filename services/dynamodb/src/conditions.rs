//! The condition of a write, in either of its two notations.

use std::collections::BTreeMap;

use crate::convert;
use crate::error::Result;
use crate::expressions::{
    ComparisonOperator, Condition, ConditionalOperator, ExpectedAttribute, ExpressionKind,
    LegacyCondition, Placeholders, expected,
};
use crate::invalid::Invalid;
use crate::model;
use crate::value::Item;

/// A map of `Expected` as the wire has it.
type WireExpected = BTreeMap<String, model::ExpectedAttributeValue>;

/// Takes an operator from the wire.
pub(crate) fn comparison(wire: model::ComparisonOperator) -> ComparisonOperator {
    use ComparisonOperator as Ours;
    use model::ComparisonOperator as Wire;
    match wire {
        Wire::Eq => Ours::Eq,
        Wire::Ne => Ours::Ne,
        Wire::In => Ours::In,
        Wire::Le => Ours::Le,
        Wire::Lt => Ours::Lt,
        Wire::Ge => Ours::Ge,
        Wire::Gt => Ours::Gt,
        Wire::Between => Ours::Between,
        Wire::NotNull => Ours::NotNull,
        Wire::Null => Ours::Null,
        Wire::Contains => Ours::Contains,
        Wire::NotContains => Ours::NotContains,
        Wire::BeginsWith => Ours::BeginsWith,
    }
}

/// Takes the operator between legacy conditions from the wire.
pub(crate) fn join(wire: Option<model::ConditionalOperator>) -> Option<ConditionalOperator> {
    wire.map(|wire| match wire {
        model::ConditionalOperator::And => ConditionalOperator::And,
        model::ConditionalOperator::Or => ConditionalOperator::Or,
    })
}

/// Takes the conditions of a `QueryFilter`, `ScanFilter` or `KeyConditions` from the wire.
pub(crate) fn legacy(
    wire: BTreeMap<String, model::Condition>,
) -> std::result::Result<BTreeMap<String, LegacyCondition>, Invalid> {
    wire.into_iter()
        .map(|(name, condition)| {
            let operator = comparison(condition.comparison_operator);
            let values = convert::values(condition.attribute_value_list.unwrap_or_default())?;
            Ok((name, LegacyCondition { operator, values }))
        })
        .collect()
}

/// The condition that `Expected` stands for.
pub(crate) fn of_expected(
    wire: Option<WireExpected>,
    operator: Option<model::ConditionalOperator>,
) -> Result<Option<Condition>> {
    let attributes = wire
        .unwrap_or_default()
        .into_iter()
        .map(|(name, wire)| {
            let attribute = ExpectedAttribute {
                value: wire.value.map(convert::value).transpose()?,
                exists: wire.exists,
                operator: wire.comparison_operator.map(comparison),
                values: wire.attribute_value_list.map(convert::values).transpose()?,
            };
            Ok((name, attribute))
        })
        .collect::<std::result::Result<BTreeMap<_, _>, Invalid>>()?;
    Ok(expected(&attributes, join(operator))?)
}

/// The condition that a `ConditionExpression` states.
pub(crate) fn of_expression(
    source: Option<&str>,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>> {
    let parse = |source| Condition::parse(ExpressionKind::Condition, source, placeholders);
    Ok(source.map(parse).transpose()?)
}

/// Whether an item, or that there is none, fulfils the condition.
pub(crate) fn holds(condition: Option<&Condition>, item: Option<&Item>) -> bool {
    condition.is_none_or(|condition| match item {
        Some(item) => condition.holds(item),
        None => condition.holds(&Item::new()),
    })
}
