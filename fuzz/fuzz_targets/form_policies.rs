//! Fields and policies of HTML forms that upload to S3.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_sigv4::post::{self, FormSignature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Fields are lines; what follows the empty line is the policy.
    let (fields, policy) = text.split_once("\n\n").unwrap_or((text, ""));
    let fields: Vec<_> = fields
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for policy in [policy.to_owned(), STANDARD.encode(policy)] {
        let _ = post::check(&policy, &fields, "bucket", 1_795_208_709);
        if let Ok(Some(signature)) = FormSignature::read(&fields) {
            assert!(signature.verify(&policy, "secret").is_err());
        }
    }
});
