//! Key conditions: which part of a table or index a `Query` reads.

use super::ExpressionKind;
use super::condition::{Comparator, Condition, Operand};
use super::placeholders::Placeholders;
use crate::invalid::Invalid;
use crate::keys::{KeyAttribute, KeySchema, SortCondition, check_partition_size, check_sort_size};
use crate::value::{AttributeType, AttributeValue};

/// A condition on one attribute of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOperator {
    /// A condition that a range of keys fulfils.
    Range(SortCondition),
    /// A legacy operator that no range fulfils: NE, IN, CONTAINS, …
    NotIndexable,
}

/// Conditions on one or two attributes, before they are matched with a key schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyConditions {
    conditions: Vec<(String, KeyOperator)>,
}

/// What a `Query` reads: one partition, or the part of it that fulfils a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuery {
    /// The value of the partition key.
    pub partition: AttributeValue,
    /// The condition on the sort key.
    pub sort: Option<SortCondition>,
}

impl KeyConditions {
    /// Parses and checks a `KeyConditionExpression`.
    pub fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Self, Invalid> {
        Self::of(&Condition::parse(ExpressionKind::KeyCondition, source, placeholders)?)
    }

    /// Checks a `KeyConditionExpression` that has been parsed.
    pub fn of(condition: &Condition) -> Result<Self, Invalid> {
        let mut conditions = Vec::new();
        collect(condition, &mut conditions)?;
        Self::new(conditions)
    }

    /// Checks the number of conditions.
    pub(super) fn new(conditions: Vec<(String, KeyOperator)>) -> Result<Self, Invalid> {
        if conditions.is_empty() || conditions.len() > 2 {
            return Err(Invalid::new("Conditions can be of length 1 or 2 only"));
        }
        Ok(Self { conditions })
    }

    /// Matches the conditions with the key of the table or index that is read.
    pub fn resolve(self, schema: &KeySchema) -> Result<KeyQuery, Invalid> {
        let count = self.conditions.len();
        if schema.sort.is_none() && count > 1 {
            return Err(not_supported());
        }
        let missed = |attribute: &KeyAttribute| {
            Invalid::new(format!("Query condition missed key schema element: {}", attribute.name))
        };
        let mut conditions = self.conditions;
        let mut take = |attribute: &KeyAttribute| {
            let at = conditions.iter().position(|(name, _)| *name == attribute.name)?;
            Some(conditions.swap_remove(at).1)
        };
        let partition = take(&schema.partition).ok_or_else(|| missed(&schema.partition))?;
        let SortCondition::Eq(partition) = check(partition, &schema.partition)? else {
            return Err(not_supported());
        };
        check_partition_size(&partition)?;
        let Some(attribute) = &schema.sort else { return Ok(KeyQuery { partition, sort: None }) };
        let sort = match take(attribute) {
            Some(operator) => Some(check(operator, attribute)?),
            None if count > 1 => return Err(missed(attribute)),
            None => None,
        };
        if let Some(condition) = &sort {
            values(condition).into_iter().try_for_each(check_sort_size)?;
        }
        Ok(KeyQuery { partition, sort })
    }
}

fn check(operator: KeyOperator, attribute: &KeyAttribute) -> Result<SortCondition, Invalid> {
    let KeyOperator::Range(condition) = operator else {
        return Err(Invalid::new("Attempted conditional constraint is not an indexable operation"));
    };
    for value in values(&condition) {
        if value.kind() != attribute.kind {
            return Err(Invalid::parameter("Condition parameter type does not match schema type"));
        }
        if value.length() == Some(0) {
            let noun = if attribute.kind == AttributeType::B { "binary" } else { "string" };
            return Err(Invalid::new(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {noun} value. Key: {}",
                attribute.name
            )));
        }
    }
    Ok(condition)
}

fn values(condition: &SortCondition) -> Vec<&AttributeValue> {
    match condition {
        SortCondition::Eq(value)
        | SortCondition::Lt(value)
        | SortCondition::Le(value)
        | SortCondition::Gt(value)
        | SortCondition::Ge(value)
        | SortCondition::BeginsWith(value) => vec![value],
        SortCondition::Between(low, high) => vec![low, high],
    }
}

