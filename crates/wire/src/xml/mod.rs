//! XML: a parser into a small tree and a writer of items.

mod read;
mod write;

pub(crate) use read::{Nodes, parse};
pub(crate) use write::{XmlWriter, attributes, escape, scalar_text};
