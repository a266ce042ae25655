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
//! ```
//! use fogbank_sigv4::{Options, RequestView, Rules, SigningKeyCache, parse, sha256_hex, sign::Signer, verify};
//! # use http::HeaderMap;
//! # let now = 1_795_208_709;
//! # let signer = Signer { access_key_id: "test", secret: "test", session_token: None, region: "us-east-1",
//! #     service: "sqs", rules: Rules::Other };
//! # let (mut headers, none) = (HeaderMap::new(), HeaderMap::new());
//! # let view = RequestView { method: "POST", raw_path: "/", raw_query: "", host: "127.0.0.1:4566", headers: &none };
//! # signer.sign(&view, &mut headers, &sha256_hex(b"{}"), now).unwrap();
//! let keys = SigningKeyCache::default();
//! let request = RequestView {
//!     method: "POST", raw_path: "/", raw_query: "", host: "127.0.0.1:4566", headers: &headers,
//! };
//! let presented = parse(&request)?.expect("the request is signed");
//! let secret = "test"; // of presented.access_key_id()
//! let key = keys.key(&presented, secret);
//! verify(&presented, &request, &key, Some(&sha256_hex(b"{}")), now, &Options::new(Rules::Other))?;
//! # Ok::<(), fogbank_sigv4::Error>(())
//! ```
//!
//! SigV4A (`AWS4-ECDSA-P256-SHA256`) goes the same way: [`Presented::algorithm`] tells, and the cache derives a key of
//! the right kind. [`Verified::events`] verifies the messages of an event stream, [`post`] the policies of HTML forms.
//! Of SigV2 only presigned requests are known ([`PresignedV2`]), which S3 still takes; all else is refused with
//! [`Error::SigV2`].

mod asymmetric;
mod canonical;
mod chunked;
mod error;
mod events;
mod key;
mod parse;
pub mod post;
mod render;
pub mod sign;
mod time;
mod trailers;
mod verify;
mod version2;

pub use chunked::{ChunkedDecoder, Decoded, Framing};
pub use error::{CredentialFault, Error, HeaderFault, Mismatch, QueryFault};
pub use events::{EventChain, SignedEvent};
pub use key::{SigningKey, SigningKeyCache};
pub use parse::{Algorithm, Payload, Presented, RequestView, Source, parse};
pub use render::{Rendered, Style};
pub use time::AmzDate;
pub use verify::{EMPTY_SHA256, Lifetime, Options, Rules, Verified, sha256_hex, verify};
pub use version2::PresignedV2;
