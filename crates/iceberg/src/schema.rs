//! Schemas: fields with ids, and Iceberg's JSON of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{Extra, Result, invalid};

/// How deep types nest at most.
const MAX_DEPTH: usize = 32;
/// How many fields a schema has at most, those of nested types included.
const MAX_FIELDS: usize = 10_000;

/// What a field's values are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub enum Kind {
    /// A truth.
    Boolean,
    /// An integer of 32 bits.
    Int,
    /// An integer of 64 bits.
    Long,
    /// A number of 32 bits.
    Float,
    /// A number of 64 bits.
    Double,
    /// A decimal number.
    Decimal {
        /// How many digits it has.
        precision: u32,
        /// How many of them are after the point.
        scale: u32,
    },
    /// A day, counted from 1970.
    Date,
    /// A time of day in microseconds.
    Time,
    /// A point in time without a zone, in microseconds since 1970.
    Timestamp,
    /// A point in time, in microseconds since 1970 in UTC.
    Timestamptz,
    /// A text.
    String,
    /// A UUID.
    Uuid,
    /// So many bytes.
    Fixed(u32),
    /// Bytes.
    Binary,
    /// A type that only version 3 of the format has, by its name.
    Later(String),
    /// A list.
    List(Box<List>),
    /// A map.
    Map(Box<MapOf>),
    /// Fields of its own.
    Struct(Vec<Field>),
}

/// The elements of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "list", rename_all = "kebab-case")]
pub struct List {
    /// The id of the elements.
    pub element_id: i32,
    /// What they are.
    pub element: Kind,
    /// Whether none of them is null.
    pub element_required: bool,
}

/// The keys and values of a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "map", rename_all = "kebab-case")]
pub struct MapOf {
    /// The id of the keys.
    pub key_id: i32,
    /// What they are.
    pub key: Kind,
    /// The id of the values.
    pub value_id: i32,
    /// What they are.
    pub value: Kind,
    /// Whether none of them is null.
    pub value_required: bool,
}

/// A field of a schema or of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its id, which no other field of the table has or had.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Whether every row has a value.
    pub required: bool,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub other: Extra,
}

/// A schema of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "struct", rename_all = "kebab-case")]
pub struct Schema {
    /// Its number among the table's schemas.
    #[serde(default)]
    pub schema_id: i32,
    /// The fields that make a row one of its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier_field_ids: Vec<i32>,
    /// Its fields.
    pub fields: Vec<Field>,
}

impl Field {
    /// A field that every row has.
    pub fn required(id: i32, name: &str, kind: Kind) -> Field {
        Field { required: true, ..Field::optional(id, name, kind) }
    }

    /// A field that may be null.
    pub fn optional(id: i32, name: &str, kind: Kind) -> Field {
        let other = Extra::new();
        Field { id, name: name.to_owned(), required: false, kind, doc: None, other }
    }

    /// The field with an explanation.
    pub fn with_doc(mut self, doc: &str) -> Field {
        self.doc = Some(doc.to_owned());
        self
    }
}

impl Kind {
    /// A map from texts to texts.
    pub fn texts_by_text(key_id: i32, value_id: i32) -> Kind {
        let (key, value) = (Kind::String, Kind::String);
        Kind::Map(Box::new(MapOf { key_id, key, value_id, value, value_required: false }))
    }

    /// Whether it has no parts.
    pub fn is_primitive(&self) -> bool {
        !matches!(self, Kind::List(_) | Kind::Map(_) | Kind::Struct(_))
    }

    /// A primitive type by its name.
    pub fn parse(text: &str) -> Result<Kind> {
        let kind = match text {
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "date" => Kind::Date,
            "time" => Kind::Time,
            "timestamp" => Kind::Timestamp,
            "timestamptz" => Kind::Timestamptz,
            "string" => Kind::String,
            "uuid" => Kind::Uuid,
            "binary" => Kind::Binary,
            "timestamp_ns" | "timestamptz_ns" | "unknown" | "variant" => {
                Kind::Later(text.to_owned())
            }
            _ if text.starts_with("geometry") || text.starts_with("geography") => {
                Kind::Later(text.to_owned())
            }
            _ => return sized(text),
        };
        Ok(kind)
    }

