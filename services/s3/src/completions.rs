//! Completing a multipart upload: the parts become an object where they lie.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{Cx, Tx, WriteTx};
use sha1::Digest;

use crate::bodies;
use crate::checksums::{Algorithm, Checksum, Checksums, combined, composite, type_name};
use crate::directory;
use crate::encryption::{self, Told};
use crate::error::Error;
use crate::events::{self, Change};
use crate::lifecycle;
use crate::metadata_tables::{By, Entry, note};
use crate::model::{CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart};
use crate::objects::{self, WriteConditions};
use crate::parts::{check_key, customer_key};
use crate::payment;
use crate::rules::{ETag, MAX_PARTS, MIN_PART_BYTES};
use crate::store::{
    self, Bucket, Chain, Listed, Object, PARTS, Part, Parts, UPLOADS, Upload, VersionName,
};
use crate::versions;

/// Makes an object of the parts that the request lists, and removes the others.
pub(crate) async fn complete(
    cx: &Cx,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, Error> {
    // AWS asks for the parts' key, though here nothing of them is opened.
    let encryption = cx.read(|tx| {
        let owner = input.expected_bucket_owner.as_deref();
        let bucket = store::expected_shared_bucket(tx, &input.bucket, owner)?;
        let upload = store::upload(tx, &bucket, &input.key, &input.upload_id);
        // What is missing is for the transaction to say.
        Ok::<_, Error>(upload.ok().and_then(|upload| upload.encryption().cloned()))
    })?;
    encryption::check_may_open(cx, (&input.bucket, &input.key), encryption.as_ref()).await?;
    cx.write(|tx| try_complete(tx, input.clone())).await
}

fn try_complete(
    tx: &mut WriteTx<'_>,
    mut input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, Error> {
    let conditions = WriteConditions::read(input.if_match.take(), input.if_none_match.take())?;
    let name = &*input.bucket;
    let bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let old = store::object(tx, name, &input.key)?;
    let upload = match store::upload(tx, &bucket, &input.key, &input.upload_id) {
        // The answer to the first completion was lost.
        Err(error) => return repeated(tx, &input, old).ok_or(error),
        Ok(upload) => upload,
    };
    conditions.check(&input.key, old.as_ref())?;
    let key = customer_key!(input);
    // With a checksum AWS asks for the key of the parts, of which it makes that of the whole.
    if key.is_some() || upload.checksum.is_some() {
        check_key(&upload, key.as_ref())?;
    }
    refuse_conflict(&conditions, &input.key, old.as_ref(), &upload)?;
    let listed = input.multipart_upload.take().ok_or(Error::MalformedXML)?.parts;
    let listed = ascending(listed.unwrap_or_default(), &input.upload_id)?;
    directory::check_parts(name, listed.iter().map(|(number, _)| *number), &input.upload_id)?;
    check_type(&upload, input.checksum_type.as_deref())?;
    let (chosen, rest) = parts(tx, &upload, &listed)?;
    check_parts(&upload, &input.upload_id, &listed, &chosen)?;
    let size = chosen.iter().map(|(_, part)| part.size).sum();
    check_size(input.mpu_object_size, size)?;
    let checksum = checksum(&upload, &chosen);
    check_promise(&upload, &input, &checksum, &chosen)?;
    let mut object = Object {
        listed: Listed {
            size,
            modified_millis: tx.now().millis(),
            e_tag: e_tag(&chosen),
            storage_class: upload.storage_class,
            checksum: Some(checksum),
            owner: upload.owner,
            restored: None,
        },
        version: tx.version(),
        version_name: VersionName::Unversioned,
        parts: Some(Parts::new(
            upload.number,
            chosen.iter().map(|(number, part)| (*number, part.size)),
        )),
        headers: upload.headers,
        metadata: upload.metadata,
        tags: upload.tags,
        more: upload.more,
        body: Chain::default(),
    };
    for (number, part) in rest {
        store::delete_part(tx, (upload.number, number), &part)?;
    }
    UPLOADS.delete(tx, &(bucket.id, &*input.key, &*input.upload_id))?;
    versions::put(tx, &bucket, (name, &input.key), &mut object, old)?;
    announce(tx, &bucket, &input, &object)?;
    let expiration = lifecycle::expiration(tx, (name, &input.key), &bucket, &object)?;
    Ok(CompleteMultipartUploadOutput { expiration, ..answer(tx, input, &object) })
}

fn announce(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    input: &CompleteMultipartUploadInput,
    object: &Object,
) -> Result<(), Error> {
    let change = Change::created("CompleteMultipartUpload", &input.key, object);
    events::emit(tx, bucket, &input.bucket, &change)?;
    let at = (&*input.bucket, &*input.key);
    note(tx, bucket, at, Entry::Created(object), By::Caller)
}

fn answer(
    tx: &WriteTx<'_>,
    input: CompleteMultipartUploadInput,
    object: &Object,
) -> CompleteMultipartUploadOutput {
    let listed = &object.listed;
    let url = tx.request().endpoint.url();
    let told = Told::of(object.encryption());
    let payer = input.request_payer.as_deref();
    // The bucket was found before.
    let request_charged = payment::charged_by_name(tx, &input.bucket, payer).unwrap_or_default();
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("{url}/{}/{}", input.bucket, crate::rules::url_encode(&input.key))),
        e_tag: Some(listed.e_tag.quoted()),
        server_side_encryption: told.method,
        ssekms_key_id: told.key_id,
        bucket_key_enabled: told.bucket_key,
        version_id: object.written_id(),
        request_charged,
        bucket: Some(input.bucket),
        key: Some(input.key),
        ..CompleteMultipartUploadOutput::default()
    };
    let mut checksum_type = None;
    objects::tell_checksum(&mut output, &mut checksum_type, listed);
    output.checksum_type = checksum_type;
    output
}

