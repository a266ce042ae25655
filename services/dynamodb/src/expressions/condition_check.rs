//! What is checked between parsing a condition and evaluating it.
//!
//! AWS reports one error: unknown functions first, then functions out of place, then reserved words, each over the whole
//! expression; and then, comparison by comparison, undefined placeholders, numbers of operands, repeated paths and types.

use super::ExpressionKind;
use super::condition::{Comparator, Condition, Operand};
use super::condition_parser::RawCondition;
use super::parser::{RawFunction, RawOperand};
use super::path::{Path, check_reserved};
use super::placeholders::Placeholders;
use crate::invalid::Invalid;
use crate::value::{AttributeType, AttributeValue};

/// The most values in the list of an `IN`.
const MAX_IN_OPERANDS: usize = 100;

/// Checks a condition as written, and replaces its placeholders.
pub(super) fn check(
    kind: ExpressionKind,
    raw: &RawCondition,
    placeholders: &mut Placeholders,
) -> Result<Condition, Invalid> {
    each_function(raw, &mut |function| check_known(kind, function))?;
    check_usage(kind, raw)?;
    check_words(kind, raw)?;
    lower(kind, raw, placeholders)
}

fn check_known(kind: ExpressionKind, function: &RawFunction) -> Result<(), Invalid> {
    let name = &function.name;
    match name.as_str() {
        "attribute_exists"
        | "attribute_not_exists"
        | "attribute_type"
        | "begins_with"
        | "contains"
        | "size" => Ok(()),
        "if_not_exists" | "list_append" => Err(kind.invalid(format!(
            "The function is not allowed in a condition expression; function: {name}"
        ))),
        _ => Err(kind.invalid(format!("Invalid function name; function: {name}"))),
    }
}

/// Visits calls, arguments before the call.
fn each_function(
    condition: &RawCondition,
    visit: &mut impl FnMut(&RawFunction) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    match condition {
        RawCondition::Function(function) => visit_function(function, visit),
        RawCondition::And(parts) | RawCondition::Or(parts) => {
            parts.iter().try_for_each(|part| each_function(part, visit))
        }
        RawCondition::Not(part) => each_function(part, visit),
        _ => operands(condition).into_iter().try_for_each(|operand| match operand {
            RawOperand::Function(function) => visit_function(function, visit),
            _ => Ok(()),
        }),
    }
}

fn visit_function(
    function: &RawFunction,
    visit: &mut impl FnMut(&RawFunction) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    for argument in &function.arguments {
        if let RawOperand::Function(inner) = argument {
            visit_function(inner, visit)?;
        }
    }
    visit(function)
}

/// The operands of a comparison, in order.
fn operands(condition: &RawCondition) -> Vec<&RawOperand> {
    match condition {
        RawCondition::Compare(_, left, right) => vec![left, right],
        RawCondition::Between(all) => all.iter().collect(),
        RawCondition::In(value, list) => std::iter::once(value).chain(list).collect(),
        RawCondition::Function(function) => function.arguments.iter().collect(),
        RawCondition::And(_) | RawCondition::Or(_) | RawCondition::Not(_) => Vec::new(),
    }
}

/// Only `size` yields a value, and it yields nothing else.
fn check_usage(kind: ExpressionKind, condition: &RawCondition) -> Result<(), Invalid> {
    each_function(condition, &mut |function| {
        function.arguments.iter().try_for_each(|argument| check_is_value(kind, argument))
    })?;
    match condition {
        RawCondition::Function(function) if function.name == "size" => Err(misused(kind, "size")),
        RawCondition::And(parts) | RawCondition::Or(parts) => {
            parts.iter().try_for_each(|part| check_usage(kind, part))
        }
        RawCondition::Not(part) => check_usage(kind, part),
        _ => operands(condition).into_iter().try_for_each(|operand| check_is_value(kind, operand)),
    }
}

fn check_is_value(kind: ExpressionKind, operand: &RawOperand) -> Result<(), Invalid> {
    match operand {
        RawOperand::Function(function) if function.name != "size" => {
            Err(misused(kind, &function.name))
        }
        _ => Ok(()),
    }
}

pub(super) fn misused(kind: ExpressionKind, function: &str) -> Invalid {
    kind.invalid(format!(
        "The function is not allowed to be used this way in an expression; function: {function}"
    ))
}

fn check_words(kind: ExpressionKind, condition: &RawCondition) -> Result<(), Invalid> {
    match condition {
        RawCondition::And(parts) | RawCondition::Or(parts) => {
            parts.iter().try_for_each(|part| check_words(kind, part))
        }
        RawCondition::Not(part) => check_words(kind, part),
        _ => operands(condition)
            .into_iter()
            .try_for_each(|operand| check_operand_words(kind, operand)),
    }
}

