//! Filter policies: reading them, and AWS's words for what is wrong with them.
//!
//! AWS adds to some of these words where in the text the fault lies; that part is left out.

use std::net::IpAddr;

use serde_json::{Map, Value};

/// Combinations of values that a policy may describe.
const MAX_COMBINATIONS: usize = 150;
/// Keys that a policy may have at its top.
const MAX_KEYS: usize = 5;
/// How deep a policy may be nested; AWS's limit is not known, ours spares the stack.
const MAX_DEPTH: usize = 32;

/// A filter policy: alternatives, of which one must hold. An empty policy lets everything pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) alternatives: Vec<Conditions>,
}

/// Conditions that must all hold: for the value at a path, one of the rules. Paths are joined by dots,
/// for AWS does not tell `{"a.b": 1}` from `{"a": {"b": 1}}`.
pub(crate) type Conditions = Vec<(String, Vec<Rule>)>;

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Text, a truth value or null.
    Equals(Value),
    /// A number.
    Number(f64),
    Prefix(String),
    Suffix(String),
    EqualsIgnoreCase(String),
    AnythingBut(Vec<Value>),
    AnythingButPrefix(String),
    Exists(bool),
    /// Comparisons that must all hold.
    Numeric(Vec<(Comparison, f64)>),
    /// A network and the bits of it that count.
    Cidr(IpAddr, u32),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why a policy is refused; the text follows `Invalid parameter: ` or the like.
pub(crate) type Refusal = String;

fn refuse<T>(text: impl std::fmt::Display) -> Result<T, Refusal> {
    Err(format!("FilterPolicy: {text}"))
}

impl Filter {
    /// Reads a policy; `of_body`: whether its scope is the message's body, where it may be nested.
    pub(crate) fn parse(text: &str, of_body: bool) -> Result<Filter, Refusal> {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return refuse("failed to parse JSON.");
        };
        let Value::Object(map) = value else {
            return refuse("Filter is not an object");
        };
        if map.len() > MAX_KEYS {
            return refuse(format!("Filter policy can not have more than {MAX_KEYS} keys"));
        }
        let reader = Reader { of_body };
        if reader.combinations(&map, 1, 1)? > MAX_COMBINATIONS {
            return refuse("Filter policy is too complex");
        }
        let alternatives = reader.alternatives(&map, "", vec![Vec::new()])?;
        Ok(Filter { alternatives })
    }
}

struct Reader {
    of_body: bool,
}

/// The members of `$or`, if it is the operator and not a key of that name.
fn branches<'v>(key: &str, value: &'v Value) -> Option<Vec<&'v Map<String, Value>>> {
    let members = value.as_array().filter(|members| key == "$or" && members.len() > 1)?;
    members.iter().map(Value::as_object).collect()
}

impl Reader {
    /// Multiplies the numbers of values, each as often as its key is deep; `$or` adds.
    fn combinations(
        &self,
        map: &Map<String, Value>,
        depth: usize,
        so_far: usize,
    ) -> Result<usize, Refusal> {
        if depth > 1 && !self.of_body {
            return Err(
                "Filter policy scope MessageAttributes does not support nested filter policy"
                    .into(),
            );
        }
        if depth > MAX_DEPTH {
            return refuse("Filter policy is too complex");
        }
        let mut total = so_far;
        for (key, value) in map {
            total = match (branches(key, value), value) {
                (Some(members), _) => {
                    let mut sum: usize = 0;
                    for member in members {
                        sum = sum.saturating_add(self.combinations(member, depth, total)?);
                    }
                    sum
                }
                (None, Value::Object(below)) => self.combinations(below, depth + 1, total)?,
                (None, Value::Array(values)) if values.is_empty() => {
                    return refuse("Empty arrays are not allowed");
                }
                (None, Value::Array(values)) => {
                    total.saturating_mul(values.len()).saturating_mul(depth)
                }
                _ => return refuse(format!("\"{key}\" must be an object or an array")),
            };
        }
        Ok(total)
    }

    fn alternatives(
        &self,
        map: &Map<String, Value>,
        path: &str,
        mut known: Vec<Conditions>,
    ) -> Result<Vec<Conditions>, Refusal> {
        for (key, value) in map {
            if let Some(members) = branches(key, value) {
                let mut all = Vec::new();
                for member in members {
                    all.extend(self.alternatives(member, path, known.clone())?);
                }
                known = all;
                continue;
            }
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                Value::Object(below) => known = self.alternatives(below, &path, known)?,
                value => {
                    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    let rules: Vec<Rule> = values.iter().map(rule).collect::<Result<_, _>>()?;
                    for conditions in &mut known {
                        conditions.push((path.clone(), rules.clone()));
                    }
                }
            }
        }
        Ok(known)
    }
}

