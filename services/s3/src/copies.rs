//! Copying objects. The bytes are shared, not copied; they are read again only where a hash of them is not known.

use fogbank_core::{Cx, Fault, Timestamp, Tx, WriteTx};

use crate::annotations::copies::{self as annotations, Carried};
use crate::bodies::{self, Received};
use crate::checksums::{Algorithm, Checksum};
use crate::ciphers::{self, CustomerKey, Locked, Reader};
use crate::directory;
use crate::encryption::{self, Sealing};
use crate::error::Error;
use crate::events::{self, Change};
use crate::lifecycle;
use crate::metadata::{Draft, Writes};
use crate::metadata_tables::{By, Entry, note};
use crate::model::{CopyObjectInput, CopyObjectOutput, CopyObjectResult};
use crate::objects::{self, WriteConditions};
use crate::payment;
use crate::rules::{self, Conditions, ETag, MAX_COPY_BYTES, Source, Verdict};
use crate::store::{self, Bucket, Listed, Object, VersionName};
use crate::tiering;
use crate::versions;

/// How often a copy begins again because its source changed meanwhile.
const MAX_TRIES: usize = 8;

/// The conditions of a copy upon its source.
pub(crate) struct SourceConditions<'a> {
    pub(crate) if_match: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
    pub(crate) expected_owner: Option<&'a str>,
}

/// The key with which the source is encrypted, as the request brings it.
macro_rules! source_key {
    ($input:ident) => {
        crate::ciphers::CustomerKey::read(crate::ciphers::Headers {
            algorithm: $input.copy_source_sse_customer_algorithm.as_deref(),
            key: $input.copy_source_sse_customer_key.as_deref(),
            md5: $input.copy_source_sse_customer_key_md5.as_deref(),
        })?
    };
}

pub(crate) use source_key;

/// The object that is copied from, and its bucket.
pub(crate) fn source(
    tx: &(impl Tx + ?Sized),
    source: &Source,
    conditions: &SourceConditions<'_>,
) -> Result<(Bucket, Object), Error> {
    let bucket = store::expected_bucket(tx, &source.bucket, conditions.expected_owner)?;
    let at = (&*source.bucket, &*source.key);
    let object = versions::read(tx, at, source.version_id.as_deref())
        .map_err(|error| of_source(tx.request().operation, error))?;
    let listed = &object.listed;
    if listed.check_readable(tx.now()).is_err() {
        let message = "Operation is not valid for the source object's storage class";
        let fault = Fault::new("InvalidObjectState", message).with("StorageClass", listed.class());
        return Err(Error::Fault(fault));
    }
    let tiered = tiering::of(tx, at, &object)?;
    let message = "Operation is not valid for the source object's access tier";
    tiering::check_readable(tiered.as_ref(), tx.now(), message)?;
    tiering::accessed(tx.cx(), at, object.version, tiered.as_ref());
    let judged = Conditions {
        if_match: conditions.if_match,
        if_none_match: conditions.if_none_match,
        if_modified_since: conditions.if_modified_since,
        if_unmodified_since: conditions.if_unmodified_since,
    };
    let failed = match judged.evaluate(&listed.e_tag, listed.modified(), tx.now()) {
        Verdict::Holds => return Ok((bucket, object)),
        Verdict::Fails(condition) => condition,
        Verdict::NotModified => judged.not_modified_by(),
    };
    Err(Error::PreconditionFailed { condition: format!("x-amz-copy-source-{failed}") })
}

/// What is wrong with a source's version, in the words that copies have for it.
fn of_source(operation: &str, error: Error) -> Error {
    match error {
        // Observed: the two kinds of copies differ here.
        Error::InvalidArgument { .. } if operation == "CopyObject" => {
            Error::request("Invalid Request")
        }
        Error::InvalidArgument { message, value, .. } => {
            Error::argument("x-amz-copy-source", value, message)
        }
        Error::Fault(fault) if fault.name() == "MethodNotAllowed" => Error::request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        error => error,
    }
}

/// What of the source is kept, and what the request sets anew.
struct Plan<'a> {
    source: Source,
    conditions: SourceConditions<'a>,
    draft: Draft,
    replaces_metadata: bool,
    replaces_tags: bool,
    copies_annotations: bool,
    algorithm: Option<Algorithm>,
    write: WriteConditions,
    source_key: Option<CustomerKey>,
    sealing: Sealing,
}

/// A copy that was written.
struct Copied {
    source_version_id: Option<String>,
    object: Object,
    expiration: Option<String>,
}

