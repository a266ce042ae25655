//! Legacy parameters: AWS's errors, and that they mean what their expressions mean.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{item, value};
use crate::expressions::{
    AttributeUpdate, ComparisonOperator, ConditionalOperator, ExpectedAttribute, LegacyCondition,
    UpdateAction, attribute_updates, attributes_to_get, expected, filter, key_conditions,
};
use crate::keys::{KeyAttribute, KeySchema, SortCondition};
use crate::value::{AttributeType, AttributeValue};

fn values(json: &Value) -> Vec<AttributeValue> {
    json.as_array().unwrap().iter().map(|json| value(json.clone())).collect()
}

fn operator(name: &str) -> ComparisonOperator {
    ComparisonOperator::from_name(name).unwrap()
}

/// One condition on `a`.
fn condition(name: &str, list: Value) -> BTreeMap<String, LegacyCondition> {
    let condition = LegacyCondition { operator: operator(name), values: values(&list) };
    [("a".to_owned(), condition)].into()
}

fn expect(json: Value) -> BTreeMap<String, ExpectedAttribute> {
    let members = json.as_object().unwrap().iter();
    members
        .map(|(name, json)| {
            let attribute = ExpectedAttribute {
                value: json.get("Value").map(|json| value(json.clone())),
                exists: json.get("Exists").and_then(Value::as_bool),
                operator: json.get("ComparisonOperator").and_then(Value::as_str).map(operator),
                values: json.get("AttributeValueList").map(values),
            };
            (name.clone(), attribute)
        })
        .collect()
}

#[test]
fn conditions_refuse_what_aws_refuses() {
    let invalid = |detail: &str| format!("One or more parameter values were invalid: {detail}");
    let count = |name: &str| {
        invalid(&format!("Invalid number of argument(s) for the {name} ComparisonOperator"))
    };
    let types = |name: &str, kind: &str| {
        invalid(&format!("ComparisonOperator {name} is not valid for {kind} AttributeValue type"))
    };
    let mut cases = vec![
        ("IN", json!([]), count("IN")),
        ("NULL", json!([{"S": "a"}]), count("NULL")),
        ("NOT_NULL", json!([{"S": "a"}]), count("NOT_NULL")),
        ("BETWEEN", json!([{"S": "a"}]), count("BETWEEN")),
        ("BETWEEN", json!([{"S": "a"}, {"S": "a"}, {"S": "a"}]), count("BETWEEN")),
        ("IN", json!([{"S": "b"}, {"N": "1"}]), invalid("AttributeValues inside AttributeValueList must be of same type")),
        ("BETWEEN", json!([{"S": "b"}, {"S": "a"}]), "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound".to_owned()),
        ("BETWEEN", json!([{"L": []}, {"L": []}]), types("BETWEEN", "L")),
        ("BEGINS_WITH", json!([{"N": "1"}]), types("BEGINS_WITH", "N")),
        ("CONTAINS", json!([{"SS": ["a"]}]), types("CONTAINS", "SS")),
        ("NOT_CONTAINS", json!([{"M": {}}]), types("NOT_CONTAINS", "M")),
    ];
    for name in ["EQ", "NE", "LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH"] {
        cases.push((name, json!([]), count(name)));
        cases.push((name, json!([{"S": "a"}, {"S": "a"}]), count(name)));
    }
    for name in ["LT", "LE", "GT", "GE", "IN"] {
        cases.push((name, json!([{"BOOL": true}]), types(name, "BOOL")));
        cases.push((name, json!([{"NS": ["1"]}]), types(name, "NS")));
    }
    for (name, list, wanted) in cases {
        let filter = filter(&condition(name, list.clone()), None).unwrap_err();
        assert_eq!(filter.message, wanted, "{name} {list}");
        assert_eq!(key_conditions(&condition(name, list)).unwrap_err().message, wanted);
    }
    assert_eq!(ComparisonOperator::from_name("eq"), None);
}

