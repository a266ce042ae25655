//! botocore's service models, as far as the generator reads them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// A service's model.
#[derive(Deserialize)]
pub(crate) struct Model {
    /// What holds for the whole service.
    pub(crate) metadata: Metadata,
    /// The operations by name.
    pub(crate) operations: BTreeMap<String, Operation>,
    /// The shapes by name.
    pub(crate) shapes: BTreeMap<String, Shape>,
}

/// What holds for the whole service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) endpoint_prefix: String,
    pub(crate) signing_name: Option<String>,
    pub(crate) service_id: String,
    pub(crate) protocol: String,
    #[serde(default)]
    pub(crate) protocols: Vec<String>,
    pub(crate) json_version: Option<String>,
    pub(crate) target_prefix: Option<String>,
    pub(crate) xml_namespace: Option<String>,
    pub(crate) aws_query_compatible: Option<IgnoredAny>,
}

/// An operation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) http: Http,
    pub(crate) input: Option<Reference>,
    pub(crate) output: Option<Reference>,
    #[serde(default)]
    pub(crate) errors: Vec<Reference>,
    pub(crate) authtype: Option<String>,
    #[serde(default)]
    pub(crate) auth: Vec<String>,
    #[serde(default)]
    pub(crate) http_checksum: Checksum,
    #[serde(default)]
    pub(crate) http_checksum_required: bool,
}

/// An operation's HTTP binding.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
    pub(crate) response_code: Option<u16>,
}

/// What an operation says of checksums.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Checksum {
    pub(crate) request_checksum_required: bool,
}

/// A shape.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The members by name; [`Shape::order`] holds their order.
    pub(crate) members: BTreeMap<String, Reference>,
    /// The members' names in the model's order.
    #[serde(skip)]
    pub(crate) order: Vec<String>,
    pub(crate) required: Vec<String>,
    pub(crate) payload: Option<String>,
    pub(crate) union: bool,
    pub(crate) document: bool,
    pub(crate) eventstream: bool,
    pub(crate) exception: bool,
    pub(crate) fault: bool,
    pub(crate) error: Option<ErrorTraits>,
    pub(crate) member: Option<Reference>,
    pub(crate) key: Option<Reference>,
    pub(crate) value: Option<Reference>,
    pub(crate) flattened: bool,
    pub(crate) sparse: bool,
    pub(crate) location_name: Option<String>,
    pub(crate) xml_namespace: Option<Namespace>,
    #[serde(rename = "enum")]
    pub(crate) values: Vec<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) sensitive: bool,
    pub(crate) streaming: bool,
    pub(crate) timestamp_format: Option<String>,
}

/// A use of a shape.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Reference {
    pub(crate) shape: String,
    pub(crate) location: Option<String>,
    pub(crate) location_name: Option<String>,
    pub(crate) query_name: Option<String>,
    pub(crate) result_wrapper: Option<String>,
    pub(crate) xml_namespace: Option<Namespace>,
    pub(crate) flattened: bool,
    pub(crate) xml_attribute: bool,
    pub(crate) idempotency_token: bool,
    pub(crate) jsonvalue: bool,
    pub(crate) host_label: bool,
    pub(crate) streaming: bool,
    pub(crate) timestamp_format: Option<String>,
}

/// The namespace of an element.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Namespace {
    pub(crate) uri: String,
}

/// What the model says of an exception on the wire.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ErrorTraits {
    pub(crate) code: Option<String>,
    pub(crate) http_status_code: Option<u16>,
    pub(crate) sender_fault: bool,
}

impl Model {
    /// Reads a `service-2.json` after `patch` has changed it.
    pub(crate) fn read(
        bytes: &[u8],
        patch: impl FnOnce(&mut Value) -> Result<()>,
    ) -> Result<Model> {
        let orders: Orders = serde_json::from_slice(bytes)?;
        let mut value: Value = serde_json::from_slice(bytes)?;
        patch(&mut value)?;
        let mut model: Model = serde_json::from_value(value)?;
        for (name, shape) in &mut model.shapes {
            let known = orders.shapes.get(name).map_or(&[][..], |shape| &shape.members.0);
            shape.order =
                known.iter().filter(|m| shape.members.contains_key(*m)).cloned().collect();
            let added = shape.members.keys().filter(|member| !known.contains(member));
            shape.order.extend(added.cloned());
        }
        Ok(model)
    }
}

impl Shape {
    /// The members in the model's order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Reference)> {
        self.order.iter().map(|name| (name.as_str(), &self.members[name]))
    }

    /// Whether the shape's members are structures' or unions'.
    pub(crate) fn is_structure(&self) -> bool {
        self.kind == "structure" && !self.document && !self.eventstream
    }
}

/// The order of every structure's members, which JSON objects in memory forget.
#[derive(Deserialize)]
struct Orders {
    shapes: BTreeMap<String, Order>,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    members: Keys,
}

/// The keys of an object, in order.
#[derive(Default)]
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
            keys.push(key);
        }
        Ok(Keys(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_the_models_order_and_patched_ones_follow() {
        let json = br#"{
            "metadata": {"apiVersion": "1", "endpointPrefix": "x", "serviceId": "X", "protocol": "json"},
            "operations": {},
            "shapes": {"S": {"type": "structure", "members": {"B": {"shape": "T"}, "A": {"shape": "T"}}}}
        }"#;
        let model = Model::read(json, |value| {
            value["shapes"]["S"]["members"]["0"] = serde_json::json!({"shape": "T"});
            Ok(())
        })
        .unwrap();
        let names: Vec<_> = model.shapes["S"].members().map(|(name, _)| name).collect();
        assert_eq!(names, ["B", "A", "0"]);
    }
}
