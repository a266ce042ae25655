//! Appending to objects of directory buckets: each append is one more part of the object.

use fogbank_core::{Cx, Tx, WriteTx, root_key};

use super::e_tag;
use crate::bodies::{self, Promise, Received};
use crate::checksums::{Algorithm, Checksum, combined, composite};
use crate::ciphers::Sealer;
use crate::encryption;
use crate::error::Error;
use crate::lifecycle;
use crate::metadata::Writes;
use crate::model::{PutObjectInput, PutObjectOutput};
use crate::objects::{self, WriteConditions};
use crate::rules::MAX_PARTS;
use crate::store::{self, Chain, DefaultEncryption, OBJECTS, Object, PARTS, Part, Parts};

/// Appends a body at an offset, which must be the object's end, or writes the object if there is none and the offset is 0.
pub(crate) async fn append(
    cx: &Cx,
    mut input: PutObjectInput,
    offset: i64,
) -> Result<PutObjectOutput, Error> {
    let (name, key) = (input.bucket.clone(), input.key.clone());
    if !super::is_name(&name) {
        let detail = "Only directory buckets append";
        return Err(Error::header("x-amz-write-offset-bytes", detail));
    }
    if input.body.len() == Some(0) {
        return Err(Error::request(
            "Request body cannot be empty when 'write offset' is specified.",
        ));
    }
    let expected = input.expected_bucket_owner.as_deref();
    let (bucket, old) = cx.read(|tx| {
        let bucket = store::expected_shared_bucket(tx, &name, expected)?;
        Ok::<_, Error>((bucket, store::object(tx, &name, &key)?))
    })?;
    let Some(old) = old else {
        return create(cx, input, offset).await;
    };
    let draft = input.draft()?;
    if !draft.metadata.is_empty() {
        return Err(Error::request(
            "Cannot specify both a write offset value and user-defined object metadata for existing objects.",
        ));
    }
    check_offset(&old, offset)?;
    check_encryption(&old, &bucket.encryption)?;
    let conditions = WriteConditions::read(input.if_match.take(), input.if_none_match.take())?;
    conditions.check(&key, Some(&old))?;
    let received = receive(cx, &mut input, &old).await?;
    let object = cx
        .write(|tx| {
            let now = store::object(tx, &name, &key)?;
            conditions.check(&key, now.as_ref())?;
            let now = now.ok_or_else(|| Error::NoSuchKey { key: key.clone() })?;
            check_offset(&now, offset)?;
            if now.version != old.version {
                // It is as long as the one that was there, and maybe sealed with another key.
                let condition = "x-amz-write-offset-bytes".to_owned();
                return Err(Error::ConditionalRequestConflict { condition, key: key.clone() });
            }
            add(tx, (&name, &key), now, &received)
        })
        .await?;
    answer(cx, (&name, &key), &object)
}

/// Writes an object that is not there.
async fn create(cx: &Cx, mut input: PutObjectInput, offset: i64) -> Result<PutObjectOutput, Error> {
    if offset != 0 {
        return Err(Error::InvalidWriteOffset);
    }
    input.write_offset_bytes = None;
    let is_ours = input.if_match.is_none() && input.if_none_match.is_none();
    if is_ours {
        input.if_none_match = Some("*".to_owned());
    }
    match objects::write(cx, input).await {
        // Somebody was faster.
        Err(Error::PreconditionFailed { .. }) if is_ours => Err(Error::InvalidWriteOffset),
        outcome => outcome,
    }
}

fn check_offset(object: &Object, offset: i64) -> Result<(), Error> {
    match u64::try_from(offset).ok() == Some(object.listed.size) {
        true => Ok(()),
        false => Err(Error::InvalidWriteOffset),
    }
}

/// Refuses to append what would be encrypted otherwise than what is there.
fn check_encryption(object: &Object, default: &DefaultEncryption) -> Result<(), Error> {
    let is_kms = matches!(default, DefaultEncryption::Kms { .. });
    match is_kms == object.encryption().is_some() {
        true => Ok(()),
        false => Err(Error::EncryptionTypeMismatch),
    }
}

/// Stores the body with the object's key, and with a checksum of the object's algorithm.
async fn receive(cx: &Cx, input: &mut PutObjectInput, old: &Object) -> Result<Received, Error> {
    let body = std::mem::take(&mut input.body);
    let (md5, algorithm) = (input.content_md5.as_deref(), input.checksum_algorithm.as_deref());
    let promise = Promise::read(&*input, &body, md5, algorithm)?;
    let expected = algorithm_of(old);
    // An algorithm that is named only behind the body is checked there.
    let is_open = promise.algorithm().is_none() && body.trailers().is_some();
    check_algorithm(expected, promise.algorithm())?;
    let at = (&*input.bucket, &*input.key);
    let key = encryption::open(cx, at, old.encryption(), None).await?;
    let sealer = Sealer::new(cx, key);
    let promise = promise.or_wish(Some(expected));
    let received = bodies::receive(cx, body, input.content_length, promise, sealer).await?;
    if is_open {
        let given = received.is_promised.then_some(received.checksum.algorithm);
        check_algorithm(expected, given)?;
    }
    Ok(received)
}