fn rule(value: &Value) -> Result<Rule, Refusal> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(Rule::Equals(value.clone())),
        Value::Number(number) => Ok(Rule::Number(number.as_f64().unwrap_or(f64::NAN))),
        Value::Array(_) => refuse("Match value must be String, number, true, false, or null"),
        Value::Object(map) => {
            let mut members = map.iter();
            match (members.next(), members.next()) {
                (Some((operator, operand)), None) => operation(operator, operand),
                _ => refuse("Only one key allowed in match expression"),
            }
        }
    }
}

fn operation(operator: &str, operand: &Value) -> Result<Rule, Refusal> {
    match operator {
        "prefix" => text(operator, operand).map(Rule::Prefix),
        "suffix" => text(operator, operand).map(Rule::Suffix),
        "equals-ignore-case" => text(operator, operand).map(Rule::EqualsIgnoreCase),
        "anything-but" => anything_but(operand),
        "exists" => match operand {
            Value::Bool(exists) => Ok(Rule::Exists(*exists)),
            _ => refuse("exists match pattern must be either true or false."),
        },
        "numeric" => numeric(operand.as_array().map(Vec::as_slice).unwrap_or_default()),
        // Observed: AWS speaks of a prefix here.
        "cidr" => text("prefix", operand).and_then(|text| cidr(&text)),
        _ => refuse(format!("Unrecognized match type {operator}")),
    }
}

fn text(operator: &str, operand: &Value) -> Result<String, Refusal> {
    match operand {
        Value::String(text) => Ok(text.clone()),
        _ => refuse(format!("{operator} match pattern must be a string")),
    }
}

fn anything_but(operand: &Value) -> Result<Rule, Refusal> {
    match operand {
        Value::Object(map) => match map.iter().find(|(name, _)| *name != "prefix") {
            Some((other, _)) => refuse(format!("Unsupported anything-but pattern: {other}")),
            None => {
                let prefix = map.get("prefix").unwrap_or(&Value::Null);
                text("prefix", prefix).map(Rule::AnythingButPrefix)
            }
        },
        Value::Array(values)
            if values.iter().all(|value| !value.is_object() && !value.is_array()) =>
        {
            Ok(Rule::AnythingBut(values.clone()))
        }
        Value::Array(_) => refuse("Inside anything but list, start|null|boolean is not supported."),
        value => Ok(Rule::AnythingBut(vec![value.clone()])),
    }
}

