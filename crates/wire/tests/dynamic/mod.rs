//! Models that are read at run time: schemas from a model's JSON, and one type that holds any shape.

#![allow(dead_code, reason = "each test target uses its own part")]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_wire::{
    Body, Constraint, Document, EnumValue, Flags, Item, Kind, List, ListValue, Location, Map,
    MapValue, Member, Operation, OperationName, Protocol, Schema, Service, Slot, Struct, Timestamp,
    TimestampFormat, UnionValue, Value,
};
use serde_json::Value as Json;

/// How often a shape may contain itself; `Schema` cannot be built in a circle at run time.
const RECURSION: usize = 5;

/// A value of any shape.
#[derive(Debug)]
pub(crate) struct Any {
    schema: &'static Schema,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Absent,
    Text(String),
    Enum(&'static str),
    Integer(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Boolean(bool),
    Blob(Bytes),
    Timestamp(Timestamp),
    Document(Document),
    Body(Body),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Struct(Vec<Any>),
    Union(Option<(usize, Box<Any>)>),
}

impl Any {
    /// An absent value.
    pub(crate) fn absent(schema: &'static Schema) -> Any {
        Any { schema, data: Data::Absent }
    }

    /// A present and empty value.
    pub(crate) fn empty(schema: &'static Schema) -> Any {
        let mut value = Any::absent(schema);
        value.open();
        value
    }

    fn open(&mut self) {
        if !matches!(self.data, Data::Absent) {
            return;
        }
        self.data = match &self.schema.kind {
            Kind::String => Data::Text(String::new()),
            Kind::Enum(names) => Data::Enum(names.first().copied().unwrap_or("")),
            Kind::Integer => Data::Integer(0),
            Kind::Long => Data::Long(0),
            Kind::Float => Data::Float(0.0),
            Kind::Double => Data::Double(0.0),
            Kind::Boolean => Data::Boolean(false),
            Kind::Blob => Data::Blob(Bytes::new()),
            Kind::Timestamp(_) => Data::Timestamp(Timestamp::default()),
            Kind::Document => Data::Document(Json::Null),
            Kind::Body => Data::Body(Body::empty()),
            Kind::List(_) => Data::List(Vec::new()),
            Kind::Map(_) => Data::Map(BTreeMap::new()),
            Kind::Structure(members) => {
                Data::Struct(members.iter().map(|member| Any::absent(member.target)).collect())
            }
            Kind::Union(_) => Data::Union(None),
        };
    }

    /// A value from parameters as botocore takes them: times in seconds, blobs as plain text.
    pub(crate) fn from_params(schema: &'static Schema, json: &Json) -> Any {
        let mut value = Any::empty(schema);
        match (&mut value.data, &schema.kind) {
            (Data::Text(text), _) => *text = text_of(json),
            (Data::Enum(name), Kind::Enum(names)) => {
                let text = text_of(json);
                *name = names
                    .iter()
                    .copied()
                    .find(|known| *known == text)
                    .unwrap_or_else(|| Box::leak(text.into_boxed_str()));
            }
            (Data::Integer(number), _) => *number = json.as_i64().unwrap_or_default() as i32,
            (Data::Long(number), _) => *number = json.as_i64().unwrap_or_default(),
            (Data::Float(number), _) => *number = float_of(json) as f32,
            (Data::Double(number), _) => *number = float_of(json),
            (Data::Boolean(flag), _) => *flag = json.as_bool().unwrap_or_default(),
            (Data::Blob(bytes), _) => *bytes = text_of(json).into(),
            (Data::Body(body), _) => *body = text_of(json).into(),
            (Data::Timestamp(time), _) => {
                *time = Timestamp::from_millis((float_of(json) * 1000.0).round() as i64);
            }
            (Data::Document(document), _) => *document = json.clone(),
            (Data::List(list), Kind::List(shape)) => {
                for element in json.as_array().into_iter().flatten() {
                    if !element.is_null() {
                        list.push(Any::from_params(shape.member, element));
                    }
                }
            }
            (Data::Map(map), Kind::Map(shape)) => {
                for (key, element) in json.as_object().into_iter().flatten() {
                    if !element.is_null() {
                        map.insert(key.clone(), Any::from_params(shape.value, element));
                    }
                }
            }
            (Data::Struct(fields), Kind::Structure(members)) => {
                for (field, member) in fields.iter_mut().zip(members.iter()) {
                    match json.get(member.name) {
                        None | Some(Json::Null) => {}
                        Some(given) => *field = Any::from_params(member.target, given),
                    }
                }
            }
            (Data::Union(selected), Kind::Union(members)) => {
                let found = members
                    .iter()
                    .enumerate()
                    .find_map(|(index, member)| Some((index, member, json.get(member.name)?)));
                *selected = found.map(|(index, member, given)| {
                    (index, Box::new(Any::from_params(member.target, given)))
                });
            }
            _ => {}
        }
        value
    }

    /// The value as botocore's parameters; absent members are left out.
    pub(crate) fn to_params(&self) -> Json {
        match (&self.data, &self.schema.kind) {
            (Data::Absent, _) => Json::Null,
            (Data::Text(text), _) => text.as_str().into(),
            (Data::Enum(name), _) => (*name).into(),
            (Data::Integer(number), _) => (*number).into(),
            (Data::Long(number), _) => (*number).into(),
            (Data::Float(number), _) => float(f64::from(*number), &number.to_string()),
            (Data::Double(number), _) => float(*number, &number.to_string()),
            (Data::Boolean(flag), _) => (*flag).into(),
            (Data::Blob(bytes), _) => String::from_utf8_lossy(bytes).into_owned().into(),
            (Data::Body(body), _) => {
                let bytes = body.bytes().cloned().unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned().into()
            }
            (Data::Timestamp(time), _) => (time.millis() as f64 / 1000.0).into(),
            (Data::Document(document), _) => document.clone(),
            (Data::List(list), _) => list.iter().map(Any::to_params).collect(),
            (Data::Map(map), _) => {
                map.iter().map(|(key, value)| (key.clone(), value.to_params())).collect()
            }
            (Data::Struct(fields), Kind::Structure(members)) => members
                .iter()
                .zip(fields)
                .filter(|(_, field)| !matches!(field.data, Data::Absent))
                .map(|(member, field)| (member.name.to_owned(), field.to_params()))
                .collect(),
            (Data::Union(Some((index, value))), Kind::Union(members)) => {
                [(members[*index].name.to_owned(), value.to_params())].into_iter().collect()
            }
            _ => Json::Object(serde_json::Map::new()),
        }
    }
}

fn text_of(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn float_of(json: &Json) -> f64 {
    match json.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => json.as_f64().unwrap_or_default(),
    }
}

fn float(number: f64, text: &str) -> Json {
    if number.is_finite() {
        text.parse::<f64>().map_or(Json::Null, Json::from)
    } else if number.is_nan() {
        "NaN".into()
    } else if number > 0.0 {
        "Infinity".into()
    } else {
        "-Infinity".into()
    }
}

impl Value for Any {
    fn slot(&mut self) -> Slot<'_> {
        self.open();
        match &self.schema.kind {
            Kind::Enum(_) => return Slot::Enum(self),
            Kind::List(_) => return Slot::List(self),
            Kind::Map(_) => return Slot::Map(self),
            Kind::Structure(_) => return Slot::Struct(self),
            Kind::Union(_) => return Slot::Union(self),
            _ => {}
        }
        match &mut self.data {
            Data::Text(value) => Slot::Text(value),
            Data::Integer(value) => Slot::Integer(value),
            Data::Long(value) => Slot::Long(value),
            Data::Float(value) => Slot::Float(value),
            Data::Double(value) => Slot::Double(value),
            Data::Boolean(value) => Slot::Boolean(value),
            Data::Blob(value) => Slot::Blob(value),
            Data::Timestamp(value) => Slot::Timestamp(value),
            Data::Document(value) => Slot::Document(value),
            Data::Body(value) => Slot::Body(value),
            other => unreachable!("{other:?} was handled above"),
        }
    }

    fn item(&self) -> Item<'_> {
        match &self.data {
            Data::Absent => Item::Absent,
            Data::Text(value) => Item::Text(value),
            Data::Enum(value) => Item::Text(value),
            Data::Integer(value) => Item::Integer(*value),
            Data::Long(value) => Item::Long(*value),
            Data::Float(value) => Item::Float(*value),
            Data::Double(value) => Item::Double(*value),
            Data::Boolean(value) => Item::Boolean(*value),
            Data::Blob(value) => Item::Blob(value),
            Data::Timestamp(value) => Item::Timestamp(*value),
            Data::Document(value) => Item::Document(value),
            Data::Body(value) => Item::Body(value),
            Data::List(_) => Item::List(self),
            Data::Map(_) => Item::Map(self),
            Data::Struct(_) => Item::Struct(self),
            Data::Union(_) => Item::Union(self),
        }
    }
}

