//! Writes the static schemas: one for every shape that is more than a plain type.

use anyhow::{Context, Result};

use super::literal;
use crate::botocore::{Reference, Shape};
use crate::names;
use crate::pattern;
use crate::plan::Plan;

/// Functions and plain shapes that the schemas are written with.
const TOOLS: &str = include_str!("schema_tools.txt");

/// The names of the plain shapes in the tools.
const PLAIN: &[&str] = &[
    "BLOB",
    "BODY",
    "BOOLEAN",
    "DOCUMENT",
    "DOUBLE",
    "FLOAT",
    "INTEGER",
    "LONG",
    "STRING",
    "TIMESTAMP",
];

/// The schemas of a service.
pub(super) struct Schemas {
    /// `mod schema`.
    pub(super) text: String,
    /// The shapes whose pattern cannot be checked, with the pattern.
    pub(super) unconverted: Vec<(String, String)>,
}

/// The schemas of the plan's shapes.
pub(super) fn emit(plan: &Plan) -> Result<Schemas> {
    let mut schemas = Schemas { text: format!("mod schema {{\n{TOOLS}"), unconverted: Vec::new() };
    for name in &plan.closure {
        if plain(plan, name).is_none() {
            let text = schema(plan, name, &mut schemas.unconverted)?;
            schemas.text.push_str(&text);
        }
    }
    schemas.text.push_str("}\n");
    Ok(schemas)
}

/// The name of the static that describes a shape.
pub(super) fn constant(plan: &Plan, name: &str) -> String {
    if let Some(plain) = plain(plan, name) {
        return plain.to_owned();
    }
    let constant = names::constant(name);
    let taken = PLAIN.contains(&constant.as_str());
    let same = plan
        .closure
        .range(..name.to_owned())
        .filter(|other| names::constant(other) == constant && plain(plan, other).is_none())
        .count();
    match same + usize::from(taken) {
        0 => constant,
        count => format!("{constant}_{}", count + 1),
    }
}

/// The plain shape that says all there is to say of a shape.
fn plain(plan: &Plan, name: &str) -> Option<&'static str> {
    let shape = plan.shape(name);
    let limits = shape.min.is_some() || shape.max.is_some() || shape.pattern.is_some();
    if shape.sensitive || (limits && plan.in_requests(name)) || plan.is_closed_enum(name) {
        return None;
    }
    match shape.kind.as_str() {
        "string" | "character" => Some("STRING"),
        "integer" => Some("INTEGER"),
        "long" => Some("LONG"),
        "float" => Some("FLOAT"),
        "double" => Some("DOUBLE"),
        "boolean" => Some("BOOLEAN"),
        "blob" => Some("BLOB"),
        "timestamp" if shape.timestamp_format.is_none() => Some("TIMESTAMP"),
        "structure" if shape.eventstream => Some("BODY"),
        "structure" if shape.document => Some("DOCUMENT"),
        _ => None,
    }
}

fn schema(plan: &Plan, name: &str, unconverted: &mut Vec<(String, String)>) -> Result<String> {
    let shape = plan.shape(name);
    let kind = kind(plan, name, shape)?;
    let constraint = constraint(plan, name, shape, unconverted);
    let mut value = format!("schema({name:?}, {kind}, {constraint})");
    if shape.sensitive {
        value = format!("sensitive({value})");
    }
    Ok(format!("pub(super) static {}: Schema = {value};\n", constant(plan, name)))
}

fn kind(plan: &Plan, name: &str, shape: &Shape) -> Result<String> {
    Ok(match shape.kind.as_str() {
        "string" | "character" if plan.is_closed_enum(name) => {
            format!("Kind::Enum(super::{}::NAMES)", plan.types[name])
        }
        "string" | "character" => "Kind::String".to_owned(),
        "integer" => "Kind::Integer".to_owned(),
        "long" => "Kind::Long".to_owned(),
        "float" => "Kind::Float".to_owned(),
        "double" => "Kind::Double".to_owned(),
        "boolean" => "Kind::Boolean".to_owned(),
        "blob" => "Kind::Blob".to_owned(),
        "timestamp" => format!("Kind::Timestamp({})", timestamp(&shape.timestamp_format)?),
        "list" => list(plan, name, shape)?,
        "map" => map(plan, name, shape)?,
        "structure" => {
            let variant = if shape.union { "Union" } else { "Structure" };
            let mut text = format!("Kind::{variant}(&[");
            for (member, reference) in shape.members() {
                text.push_str(&self::member(plan, name, member, reference)?);
                text.push(',');
            }
            text + "])"
        }
        other => anyhow::bail!("{name} is of the unknown type {other}"),
    })
}

