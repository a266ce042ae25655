//! What others prove identities with: tokens, assertions, metadata and certificates.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_federation::certificates::Certificate;
use fogbank_federation::jwt::Token;
use fogbank_federation::saml::{Assertion, Metadata};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_795_208_709;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let _ = (certificate.public_key(), certificate.is_signed_by(&certificate));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Certificate::from_pem(text);
    let _ = Metadata::parse(text);
    assert!(Assertion::prove(&STANDARD.encode(text), "https://idp.example", &[], NOW).is_err());
    // A token, and after the first line break the keys of its provider.
    let (token, keys) = text.split_once('\n').unwrap_or((text, "{}"));
    if let Some(token) = Token::parse(token.trim()) {
        let _ = (token.time(NOW), token.text("sub"), token.texts("aud"));
        if let Ok(keys) = serde_json::from_str(keys) {
            let _ = (token.names_key_of(&keys), token.is_signed_by(&keys));
        }
    }
});
