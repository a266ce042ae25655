//! Attribute values between the wire's form, which may be wrong, and ours, which cannot be.

use std::collections::BTreeMap;

use crate::expressions::Placeholders;
use crate::invalid::Invalid;
use crate::model;
use crate::value::{AttributeValue, EMPTY_VALUE, Item};

/// Attributes as the wire has them.
pub(crate) type WireItem = BTreeMap<String, model::AttributeValue>;

/// Takes a value from the wire.
pub(crate) fn value(wire: model::AttributeValue) -> Result<AttributeValue, Invalid> {
    use model::AttributeValue as Wire;
    Ok(match wire {
        Wire::S(text) => AttributeValue::S(text),
        Wire::N(text) => AttributeValue::number(&text)?,
        Wire::B(bytes) => AttributeValue::B(bytes.into()),
        Wire::Ss(members) => AttributeValue::string_set(members)?,
        Wire::Ns(members) => AttributeValue::number_set(&members)?,
        Wire::Bs(members) => {
            AttributeValue::binary_set(members.into_iter().map(Vec::from).collect())?
        }
        Wire::M(members) => AttributeValue::M(item(members)?),
        Wire::L(members) => {
            AttributeValue::L(members.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        Wire::Null(flag) => AttributeValue::null(flag)?,
        Wire::Bool(flag) => AttributeValue::Bool(flag),
        Wire::Unset => return Err(Invalid::new(EMPTY_VALUE)),
    })
}

/// Takes attributes from the wire.
pub(crate) fn item(wire: WireItem) -> Result<Item, Invalid> {
    if wire.contains_key("") {
        return Err(Invalid::parameter("Empty attribute name"));
    }
    wire.into_iter().map(|(name, wire)| Ok((name, value(wire)?))).collect()
}

/// Takes values from the wire.
pub(crate) fn values(wire: Vec<model::AttributeValue>) -> Result<Vec<AttributeValue>, Invalid> {
    wire.into_iter().map(value).collect()
}

/// Takes `ExpressionAttributeNames` and `ExpressionAttributeValues`. Their keys are looked at before their values.
pub(crate) fn placeholders(
    names: Option<BTreeMap<String, String>>,
    wire: Option<WireItem>,
) -> Result<Placeholders, Invalid> {
    let Some(wire) = wire else { return Placeholders::new(names, None) };
    let keys: Vec<String> = wire.keys().cloned().collect();
    let taken = wire
        .into_iter()
        .map(|(key, wire)| match value(wire) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(Placeholders::invalid_value(&key, &error)),
        })
        .collect::<Result<BTreeMap<_, _>, Invalid>>();
    match taken {
        Ok(values) => Placeholders::new(names, Some(values)),
        Err(error) => {
            let blanks = keys.into_iter().map(|key| (key, AttributeValue::Null)).collect();
            Placeholders::new(names, Some(blanks))?;
            Err(error)
        }
    }
}

/// Gives attributes to the wire.
pub(crate) fn to_wire(item: Item) -> WireItem {
    item.into_iter().map(|(name, value)| (name, value_to_wire(value))).collect()
}

fn value_to_wire(value: AttributeValue) -> model::AttributeValue {
    use model::AttributeValue as Wire;
    match value {
        AttributeValue::S(text) => Wire::S(text),
        AttributeValue::N(number) => Wire::N(number.to_string()),
        AttributeValue::B(bytes) => Wire::B(bytes.into()),
        AttributeValue::Ss(members) => Wire::Ss(members),
        AttributeValue::Ns(members) => Wire::Ns(members.iter().map(ToString::to_string).collect()),
        AttributeValue::Bs(members) => Wire::Bs(members.into_iter().map(Into::into).collect()),
        AttributeValue::M(members) => Wire::M(to_wire(members)),
        AttributeValue::L(members) => Wire::L(members.into_iter().map(value_to_wire).collect()),
        AttributeValue::Null => Wire::Null(true),
        AttributeValue::Bool(flag) => Wire::Bool(flag),
    }
}
