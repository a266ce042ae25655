//! The attributes of an item in an answer: what the model calls `AttributeMap`.
//!
//! A row of the store becomes JSON without being opened, for that is what most reads do with it.

use bytes::Bytes;
use fogbank_core::wire::{self, Document, Encoded, Slot, Value};

use crate::value::Item;
use crate::{convert, encoding, json};

/// The attributes of an item, as they are at hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributes(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// A row of the store, whose bytes were checked when they were written.
    Row(Bytes),
    Item(Item),
    /// What a reader filled in; only clients read answers.
    Json(Document),
}

impl From<Item> for Attributes {
    fn from(item: Item) -> Attributes {
        Attributes(Form::Item(item))
    }
}

impl Default for Attributes {
    fn default() -> Attributes {
        Item::new().into()
    }
}

impl Attributes {
    /// The attributes in a row of the store.
    pub(crate) fn of_row(row: Bytes) -> Attributes {
        Attributes(Form::Row(row))
    }
}

impl Value for Attributes {
    fn slot(&mut self) -> Slot<'_> {
        if !matches!(self.0, Form::Json(_)) {
            self.0 = Form::Json(Document::Null);
        }
        match &mut self.0 {
            Form::Json(document) => Slot::Document(document),
            Form::Row(_) | Form::Item(_) => unreachable!("it was just made a document"),
        }
    }

    fn item(&self) -> wire::Item<'_> {
        wire::Item::Encoded(self)
    }
}

impl Encoded for Attributes {
    fn write_json(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Form::Row(row) => {
                let start = out.len();
                if json::write_row(row, out).is_err() {
                    fogbank_core::tracing::error!("a row that is no item was about to be sent");
                    out.truncate(start);
                    out.extend_from_slice(b"{}");
                }
            }
            Form::Item(item) => json::write_item(item, out),
            Form::Json(document) => out.extend_from_slice(document.to_string().as_bytes()),
        }
    }

    fn open(&self) -> Box<dyn Value> {
        let item = match &self.0 {
            Form::Row(row) => encoding::decode_item(row).unwrap_or_default(),
            Form::Item(item) => item.clone(),
            Form::Json(document) => json::item_from_json(document).unwrap_or_default(),
        };
        Box::new(convert::to_wire(item))
    }
}
