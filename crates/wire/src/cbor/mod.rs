//! CBOR (RFC 8949): a pull reader of tokens and a writer of items.

mod read;
mod write;

pub(crate) use read::Cbor;
pub(crate) use write::CborWriter;
