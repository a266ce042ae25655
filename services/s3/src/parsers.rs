//! What reads headers that clients send, for those who try it with arbitrary ones.

use crate::encoded_words;
use crate::rules::{self, Part};

/// Reads a text as every header that it may be, and says what must hold of each.
pub fn read(text: &str, size: u64) {
    if let Part::Bytes(range) = rules::range(text, size) {
        assert!(range.start < range.end && range.end <= size, "{text}: {range:?} of {size}");
    }
    if let Ok(range) = rules::copy_range(text, size) {
        assert!(range.start < range.end && range.end <= size, "{text}: {range:?} of {size}");
    }
    if let Ok(source) = rules::copy_source(text) {
        assert!(!source.bucket.is_empty() && !source.key.is_empty(), "{text}");
    }
    if let Ok(tags) = rules::tagging_header(text) {
        assert!(tags.len() <= 10 && tags.is_sorted(), "{text}");
    }
    // What is encoded reads as it was.
    if let Some(encoded) = encoded_words::encode(text.to_owned())
        && encoded != text
    {
        assert_eq!(encoded_words::decode(encoded), text);
    }
    let _ = encoded_words::decode(text.to_owned());
    assert_eq!(rules::form_decode(&rules::url_encode(text)).as_deref(), Some(text));
}
