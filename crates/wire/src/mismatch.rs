//! What AWS's frameworks say of a value of the wrong type.
//!
//! The texts of [`TypeTexts::Current`] are those that DynamoDB gives, spelling included.

use crate::read::Token;
use crate::{Kind, Rejection, Schema, Style, TypeTexts};

/// The type's name in messages.
pub(crate) fn type_name(schema: &Schema) -> &'static str {
    match schema.kind {
        Kind::String | Kind::Enum(_) => "String",
        Kind::Integer => "Integer",
        Kind::Long => "Long",
        Kind::Float => "Float",
        Kind::Double => "Double",
        Kind::Boolean => "Boolean",
        Kind::Blob | Kind::Body => "Blob",
        Kind::Timestamp(_) => "Timestamp",
        Kind::Document => "Document",
        Kind::List(_) => "List",
        Kind::Map(_) => "Map",
        Kind::Structure(_) | Kind::Union(_) => "Structure",
    }
}

/// Refuses a token that cannot be a value of the shape. `element`: whether it is one of a list or map.
pub(crate) fn mismatch(
    token: &Token<'_>,
    schema: &Schema,
    element: bool,
    style: &Style,
) -> Rejection {
    Rejection::Serialization(match style.type_texts {
        TypeTexts::Current => current(token, schema, element, style),
        TypeTexts::Classic => classic(token, schema),
    })
}

fn current(token: &Token<'_>, schema: &Schema, element: bool, style: &Style) -> String {
    let word = match token {
        Token::List(_) => {
            return format!("Unrecognized collection type {}", java_type(schema, style, true));
        }
        Token::Map(_) => return "Start of structure or map found where not expected".to_owned(),
        _ if matches!(schema.kind, Kind::Structure(_) | Kind::Union(_)) && element => {
            return "Unexpected value type in payload".to_owned();
        }
        _ if is_container(schema) => return "Unexpected field type".to_owned(),
        _ if matches!(schema.kind, Kind::Blob) => return not_base64(token),
        Token::Text(_) if matches!(schema.kind, Kind::Boolean) => {
            return "Unexpected token received from parser".to_owned();
        }
        Token::Null => "NULL",
        Token::Boolean(true) => "TRUE_VALUE",
        Token::Boolean(false) => "FALSE_VALUE",
        Token::Integer(_) => "NUMBER_VALUE",
        Token::Float(_) => "DECIMAL_VALUE",
        Token::Text(_) | Token::Bytes(_) => "STRING_VALUE",
        Token::Timestamp(_) => "TIMESTAMP_VALUE",
    };
    format!("{word} cannot be converted to {}", type_name(schema))
}

fn is_container(schema: &Schema) -> bool {
    matches!(schema.kind, Kind::List(_) | Kind::Map(_) | Kind::Structure(_) | Kind::Union(_))
}

fn not_base64(token: &Token<'_>) -> String {
    match token {
        Token::Text(text) if text.len() % 4 != 0 => format!(
            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
            text.len()
        ),
        // Spelt as AWS spells it.
        Token::Text(_) => "Invalid last non-pad Base64 character dectected".to_owned(),
        _ => "only base-64-encoded strings are convertible to bytes".to_owned(),
    }
}

/// The Java type of a shape; `whole`: with the word that stands before a class.
fn java_type(schema: &Schema, style: &Style, whole: bool) -> String {
    let name = match &schema.kind {
        Kind::Map(map) => {
            let value = java_type(map.value, style, false);
            return format!("java.util.Map<java.lang.String, {value}>");
        }
        Kind::List(list) => {
            return format!("java.util.List<{}>", java_type(list.member, style, false));
        }
        Kind::Structure(_) | Kind::Union(_) if style.java_package.is_empty() => {
            schema.name.to_owned()
        }
        Kind::Structure(_) | Kind::Union(_) => format!("{}.{}", style.java_package, schema.name),
        Kind::Blob | Kind::Body => "java.nio.ByteBuffer".to_owned(),
        Kind::Timestamp(_) => "java.util.Date".to_owned(),
        _ => format!("java.lang.{}", type_name(schema)),
    };
    if whole { format!("class {name}") } else { name }
}

fn classic(token: &Token<'_>, schema: &Schema) -> String {
    let class = match token {
        Token::List(_) => return "Start of list found where not expected".to_owned(),
        Token::Map(_) => return "Start of structure or map found where not expected.".to_owned(),
        _ if is_container(schema) => return "Unexpected field type".to_owned(),
        Token::Boolean(_) => "java.lang.Boolean",
        Token::Integer(value) if i16::try_from(*value).is_ok() => "java.lang.Short",
        Token::Integer(value) if i32::try_from(*value).is_ok() => "java.lang.Integer",
        Token::Integer(_) => "java.lang.Long",
        Token::Float(_) => "java.lang.Double",
        Token::Null | Token::Text(_) | Token::Bytes(_) | Token::Timestamp(_) => "java.lang.String",
    };
    format!("class {class} can not be converted to an {}", type_name(schema))
}
