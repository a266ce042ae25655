//! A part of DynamoDB's model in the form that the generator writes: every kind of type that it emits.

#![allow(dead_code, missing_docs, reason = "each test target uses its own part")]

use std::collections::BTreeMap;

use fogbank_wire::{
    Body, Constraint, Flags, Kind, List, Location, Map, Member, Operation, Protocol, Schema,
    Service, Timestamp,
};

const fn schema(name: &'static str, kind: Kind) -> Schema {
    Schema { name, kind, constraint: Constraint::NONE, sensitive: false }
}

const fn limited(name: &'static str, kind: Kind, constraint: Constraint) -> Schema {
    Schema { name, kind, constraint, sensitive: false }
}

const fn range(min: i64, max: i64) -> Constraint {
    Constraint { min: Some(min), max: Some(max), pattern: None }
}

const fn member(name: &'static str, target: &'static Schema, flags: Flags) -> Member {
    Member {
        name,
        target,
        wire: name,
        query_name: "",
        location: Location::Body,
        flags,
        timestamp_format: None,
        xml_namespace: "",
    }
}

const fn list(member: &'static Schema) -> Kind {
    Kind::List(List { member, wire: "member", flattened: false, sparse: false })
}

const fn map(value: &'static Schema) -> Kind {
    Kind::Map(Map {
        key: &ATTRIBUTE_NAME,
        value,
        key_wire: "key",
        value_wire: "value",
        flattened: false,
        sparse: false,
    })
}

static STRING: Schema = schema("String", Kind::String);
static NUMBER: Schema = schema("NumberAttributeValue", Kind::String);
static BLOB: Schema = schema("BinaryAttributeValue", Kind::Blob);
static BOOLEAN: Schema = schema("BooleanObject", Kind::Boolean);
static LONG: Schema = schema("Long", Kind::Long);
static DOUBLE: Schema = schema("Double", Kind::Double);
static TIME: Schema = schema("Date", Kind::Timestamp(None));
static LIMIT: Schema = limited("Limit", Kind::Integer, range(1, 100));
static SECRET: Schema = Schema {
    name: "Secret",
    kind: Kind::String,
    constraint: Constraint { min: Some(3), max: None, pattern: Some(("[a-z]+", "[a-z]+")) },
    sensitive: true,
};
static TABLE_NAME: Schema = limited(
    "TableName",
    Kind::String,
    Constraint {
        min: Some(3),
        max: Some(255),
        pattern: Some(("[a-zA-Z0-9_.-]+", "[a-zA-Z0-9_.-]+")),
    },
);
static ATTRIBUTE_NAME: Schema = limited("AttributeName", Kind::String, range(1, 16));
static TAG_KEY: Schema = limited("TagKey", Kind::String, range(1, 8));
static TAG_KEYS: Schema = limited("TagKeys", list(&TAG_KEY), range(1, 3));
static STRINGS: Schema = schema("StringSet", list(&STRING));
static VALUES: Schema = schema("ListAttributeValue", list(&ATTRIBUTE_VALUE));
static ITEM: Schema = schema("PutItemInputAttributeMap", map(&ATTRIBUTE_VALUE));
static RETURN_VALUE: Schema = schema("ReturnValue", Kind::Enum(ReturnValue::NAMES));
static RETURN_VALUES: Schema = schema("ReturnValues", list(&RETURN_VALUE));
static TAG: Schema = schema(
    "Tag",
    Kind::Structure(&[
        member("Key", &TAG_KEY, Flags::REQUIRED),
        member("Value", &STRING, Flags::NONE),
    ]),
);
static TAGS: Schema = schema("Tags", list(&TAG));
static ATTRIBUTE_VALUE: Schema = schema(
    "AttributeValue",
    Kind::Union(&[
        member("S", &STRING, Flags::NONE),
        member("N", &NUMBER, Flags::NONE),
        member("B", &BLOB, Flags::NONE),
        member("SS", &STRINGS, Flags::NONE),
        member("M", &ITEM, Flags::NONE),
        member("L", &VALUES, Flags::NONE),
        member("BOOL", &BOOLEAN, Flags::NONE),
    ]),
);
/// The input's shape.
pub(crate) static PUT_ITEM_INPUT: Schema = schema(
    "PutItemRequest",
    Kind::Structure(&[
        member("TableName", &TABLE_NAME, Flags::REQUIRED),
        member("Item", &ITEM, Flags::REQUIRED),
        member("ReturnValues", &RETURN_VALUE, Flags::NONE),
        member("Wanted", &RETURN_VALUES, Flags::NONE),
        member("Limit", &LIMIT, Flags::NONE),
        member("Size", &LONG, Flags::NONE),
        member("Ratio", &DOUBLE, Flags::NONE),
        member("Since", &TIME, Flags::NONE),
        member("Tags", &TAGS, Flags::NONE),
        member("TagKeys", &TAG_KEYS, Flags::NONE),
        member("Secret", &SECRET, Flags::NONE),
    ]),
);

