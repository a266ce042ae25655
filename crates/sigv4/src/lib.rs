//! AWS Signature Version 4, seen from the server: finds the signature that a request presents, verifies it, and
//! verifies bodies that are signed chunk by chunk.
//!
//! The crate is pure. It knows the `http` crate's header map and nothing else of HTTP; it never waits, never reads a
//! clock (the caller passes Unix seconds) and never looks a key up. A request goes through it in three steps:
//!
//! 1. [`parse`] finds a signature in the `Authorization` header or in the query and checks its form.
//! 2. The caller looks up the secret of [`Presented::access_key_id`] and gets a key from its [`SigningKeyCache`].
//! 3. [`verify`] compares the signature, the time and the scope. [`Verified::chunked`] then gives the decoder for an
//!    `aws-chunked` body, [`Verified::check_body`] judges the hash of any other.
//!
//! Every failure is an [`Error`]; [`Error::render`] words it as the AWS service would, in S3's, the query protocol's,
//! JSON's or EC2's manner.
//!
//! Not here yet: SigV4A (`AWS4-ECDSA-P256-SHA256`) and browser POST policies. SigV2 is recognised and refused, as AWS
//! does.

mod canonical;
pub mod checksums;
mod chunked;
mod error;
mod key;
mod parse;
mod render;
pub mod sign;
mod time;
mod trailers;
mod verify;

pub use chunked::{ChunkedDecoder, Decoded, Framing};
pub use error::{CredentialFault, Error, HeaderFault, Mismatch, QueryFault};
pub use key::{SigningKey, SigningKeyCache};
pub use parse::{Payload, Presented, RequestView, Source, parse};
pub use render::{Rendered, Style};
pub use time::AmzDate;
pub use verify::{EMPTY_SHA256, Options, Rules, Verified, sha256_hex, verify};
