//! Tables of documents, conditions and decisions, and the properties that every policy keeps.

mod messages;
mod properties;
mod tables;

use crate::{Document, Kind};

/// Wraps statements into a document of the current version.
fn document(statements: &serde_json::Value, kind: Kind) -> Document {
    let json = serde_json::json!({ "Version": "2012-10-17", "Statement": statements });
    Document::parse(&json.to_string(), kind).unwrap_or_else(|fault| panic!("{fault}: {json}"))
}
