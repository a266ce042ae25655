//! Writes items as XML elements.

use crate::text::{encode_base64, float_text, timestamp_text};
use crate::tree::{element_name, flattened};
use crate::{Flags, Item, Kind, List, Map, Member, Schema, Struct, TimestampFormat, Value};

/// XML text in the making.
pub(crate) struct XmlWriter<'o> {
    pub(crate) out: &'o mut String,
    /// Whether times show milliseconds that are zero (S3, EC2).
    pub(crate) millis: bool,
}

/// Writes text with XML's special characters replaced. S3 and SQS also replace quotes and carriage
/// returns, which is harmless elsewhere.
pub(crate) fn escape(out: &mut String, text: &str) {
    let mut start = 0;
    for (index, byte) in text.bytes().enumerate() {
        let reference = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\t' | b'\n' => continue,
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[start..index]);
        if reference.is_empty() {
            out.push_str(&format!("&#x{byte:x};"));
        } else {
            out.push_str(reference);
        }
        start = index + 1;
    }
    out.push_str(&text[start..]);
}

impl XmlWriter<'_> {
    /// Writes an element with text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.open(name, "");
        escape(self.out, text);
        self.close(name);
    }

    /// Writes a start tag; `attributes` begins with a space or is empty.
    pub(crate) fn open(&mut self, name: &str, attributes: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(attributes);
        self.out.push('>');
    }

    /// Writes an end tag.
    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Writes a structure's members, or those of them that stand in the body.
    pub(crate) fn members(&mut self, value: &dyn Struct, body_only: bool) {
        let Kind::Structure(members) = &value.schema().kind else { return };
        for (index, member) in members.iter().enumerate() {
            if body_only && !member.location.in_response_document() {
                continue;
            }
            self.member(member, value.member(index));
        }
    }

    /// Writes one member, unless it is absent or an attribute of the element that is open.
    pub(crate) fn member(&mut self, member: &Member, value: &dyn Value) {
        let item = value.item();
        if matches!(item, Item::Absent) || member.flags.has(Flags::XML_ATTRIBUTE) {
            return;
        }
        let attributes = attributes(member, &item);
        let (name, format) = (element_name(member), member.timestamp_format);
        self.value(name, &attributes, member.target, format, flattened(member), &item);
    }

    /// Writes a value as an element, or as several if it is flattened.
    pub(crate) fn value(
        &mut self,
        name: &str,
        attributes: &str,
        schema: &Schema,
        format: Option<TimestampFormat>,
        flat: bool,
        item: &Item<'_>,
    ) {
        match (item, &schema.kind) {
            (Item::Absent | Item::Body(_), _) => {}
            (Item::Encoded(value), _) => {
                let open = value.open();
                self.value(name, attributes, schema, format, flat, &open.item());
            }
            (Item::List(list), Kind::List(shape)) if flat => {
                for index in 0..list.len() {
                    self.value(name, attributes, shape.member, None, false, &list.at(index).item());
                }
            }
            (Item::Map(map), Kind::Map(shape)) if flat => {
                map.each(&mut |key, value| {
                    self.open(name, attributes);
                    self.entry(shape, key, value);
                    self.close(name);
                });
            }
            (Item::List(list), _) if list.is_empty() => self.empty(name, attributes),
            (Item::Map(map), _) if map.is_empty() => self.empty(name, attributes),
            _ => {
                self.open(name, attributes);
                self.content(schema, format, item);
                self.close(name);
            }
        }
    }

    fn empty(&mut self, name: &str, attributes: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(attributes);
        self.out.push_str("/>");
    }

    fn entry(&mut self, shape: &Map, key: &str, value: &dyn Value) {
        self.text(shape.key_wire, key);
        self.value(shape.value_wire, "", shape.value, None, false, &value.item());
    }

    /// Writes what stands between the tags.
    fn content(&mut self, schema: &Schema, format: Option<TimestampFormat>, item: &Item<'_>) {
        match item {
            Item::List(list) => {
                let Kind::List(shape) = &schema.kind else { return };
                self.list_content(shape, *list);
            }
            Item::Map(map) => {
                let Kind::Map(shape) = &schema.kind else { return };
                map.each(&mut |key, value| {
                    self.open("entry", "");
                    self.entry(shape, key, value);
                    self.close("entry");
                });
            }
            Item::Struct(value) => self.members(*value, false),
            Item::Union(value) => {
                let Kind::Union(members) = &value.schema().kind else { return };
                if let Some((index, value)) = value.selected() {
                    self.member(&members[index], value);
                }
            }
            scalar => {
                let text =
                    scalar_text(schema, format, scalar, TimestampFormat::DateTime, self.millis);
                if let Some(text) = text {
                    escape(self.out, &text);
                }
            }
        }
    }

    fn list_content(&mut self, shape: &List, list: &dyn crate::ListValue) {
        let inner = matches!(&shape.member.kind, Kind::List(inner) if inner.flattened);
        for index in 0..list.len() {
            let item = list.at(index).item();
            self.value(shape.wire, "", shape.member, None, inner, &item);
        }
    }
}

/// The attributes of a member's element: its namespace, and the members that the model makes
/// attributes of the structure.
pub(crate) fn attributes(member: &Member, item: &Item<'_>) -> String {
    let mut text = String::new();
    let mut own = String::new();
    let mut prefix = None;
    if let Item::Struct(value) = item
        && let Kind::Structure(members) = &value.schema().kind
    {
        for (index, attribute) in members.iter().enumerate() {
            if !attribute.flags.has(Flags::XML_ATTRIBUTE) {
                continue;
            }
            prefix = prefix.or(attribute.wire.split_once(':').map(|(prefix, _)| prefix));
            let item = value.member(index).item();
            let format = TimestampFormat::DateTime;
            if let Some(value) = scalar_text(attribute.target, None, &item, format, false) {
                own.push_str(&format!(" {}=\"", attribute.wire));
                escape(&mut own, &value);
                own.push('"');
            }
        }
    }
    if !member.xml_namespace.is_empty() {
        // The model's `xsi` namespace belongs to the prefix of the attribute that uses it.
        let name = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        text.push_str(&format!(" {name}=\"{}\"", member.xml_namespace));
    }
    text.push_str(&own);
    text
}

/// A scalar's text in XML, headers and URIs; none if it is absent or no scalar.
pub(crate) fn scalar_text(
    schema: &Schema,
    format: Option<TimestampFormat>,
    item: &Item<'_>,
    default: TimestampFormat,
    millis: bool,
) -> Option<String> {
    Some(match item {
        Item::Text(text) => (*text).to_owned(),
        Item::Integer(value) => value.to_string(),
        Item::Long(value) => value.to_string(),
        Item::Float(value) if value.is_finite() => format!("{value:?}"),
        Item::Float(value) => float_text(f64::from(*value)),
        Item::Double(value) => float_text(*value),
        Item::Boolean(value) => value.to_string(),
        Item::Blob(bytes) => encode_base64(bytes),
        Item::Timestamp(time) => {
            let model = match schema.kind {
                Kind::Timestamp(model) => model,
                _ => None,
            };
            timestamp_text(*time, format.or(model).unwrap_or(default), millis)
        }
        Item::Document(value) => value.to_string(),
        _ => return None,
    })
}
