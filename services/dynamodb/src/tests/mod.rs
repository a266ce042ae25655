//! Tests of the rules, mostly as tables of data; the messages were recorded from AWS.

mod conditions;
mod encodings;
mod formats;
mod key_conditions;
mod keys;
mod legacy;
mod numbers;
mod projections;
mod robustness;
mod service;
mod updates;
mod values;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::expressions::Placeholders;
use crate::json::{item_from_json, value_from_json};
use crate::value::{AttributeValue, Item};

/// An item in DynamoDB's JSON.
fn item(json: Value) -> Item {
    item_from_json(&json).unwrap()
}

/// An attribute value in DynamoDB's JSON.
fn value(json: Value) -> AttributeValue {
    value_from_json(&json).unwrap()
}

/// Placeholders from `{"#name": "attribute", ":value": {"S": "…"}}`.
fn placeholders(json: Value) -> Placeholders {
    let (mut names, mut values) = (BTreeMap::new(), BTreeMap::new());
    for (key, content) in json.as_object().unwrap() {
        match content.as_str() {
            Some(name) => drop(names.insert(key.clone(), name.to_owned())),
            None => drop(values.insert(key.clone(), value(content.clone()))),
        }
    }
    let present = |is_empty: bool| (!is_empty).then_some(());
    let names = present(names.is_empty()).map(|()| names);
    let values = present(values.is_empty()).map(|()| values);
    Placeholders::new(names, values).unwrap()
}
