//! The canonical request: what both sides hash, rebuilt from what came over the wire.

use http::HeaderValue;

use crate::parse::{RequestView, pieces};

/// So many headers are gone through, one after the other.
const FEW_HEADERS: usize = 24;

/// How a path is brought into canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathForm {
    /// As it is on the wire. S3 clients sign the bytes that they send.
    Raw,
    /// Decoded and encoded once. S3's own form, should a proxy or a browser have rewritten escapes.
    Single,
    /// Dot segments and empty segments removed, then encoded again. Every service but S3.
    NormalizedDouble,
    /// Encoded again, but not normalised: clients that leave `//` and `..` alone.
    Double,
}

/// How a query is brought into canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryForm {
    /// Each name and value decoded and encoded, then sorted. A `+` is a plus sign.
    Encoded,
    /// Sorted as it came: clients that sign the bytes that they send, such as botocore with a literal `+`.
    Raw,
}

/// All that goes into a canonical request.
#[derive(Clone, Copy)]
pub(crate) struct Canonical<'a> {
    pub(crate) request: &'a RequestView<'a>,
    pub(crate) signed_headers: &'a str,
    pub(crate) payload_hash: &'a str,
    /// Whether `X-Amz-Signature` is left out of the query.
    pub(crate) presigned: bool,
}

impl Canonical<'_> {
    /// Writes the canonical request to `out`, which is emptied first. Returns the first signed header that the request
    /// does not have, if any; it stands as an empty one.
    pub(crate) fn write(
        &self,
        path: PathForm,
        query: QueryForm,
        out: &mut Vec<u8>,
    ) -> Option<&str> {
        let mut absent = None;
        out.clear();
        out.extend_from_slice(self.request.method.as_bytes());
        out.push(b'\n');
        write_path(self.request.raw_path, path, out);
        out.push(b'\n');
        write_query(self.request.raw_query, query, self.presigned, out);
        out.push(b'\n');
        for name in pieces(self.signed_headers, b';') {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            if !write_header(self.request, name, out) {
                absent.get_or_insert(name);
            }
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.payload_hash.as_bytes());
        absent
    }
}

/// Writes a path in the given form; an empty path is `/`.
pub(crate) fn write_path(raw: &str, form: PathForm, out: &mut Vec<u8>) {
    let raw = if raw.is_empty() { "/" } else { raw };
    match form {
        PathForm::Raw => out.extend_from_slice(raw.as_bytes()),
        PathForm::Single => recode(raw.as_bytes(), true, out),
        PathForm::Double => encode(raw.as_bytes(), true, out),
        PathForm::NormalizedDouble if !needs_normalizing(raw) => encode(raw.as_bytes(), true, out),
        PathForm::NormalizedDouble => {
            for segment in normalized(raw) {
                out.push(b'/');
                encode(segment.as_bytes(), false, out);
            }
        }
    }
}

fn needs_normalizing(raw: &str) -> bool {
    !raw.starts_with('/')
        || raw.contains("//")
        || raw.split('/').any(|segment| segment == "." || segment == "..")
}

/// The segments that remain when empty ones and dot segments are resolved; a last, empty one stands for a final slash.
fn normalized(raw: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if raw.ends_with('/') || kept.is_empty() {
        kept.push("");
    }
    kept
}

fn write_query(raw: &str, form: QueryForm, presigned: bool, out: &mut Vec<u8>) {
    let pairs = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| !(presigned && *name == "X-Amz-Signature"));
    if form == QueryForm::Raw {
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable();
        for (at, (name, value)) in pairs.iter().enumerate() {
            write_pair(at, name.as_bytes(), value.as_bytes(), out);
        }
        return;
    }
    let mut pairs = pairs.peekable();
    let first = pairs.next();
    if let Some((name, value)) = first
        && pairs.peek().is_none()
    {
        recode(name.as_bytes(), false, out);
        out.push(b'=');
        return recode(value.as_bytes(), false, out);
    }
    // Encoded pairs lie one after another in `text`; what is sorted are their bounds.
    let mut text = Vec::with_capacity(raw.len() + raw.len() / 4);
    let mut bounds: Vec<(usize, usize, usize)> = Vec::new();
    for (name, value) in first.into_iter().chain(pairs) {
        let start = text.len();
        recode(name.as_bytes(), false, &mut text);
        let middle = text.len();
        recode(value.as_bytes(), false, &mut text);
        bounds.push((start, middle, text.len()));
    }
    let name_and_value =
        |&(start, middle, end): &(usize, usize, usize)| (&text[start..middle], &text[middle..end]);
    bounds.sort_unstable_by(|a, b| name_and_value(a).cmp(&name_and_value(b)));
    for (at, bound) in bounds.iter().enumerate() {
        let (name, value) = name_and_value(bound);
        write_pair(at, name, value, out);
    }
}

fn write_pair(at: usize, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b'&');
    }
    out.extend_from_slice(name);
    out.push(b'=');
    out.extend_from_slice(value);
}

/// Writes a header's values, trimmed, with runs of blanks folded, joined by commas. Whether the header is there.
fn write_header(request: &RequestView<'_>, name: &str, out: &mut Vec<u8>) -> bool {
    if is_host(name) {
        fold(request.host.as_bytes(), out);
        return true;
    }
    // To go through a few headers costs less than to parse a name and look for it.
    if request.headers.len() <= FEW_HEADERS && name.bytes().all(|byte| !byte.is_ascii_uppercase()) {
        let all = request.headers.iter();
        let named = all.filter(|(known, _)| known.as_str() == name).map(|(_, value)| value);
        return write_values(named, out);
    }
    write_values(request.headers.get_all(name).iter(), out)
}

