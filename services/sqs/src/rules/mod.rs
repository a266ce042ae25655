//! Pure rules: no clock, no transaction, no async.

pub(crate) mod attributes;
pub(crate) mod batch;
pub(crate) mod digest;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod receipt;
