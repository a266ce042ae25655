//! The parameters that expressions replaced, turned into the same trees: Expected, QueryFilter, ScanFilter,
//! KeyConditions, AttributeUpdates and AttributesToGet.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html>

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Comparator, Condition, Operand};
use super::key_condition::{KeyConditions, KeyOperator};
use super::path::Path;
use super::projection::Projection;
use super::update::{Action, Update, UpdateValue};
use crate::invalid::Invalid;
use crate::keys::SortCondition;
use crate::value::{AttributeType, AttributeValue};

/// `ComparisonOperator` of a legacy condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are AWS's names")]
pub enum ComparisonOperator {
    Eq,
    Ne,
    In,
    Le,
    Lt,
    Ge,
    Gt,
    Between,
    NotNull,
    Null,
    Contains,
    NotContains,
    BeginsWith,
}

impl ComparisonOperator {
    const ALL: [Self; 13] = [
        Self::Eq,
        Self::Ne,
        Self::In,
        Self::Le,
        Self::Lt,
        Self::Ge,
        Self::Gt,
        Self::Between,
        Self::NotNull,
        Self::Null,
        Self::Contains,
        Self::NotContains,
        Self::BeginsWith,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "EQ",
            Self::Ne => "NE",
            Self::In => "IN",
            Self::Le => "LE",
            Self::Lt => "LT",
            Self::Ge => "GE",
            Self::Gt => "GT",
            Self::Between => "BETWEEN",
            Self::NotNull => "NOT_NULL",
            Self::Null => "NULL",
            Self::Contains => "CONTAINS",
            Self::NotContains => "NOT_CONTAINS",
            Self::BeginsWith => "BEGINS_WITH",
        }
    }

    /// The operator of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.name() == name)
    }

    fn takes(self, values: usize) -> bool {
        match self {
            Self::Null | Self::NotNull => values == 0,
            Self::In => values > 0,
            Self::Between => values == 2,
            _ => values == 1,
        }
    }

    fn compares(self, kind: AttributeType) -> bool {
        match self {
            Self::Eq | Self::Ne | Self::Null | Self::NotNull => true,
            Self::BeginsWith => matches!(kind, AttributeType::S | AttributeType::B),
            _ => kind.is_ordered(),
        }
    }
}

/// How several legacy conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionalOperator {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}

/// A member of QueryFilter, ScanFilter or KeyConditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyCondition {
    /// `ComparisonOperator`.
    pub operator: ComparisonOperator,
    /// `AttributeValueList`.
    pub values: Vec<AttributeValue>,
}

/// A member of Expected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedAttribute {
    /// `Value`.
    pub value: Option<AttributeValue>,
    /// `Exists`.
    pub exists: Option<bool>,
    /// `ComparisonOperator`.
    pub operator: Option<ComparisonOperator>,
    /// `AttributeValueList`.
    pub values: Option<Vec<AttributeValue>>,
}

/// `Action` of an attribute update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UpdateAction {
    /// Add to a number, a set or a list.
    Add,
    /// Assign; the default.
    #[default]
    Put,
    /// Remove the attribute, or members of a set.
    Delete,
}

/// A member of AttributeUpdates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeUpdate {
    /// `Value`.
    pub value: Option<AttributeValue>,
    /// `Action`.
    pub action: UpdateAction,
}

/// The condition that `Expected` stands for; `None` when it is empty.
pub fn expected(
    expected: &BTreeMap<String, ExpectedAttribute>,
    join: Option<ConditionalOperator>,
) -> Result<Option<Condition>, Invalid> {
    let conditions = expected
        .iter()
        .map(|(name, attribute)| expect(name, attribute))
        .collect::<Result<Vec<_>, _>>()?;
    joined(conditions, join)
}

/// The condition that `QueryFilter` or `ScanFilter` stands for; `None` when it is empty.
pub fn filter(
    filter: &BTreeMap<String, LegacyCondition>,
    join: Option<ConditionalOperator>,
) -> Result<Option<Condition>, Invalid> {
    let conditions = filter
        .iter()
        .map(|(name, condition)| {
            check(condition.operator, &condition.values)?;
            Ok(lower(name, condition.operator, &condition.values))
        })
        .collect::<Result<Vec<_>, Invalid>>()?;
    joined(conditions, join)
}

