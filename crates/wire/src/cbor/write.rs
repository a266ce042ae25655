//! Writes items as CBOR.

use crate::{Document, Item, Kind, Member, Schema, Struct};

/// CBOR in the making.
pub(crate) struct CborWriter<'o> {
    pub(crate) out: &'o mut Vec<u8>,
}

impl CborWriter<'_> {
    /// Opens a map of unknown length, as AWS's services do.
    pub(crate) fn open(&mut self) {
        self.out.push(0xbf);
    }

    /// Closes what [`CborWriter::open`] opened.
    pub(crate) fn close(&mut self) {
        self.out.push(0xff);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a structure's members as a map.
    pub(crate) fn structure(&mut self, value: &dyn Struct) {
        self.open();
        if let Kind::Structure(members) = &value.schema().kind {
            for (index, member) in members.iter().enumerate() {
                let item = value.member(index).item();
                if !matches!(item, Item::Absent | Item::Body(_)) {
                    self.member(member, &item);
                }
            }
        }
        self.close();
    }

    /// Writes one member into a map that is open.
    pub(crate) fn member(&mut self, member: &Member, item: &Item<'_>) {
        self.text(member.name);
        self.value(member.target, item);
    }

    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        let (low, width) = match argument {
            0..24 => (argument as u8, 0),
            24..0x100 => (24, 1),
            0x100..0x1_0000 => (25, 2),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 8),
        };
        self.out.push(major | low);
        self.out.extend_from_slice(&bytes[8 - width..]);
    }

    fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, value.unsigned_abs() - 1),
        }
    }

    fn double(&mut self, value: f64) {
        self.out.push(0xfb);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn value(&mut self, schema: &Schema, item: &Item<'_>) {
        match item {
            Item::Absent | Item::Body(_) => self.out.push(0xf6),
            Item::Text(text) => self.text(text),
            Item::Integer(value) => self.integer(i64::from(*value)),
            Item::Long(value) => self.integer(*value),
            Item::Float(value) => {
                self.out.push(0xfa);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
            Item::Double(value) => self.double(*value),
            Item::Boolean(value) => self.out.push(0xf4 | u8::from(*value)),
            Item::Blob(bytes) => {
                self.head(2, bytes.len() as u64);
                self.out.extend_from_slice(bytes);
            }
            Item::Timestamp(time) => {
                self.out.push(0xc1);
                self.double(time.millis() as f64 / 1000.0);
            }
            Item::Document(value) => self.document(value),
            Item::Encoded(value) => {
                let open = value.open();
                self.value(schema, &open.item());
            }
            Item::List(list) => {
                let Kind::List(shape) = &schema.kind else { return self.out.push(0xf6) };
                self.head(4, list.len() as u64);
                for index in 0..list.len() {
                    self.value(shape.member, &list.at(index).item());
                }
            }
            Item::Map(map) => {
                let Kind::Map(shape) = &schema.kind else { return self.out.push(0xf6) };
                self.head(5, map.len() as u64);
                map.each(&mut |key, value| {
                    self.text(key);
                    self.value(shape.value, &value.item());
                });
            }
            Item::Struct(value) => self.structure(*value),
            Item::Union(value) => {
                self.open();
                if let (Kind::Union(members), Some((index, value))) =
                    (&value.schema().kind, value.selected())
                {
                    self.member(&members[index], &value.item());
                }
                self.close();
            }
        }
    }

    fn document(&mut self, value: &Document) {
        match value {
            Document::Null => self.out.push(0xf6),
            Document::Bool(value) => self.out.push(0xf4 | u8::from(*value)),
            Document::Number(number) => match number.as_i64() {
                Some(value) => self.integer(value),
                None => self.double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Document::String(text) => self.text(text),
            Document::Array(list) => {
                self.head(4, list.len() as u64);
                list.iter().for_each(|value| self.document(value));
            }
            Document::Object(map) => {
                self.head(5, map.len() as u64);
                for (key, value) in map {
                    self.text(key);
                    self.document(value);
                }
            }
        }
    }
}
