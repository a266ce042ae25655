//! Objects: write, read and remove them.

use fogbank_core::{Cx, Timestamp, Tx, WriteTx};

use crate::access;
use crate::bodies::{self, FORM_LENGTH, Promise, Received};
use crate::checksums::Checksums;
use crate::directory;
use crate::encryption;
use crate::error::Error;
use crate::events::{self, Change};
use crate::lifecycle;
use crate::locks;
use crate::metadata::{Draft, Writes};
use crate::metadata_tables::{By, Entry, note};
use crate::mfa;
use crate::model::{
    DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, PutObjectInput, PutObjectOutput,
};
use crate::payment;
use crate::reads::{self, Stored};
use crate::rules::{self, ETag};
use crate::store::{self, Listed, Object, VersionName};
use crate::tiering;
use crate::versions::{self, Removal, Removed};

/// The conditions of a write upon what lies under its key.
#[derive(Debug, Default)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: bool,
}

impl WriteConditions {
    /// Reads `If-Match` and `If-None-Match` of a write, of which S3 takes an ETag and `*`, and one at a time.
    pub(crate) fn read(
        if_match: Option<String>,
        if_none_match: Option<String>,
    ) -> Result<WriteConditions, Error> {
        let unsupported = |name: &str| {
            let detail =
                format!("We don't accept the provided value of {name} header for this API");
            Error::header(name, detail)
        };
        match (if_match, if_none_match) {
            (Some(_), Some(_)) => {
                let detail = "Multiple conditional request headers present in the request";
                Err(Error::header("If-Match,If-None-Match", detail))
            }
            (Some(tag), None) if tag.trim() == "*" => Err(unsupported("If-Match")),
            (None, Some(tag)) if tag.trim() != "*" => Err(unsupported("If-None-Match")),
            (if_match, none) => Ok(WriteConditions { if_match, if_none_match: none.is_some() }),
        }
    }

    /// Refuses the write if what lies under the key is not what the caller thinks.
    pub(crate) fn check(&self, key: &str, old: Option<&Object>) -> Result<(), Error> {
        let fails = |condition: &str| Error::PreconditionFailed { condition: condition.to_owned() };
        if self.if_none_match && old.is_some() {
            return Err(fails("If-None-Match"));
        }
        match (&self.if_match, old) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Error::NoSuchKey { key: key.to_owned() }),
            (Some(tag), Some(old)) if old.listed.e_tag.is_named_by(tag) => Ok(()),
            (Some(_), Some(_)) => Err(fails("If-Match")),
        }
    }
}

/// An object of a draft and a body.
pub(crate) fn compose(draft: &mut Draft, received: Received, modified_millis: i64) -> Object {
    Object {
        listed: Listed {
            size: received.size,
            modified_millis,
            e_tag: ETag::plain(received.md5),
            storage_class: draft.storage_class.take(),
            checksum: Some(received.checksum),
            owner: None,
            restored: None,
        },
        version: 0,
        version_name: VersionName::Unversioned,
        parts: None,
        headers: std::mem::take(&mut draft.headers),
        metadata: std::mem::take(&mut draft.metadata),
        tags: std::mem::take(&mut draft.tags),
        more: None,
        body: received.body,
    }
}

/// Sets the members of an answer that tell an object's checksum.
pub(crate) fn tell_checksum(
    output: &mut impl Checksums,
    checksum_type: &mut Option<String>,
    listed: &Listed,
) {
    if let Some(checksum) = &listed.checksum {
        output.set_checksum(checksum.algorithm, checksum.text(listed.e_tag.parts));
        *checksum_type = Some(checksum.type_name().to_owned());
    }
}

/// Writes an object, or appends to one.
pub(crate) async fn put(cx: &Cx, input: PutObjectInput) -> Result<PutObjectOutput, Error> {
    match input.write_offset_bytes {
        None => write(cx, input).await,
        // Apart, so that what few objects need makes no write's future larger.
        Some(offset) => Box::pin(directory::append(cx, input, offset)).await,
    }
}