impl EnumValue for Any {
    fn set(&mut self, name: &str) -> bool {
        let Kind::Enum(names) = self.schema.kind else { return false };
        let found = names.iter().find(|known| **known == name);
        found.map(|name| self.data = Data::Enum(name)).is_some()
    }

    fn name(&self) -> &'static str {
        match self.data {
            Data::Enum(name) => name,
            _ => "",
        }
    }
}

impl ListValue for Any {
    fn len(&self) -> usize {
        match &self.data {
            Data::List(list) => list.len(),
            _ => 0,
        }
    }

    fn clear(&mut self) {
        self.data = Data::List(Vec::new());
    }

    fn push(&mut self) -> &mut dyn Value {
        let (Data::List(list), Kind::List(shape)) = (&mut self.data, &self.schema.kind) else {
            unreachable!("only lists are pushed to");
        };
        list.push(Any::absent(shape.member));
        list.last_mut().expect("an element was just pushed")
    }

    fn at(&self, index: usize) -> &dyn Value {
        match &self.data {
            Data::List(list) => &list[index],
            _ => unreachable!("only lists have elements"),
        }
    }
}

impl MapValue for Any {
    fn len(&self) -> usize {
        match &self.data {
            Data::Map(map) => map.len(),
            _ => 0,
        }
    }

