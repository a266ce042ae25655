//! Multipart uploads: begin, list and abort them.

use std::ops::ControlFlow;

use fogbank_core::store::Starting;
use fogbank_core::{Arn, Cx, Principal, ReadTx, Tx, WriteTx};

use crate::bodies;
use crate::buckets::{display_name, owner};
use crate::checksums::{Algorithm, type_name};
use crate::directory;
use crate::encryption;
use crate::error::Error;
use crate::lifecycle;
use crate::listing::{self, Encoding};
use crate::metadata::Writes;
use crate::model::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    MultipartUpload, Owner,
};
use crate::payment;
use crate::rules::{self, group};
use crate::store::{self, Bucket, UPLOADS, Upload};

/// Begins an upload.
pub(crate) async fn create(
    cx: &Cx,
    mut input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, Error> {
    let draft = input.draft()?;
    let checksum = checksum(input.checksum_algorithm.as_deref(), input.checksum_type.as_deref())?;
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = cx.read(|tx| store::expected_bucket(tx, at.0, owner))?;
    let sealing = encryption::settle(cx, &bucket, at, &draft.encryption).await?;
    let begun = cx.write(|tx| {
        let bucket = store::expected_bucket(tx, at.0, owner)?;
        let encryption = sealing.keep(tx, None)?;
        let (owner, more) = draft.settle(tx, at, &bucket, encryption)?;
        let number = tx.version();
        // Ids in the order in which uploads began, as listings have them.
        let upload_id = format!("{number:016x}{}", tx.ids().mixed(48));
        let draft = draft.clone();
        let upload = Upload {
            number,
            initiated_millis: tx.now().millis(),
            initiator: initiator(&tx.request().principal),
            storage_class: directory::class(tx, &bucket, at.0)?.or(draft.storage_class),
            headers: draft.headers,
            metadata: draft.metadata,
            tags: draft.tags,
            checksum,
            owner,
            more,
        };
        UPLOADS.put(tx, &(bucket.id, at.1, &*upload_id), &upload)?;
        let told = lifecycle::abortion(tx, at, &bucket, upload.initiated_millis)?;
        Ok::<_, Error>((upload_id, upload, told))
    });
    let (upload_id, upload, (abort_date, abort_rule_id)) = begun.await?;
    let payer = input.request_payer.as_deref();
    let mut output = CreateMultipartUploadOutput {
        abort_date,
        abort_rule_id,
        request_charged: payment::charged_after(cx, &input.bucket, payer)?,
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload_id),
        checksum_algorithm: checksum.map(|(algorithm, _)| algorithm.name().to_owned()),
        checksum_type: checksum.map(|(_, is_composite)| type_name(is_composite).to_owned()),
        ..CreateMultipartUploadOutput::default()
    };
    encryption::tell_written!(output, upload.encryption());
    Ok(output)
}

/// Whoever begins an upload: an account by its canonical id, everybody else by the ARN.
fn initiator(principal: &Principal) -> (String, String) {
    let id = match principal.kind {
        fogbank_core::PrincipalKind::Root => rules::canonical_id(&principal.account),
        _ => principal.arn.clone(),
    };
    (principal.arn.clone(), id)
}

/// The algorithm of an upload, and whether its checksum is one of the parts' checksums.
fn checksum(
    algorithm: Option<&str>,
    kind: Option<&str>,
) -> Result<Option<(Algorithm, bool)>, Error> {
    let Some(algorithm) = algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(Error::request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = bodies::named(algorithm)?;
    let conflict = |kind: &str| {
        let name = algorithm.lower_name();
        Error::request(format!(
            "The {kind} checksum type cannot be used with the {name} checksum algorithm."
        ))
    };
    let is_composite = match kind {
        None => algorithm != Algorithm::Crc64Nvme,
        Some("COMPOSITE") if algorithm == Algorithm::Crc64Nvme => {
            return Err(conflict("COMPOSITE"));
        }
        Some("COMPOSITE") => true,
        Some("FULL_OBJECT") if !algorithm.combines() => return Err(conflict("FULL_OBJECT")),
        Some("FULL_OBJECT") => false,
        Some(_) => {
            return Err(Error::request("Value for x-amz-checksum-type header is invalid."));
        }
    };
    Ok(Some((algorithm, is_composite)))
}

/// Ends an upload without an object.
pub(crate) fn abort(
    tx: &mut WriteTx<'_>,
    input: AbortMultipartUploadInput,
) -> Result<AbortMultipartUploadOutput, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let upload = store::upload(tx, &bucket, &input.key, &input.upload_id)?;
    UPLOADS.delete(tx, &(bucket.id, &*input.key, &*input.upload_id))?;
    store::free_parts(tx, upload.number)?;
    let request_charged = payment::charged(tx, &bucket, input.request_payer.as_deref());
    Ok(AbortMultipartUploadOutput { request_charged, ..AbortMultipartUploadOutput::default() })
}

/// The initiator of an upload on the wire.
pub(crate) fn shown_initiator(tx: &ReadTx<'_>, upload: &Upload) -> Initiator {
    let (arn, id) = &upload.initiator;
    let of_account = Arn::parse(arn).and_then(|arn| display_name(tx, arn.account));
    // Whoever is no account is named by the ARN.
    let display_name = of_account.map(|name| if id == arn { arn.clone() } else { name });
    Initiator { id: Some(id.clone()), display_name }
}

