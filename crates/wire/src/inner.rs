//! Structures as JSON values, for calls from one service to another.

use crate::check::{Checks, Path, Seen};
use crate::read::Names;
use crate::request::json_input;
use crate::text::{encode_base64, float_text};
use crate::{Document, Item, Kind, Rejection, Struct, Style};

/// The structure by the model's member names: blobs in base64, timestamps in epoch seconds, absent
/// members and streaming bodies left out.
pub fn to_json(value: &dyn Struct) -> Document {
    let Kind::Structure(members) = &value.schema().kind else { return Document::Null };
    let given = members.iter().enumerate().filter_map(|(index, member)| {
        let item = value.member(index).item();
        let absent = matches!(item, Item::Absent | Item::Body(_));
        (!absent).then(|| (member.name.to_owned(), document(&item)))
    });
    given.collect()
}

fn document(item: &Item<'_>) -> Document {
    match item {
        Item::Absent | Item::Body(_) => Document::Null,
        Item::Text(text) => (*text).into(),
        Item::Integer(value) => (*value).into(),
        Item::Long(value) => (*value).into(),
        // By its shortest text, not by the digits of the wider type.
        Item::Float(value) => float(value.to_string().parse().unwrap_or(f64::NAN), *value),
        Item::Double(value) => float(*value, *value),
        Item::Boolean(value) => (*value).into(),
        Item::Blob(bytes) => encode_base64(bytes).into(),
        Item::Timestamp(time) => match (time.millis() % 1000, time.secs()) {
            (0, secs) => secs.into(),
            _ => (time.millis() as f64 / 1000.0).into(),
        },
        Item::Document(value) => (*value).clone(),
        Item::List(list) => (0..list.len()).map(|index| document(&list.at(index).item())).collect(),
        Item::Map(map) => {
            let mut object = serde_json::Map::new();
            map.each(&mut |key, value| {
                object.insert(key.to_owned(), document(&value.item()));
            });
            object.into()
        }
        Item::Struct(value) => to_json(*value),
        Item::Encoded(value) => document(&value.open().item()),
        Item::Union(value) => match (&value.schema().kind, value.selected()) {
            (Kind::Union(members), Some((index, value))) => {
                [(members[index].name.to_owned(), document(&value.item()))].into_iter().collect()
            }
            _ => Document::Object(serde_json::Map::new()),
        },
    }
}

/// JSON has no notation for what is no finite number; the protocols have three words.
fn float(finite: f64, value: impl Into<f64>) -> Document {
    if finite.is_finite() { finite.into() } else { float_text(value.into()).into() }
}

/// Fills a structure from what [`to_json`] writes, and checks the model's constraints. A streaming
/// member counts as given; see [`crate::put_body`].
pub fn from_json(value: &Document, into: &mut dyn Struct) -> Result<(), Rejection> {
    let style = Style::DEFAULT;
    let mut checks = Checks::new(&style);
    let schema = into.schema();
    let path = Path::root(schema, &style);
    let mut seen = Seen::default();
    let text = value.to_string();
    json_input(text.as_bytes(), &mut checks, Names::Model, into, &mut seen, false, &path)?;
    if let Kind::Structure(members) = &schema.kind {
        checks.required(members, &seen, &path, |member| !matches!(member.target.kind, Kind::Body));
    }
    checks.finish()
}
