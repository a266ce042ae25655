//! What GetObject and HeadObject have in common: conditions, ranges, parts and the headers of the answer.

use std::ops::Range;
use std::sync::Arc;

use fogbank_core::store::BlobId;
use fogbank_core::{Body, ReadTx, Timestamp, Tx};

use crate::checksums::Checksum;
use crate::ciphers::{self, CustomerKey, Locked, Stretch};
use crate::error::Error;
use crate::lifecycle;
use crate::model::RequestCharged;
use crate::opened::{self, OpenedBodies};
use crate::payment;
use crate::rules::{self, Conditions, Part, Verdict};
use crate::store::{self, Object, PARTS};
use crate::versions;

/// What a read asks for.
pub(crate) struct Asked<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version_id: Option<&'a str>,
    pub(crate) expected_owner: Option<&'a str>,
    pub(crate) conditions: Conditions<'a>,
    pub(crate) range: Option<&'a str>,
    pub(crate) part_number: Option<i32>,
    pub(crate) payer: Option<&'a str>,
    pub(crate) wants_checksum: bool,
    pub(crate) customer_key: Option<CustomerKey>,
    /// Whether headers of the answer are replaced, which only those who sign may ask.
    pub(crate) overrides: bool,
}

/// The input of GetObject or HeadObject as what it asks for.
macro_rules! asked {
    ($input:ident) => {
        crate::reads::Asked {
            bucket: &$input.bucket,
            key: &$input.key,
            version_id: $input.version_id.as_deref(),
            expected_owner: $input.expected_bucket_owner.as_deref(),
            conditions: crate::rules::Conditions {
                if_match: $input.if_match.as_deref(),
                if_none_match: $input.if_none_match.as_deref(),
                if_modified_since: $input.if_modified_since,
                if_unmodified_since: $input.if_unmodified_since,
            },
            range: $input.range.as_deref(),
            part_number: $input.part_number,
            payer: $input.request_payer.as_deref(),
            customer_key: crate::ciphers::CustomerKey::read(crate::ciphers::Headers {
                algorithm: $input.sse_customer_algorithm.as_deref(),
                key: $input.sse_customer_key.as_deref(),
                md5: $input.sse_customer_key_md5.as_deref(),
            })?,
            wants_checksum: $input.checksum_mode.as_deref() == Some("ENABLED"),
            overrides: $input.response_cache_control.is_some()
                || $input.response_content_disposition.is_some()
                || $input.response_content_encoding.is_some()
                || $input.response_content_language.is_some()
                || $input.response_content_type.is_some()
                || $input.response_expires.is_some(),
        }
    };
}

/// The answer of GetObject or HeadObject, without a body.
macro_rules! answer {
    ($output:ident, $input:ident, $found:ident, $now:expr) => {{
        let crate::reads::Found { object, content, checksum, parts_count, restore, charged } =
            $found;
        let version_id = object.version_id();
        let crate::store::Object { listed, headers, metadata, tags, more, .. } = object;
        let more = more.map(|more| *more).unwrap_or_default();
        let (metadata, missing_meta) = crate::metadata::told(metadata);
        let (object_lock_event_hold, duration) = crate::holds::told(more.retention);
        let mut output = $output {
            status_code: content.range.is_some().then_some(206),
            accept_ranges: Some("bytes".to_owned()),
            last_modified: Some(listed.modified()),
            content_length: i64::try_from(content.len(listed.size)).ok(),
            content_range: content.header(listed.size),
            e_tag: Some(listed.e_tag.quoted()),
            cache_control: $input.response_cache_control.or(headers.cache_control),
            content_disposition: $input
                .response_content_disposition
                .or(headers.content_disposition),
            content_encoding: $input.response_content_encoding.or(headers.content_encoding),
            content_language: $input.response_content_language.or(headers.content_language),
            content_type: $input
                .response_content_type
                .or(headers.content_type)
                .or_else(|| Some("binary/octet-stream".to_owned())),
            expires: $input.response_expires.map(crate::reads::http_date).or(headers.expires),
            website_redirect_location: headers.website_redirect,
            metadata: Some(metadata),
            missing_meta,
            storage_class: listed.storage_class,
            restore,
            request_charged: charged,
            version_id,
            object_lock_mode: more.retention.map(|retention| retention.mode_name().to_owned()),
            object_lock_retain_until_date: more
                .retention
                .map(|retention| fogbank_core::Timestamp::from_millis(retention.end_millis($now))),
            object_lock_event_hold,
            object_lock_event_hold_duration_days: duration.days,
            object_lock_event_hold_duration_years: duration.years,
            object_lock_legal_hold_status: more.legal_hold.then(|| "ON".to_owned()),
            replication_status: crate::replication::told(&more),
            parts_count,
            tag_count: i32::try_from(tags.len()).ok().filter(|count| *count > 0),
            ..$output::default()
        };
        crate::encryption::tell!(output, more.encryption.as_ref());
        if let Some(checksum) = checksum {
            use crate::checksums::Checksums;
            // The checksum of a part is no checksum of checksums.
            let text = checksum.text(listed.e_tag.parts);
            output.set_checksum(checksum.algorithm, text);
            let of_object = listed.checksum.as_ref().unwrap_or(&checksum);
            output.checksum_type = Some(of_object.type_name().to_owned());
        }
        output
    }};
}

