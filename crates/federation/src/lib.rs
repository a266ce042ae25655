//! What other parties prove: certificates, the tokens of OpenID Connect providers and the assertions of SAML providers.
//!
//! Everything here is pure: it takes bytes, keys and the time, and knows no rows, clocks or sockets. All of it comes from
//! outside, so that nothing panics, sizes and depths are bounded, and what is not understood is refused.

pub mod certificates;
pub mod der;
pub mod issuing;
pub mod jwt;
mod keys;
pub mod saml;
mod signature;
mod xml;

#[cfg(test)]
mod tests;