/// The answer to a completion that has happened already, if its object is still there.
fn repeated(
    tx: &WriteTx<'_>,
    input: &CompleteMultipartUploadInput,
    object: Option<Object>,
) -> Option<CompleteMultipartUploadOutput> {
    let number = input.upload_id.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok())?;
    let object =
        object.filter(|object| object.parts.as_ref().is_some_and(|p| p.number == number))?;
    Some(answer(tx, input.clone(), &object))
}

/// Refuses a completion on a condition if the object was written since the upload began.
fn refuse_conflict(
    conditions: &WriteConditions,
    key: &str,
    old: Option<&Object>,
    upload: &Upload,
) -> Result<(), Error> {
    let is_newer = old.is_some_and(|old| old.version > upload.number);
    if conditions.if_match.is_some() && is_newer {
        let condition = "If-Match".to_owned();
        return Err(Error::ConditionalRequestConflict { condition, key: key.to_owned() });
    }
    Ok(())
}

/// The listed parts, which must ascend. Of a part that is listed again, the last entry counts.
fn ascending(
    listed: Vec<CompletedPart>,
    upload_id: &str,
) -> Result<Vec<(u16, CompletedPart)>, Error> {
    if listed.is_empty() {
        return Err(Error::request("You must specify at least one part"));
    }
    let mut parts: Vec<(u16, CompletedPart)> = Vec::with_capacity(listed.len());
    for part in listed {
        let given = part.part_number.unwrap_or_default();
        let number = u16::try_from(given).ok().filter(|number| (1..=MAX_PARTS).contains(number));
        let Some(number) = number else {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            return Err(Error::argument("partNumber", given, message));
        };
        match parts.last_mut() {
            Some(last) if last.0 > number => {
                return Err(Error::InvalidPartOrder { upload: upload_id.to_owned() });
            }
            Some(last) if last.0 == number => *last = (number, part),
            _ => parts.push((number, part)),
        }
    }
    Ok(parts)
}

fn check_type(upload: &Upload, given: Option<&str>) -> Result<(), Error> {
    let kind = upload.checksum.map_or("null", |(_, is_composite)| type_name(is_composite));
    match given {
        Some(given) if given != kind => Err(Error::request(format!(
            "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
        ))),
        _ => Ok(()),
    }
}

type Numbered = Vec<(u16, Part)>;

/// The upload's parts that are listed, and the others.
fn parts(
    tx: &WriteTx<'_>,
    upload: &Upload,
    listed: &[(u16, CompletedPart)],
) -> Result<(Numbered, Numbered), Error> {
    let (mut chosen, mut rest) = (Vec::new(), Vec::new());
    PARTS.scan(tx, &(upload.number,), |(_, number), part| {
        let found = listed.binary_search_by_key(&number, |(number, _)| *number);
        let list = if found.is_ok() { &mut chosen } else { &mut rest };
        list.push((number, part));
        ControlFlow::Continue(())
    })?;
    Ok((chosen, rest))
}

