//! Annotations: named texts that belong to a version of an object and go with it.
//!
//! Limits are AWS's: 1,000 annotations of a version, names of 512 bytes, texts of 1 MiB. They are encrypted as their object
//! is, but objects under a customer's key have none. Where AWS's pages name an error without its words, the words are guesses.

pub(crate) mod copies;
pub(crate) mod rows;

use std::ops::ControlFlow;

use fogbank_core::{Cx, Fault, ReadTx, Tx, WriteTx, page};

use crate::bodies::{self, Promise, Received};
use crate::checksums::Checksums;
use crate::ciphers::Locked;
use crate::encryption;
use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::metadata_tables::{By, Entry, RecordKind, note};
use crate::model::{
    AnnotationEntry, DeleteObjectAnnotationInput, DeleteObjectAnnotationOutput,
    GetObjectAnnotationInput, GetObjectAnnotationOutput, ListObjectAnnotationsInput,
    ListObjectAnnotationsOutput, PutObjectAnnotationInput, PutObjectAnnotationOutput,
};
use crate::payment;
use crate::replication;
use crate::rules::ETag;
use crate::store::{self, Bucket, Encryption, Object, Stored};
use crate::versions::{At, Found, Removal};
use rows::{Annotation, ListedAnnotation};

/// How many annotations a version may have.
const MAX_ANNOTATIONS: u32 = 1000;
const MAX_NAME_BYTES: usize = 512;
const MAX_PAYLOAD_BYTES: u64 = 1 << 20;
/// What a page of a listing has, unless the caller says less.
const PAGE: usize = 1000;

/// Whether names may bear a letter: Unicode's letters and digits, and these three signs.
fn is_named_by(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-')
}

/// Refuses what no annotation can be called.
fn check_name(name: &str) -> Result<(), Error> {
    if name.len() > MAX_NAME_BYTES {
        return Err(Error::AnnotationNameTooLong);
    }
    let is_reserved = ["aws", "s3"].iter().any(|reserved| {
        name.get(..reserved.len()).is_some_and(|start| start.eq_ignore_ascii_case(reserved))
    });
    if name.is_empty() || is_reserved || !name.chars().all(is_named_by) {
        return Err(Error::InvalidAnnotationName);
    }
    Ok(())
}

/// A version that is an object, and its bucket.
fn found(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version_id: Option<&str>,
    expected_owner: Option<&str>,
) -> Result<(Bucket, Object), Error> {
    let bucket = store::expected_bucket(tx, at.0, expected_owner)?;
    match locks::found(tx, at, version_id)? {
        Found::Current(object) | Found::Older(_, object) => Ok((bucket, object)),
        Found::Marker(..) => Err(Error::NoSuchKey { key: at.1.to_owned() }),
    }
}

/// Refuses if the object is not the one that the caller thinks.
fn check_match(object: &Object, tag: Option<&str>) -> Result<(), Error> {
    match tag {
        Some(tag) if !object.listed.e_tag.is_named_by(tag) => {
            Err(Error::PreconditionFailed { condition: "x-amz-object-if-match".to_owned() })
        }
        _ => Ok(()),
    }
}

/// The key of KMS with which an object is encrypted, if it is.
fn kms_key(object: &Object) -> Option<&str> {
    match object.encryption() {
        Some(Encryption::Kms(kms)) => Some(&kms.key_arn),
        _ => None,
    }
}

