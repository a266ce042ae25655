//! Condition blocks: all operators, `IfExists`, and the set operators `ForAllValues` and `ForAnyValue`.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::context::{Facts, Values};
use crate::matching::{Pattern, Syntax};
use crate::scalar::{Nanoseconds, Network, Number, parse_date};

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Box<str>,
    key: Box<str>,
    quantifier: Quantifier,
    negated: bool,
    if_exists: bool,
    test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    None,
    ForAllValues,
    ForAnyValue,
}

/// The positive form of an operator with its values, one of which must match.
#[derive(Debug, Clone)]
enum Test {
    Text {
        patterns: Box<[Pattern]>,
        fold: bool,
    },
    Arn(Box<[ArnPattern]>),
    Number(Comparison, Box<[Number]>),
    Date(Comparison, Box<[Nanoseconds]>),
    /// Truths, and texts that only a request's values make truths.
    Bool(Box<[bool]>, Box<[Pattern]>),
    Binary(Box<[Box<str>]>),
    Address(Box<[Network]>),
    Null(Box<[bool]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Each of the six fields of an ARN is compared on its own, so that a wildcard cannot run past a colon.
#[derive(Debug, Clone)]
enum ArnPattern {
    Fields(Box<[Pattern; 6]>),
    Whole(Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text { wildcards: bool, fold: bool },
    Arn,
    Number(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    Address,
    Null,
}

/// An operator's name, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator {
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    family: Family,
}

impl Operator {
    /// Reads a name such as `ForAllValues:StringNotLikeIfExists`.
    pub(crate) fn parse(name: &str) -> Option<Operator> {
        let (quantifier, rest) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Quantifier::ForAllValues, rest)
        } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Quantifier::ForAnyValue, rest)
        } else {
            (Quantifier::None, name)
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (negated, family) = family(base)?;
        if family == Family::Null && (if_exists || quantifier != Quantifier::None) {
            return None;
        }
        Some(Operator { quantifier, if_exists, negated, family })
    }

    /// Whether its values are points in time, which IAM checks when a policy is stored.
    pub(crate) fn takes_dates(self) -> bool {
        matches!(self.family, Family::Date(_))
    }
}

fn family(base: &str) -> Option<(bool, Family)> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    const EXACT: Family = Family::Text { wildcards: false, fold: false };
    const FOLDED: Family = Family::Text { wildcards: false, fold: true };
    const LIKE: Family = Family::Text { wildcards: true, fold: false };
    Some(match base {
        "StringEquals" => (false, EXACT),
        "StringNotEquals" => (true, EXACT),
        "StringEqualsIgnoreCase" => (false, FOLDED),
        "StringNotEqualsIgnoreCase" => (true, FOLDED),
        "StringLike" => (false, LIKE),
        "StringNotLike" => (true, LIKE),
        "ArnEquals" | "ArnLike" => (false, Family::Arn),
        "ArnNotEquals" | "ArnNotLike" => (true, Family::Arn),
        "NumericEquals" => (false, Family::Number(Equal)),
        "NumericNotEquals" => (true, Family::Number(Equal)),
        "NumericLessThan" => (false, Family::Number(Less)),
        "NumericLessThanEquals" => (false, Family::Number(LessOrEqual)),
        "NumericGreaterThan" => (false, Family::Number(Greater)),
        "NumericGreaterThanEquals" => (false, Family::Number(GreaterOrEqual)),
        "DateEquals" => (false, Family::Date(Equal)),
        "DateNotEquals" => (true, Family::Date(Equal)),
        "DateLessThan" => (false, Family::Date(Less)),
        "DateLessThanEquals" => (false, Family::Date(LessOrEqual)),
        "DateGreaterThan" => (false, Family::Date(Greater)),
        "DateGreaterThanEquals" => (false, Family::Date(GreaterOrEqual)),
        "Bool" => (false, Family::Bool),
        "BinaryEquals" => (false, Family::Binary),
        "IpAddress" => (false, Family::Address),
        "NotIpAddress" => (true, Family::Address),
        "Null" => (false, Family::Null),
        _ => return None,
    })
}

/// The values of one condition key: a scalar or a list of scalars, as text. `None` if it has another shape.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        value => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Compiles a checked condition block; every condition of it must hold.
pub(crate) fn compile(block: &Map<String, Value>, variables: bool) -> Box<[Condition]> {
    let mut conditions = Vec::new();
    for (name, keys) in block {
        let (Some(operator), Value::Object(keys)) = (Operator::parse(name), keys) else { continue };
        for (key, values) in keys {
            conditions.push(Condition {
                operator: name.as_str().into(),
                key: key.to_lowercase().into(),
                quantifier: operator.quantifier,
                negated: operator.negated,
                if_exists: operator.if_exists,
                test: Test::compile(operator.family, &texts(values).unwrap_or_default(), variables),
            });
        }
    }
    conditions.into()
}

impl Condition {
    /// The operator as written.
    pub(crate) fn operator(&self) -> &str {
        &self.operator
    }

