//! Whether a message passes a filter policy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use super::filter::{Comparison, Filter, Rule};
use super::message::Attribute;

/// The values that stand at each path of a message.
type Found<'m> = HashMap<String, Vec<Cow<'m, Value>>>;

impl Filter {
    /// Whether a message with these attributes passes.
    pub(crate) fn passes_attributes(&self, attributes: &[Attribute]) -> bool {
        let found = attributes
            .iter()
            // AWS ignores binary attributes here.
            .filter(|attribute| !attribute.is_binary())
            .map(|attribute| (attribute.name.clone(), values(attribute)))
            .collect();
        self.passes(&found)
    }

    /// Whether a message with this body passes; a body that is no JSON object never does.
    pub(crate) fn passes_body(&self, body: &str) -> bool {
        let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(body) else {
            return false;
        };
        let paths: Vec<&str> = self
            .alternatives
            .iter()
            .flat_map(|conditions| conditions.iter().map(|(path, _)| path.as_str()))
            .collect();
        let mut found = Found::new();
        collect(&value, String::new(), &paths, &mut found);
        self.passes(&found)
    }

    fn passes(&self, found: &Found<'_>) -> bool {
        self.alternatives.iter().any(|conditions| {
            conditions.iter().all(|(path, rules)| {
                let values = found.get(path).map(Vec::as_slice);
                rules.iter().any(|rule| rule.passes(values))
            })
        })
    }
}

/// What an attribute's value means: a number, each element of an array, or text.
fn values(attribute: &Attribute) -> Vec<Cow<'static, Value>> {
    let text = &attribute.value;
    match attribute.data_type.as_str() {
        "String.Array" => match serde_json::from_str(text) {
            Ok(Value::Array(elements)) => elements.into_iter().map(Cow::Owned).collect(),
            _ => Vec::new(),
        },
        data_type if data_type == "Number" || data_type.starts_with("Number.") => {
            text.trim().parse::<f64>().map(|number| Cow::Owned(number.into())).into_iter().collect()
        }
        _ => vec![Cow::Owned(Value::from(text.as_str()))],
    }
}

/// Collects what stands at the paths that the policy names. Elements of an array stand at its path.
fn collect<'m>(value: &'m Value, path: String, wanted: &[&str], found: &mut Found<'m>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if wanted.iter().any(|wanted| wanted.starts_with(&path)) {
                    collect(value, path, wanted, found);
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect(element, path.clone(), wanted, found);
            }
        }
        leaf => found.entry(path).or_default().push(Cow::Borrowed(leaf)),
    }
}

impl Rule {
    /// Whether the values at the rule's path satisfy it; `None`: nothing stands there.
    fn passes(&self, values: Option<&[Cow<'_, Value>]>) -> bool {
        match self {
            Rule::Exists(exists) => *exists == values.is_some(),
            rule => values.unwrap_or_default().iter().any(|value| rule.matches(value)),
        }
    }

    fn matches(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Rule::Equals(wanted) => wanted == value,
            Rule::Number(wanted) => value.as_f64() == Some(*wanted),
            Rule::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
            Rule::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix.as_str())),
            Rule::EqualsIgnoreCase(wanted) => {
                text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase())
            }
            Rule::AnythingBut(refused) => {
                !value.is_null() && !refused.iter().any(|refused| same(refused, value))
            }
            Rule::AnythingButPrefix(prefix) => {
                text.is_some_and(|text| !text.starts_with(prefix.as_str()))
            }
            Rule::Numeric(comparisons) => value.as_f64().is_some_and(|number| {
                comparisons.iter().all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
            Rule::Cidr(network, bits) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| is_within(address, *network, *bits)),
            Rule::Exists(exists) => *exists,
        }
    }
}

