//! CloudWatch's expressions, searches, rules of composite alarms and statistics, read and reckoned.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        fogbank_cloudwatch::parsers::read(text);
    }
});
