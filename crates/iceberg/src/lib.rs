//! Apache Iceberg tables: their metadata, manifests and commits, without any input or output. Tables of format version 2 are
//! written; of version 3 there is metadata alone, which clients of a catalog change.
//!
//! Who uses a table reads and writes the objects. What a change must read it asks for ([`Transaction::wants`]), one
//! object at a time, so that memory is bounded by one manifest and what is made of it. What it wrote it hands back
//! ([`Change::objects`]), the metadata last; the commit itself, putting the new metadata in the place of the old, is the
//! caller's.
//!
//! Avro, in which manifests lie, is written and read here: the crates for it bring a score of others and do not let their
//! memory be bounded for a file that a stranger wrote.

mod avro;
mod catalog;
mod expiry;
mod files;
mod manifests;
mod partitions;
mod rows;
mod schema;
mod table;
#[cfg(test)]
mod tests;
mod transaction;
mod values;

pub use catalog::{Requirement, Update};
pub use expiry::Expiry;
pub use files::{Content, DataFile};
pub use manifests::{
    Entry, FieldSummary, Manifest, ManifestFile, Status, read_manifest, read_manifest_list,
};
pub use partitions::{
    PartitionField, PartitionSpec, SortField, SortOrder, UNPARTITIONED, transformed,
};
pub use schema::{Field, Kind, List, MapOf, Schema};
pub use table::{MetadataLogEntry, New, Reference, Snapshot, SnapshotLogEntry, Table};
pub use transaction::{Change, Commit, Operation, Removal, Transaction};
pub use values::Value;

/// Members of JSON that are kept as they came.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// Why a table cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Metadata, a manifest or a list of manifests is not what the specification says.
    #[error("{0}")]
    Invalid(String),
    /// It may be valid, but is not understood here: another format version, an unknown codec.
    #[error("{0}")]
    Unsupported(String),
    /// A requirement does not hold, or a file to be removed is not in the table: someone else was faster.
    #[error("{0}")]
    Conflict(String),
}

/// What may go wrong.
pub type Result<T> = std::result::Result<T, Error>;

/// Shorthand for what is not as the specification says.
pub(crate) fn invalid<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Invalid(text.into()))
}
