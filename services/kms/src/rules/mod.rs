//! Pure rules: no clock, no transaction, no async.

pub(crate) mod blob;
pub(crate) mod names;
pub(crate) mod policy;
pub(crate) mod spec;