pub(crate) use {answer, asked};

/// An object, and what of it is to be answered.
pub(crate) struct Found {
    pub(crate) object: Object,
    pub(crate) content: Content,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) parts_count: Option<i32>,
    /// `x-amz-restore`.
    pub(crate) restore: Option<String>,
    /// `x-amz-request-charged`.
    pub(crate) charged: Option<RequestCharged>,
}

/// The bytes to be answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// A part of the object; none for all of it.
    pub(crate) range: Option<Range<u64>>,
    /// Whether the client has it already.
    pub(crate) is_unchanged: bool,
}

impl Content {
    /// All of the object.
    const WHOLE: Content = Content { range: None, is_unchanged: false };

    fn of(range: Range<u64>) -> Content {
        Content { range: Some(range), is_unchanged: false }
    }

    /// The number of bytes.
    pub(crate) fn len(&self, size: u64) -> u64 {
        self.range.as_ref().map_or(size, |range| range.end - range.start)
    }

    /// `Content-Range`.
    pub(crate) fn header(&self, size: u64) -> Option<String> {
        let range = self.range.as_ref().filter(|range| !range.is_empty())?;
        Some(format!("bytes {}-{}/{size}", range.start, range.end - 1))
    }
}

/// Finds the object and what of it is asked for.
pub(crate) fn find(tx: &ReadTx<'_>, asked: &Asked<'_>) -> Result<Found, Error> {
    if asked.overrides && tx.request().principal.is_anonymous() {
        let message =
            "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(Error::request(message));
    }
    if asked.range.is_some() && asked.part_number.is_some() {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(Error::request(message));
    }
    if asked.expected_owner.is_some() {
        store::expected_bucket(tx, asked.bucket, asked.expected_owner)?;
    }
    let object = versions::read(tx, (asked.bucket, asked.key), asked.version_id)?;
    ciphers::check(&object, asked.customer_key.as_ref())?;
    let listed = &object.listed;
    let restore = listed.restore_header(tx.now());
    let charged = payment::charged_by_name(tx, asked.bucket, asked.payer)?;
    match asked.conditions.evaluate(&listed.e_tag, listed.modified(), tx.now()) {
        Verdict::Holds => {}
        Verdict::Fails(condition) => {
            return Err(Error::PreconditionFailed { condition: condition.to_owned() });
        }
        Verdict::NotModified => {
            let content = Content { range: None, is_unchanged: true };
            return Ok(Found {
                object,
                content,
                checksum: None,
                parts_count: None,
                restore,
                charged,
            });
        }
    }
    if let Some(number) = asked.part_number {
        return part(tx, asked, object, number);
    }
    let content = match asked.range.map_or(Part::Whole, |range| rules::range(range, listed.size)) {
        Part::Whole => Content::WHOLE,
        Part::Bytes(range) => Content::of(range),
        Part::Unsatisfiable => {
            let requested = asked.range.unwrap_or_default().to_owned();
            return Err(Error::InvalidRange { requested, size: listed.size.to_string() });
        }
    };
    let checksum = match &content.range {
        _ if !asked.wants_checksum => None,
        None => listed.checksum.clone(),
        Some(range) => checksum_of_range(tx, &object, range)?,
    };
    Ok(Found { object, content, checksum, parts_count: None, restore, charged })
}

