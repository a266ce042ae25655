//! What an expression is worth.

use std::collections::BTreeMap;

use super::functions;
use super::parse::{Expr, Operator};
use super::{Series, Value};

/// Finds the series of metrics by a search, a statistic and a period.
pub(crate) type Finding<'a> = dyn Fn(&str, &str, i64) -> Result<Vec<Series>, String> + 'a;

/// What surrounds an expression.
pub(crate) struct Context<'a> {
    /// What the queries are worth that the expression names.
    pub(crate) known: &'a BTreeMap<String, Value>,
    /// The metrics of the request, in its order, by their ids.
    pub(crate) metrics: &'a [(String, Series)],
    /// Finds metrics by an expression, a statistic and a period.
    pub(crate) search: &'a Finding<'a>,
    /// The request's span in seconds since 1970, and the period of what has none.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) period: i64,
}

/// Reckons an expression, or says why it cannot be reckoned.
pub(crate) fn evaluate(expr: &Expr, context: &Context<'_>) -> Result<Value, String> {
    match expr {
        Expr::Number(number) => Ok(Value::Scalar(*number)),
        Expr::Text(_) => Err("A text can only be an argument of a function".to_owned()),
        Expr::Name(name) => {
            let known = context.known.get(name).cloned();
            known.ok_or_else(|| format!("Unknown identifier '{name}'"))
        }
        Expr::List(all) => {
            let mut list = Vec::new();
            for expr in all {
                match evaluate(expr, context)? {
                    Value::Series(series) => list.push(series),
                    Value::Array(more) => list.extend(more),
                    Value::Scalar(_) => {
                        return Err("An array holds time series and no numbers".to_owned());
                    }
                }
            }
            Ok(Value::Array(list))
        }
        Expr::Call(name, arguments) => functions::call(name, arguments, context),
        Expr::Not(inner) => {
            let inner = evaluate(inner, context)?;
            map(inner, &|value| f64::from(u8::from(value == 0.0)))
        }
        Expr::Binary(operator, pair) => {
            let (left, right) = (evaluate(&pair.0, context)?, evaluate(&pair.1, context)?);
            combine(left, right, &|left, right| apply(*operator, left, right))
        }
    }
}

/// Changes each value.
pub(super) fn map(value: Value, change: &dyn Fn(f64) -> f64) -> Result<Value, String> {
    Ok(match value {
        Value::Scalar(scalar) => Value::Scalar(change(scalar)),
        Value::Series(series) => Value::Series(series.map(|_, value| change(value))),
        Value::Array(all) => {
            let changed = all.iter().map(|series| series.map(|_, value| change(value)));
            Value::Array(changed.collect())
        }
    })
}

fn apply(operator: Operator, left: f64, right: f64) -> f64 {
    let truth = |is_true: bool| f64::from(u8::from(is_true));
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Power => left.powf(right),
        Operator::Equal => truth(left == right),
        Operator::NotEqual => truth(left != right),
        Operator::Less => truth(left < right),
        Operator::LessOrEqual => truth(left <= right),
        Operator::Greater => truth(left > right),
        Operator::GreaterOrEqual => truth(left >= right),
        Operator::And => truth(left != 0.0 && right != 0.0),
        Operator::Or => truth(left != 0.0 || right != 0.0),
    }
}

/// Puts two values together: series where both have a value, arrays one by one with what is no array.
pub(super) fn combine(
    left: Value,
    right: Value,
    with: &dyn Fn(f64, f64) -> f64,
) -> Result<Value, String> {
    Ok(match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(with(left, right)),
        (Value::Series(left), Value::Scalar(right)) => {
            Value::Series(left.map(|_, left| with(left, right)))
        }
        (Value::Scalar(left), Value::Series(right)) => {
            Value::Series(right.map(|_, right| with(left, right)))
        }
        (Value::Series(left), Value::Series(right)) => Value::Series(join(&left, &right, with)),
        (Value::Array(_), Value::Array(_)) => {
            return Err("Two arrays of time series cannot be combined by an operator".to_owned());
        }
        (Value::Array(all), other) => array(all, |one| combine(one, other.clone(), with))?,
        (other, Value::Array(all)) => array(all, |one| combine(other.clone(), one, with))?,
    })
}

fn array(
    all: Vec<Series>,
    change: impl Fn(Value) -> Result<Value, String>,
) -> Result<Value, String> {
    let mut changed = Vec::with_capacity(all.len());
    for series in all {
        match change(Value::Series(series))? {
            Value::Series(series) => changed.push(series),
            _ => return Err("An array holds time series".to_owned()),
        }
    }
    Ok(Value::Array(changed))
}

fn join(left: &Series, right: &Series, with: &dyn Fn(f64, f64) -> f64) -> Series {
    let both = left.values.iter().filter_map(|(time, value)| {
        let other = right.values.get(time)?;
        Some((*time, with(*value, *other)))
    });
    let coarser = if left.period >= right.period { left } else { right };
    coarser.with(both.filter(|(_, value)| value.is_finite()).collect())
}