/// The key conditions that `KeyConditions` stands for.
pub fn key_conditions(
    conditions: &BTreeMap<String, LegacyCondition>,
) -> Result<KeyConditions, Invalid> {
    let conditions = conditions
        .iter()
        .map(|(name, condition)| {
            check(condition.operator, &condition.values)?;
            Ok((name.clone(), key_operator(condition)))
        })
        .collect::<Result<Vec<_>, Invalid>>()?;
    KeyConditions::new(conditions)
}

/// The update that `AttributeUpdates` stands for.
pub fn attribute_updates(updates: &BTreeMap<String, AttributeUpdate>) -> Result<Update, Invalid> {
    if updates.contains_key("") {
        return Err(Invalid::parameter("Empty attribute name"));
    }
    let actions = updates
        .iter()
        .map(|(name, update)| Ok((Path::attribute(name.clone()), update_action(update)?)))
        .collect::<Result<Vec<_>, Invalid>>()?;
    Ok(Update { actions, legacy: true })
}

/// The projection that `AttributesToGet` stands for.
pub fn attributes_to_get(names: &[String]) -> Result<Projection, Invalid> {
    if names.iter().any(String::is_empty) {
        return Err(Invalid::parameter("Empty attribute name"));
    }
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Invalid::parameter(format!("Duplicate value in attribute name: {name}")));
    }
    Ok(Projection::of_paths(names.iter().map(Path::attribute).collect()))
}

fn joined(
    mut conditions: Vec<Condition>,
    join: Option<ConditionalOperator>,
) -> Result<Option<Condition>, Invalid> {
    if join.is_some() && conditions.len() == 1 {
        return Err(Invalid::new(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ));
    }
    if join.is_some() && conditions.is_empty() {
        return Err(Invalid::new("ConditionalOperator cannot be used without Filter or Expected"));
    }
    if conditions.len() < 2 {
        return Ok(conditions.pop());
    }
    Ok(Some(match join {
        Some(ConditionalOperator::Or) => Condition::Or(conditions),
        _ => Condition::And(conditions),
    }))
}

fn expect(name: &str, expected: &ExpectedAttribute) -> Result<Condition, Invalid> {
    let invalid =
        |detail: String| Err(Invalid::parameter(format!("{detail} for Attribute: {name}")));
    if expected.value.is_some() && expected.values.is_some() {
        return invalid("Value and AttributeValueList cannot be used together".to_owned());
    }
    let Some(operator) = expected.operator else {
        if expected.values.is_some() {
            return invalid(
                "AttributeValueList can only be used with a ComparisonOperator".to_owned(),
            );
        }
        let path = Path::attribute(name);
        return match (&expected.value, expected.exists) {
            (None, None) => invalid("Value must be provided when Exists is null".to_owned()),
            (None, Some(true)) => invalid("Value must be provided when Exists is true".to_owned()),
            (Some(_), Some(false)) => {
                invalid("Value cannot be used when Exists is false".to_owned())
            }
            (None, Some(false)) => Ok(Condition::NotExists(path)),
            (Some(value), _) => Ok(compare(Comparator::Eq, path, value)),
        };
    };
    if expected.exists.is_some() {
        return invalid("Exists and ComparisonOperator cannot be used together".to_owned());
    }
    let needs_value = !matches!(operator, ComparisonOperator::Null | ComparisonOperator::NotNull);
    let values = match (&expected.value, &expected.values) {
        (_, Some(values)) => values.as_slice(),
        (Some(value), None) => std::slice::from_ref(value),
        (None, None) if needs_value => {
            return invalid(format!(
                "Value or AttributeValueList must be used with ComparisonOperator: {}",
                operator.name()
            ));
        }
        (None, None) => &[],
    };
    check(operator, values)?;
    Ok(lower(name, operator, values))
}

fn check(operator: ComparisonOperator, values: &[AttributeValue]) -> Result<(), Invalid> {
    let name = operator.name();
    if !operator.takes(values.len()) {
        return Err(Invalid::parameter(format!(
            "Invalid number of argument(s) for the {name} ComparisonOperator"
        )));
    }
    if values.iter().any(|value| value.kind() != values[0].kind()) {
        return Err(Invalid::parameter(
            "AttributeValues inside AttributeValueList must be of same type",
        ));
    }
    if let Some(wrong) = values.iter().find(|value| !operator.compares(value.kind())) {
        return Err(Invalid::parameter(format!(
            "ComparisonOperator {name} is not valid for {} AttributeValue type",
            wrong.kind()
        )));
    }
    if let (ComparisonOperator::Between, [low, high]) = (operator, values)
        && low.compare(high).is_some_and(|order| order.is_gt())
    {
        return Err(Invalid::new(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ));
    }
    Ok(())
}

