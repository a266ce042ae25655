//! Attribute values in DynamoDB's JSON: `{"S":"text"}`.
//!
//! Reading validates; [`write_row`] turns a stored row into JSON without building the item, which is what a `GetItem`
//! without projection needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::encoding::{Corrupt, Reader, Tag};
use crate::invalid::Invalid;
use crate::value::{AMBIGUOUS_VALUE, AttributeValue, EMPTY_VALUE, Item, MAX_NESTING};

/// Reads a map of attributes.
pub fn item_from_json(json: &Value) -> Result<Item, Invalid> {
    let Value::Object(members) = json else { return Err(unexpected()) };
    members.iter().map(|(name, value)| Ok((name.clone(), value_from_json(value)?))).collect()
}

/// Reads one attribute value, for instance `{"N":"42"}`.
pub fn value_from_json(json: &Value) -> Result<AttributeValue, Invalid> {
    read_value(json, 0)
}

fn read_value(json: &Value, depth: usize) -> Result<AttributeValue, Invalid> {
    // Two levels of JSON make one of ours; past the limit the item is refused anyway, but not by a stack overflow.
    if depth > 2 * MAX_NESTING {
        return Err(Invalid::new(
            "Nesting Levels have exceeded supported limits: Attributes have nested levels beyond supported limit",
        ));
    }
    let Value::Object(types) = json else { return Err(unexpected()) };
    let mut types = types.iter().filter(|(_, content)| !content.is_null());
    let Some((name, content)) = types.next() else { return Err(Invalid::new(EMPTY_VALUE)) };
    let value = match name.as_str() {
        "S" => AttributeValue::S(text(content)?.to_owned()),
        "N" => AttributeValue::number(text(content)?)?,
        "B" => AttributeValue::B(binary(content)?),
        "BOOL" => AttributeValue::Bool(flag(content)?),
        "NULL" => AttributeValue::null(flag(content)?)?,
        "L" => AttributeValue::L(
            list(content)?
                .iter()
                .map(|member| read_value(member, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        "M" => {
            let Value::Object(members) = content else { return Err(unexpected()) };
            let members = members
                .iter()
                .map(|(name, value)| Ok((name.clone(), read_value(value, depth + 1)?)))
                .collect::<Result<_, Invalid>>()?;
            AttributeValue::M(members)
        }
        "SS" => {
            let members = list(content)?.iter().map(|m| text(m).map(str::to_owned));
            AttributeValue::string_set(members.collect::<Result<_, _>>()?)?
        }
        "NS" => {
            let members = list(content)?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            AttributeValue::number_set(&members)?
        }
        "BS" => {
            let members = list(content)?.iter().map(binary).collect::<Result<_, _>>()?;
            AttributeValue::binary_set(members)?
        }
        _ => return Err(Invalid::new(EMPTY_VALUE)),
    };
    if types.next().is_some() {
        return Err(Invalid::new(AMBIGUOUS_VALUE));
    }
    Ok(value)
}

fn text(json: &Value) -> Result<&str, Invalid> {
    json.as_str().ok_or_else(unexpected)
}

fn flag(json: &Value) -> Result<bool, Invalid> {
    json.as_bool().ok_or_else(unexpected)
}

fn list(json: &Value) -> Result<&Vec<Value>, Invalid> {
    json.as_array().ok_or_else(unexpected)
}

fn binary(json: &Value) -> Result<Vec<u8>, Invalid> {
    BASE64.decode(text(json)?).map_err(|_| Invalid::new("Base64 encoded data could not be decoded"))
}

fn unexpected() -> Invalid {
    Invalid::new("Unexpected value type in payload")
}

/// Appends an item as JSON.
pub fn write_item(item: &Item, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, value)) in item.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

/// Appends one attribute value as JSON.
pub fn write_value(value: &AttributeValue, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(value.kind().name().as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        AttributeValue::S(text) => write_text(text, out),
        AttributeValue::N(number) => write_plain(number.as_str(), out),
        AttributeValue::B(bytes) => write_binary(bytes, out),
        AttributeValue::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        AttributeValue::Null => out.extend_from_slice(b"true"),
        AttributeValue::L(members) => write_array(members, out, write_value),
        AttributeValue::M(members) => write_item(members, out),
        AttributeValue::Ss(members) => write_array(members, out, |m, out| write_text(m, out)),
        AttributeValue::Ns(members) => {
            write_array(members, out, |m, out| write_plain(m.as_str(), out));
        }
        AttributeValue::Bs(members) => write_array(members, out, |m, out| write_binary(m, out)),
    }
    out.push(b'}');
}

/// Appends a stored row as JSON, without building the item.
pub fn write_row(row: &[u8], out: &mut Vec<u8>) -> Result<(), Corrupt> {
    let mut reader = Reader::open(row)?;
    write_row_members(&mut reader, 0, out)?;
    reader.end()
}

fn write_row_members(
    reader: &mut Reader<'_>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Corrupt> {
    out.push(b'{');
    for at in 0..reader.length()? {
        if at > 0 {
            out.push(b',');
        }
        write_text(reader.text()?, out);
        out.push(b':');
        write_row_value(reader, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_row_value(
    reader: &mut Reader<'_>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Corrupt> {
    match reader.tag(depth)? {
        Tag::S => {
            out.extend_from_slice(b"{\"S\":");
            write_text(reader.text()?, out);
        }
        Tag::N => {
            out.extend_from_slice(b"{\"N\":");
            write_plain(reader.text()?, out);
        }
        Tag::B => {
            out.extend_from_slice(b"{\"B\":");
            write_binary(reader.bytes()?, out);
        }
        Tag::False => out.extend_from_slice(b"{\"BOOL\":false"),
        Tag::True => out.extend_from_slice(b"{\"BOOL\":true"),
        Tag::Null => out.extend_from_slice(b"{\"NULL\":true"),
        Tag::L => {
            out.extend_from_slice(b"{\"L\":");
            write_row_list(reader, out, |reader, out| write_row_value(reader, depth + 1, out))?;
        }
        Tag::M => {
            out.extend_from_slice(b"{\"M\":");
            write_row_members(reader, depth + 1, out)?;
        }
        Tag::Ss => {
            out.extend_from_slice(b"{\"SS\":");
            write_row_list(reader, out, |reader, out| {
                write_text(reader.text()?, out);
                Ok(())
            })?;
        }
        Tag::Ns => {
            out.extend_from_slice(b"{\"NS\":");
            write_row_list(reader, out, |reader, out| {
                write_plain(reader.text()?, out);
                Ok(())
            })?;
        }
        Tag::Bs => {
            out.extend_from_slice(b"{\"BS\":");
            write_row_list(reader, out, |reader, out| {
                write_binary(reader.bytes()?, out);
                Ok(())
            })?;
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_row_list(
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut Reader<'_>, &mut Vec<u8>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    out.push(b'[');
    for at in 0..reader.length()? {
        if at > 0 {
            out.push(b',');
        }
        write(reader, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_array<T>(members: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(member, out);
    }
    out.push(b']');
}

/// Writes text that needs no escapes: numbers.
fn write_plain(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = BASE64
        .encode_slice(bytes, &mut out[start..])
        .expect("the buffer has the length that base64 defines");
    out.truncate(start + written);
    out.push(b'"');
}

/// Writes a JSON string; runs without escapes are copied whole.
fn write_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}