    fn clear(&mut self) {
        self.data = Data::Map(BTreeMap::new());
    }

    fn insert(&mut self, key: String) -> &mut dyn Value {
        let (Data::Map(map), Kind::Map(shape)) = (&mut self.data, &self.schema.kind) else {
            unreachable!("only maps are inserted into");
        };
        map.insert(key.clone(), Any::absent(shape.value));
        map.get_mut(&key).expect("an entry was just inserted")
    }

    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a dyn Value)) {
        if let Data::Map(map) = &self.data {
            map.iter().for_each(|(key, value)| visit(key, value));
        }
    }
}

impl Struct for Any {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn member(&self, index: usize) -> &dyn Value {
        match &self.data {
            Data::Struct(fields) => &fields[index],
            _ => unreachable!("only structures have members"),
        }
    }

    fn member_mut(&mut self, index: usize) -> &mut dyn Value {
        match &mut self.data {
            Data::Struct(fields) => &mut fields[index],
            _ => unreachable!("only structures have members"),
        }
    }
}

impl UnionValue for Any {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn select(&mut self, index: usize) -> &mut dyn Value {
        let (Data::Union(selected), Kind::Union(members)) = (&mut self.data, &self.schema.kind)
        else {
            unreachable!("only unions are selected in");
        };
        let value = Box::new(Any::absent(members[index].target));
        &mut *selected.insert((index, value)).1
    }

    fn selected(&self) -> Option<(usize, &dyn Value)> {
        match &self.data {
            Data::Union(Some((index, value))) => Some((*index, &**value)),
            _ => None,
        }
    }
}

/// Shapes of a model in botocore's format, turned into schemas that live for ever.
pub(crate) struct Model<'m> {
    shapes: &'m Json,
    empty: &'static Schema,
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn leak_str(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn flag(json: &Json, name: &str) -> bool {
    json.get(name).and_then(Json::as_bool).unwrap_or_default()
}

fn word<'j>(json: &'j Json, name: &str) -> Option<&'j str> {
    json.get(name).and_then(Json::as_str)
}

fn format_of(json: &Json) -> Option<TimestampFormat> {
    Some(match word(json, "timestampFormat")? {
        "iso8601" => TimestampFormat::DateTime,
        "rfc822" => TimestampFormat::HttpDate,
        _ => TimestampFormat::EpochSeconds,
    })
}

fn constraint(shape: &Json) -> Constraint {
    let limit = |name: &str| shape.get(name).and_then(Json::as_i64);
    let pattern = word(shape, "pattern").map(|text| (leak_str(text), leak_str(text)));
    Constraint { min: limit("min"), max: limit("max"), pattern }
}

