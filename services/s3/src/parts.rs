//! Parts of multipart uploads: store, copy and list them.

use std::ops::Range;

use fogbank_core::{Cx, ReadTx, Timestamp, Tx, root_key};

use crate::bodies::{self, Promise, Received};
use crate::checksums::{Algorithm, Checksums, type_name};
use crate::ciphers::{self, BodyKey, CustomerKey, Locked, Sealer};
use crate::copies::{self, SourceConditions};
use crate::encryption;
use crate::error::Error;
use crate::lifecycle;
use crate::listing;
use crate::model::{
    CopyPartResult, ListPartsInput, ListPartsOutput, Part as ListedPart, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use crate::payment;
use crate::rules::{self, ETag, MAX_PARTS};
use crate::store::{self, Encryption, PARTS, Part, Upload};
use crate::uploads;

/// Where a part belongs.
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
    upload_id: &'a str,
    number: u16,
    expected_owner: Option<&'a str>,
}

impl Place<'_> {
    /// The upload, if it is still there.
    fn upload(&self, tx: &(impl Tx + ?Sized)) -> Result<Upload, Error> {
        let bucket = store::expected_bucket(tx, self.bucket, self.expected_owner)?;
        store::upload(tx, &bucket, self.key, self.upload_id)
    }

    /// The key with which parts of the upload are encrypted.
    async fn key(
        &self,
        cx: &Cx,
        upload: &Upload,
        customer_key: Option<&CustomerKey>,
    ) -> Result<Option<BodyKey>, Error> {
        let at = (self.bucket, self.key);
        match upload.encryption() {
            None => Ok(None),
            encryption => encryption::open(cx, at, encryption, customer_key).await,
        }
    }

    /// Keeps a part in place of the one that had its number.
    async fn keep(&self, cx: &Cx, received: Received) -> Result<Part, Error> {
        let part = Part {
            size: received.size,
            md5: received.md5,
            modified_millis: cx.request().now.millis(),
            crc64nvme: received.crc64nvme,
            checksum: received.checksum,
            nonce: received.nonce,
            body: received.body,
        };
        cx.write(|tx| {
            let at = (self.upload(tx)?.number, self.number);
            if let Some(old) = PARTS.get(tx, &at)? {
                store::delete_part(tx, at, &old)?;
            }
            root_key::keep_word(tx)?;
            Ok::<_, Error>(PARTS.put(tx, &at, &part)?)
        })
        .await?;
        Ok(part)
    }
}

/// Reads a part's number.
fn number(given: i32) -> Result<u16, Error> {
    u16::try_from(given).ok().filter(|number| (1..=MAX_PARTS).contains(number)).ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        Error::argument("partNumber", given, message)
    })
}

/// Refuses a part whose checksum is of another algorithm than that of its upload.
fn check_algorithm(upload: &Upload, given: Option<Algorithm>) -> Result<(), Error> {
    let Some((expected, is_composite)) = upload.checksum else { return Ok(()) };
    // S3 computes what the client leaves out, unless the completion must name it.
    if given == Some(expected) || (given.is_none() && !is_composite) {
        return Ok(());
    }
    let name = |algorithm: Option<Algorithm>| {
        algorithm.map_or_else(|| "null".to_owned(), Algorithm::lower_name)
    };
    Err(Error::request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(Some(expected)),
        name(given)
    )))
}

/// The key of the customer that a request brings.
macro_rules! customer_key {
    ($input:ident) => {
        crate::ciphers::CustomerKey::read(crate::ciphers::Headers {
            algorithm: $input.sse_customer_algorithm.as_deref(),
            key: $input.sse_customer_key.as_deref(),
            md5: $input.sse_customer_key_md5.as_deref(),
        })?
    };
}

pub(crate) use customer_key;

/// Refuses a part, or a completion, whose key is not that of its upload.
pub(crate) fn check_key(upload: &Upload, key: Option<&CustomerKey>) -> Result<(), Error> {
    let message = match (upload.encryption(), key) {
        (None | Some(Encryption::Kms(_)), None) => return Ok(()),
        (Some(Encryption::Customer { key_md5, .. }), Some(key)) if key.has_md5(key_md5) => {
            return Ok(());
        }
        (Some(Encryption::Customer { .. }), Some(_)) => {
            "The provided encryption parameters did not match the ones used originally."
        }
        (Some(Encryption::Customer { .. }), None) => {
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters."
        }
        (None | Some(Encryption::Kms(_)), Some(_)) => {
            "The multipart upload initiate did not request encryption. Subsequent part requests must not include encryption parameters."
        }
    };
    Err(Error::request(message))
}