    /// The key in lower case.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the condition is met. Without the key, a positive operator is not met and a negated one is.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let values = facts.values(&self.key);
        if let Test::Null(expected) = &self.test {
            return expected.contains(&values.is_none());
        }
        let Some(values) = values else {
            return match self.quantifier {
                _ if self.if_exists => true,
                Quantifier::None => self.negated,
                Quantifier::ForAllValues => true,
                Quantifier::ForAnyValue => false,
            };
        };
        match self.quantifier {
            // A multivalued key without a set operator is compared value by value, like AWS does; the negated
            // operator is the opposite of the whole.
            Quantifier::None => values.any(|value| self.test.matches(value, facts)) != self.negated,
            Quantifier::ForAllValues => {
                resolves_to_nothing(&values)
                    || values.all(|value| self.test.matches(value, facts) != self.negated)
            }
            Quantifier::ForAnyValue => {
                values.any(|value| self.test.matches(value, facts) != self.negated)
            }
        }
    }
}

/// IAM's documentation: `ForAllValues` also holds if the key "resolves to a null dataset, such as an empty string".
fn resolves_to_nothing(values: &Values<'_>) -> bool {
    values.all(str::is_empty)
}

impl Test {
    fn compile(family: Family, texts: &[String], variables: bool) -> Test {
        // A value that cannot be read matches nothing; IAM stores it all the same.
        match family {
            Family::Text { wildcards, fold } => {
                let syntax = Syntax { wildcards, variables, fold };
                let patterns = texts.iter().map(|text| Pattern::compile(text, syntax)).collect();
                Test::Text { patterns, fold }
            }
            Family::Arn => {
                Test::Arn(texts.iter().map(|text| ArnPattern::compile(text, variables)).collect())
            }
            Family::Number(comparison) => {
                Test::Number(comparison, texts.iter().filter_map(|t| Number::parse(t)).collect())
            }
            Family::Date(comparison) => {
                Test::Date(comparison, texts.iter().filter_map(|t| parse_date(t)).collect())
            }
            Family::Bool => {
                let syntax = Syntax { wildcards: false, variables, fold: true };
                let has_variable = |text: &&String| variables && text.contains("${");
                let patterns = texts.iter().filter(has_variable);
                Test::Bool(
                    texts.iter().filter_map(|text| parse_bool(text)).collect(),
                    patterns.map(|text| Pattern::compile(text, syntax)).collect(),
                )
            }
            Family::Null => Test::Null(texts.iter().filter_map(|t| parse_bool(t)).collect()),
            Family::Binary => {
                Test::Binary(texts.iter().map(|text| unpadded(text).into()).collect())
            }
            Family::Address => {
                Test::Address(texts.iter().filter_map(|t| Network::parse(t)).collect())
            }
        }
    }

    fn matches(&self, value: &str, facts: &Facts<'_>) -> bool {
        match self {
            Test::Text { patterns, fold: true } => {
                let value = value.to_lowercase();
                patterns.iter().any(|pattern| pattern.matches(value.as_bytes(), facts))
            }
            Test::Text { patterns, fold: false } => {
                patterns.iter().any(|pattern| pattern.matches(value.as_bytes(), facts))
            }
            Test::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, facts)),
            Test::Number(comparison, numbers) => Number::parse(value).is_some_and(|value| {
                numbers
                    .iter()
                    .any(|number| value.compare(*number).is_some_and(|o| comparison.holds(o)))
            }),
            Test::Date(comparison, dates) => parse_date(value)
                .is_some_and(|value| dates.iter().any(|date| comparison.holds(value.cmp(date)))),
            Test::Bool(expected, patterns) => parse_bool(value).is_some_and(|truth| {
                let text: &[u8] = if truth { b"true" } else { b"false" };
                expected.contains(&truth)
                    || patterns.iter().any(|pattern| pattern.matches(text, facts))
            }),
            Test::Binary(expected) => expected.iter().any(|text| **text == *unpadded(value)),
            Test::Address(networks) => value
                .parse::<IpAddr>()
                .is_ok_and(|value| networks.iter().any(|network| network.contains(value))),
            Test::Null(_) => false,
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Base64 is canonical but for its padding, so equal texts are equal bytes.
fn unpadded(base64: &str) -> &str {
    base64.trim_end_matches('=')
}

impl ArnPattern {
    fn compile(text: &str, variables: bool) -> ArnPattern {
        let pattern =
            |text, wildcards| Pattern::compile(text, Syntax { wildcards, variables, fold: false });
        match <[&str; 6]>::try_from(arn_fields(text, variables)) {
            Ok(fields) => ArnPattern::Fields(Box::new(fields.map(|field| pattern(field, true)))),
            // A short pattern such as `*` or `arn:aws:s3:*` may leave out the fields that its last star covers; a
            // star inside it must not cover any.
            Err(_) => ArnPattern::Whole(pattern(text, text.ends_with('*'))),
        }
    }

    fn matches(&self, value: &str, facts: &Facts<'_>) -> bool {
        match self {
            ArnPattern::Whole(pattern) => pattern.matches(value.as_bytes(), facts),
            ArnPattern::Fields(patterns) => {
                let mut fields = value.splitn(6, ':');
                patterns.iter().all(|pattern| {
                    fields.next().is_some_and(|field| pattern.matches(field.as_bytes(), facts))
                })
            }
        }
    }
}

/// Splits at the first five colons that do not belong to a policy variable.
fn arn_fields(text: &str, variables: bool) -> Vec<&str> {
    let mut fields = Vec::with_capacity(6);
    let (mut start, mut inside) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if variables && at > 0 && text.as_bytes()[at - 1] == b'$' => inside = true,
            b'}' => inside = false,
            b':' if !inside && fields.len() < 5 => {
                fields.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields
}