fn write_values<'v>(values: impl Iterator<Item = &'v HeaderValue>, out: &mut Vec<u8>) -> bool {
    let mut there = false;
    for value in values {
        if there {
            out.push(b',');
        }
        there = true;
        fold(value.as_bytes(), out);
    }
    there
}

/// Whether a signed header is the host, which HTTP/2 carries outside the headers.
pub(crate) fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name == ":authority"
}

fn fold(value: &[u8], out: &mut Vec<u8>) {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let value = value.trim_ascii();
    // Most values have no blank, which is found out many bytes at a time.
    let has_blank = value.iter().fold(false, |found, byte| found | blank(byte));
    let simple =
        !has_blank || (!value.contains(&b'\t') && value.windows(2).all(|pair| pair != b"  "));
    if simple {
        return out.extend_from_slice(value);
    }
    let words = value.split(blank).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters, and slashes where `keep_slash` says so.
pub(crate) fn encode(text: &[u8], keep_slash: bool, out: &mut Vec<u8>) {
    for &byte in text {
        push_encoded(byte, keep_slash, out);
    }
}

/// Percent-decodes, then encodes: the one spelling that all spellings of a text share.
fn recode(text: &[u8], keep_slash: bool, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match escaped(rest) {
            Some(decoded) => (decoded, &rest[3..]),
            None => (byte, after),
        };
        push_encoded(byte, keep_slash, out);
        rest = after;
    }
}

fn push_encoded(byte: u8, keep_slash: bool, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'~')
        || (keep_slash && byte == b'/')
    {
        return out.push(byte);
    }
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// The byte that a text's first three characters stand for, when they are a percent escape.
fn escaped(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Percent-decodes a query value; borrowed when there is nothing to decode, `None` when the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        match escaped(rest) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &rest[3..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str, form: PathForm) -> String {
        let mut out = Vec::new();
        write_path(raw, form, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn query(raw: &str, form: QueryForm) -> String {
        let mut out = Vec::new();
        write_query(raw, form, true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn other_services_normalise_and_encode_twice() {
        // The get-relative, get-slash, get-slashes and get-space cases of AWS's signing test suite, and more.
        for (raw, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/example/..", "/"),
            ("/example1/example2/../..", "/"),
            ("//", "/"),
            ("//example//", "/example/"),
            ("/./example", "/example"),
            ("/./", "/"),
            ("/../../a", "/a"),
            ("/example space/", "/example%20space/"),
            ("/a%20b/c", "/a%2520b/c"),
            ("/\u{1234}", "/%E1%88%B4"),
            ("/-_.~", "/-_.~"),
            ("/a/.b/c..", "/a/.b/c.."),
        ] {
            assert_eq!(path(raw, PathForm::NormalizedDouble), canonical, "{raw}");
        }
        assert_eq!(path("//a/../b", PathForm::Double), "//a/../b");
    }

    #[test]
    fn s3_paths_are_encoded_once_and_never_normalised() {
        for (raw, canonical) in [
            ("/a//b/../c/.", "/a//b/../c/."),
            ("/a%20b", "/a%20b"),
            ("/a b+c", "/a%20b%2Bc"),
            ("/%7euser/%e1%88%b4", "/~user/%E1%88%B4"),
            ("/100%", "/100%25"),
        ] {
            assert_eq!(path(raw, PathForm::Single), canonical, "{raw}");
            assert_eq!(path(raw, PathForm::Raw), raw);
        }
    }

    #[test]
    fn queries_are_sorted_by_what_is_encoded() {
        for (raw, canonical) in [
            ("", ""),
            ("acl", "acl="),
            ("b=1&a=2&&a=1", "a=1&a=2&b=1"),
            ("a=b&a-c=d", "a=b&a-c=d"),
            ("Param-3=x&Param=y&%40a=z", "%40a=z&Param=y&Param-3=x"),
            ("a=x+y&b=%2b&c=%7E", "a=x%2By&b=%2B&c=~"),
            ("a=b=c", "a=b%3Dc"),
            ("X-Amz-Signature=f&X-Amz-Date=d", "X-Amz-Date=d"),
            ("a=%zz&b=%4", "a=%25zz&b=%254"),
        ] {
            assert_eq!(query(raw, QueryForm::Encoded), canonical, "{raw}");
        }
        assert_eq!(query("b=x+y&a", QueryForm::Raw), "a=&b=x+y");
    }

    #[test]
    fn blanks_are_folded() {
        for (raw, folded) in [
            ("  a   b   c  ", "a b c"),
            ("\ta \t b", "a b"),
            ("\"a   b   c\"", "\"a b c\""),
            ("", ""),
            ("  ", ""),
            ("a b", "a b"),
        ] {
            let mut out = Vec::new();
            fold(raw.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), folded, "{raw:?}");
        }
    }

    #[test]
    fn values_are_decoded() {
        assert_eq!(decode("a%2Fb+c").as_deref(), Some("a/b+c"));
        assert_eq!(decode("a%2"), Some("a%2".into()));
        assert_eq!(decode("%ff"), None);
    }
}
