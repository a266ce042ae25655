//! The schema with which a file was written, as far as its bytes depend on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::{Result, invalid};

/// How deep schemas nest at most.
const MAX_DEPTH: usize = 64;
/// How many types with names a schema has at most.
const MAX_NAMES: usize = 1000;

/// What bytes mean.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum,
    Array(Arc<Shape>),
    Map(Arc<Shape>),
    Union(Arc<[Shape]>),
    Record(Arc<Fields>),
}

/// The fields of a record with their ids in Iceberg.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Vec<(Option<i32>, Shape)>);

impl Shape {
    /// Takes a schema's JSON.
    pub(super) fn parse(json: &[u8]) -> Result<Shape> {
        match serde_json::from_slice(json) {
            Ok(json) => shape(&json, &mut BTreeMap::new(), 0),
            Err(error) => invalid(format!("Invalid Avro schema: {error}")),
        }
    }
}

/// `named` holds the types that have names, which are defined once and may be used again; none of them within itself.
fn shape(json: &Json, named: &mut BTreeMap<String, Shape>, depth: usize) -> Result<Shape> {
    if depth > MAX_DEPTH {
        return invalid("Invalid Avro schema: it nests too deep");
    }
    let object = match json {
        Json::String(name) => return primitive(name, named),
        Json::Array(each) => {
            let each = each.iter().map(|each| shape(each, named, depth + 1));
            return Ok(Shape::Union(each.collect::<Result<Vec<_>>>()?.into()));
        }
        Json::Object(object) => object,
        _ => return invalid("Invalid Avro schema: neither a name, a list nor an object"),
    };
    let within = |key: &str, named: &mut BTreeMap<String, Shape>| match object.get(key) {
        Some(json) => shape(json, named, depth + 1),
        None => invalid(format!("Invalid Avro schema: it lacks {key}")),
    };
    let made = match object.get("type") {
        Some(Json::String(name)) => match name.as_str() {
            "array" => return Ok(Shape::Array(Arc::new(within("items", named)?))),
            "map" => return Ok(Shape::Map(Arc::new(within("values", named)?))),
            "record" | "error" => {
                Shape::Record(Arc::new(fields(object.get("fields"), named, depth)?))
            }
            "enum" => Shape::Enum,
            "fixed" => match object.get("size").and_then(Json::as_u64) {
                Some(size) if size <= 1 << 20 => Shape::Fixed(size as usize),
                _ => return invalid("Invalid Avro schema: a fixed type of no good size"),
            },
            name => return primitive(name, named),
        },
        Some(json) => return shape(json, named, depth + 1),
        None => return invalid("Invalid Avro schema: it lacks type"),
    };
    // Types that name each other make chains as long as there are names.
    if named.len() > MAX_NAMES {
        return invalid("Invalid Avro schema: too many types with names");
    }
    if let Some(name) = object.get("name").and_then(Json::as_str) {
        named.insert(name.to_owned(), made.clone());
    }
    Ok(made)
}

fn fields(
    json: Option<&Json>,
    named: &mut BTreeMap<String, Shape>,
    depth: usize,
) -> Result<Fields> {
    let Some(Json::Array(each)) = json else {
        return invalid("Invalid Avro schema: a record without fields");
    };
    let field = |field: &Json| {
        let id = field.get("field-id").and_then(Json::as_i64).and_then(|id| id.try_into().ok());
        match field.get("type") {
            Some(json) => Ok((id, shape(json, named, depth + 1)?)),
            None => invalid("Invalid Avro schema: a field without a type"),
        }
    };
    Ok(Fields(each.iter().map(field).collect::<Result<_>>()?))
}

fn primitive(name: &str, named: &BTreeMap<String, Shape>) -> Result<Shape> {
    let shape = match name {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" => Shape::Int,
        "long" => Shape::Long,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" => Shape::Bytes,
        "string" => Shape::String,
        name => match named.get(name) {
            Some(shape) => shape.clone(),
            None => return invalid(format!("Invalid Avro schema: unknown type {name}")),
        },
    };
    Ok(shape)
}