fn list(plan: &Plan, name: &str, shape: &Shape) -> Result<String> {
    let member = shape.member.as_ref().context("a list has no member")?;
    let query = plan.overlay.query_elements.get(name).and_then(|query| query.member.as_deref());
    let wire = query.or(member.location_name.as_deref()).unwrap_or("member");
    Ok(format!(
        "list(&{}, {wire:?}, {}, {})",
        constant(plan, &member.shape),
        shape.flattened,
        shape.sparse
    ))
}

fn map(plan: &Plan, name: &str, shape: &Shape) -> Result<String> {
    let key = shape.key.as_ref().context("a map has no key")?;
    let value = shape.value.as_ref().context("a map has no value")?;
    let query = plan.overlay.query_elements.get(name);
    let query_key = query.and_then(|query| query.key.as_deref());
    let query_value = query.and_then(|query| query.value.as_deref());
    Ok(format!(
        "map((&{}, {:?}), (&{}, {:?}), {}, {})",
        constant(plan, &key.shape),
        query_key.or(key.location_name.as_deref()).unwrap_or("key"),
        constant(plan, &value.shape),
        query_value.or(value.location_name.as_deref()).unwrap_or("value"),
        shape.flattened,
        shape.sparse
    ))
}

/// One member of a structure or union. Where a service speaks awsJson and awsQuery, `wire` is the
/// name in awsQuery, for awsJson goes by `name`.
fn member(plan: &Plan, owner: &str, name: &str, member: &Reference) -> Result<String> {
    let target = plan.shape(&member.shape);
    let query = plan.overlay.query_members.get(owner).and_then(|members| members.get(name));
    let flattened = member.flattened || target.flattened || query.is_some_and(|q| q.flattened);
    let schema = match plan.is_body(member) {
        true => "BODY".to_owned(),
        false => constant(plan, &member.shape),
    };
    let wire = match query {
        Some(query) => &query.name,
        None => wire_name(name, member, target, flattened),
    };
    let location = location(plan.shape(owner), name, member, target);
    let flags = flags(plan.shape(owner), name, member, target, flattened);
    let mut text = if location == "Body" && wire == name {
        format!("body({name:?}, &{schema}, {flags})")
    } else {
        format!("bound({name:?}, &{schema}, {location}, {wire:?}, {flags})")
    };
    if let Some(query_name) = &member.query_name {
        text = format!("query({query_name:?}, {text})");
    }
    if member.timestamp_format.is_some() {
        text = format!("timestamp({}, {text})", timestamp(&member.timestamp_format)?);
    }
    let namespace = member.xml_namespace.as_ref().or(target.xml_namespace.as_ref());
    if let Some(namespace) = namespace {
        text = format!("namespace({:?}, {text})", namespace.uri);
    }
    Ok(text)
}

/// The member's name on the wire. The elements of a flattened list bear the list's own name for
/// them, as in botocore.
fn wire_name<'s>(
    name: &'s str,
    member: &'s Reference,
    target: &'s Shape,
    flattened: bool,
) -> &'s str {
    let element = target.member.as_ref().and_then(|element| element.location_name.as_deref());
    element
        .filter(|_| flattened)
        .or(member.location_name.as_deref())
        .or(target.location_name.as_deref())
        .unwrap_or(name)
}

fn location(owner: &Shape, name: &str, member: &Reference, target: &Shape) -> &'static str {
    match member.location.as_deref() {
        _ if owner.payload.as_deref() == Some(name) => "Payload",
        Some("header") => "Header",
        Some("headers") => "PrefixHeaders",
        Some("querystring") if target.kind == "map" => "QueryParams",
        Some("querystring") => "Query",
        Some("uri") => "Path",
        Some("statusCode") => "StatusCode",
        _ => "Body",
    }
}