fn compare(comparator: Comparator, path: Path, value: &AttributeValue) -> Condition {
    Condition::Compare(comparator, Operand::Path(path), Operand::Value(value.clone()))
}

/// The condition; [`check`] has found as many values as the operator takes.
fn lower(name: &str, operator: ComparisonOperator, values: &[AttributeValue]) -> Condition {
    use ComparisonOperator as Op;
    let path = Path::attribute(name);
    let operand = || Operand::Path(Path::attribute(name));
    match (operator, values) {
        (Op::Eq, [value]) => compare(Comparator::Eq, path, value),
        (Op::Ne, [value]) => compare(Comparator::Ne, path, value),
        (Op::Le, [value]) => compare(Comparator::Le, path, value),
        (Op::Lt, [value]) => compare(Comparator::Lt, path, value),
        (Op::Ge, [value]) => compare(Comparator::Ge, path, value),
        (Op::Gt, [value]) => compare(Comparator::Gt, path, value),
        (Op::Null, _) => Condition::NotExists(path),
        (Op::Contains, [value]) => Condition::Contains(operand(), Operand::Value(value.clone())),
        // An attribute that does not exist does not contain anything, but fails NOT_CONTAINS all the same.
        (Op::NotContains, [value]) => {
            let contains = Condition::Contains(operand(), Operand::Value(value.clone()));
            Condition::And(vec![Condition::Exists(path), Condition::Not(Box::new(contains))])
        }
        (Op::BeginsWith, [value]) => {
            Condition::BeginsWith(operand(), Operand::Value(value.clone()))
        }
        (Op::Between, [low, high]) => Condition::Between {
            value: operand(),
            low: Operand::Value(low.clone()),
            high: Operand::Value(high.clone()),
        },
        (Op::In, list) => {
            Condition::In(operand(), list.iter().cloned().map(Operand::Value).collect())
        }
        _ => Condition::Exists(path),
    }
}

fn key_operator(condition: &LegacyCondition) -> KeyOperator {
    use ComparisonOperator as Op;
    let mut values = condition.values.iter().cloned();
    let range = match (condition.operator, values.next(), values.next()) {
        (Op::Eq, Some(value), _) => SortCondition::Eq(value),
        (Op::Le, Some(value), _) => SortCondition::Le(value),
        (Op::Lt, Some(value), _) => SortCondition::Lt(value),
        (Op::Ge, Some(value), _) => SortCondition::Ge(value),
        (Op::Gt, Some(value), _) => SortCondition::Gt(value),
        (Op::BeginsWith, Some(value), _) => SortCondition::BeginsWith(value),
        (Op::Between, Some(low), Some(high)) => SortCondition::Between(low, high),
        _ => return KeyOperator::NotIndexable,
    };
    KeyOperator::Range(range)
}

fn update_action(update: &AttributeUpdate) -> Result<Action, Invalid> {
    let Some(value) = &update.value else {
        return match update.action {
            UpdateAction::Delete => Ok(Action::Remove),
            _ => Err(Invalid::parameter(
                "Only DELETE action is allowed when no attribute value is specified",
            )),
        };
    };
    let kind = value.kind();
    let is_set = matches!(kind, AttributeType::Ss | AttributeType::Ns | AttributeType::Bs);
    match update.action {
        UpdateAction::Put => Ok(Action::Set(UpdateValue::Value(value.clone()))),
        UpdateAction::Delete if is_set => Ok(Action::Delete(value.clone())),
        UpdateAction::Delete => Err(Invalid::parameter(format!(
            "DELETE action with value is not supported for the type {kind}"
        ))),
        UpdateAction::Add if is_set || kind == AttributeType::N => Ok(Action::Add(value.clone())),
        UpdateAction::Add if kind == AttributeType::L => Ok(Action::Append(value.clone())),
        UpdateAction::Add => {
            Err(Invalid::parameter(format!("ADD action is not supported for the type {kind}")))
        }
    }
}
