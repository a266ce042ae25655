//! Tokens, responses and keys that other programs made (PyJWT, signxml, OpenSSL by way of cryptography), and what
//! forgers make of them.

mod certificates;
mod jwt;
mod saml;

/// The certificate of the provider that signed the fixtures.
const PROVIDER: &str = include_str!("provider.pem");
/// A certificate of somebody else.
const OTHER: &str = include_str!("other.pem");