/// Holds the listed parts against those that were uploaded.
fn check_parts(
    upload: &Upload,
    upload_id: &str,
    listed: &[(u16, CompletedPart)],
    chosen: &Numbered,
) -> Result<(), Error> {
    let known: BTreeMap<u16, &Part> = chosen.iter().map(|(number, part)| (*number, part)).collect();
    for (index, (number, given)) in listed.iter().enumerate() {
        let tag = given.e_tag.as_deref().unwrap_or_default().trim_matches('"');
        let invalid = || Error::InvalidPart {
            e_tag: tag.to_owned(),
            part: number.to_string(),
            upload: upload_id.to_owned(),
        };
        let part = known.get(number).copied().ok_or_else(invalid)?;
        if tag != hex::encode(part.md5) {
            return Err(invalid());
        }
        check_part_checksum(upload, given, part, *number)?.then_some(()).ok_or_else(invalid)?;
        let is_last = index + 1 == listed.len();
        if !is_last && part.size < MIN_PART_BYTES {
            return Err(Error::EntityTooSmall {
                e_tag: tag.to_owned(),
                limit: MIN_PART_BYTES.to_string(),
                part: number.to_string(),
                size: part.size.to_string(),
            });
        }
    }
    Ok(())
}

/// Whether the checksum that the request lists for a part, if it must or does list one, is right.
fn check_part_checksum(
    upload: &Upload,
    given: &CompletedPart,
    part: &Part,
    number: u16,
) -> Result<bool, Error> {
    let checksums = given.checksums();
    let Some((algorithm, is_composite)) = upload.checksum else { return Ok(checksums.is_empty()) };
    let found = checksums.iter().find(|(given, _)| *given == algorithm);
    match found {
        Some((_, value)) => Ok(algorithm.parse(value).is_some_and(|v| v == part.checksum.value)),
        None if !is_composite => Ok(true),
        None => match checksums.first() {
            Some((given, _)) => {
                let name = given.lower_name();
                let message = format!(
                    "The {name} you specified for part {number} did not match what we received."
                );
                Err(Error::Fault(fogbank_core::Fault::new("BadDigest", message)))
            }
            None => Err(Error::request(format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request.",
                algorithm.lower_name()
            ))),
        },
    }
}

fn check_size(promised: Option<i64>, size: u64) -> Result<(), Error> {
    match promised {
        Some(promised) if promised < 0 => Err(Error::request(format!(
            "Value for x-amz-mp-object-size header is less than zero: '{promised}'"
        ))),
        Some(promised) if u64::try_from(promised).ok() != Some(size) => {
            Err(Error::request(format!(
                "The provided 'x-amz-mp-object-size' header value {promised} does not match what was computed: {size}"
            )))
        }
        _ => Ok(()),
    }
}

/// The MD5 of the parts' MD5s, and their number.
fn e_tag(parts: &Numbered) -> ETag {
    let mut md5 = md5::Md5::default();
    parts.iter().for_each(|(_, part)| md5.update(part.md5));
    ETag { md5: md5.finalize().into(), parts: u16::try_from(parts.len()).unwrap_or(MAX_PARTS) }
}

/// The checksum of the object: what the client chose, or that which S3 computes by itself.
fn checksum(upload: &Upload, parts: &Numbered) -> Checksum {
    if let Some((algorithm, is_composite)) = upload.checksum {
        let values = parts.iter().map(|(_, part)| &*part.checksum.value);
        if is_composite {
            return composite(algorithm, values);
        }
        let lens = parts.iter().map(|(_, part)| part.size);
        if let Some(whole) = combined(algorithm, values.zip(lens)) {
            return whole;
        }
    }
    let crcs: Vec<_> =
        parts.iter().map(|(_, part)| (part.crc64nvme.to_be_bytes(), part.size)).collect();
    let crcs = crcs.iter().map(|(crc, len)| (&crc[..], *len));
    combined(Algorithm::Crc64Nvme, crcs).unwrap_or_else(|| Checksum::crc64nvme(0))
}

/// Holds the checksum of the object against the one that the request promises.
fn check_promise(
    upload: &Upload,
    input: &CompleteMultipartUploadInput,
    checksum: &Checksum,
    parts: &Numbered,
) -> Result<(), Error> {
    let Some((given, value)) = input.checksums().first().copied() else { return Ok(()) };
    let promised = value.split_once('-').map_or(value, |(bare, _)| bare);
    if given.parse(promised).is_none() {
        return Err(bodies::invalid(given, "header"));
    }
    let count = u16::try_from(parts.len()).unwrap_or(MAX_PARTS);
    let text = checksum.text(count);
    let bare = text.split_once('-').map_or(&*text, |(bare, _)| bare);
    let is_right = given == checksum.algorithm && (value == text || value == bare);
    // S3 takes the promise of a full checksum only beside its type.
    let is_typed =
        input.checksum_type.is_some() || upload.checksum.is_none() || checksum.is_composite;
    if is_right && is_typed {
        return Ok(());
    }
    let expected = upload.checksum.map_or(checksum.algorithm, |(algorithm, _)| algorithm);
    Err(Error::BadDigest { algorithm: expected.lower_name() })
}
