//! Signatures in headers and queries, of all versions: nothing verifies that nobody signed.
#![no_main]

use fogbank_fuzz::Message;
use fogbank_sigv4::{Options, PresignedV2, RequestView, Rules, SigningKey, parse, verify};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_795_208_709;

fuzz_target!(|bytes: &[u8]| {
    let Some(message) = Message::parse(bytes) else { return };
    let view = RequestView {
        method: message.method,
        raw_path: message.path(),
        raw_query: message.query(),
        host: "127.0.0.1:4566",
        headers: &message.headers,
    };
    if let Some(old) = PresignedV2::parse(&view) {
        assert!(old.verify(&view, None, "secret", NOW).is_err());
    }
    if let Ok(Some(presented)) = parse(&view) {
        let _ = (presented.day(), presented.region(), presented.service(), presented.scope());
        let key = SigningKey::of(&presented, "secret");
        for rules in [Rules::S3, Rules::Other] {
            assert!(verify(&presented, &view, &key, None, NOW, &Options::new(rules)).is_err());
        }
    }
});
