//! The rules of S3 that need no store: names, ranges, conditions, tags and encodings.

use std::net::Ipv4Addr;
use std::ops::Range;

use fogbank_core::{Fault, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::model::Tag;

/// The longest key, in bytes of UTF-8.
pub(crate) const MAX_KEY_BYTES: usize = 1024;
/// The most that user metadata may take, in bytes of names and values.
pub(crate) const MAX_METADATA_BYTES: usize = 2048;
/// The largest body of one PutObject or UploadPart, in bytes.
pub(crate) const MAX_UPLOAD_BYTES: u64 = 5 << 30;
/// The smallest part but the last, in bytes.
pub(crate) const MIN_PART_BYTES: u64 = 5 << 20;
/// The largest object that CopyObject copies, in bytes.
pub(crate) const MAX_COPY_BYTES: u64 = 5 << 30;
/// The longest website redirect location, in bytes.
const MAX_REDIRECT_BYTES: usize = 2048;
/// The largest number of a part.
pub(crate) const MAX_PARTS: u16 = 10_000;

/// Whether a bucket may be created under this name.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const RESERVED_SUFFIXES: [&str; 6] =
        ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--xa-s3", "--table-s3"];
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_allowed = |byte: u8| is_edge(byte) || byte == b'.' || byte == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(is_allowed)
        && name.bytes().next().is_some_and(is_edge)
        && name.bytes().last().is_some_and(is_edge)
        && !["..", ".-", "-."].iter().any(|pair| name.contains(pair))
        && name.parse::<Ipv4Addr>().is_err()
        && !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Refuses keys that S3 cannot hold.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > MAX_KEY_BYTES {
        let (size, limit) = (key.len().to_string(), MAX_KEY_BYTES.to_string());
        return Err(Error::KeyTooLongError { size, limit });
    }
    Ok(())
}

/// Whether a region has a name that a region could have.
pub(crate) fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(is_word)
        && parts[0].len() == 2
        && parts
            .last()
            .is_some_and(|part| part.len() == 1 && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The canonical user id of an account: 64 hexadecimal digits.
pub(crate) fn canonical_id(account: &str) -> String {
    hex::encode(Sha256::digest(format!("canonical user {account}")))
}

/// The short customer id of an account, as events carry it.
pub(crate) fn customer_id(account: &str) -> String {
    let digits = Sha256::digest(format!("customer {account}"));
    let letters = digits.iter().take(13).map(|byte| match byte % 36 {
        digit @ 0..10 => (b'0' + digit) as char,
        letter => (b'A' + letter - 10) as char,
    });
    std::iter::once('A').chain(letters).collect()
}

/// The ETag of an object or part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ETag {
    /// The MD5 of the bytes, or of the parts' MD5s.
    pub(crate) md5: [u8; 16],
    /// The number of parts; zero for an object that was written at once.
    pub(crate) parts: u16,
}

impl ETag {
    /// The ETag of bytes with this MD5.
    pub(crate) fn plain(md5: [u8; 16]) -> ETag {
        ETag { md5, parts: 0 }
    }

    /// The text without quotes.
    pub(crate) fn bare(&self) -> String {
        match self.parts {
            0 => hex::encode(self.md5),
            parts => format!("{}-{parts}", hex::encode(self.md5)),
        }
    }

    /// The text in quotes, as headers have it.
    pub(crate) fn quoted(&self) -> String {
        if self.parts > 0 {
            return format!("\"{}\"", self.bare());
        }
        let mut text = [b'"'; 34];
        let _ = hex::encode_to_slice(self.md5, &mut text[1..33]);
        std::str::from_utf8(&text).unwrap_or_default().to_owned()
    }

    /// Whether a header such as `If-Match` names this ETag, with or without quotes, or any.
    pub(crate) fn is_named_by(&self, header: &str) -> bool {
        let bare = self.bare();
        header.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            tag == "*" || tag == bare
        })
    }
}

/// The conditions of a request upon an object that exists.
#[derive(Debug, Default)]
pub(crate) struct Conditions<'a> {
    pub(crate) if_match: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// The outcome of conditions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Holds,
    /// The client has this already.
    NotModified,
    /// This condition does not hold.
    Fails(&'static str),
}

