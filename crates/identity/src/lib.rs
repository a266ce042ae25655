//! Who a caller is and what it may do: access keys, principals, sessions and their policies.
//!
//! The rows that the gateway needs for every request live here, because IAM and STS write them and
//! the gateway reads them. S3 makes sessions with its directory buckets. Little else may depend on this crate.
//!
//! [`Directory`] is the gateway's door: it finds the owner of an access key and decides calls. [`Identities`] is what
//! a process remembers of the rows, compiled; [`rows`] are the rows themselves; [`trust`] decides who may assume a role.
//!
//! [`mfa`] judges the codes of MFA devices.
//!
//! What is missing: federation.

pub mod bucket_sessions;
mod decisions;
mod directory;
mod documents;
mod identities;
pub mod keys;
mod last_use;
pub mod managed;
pub mod mfa;
pub mod organizations;
mod places;
mod root;
pub mod rows;
mod target;
pub mod totp;
pub mod trust;

#[cfg(test)]
mod tests;

pub use decisions::{
    Enforcement, FindTags, KeptDecisions, Observed, TagsOf, decode as decode_authorization_message,
    encode as encode_authorization_message,
};
pub use directory::{Credential, Directory, LookUp, Mode};
pub use identities::Identities;
pub use last_use::LastUses;
pub use root::carry;
