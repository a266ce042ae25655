//! Writes items as JSON text.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::read::Names;
use crate::text::timestamp_text;
use crate::{Item, Kind, Member, Schema, Struct, Timestamp, TimestampFormat};

/// JSON text in the making.
pub(crate) struct JsonWriter<'o> {
    pub(crate) out: &'o mut Vec<u8>,
    pub(crate) names: Names,
}

impl JsonWriter<'_> {
    /// Writes a structure's members, or those of them that stand in the body, as an object.
    pub(crate) fn structure(&mut self, value: &dyn Struct, body_only: bool) {
        self.out.push(b'{');
        let mut first = true;
        self.members(value, body_only, &mut first);
        self.out.push(b'}');
    }

    /// Writes members into an object that is open.
    pub(crate) fn members(&mut self, value: &dyn Struct, body_only: bool, first: &mut bool) {
        let Kind::Structure(members) = &value.schema().kind else { return };
        for (index, member) in members.iter().enumerate() {
            if body_only && !member.location.in_response_document() {
                continue;
            }
            let item = value.member(index).item();
            if !matches!(item, Item::Absent | Item::Body(_)) {
                self.member(member, &item, first);
            }
        }
    }

    /// Writes one member into an object that is open.
    pub(crate) fn member(&mut self, member: &Member, item: &Item<'_>, first: &mut bool) {
        self.key(self.names.of(member), first);
        self.value(member.target, member.timestamp_format, item);
    }

    pub(crate) fn key(&mut self, key: &str, first: &mut bool) {
        if !*first {
            self.out.push(b',');
        }
        *first = false;
        write_text(self.out, key);
        self.out.push(b':');
    }

    pub(crate) fn value(
        &mut self,
        schema: &Schema,
        format: Option<TimestampFormat>,
        item: &Item<'_>,
    ) {
        match item {
            Item::Absent | Item::Body(_) => self.out.extend_from_slice(b"null"),
            Item::Text(text) => write_text(self.out, text),
            Item::Integer(value) => self.display(value),
            Item::Long(value) => self.display(value),
            Item::Float(value) => self.float(f64::from(*value), |out| {
                // The shortest digits of the narrow type, not those of its widened value.
                serde_json::to_writer(out, value)
            }),
            Item::Double(value) => self.float(*value, |out| serde_json::to_writer(out, value)),
            Item::Boolean(true) => self.out.extend_from_slice(b"true"),
            Item::Boolean(false) => self.out.extend_from_slice(b"false"),
            Item::Blob(bytes) => self.blob(bytes),
            Item::Timestamp(time) => self.timestamp(schema, format, *time),
            Item::Document(value) => self.display(value),
            Item::Encoded(value) => value.write_json(self.out),
            Item::List(list) => {
                let Kind::List(shape) = &schema.kind else { return };
                self.out.push(b'[');
                for index in 0..list.len() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.value(shape.member, None, &list.at(index).item());
                }
                self.out.push(b']');
            }
            Item::Map(map) => {
                let Kind::Map(shape) = &schema.kind else { return };
                self.out.push(b'{');
                let mut first = true;
                map.each(&mut |key, value| {
                    self.key(key, &mut first);
                    self.value(shape.value, None, &value.item());
                });
                self.out.push(b'}');
            }
            Item::Struct(value) => self.structure(*value, false),
            Item::Union(value) => {
                let Kind::Union(members) = &value.schema().kind else { return };
                self.out.push(b'{');
                if let Some((index, value)) = value.selected() {
                    self.member(&members[index], &value.item(), &mut true);
                }
                self.out.push(b'}');
            }
        }
    }

    fn display(&mut self, value: &impl std::fmt::Display) {
        // Writing to a vector cannot fail.
        let written = write!(self.out, "{value}");
        debug_assert!(written.is_ok());
    }

    fn float(
        &mut self,
        value: f64,
        print: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>,
    ) {
        if value.is_finite() {
            let printed = print(self.out);
            debug_assert!(printed.is_ok());
        } else {
            write_text(self.out, &crate::text::float_text(value));
        }
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written = STANDARD.encode_slice(bytes, &mut self.out[start..]).unwrap_or(0);
        self.out.truncate(start + written);
        self.out.push(b'"');
    }

    fn timestamp(&mut self, schema: &Schema, format: Option<TimestampFormat>, time: Timestamp) {
        let model = match schema.kind {
            Kind::Timestamp(model) => model,
            _ => None,
        };
        let format = format.or(model);
        match format.unwrap_or(TimestampFormat::EpochSeconds) {
            TimestampFormat::EpochSeconds => {
                let text = timestamp_text(time, TimestampFormat::EpochSeconds, false);
                self.out.extend_from_slice(text.as_bytes());
            }
            format => write_text(self.out, &timestamp_text(time, format, false)),
        }
    }
}

/// Writes a text in quotes.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        let letter = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x8 => b'b',
            0xc => b'f',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[start..index]);
        out.extend_from_slice(&[b'\\', letter]);
        if letter == b'u' {
            let digits = [b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(&digits);
        }
        start = index + 1;
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}