impl<'m> Model<'m> {
    /// The model with these shapes.
    pub(crate) fn new(shapes: &'m Json) -> Model<'m> {
        let empty = leak(Schema {
            name: "Unit",
            kind: Kind::Structure(&[]),
            constraint: Constraint::NONE,
            sensitive: false,
        });
        Model { shapes, empty }
    }

    /// The schema of the shape that `reference` names; without one, the empty structure.
    pub(crate) fn schema(&self, reference: Option<&Json>) -> &'static Schema {
        let name = reference.and_then(|reference| word(reference, "shape"));
        name.map_or(self.empty, |name| self.shape(name, &mut Vec::new()))
    }

    /// An operation's input or output, on whose reference old models put the payload.
    fn message(&self, reference: Option<&Json>) -> &'static Schema {
        let schema = self.schema(reference);
        let payload = reference.and_then(|reference| word(reference, "payload"));
        let (Some(payload), Kind::Structure(members)) = (payload, &schema.kind) else {
            return schema;
        };
        let members = members.iter().map(|member| {
            let location = if member.name == payload { Location::Payload } else { member.location };
            Member { location, ..*member }
        });
        let kind = Kind::Structure(members.collect::<Vec<_>>().leak());
        leak(Schema { kind, ..*schema })
    }

    fn shape(&self, name: &str, within: &mut Vec<String>) -> &'static Schema {
        if within.iter().filter(|known| *known == name).count() > RECURSION {
            return self.empty;
        }
        let shape = &self.shapes[name];
        within.push(name.to_owned());
        let kind = self.kind(shape, within);
        within.pop();
        leak(Schema {
            name: leak_str(name),
            kind,
            constraint: constraint(shape),
            sensitive: flag(shape, "sensitive"),
        })
    }

    fn kind(&self, shape: &Json, within: &mut Vec<String>) -> Kind {
        if flag(shape, "document") {
            return Kind::Document;
        }
        match word(shape, "type").unwrap_or_default() {
            "string" | "character" => match shape.get("enum").and_then(Json::as_array) {
                Some(names) => {
                    let names = names.iter().filter_map(Json::as_str).map(leak_str);
                    Kind::Enum(names.collect::<Vec<_>>().leak())
                }
                None => Kind::String,
            },
            "integer" | "byte" | "short" => Kind::Integer,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" | "bigdecimal" => Kind::Double,
            "boolean" => Kind::Boolean,
            "blob" if flag(shape, "streaming") => Kind::Body,
            "blob" => Kind::Blob,
            "timestamp" => Kind::Timestamp(format_of(shape)),
            "list" => {
                let member = &shape["member"];
                Kind::List(List {
                    member: self.shape(word(member, "shape").unwrap_or_default(), within),
                    wire: leak_str(word(member, "locationName").unwrap_or("member")),
                    flattened: flag(shape, "flattened"),
                    sparse: flag(shape, "sparse"),
                })
            }
            "map" => {
                let (key, value) = (&shape["key"], &shape["value"]);
                Kind::Map(Map {
                    key: self.shape(word(key, "shape").unwrap_or_default(), within),
                    value: self.shape(word(value, "shape").unwrap_or_default(), within),
                    key_wire: leak_str(word(key, "locationName").unwrap_or("key")),
                    value_wire: leak_str(word(value, "locationName").unwrap_or("value")),
                    flattened: flag(shape, "flattened"),
                    sparse: flag(shape, "sparse"),
                })
            }
            _ if flag(shape, "union") => Kind::Union(self.members(shape, within)),
            _ => Kind::Structure(self.members(shape, within)),
        }
    }

    fn members(&self, shape: &Json, within: &mut Vec<String>) -> &'static [Member] {
        let required = shape.get("required").and_then(Json::as_array);
        let payload = word(shape, "payload");
        let members = shape.get("members").and_then(Json::as_object).into_iter().flatten();
        let members = members.map(|(name, reference)| {
            let target_name = word(reference, "shape").unwrap_or_default();
            let target = self.shape(target_name, within);
            // Old models put bindings on the target shape.
            let own = &self.shapes[target_name];
            let bound = own.get("location").is_some() || own["type"] != "structure";
            let find = |key: &str| reference.get(key).or_else(|| own.get(key).filter(|_| bound));
            let mut flags = Flags::NONE;
            let mut mark = |given: bool, mark: Flags| {
                if given {
                    flags = flags.and(mark);
                }
            };
            let named = |list: &Vec<Json>| list.iter().any(|known| known == name);
            mark(required.is_some_and(named), Flags::REQUIRED);
            mark(flag(reference, "xmlAttribute"), Flags::XML_ATTRIBUTE);
            mark(flag(reference, "jsonvalue"), Flags::JSON_VALUE);
            mark(flag(reference, "flattened"), Flags::FLATTENED);
            mark(flag(own, "eventstream"), Flags::EVENT_STREAM);
            let is_map = matches!(target.kind, Kind::Map(_));
            let location = match find("location").and_then(Json::as_str) {
                Some("uri") => Location::Path,
                Some("querystring") if is_map => Location::QueryParams,
                Some("querystring") => Location::Query,
                Some("header") => Location::Header,
                Some("headers") => Location::PrefixHeaders,
                Some("statusCode") => Location::StatusCode,
                _ if payload == Some(name) => Location::Payload,
                _ => Location::Body,
            };
            let wire = find("locationName").and_then(Json::as_str).unwrap_or(name);
            let wire = if location == Location::PrefixHeaders && find("locationName").is_none() {
                ""
            } else {
                wire
            };
            let namespace = find("xmlNamespace").map(|given| given.get("uri").unwrap_or(given));
            Member {
                name: leak_str(name),
                target,
                wire: leak_str(wire),
                query_name: leak_str(word(reference, "queryName").unwrap_or("")),
                location,
                flags,
                timestamp_format: format_of(reference),
                xml_namespace: leak_str(namespace.and_then(Json::as_str).unwrap_or("")),
            }
        });
        members.collect::<Vec<_>>().leak()
    }

    /// An operation and a service that has no other, from a test case's `given`.
    pub(crate) fn operation(&self, given: &Json) -> (&'static Operation, &'static Service) {
        let name = leak_str(word(given, "name").unwrap_or("OperationName"));
        let http = &given["http"];
        let method = leak_str(word(http, "method").unwrap_or("POST"));
        let uri = leak_str(word(http, "requestUri").unwrap_or("/"));
        let output = self.message(given.get("output"));
        let wrapper = given.get("output").and_then(|output| word(output, "resultWrapper"));
        let own = given.get("output").and_then(|output| word(output, "shape"));
        let own = own.and_then(|name| word(&self.shapes[name], "resultWrapper"));
        let root = given.get("output").and_then(|output| word(output, "shape"));
        let root = root.and_then(|name| word(&self.shapes[name], "locationName"));
        let operation = Operation {
            name,
            method,
            uri,
            status: http.get("responseCode").and_then(Json::as_u64).unwrap_or(200) as u16,
            input: self.message(given.get("input")),
            output,
            result_wrapper: leak_str(wrapper.or(own).unwrap_or("")),
            input_root: "",
            output_root: leak_str(root.unwrap_or("")),
            errors: &[],
            unsigned: false,
            checksum_required: false,
        };
        let service = Service {
            name: "test",
            sdk_id: "Test",
            signing_name: "test",
            endpoint_prefix: "test",
            target_prefix: "Test",
            service_shape: "Test",
            api_version: "2026-11-20",
            namespace: "com.amazonaws.test",
            xml_namespace: "https://example.com/",
            protocols: &[],
            query_compatible: false,
            operations: leak([OperationName { name, method, uri }]),
            errors: &[],
        };
        (leak(operation), leak(service))
    }
}

/// The protocol that a model's metadata names.
pub(crate) fn protocol(metadata: &Json) -> Option<Protocol> {
    Some(match word(metadata, "protocol")? {
        "json" if word(metadata, "jsonVersion") == Some("1.0") => Protocol::AwsJson1_0,
        "json" => Protocol::AwsJson1_1,
        "query" => Protocol::AwsQuery,
        "ec2" => Protocol::Ec2Query,
        "rest-json" => Protocol::RestJson1,
        "rest-xml" => Protocol::RestXml,
        "smithy-rpc-v2-cbor" => Protocol::RpcV2Cbor,
        _ => return None,
    })
}

/// Bytes from base64.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}