/// Writes an object. Its row, the end of the one before and the events are one transaction.
pub(crate) async fn write(cx: &Cx, mut input: PutObjectInput) -> Result<PutObjectOutput, Error> {
    let mut draft = input.draft()?;
    let (name, key) = (&*input.bucket, &*input.key);
    let bucket = cx.read(|tx| {
        store::expected_shared_bucket(tx, name, input.expected_bucket_owner.as_deref())
    })?;
    let sealing = encryption::settle(cx, &bucket, (name, key), &draft.encryption).await?;
    let conditions = WriteConditions::read(input.if_match.take(), input.if_none_match.take())?;
    let body = std::mem::take(&mut input.body);
    let (md5, algorithm) = (input.content_md5.as_deref(), input.checksum_algorithm.as_deref());
    let promise = Promise::read(&input, &body, md5, algorithm)?;
    // Whether a form must say it, too, AWS does not say.
    let is_form = input.content_length == Some(FORM_LENGTH);
    let locks_by_default = bucket.retention.is_some() || bucket.event_hold.is_some();
    let locks = draft.lock != locks::Asked::default() || locks_by_default;
    promise.check_lock(cx, locks && !is_form, "Put Object")?;
    let received =
        bodies::receive(cx, body, input.content_length, promise, sealing.sealer(cx)).await?;
    let nonce = received.nonce;
    let mut object = compose(&mut draft, received, cx.request().now.millis());
    let event = if is_form { "Post" } else { "Put" };
    let mut expiration = None;
    let mut charged = None;
    cx.write(|tx| {
        let expected = input.expected_bucket_owner.as_deref();
        let bucket = store::expected_shared_bucket(tx, name, expected)?;
        let old = store::object(tx, name, key)?;
        conditions.check(key, old.as_ref())?;
        object.version = tx.version();
        let encryption = sealing.keep(tx, nonce)?;
        (object.listed.owner, object.more) = draft.settle(tx, (name, key), &bucket, encryption)?;
        versions::put(tx, &bucket, (name, key), &mut object, old)?;
        note(tx, &bucket, (name, key), Entry::Created(&object), By::Caller)?;
        expiration = lifecycle::expiration(tx, (name, key), &bucket, &object)?;
        charged = payment::charged(tx, &bucket, input.request_payer.as_deref());
        events::emit(tx, &bucket, name, &Change::created(event, key, &object))
    })
    .await?;
    let mut output = PutObjectOutput {
        request_charged: charged,
        e_tag: Some(object.listed.e_tag.quoted()),
        version_id: object.written_id(),
        expiration,
        ..PutObjectOutput::default()
    };
    encryption::tell_written!(output, object.encryption());
    let mut checksum_type = None;
    tell_checksum(&mut output, &mut checksum_type, &object.listed);
    output.checksum_type = checksum_type;
    Ok(output)
}

/// Reads an object or a part of it.
pub(crate) async fn get(cx: &Cx, input: GetObjectInput) -> Result<GetObjectOutput, Error> {
    let asked = reads::asked!(input);
    let at = (asked.bucket, asked.key);
    let (mut found, content, expiration, tiered) = cx.read(|tx| {
        let found = reads::find(tx, &asked)?;
        let tiered = tiering::of(tx, at, &found.object)?;
        // What is locked here is read even if somebody removes it meanwhile.
        let content = reads::content(tx, &found)?;
        let expiration = reads::expiration(tx, &asked, &found)?;
        Ok::<_, Error>((found, content, expiration, tiered))
    })?;
    if found.content.is_unchanged {
        return Ok(GetObjectOutput {
            status_code: Some(304),
            e_tag: Some(found.object.listed.e_tag.quoted()),
            last_modified: Some(found.object.listed.modified()),
            version_id: found.object.version_id(),
            ..GetObjectOutput::default()
        });
    }
    found.object.listed.check_readable(cx.request().now)?;
    let message = "The operation is not valid for the object's access tier";
    tiering::check_readable(tiered.as_ref(), cx.request().now, message)?;
    tiering::accessed(cx, at, found.object.version, tiered.as_ref());
    let body = match content {
        Stored::Here(body) => body,
        Stored::Locked(locked, kept) => {
            let (at, encryption) = ((asked.bucket, asked.key), found.object.encryption());
            let key = match encryption {
                None => None,
                // Boxed, since every read's future would have room for it.
                _ => {
                    let key = asked.customer_key.as_ref();
                    Box::pin(encryption::open(cx, at, encryption, key)).await?
                }
            };
            let name = format!("{}/{}", asked.bucket, asked.key);
            let reader = locked.unlock(key.as_ref())?;
            match kept {
                None => bodies::outgoing(reader, name),
                Some((opened, id)) => Box::pin(opened.keep(id, reader)).await?,
            }
        }
    };
    locks::conceal(cx, at, &mut found.object);
    let mut output = reads::answer!(GetObjectOutput, input, found, cx.request().now);
    output.expiration = expiration;
    output.body = body;
    Ok(output)
}