fn collect(
    condition: &Condition,
    conditions: &mut Vec<(String, KeyOperator)>,
) -> Result<(), Invalid> {
    match condition {
        Condition::And(parts) => parts.iter().try_for_each(|part| collect(part, conditions)),
        Condition::Or(_) => Err(bad_operator("OR")),
        Condition::Not(_) => Err(bad_operator("NOT")),
        Condition::In(..) => Err(bad_operator("IN")),
        Condition::Exists(_) => Err(bad_operator("attribute_exists")),
        Condition::NotExists(_) => Err(bad_operator("attribute_not_exists")),
        Condition::Type(..) => Err(bad_operator("attribute_type")),
        Condition::Contains(..) => Err(bad_operator("contains")),
        Condition::Compare(Comparator::Ne, ..) => Err(bad_operator("<>")),
        Condition::Compare(comparator, left, right) => {
            let (name, is_first) = attribute_of(&[left, right])?;
            let value = if is_first { right } else { left };
            let comparator = if is_first { *comparator } else { mirrored(*comparator) };
            add(conditions, name, compare(comparator, constant(value)?))
        }
        Condition::Between { value, low, high } => {
            check_first(value, "BETWEEN")?;
            let (name, _) = attribute_of(&[value, low, high])?;
            add(conditions, name, SortCondition::Between(constant(low)?, constant(high)?))
        }
        Condition::BeginsWith(value, prefix) => {
            check_first(value, "begins_with")?;
            let (name, _) = attribute_of(&[value, prefix])?;
            add(conditions, name, SortCondition::BeginsWith(constant(prefix)?))
        }
    }
}

fn add(
    conditions: &mut Vec<(String, KeyOperator)>,
    name: &str,
    condition: SortCondition,
) -> Result<(), Invalid> {
    if conditions.iter().any(|(other, _)| other == name) {
        return Err(Invalid::new(
            "KeyConditionExpressions must only contain one condition per key",
        ));
    }
    conditions.push((name.to_owned(), KeyOperator::Range(condition)));
    Ok(())
}

fn compare(comparator: Comparator, value: AttributeValue) -> SortCondition {
    match comparator {
        Comparator::Eq | Comparator::Ne => SortCondition::Eq(value),
        Comparator::Lt => SortCondition::Lt(value),
        Comparator::Le => SortCondition::Le(value),
        Comparator::Gt => SortCondition::Gt(value),
        Comparator::Ge => SortCondition::Ge(value),
    }
}

/// The comparator that says the same with its operands exchanged.
fn mirrored(comparator: Comparator) -> Comparator {
    match comparator {
        Comparator::Lt => Comparator::Gt,
        Comparator::Le => Comparator::Ge,
        Comparator::Gt => Comparator::Lt,
        Comparator::Ge => Comparator::Le,
        same => same,
    }
}

/// The one attribute among the operands, and whether it is the first of them.
fn attribute_of<'a>(operands: &[&'a Operand]) -> Result<(&'a str, bool), Invalid> {
    let mut found = None;
    for (at, operand) in operands.iter().enumerate() {
        match operand {
            Operand::Value(_) => {}
            Operand::Size(_) => return Err(nested()),
            Operand::Path(_) if found.is_some() => {
                return Err(bad_condition("Multiple attribute names used in one condition"));
            }
            Operand::Path(path) if path.is_nested() => {
                return Err(Invalid::new(
                    "KeyConditionExpressions cannot have conditions on nested attributes",
                ));
            }
            Operand::Path(path) => found = Some((path.head(), at == 0)),
        }
    }
    found.ok_or_else(|| bad_condition("No key attribute specified"))
}

fn constant(operand: &Operand) -> Result<AttributeValue, Invalid> {
    match operand {
        Operand::Value(value) => Ok(value.clone()),
        _ => Err(nested()),
    }
}

fn check_first(operand: &Operand, operator: &str) -> Result<(), Invalid> {
    match operand {
        Operand::Path(_) => Ok(()),
        _ => Err(bad_condition(&format!(
            "{operator} operator must have the key attribute as its first operand"
        ))),
    }
}

fn bad_operator(operator: &str) -> Invalid {
    Invalid::new(format!("Invalid operator used in KeyConditionExpression: {operator}"))
}

fn bad_condition(detail: &str) -> Invalid {
    Invalid::new(format!("Invalid condition in KeyConditionExpression: {detail}"))
}

fn nested() -> Invalid {
    Invalid::new("KeyConditionExpressions cannot contain nested operations")
}

fn not_supported() -> Invalid {
    Invalid::new("Query key condition not supported")
}
