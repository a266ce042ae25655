//! Evaluates expressions on a row.

use std::borrow::Cow;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use crate::ast::{Comparison, Expr, Path, Step, Type};
use crate::csv::{MAX_RECORD, Record};
use crate::error::Error;
use crate::functions;
use crate::timestamp::Stamp;
use crate::value::{Value, arithmetic};

/// A row as expressions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Row<'r> {
    /// A line of CSV and the names of its columns.
    Csv(&'r Record, &'r [String]),
    /// A value of JSON or Parquet.
    Tree(&'r Value<'r>),
}

/// What expressions depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'s> {
    pub(crate) row: Option<Row<'s>>,
    /// The results of the aggregates, once they are known.
    pub(crate) aggregates: &'s [Value<'static>],
    /// When the query began, for UTCNOW.
    pub(crate) now: Stamp,
}

impl<'r> Row<'r> {
    /// The whole row.
    pub(crate) fn value(self) -> Value<'r> {
        match self {
            Row::Tree(value) => value.borrowed(),
            Row::Csv(record, names) => {
                let member = |index: usize| {
                    let name = match names.get(index) {
                        Some(name) => Cow::Borrowed(&**name),
                        None => Cow::Owned(format!("_{}", index + 1)),
                    };
                    (name, Value::text(record.field(index).unwrap_or_default()))
                };
                Value::Struct((0..record.len()).map(member).collect())
            }
        }
    }

    fn at(self, path: &Path) -> Result<Value<'r>, Error> {
        match self {
            Row::Csv(record, _) => Ok(match path.column {
                Some(column) => record.field(column).map_or(Value::Missing, Value::text),
                None if path.steps.is_empty() => self.value(),
                None => Value::Missing,
            }),
            Row::Tree(value) => {
                Ok(walk(value, &path.steps)?.map_or(Value::Missing, Value::borrowed))
            }
        }
    }
}

