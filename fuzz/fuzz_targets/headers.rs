//! S3's ranges, sources of copies, tags and encoded words in headers, and manifests of Batch jobs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((size, rest)) = bytes.split_first() else { return };
    fogbank_s3control::parsers::read(rest, usize::from(*size));
    if let Ok(text) = std::str::from_utf8(rest) {
        fogbank_s3::parsers::read(text, u64::from(*size) << (size % 8));
    }
});