fn algorithm_of(object: &Object) -> Algorithm {
    object.listed.checksum.as_ref().map_or(Algorithm::Crc64Nvme, |checksum| checksum.algorithm)
}

fn check_algorithm(expected: Algorithm, given: Option<Algorithm>) -> Result<(), Error> {
    match given {
        Some(given) if given != expected => Err(Error::request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.lower_name(),
            given.lower_name()
        ))),
        _ => Ok(()),
    }
}

/// Makes the body one more part of the object.
fn add(
    tx: &mut WriteTx<'_>,
    at: (&str, &str),
    mut object: Object,
    received: &Received,
) -> Result<Object, Error> {
    let mut parts = match object.parts.take() {
        Some(parts) => parts,
        None => as_parts(tx, &mut object)?,
    };
    if parts.count() >= MAX_PARTS {
        return Err(Error::TooManyParts);
    }
    let part = Part {
        size: received.size,
        md5: received.md5,
        modified_millis: tx.now().millis(),
        crc64nvme: received.crc64nvme,
        checksum: received.checksum.clone(),
        nonce: received.nonce,
        body: received.body.clone(),
    };
    let number = parts.push(part.size);
    root_key::keep_word(tx)?;
    PARTS.put(tx, &(parts.number, number), &part)?;
    object.listed.checksum = checksum(tx, &object, &parts, &part)?;
    object.listed.size += part.size;
    object.listed.modified_millis = tx.now().millis();
    object.listed.e_tag = e_tag(tx.ids(), number);
    object.version = tx.version();
    object.parts = Some(parts);
    OBJECTS.put(tx, &at, &object)?;
    Ok(object)
}

/// Makes a part of the body of an object that was written at once.
fn as_parts(tx: &mut WriteTx<'_>, object: &mut Object) -> Result<Parts, Error> {
    let mut parts = Parts::new(tx.version(), std::iter::empty());
    let listed = &object.listed;
    if listed.size == 0 {
        store::free_body(tx, object)?;
        object.body = Chain::default();
        return Ok(parts);
    }
    let whole = listed.checksum.clone().unwrap_or_else(|| Checksum::crc64nvme(0));
    let crc64nvme = match whole.algorithm {
        Algorithm::Crc64Nvme => crate::checksums::number(&whole.value),
        // Only completing an upload looks at it.
        _ => 0,
    };
    let first = Part {
        size: listed.size,
        md5: listed.e_tag.md5,
        modified_millis: listed.modified_millis,
        crc64nvme,
        checksum: whole,
        nonce: object.encryption().map(|encryption| *encryption.nonce()),
        body: std::mem::take(&mut object.body),
    };
    let number = parts.push(first.size);
    PARTS.put(tx, &(parts.number, number), &first)?;
    Ok(parts)
}

/// The checksum of the whole: combined where the algorithm allows it, else one of the parts' checksums.
fn checksum(
    tx: &WriteTx<'_>,
    object: &Object,
    parts: &Parts,
    part: &Part,
) -> Result<Option<Checksum>, Error> {
    let Some(old) = &object.listed.checksum else { return Ok(None) };
    if !old.is_composite {
        let both = [(&*old.value, object.listed.size), (&*part.checksum.value, part.size)];
        if let Some(whole) = combined(old.algorithm, both.into_iter()) {
            return Ok(Some(whole));
        }
    }
    let rows = PARTS.range(&(parts.number,)).list(tx)?;
    let values = rows.iter().map(|(_, part)| &*part.checksum.value);
    Ok(Some(composite(old.algorithm, values)))
}

fn answer(cx: &Cx, at: (&str, &str), object: &Object) -> Result<PutObjectOutput, Error> {
    let mut output = PutObjectOutput {
        e_tag: Some(object.listed.e_tag.quoted()),
        size: i64::try_from(object.listed.size).ok(),
        expiration: cx.read(|tx| {
            let bucket = store::shared_bucket(tx, at.0)?;
            lifecycle::expiration(tx, at, &bucket, object)
        })?,
        ..PutObjectOutput::default()
    };
    encryption::tell_written!(output, object.encryption());
    let mut checksum_type = None;
    objects::tell_checksum(&mut output, &mut checksum_type, &object.listed);
    output.checksum_type = checksum_type;
    Ok(output)
}