/// Who will own the object of an upload.
pub(crate) fn shown_owner(tx: &ReadTx<'_>, upload: &Upload, bucket: &Bucket) -> Owner {
    owner(tx, upload.owner.as_ref().unwrap_or(&bucket.account))
}

/// Lists uploads in progress by key and time.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    mut input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, Error> {
    let (max_uploads, limit) = listing::limit("max-uploads", input.max_uploads)?;
    input.delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let key_marker = input.key_marker.unwrap_or_default();
    // Without a key marker the marker of uploads means nothing.
    let upload_marker =
        input.upload_id_marker.filter(|_| !key_marker.is_empty()).unwrap_or_default();
    let prefix = input.prefix.unwrap_or_default();
    let narrow = Narrow { prefix: &prefix, delimiter: input.delimiter.as_deref(), limit };
    let page = collect(tx, &bucket, &narrow, (&key_marker, &upload_marker))?;
    let (next_key, next_upload) = page.next;
    let uploads = page.uploads.into_iter().map(|(key, upload_id, upload)| MultipartUpload {
        initiator: Some(shown_initiator(tx, &upload)),
        owner: Some(shown_owner(tx, &upload, &bucket)),
        checksum_algorithm: upload.checksum.map(|(algorithm, _)| algorithm.name().to_owned()),
        checksum_type: upload.checksum.map(|(_, composite)| type_name(composite).to_owned()),
        upload_id: Some(upload_id),
        key: Some(encoding.key(key)),
        initiated: Some(fogbank_core::Timestamp::from_millis(upload.initiated_millis)),
        storage_class: Some(upload.storage_class.unwrap_or_else(|| "STANDARD".to_owned())),
        version_id: None,
    });
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        key_marker: Some(encoding.key(key_marker)),
        upload_id_marker: Some(upload_marker),
        next_key_marker: Some(encoding.key(next_key)),
        next_upload_id_marker: Some(next_upload),
        delimiter: input.delimiter.map(|delimiter| encoding.key(delimiter)),
        prefix: Some(encoding.key(prefix)).filter(|prefix| !prefix.is_empty()),
        max_uploads: Some(max_uploads),
        is_truncated: Some(page.is_truncated),
        uploads: Some(uploads.collect()),
        common_prefixes: encoding.prefixes(page.prefixes),
        encoding_type: input.encoding_type,
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
    })
}

/// The common prefixes of keys that uploads in progress have, in their order; behind a key, or behind all with a prefix.
pub(crate) fn prefixes(
    tx: &ReadTx<'_>,
    bucket: &Bucket,
    (prefix, delimiter): (&str, &str),
    behind: Option<(&str, bool)>,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let within = Starting((bucket.id,), prefix);
    let mut found: Vec<String> = Vec::new();
    loop {
        let range = UPLOADS.range(&within);
        let range = match (found.last(), behind) {
            (Some(last), _) => range.past(&Starting((bucket.id,), last)),
            (None, Some((prefix, true))) => range.past(&Starting((bucket.id,), prefix)),
            (None, Some((key, false))) => range.past(&(bucket.id, key)),
            (None, None) => range,
        };
        let mut next = None;
        range.visit_keys(tx, |(_, key, _)| match group(&key, prefix, Some(delimiter)) {
            Some(group) => {
                next = Some(group.to_owned());
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        })?;
        match next {
            Some(next) if found.len() < limit => found.push(next),
            _ => return Ok(found),
        }
    }
}

struct Narrow<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    limit: usize,
}

#[derive(Default)]
struct Page {
    uploads: Vec<(String, String, Upload)>,
    prefixes: Vec<String>,
    is_truncated: bool,
    /// The last entry: key and upload id; for a common prefix, which AWS leaves empty, the prefix.
    next: (String, String),
}

fn collect(
    tx: &ReadTx<'_>,
    bucket: &Bucket,
    narrow: &Narrow<'_>,
    (key_marker, upload_marker): (&str, &str),
) -> Result<Page, Error> {
    let mut page = Page::default();
    if narrow.limit == 0 {
        return Ok(page);
    }
    let within = Starting((bucket.id,), narrow.prefix);
    let mut jump = group(key_marker, narrow.prefix, narrow.delimiter).map(ToOwned::to_owned);
    let mut is_first = true;
    loop {
        let range = UPLOADS.range(&within);
        let range = match &jump {
            Some(prefix) => range.past(&Starting((bucket.id,), prefix)),
            None if is_first && !upload_marker.is_empty() => {
                range.after(&(bucket.id, key_marker, upload_marker))
            }
            None if is_first && !key_marker.is_empty() => range.past(&(bucket.id, key_marker)),
            None => range,
        };
        is_first = false;
        let mut next_jump = None;
        range.visit(tx, |(_, key, upload_id), upload| {
            if page.uploads.len() + page.prefixes.len() == narrow.limit {
                page.is_truncated = true;
                return ControlFlow::Break(());
            }
            if let Some(prefix) = group(&key, narrow.prefix, narrow.delimiter) {
                page.next = (prefix.to_owned(), String::new());
                page.prefixes.push(prefix.to_owned());
                next_jump = Some(prefix.to_owned());
                return ControlFlow::Break(());
            }
            page.next = (key.clone(), upload_id.clone());
            page.uploads.push((key, upload_id, upload));
            ControlFlow::Continue(())
        })?;
        match next_jump {
            Some(prefix) => jump = Some(prefix),
            None => break,
        }
    }
    if !page.is_truncated && page.uploads.is_empty() {
        page.next = Default::default();
    }
    Ok(page)
}
