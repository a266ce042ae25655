//! The values that rows hold and expressions make.

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use crate::error::Error;
use crate::timestamp::Stamp;

/// A value. Texts and names are borrowed from the row where they can be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// What is not there.
    Missing,
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A binary floating-point number.
    Float(f64),
    /// A decimal number.
    Decimal(Decimal),
    /// A text.
    Text(Cow<'a, str>),
    /// A point in time, as exact as it was given.
    Stamp(Stamp),
    /// A list.
    List(Vec<Value<'a>>),
    /// Names and their values, in order.
    Struct(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Two numbers of one kind.
pub(crate) enum Pair {
    Ints(i64, i64),
    Decimals(Decimal, Decimal),
    Floats(f64, f64),
}

impl<'a> Value<'a> {
    /// A number of which this is the text, as exact as it can be kept.
    pub(crate) fn number(text: &str) -> Option<Value<'static>> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        if let Ok(value) = text.parse() {
            return Some(Value::Int(value));
        }
        let decimal = match text.contains(['e', 'E']) {
            true => Decimal::from_scientific(text).ok(),
            false => Decimal::from_str_exact(text).ok(),
        };
        match decimal {
            Some(value) => Some(Value::Decimal(value)),
            None => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float),
        }
    }

    /// The same value, borrowed from this one.
    pub(crate) fn borrowed(&'a self) -> Value<'a> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::List(list) => Value::List(list.iter().map(Value::borrowed).collect()),
            Value::Struct(members) => {
                let member = |(name, value): &'a (Cow<'_, str>, Value<'_>)| {
                    (Cow::Borrowed(&**name), value.borrowed())
                };
                Value::Struct(members.iter().map(member).collect())
            }
            other => other.clone().into_owned(),
        }
    }

    /// The same value, borrowed from nothing.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Missing => Value::Missing,
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Float(value) => Value::Float(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Stamp(stamp) => Value::Stamp(stamp),
            Value::List(list) => Value::List(list.into_iter().map(Value::into_owned).collect()),
            Value::Struct(members) => {
                let owned = members
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()));
                Value::Struct(owned.collect())
            }
        }
    }

    /// Whether there is nothing to compare or count.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Value::Missing | Value::Null)
    }

    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Value<'a> {
        Value::Text(text.into())
    }

    /// The number that this is, or whose text this is: what CSV holds is text, and who compares or adds it means the number.
    pub(crate) fn as_number(&self) -> Option<Value<'static>> {
        match self {
            Value::Int(value) => Some(Value::Int(*value)),
            Value::Float(value) => Some(Value::Float(*value)),
            Value::Decimal(value) => Some(Value::Decimal(*value)),
            Value::Text(text) => Value::number(text.trim()),
            _ => None,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Value::Int(_) | Value::Float(_) | Value::Decimal(_))
    }

    pub(crate) fn to_float(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Decimal(value) => value.to_f64(),
            _ => None,
        }
    }

    /// Both as numbers of the kind that holds either.
    pub(crate) fn pair(&self, other: &Value<'_>) -> Option<Pair> {
        let (left, right) = (self.as_number()?, other.as_number()?);
        if let (Value::Int(left), Value::Int(right)) = (&left, &right) {
            return Some(Pair::Ints(*left, *right));
        }
        let decimal = |value: &Value<'_>| match value {
            Value::Int(value) => Decimal::from_i64(*value),
            Value::Decimal(value) => Some(*value),
            _ => None,
        };
        match (decimal(&left), decimal(&right)) {
            (Some(left), Some(right)) => Some(Pair::Decimals(left, right)),
            _ => Some(Pair::Floats(left.to_float()?, right.to_float()?)),
        }
    }

    /// How this compares; none where the two cannot be compared.
    pub(crate) fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            (Value::Stamp(left), Value::Stamp(right)) => Some(left.compare(right)),
            _ if self.is_number() || other.is_number() => match self.pair(other)? {
                Pair::Ints(left, right) => Some(left.cmp(&right)),
                Pair::Decimals(left, right) => Some(left.cmp(&right)),
                Pair::Floats(left, right) => left.partial_cmp(&right),
            },
            _ => None,
        }
    }

    /// Whether both are the same; none where one is not there.
    pub(crate) fn equals(&self, other: &Value<'_>) -> Option<bool> {
        match (self, other) {
            _ if self.is_absent() || other.is_absent() => None,
            (Value::List(left), Value::List(right)) => Some(
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| left.equals(right) == Some(true)),
            ),
            (Value::Struct(left), Value::Struct(right)) => {
                let (left, right) = (sorted(left), sorted(right));
                let is_same = |((name, value), (other, found)): (&&Member<'_>, &&Member<'_>)| {
                    name == other && value.equals(found) == Some(true)
                };
                Some(left.len() == right.len() && left.iter().zip(&right).all(is_same))
            }
            _ => Some(self.compare(other) == Some(Ordering::Equal)),
        }
    }

    /// The text of a scalar, as CSV shows it and CAST makes it.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match self {
            Value::Missing | Value::Null => Cow::Borrowed(""),
            Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Value::Int(value) => Cow::Owned(value.to_string()),
            Value::Float(value) => Cow::Owned(float(*value)),
            Value::Decimal(value) => Cow::Owned(value.to_string()),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Stamp(stamp) => Cow::Owned(stamp.to_string()),
            Value::List(_) | Value::Struct(_) => {
                let mut json = Vec::new();
                self.write_json(&mut json);
                Cow::Owned(String::from_utf8_lossy(&json).into_owned())
            }
        }
    }

    /// Writes the value as JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Missing | Value::Null => out.extend_from_slice(b"null"),
            Value::Text(text) => json_text(text, out),
            Value::Stamp(stamp) => json_text(&stamp.to_string(), out),
            Value::List(list) => {
                out.push(b'[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write_json(out);
                }
                out.push(b']');
            }
            Value::Struct(members) => {
                out.push(b'{');
                let there = members.iter().filter(|(_, value)| *value != Value::Missing);
                for (index, (name, value)) in there.enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    json_text(name, out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
            other => out.extend_from_slice(other.shown().as_bytes()),
        }
    }
}

