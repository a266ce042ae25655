//! Dates of signatures and of HTTP, numbers of DynamoDB, and base64 of checksums.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_dynamodb::number::{Decimal, Number};
use fogbank_sigv4::AmzDate;
use fogbank_sigv4::checksums::Algorithm;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(date) = AmzDate::parse(bytes) {
        assert_eq!(date.as_str().as_bytes(), bytes);
    }
    let _ = AmzDate::parse_http(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(number) = Number::parse(text) {
        let again = Number::parse(number.as_str()).expect("a canonical number");
        assert_eq!(number.as_str(), again.as_str());
        let mut key = Vec::new();
        number.decimal().encode_key(&mut key);
        let (decimal, used) = Decimal::decode_key(&key).expect("a key");
        assert_eq!((decimal.to_number().as_str(), used), (number.as_str(), key.len()));
    }
    let _ = Decimal::decode_key(bytes);
    if let Some(algorithm) = Algorithm::from_name(text.get(..5).unwrap_or(text)) {
        let digest = text.get(5..).unwrap_or_default();
        let decoded = STANDARD.decode(digest).map(|bytes| bytes.len());
        assert_eq!(algorithm.is_valid(digest), decoded == Ok(algorithm.byte_len()));
    }
});