/// The hashes of what is copied.
struct Hashes {
    e_tag: ETag,
    checksum: Checksum,
    /// The bytes, where they are not those of the source.
    written: Option<Received>,
}

/// Copies an object within the store.
pub(crate) async fn copy(cx: &Cx, mut input: CopyObjectInput) -> Result<CopyObjectOutput, Error> {
    let source_key = source_key!(input);
    let changes_class = input.storage_class.is_some();
    let draft = input.draft()?;
    let source = rules::copy_source(&input.copy_source)?;
    let is_itself =
        source.bucket == input.bucket && source.key == input.key && source.version_id.is_none();
    let changes = input.metadata_directive.as_deref() == Some("REPLACE")
        || changes_class
        || draft.encryption.is_said()
        || draft.headers.website_redirect.is_some();
    if is_itself && !changes {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Error::request(message));
    }
    let at = (&*input.bucket, &*input.key);
    let bucket =
        cx.read(|tx| store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref()))?;
    let sealing = encryption::settle(cx, &bucket, at, &draft.encryption).await?;
    let plan = Plan {
        source,
        conditions: SourceConditions {
            if_match: input.copy_source_if_match.as_deref(),
            if_none_match: input.copy_source_if_none_match.as_deref(),
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
            expected_owner: input.expected_source_bucket_owner.as_deref(),
        },
        replaces_metadata: directive("metadata", input.metadata_directive.as_deref())?,
        replaces_tags: directive("tagging", input.tagging_directive.as_deref())?,
        copies_annotations: annotations::directive(input.annotation_directive.as_deref(), at.0)?,
        algorithm: input.checksum_algorithm.as_deref().map(bodies::named).transpose()?,
        write: WriteConditions::read(input.if_match.take(), input.if_none_match.take())?,
        source_key,
        sealing,
        draft,
    };
    for _ in 0..MAX_TRIES {
        let (version, hashes) = hashes(cx, &plan).await?;
        let carried = match plan.copies_annotations {
            true => {
                let from = (&*plan.source.bucket, &*plan.source.key);
                Some(annotations::carry(cx, from, version, at, &plan.sealing).await?)
            }
            false => None,
        };
        let written =
            cx.write(|tx| write(tx, &input, &plan, version, (&hashes, carried.as_ref()))).await?;
        if let Some(copied) = written {
            let payer = input.request_payer.as_deref();
            let request_charged = payment::charged_after(cx, &input.bucket, payer)?;
            return Ok(CopyObjectOutput { request_charged, ..answer(&copied) });
        }
    }
    Err(Fault::new("ServiceUnavailable", "Please reduce your request rate.").into())
}

/// Reads a directive: whether what the source has is replaced.
fn directive(name: &str, given: Option<&str>) -> Result<bool, Error> {
    match given {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            let message = format!("Unknown {name} directive.");
            Err(Error::argument(&format!("x-amz-{name}-directive"), other, message))
        }
    }
}

/// The hashes of the source in this version of it: those that are known, or else newly made.
async fn hashes(cx: &Cx, plan: &Plan<'_>) -> Result<(u64, Hashes), Error> {
    let (version, listed, encryption, stored, locked) = cx.read(|tx| {
        let (_, object) = source(tx, &plan.source, &plan.conditions)?;
        ciphers::check(&object, plan.source_key.as_ref())?;
        check_size(object.listed.size)?;
        let stored = store::body(tx, &object, 0..object.listed.size)?;
        let locked = Locked::new(tx.cx(), &stored)?;
        let encryption = object.encryption().cloned();
        Ok::<_, Error>((object.version, object.listed, encryption, stored, locked))
    })?;
    let algorithm = plan
        .algorithm
        .or(listed.checksum.as_ref().map(|checksum| checksum.algorithm))
        .unwrap_or(Algorithm::Crc64Nvme);
    if !stored.is_managed() || !plan.sealing.is_managed() {
        // Under another key the bytes are others. What lies as it is is sealed from now on.
        let from = (&*plan.source.bucket, &*plan.source.key);
        let key = encryption::open(cx, from, encryption.as_ref(), plan.source_key.as_ref()).await?;
        let reader = locked.unlock(key.as_ref())?;
        let sealer = plan.sealing.sealer(cx);
        let received = bodies::copy(cx, reader, Some(algorithm), sealer).await?;
        let (e_tag, checksum) = (ETag::plain(received.md5), received.checksum.clone());
        return Ok((version, Hashes { e_tag, checksum, written: Some(received) }));
    }
    let known = listed
        .checksum
        .filter(|checksum| checksum.algorithm == algorithm && !checksum.is_composite);
    // What was uploaded in parts gets the ETag of an object that was not.
    // ETags in directory buckets say nothing of the bytes.
    let has_md5 = listed.e_tag.parts == 0 && !directory::is_name(&plan.source.bucket);
    if let (true, Some(checksum)) = (has_md5, known) {
        return Ok((version, Hashes { e_tag: listed.e_tag, checksum, written: None }));
    }
    let (md5, checksum) = bodies::rehash(Reader::new(cx, &stored, None)?, algorithm).await?;
    Ok((version, Hashes { e_tag: ETag::plain(md5), checksum, written: None }))
}