/// The value at the end of a path without wildcards.
fn walk<'v>(value: &'v Value<'v>, steps: &[Step]) -> Result<Option<&'v Value<'v>>, Error> {
    let mut value = value;
    for step in steps {
        match step_into(value, step)? {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// What a step without a wildcard leads to.
pub(crate) fn step_into<'v, 'a>(
    value: &'v Value<'a>,
    step: &Step,
) -> Result<Option<&'v Value<'a>>, Error> {
    match (value, step) {
        (Value::List(list), Step::Index(index)) => Ok(list.get(*index)),
        (Value::Struct(members), Step::Name { name, is_quoted: true }) => {
            Ok(members.iter().find(|(known, _)| known == name).map(|(_, value)| value))
        }
        (Value::Struct(members), Step::Name { name, .. }) => {
            let mut found = members.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            let first = found.next().map(|(_, value)| value);
            if found.next().is_some() {
                return Err(ambiguous(name));
            }
            Ok(first)
        }
        _ => Ok(None),
    }
}

pub(crate) fn ambiguous(name: &str) -> Error {
    let message = format!("Field name matches to multiple fields in the file: {name}.");
    Error::new("AmbiguousFieldName", message)
}

impl Expr {
    /// The expression's value.
    pub(crate) fn evaluate<'s>(&'s self, scope: &Scope<'s>) -> Result<Value<'s>, Error> {
        match self {
            Expr::Literal(value) => Ok(value.borrowed()),
            Expr::Path(path) => scope.row.map_or(Ok(Value::Missing), |row| row.at(path)),
            Expr::Aggregate(index) => {
                Ok(scope.aggregates.get(*index).map_or(Value::Null, Value::borrowed))
            }
            Expr::Negate(of) => {
                let value = of.evaluate(scope)?;
                arithmetic(crate::value::Arithmetic::Subtract, &Value::Int(0), &value)
            }
            Expr::Not(of) => Ok(match truth(&of.evaluate(scope)?)? {
                Some(value) => Value::Bool(!value),
                None => Value::Null,
            }),
            Expr::And(all) => junction(all, scope, false),
            Expr::Or(all) => junction(all, scope, true),
            Expr::Concat(left, right) => concat(&left.evaluate(scope)?, &right.evaluate(scope)?),
            Expr::Arithmetic(operator, left, right) => {
                arithmetic(*operator, &left.evaluate(scope)?, &right.evaluate(scope)?)
            }
            Expr::Compare(operator, left, right) => {
                Ok(compared(*operator, &left.evaluate(scope)?, &right.evaluate(scope)?))
            }
            Expr::Is(of, wanted) => Ok(Value::Bool(is_of(&of.evaluate(scope)?, *wanted))),
            Expr::In(of, all) => contained(&of.evaluate(scope)?, all, scope),
            Expr::Between(of, low, high) => {
                let of = of.evaluate(scope)?;
                let low = compared(Comparison::GreaterOrEqual, &of, &low.evaluate(scope)?);
                let high = compared(Comparison::LessOrEqual, &of, &high.evaluate(scope)?);
                Ok(match (&low, &high) {
                    (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
                    (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
                    _ => Value::Null,
                })
            }
            Expr::Like { text, pattern, escape } => {
                let escape = escape.as_ref().map(|escape| escape.evaluate(scope)).transpose()?;
                functions::like(&text.evaluate(scope)?, &pattern.evaluate(scope)?, escape.as_ref())
            }
            Expr::Case { subject, arms, otherwise } => {
                case(subject.as_deref(), arms, otherwise.as_deref(), scope)
            }
            Expr::Cast(of, to) => cast(of.evaluate(scope)?, *to),
            Expr::Call(function, arguments) => functions::call(*function, arguments, scope),
            Expr::List(all) => all
                .iter()
                .map(|expr| scalar(expr, scope))
                .collect::<Result<_, _>>()
                .map(Value::List),
        }
    }
}

/// A value of a list that an expression makes: what is large in itself would be copied as often as it stands there.
fn scalar<'s>(expr: &'s Expr, scope: &Scope<'s>) -> Result<Value<'s>, Error> {
    match expr.evaluate(scope)? {
        Value::List(_) | Value::Struct(_) => Err(Error::wrong_argument()),
        value => Ok(value),
    }
}

/// A value as a condition; none is unknown.
pub(crate) fn truth(value: &Value<'_>) -> Result<Option<bool>, Error> {
    match value {
        Value::Bool(value) => Ok(Some(*value)),
        Value::Null | Value::Missing => Ok(None),
        _ => Err(Error::wrong_argument()),
    }
}

/// AND or OR: `decisive` is what decides alone.
fn junction<'s>(all: &'s [Expr], scope: &Scope<'s>, decisive: bool) -> Result<Value<'s>, Error> {
    let mut is_unknown = false;
    for expr in all {
        match truth(&expr.evaluate(scope)?)? {
            Some(value) if value == decisive => return Ok(Value::Bool(decisive)),
            Some(_) => {}
            None => is_unknown = true,
        }
    }
    Ok(if is_unknown { Value::Null } else { Value::Bool(!decisive) })
}

fn concat<'s>(left: &Value<'_>, right: &Value<'_>) -> Result<Value<'s>, Error> {
    match (left, right) {
        (left, right) if left.is_absent() || right.is_absent() => Ok(Value::Null),
        (Value::Text(left), Value::Text(right)) if left.len() + right.len() > MAX_RECORD => {
            Err(Error::record_too_long())
        }
        (Value::Text(left), Value::Text(right)) => Ok(Value::text([&**left, &**right].concat())),
        _ => Err(Error::wrong_argument()),
    }
}

fn compared(operator: Comparison, left: &Value<'_>, right: &Value<'_>) -> Value<'static> {
    let equal = |wanted| match left.equals(right) {
        Some(is) => Value::Bool(is == wanted),
        None => Value::Null,
    };
    let order = |holds: fn(std::cmp::Ordering) -> bool| match left.compare(right) {
        Some(order) => Value::Bool(holds(order)),
        None => Value::Null,
    };
    match operator {
        Comparison::Equal => equal(true),
        Comparison::NotEqual => equal(false),
        Comparison::Less => order(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => order(std::cmp::Ordering::is_le),
        Comparison::Greater => order(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => order(std::cmp::Ordering::is_ge),
    }
}

fn is_of(value: &Value<'_>, wanted: Type) -> bool {
    match wanted {
        // What is missing is null, too.
        Type::Null => value.is_absent(),
        Type::Missing => matches!(value, Value::Missing),
        Type::Bool => matches!(value, Value::Bool(_)),
        Type::Int => matches!(value, Value::Int(_)),
        Type::Float => matches!(value, Value::Float(_)),
        Type::Decimal(_) => matches!(value, Value::Decimal(_)),
        Type::Text => matches!(value, Value::Text(_)),
        Type::Timestamp => matches!(value, Value::Stamp(_)),
    }
}

fn contained<'s>(of: &Value<'s>, all: &'s [Expr], scope: &Scope<'s>) -> Result<Value<'s>, Error> {
    let mut is_unknown = of.is_absent();
    for expr in all {
        match of.equals(&expr.evaluate(scope)?) {
            Some(true) => return Ok(Value::Bool(true)),
            Some(false) => {}
            None => is_unknown = true,
        }
    }
    Ok(if is_unknown { Value::Null } else { Value::Bool(false) })
}

fn case<'s>(
    subject: Option<&'s Expr>,
    arms: &'s [(Expr, Expr)],
    otherwise: Option<&'s Expr>,
    scope: &Scope<'s>,
) -> Result<Value<'s>, Error> {
    let subject = subject.map(|subject| subject.evaluate(scope)).transpose()?;
    for (when, then) in arms {
        let when = when.evaluate(scope)?;
        let holds = match &subject {
            Some(subject) => subject.equals(&when) == Some(true),
            None => truth(&when)? == Some(true),
        };
        if holds {
            return then.evaluate(scope);
        }
    }
    otherwise.map_or(Ok(Value::Null), |otherwise| otherwise.evaluate(scope))
}

/// CAST.
fn cast(value: Value<'_>, to: Type) -> Result<Value<'_>, Error> {
    if value.is_absent() {
        return Ok(value);
    }
    let made = match to {
        Type::Null | Type::Missing => None,
        Type::Bool => match &value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Value::Int(value) => Some(*value != 0),
            Value::Float(value) => Some(*value != 0.0),
            Value::Decimal(value) => Some(!value.is_zero()),
            _ => None,
        }
        .map(Value::Bool),
        Type::Int => whole(&value)?.map(Value::Int),
        Type::Float => match &value {
            Value::Bool(value) => Some(f64::from(u8::from(*value))),
            value => value.as_number().and_then(|number| number.to_float()),
        }
        .map(Value::Float),
        Type::Decimal(scale) => decimal(&value)
            .map(|number| match scale {
                Some(scale) => number.round_dp(scale),
                None => number,
            })
            .map(Value::Decimal),
        Type::Text => match value {
            Value::List(_) | Value::Struct(_) => None,
            Value::Text(text) => return Ok(Value::Text(text)),
            ref value => Some(Value::text(value.shown().into_owned())),
        },
        Type::Timestamp => match &value {
            Value::Stamp(stamp) => Some(Value::Stamp(*stamp)),
            Value::Text(text) => Stamp::parse(text.trim()).map(Value::Stamp),
            _ => None,
        },
    };
    made.ok_or_else(|| {
        let message = "Attempt to convert from one data type to another using CAST failed in the SQL expression.";
        Error::new("InvalidCast", message)
    })
}

/// The integer of a value, without what follows its point; what does not fit is an error.
fn whole(value: &Value<'_>) -> Result<Option<i64>, Error> {
    let number = match value {
        Value::Bool(value) => return Ok(Some(i64::from(*value))),
        value => value.as_number(),
    };
    match number {
        Some(Value::Int(value)) => Ok(Some(value)),
        Some(Value::Decimal(value)) => value.trunc().to_i64().map(Some).ok_or_else(Error::overflow),
        Some(Value::Float(value)) if value.abs() < 9.2e18 => Ok(Some(value as i64)),
        Some(_) => Err(Error::overflow()),
        None => Ok(None),
    }
}

fn decimal(value: &Value<'_>) -> Option<Decimal> {
    match value {
        Value::Bool(value) => Some(Decimal::from(u8::from(*value))),
        value => match value.as_number()? {
            Value::Int(value) => Decimal::from_i64(value),
            Value::Decimal(value) => Some(value),
            Value::Float(value) => Decimal::from_f64(value),
            _ => None,
        },
    }
}