/// Attaches an annotation to a version, in place of the one of its name.
pub(crate) async fn put(
    cx: &Cx,
    mut input: PutObjectAnnotationInput,
) -> Result<PutObjectAnnotationOutput, Error> {
    let (at, name) = ((&*input.bucket, &*input.key), &*input.annotation_name);
    check_name(name)?;
    let (version_id, owner) = (input.version_id.as_deref(), input.expected_bucket_owner.as_deref());
    let tag = input.object_if_match.as_deref();
    let (bucket, object) = cx.read(|tx| found(tx, at, version_id, owner))?;
    check_match(&object, tag)?;
    if matches!(object.encryption(), Some(Encryption::Customer { .. })) {
        let message = "Objects encrypted with customer-provided keys cannot have annotations.";
        return Err(Error::request(message));
    }
    let sealing = encryption::like(cx, &bucket, at, object.encryption()).await?;
    let body = std::mem::take(&mut input.annotation_payload);
    let (md5, algorithm) = (input.content_md5.as_deref(), input.checksum_algorithm.as_deref());
    let promise = Promise::read(&input, &body, md5, algorithm)?;
    let sealer = sealing.sealer(cx);
    let received = bodies::receive_text(cx, body, promise, sealer, MAX_PAYLOAD_BYTES).await?;
    let mut annotation = composed(&received, cx.request().now.millis());
    let (object, charged) = cx
        .write(|tx| {
            let (bucket, now) = found(tx, at, version_id, owner)?;
            check_match(&now, tag)?;
            if kms_key(&now) != kms_key(&object) {
                return Err(changed());
            }
            check_count(tx, at, &now, name)?;
            annotation.encryption = sealing.keep(tx, received.nonce)?;
            let status = &mut annotation.listed.replication;
            *status = None;
            replication::annotated(tx, &bucket, (at, &now), name, status)?;
            rows::put(tx, at, now.version, (name, &annotation))?;
            events::emit(tx, &bucket, at.0, &Change::annotated("Put", at.1, &now))?;
            let entry = Entry::Annotated(RecordKind::CreateAnnotation, &now, name);
            note(tx, &bucket, at, entry, By::Caller)?;
            Ok((now, payment::charged(tx, &bucket, input.request_payer.as_deref())))
        })
        .await?;
    let mut output = PutObjectAnnotationOutput {
        key: Some(input.key.clone()),
        annotation_name: Some(input.annotation_name.clone()),
        object_version_id: object.version_id(),
        e_tag: Some(ETag::plain(annotation.listed.e_tag).quoted()),
        server_side_encryption: encryption::Told::of(annotation.encryption.as_ref()).method,
        request_charged: charged,
        ..PutObjectAnnotationOutput::default()
    };
    let checksum = &annotation.listed.checksum;
    output.set_checksum(checksum.algorithm, checksum.text(0));
    output.checksum_type = Some(checksum.type_name().to_owned());
    Ok(output)
}

/// The object was encrypted anew meanwhile.
fn changed() -> Error {
    Fault::new("ServiceUnavailable", "Please reduce your request rate.").into()
}

fn composed(received: &Received, modified_millis: i64) -> Annotation {
    Annotation {
        listed: ListedAnnotation {
            size: received.size,
            modified_millis,
            e_tag: received.md5,
            checksum: received.checksum.clone(),
            replication: None,
        },
        encryption: None,
        body: received.body.clone(),
    }
}

/// Refuses one annotation more than a version may have.
fn check_count(tx: &WriteTx<'_>, at: At<'_>, object: &Object, name: &str) -> Result<(), Error> {
    let Some(annotated) = rows::annotated(tx, at, object.version)? else { return Ok(()) };
    let is_full = annotated.count >= MAX_ANNOTATIONS;
    if is_full && !rows::ANNOTATIONS.contains(tx, &(annotated.number, name))? {
        return Err(Error::AnnotationLimitExceeded);
    }
    Ok(())
}

/// Reads an annotation.
pub(crate) async fn get(
    cx: &Cx,
    input: GetObjectAnnotationInput,
) -> Result<GetObjectAnnotationOutput, Error> {
    let (at, name) = ((&*input.bucket, &*input.key), &*input.annotation_name);
    let (version_id, owner) = (input.version_id.as_deref(), input.expected_bucket_owner.as_deref());
    let (object, annotation, locked, charged) = cx.read(|tx| {
        let (bucket, object) = found(tx, at, version_id, owner)?;
        let annotation =
            rows::find(tx, at, object.version, name)?.ok_or(Error::NoSuchAnnotation)?;
        let locked = Locked::new(tx.cx(), &stored(&annotation))?;
        let charged = payment::charged(tx, &bucket, input.request_payer.as_deref());
        Ok::<_, Error>((object, annotation, locked, charged))
    })?;
    let key = encryption::open(cx, at, annotation.encryption.as_ref(), None).await?;
    let body = bodies::outgoing(locked.unlock(key.as_ref())?, format!("{}/{}", at.0, at.1));
    let listed = &annotation.listed;
    let mut output = GetObjectAnnotationOutput {
        object_version_id: object.version_id(),
        last_modified: Some(listed.modified()),
        content_length: i64::try_from(listed.size).ok(),
        e_tag: Some(ETag::plain(listed.e_tag).quoted()),
        server_side_encryption: encryption::Told::of(annotation.encryption.as_ref()).method,
        request_charged: charged,
        replication_status: listed.replication.as_deref().map(replication::told_of),
        annotation_payload: body,
        ..GetObjectAnnotationOutput::default()
    };
    if input.checksum_mode.as_deref() == Some("ENABLED") {
        output.set_checksum(listed.checksum.algorithm, listed.checksum.text(0));
        output.checksum_type = Some(listed.checksum.type_name().to_owned());
    }
    Ok(output)
}

