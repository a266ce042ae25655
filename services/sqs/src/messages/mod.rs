//! Messages: sending, receiving, hiding and removing them.

pub(crate) mod delete;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod visibility;
