//! Structures as JSON values, for calls from one service to another.

use crate::check::{Checks, Path, Seen};
use crate::json::JsonWriter;
use crate::read::Names;
use crate::request::json_input;
use crate::{Kind, Rejection, Struct, Style};

/// The structure by the model's member names: blobs in base64, timestamps in epoch seconds, absent
/// members and streaming bodies left out.
pub fn to_json(value: &dyn Struct) -> serde_json::Value {
    let mut out = Vec::with_capacity(256);
    JsonWriter { out: &mut out, names: Names::Model, formats: false }.structure(value, false);
    serde_json::from_slice(&out).unwrap_or_default()
}

/// Fills a structure from what [`to_json`] writes, and checks the model's constraints. A streaming
/// member counts as given; see [`crate::put_body`].
pub fn from_json(value: &serde_json::Value, into: &mut dyn Struct) -> Result<(), Rejection> {
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