impl Conditions<'_> {
    /// Evaluates the conditions in the order of RFC 9110: a condition on the ETag takes the place of one on the
    /// date. Dates in the future are ignored, as S3 does.
    pub(crate) fn evaluate(&self, e_tag: &ETag, modified: Timestamp, now: Timestamp) -> Verdict {
        let modified = modified.secs();
        if let Some(header) = self.if_match {
            if !e_tag.is_named_by(header) {
                return Verdict::Fails("If-Match");
            }
        } else if self.if_unmodified_since.is_some_and(|since| modified > since.secs()) {
            return Verdict::Fails("If-Unmodified-Since");
        }
        if let Some(header) = self.if_none_match {
            if e_tag.is_named_by(header) {
                return Verdict::NotModified;
            }
        } else if let Some(since) = self.if_modified_since
            && since <= now
            && modified <= since.secs()
        {
            return Verdict::NotModified;
        }
        Verdict::Holds
    }

    /// The name of the condition that made the object count as not modified.
    pub(crate) fn not_modified_by(&self) -> &'static str {
        if self.if_none_match.is_some() { "If-None-Match" } else { "If-Modified-Since" }
    }
}

/// The part of an object that a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: there is no range, or none that S3 understands.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that the object does not have.
    Unsatisfiable,
}

/// Reads a `Range` header for an object of `size` bytes. Several ranges, and ranges that are malformed, mean all.
pub(crate) fn range(header: &str, size: u64) -> Part {
    let Some((first, last)) =
        header.trim().strip_prefix("bytes=").and_then(|spec| spec.split_once('-'))
    else {
        return Part::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let Some(count) = number(last) else { return Part::Whole };
        return match count.min(size) {
            0 => Part::Unsatisfiable,
            count => Part::Bytes(size - count..size),
        };
    }
    let Some(first) = number(first) else { return Part::Whole };
    let last = match last {
        "" => u64::MAX,
        last => match number(last) {
            Some(last) if last >= first => last,
            _ => return Part::Whole,
        },
    };
    if first >= size {
        Part::Unsatisfiable
    } else {
        Part::Bytes(first..last.saturating_add(1).min(size))
    }
}

/// Reads `x-amz-copy-source-range`, which knows one form only: `bytes=first-last`.
pub(crate) fn copy_range(header: &str, size: u64) -> Result<Range<u64>, Error> {
    const NAME: &str = "x-amz-copy-source-range";
    let malformed = || {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
        Error::argument(NAME, header, message)
    };
    let (first, last) = header
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'))
        .ok_or_else(malformed)?;
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Err(malformed()) };
    if first > last {
        return Err(malformed());
    }
    if first >= size {
        return Err(Error::request(
            "The specified copy range is invalid for the source object size",
        ));
    }
    if last >= size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(Error::argument(NAME, header, message));
    }
    Ok(first..last + 1)
}

/// Digits only; a number beyond 64 bits is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// What stays as it is in keys on the wire.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// Encodes a key as listings with `encoding-type=url` and events have it: a space becomes a plus.
pub(crate) fn url_encode(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string().replace(' ', "+")
}

/// Decodes a query's name or value; nothing if it is not UTF-8.
pub(crate) fn form_decode(text: &str) -> Option<String> {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(Into::into)
}

/// Where an object is copied from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
}

/// Reads `x-amz-copy-source`: `bucket/key`, encoded, with an optional slash before and version after.
///
/// It is decoded as a query is: a plus means a space (aws/aws-cli#614), and some clients, such as s5cmd, so write spaces.
pub(crate) fn copy_source(header: &str) -> Result<Source, Error> {
    let wrong = |message: &str| Error::argument("x-amz-copy-source", "x-amz-copy-source", message);
    let (path, version_id) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version.to_owned())),
        None => (header, None),
    };
    if version_id.as_deref() == Some("") {
        let message = "Version id cannot be the empty string";
        return Err(Error::argument("x-amz-copy-source", "", message));
    }
    let path = form_decode(path).ok_or_else(|| wrong("Invalid copy source encoding."))?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) =
        path.split_once('/').ok_or_else(|| wrong("Invalid copy source object key"))?;
    if bucket.is_empty() {
        return Err(wrong("Invalid copy source bucket name"));
    }
    if key.is_empty() {
        return Err(wrong("Invalid copy source object key"));
    }
    Ok(Source { bucket: bucket.to_owned(), key: key.to_owned(), version_id })
}