/// A name and its value.
type Member<'a> = (Cow<'a, str>, Value<'a>);

/// The members of a structure in the order of their names.
fn sorted<'v, 'a>(members: &'v [Member<'a>]) -> Vec<&'v Member<'a>> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    sorted
}

/// A float as short as it can be read back; what is no number is shown as null, which JSON can carry.
fn float(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "null".to_owned(),
        _ if value == 0.0 || (1e-7..1e21).contains(&value.abs()) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}

fn json_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if c < ' ' => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// The operators on numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// Works an operator off. What is not there makes the result null; what is no number is an error.
pub(crate) fn arithmetic(
    operator: Arithmetic,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<Value<'static>, Error> {
    use Arithmetic::{Add, Divide, Modulo, Multiply, Subtract};
    if left.is_absent() || right.is_absent() {
        return Ok(Value::Null);
    }
    let overflow = Error::overflow;
    let by_zero =
        || Error::new("EvaluatorInvalidArguments", "Division by zero in the SQL expression.");
    match left.pair(right).ok_or_else(Error::wrong_argument)? {
        Pair::Ints(_, 0) if matches!(operator, Divide | Modulo) => Err(by_zero()),
        Pair::Ints(left, right) => match operator {
            Add => left.checked_add(right),
            Subtract => left.checked_sub(right),
            Multiply => left.checked_mul(right),
            Divide => left.checked_div(right),
            Modulo => left.checked_rem(right),
        }
        .map(Value::Int)
        .ok_or_else(overflow),
        Pair::Decimals(_, right) if right.is_zero() && matches!(operator, Divide | Modulo) => {
            Err(by_zero())
        }
        Pair::Decimals(left, right) => match operator {
            Add => left.checked_add(right),
            Subtract => left.checked_sub(right),
            Multiply => left.checked_mul(right),
            Divide => left.checked_div(right).map(|quotient| quotient.normalize()),
            Modulo => left.checked_rem(right),
        }
        .map(Value::Decimal)
        .ok_or_else(overflow),
        Pair::Floats(left, right) => Ok(Value::Float(match operator {
            Add => left + right,
            Subtract => left - right,
            Multiply => left * right,
            Divide => left / right,
            Modulo => left % right,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Value<'static> {
        Value::number(text).expect("a number")
    }

    #[test]
    fn numbers_stay_exact() {
        for text in ["0", "-7", "9223372036854775807", "1.10", "12345678901234567890.123", "1e-10"]
        {
            let shown = number(text).shown().into_owned();
            assert_eq!(shown, if text == "1e-10" { "0.0000000001" } else { text });
        }
        assert_eq!(number("1e300").shown(), "1e300");
        assert_eq!(Value::number("x"), None);
        assert_eq!(Value::number("infinity"), None);
        assert_eq!(Value::number(""), None);
        assert_eq!(Value::number("1e999"), None);
    }

    #[test]
    fn kinds_of_numbers_meet() {
        assert_eq!(number("1").compare(&number("1.0")), Some(Ordering::Equal));
        assert_eq!(Value::text("10").compare(&number("9")), Some(Ordering::Greater));
        assert_eq!(Value::text("10").compare(&Value::text("9")), Some(Ordering::Less));
        assert_eq!(Value::text("x").compare(&number("9")), None);
        let divided = |left, right| arithmetic(Arithmetic::Divide, &number(left), &number(right));
        assert_eq!(divided("7", "2"), Ok(Value::Int(3)));
        assert_eq!(divided("7.0", "2").map(|v| v.shown().into_owned()), Ok("3.5".to_owned()));
        assert!(divided("7", "0").is_err());
        assert_eq!(
            arithmetic(Arithmetic::Add, &Value::Int(i64::MAX), &Value::Int(1)),
            Err(Error::overflow())
        );
    }
}