/// Finds one of the parts in which the object was uploaded.
fn part(tx: &ReadTx<'_>, asked: &Asked<'_>, object: Object, number: i32) -> Result<Found, Error> {
    let Some(number) = u16::try_from(number).ok().filter(|n| (1..=rules::MAX_PARTS).contains(n))
    else {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(Error::argument("partNumber", number, message));
    };
    let restore = object.listed.restore_header(tx.now());
    let charged = payment::charged_by_name(tx, asked.bucket, asked.payer)?;
    let Some(parts) = &object.parts else {
        if number != 1 {
            return Err(no_part(1, number));
        }
        let size = object.listed.size;
        let content = if size == 0 { Content::WHOLE } else { Content::of(0..size) };
        let checksum = object.listed.checksum.clone().filter(|_| asked.wants_checksum);
        return Ok(Found { object, content, checksum, parts_count: None, restore, charged });
    };
    let count = object.listed.e_tag.parts;
    let Some(bytes) = parts.bytes(number) else { return Err(no_part(count, number)) };
    let checksum = match asked.wants_checksum {
        true => checksum_of_part(tx, &object, (parts.number, number))?,
        false => None,
    };
    let content = Content::of(bytes);
    Ok(Found { object, content, checksum, parts_count: Some(i32::from(count)), restore, charged })
}

/// The checksum of one of the object's parts: S3 tells it only if that of the object is made of it, or if it is the only one.
fn checksum_of_part(
    tx: &ReadTx<'_>,
    object: &Object,
    part: (u64, u16),
) -> Result<Option<Checksum>, Error> {
    let Some(of_object) = &object.listed.checksum else { return Ok(None) };
    if !of_object.is_composite {
        let is_only = object.listed.e_tag.parts == 1;
        return Ok(is_only.then(|| of_object.clone()));
    }
    let checksum = PARTS.get(tx, &part)?.map(|part| part.checksum);
    Ok(checksum.filter(|checksum| checksum.algorithm == of_object.algorithm))
}

/// The checksum of a range that is one of the object's parts, or all of the object. S3 tells none of any other range.
fn checksum_of_range(
    tx: &ReadTx<'_>,
    object: &Object,
    range: &Range<u64>,
) -> Result<Option<Checksum>, Error> {
    let whole = object.listed.checksum.as_ref().filter(|checksum| !checksum.is_composite);
    if whole.is_some() && *range == (0..object.listed.size) {
        return Ok(whole.cloned());
    }
    let Some(parts) = &object.parts else { return Ok(None) };
    match parts.covering(range) {
        Some((first, last, _)) if first == last && parts.bytes(first).as_ref() == Some(range) => {
            checksum_of_part(tx, object, (parts.number, first))
        }
        _ => Ok(None),
    }
}

fn no_part(actual: u16, requested: u16) -> Error {
    Error::InvalidPartNumber { actual: actual.to_string(), requested: requested.to_string() }
}

/// The bytes that are asked for.
pub(crate) enum Stored {
    /// They were in the row.
    Here(Body),
    /// They lie in the store, maybe encrypted. What is named is to be kept once it is read.
    Locked(Box<Locked>, Option<Kept>),
}

/// Where a body is kept, and by which name.
type Kept = (Arc<OpenedBodies>, BlobId);

/// Finds the bytes that are asked for.
pub(crate) fn content(tx: &ReadTx<'_>, found: &Found) -> Result<Stored, Error> {
    let size = found.object.listed.size;
    let range = found.content.range.clone().unwrap_or(0..size);
    if range.is_empty() || found.content.is_unchanged {
        return Ok(Stored::Here(Body::empty()));
    }
    let stored = store::body(tx, &found.object, range)?;
    let range = &stored.range;
    if let ([blob], [(stretch, _)]) = (&stored.blobs[..], &stored.stretches[..])
        && let Some(bytes) = blob.as_inline()
        && let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end))
        && end <= bytes.len()
    {
        match stretch {
            Stretch::Plain => return Ok(Stored::Here(bytes.slice(start..end).into())),
            Stretch::Managed(nonce) => {
                let few = ciphers::open_few(tx.cx(), nonce, &bytes[start..end], range.start);
                return Ok(Stored::Here(few.into()));
            }
            Stretch::Keyed(_) => {}
        }
    }
    let mut kept = None;
    if let Some(id) = opened::name(&found.object, &stored)
        && let Some(opened) = opened::of(tx.cx())
    {
        if let Some(body) = opened.get(id, range) {
            return Ok(Stored::Here(body));
        }
        let is_kept = *range == (0..size) && opened.is_read_again(id, size);
        kept = is_kept.then_some((opened, id));
    }
    Ok(Stored::Locked(Box::new(Locked::new(tx.cx(), &stored)?), kept))
}

/// `x-amz-expiration`, if a lifecycle lets the object that is read expire.
pub(crate) fn expiration(
    tx: &ReadTx<'_>,
    asked: &Asked<'_>,
    found: &Found,
) -> Result<Option<String>, Error> {
    let at = (asked.bucket, asked.key);
    lifecycle::expiration_of_read(tx, at, asked.version_id, &found.object)
}

/// A time as headers have it.
pub(crate) fn http_date(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.millis())
        .map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}
