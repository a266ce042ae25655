//! Whole requests to a whole cloud: hosts, paths, ranges, dates, forms and documents, up to the handlers and back.
#![no_main]

use std::sync::{Mutex, PoisonError};

use fogbank_fuzz::{Message, Target};
use libfuzzer_sys::fuzz_target;

// A static is not dropped when the process ends, which a runtime does not bear so late.
static TARGET: Mutex<Option<Target>> = Mutex::new(None);

fuzz_target!(|bytes: &[u8]| {
    let mut slot = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.as_ref().is_some_and(Target::is_worn) {
        *slot = None;
    }
    let target = slot.get_or_insert_with(Target::new);
    // Several requests may follow each other, so that the later find what the earlier left.
    let messages = bytes.split(|byte| *byte == 0x1e).take(4);
    for message in messages.filter_map(Message::parse) {
        target.send(message);
    }
});
