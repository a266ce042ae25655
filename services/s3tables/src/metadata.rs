//! The first metadata of a table that is created with a schema.

use fogbank_core::{Cx, Fault};

use crate::error::Error;
use crate::model::IcebergMetadata;
use crate::store::Table;

/// What a table is to begin with.
pub(crate) struct New {}

impl New {
    /// Reads what CreateTable was given.
    pub(crate) fn read(_: &IcebergMetadata) -> Result<New, Error> {
        Err(Fault::not_implemented("s3tables", "CreateTable with metadata").into())
    }
}

/// Writes the first metadata of a table, and says where it lies.
pub(crate) async fn write_first(_: &Cx, _: &Table, _: &New) -> Result<String, Error> {
    Err(Fault::not_implemented("s3tables", "CreateTable with metadata").into())
}