pub(super) fn check_operand_words(
    kind: ExpressionKind,
    operand: &RawOperand,
) -> Result<(), Invalid> {
    match operand {
        RawOperand::Path(path) => check_reserved(kind, path),
        RawOperand::Value(_) => Ok(()),
        RawOperand::Function(function) => {
            function.arguments.iter().try_for_each(|argument| check_operand_words(kind, argument))
        }
    }
}

/// An operand whose placeholders are replaced, before its `size` calls are known to have one argument.
enum Resolved {
    Path(Path),
    Value(AttributeValue),
    Size(Vec<Resolved>),
}

impl Resolved {
    fn new(
        kind: ExpressionKind,
        raw: &RawOperand,
        placeholders: &mut Placeholders,
    ) -> Result<Self, Invalid> {
        Ok(match raw {
            RawOperand::Path(path) => Self::Path(Path::resolve(kind, path, placeholders)?),
            RawOperand::Value(key) => Self::Value(placeholders.value(kind, key)?.clone()),
            RawOperand::Function(function) => Self::Size(
                function
                    .arguments
                    .iter()
                    .map(|argument| Self::new(kind, argument, placeholders))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    /// The type that is known without an item.
    fn kind(&self) -> Option<AttributeType> {
        match self {
            Self::Path(_) => None,
            Self::Value(value) => Some(value.kind()),
            Self::Size(_) => Some(AttributeType::N),
        }
    }

    fn check_counts(&self, kind: ExpressionKind) -> Result<(), Invalid> {
        let Self::Size(arguments) = self else { return Ok(()) };
        arguments.iter().try_for_each(|argument| argument.check_counts(kind))?;
        check_count(kind, "size", 1, arguments.len())
    }

    fn into_operand(self, kind: ExpressionKind) -> Result<Operand, Invalid> {
        Ok(match self {
            Self::Path(path) => Operand::Path(path),
            Self::Value(value) => Operand::Value(value),
            Self::Size(mut arguments) => {
                let argument = arguments.pop().ok_or_else(|| misused(kind, "size"))?;
                if let Some(wrong) = argument.kind()
                    && matches!(wrong, AttributeType::N | AttributeType::Bool | AttributeType::Null)
                {
                    // The innermost call is the one to blame, so its own argument is looked at first.
                    argument.into_operand(kind)?;
                    return Err(wrong_type(kind, "size", wrong.name()));
                }
                Operand::Size(Box::new(argument.into_operand(kind)?))
            }
        })
    }
}

fn check_count(
    kind: ExpressionKind,
    function: &str,
    wanted: usize,
    given: usize,
) -> Result<(), Invalid> {
    if wanted == given {
        return Ok(());
    }
    Err(kind.invalid(format!(
        "Incorrect number of operands for operator or function; operator or function: {function}, number of operands: {given}"
    )))
}

pub(super) fn wrong_type(kind: ExpressionKind, function: &str, operand: &str) -> Invalid {
    kind.invalid(format!(
        "Incorrect operand type for operator or function; operator or function: {function}, operand type: {operand}"
    ))
}

fn lower(
    kind: ExpressionKind,
    raw: &RawCondition,
    placeholders: &mut Placeholders,
) -> Result<Condition, Invalid> {
    let mut parts = |parts: &[RawCondition]| {
        parts.iter().map(|part| lower(kind, part, placeholders)).collect::<Result<Vec<_>, _>>()
    };
    match raw {
        RawCondition::And(list) => return parts(list).map(Condition::And),
        RawCondition::Or(list) => return parts(list).map(Condition::Or),
        RawCondition::Not(part) => {
            return Ok(Condition::Not(Box::new(lower(kind, part, placeholders)?)));
        }
        _ => {}
    }
    let mut resolved = Vec::new();
    for operand in operands(raw) {
        resolved.push(Resolved::new(kind, operand, placeholders)?);
    }
    resolved.iter().try_for_each(|operand| operand.check_counts(kind))?;
    match raw {
        RawCondition::Function(function) => lower_function(kind, &function.name, resolved),
        RawCondition::Compare(comparator, ..) => lower_compare(kind, *comparator, resolved),
        RawCondition::Between(_) => lower_between(kind, resolved),
        _ => lower_in(kind, resolved),
    }
}

/// Exactly `N` operands, which the grammar or an earlier check guarantees.
fn take<const N: usize>(
    kind: ExpressionKind,
    function: &str,
    operands: Vec<Resolved>,
) -> Result<[Resolved; N], Invalid> {
    let given = operands.len();
    check_count(kind, function, N, given)?;
    operands.try_into().map_err(|_| misused(kind, function))
}

fn lower_compare(
    kind: ExpressionKind,
    comparator: Comparator,
    operands: Vec<Resolved>,
) -> Result<Condition, Invalid> {
    let [left, right] = take(kind, comparator.symbol(), operands)?;
    check_distinct(kind, comparator.symbol(), &left, &right)?;
    if !matches!(comparator, Comparator::Eq | Comparator::Ne) {
        check_ordered(kind, comparator.symbol(), [&left, &right])?;
    }
    let (left, right) = (left.into_operand(kind)?, right.into_operand(kind)?);
    Ok(Condition::Compare(comparator, left, right))
}

fn lower_between(kind: ExpressionKind, operands: Vec<Resolved>) -> Result<Condition, Invalid> {
    let [value, low, high] = take(kind, "BETWEEN", operands)?;
    check_ordered(kind, "BETWEEN", [&value, &low, &high])?;
    if let (Resolved::Value(low), Resolved::Value(high)) = (&low, &high) {
        check_bounds(kind, low, high)?;
    }
    Ok(Condition::Between {
        value: value.into_operand(kind)?,
        low: low.into_operand(kind)?,
        high: high.into_operand(kind)?,
    })
}

fn lower_in(kind: ExpressionKind, mut operands: Vec<Resolved>) -> Result<Condition, Invalid> {
    let list = operands.split_off(1);
    if list.len() > MAX_IN_OPERANDS {
        return Err(kind.invalid(format!(
            "The IN operator is provided with too many operands; number of operands: {}",
            list.len()
        )));
    }
    let [value] = take(kind, "IN", operands)?;
    let list = list.into_iter().map(|operand| operand.into_operand(kind));
    Ok(Condition::In(value.into_operand(kind)?, list.collect::<Result<_, _>>()?))
}

fn lower_function(
    kind: ExpressionKind,
    name: &str,
    operands: Vec<Resolved>,
) -> Result<Condition, Invalid> {
    if matches!(name, "attribute_exists" | "attribute_not_exists") {
        let [operand] = take(kind, name, operands)?;
        return match operand.into_operand(kind)? {
            Operand::Path(path) if name == "attribute_exists" => Ok(Condition::Exists(path)),
            Operand::Path(path) => Ok(Condition::NotExists(path)),
            _ => Err(kind.invalid(format!(
                "Operator or function requires a document path; operator or function: {name}"
            ))),
        };
    }
    let [first, second] = take(kind, name, operands)?;
    check_distinct(kind, name, &first, &second)?;
    match name {
        "attribute_type" => {
            let wanted = wanted_type(kind, &second)?;
            Ok(Condition::Type(first.into_operand(kind)?, wanted))
        }
        "begins_with" => {
            let (types, name) = ([first.kind(), second.kind()], "begins_with");
            let (first, second) = (first.into_operand(kind)?, second.into_operand(kind)?);
            for wrong in types.into_iter().flatten() {
                if !matches!(wrong, AttributeType::S | AttributeType::B) {
                    return Err(wrong_type(kind, name, wrong.name()));
                }
            }
            Ok(Condition::BeginsWith(first, second))
        }
        _ => Ok(Condition::Contains(first.into_operand(kind)?, second.into_operand(kind)?)),
    }
}

fn wanted_type(kind: ExpressionKind, operand: &Resolved) -> Result<AttributeType, Invalid> {
    let Resolved::Value(AttributeValue::S(name)) = operand else {
        let given = operand.kind().map_or("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}", AttributeType::name);
        return Err(wrong_type(kind, "attribute_type", given));
    };
    AttributeType::from_name(name).ok_or_else(|| {
        kind.invalid(format!(
            "Invalid attribute type name found; type: {name}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
        ))
    })
}

fn check_distinct(
    kind: ExpressionKind,
    operator: &str,
    first: &Resolved,
    second: &Resolved,
) -> Result<(), Invalid> {
    match (first, second) {
        (Resolved::Path(first), Resolved::Path(second)) if first == second => {
            Err(kind.invalid(format!(
                "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, first operand: {first}"
            )))
        }
        _ => Ok(()),
    }
}

/// Values of the request must have an order; values of the item that have none make the condition false instead.
fn check_ordered<'a>(
    kind: ExpressionKind,
    operator: &str,
    operands: impl IntoIterator<Item = &'a Resolved>,
) -> Result<(), Invalid> {
    let mut types = operands.into_iter().filter_map(Resolved::kind);
    match types.find(|operand| !operand.is_ordered()) {
        Some(wrong) => Err(wrong_type(kind, operator, wrong.name())),
        None => Ok(()),
    }
}

fn check_bounds(
    kind: ExpressionKind,
    low: &AttributeValue,
    high: &AttributeValue,
) -> Result<(), Invalid> {
    let rule = if low.kind() != high.kind() {
        "requires same data type for lower and upper bounds"
    } else if low.compare(high).is_some_and(|order| order.is_gt()) {
        "requires upper bound to be greater than or equal to lower bound"
    } else {
        return Ok(());
    };
    Err(kind.invalid(format!(
        "The BETWEEN operator {rule}; lower bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}",
        low.describe(),
        high.describe()
    )))
}
