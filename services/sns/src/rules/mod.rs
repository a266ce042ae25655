//! Pure rules: no clock, no transaction, no async.

pub(crate) mod attributes;
pub(crate) mod envelope;
pub(crate) mod filter;
pub(crate) mod matching;
pub(crate) mod message;
pub(crate) mod names;
