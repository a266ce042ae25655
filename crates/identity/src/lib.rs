//! Who a caller is and what it may do: access keys, principals, sessions and their policies.
//!
//! The rows that the gateway needs for every request live here, because IAM and STS write them and
//! the gateway reads them. Nothing else may depend on this crate.

mod directory;

pub use directory::{Credential, Directory, LookUp, Mode};