fogbank_wire::enumeration! {
    ReturnValue { None = "NONE", AllOld = "ALL_OLD", AllNew = "ALL_NEW" }
}

fogbank_wire::union! {
    AttributeValue, ATTRIBUTE_VALUE, {
        0 => S(String),
        1 => N(String),
        2 => B(bytes::Bytes),
        3 => Ss(Vec<String>),
        4 => M(BTreeMap<String, AttributeValue>),
        5 => L(Vec<AttributeValue>),
        6 => Bool(bool),
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

fogbank_wire::structure!(Tag, TAG, { 0 => key, 1 => value });

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PutItemInput {
    pub(crate) table_name: String,
    pub(crate) item: BTreeMap<String, AttributeValue>,
    pub(crate) return_values: Option<ReturnValue>,
    pub(crate) wanted: Option<Vec<ReturnValue>>,
    pub(crate) limit: Option<i32>,
    pub(crate) size: Option<i64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) tags: Option<Vec<Tag>>,
    pub(crate) tag_keys: Option<Vec<String>>,
    pub(crate) secret: Option<String>,
}

fogbank_wire::structure!(PutItemInput, PUT_ITEM_INPUT, {
    0 => table_name, 1 => item, 2 => return_values, 3 => wanted, 4 => limit, 5 => size, 6 => ratio,
    7 => since, 8 => tags, 9 => tag_keys, 10 => secret,
});

/// The operation; its output is of the input's shape.
pub(crate) static PUT_ITEM: Operation = Operation {
    name: "PutItem",
    method: "POST",
    uri: "/",
    status: 200,
    input: &PUT_ITEM_INPUT,
    output: &PUT_ITEM_INPUT,
    result_wrapper: "PutItemResult",
    input_root: "",
    output_root: "",
    errors: &[],
    unsigned: false,
    checksum_required: false,
};

/// The service.
pub(crate) static DYNAMODB: Service = Service {
    name: "dynamodb",
    sdk_id: "DynamoDB",
    signing_name: "dynamodb",
    endpoint_prefix: "dynamodb",
    target_prefix: "DynamoDB_20120810",
    service_shape: "DynamoDB_20120810",
    api_version: "2012-08-10",
    namespace: "com.amazonaws.dynamodb",
    xml_namespace: "",
    protocols: &[Protocol::AwsJson1_0],
    query_compatible: false,
    operations: &[],
    errors: &[],
};

/// Decodes `body` as an input of [`PUT_ITEM`].
pub(crate) fn decode(
    protocol: Protocol,
    style: &fogbank_wire::Style,
    body: impl Into<Body>,
) -> Result<PutItemInput, fogbank_wire::Rejection> {
    let headers = http::HeaderMap::new();
    let request = fogbank_wire::Request {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        headers: &headers,
        labels: &[],
    };
    let mut input = PutItemInput::default();
    fogbank_wire::decode(protocol, &DYNAMODB, &PUT_ITEM, style, &request, body.into(), &mut input)?;
    Ok(input)
}