#[test]
fn expectations_refuse_what_aws_refuses() {
    let cases = [
        (
            json!({"Value": {"S": "a"}, "AttributeValueList": []}),
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            json!({"ComparisonOperator": "EQ", "Exists": true}),
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            json!({"ComparisonOperator": "EQ"}),
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            json!({"ComparisonOperator": "NULL", "Value": {"S": "a"}}),
            "Invalid number of argument(s) for the NULL ComparisonOperator",
        ),
        (
            json!({"AttributeValueList": []}),
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (json!({}), "Value must be provided when Exists is null for Attribute: a"),
        (json!({"Exists": true}), "Value must be provided when Exists is true for Attribute: a"),
        (
            json!({"Exists": false, "Value": {"S": "a"}}),
            "Value cannot be used when Exists is false for Attribute: a",
        ),
    ];
    for (given, wanted) in cases {
        let message = expected(&expect(json!({"a": given})), None).unwrap_err().message;
        assert_eq!(message, format!("One or more parameter values were invalid: {wanted}"));
    }
    let or = Some(ConditionalOperator::Or);
    assert_eq!(
        expected(&BTreeMap::new(), or).unwrap_err().message,
        "ConditionalOperator cannot be used without Filter or Expected"
    );
    assert_eq!(
        expected(&expect(json!({"a": {"Exists": false}})), or).unwrap_err().message,
        "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    );
}

#[test]
fn conditions_hold_as_on_aws() {
    let item = item(json!({"a": {"N": "5"}, "s": {"S": "hello"}, "ss": {"SS": ["x"]}}));
    let cases = [
        ("a", "EQ", json!([{"N": "5.0"}]), true),
        ("a", "NE", json!([{"N": "5"}]), false),
        ("none", "NE", json!([{"N": "5"}]), true),
        ("a", "LE", json!([{"N": "5"}]), true),
        ("a", "LT", json!([{"N": "5"}]), false),
        ("a", "GE", json!([{"N": "4"}]), true),
        ("a", "GT", json!([{"S": "4"}]), false),
        ("a", "BETWEEN", json!([{"N": "1"}, {"N": "5"}]), true),
        ("a", "IN", json!([{"N": "1"}, {"N": "5"}]), true),
        ("a", "NULL", json!([]), false),
        ("none", "NULL", json!([]), true),
        ("a", "NOT_NULL", json!([]), true),
        ("s", "BEGINS_WITH", json!([{"S": "he"}]), true),
        ("s", "CONTAINS", json!([{"S": "ell"}]), true),
        ("ss", "CONTAINS", json!([{"S": "x"}]), true),
        ("s", "NOT_CONTAINS", json!([{"S": "ell"}]), false),
        ("s", "NOT_CONTAINS", json!([{"S": "dog"}]), true),
        ("none", "NOT_CONTAINS", json!([{"S": "dog"}]), false),
    ];
    for (name, comparison, list, wanted) in cases {
        let members = json!({name: {"ComparisonOperator": comparison, "AttributeValueList": list}});
        let condition = expected(&expect(members.clone()), None).unwrap().unwrap();
        assert_eq!(condition.holds(&item), wanted, "{members}");
    }
    let two = expect(json!({"a": {"Value": {"N": "5"}}, "s": {"Exists": false}}));
    assert!(!expected(&two, None).unwrap().unwrap().holds(&item));
    assert!(!expected(&two, Some(ConditionalOperator::And)).unwrap().unwrap().holds(&item));
    assert!(expected(&two, Some(ConditionalOperator::Or)).unwrap().unwrap().holds(&item));
    assert_eq!(filter(&BTreeMap::new(), None), Ok(None));
}

#[test]
fn key_conditions_become_ranges() {
    let schema = KeySchema {
        partition: KeyAttribute::new("a", AttributeType::S),
        sort: Some(KeyAttribute::new("b", AttributeType::N)),
    };
    let mut conditions = condition("EQ", json!([{"S": "x"}]));
    let sort = LegacyCondition {
        operator: operator("BETWEEN"),
        values: values(&json!([{"N": "1"}, {"N": "2"}])),
    };
    conditions.insert("b".to_owned(), sort);
    let found = key_conditions(&conditions).unwrap().resolve(&schema).unwrap();
    let number = |text: &str| value(json!({"N": text}));
    assert_eq!(found.sort, Some(SortCondition::Between(number("1"), number("2"))));
    for name in ["NE", "CONTAINS"] {
        let found = key_conditions(&condition(name, json!([{"S": "x"}]))).unwrap().resolve(&schema);
        assert_eq!(
            found.unwrap_err().message,
            "Attempted conditional constraint is not an indexable operation"
        );
    }
    assert_eq!(
        key_conditions(&BTreeMap::new()).unwrap_err().message,
        "Conditions can be of length 1 or 2 only"
    );
}

#[test]
fn attribute_updates_change_items() {
    use UpdateAction::{Add, Delete, Put};
    let update = |action, json: Option<Value>| {
        let update = AttributeUpdate { value: json.map(value), action };
        [("b".to_owned(), update)].into()
    };
    let refused = [
        (Put, None, "Only DELETE action is allowed when no attribute value is specified"),
        (Add, None, "Only DELETE action is allowed when no attribute value is specified"),
        (
            Delete,
            Some(json!({"S": "a"})),
            "DELETE action with value is not supported for the type S",
        ),
        (
            Delete,
            Some(json!({"N": "1"})),
            "DELETE action with value is not supported for the type N",
        ),
        (Add, Some(json!({"S": "a"})), "ADD action is not supported for the type S"),
        (Add, Some(json!({"M": {}})), "ADD action is not supported for the type M"),
    ];
    for (action, given, wanted) in refused {
        let message = attribute_updates(&update(action, given)).unwrap_err().message;
        assert_eq!(message, format!("One or more parameter values were invalid: {wanted}"));
    }
    let applied = |before: Value, action, given: Option<Value>| {
        let update = attribute_updates(&update(action, given)).unwrap();
        update.apply(Some(&item(before)), &item(json!({}))).map_err(|error| error.message)
    };
    let cases = [
        (json!({}), Put, Some(json!({"S": "x"})), json!({"b": {"S": "x"}})),
        (json!({"b": {"S": "x"}}), Delete, None, json!({})),
        (
            json!({"b": {"SS": ["x", "y"]}}),
            Delete,
            Some(json!({"SS": ["x"]})),
            json!({"b": {"SS": ["y"]}}),
        ),
        (json!({"b": {"N": "1"}}), Add, Some(json!({"N": "2"})), json!({"b": {"N": "3"}})),
        (
            json!({"b": {"L": [{"N": "1"}]}}),
            Add,
            Some(json!({"L": [{"N": "2"}]})),
            json!({"b": {"L": [{"N": "1"}, {"N": "2"}]}}),
        ),
    ];
    for (before, action, given, wanted) in cases {
        assert_eq!(applied(before, action, given), Ok(item(wanted)));
    }
    assert_eq!(
        applied(json!({"b": {"SS": ["1"]}}), Add, Some(json!({"NS": ["1"]}))),
        Err("Type mismatch for attribute to update".to_owned())
    );
}

#[test]
fn attributes_to_get_are_projections() {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let projection = attributes_to_get(&names(&["a", "b.c"])).unwrap();
    let whole = item(json!({"a": {"N": "1"}, "b": {"M": {"c": {"N": "1"}}}, "b.c": {"N": "2"}}));
    assert_eq!(projection.apply(&whole), item(json!({"a": {"N": "1"}, "b.c": {"N": "2"}})));
    assert_eq!(
        attributes_to_get(&names(&["a", "b", "a"])).unwrap_err().message,
        "One or more parameter values were invalid: Duplicate value in attribute name: a"
    );
}
