//! Blobs: bodies that stream to disk beside the rows that name them.

pub(crate) mod claims;
