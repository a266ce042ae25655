//! Single items: `GetItem`, `PutItem`, `UpdateItem` and `DeleteItem`.
//!
//! A write parses its request before its transaction begins, because transactions run one after the other.

mod delete;
mod get;
mod put;
mod update;
mod write;

pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use put::put;
pub(crate) use update::{Parsed as ParsedUpdate, update};
pub(crate) use write::{Outcome, Prepared, What, Write};