    /// The types within, with their ids.
    fn parts(&self) -> Vec<(i32, &Kind)> {
        match self {
            Kind::List(list) => vec![(list.element_id, &list.element)],
            Kind::Map(map) => vec![(map.key_id, &map.key), (map.value_id, &map.value)],
            Kind::Struct(fields) => fields.iter().map(|field| (field.id, &field.kind)).collect(),
            _ => Vec::new(),
        }
    }
}

/// `fixed[16]` and `decimal(9,2)`.
fn sized(text: &str) -> Result<Kind> {
    let unknown = || invalid(format!("Cannot parse type string to primitive: {text}"));
    let within = |prefix, suffix| text.strip_prefix(prefix)?.strip_suffix(suffix);
    if let Some(length) = within("fixed[", "]") {
        return match length.trim().parse() {
            Ok(length) if length <= 1 << 20 => Ok(Kind::Fixed(length)),
            _ => unknown(),
        };
    }
    let Some((precision, scale)) = within("decimal(", ")").and_then(|of| of.split_once(',')) else {
        return unknown();
    };
    match (precision.trim().parse(), scale.trim().parse()) {
        (Ok(precision), Ok(scale)) if (1..=38).contains(&precision) && scale <= precision => {
            Ok(Kind::Decimal { precision, scale })
        }
        _ => unknown(),
    }
}

impl TryFrom<Json> for Kind {
    type Error = String;

    fn try_from(json: Json) -> std::result::Result<Kind, String> {
        if let Json::String(text) = &json {
            return Kind::parse(text).map_err(|error| error.to_string());
        }
        let parse = |error: serde_json::Error| error.to_string();
        match json.get("type").and_then(Json::as_str) {
            Some("list") => Ok(Kind::List(serde_json::from_value(json).map_err(parse)?)),
            Some("map") => Ok(Kind::Map(serde_json::from_value(json).map_err(parse)?)),
            Some("struct") => {
                let fields = json.get("fields").cloned().unwrap_or_default();
                Ok(Kind::Struct(serde_json::from_value(fields).map_err(parse)?))
            }
            _ => Err(format!("Cannot parse type from json: {json}")),
        }
    }
}

impl From<Kind> for Json {
    fn from(kind: Kind) -> Json {
        let name = match kind {
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Timestamp => "timestamp",
            Kind::Timestamptz => "timestamptz",
            Kind::String => "string",
            Kind::Uuid => "uuid",
            Kind::Binary => "binary",
            Kind::Later(name) => return json!(name),
            Kind::Fixed(length) => return json!(format!("fixed[{length}]")),
            Kind::Decimal { precision, scale } => {
                return json!(format!("decimal({precision}, {scale})"));
            }
            Kind::List(list) => return json!(list),
            Kind::Map(map) => return json!(map),
            Kind::Struct(fields) => return json!({"type": "struct", "fields": fields}),
        };
        json!(name)
    }
}

impl Schema {
    /// A schema of these fields, whose ids are as they are.
    pub fn new(fields: Vec<Field>) -> Schema {
        Schema { schema_id: 0, identifier_field_ids: Vec::new(), fields }
    }

    /// From Iceberg's JSON.
    pub fn from_json(json: Json) -> Result<Schema> {
        let schema: Schema = match serde_json::from_value(json) {
            Ok(schema) => schema,
            Err(error) => return invalid(format!("Invalid schema: {error}")),
        };
        schema.check()?;
        Ok(schema)
    }

    /// As Iceberg's JSON.
    pub fn to_json(&self) -> Json {
        json!(self)
    }

    /// The highest id of a field; 0 if there is none.
    pub fn highest_id(&self) -> i32 {
        self.flat().into_iter().map(|(id, _)| id).max().unwrap_or(0)
    }

    /// What the field of an id holds, wherever it lies.
    pub fn kind_of(&self, id: i32) -> Option<&Kind> {
        self.flat().into_iter().find(|(each, _)| *each == id).map(|(_, kind)| kind)
    }

