//! Pure rules: names, data types, filters, labels and parameter policies.

pub(crate) mod data_types;
pub(crate) mod filters;
pub(crate) mod labels;
pub(crate) mod names;
pub(crate) mod policies;
