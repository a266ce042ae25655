//! What becomes of annotations when their object is copied or encrypted anew.

use fogbank_core::{Access, Cx, Tx, WriteTx};

use super::rows::{self, ANNOTATIONS, Annotated, Annotation, LISTED};
use super::{composed, stored};
use crate::access::object_arn;
use crate::bodies::{self, Received};
use crate::ciphers::Locked;
use crate::directory;
use crate::encryption::{self, Sealing};
use crate::error::Error;
use crate::events::{self, Change};
use crate::metadata_tables::{By, Entry, RecordKind, note};
use crate::replication;
use crate::store::{Bucket, Object};
use crate::versions::At;

const DIRECTIVE: &str = "x-amz-object-annotation-directive";

/// Reads `x-amz-object-annotation-directive`: whether annotations are copied, which directory buckets have none of.
pub(crate) fn directive(given: Option<&str>, bucket: &str) -> Result<bool, Error> {
    match given {
        Some("COPY") if directory::is_name(bucket) => Err(Error::header(DIRECTIVE, "")),
        None | Some("COPY") => Ok(true),
        Some("EXCLUDE") => Ok(false),
        Some(other) => {
            let message = "Unknown annotation directive.";
            Err(Error::argument(DIRECTIVE, other, message))
        }
    }
}

/// The annotations of a version as they were looked at, for a copy of it.
#[derive(Debug)]
pub(crate) struct Carried {
    annotated: Option<Annotated>,
    /// Those that do not lie as they are to lie, written anew; none if all are shared.
    written: Option<Vec<(String, Received)>>,
}

/// Gets the annotations of a version ready for a copy of it.
pub(crate) async fn carry(
    cx: &Cx,
    from: At<'_>,
    version: u64,
    to: At<'_>,
    sealing: &Sealing,
) -> Result<Carried, Error> {
    let Some(annotated) = cx.read(|tx| rows::annotated(tx, from, version))? else {
        return Ok(Carried { annotated: None, written: None });
    };
    if directory::is_name(to.0) {
        return Err(Error::header(DIRECTIVE, "Directory buckets have no annotations: say EXCLUDE"));
    }
    cx.authorise(&Access::to("s3:GetObjectAnnotation", object_arn(from.0, from.1)))?;
    cx.authorise(&Access::to("s3:PutObjectAnnotation", object_arn(to.0, to.1)))?;
    if matches!(sealing, Sealing::Customer(_)) {
        let message = "Objects encrypted with customer-provided keys cannot have annotations.";
        return Err(Error::request(message));
    }
    let written = seal(cx, from, annotated.number, sealing).await?;
    Ok(Carried { annotated: Some(annotated), written })
}

/// Writes annotations anew as an object is encrypted; none if all lie as they are to lie.
pub(crate) async fn seal(
    cx: &Cx,
    from: At<'_>,
    number: u64,
    sealing: &Sealing,
) -> Result<Option<Vec<(String, Received)>>, Error> {
    let names = cx.read(|tx| LISTED.range(&(number,)).keys(tx))?;
    let mut written = Vec::with_capacity(names.len());
    for (_, name) in names {
        let found = cx.read(|tx| {
            let Some(annotation) = ANNOTATIONS.get(tx, &(number, &*name))? else {
                return Ok(None);
            };
            let locked = Locked::new(tx.cx(), &stored(&annotation))?;
            Ok::<_, Error>(Some((annotation, locked)))
        })?;
        // Who took it away has changed the number of the change, which is looked at once more.
        let Some((annotation, locked)) = found else { continue };
        if stored(&annotation).is_managed() && sealing.is_managed() {
            return Ok(None);
        }
        let key = encryption::open(cx, from, annotation.encryption.as_ref(), None).await?;
        let algorithm = Some(annotation.listed.checksum.algorithm);
        let reader = locked.unlock(key.as_ref())?;
        let received = bodies::copy(cx, reader, algorithm, sealing.sealer(cx)).await?;
        written.push((name, received));
    }
    Ok(Some(written))
}

/// The annotations of a copy, whose bytes are kept for it; nothing if those of the source have changed since.
pub(crate) fn keep(
    tx: &mut WriteTx<'_>,
    from: At<'_>,
    version: u64,
    carried: &Carried,
    sealing: &Sealing,
) -> Result<Option<Vec<(String, Annotation)>>, Error> {
    if rows::annotated(tx, from, version)? != carried.annotated {
        return Ok(None);
    }
    let Some(annotated) = carried.annotated else { return Ok(Some(Vec::new())) };
    if let Some(written) = &carried.written {
        return sealed(tx, written, sealing).map(Some);
    }
    let now = tx.now().millis();
    let mut kept = Vec::new();
    for ((_, name), mut annotation) in ANNOTATIONS.range(&(annotated.number,)).list(tx)? {
        annotation.body.retain(tx)?;
        annotation.listed.modified_millis = now;
        annotation.listed.replication = None;
        kept.push((name, annotation));
    }
    Ok(Some(kept))
}

/// Annotations that were written anew.
pub(crate) fn sealed(
    tx: &mut WriteTx<'_>,
    written: &[(String, Received)],
    sealing: &Sealing,
) -> Result<Vec<(String, Annotation)>, Error> {
    let now = tx.now().millis();
    let mut sealed = Vec::with_capacity(written.len());
    for (name, received) in written {
        let mut annotation = composed(received, now);
        annotation.encryption = sealing.keep(tx, received.nonce)?;
        sealed.push((name.clone(), annotation));
    }
    Ok(sealed)
}

/// Writes the annotations of a copy.
pub(crate) fn write(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    (at, object): (At<'_>, &Object),
    kept: Vec<(String, Annotation)>,
) -> Result<(), Error> {
    for (name, mut annotation) in kept {
        let status = &mut annotation.listed.replication;
        replication::annotated(tx, bucket, (at, object), &name, status)?;
        rows::put(tx, at, object.version, (&name, &annotation))?;
        events::emit(tx, bucket, at.0, &Change::annotated("Put", at.1, object))?;
        let entry = Entry::Annotated(RecordKind::CreateAnnotation, object, &name);
        note(tx, bucket, at, entry, By::Caller)?;
    }
    Ok(())
}