    /// The field of the uppermost level with a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether another schema is the same but for its number.
    pub fn is_same(&self, other: &Schema) -> bool {
        self.fields == other.fields && self.identifier_field_ids == other.identifier_field_ids
    }

    /// Refuses ids and names that are used twice, types that nest too deep, and too many fields.
    pub fn check(&self) -> Result<()> {
        check_fields(&self.fields, 1)?;
        let flat = self.flat();
        if flat.len() > MAX_FIELDS {
            return invalid(format!("Invalid schema: more than {MAX_FIELDS} fields"));
        }
        let mut ids: Vec<i32> = flat.into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return invalid(format!("Invalid schema: multiple fields for id {}", pair[0]));
        }
        if let Some(id) = self.identifier_field_ids.iter().find(|id| !ids.contains(id)) {
            return invalid(format!("Cannot add fieldId {id} as an identifier field"));
        }
        Ok(())
    }

    /// The schema with ids of its own from 1 on: those of a level first, then those within.
    pub fn with_fresh_ids(self) -> Schema {
        self.renumbered().0
    }

    /// The schema with fresh ids, and which id became which.
    pub(crate) fn renumbered(mut self) -> (Schema, BTreeMap<i32, i32>) {
        let mut last = 0;
        let mut renamed = BTreeMap::new();
        refresh(&mut self.fields, &mut last, &mut renamed);
        for id in &mut self.identifier_field_ids {
            *id = renamed.get(id).copied().unwrap_or(*id);
        }
        (self, renamed)
    }

    /// A type that only version 3 of the format has.
    pub(crate) fn later(&self) -> Option<&str> {
        self.flat().into_iter().find_map(|(_, kind)| match kind {
            Kind::Later(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The ids and types of all levels.
    fn flat(&self) -> Vec<(i32, &Kind)> {
        let mut flat: Vec<_> = self.fields.iter().map(|field| (field.id, &field.kind)).collect();
        let mut at = 0;
        while let Some((_, kind)) = flat.get(at) {
            let parts = kind.parts();
            flat.extend(parts);
            at += 1;
        }
        flat
    }
}

fn check_fields(fields: &[Field], depth: usize) -> Result<()> {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return invalid(format!("Invalid schema: multiple fields for name {}", pair[0]));
    }
    if names.first().is_some_and(|name| name.is_empty()) {
        return invalid("Invalid schema: a field without a name");
    }
    fields.iter().try_for_each(|field| check_kind(&field.kind, depth))
}

fn check_kind(kind: &Kind, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return invalid(format!("Invalid schema: types nest deeper than {MAX_DEPTH}"));
    }
    match kind {
        Kind::Struct(fields) => check_fields(fields, depth + 1),
        Kind::List(list) => check_kind(&list.element, depth + 1),
        Kind::Map(map) => {
            check_kind(&map.key, depth + 1)?;
            check_kind(&map.value, depth + 1)
        }
        _ => Ok(()),
    }
}

fn refresh(fields: &mut [Field], last: &mut i32, renamed: &mut BTreeMap<i32, i32>) {
    for field in &mut *fields {
        *last += 1;
        renamed.insert(field.id, *last);
        field.id = *last;
    }
    fields.iter_mut().for_each(|field| refresh_kind(&mut field.kind, last, renamed));
}

fn refresh_kind(kind: &mut Kind, last: &mut i32, renamed: &mut BTreeMap<i32, i32>) {
    match kind {
        Kind::Struct(fields) => refresh(fields, last, renamed),
        Kind::List(list) => {
            *last += 1;
            renamed.insert(list.element_id, *last);
            list.element_id = *last;
            refresh_kind(&mut list.element, last, renamed);
        }
        Kind::Map(map) => {
            renamed.extend([(map.key_id, *last + 1), (map.value_id, *last + 2)]);
            (map.key_id, map.value_id) = (*last + 1, *last + 2);
            *last += 2;
            refresh_kind(&mut map.key, last, renamed);
            refresh_kind(&mut map.value, last, renamed);
        }
        _ => {}
    }
}
