//! Dates of signatures and of HTTP, numbers of DynamoDB, and base64 of checksums.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_checksums::Algorithm;
use fogbank_dynamodb::number::{Decimal, Number};
use fogbank_sigv4::AmzDate;
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
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    if let Some(algorithm) = Algorithm::from_header(name) {
        assert!(name.to_ascii_lowercase().ends_with(&algorithm.lower_name()));
        match algorithm.parse(value) {
            Some(bytes) => assert_eq!(STANDARD.encode(bytes), value),
            None => {
                let decoded = STANDARD.decode(value).map(|bytes| bytes.len());
                assert_ne!(decoded, Ok(algorithm.byte_len()));
            }
        }
    }
});