/// Reads `x-amz-tagging`: tags as a query.
pub(crate) fn tagging_header(header: &str) -> Result<Vec<(String, String)>, Error> {
    let malformed = || {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.";
        Error::argument("x-amz-tagging", header, message)
    };
    let mut tags: Vec<(String, String)> = Vec::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // More than one `=` is how `a=1,b=2` shows.
        if value.contains('=') {
            return Err(malformed());
        }
        let (Some(key), Some(value)) = (form_decode(key), form_decode(value)) else {
            return Err(malformed());
        };
        if key.is_empty() || tags.iter().any(|(known, _)| *known == key) {
            return Err(malformed());
        }
        tags.push((key, value));
    }
    check_object_tags(&tags)?;
    // S3 shows tags of a header by their keys.
    tags.sort();
    Ok(tags)
}

/// Refuses tags that an object cannot bear.
pub(crate) fn check_object_tags(tags: &[(String, String)]) -> Result<(), Error> {
    if tags.len() > 10 {
        let message = "Object tags cannot be greater than 10".to_owned();
        return Err(Error::BadRequest { message });
    }
    check_tags(tags, "Your TagKey cannot be prefixed with aws:")
}

/// Refuses tags that a bucket cannot bear.
pub(crate) fn check_bucket_tags(tags: &[(String, String)]) -> Result<(), Error> {
    if tags.len() > 50 {
        let message = "Bucket tag count cannot be greater than 50".to_owned();
        return Err(Error::BadRequest { message });
    }
    check_tags(tags, "System tags cannot be added/updated by requester")
}

/// Refuses what no tag can be; `reserved` says so of keys that are AWS's own.
fn check_tags(tags: &[(String, String)], reserved: &str) -> Result<(), Error> {
    for (index, (key, value)) in tags.iter().enumerate() {
        let invalid =
            |message: &str| Error::InvalidTag { message: message.to_owned(), key: key.clone() };
        if key.starts_with("aws:") {
            return Err(invalid(reserved));
        }
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(is_tag_letter) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !value.chars().all(is_tag_letter) {
            let fault = Fault::from(invalid("The TagValue you have provided is invalid"));
            return Err(Error::Fault(fault.with("TagValue", value.as_str())));
        }
        if tags[..index].iter().any(|(known, _)| known == key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

fn is_tag_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter)
}

/// The model's tags as pairs.
pub(crate) fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// Pairs as the model's tags.
pub(crate) fn tags(pairs: Vec<(String, String)>) -> Vec<Tag> {
    pairs.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// Refuses storage classes that a bucket of general purpose does not have; nothing stands for `STANDARD`.
pub(crate) fn storage_class(class: Option<String>) -> Result<Option<String>, Error> {
    const CLASSES: [&str; 8] = [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    ];
    match class {
        Some(class) if !CLASSES.contains(&&*class) => Err(Error::InvalidStorageClass { class }),
        class => Ok(class.filter(|class| class != "STANDARD")),
    }
}

/// Refuses where no page can be redirected to.
pub(crate) fn redirect(location: Option<String>) -> Result<Option<String>, Error> {
    let refused = |message: &str| {
        let message = message.to_owned();
        Err(Error::InvalidRedirectLocation { message })
    };
    match &location {
        Some(to) if !["/", "http://", "https://"].iter().any(|start| to.starts_with(start)) => {
            refused(
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            )
        }
        Some(to) if to.len() > MAX_REDIRECT_BYTES => {
            refused("The length of website redirect location cannot exceed 2,048 characters.")
        }
        _ => Ok(location),
    }
}

/// Removes `aws-chunked` from a `Content-Encoding`: it encodes the request, not the object.
pub(crate) fn stored_encoding(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    if !encoding.contains("aws-chunked") {
        return Some(encoding);
    }
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// The common prefix under which a listing groups a key: up to and with the first delimiter after `prefix`.
pub(crate) fn group<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter?;
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

#[cfg(test)]
#[path = "tests/rules.rs"]
mod tests;
