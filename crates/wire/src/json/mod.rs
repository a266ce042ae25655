//! JSON: a pull reader of tokens and a writer of items.

mod read;
mod write;

pub(crate) use read::Json;
pub(crate) use write::{JsonWriter, write_text};