/// Whether two values are equal, where 1 equals 1.0.
fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Equal => number == bound,
            Comparison::Less => number < bound,
            Comparison::LessOrEqual => number <= bound,
            Comparison::Greater => number > bound,
            Comparison::GreaterOrEqual => number >= bound,
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |left: u128, right: u128, width: u32| {
        let shift = width.saturating_sub(bits);
        left.checked_shr(shift) == right.checked_shr(shift)
    };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            same(address.to_bits().into(), network.to_bits().into(), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            same(address.to_bits(), network.to_bits(), 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, data_type: &str, value: &str) -> Attribute {
        Attribute { name: name.into(), data_type: data_type.into(), value: value.into() }
    }

    fn by_attributes(policy: &str, attributes: &[Attribute]) -> bool {
        Filter::parse(policy, false).unwrap().passes_attributes(attributes)
    }

    fn by_body(policy: &str, body: &str) -> bool {
        Filter::parse(policy, true).unwrap().passes_body(body)
    }

    #[test]
    fn attributes_are_matched_by_type() {
        let number = |value: &str| [attribute("attr1", "Number", value)];
        let range = r#"{"attr1":[{"numeric":[">",0,"<=",100]}]}"#;
        assert!(by_attributes(range, &number("99.12")));
        assert!(by_attributes(range, &number("100")));
        assert!(!by_attributes(range, &number("0")));
        assert!(!by_attributes(range, &number("111")));
        assert!(!by_attributes(range, &[]));
        assert!(by_attributes(r#"{"attr1":[100]}"#, &number("100.0")));
        assert!(!by_attributes(r#"{"attr1":["100"]}"#, &number("100")));
        let array = [attribute("store", "String.Array", r#"["value1", 2, true]"#)];
        assert!(by_attributes(r#"{"store":["value1"]}"#, &array));
        assert!(by_attributes(r#"{"store":[2]}"#, &array));
        assert!(by_attributes(r#"{"store":[true]}"#, &array));
        assert!(!by_attributes(r#"{"store":["value2"]}"#, &array));
        let binary = [attribute("store", "Binary", "AAAA")];
        assert!(!by_attributes(r#"{"store":[{"exists":true}]}"#, &binary));
    }

    #[test]
    fn operators_match() {
        let text = |value: &str| [attribute("k", "String", value)];
        for (rule, good, bad) in [
            (r#"{"prefix":"auto-"}"#, "auto-1", "1-auto"),
            (r#"{"suffix":"-auto"}"#, "1-auto", "auto-1"),
            (r#"{"equals-ignore-case":"ABC"}"#, "aBc", "ab"),
            (r#"{"anything-but":"x"}"#, "y", "x"),
            (r#"{"anything-but":["x","y"]}"#, "z", "y"),
            (r#"{"anything-but":{"prefix":"test-"}}"#, "a", "test-a"),
            (r#"{"cidr":"10.0.0.0/24"}"#, "10.0.0.255", "10.0.1.0"),
            (r#"{"cidr":"2001:db8:1234:1a00::/64"}"#, "2001:db8:1234:1a00::1", "2001:db8::1"),
            (r#"{"cidr":"0.0.0.0/0"}"#, "1.2.3.4", "::1"),
        ] {
            let policy = format!(r#"{{"k":[{rule}]}}"#);
            assert!(by_attributes(&policy, &text(good)), "{rule} {good}");
            assert!(!by_attributes(&policy, &text(bad)), "{rule} {bad}");
            assert!(!by_attributes(&policy, &[]), "{rule} needs a value");
        }
        assert!(by_attributes(r#"{"k":[{"exists":false}]}"#, &[]));
        assert!(!by_attributes(r#"{"k":[{"exists":false}]}"#, &text("x")));
        assert!(by_attributes(r#"{"k":["a",{"prefix":"b"}]}"#, &text("bc")), "any rule will do");
        let both = r#"{"k":["a"],"l":["b"]}"#;
        assert!(!by_attributes(both, &text("a")), "all keys are needed");
        assert!(by_attributes("{}", &[]));
    }

    #[test]
    fn bodies_are_matched_by_path() {
        assert!(by_body(r#"{"object":{"key":["a"]}}"#, r#"{"object":{"key":"a"}}"#));
        assert!(by_body(r#"{"field1.field2":["v"]}"#, r#"{"field1":{"field2":"v"}}"#));
        assert!(by_body(r#"{"field1":{"field2":["v"]}}"#, r#"{"field1.field2":"v"}"#));
        assert!(by_body(
            r#"{"headers":{"route":[{"prefix":"a"}]}}"#,
            r#"{"headers":{"route":["b","ab"]}}"#
        ));
        assert!(by_body(r#"{"h":[null]}"#, r#"{"h":null}"#));
        assert!(!by_body(r#"{"h":[null]}"#, "{}"));
        assert!(
            by_body(r#"{"r":[{"exists":false}]}"#, r#"{"r":[],"s":1}"#),
            "an empty array is nothing"
        );
        assert!(by_body(r#"{"n":[{"numeric":[">",1]}]}"#, r#"{"n":2}"#));
        assert!(!by_body(r#"{"n":["2"]}"#, r#"{"n":2}"#));
        for body in ["no JSON", "[1]", "\"a\""] {
            assert!(!by_body("{}", body), "{body}");
        }
        let detail = r#"{"detail":{"eventVersion":[""]}}"#;
        assert!(by_body(detail, r#"{"resources":[],"detail":{"eventVersion":"","x":null}}"#));
    }

    #[test]
    fn alternatives_are_tried() {
        let policy = r#"{
            "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}],
            "detail": {"scope": ["Service"], "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Change"]}]}
        }"#;
        for (body, passes) in [
            (
                r#"{"metricName":"CPUUtilization","detail":{"scope":"Service","source":"aws.cloudwatch"}}"#,
                true,
            ),
            (r#"{"namespace":"AWS/EC2","detail":{"scope":"Service","type":"Change"}}"#, true),
            (r#"{"metricName":"AWS/EC2","detail":{"scope":"Service","type":"Change"}}"#, false),
            (r#"{"metricName":"CPUUtilization","detail":{"scope":"Service"}}"#, false),
            (r#"{"metricName":"CPUUtilization","detail":{"type":"Change"}}"#, false),
        ] {
            assert_eq!(by_body(policy, body), passes, "{body}");
        }
    }
}
