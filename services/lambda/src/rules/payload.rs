//! What an event may be: JSON, of a limited size.

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::error::Error;

/// The largest event of a synchronous invocation, in bytes.
pub(crate) const MAX_SYNC_BYTES: usize = 6 * 1024 * 1024;
/// The largest event of an asynchronous invocation, in bytes.
pub(crate) const MAX_ASYNC_BYTES: usize = 1024 * 1024;

/// Refuses an event that is too large or no JSON; nothing at all is an empty object.
pub(crate) fn check(payload: Option<Bytes>, is_async: bool) -> Result<Bytes, Error> {
    let payload = payload.filter(|payload| !payload.is_empty());
    let Some(payload) = payload else { return Ok(Bytes::from_static(b"{}")) };
    let limit = if is_async { MAX_ASYNC_BYTES } else { MAX_SYNC_BYTES };
    if payload.len() > limit {
        return Err(Error::RequestEntityTooLargeException(format!(
            "Request must be smaller than {limit} bytes for the InvokeFunction operation"
        )));
    }
    match std::str::from_utf8(&payload) {
        Ok(text) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Ok(payload),
            Err(error) => Err(refusal(&error, &payload)),
        },
        Err(error) => {
            let at = error.valid_up_to();
            let what = format!("Invalid UTF-8 start byte 0x{:02x}", payload[at]);
            let line = payload[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = at - start_of_line(&payload, line) + 2;
            Err(Error::InvalidRequestContentException(placed(&what, line, column)))
        }
    }
}

/// Words the parser's error as AWS's parser would.
fn refusal(error: &serde_json::Error, payload: &[u8]) -> Error {
    let (line, column) = (error.line(), error.column());
    let at = start_of_line(payload, line) + column.saturating_sub(1);
    let expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let what = match payload.get(at) {
        _ if error.is_eof() => "Unexpected end-of-input: expected close marker".to_owned(),
        Some(byte) if byte.is_ascii_alphabetic() => {
            let end = payload[at..].iter().position(|byte| !byte.is_ascii_alphanumeric());
            let token = &payload[at..end.map_or(payload.len(), |end| at + end)];
            let token = String::from_utf8_lossy(token);
            format!("Unrecognized token '{token}': was expecting {expected}")
        }
        Some(byte) if byte.is_ascii_graphic() => format!(
            "Unexpected character ('{}' (code {byte})): expected a valid value {expected}",
            char::from(*byte)
        ),
        Some(byte) => format!(
            "Unexpected character ((CTRL-CHAR, code {byte})): expected a valid value {expected}"
        ),
        None => "Unexpected end-of-input".to_owned(),
    };
    Error::InvalidRequestContentException(placed(&what, line, column))
}

fn start_of_line(payload: &[u8], line: usize) -> usize {
    let ends = payload.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    match line.checked_sub(2) {
        Some(before) => ends.map(|(at, _)| at + 1).nth(before).unwrap_or(0),
        None => 0,
    }
}

fn placed(what: &str, line: usize, column: usize) -> String {
    format!(
        "Could not parse payload into json: {what}\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); \
         line: {line}, column: {column}]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &'static [u8]) -> String {
        let outcome = check(Some(Bytes::from_static(payload)), false);
        outcome.map_or_else(|error| error.to_string(), |payload| format!("{payload:?}"))
    }

    #[test]
    fn every_json_value_is_an_event() {
        assert_eq!(check(None, true).expect("an event"), "{}");
        for payload in [&b"null"[..], b"1", b"\"x\"", b" [1, 2]\n", b"{\"a\": {}}"] {
            assert!(check(Some(Bytes::from_static(payload)), true).is_ok());
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(check(Some(deep.into()), false).is_ok());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        assert!(text(b"n\x87r").contains("Invalid UTF-8 start byte 0x87\n"));
        assert!(text(b"n\x87r").ends_with("line: 1, column: 3]"));
        assert!(text(b"hello there").contains("Unrecognized token 'hello'"));
        assert!(text(b"{\"a\": }").contains("Unexpected character ('}' (code 125))"));
        assert!(text(b"{\"a\": 1").contains("Unexpected end-of-input"));
        assert!(text(b"1 2").contains("line: 1, column: 3]"));
        assert!(text(b"{\n\"a\" \x01}").contains("CTRL-CHAR, code 1"));
    }

    #[test]
    fn sizes_are_limited() {
        let event = |len: usize| Some(Bytes::from(format!("\"{}\"", "x".repeat(len - 2))));
        assert!(check(event(MAX_ASYNC_BYTES), true).is_ok());
        assert!(check(event(MAX_ASYNC_BYTES + 1), true).is_err());
        assert!(check(event(MAX_SYNC_BYTES + 1), false).is_err());
    }
}