/// Where the text of an annotation lies.
pub(crate) fn stored(annotation: &Annotation) -> Stored {
    Stored::whole(&annotation.body, annotation.encryption.as_ref().map(|of| *of.nonce()))
}

/// Lists the annotations of a version by their names.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListObjectAnnotationsInput,
) -> Result<ListObjectAnnotationsOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let prefix = input.annotation_prefix.as_deref().unwrap_or_default();
    if prefix.len() > MAX_NAME_BYTES || !prefix.chars().all(is_named_by) {
        return Err(Error::InvalidPrefix);
    }
    let after = match input.continuation_token.as_deref() {
        None => None,
        Some(token) => Some(page::parse_text(token).ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            Error::argument("continuation-token", token, message)
        })?),
    };
    let (bucket, object) = found(tx, at, input.version_id.as_deref(), owner)?;
    let wanted = input.max_annotation_results.and_then(|count| usize::try_from(count).ok());
    let wanted = wanted.unwrap_or(PAGE).min(PAGE);
    let mut entries: Vec<AnnotationEntry> = Vec::new();
    let mut next = None;
    if let Some(annotated) = rows::annotated(tx, at, object.version)? {
        let range = rows::LISTED.range(&(annotated.number,));
        let range = match &after {
            Some(after) if &**after >= prefix => range.after(&(annotated.number, &**after)),
            _ => range.from(&(annotated.number, prefix)),
        };
        range.visit(tx, |(_, name), listed| {
            if !name.starts_with(prefix) {
                return ControlFlow::Break(());
            }
            if entries.len() == wanted {
                let last = entries.last().and_then(|entry| entry.annotation_name.as_deref());
                next = last.map(page::text_token);
                return ControlFlow::Break(());
            }
            entries.push(entry(name, &listed));
            ControlFlow::Continue(())
        })?;
    }
    Ok(ListObjectAnnotationsOutput {
        annotation_count: i32::try_from(entries.len()).ok(),
        annotations: Some(entries),
        object_version_id: object.version_id(),
        max_annotation_results: i32::try_from(wanted).ok(),
        next_continuation_token: next,
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
        bucket: Some(input.bucket),
        key: Some(input.key),
        annotation_prefix: input.annotation_prefix,
        continuation_token: input.continuation_token,
    })
}

fn entry(name: String, listed: &ListedAnnotation) -> AnnotationEntry {
    AnnotationEntry {
        annotation_name: Some(name),
        last_modified: Some(listed.modified()),
        e_tag: Some(ETag::plain(listed.e_tag).quoted()),
        checksum_algorithm: Some(vec![listed.checksum.algorithm.name().to_owned()]),
        size: i64::try_from(listed.size).ok(),
        replication_status: listed.replication.as_deref().map(replication::told_of),
    }
}

/// Removes an annotation for good; that it is not there is no error.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteObjectAnnotationInput,
) -> Result<DeleteObjectAnnotationOutput, Error> {
    let (at, name) = ((&*input.bucket, &*input.key), &*input.annotation_name);
    let owner = input.expected_bucket_owner.as_deref();
    let (bucket, object) = found(tx, at, input.version_id.as_deref(), owner)?;
    check_match(&object, input.object_if_match.as_deref())?;
    let bypasses_governance = input.bypass_governance_retention == Some(true);
    locks::check(tx, at, &object, Removal { bypasses_governance, ..Removal::default() })?;
    if rows::remove(tx, at, object.version, name)? {
        replication::annotation_removed(tx, &bucket, (at, &object), name)?;
        events::emit(tx, &bucket, at.0, &Change::annotated("Delete", at.1, &object))?;
        let entry = Entry::Annotated(RecordKind::DeleteAnnotation, &object, name);
        note(tx, &bucket, at, entry, By::Caller)?;
    }
    Ok(DeleteObjectAnnotationOutput {
        object_version_id: object.version_id(),
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_three_signs() {
        for name in ["a", "ml.sentiment", "Größe_2-b", "日本語", "as", "s", &"a".repeat(512)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "aws", "AWS.x", "s3", "S3-x", "a b", "a/b", "a\u{0}", "é!", "a:b"] {
            assert!(matches!(check_name(name), Err(Error::InvalidAnnotationName)), "{name}");
        }
        assert!(matches!(check_name(&"é".repeat(257)), Err(Error::AnnotationNameTooLong)));
    }
}