/// Refuses to copy more bytes than S3 copies at once.
pub(crate) fn check_size(size: u64) -> Result<(), Error> {
    if size > MAX_COPY_BYTES {
        return Err(Error::request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {MAX_COPY_BYTES}"
        )));
    }
    Ok(())
}

/// Writes the copy, unless the source is not the one any more whose hashes are known.
fn write(
    tx: &mut WriteTx<'_>,
    input: &CopyObjectInput,
    plan: &Plan<'_>,
    version: u64,
    (hashes, carried): (&Hashes, Option<&Carried>),
) -> Result<Option<Copied>, Error> {
    let at = (&*input.bucket, &*input.key);
    let bucket = store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref())?;
    let (_, from) = source(tx, &plan.source, &plan.conditions)?;
    if from.version != version {
        return Ok(None);
    }
    let kept = match carried {
        None => Vec::new(),
        Some(carried) => {
            let from = (&*plan.source.bucket, &*plan.source.key);
            match annotations::keep(tx, from, version, carried, &plan.sealing)? {
                Some(kept) => kept,
                None => return Ok(None),
            }
        }
    };
    let source_version_id = from.version_id();
    let old = store::object(tx, at.0, at.1)?;
    plan.write.check(at.1, old.as_ref())?;
    let (body, nonce) = match &hashes.written {
        Some(written) => (written.body.clone(), written.nonce),
        None => {
            let body = store::chain(tx, &from)?;
            body.retain(tx)?;
            (body, None)
        }
    };
    let draft = &plan.draft;
    let mut headers = if plan.replaces_metadata { draft.headers.clone() } else { from.headers };
    // A redirect is a matter of the place, not of the object.
    headers.website_redirect.clone_from(&draft.headers.website_redirect);
    let encryption = plan.sealing.keep(tx, nonce)?;
    let (owner, more) = draft.settle(tx, at, &bucket, encryption)?;
    let mut object = Object {
        listed: Listed {
            size: from.listed.size,
            modified_millis: tx.now().millis(),
            e_tag: hashes.e_tag,
            storage_class: draft.storage_class.clone(),
            checksum: Some(hashes.checksum.clone()),
            owner,
            restored: None,
        },
        version: tx.version(),
        version_name: VersionName::Unversioned,
        parts: None,
        headers,
        metadata: if plan.replaces_metadata { draft.metadata.clone() } else { from.metadata },
        tags: if plan.replaces_tags { draft.tags.clone() } else { from.tags },
        more,
        body,
    };
    versions::put(tx, &bucket, at, &mut object, old)?;
    note(tx, &bucket, at, Entry::Created(&object), By::Caller)?;
    annotations::write(tx, &bucket, (at, &object), kept)?;
    events::emit(tx, &bucket, at.0, &Change::created("Copy", at.1, &object))?;
    let expiration = lifecycle::expiration(tx, at, &bucket, &object)?;
    Ok(Some(Copied { source_version_id, object, expiration }))
}

fn answer(copied: &Copied) -> CopyObjectOutput {
    let listed = &copied.object.listed;
    let mut result = CopyObjectResult {
        e_tag: Some(listed.e_tag.quoted()),
        last_modified: Some(listed.modified()),
        ..CopyObjectResult::default()
    };
    let mut checksum_type = None;
    objects::tell_checksum(&mut result, &mut checksum_type, listed);
    result.checksum_type = checksum_type;
    let mut output = CopyObjectOutput {
        copy_object_result: Some(result),
        version_id: copied.object.written_id(),
        expiration: copied.expiration.clone(),
        copy_source_version_id: copied.source_version_id.clone(),
        ..CopyObjectOutput::default()
    };
    encryption::tell_written!(output, copied.object.encryption());
    output
}