fn comparison(text: &str) -> Option<Comparison> {
    Some(match text {
        "=" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn operand(operator: &str, value: Option<&Value>) -> Result<f64, Refusal> {
    let name = if operator == "=" { "equals" } else { operator };
    let number = value.and_then(Value::as_f64);
    number.ok_or_else(|| format!("FilterPolicy: Value of {name} must be numeric"))
}

/// Reads `["=", n]`, or a lower and perhaps an upper bound.
fn numeric(terms: &[Value]) -> Result<Rule, Refusal> {
    let Some(first) = terms.first() else {
        return refuse("Invalid member in numeric match: ]");
    };
    let Some(operator) = first.as_str() else {
        return refuse(format!("Invalid member in numeric match: {first}"));
    };
    let Some(lower) = comparison(operator) else {
        return refuse(format!("Unrecognized numeric range operator: {operator}"));
    };
    let low = operand(operator, terms.get(1))?;
    let Some(second) = terms.get(2) else {
        return Ok(Rule::Numeric(vec![(lower, low)]));
    };
    if !matches!(lower, Comparison::Greater | Comparison::GreaterOrEqual) {
        return refuse("Too many elements in numeric expression");
    }
    let Some(operator) = second.as_str() else {
        return refuse(format!("Bad value in numeric range: {second}"));
    };
    let upper = match comparison(operator) {
        Some(upper @ (Comparison::Less | Comparison::LessOrEqual)) => upper,
        _ => return refuse(format!("Bad numeric range operator: {operator}")),
    };
    let high = operand(operator, terms.get(3))?;
    if high <= low {
        return refuse("Bottom must be less than top");
    }
    if terms.len() > 4 {
        return refuse("Too many terms in numeric range expression");
    }
    Ok(Rule::Numeric(vec![(lower, low), (upper, high)]))
}

fn cidr(text: &str) -> Result<Rule, Refusal> {
    let Some((address, bits)) = text.split_once('/').filter(|(_, bits)| !bits.contains('/')) else {
        return refuse("Malformed CIDR, one '/' required");
    };
    let Ok(bits) = bits.parse::<u32>() else {
        return refuse("Malformed CIDR, mask bits must be an integer");
    };
    let parsed: Option<IpAddr> = address.parse().ok();
    match parsed.filter(|address| bits <= if address.is_ipv4() { 32 } else { 128 }) {
        Some(address) => Ok(Rule::Cidr(address, bits)),
        None => refuse(format!("Nonstandard IP address: {address}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        Filter::parse(text, true).map_or_else(|refusal| refusal, |_| "fine".to_owned())
    }

    /// Policies, and what AWS said of them.
    #[test]
    fn faults_are_named_in_aws_words() {
        for (policy, expected) in [
            (r#"{"key":[["value"]]}"#, "Match value must be String, number, true, false, or null"),
            (r#"{"key":[{"wrong-operator":true}]}"#, "Unrecognized match type wrong-operator"),
            (
                r#"{"key":[{"suffix":"value","prefix":"value2"}]}"#,
                "Only one key allowed in match expression",
            ),
            (r#"{"key":[]}"#, "Empty arrays are not allowed"),
            (r#"{"key":[{"suffix":100}]}"#, "suffix match pattern must be a string"),
            (r#"{"key":[{"suffix":null}]}"#, "suffix match pattern must be a string"),
            (r#"{"key":{"suffix":"value"}}"#, "\"suffix\" must be an object or an array"),
            (r#"{"key":[{"cidr":["bad-filter"]}]}"#, "prefix match pattern must be a string"),
            (r#"{"key":[{"cidr":"bad-filter"}]}"#, "Malformed CIDR, one '/' required"),
            (r#"{"key":[{"cidr":"bad-filter/64"}]}"#, "Nonstandard IP address: bad-filter"),
            (
                r#"{"key":[{"cidr":"bad-/64filter"}]}"#,
                "Malformed CIDR, mask bits must be an integer",
            ),
            (r#"{"key":[{"numeric":[]}]}"#, "Invalid member in numeric match: ]"),
            (
                r#"{"key":[{"numeric":["operator"]}]}"#,
                "Unrecognized numeric range operator: operator",
            ),
            (r#"{"key":[{"numeric":[1,"<="]}]}"#, "Invalid member in numeric match: 1"),
            (r#"{"key":[{"numeric":["=","000"]}]}"#, "Value of equals must be numeric"),
            (r#"{"key":[{"numeric":[">="]}]}"#, "Value of >= must be numeric"),
            (
                r#"{"key":[{"numeric":["<",100,">",10]}]}"#,
                "Too many elements in numeric expression",
            ),
            (r#"{"key":[{"numeric":[">=",1,">",2]}]}"#, "Bad numeric range operator: >"),
            (r#"{"key":[{"numeric":[">",3,"<",1]}]}"#, "Bottom must be less than top"),
            (r#"{"key":[{"numeric":[">",20,"<="]}]}"#, "Value of <= must be numeric"),
            (r#"{"key":[{"numeric":[">",20,30]}]}"#, "Bad value in numeric range: 30"),
            (r#"{"key":[{"numeric":[">",20,"test"]}]}"#, "Bad numeric range operator: test"),
            (
                r#"{"key":[{"numeric":[">",20,"<",30,"<",50]}]}"#,
                "Too many terms in numeric range expression",
            ),
            (r#"{"key":[{"exists":null}]}"#, "exists match pattern must be either true or false."),
            (
                r#"{"key":[{"anything-but":{"suffix":"test"}}]}"#,
                "Unsupported anything-but pattern: suffix",
            ),
            (
                r#"{"key":[{"anything-but":{"prefix":false}}]}"#,
                "prefix match pattern must be a string",
            ),
            (
                r#"{"1":[1],"2":[1],"3":[1],"4":[1],"5":[1],"6":[1]}"#,
                "Filter policy can not have more than 5 keys",
            ),
        ] {
            assert_eq!(why(policy), format!("FilterPolicy: {expected}"), "{policy}");
        }
    }

    fn values(count: usize) -> Value {
        (0..count).map(|number| Value::from(format!("value{number}"))).collect()
    }

    #[test]
    fn combinations_are_counted_as_aws_does() {
        let complex = "FilterPolicy: Filter policy is too complex";
        let check = |policy: Value| why(&policy.to_string());
        assert_eq!(check(serde_json::json!({"key": values(150)})), "fine");
        assert_eq!(check(serde_json::json!({"key": values(151)})), complex);
        let nested = serde_json::json!({
            "a": {"b": {"c": values(4)}}, "d": {"e": values(3)}, "f": values(3),
        });
        assert_eq!(check(nested), complex, "3 × 4 × 2 × 3 × 3 = 216");
        let or = |spaces: usize| {
            serde_json::json!({
                "source": values(3),
                "$or": [
                    {"metricName": values(6)},
                    {"metricType": values(4), "$or": [{"a": values(4)}, {"b": values(spaces)}]},
                ],
            })
        };
        assert_eq!(check(or(7)), "fine", "18 + 48 + 84 = 150");
        assert_eq!(check(or(8)), complex);
    }

    #[test]
    fn attributes_do_not_nest() {
        let refusal =
            Filter::parse(r#"{"object":{"key":[{"prefix":"auto-"}]}}"#, false).unwrap_err();
        assert_eq!(
            refusal,
            "Filter policy scope MessageAttributes does not support nested filter policy"
        );
        assert!(Filter::parse("[1]", false).is_err());
        assert_eq!(Filter::parse("{}", false).unwrap().alternatives, [Vec::new()]);
    }
}