/// Stores a part.
pub(crate) async fn upload(cx: &Cx, mut input: UploadPartInput) -> Result<UploadPartOutput, Error> {
    let key = customer_key!(input);
    let body = std::mem::take(&mut input.body);
    let (md5, algorithm) = (input.content_md5.as_deref(), input.checksum_algorithm.as_deref());
    let promise = Promise::read(&input, &body, md5, algorithm)?;
    let place = Place {
        bucket: &input.bucket,
        key: &input.key,
        upload_id: &input.upload_id,
        number: number(input.part_number)?,
        expected_owner: input.expected_bucket_owner.as_deref(),
    };
    let upload = cx.read(|tx| place.upload(tx))?;
    check_key(&upload, key.as_ref())?;
    let locks = upload.more.as_ref().is_some_and(|m| m.retention.is_some() || m.legal_hold);
    promise.check_lock(cx, locks, "Put Part")?;
    let body_key = place.key(cx, &upload, key.as_ref()).await?;
    let sealer = Sealer::new(cx, body_key);
    // An algorithm that is named only behind the body is checked there.
    let is_open = promise.algorithm().is_none() && body.trailers().is_some();
    if !is_open {
        check_algorithm(&upload, promise.algorithm())?;
    }
    let promise = promise.or_wish(upload.checksum.map(|(algorithm, _)| algorithm));
    let received = bodies::receive(cx, body, input.content_length, promise, sealer).await?;
    if is_open {
        let given = received.is_promised.then_some(received.checksum.algorithm);
        check_algorithm(&upload, given)?;
    }
    let tells = received.is_promised || upload.checksum.is_some();
    let part = place.keep(cx, received).await?;
    let payer = input.request_payer.as_deref();
    let mut output = UploadPartOutput {
        request_charged: payment::charged_after(cx, &input.bucket, payer)?,
        e_tag: Some(ETag::plain(part.md5).quoted()),
        ..UploadPartOutput::default()
    };
    encryption::tell!(output, upload.encryption());
    if tells {
        output.set_checksum(part.checksum.algorithm, part.checksum.text(0));
    }
    Ok(output)
}

/// Stores a part that is read from an object.
pub(crate) async fn copy(
    cx: &Cx,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput, Error> {
    let key = customer_key!(input);
    let source_key = copies::source_key!(input);
    let source = rules::copy_source(&input.copy_source)?;
    let place = Place {
        bucket: &input.bucket,
        key: &input.key,
        upload_id: &input.upload_id,
        number: number(input.part_number)?,
        expected_owner: input.expected_bucket_owner.as_deref(),
    };
    let conditions = SourceConditions {
        if_match: input.copy_source_if_match.as_deref(),
        if_none_match: input.copy_source_if_none_match.as_deref(),
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
        expected_owner: input.expected_source_bucket_owner.as_deref(),
    };
    let (upload, from, locked) = cx.read(|tx| {
        let upload = place.upload(tx)?;
        check_key(&upload, key.as_ref())?;
        let (_, object) = copies::source(tx, &source, &conditions)?;
        ciphers::check(&object, source_key.as_ref())?;
        let range = part_range(input.copy_source_range.as_deref(), object.listed.size)?;
        let locked = Locked::new(cx, &store::body(tx, &object, range)?)?;
        Ok::<_, Error>((upload, object.encryption().cloned(), locked))
    })?;
    let from_key = (&*source.bucket, &*source.key);
    let from_key = encryption::open(cx, from_key, from.as_ref(), source_key.as_ref()).await?;
    let reader = locked.unlock(from_key.as_ref())?;
    let body_key = place.key(cx, &upload, key.as_ref()).await?;
    let sealer = Sealer::new(cx, body_key);
    let algorithm = upload.checksum.map(|(algorithm, _)| algorithm);
    let received = bodies::copy(cx, reader, algorithm, sealer).await?;
    let part = place.keep(cx, received).await?;
    let mut result = CopyPartResult {
        e_tag: Some(ETag::plain(part.md5).quoted()),
        last_modified: Some(Timestamp::from_millis(part.modified_millis)),
        ..CopyPartResult::default()
    };
    if upload.checksum.is_some() {
        result.set_checksum(part.checksum.algorithm, part.checksum.text(0));
    }
    let mut output =
        UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() };
    encryption::tell!(output, upload.encryption());
    Ok(output)
}