fn flags(owner: &Shape, name: &str, member: &Reference, target: &Shape, flattened: bool) -> String {
    let marks = [
        (owner.required.iter().any(|required| required == name), "REQUIRED"),
        (member.xml_attribute, "XML_ATTRIBUTE"),
        (member.idempotency_token, "IDEMPOTENCY_TOKEN"),
        (member.jsonvalue, "JSON_VALUE"),
        (flattened && matches!(target.kind.as_str(), "list" | "map"), "FLATTENED"),
        (target.eventstream, "EVENT_STREAM"),
        (member.host_label, "HOST_LABEL"),
    ];
    let mut set = marks.iter().filter(|(is_set, _)| *is_set);
    let Some((_, first)) = set.next() else { return "Flags::NONE".to_owned() };
    set.fold(format!("Flags::{first}"), |text, (_, mark)| format!("{text}.and(Flags::{mark})"))
}

fn timestamp(format: &Option<String>) -> Result<String> {
    let variant = match format.as_deref() {
        None => return Ok("None".to_owned()),
        Some("iso8601") => "DateTime",
        Some("rfc822") => "HttpDate",
        Some("unixTimestamp") => "EpochSeconds",
        Some(other) => anyhow::bail!("the timestamp format {other} is unknown"),
    };
    Ok(format!("Some(TimestampFormat::{variant})"))
}

/// The limits on a shape that a request can carry.
fn constraint(
    plan: &Plan,
    name: &str,
    shape: &Shape,
    unconverted: &mut Vec<(String, String)>,
) -> String {
    let limits = shape.min.is_some() || shape.max.is_some();
    if !plan.in_requests(name) || plan.is_closed_enum(name) {
        return "Constraint::NONE".to_owned();
    }
    let (min, max) = (bound(shape.min), bound(shape.max));
    match &shape.pattern {
        Some(java) => {
            let converted = pattern::convert(java).unwrap_or_else(|| {
                unconverted.push((name.to_owned(), java.clone()));
                String::new()
            });
            format!("matching({min}, {max}, {}, {})", literal(java), literal(&converted))
        }
        None if limits => format!("limits({min}, {max})"),
        None => "Constraint::NONE".to_owned(),
    }
}

/// A limit; fractions do not fit and are dropped.
fn bound(limit: Option<f64>) -> String {
    match limit {
        Some(value) if value.fract() == 0.0 => format!("Some({value})"),
        _ => "None".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list_of(element: Option<&str>) -> Shape {
        Shape {
            kind: "list".to_owned(),
            member: Some(Reference {
                location_name: element.map(str::to_owned),
                ..Reference::default()
            }),
            ..Shape::default()
        }
    }

    #[test]
    fn a_flattened_list_bears_its_elements_name() {
        let plain = Reference::default();
        let named = Reference { location_name: Some("Tag".to_owned()), ..Reference::default() };
        assert_eq!(wire_name("Ids", &plain, &list_of(Some("Id")), true), "Id");
        assert_eq!(wire_name("Ids", &plain, &list_of(Some("Id")), false), "Ids");
        assert_eq!(wire_name("Tags", &named, &list_of(None), true), "Tag");
        assert_eq!(wire_name("Tags", &named, &list_of(Some("T")), true), "T");
        assert_eq!(wire_name("Tags", &plain, &list_of(None), true), "Tags");
    }

    #[test]
    fn flags_are_joined() {
        let owner = Shape { required: vec!["Ids".to_owned()], ..Shape::default() };
        let list = list_of(None);
        let member = Reference::default();
        assert_eq!(
            flags(&owner, "Ids", &member, &list, true),
            "Flags::REQUIRED.and(Flags::FLATTENED)"
        );
        assert_eq!(flags(&owner, "Other", &member, &list, false), "Flags::NONE");
    }

    #[test]
    fn limits_are_whole_numbers() {
        assert_eq!(bound(Some(1024.0)), "Some(1024)");
        assert_eq!(bound(Some(0.5)), "None");
        assert_eq!(bound(None), "None");
    }
}
