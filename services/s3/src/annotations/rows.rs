//! How annotations lie in the store.
//!
//! A version that has annotations has one row that counts them and names their number, under which they lie by name. So
//! they stay where they are when the version ceases to be the current one, and what many annotations hold is given back in
//! the background.

use fogbank_core::store::{self, BlobRef, Table, decode_fields, row};
use fogbank_core::{Timestamp, Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::checksums::Checksum;
use crate::error::Error;
use crate::store::{Chain, Encryption};
use crate::tasks;
use crate::versions::At;

/// The annotations of a version, by bucket, key and the version's number.
pub(crate) static ANNOTATED: Table<(String, String, u64), Annotated> =
    Table::new("s3.annotated-versions", 0x0270);
/// Annotations by their version's number of annotations and their names.
pub(crate) static ANNOTATIONS: Table<(u64, String), Annotation> =
    Table::new("s3.annotations", 0x0271);
/// The same rows as far as a listing needs them.
pub(crate) static LISTED: Table<(u64, String), ListedAnnotation> =
    Table::new("s3.annotations", 0x0271);
/// The numbers of annotations whose versions are gone, which are still to be removed.
pub(crate) static ORPHANS: Table<u64, ()> = Table::new("s3.orphaned-annotations", 0x0272);

/// How many annotations go in the transaction that removes their version.
const FEW: u32 = 16;
/// How many one transaction removes in the background.
const AT_ONCE: usize = 64;

/// The annotations of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Annotated {
    /// A number that no other version's annotations have.
    pub(crate) number: u64,
    pub(crate) count: u32,
    /// The number of the transaction that changed them last.
    pub(crate) changed: u64,
}

row!(Annotated, 1);

/// What a listing shows of an annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedAnnotation {
    pub(crate) size: u64,
    pub(crate) modified_millis: i64,
    pub(crate) e_tag: [u8; 16],
    pub(crate) checksum: Checksum,
    /// How far it is replicated; none if no rule means it.
    pub(crate) replication: Option<String>,
}

// The version is that of an annotation: these are the first fields of the same row.
row!(ListedAnnotation, 2, older_listed_annotation);

fn older_listed_annotation(version: u8, bytes: &[u8]) -> Result<ListedAnnotation, store::Error> {
    match version {
        1 => decode_fields(bytes),
        _ => store::no_older_version(version, bytes),
    }
}

impl ListedAnnotation {
    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp::from_millis(self.modified_millis)
    }
}

/// An annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Annotation {
    pub(crate) listed: ListedAnnotation,
    /// How it is encrypted: with a data key of KMS of its own, if that is how its object is.
    pub(crate) encryption: Option<Encryption>,
    pub(crate) body: Chain,
}

row!(Annotation, 2, older_annotation);

/// An annotation of the first version, whose text no key of S3 sealed.
#[derive(Deserialize)]
struct AnnotationV1 {
    listed: ListedAnnotation,
    encryption: Option<Encryption>,
    body: Vec<BlobRef>,
}

fn older_annotation(version: u8, bytes: &[u8]) -> Result<Annotation, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let AnnotationV1 { listed, encryption, body } = decode_fields(bytes)?;
    Ok(Annotation { listed, encryption, body: body.into() })
}

/// The annotations of a version, if it has some.
pub(crate) fn annotated(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version: u64,
) -> Result<Option<Annotated>, Error> {
    Ok(ANNOTATED.get(tx, &(at.0, at.1, version))?)
}

/// An annotation of a version.
pub(crate) fn find(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version: u64,
    name: &str,
) -> Result<Option<Annotation>, Error> {
    match annotated(tx, at, version)? {
        Some(annotated) => Ok(ANNOTATIONS.get(tx, &(annotated.number, name))?),
        None => Ok(None),
    }
}

/// Writes an annotation of a version, in place of the one of the name.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    at: At<'_>,
    version: u64,
    (name, annotation): (&str, &Annotation),
) -> Result<(), Error> {
    let number = tx.version();
    let fresh = Annotated { number, count: 0, changed: number };
    let mut annotated = annotated(tx, at, version)?.unwrap_or(fresh);
    match ANNOTATIONS.get(tx, &(annotated.number, name))? {
        Some(old) => free(tx, &old)?,
        None => annotated.count += 1,
    }
    annotated.changed = number;
    ANNOTATIONS.put(tx, &(annotated.number, name), annotation)?;
    Ok(ANNOTATED.put(tx, &(at.0, at.1, version), &annotated)?)
}

/// Writes an annotation back of which only the status changed.
pub(crate) fn save(
    tx: &mut WriteTx<'_>,
    number: u64,
    name: &str,
    annotation: &Annotation,
) -> Result<(), Error> {
    Ok(ANNOTATIONS.put(tx, &(number, name), annotation)?)
}

/// Removes an annotation of a version; says whether it was there.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    at: At<'_>,
    version: u64,
    name: &str,
) -> Result<bool, Error> {
    let Some(mut annotated) = annotated(tx, at, version)? else { return Ok(false) };
    let Some(old) = ANNOTATIONS.get(tx, &(annotated.number, name))? else { return Ok(false) };
    free(tx, &old)?;
    ANNOTATIONS.delete(tx, &(annotated.number, name))?;
    annotated.count = annotated.count.saturating_sub(1);
    annotated.changed = tx.version();
    match annotated.count {
        0 => ANNOTATED.delete(tx, &(at.0, at.1, version))?,
        _ => ANNOTATED.put(tx, &(at.0, at.1, version), &annotated)?,
    }
    Ok(true)
}

/// Gives back what an annotation holds.
pub(crate) fn free(tx: &mut WriteTx<'_>, annotation: &Annotation) -> Result<(), Error> {
    Ok(annotation.body.free(tx)?)
}

/// Removes the annotations of a version that goes: few at once, many in the background.
pub(crate) fn forget(tx: &mut WriteTx<'_>, at: At<'_>, version: u64) -> Result<(), Error> {
    let Some(annotated) = annotated(tx, at, version)? else { return Ok(()) };
    ANNOTATED.delete(tx, &(at.0, at.1, version))?;
    if annotated.count > FEW {
        ORPHANS.put(tx, &annotated.number, &())?;
        tx.wake(tasks::PARTS);
        return Ok(());
    }
    remove_of(tx, annotated.number).map(|_| ())
}

/// Removes some of the annotations with a number; says whether these were all.
fn remove_of(tx: &mut WriteTx<'_>, number: u64) -> Result<bool, Error> {
    let some = ANNOTATIONS.range(&(number,)).limit(AT_ONCE).list(tx)?;
    for ((_, name), annotation) in &some {
        free(tx, annotation)?;
        ANNOTATIONS.delete(tx, &(number, &**name))?;
    }
    Ok(some.len() < AT_ONCE)
}

/// Removes some annotations whose versions are gone; false when there are none.
pub(crate) fn remove_orphans(tx: &mut WriteTx<'_>) -> Result<bool, Error> {
    let Some((number, ())) = ORPHANS.first(tx, &())? else { return Ok(false) };
    if remove_of(tx, number)? {
        ORPHANS.delete(tx, &number)?;
    }
    Ok(true)
}