/// The bytes of the source that become the part.
fn part_range(header: Option<&str>, size: u64) -> Result<Range<u64>, Error> {
    let range = match header {
        Some(header) => rules::copy_range(header, size)?,
        None => 0..size,
    };
    copies::check_size(range.end - range.start)?;
    Ok(range)
}

/// Reads the number after which a listing goes on.
pub(crate) fn marker(name: &str, given: i32) -> Result<u16, Error> {
    if given < 0 {
        let message = format!("Argument {name} must be an integer between 0 and 2147483647");
        return Err(Error::argument(name, given, &message));
    }
    Ok(u16::try_from(given).unwrap_or(u16::MAX))
}

/// Lists the parts of an upload.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListPartsInput) -> Result<ListPartsOutput, Error> {
    let (max_parts, limit) = listing::limit("max-parts", input.max_parts)?;
    let given = input.part_number_marker.unwrap_or_default();
    let after = marker("part-number-marker", given)?;
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let upload = store::upload(tx, &bucket, &input.key, &input.upload_id)?;
    let after = (upload.number, after);
    let (rows, is_truncated) = match limit {
        0 => (Vec::new(), false),
        limit => PARTS.page(tx, &(upload.number,), Some(&after), limit)?,
    };
    let next = rows.last().map_or(0, |((_, number), _)| i32::from(*number));
    let parts = rows.into_iter().map(|((_, number), part)| {
        let mut listed = ListedPart {
            part_number: Some(i32::from(number)),
            last_modified: Some(Timestamp::from_millis(part.modified_millis)),
            e_tag: Some(ETag::plain(part.md5).quoted()),
            size: i64::try_from(part.size).ok(),
            ..ListedPart::default()
        };
        if upload.checksum.is_some() {
            listed.set_checksum(part.checksum.algorithm, part.checksum.text(0));
        }
        listed
    });
    let at = (&*input.bucket, &*input.key);
    let (abort_date, abort_rule_id) =
        lifecycle::abortion(tx, at, &bucket, upload.initiated_millis)?;
    let request_charged = payment::charged(tx, &bucket, input.request_payer.as_deref());
    Ok(ListPartsOutput {
        abort_date,
        abort_rule_id,
        parts: Some(parts.collect()),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        initiator: Some(uploads::shown_initiator(tx, &upload)),
        owner: Some(uploads::shown_owner(tx, &upload, &bucket)),
        checksum_algorithm: upload.checksum.map(|(algorithm, _)| algorithm.name().to_owned()),
        checksum_type: upload.checksum.map(|(_, composite)| type_name(composite).to_owned()),
        storage_class: Some(upload.storage_class.unwrap_or_else(|| "STANDARD".to_owned())),
        part_number_marker: Some(given),
        next_part_number_marker: Some(next),
        max_parts: Some(max_parts),
        is_truncated: Some(is_truncated),
        request_charged,
        ..ListPartsOutput::default()
    })
}

#[cfg(test)]
mod tests {
    use super::part_range;

    #[test]
    fn a_part_is_copied_of_five_gib_at_most() {
        const MOST: u64 = 5 << 30;
        assert_eq!(part_range(None, MOST).expect("a range"), 0..MOST);
        let range = format!("bytes=1-{MOST}");
        assert_eq!(part_range(Some(&range), 2 * MOST).expect("a range"), 1..MOST + 1);
        let range = format!("bytes=0-{MOST}");
        for (range, size) in [(None, MOST + 1), (Some(&*range), 2 * MOST)] {
            let refusal = part_range(range, size).expect_err("too much").to_string();
            assert!(refusal.ends_with("allowable size for a copy source: 5368709120"), "{refusal}");
        }
    }
}
