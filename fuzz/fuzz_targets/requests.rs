//! Whole requests to a whole cloud: hosts, paths, ranges, dates, forms and documents, up to the handlers and back.
#![no_main]

use std::cell::RefCell;

use fogbank_fuzz::{Message, Target};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static TARGET: RefCell<Option<Target>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    TARGET.with_borrow_mut(|slot| {
        if slot.as_ref().is_some_and(Target::is_worn) {
            *slot = None;
        }
        let target = slot.get_or_insert_with(Target::new);
        // Several requests may follow each other, so that the later find what the earlier left.
        let text = bytes.split(|byte| *byte == 0x1e).take(4);
        for message in text.filter_map(Message::parse) {
            target.send(message);
        }
    });
});
