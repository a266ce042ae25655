//! What all batches have in common.

use std::collections::HashSet;

use crate::error::Error;
use crate::model::{self, BatchResultErrorEntry};

/// Refuses a batch as a whole if it is empty, too long, or its entries' ids are bad.
pub(crate) fn check<'a>(
    entry: &'static str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), Error> {
    let count = ids.len();
    if count == 0 {
        return Err(Error::EmptyBatchRequest(entry));
    }
    if count > 10 {
        return Err(Error::TooManyEntriesInBatchRequest(count));
    }
    let mut seen = HashSet::new();
    for id in ids {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=80).contains(&id.len()) || !id.bytes().all(is_plain) {
            return Err(Error::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(Error::BatchEntryIdsNotDistinct(id.to_owned()));
        }
    }
    Ok(())
}

/// What a batch says of an entry that failed; an error of ours fails the whole batch instead.
pub(crate) fn failed(id: String, error: Error) -> Result<BatchResultErrorEntry, Error> {
    if matches!(error, Error::Fault(_)) {
        return Err(error);
    }
    // Observed: entries carry the query protocol's codes, in JSON too.
    let name = error.name();
    let code = model::SERVICE.error(name).map_or(name, |shape| shape.query_code).to_owned();
    Ok(BatchResultErrorEntry {
        id: Some(id),
        sender_fault: Some(true),
        code: Some(code),
        message: Some(error.to_string()),
    })
}

/// A list as AWS sends it: left out if it is empty.
pub(crate) fn unless_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ids: &[&str]) -> String {
        match check("SendMessageBatchRequestEntry", ids.iter().copied()) {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{}: {error}", error.name()),
        }
    }

    #[test]
    fn batches_have_rules() {
        assert_eq!(text(&["a", "b-1_"]), "fine");
        assert_eq!(
            text(&[]),
            "EmptyBatchRequest: There should be at least one SendMessageBatchRequestEntry in the request."
        );
        assert_eq!(text(&["a", "a"]), "BatchEntryIdsNotDistinct: Id a repeated.");
        assert!(text(&["a:b"]).starts_with("InvalidBatchEntryId: A batch entry id can only"));
        assert!(text(&[""]).starts_with("InvalidBatchEntryId"));
        assert!(text(&["x"; 11]).ends_with("10. You have sent 11."));
    }
}