/// Says all of an object but its body.
pub(crate) async fn head(cx: &Cx, input: HeadObjectInput) -> Result<HeadObjectOutput, Error> {
    let asked = reads::asked!(input);
    let (mut found, expiration, tiered) = cx.read(|tx| {
        let found = reads::find(tx, &asked)?;
        let tiered = tiering::of(tx, (asked.bucket, asked.key), &found.object)?;
        let expiration = match found.content.is_unchanged {
            true => None,
            false => reads::expiration(tx, &asked, &found)?,
        };
        Ok::<_, Error>((found, expiration, tiered))
    })?;
    if found.content.is_unchanged {
        return Ok(HeadObjectOutput {
            status_code: Some(304),
            e_tag: Some(found.object.listed.e_tag.quoted()),
            last_modified: Some(found.object.listed.modified()),
            version_id: found.object.version_id(),
            ..HeadObjectOutput::default()
        });
    }
    if found.checksum.is_some() {
        let at = (asked.bucket, asked.key);
        encryption::check_may_open(cx, at, found.object.encryption()).await?;
    }
    let now = cx.request().now;
    if tiered.is_some_and(|tiered| tiered.is_coming(now)) {
        found.restore = Some("ongoing-request=\"true\"".to_owned());
    }
    locks::conceal(cx, (asked.bucket, asked.key), &mut found.object);
    let mut output = reads::answer!(HeadObjectOutput, input, found, now);
    let archive = tiered.and_then(|tiered| tiered.archive(now));
    output.archive_status = archive.map(|archive| archive.name().to_owned());
    output.expiration = expiration;
    Ok(output)
}

/// Removes an object; that it is not there is no error.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteObjectInput,
) -> Result<DeleteObjectOutput, Error> {
    let name = &*input.bucket;
    let expected = Expected {
        e_tag: input.if_match.as_deref(),
        modified: input.if_match_last_modified_time,
        size: input.if_match_size,
    };
    expected.check_offered(name)?;
    let bucket = store::expected_shared_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let bypasses_governance = input.bypass_governance_retention == Some(true);
    if bypasses_governance && !bucket.has_lock {
        let name = "x-amz-bypass-governance-retention";
        let message = format!("{name} is only applicable to Object Lock enabled buckets.");
        return Err(Error::argument(name, "", message));
    }
    let version_id = input.version_id.as_deref();
    let shown = mfa::shown(input.mfa.as_deref())?;
    if bucket.mfa_delete == Some(true) && version_id.is_some() {
        mfa::take(tx, &bucket, shown.as_ref())?;
    }
    let removal = Removal { version_id, bypasses_governance, ..Removal::default() };
    let at = (name, &*input.key);
    expected.check(tx, at, removal)?;
    let removed = versions::remove(tx, &bucket, at, removal)?;
    let Removed { version_id, is_marker } = removed;
    Ok(DeleteObjectOutput {
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
        version_id,
        delete_marker: is_marker.then_some(true),
    })
}

/// What a caller who removes an object thinks of it.
pub(crate) struct Expected<'a> {
    pub(crate) e_tag: Option<&'a str>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) size: Option<i64>,
}

impl Expected<'_> {
    /// Refuses conditions that only directory buckets have.
    pub(crate) fn check_offered(&self, bucket: &str) -> Result<(), Error> {
        let header = match (self.modified, self.size) {
            (Some(_), _) => "x-amz-if-match-last-modified-time",
            (None, Some(_)) => "x-amz-if-match-size",
            (None, None) => return Ok(()),
        };
        if directory::is_name(bucket) { Ok(()) } else { Err(Error::header(header, "")) }
    }

    /// Refuses a removal unless what is there is what the caller thinks.
    pub(crate) fn check(
        &self,
        tx: &(impl Tx + ?Sized),
        at: versions::At<'_>,
        removal: Removal<'_>,
    ) -> Result<(), Error> {
        if self.e_tag.is_none() && self.modified.is_none() && self.size.is_none() {
            return Ok(());
        }
        let mut found = versions::find(tx, at, removal.version_id)?;
        let Some(object) = found.as_mut().and_then(versions::Found::object_mut) else {
            return Err(Error::NoSuchKey { key: at.1.to_owned() });
        };
        let listed = &object.listed;
        let fails =
            |condition: &str| Err(Error::PreconditionFailed { condition: condition.to_owned() });
        if self.e_tag.is_some_and(|tag| !listed.e_tag.is_named_by(tag)) {
            return fails("If-Match");
        }
        if self.modified.is_some_and(|time| time.secs() != listed.modified().secs()) {
            return fails("x-amz-if-match-last-modified-time");
        }
        if self.size.is_some_and(|size| u64::try_from(size).ok() != Some(listed.size)) {
            return fails("x-amz-if-match-size");
        }
        Ok(())
    }
}

/// Why there is nothing to read under a key: those who may not list the bucket do not learn whether it is there.
pub(crate) fn missing(tx: &(impl Tx + ?Sized), bucket: &str, key: &str) -> Error {
    if let Err(error) = rules::check_key(key) {
        return error;
    }
    let refused = store::bucket(tx, bucket).map(|_| ()).and_then(|()| {
        let list = fogbank_core::Access::to("s3:ListBucket", access::bucket_arn(bucket))
            .with("s3:prefix", [key.to_owned()]);
        Ok(tx.cx().authorise(&list)?)
    });
    match refused {
        Err(error) => error,
        Ok(()) => Error::NoSuchKey { key: key.to_owned() },
    }
}
