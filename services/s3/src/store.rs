//! How buckets, objects and uploads lie in the store.
//!
//! An object's row holds the version that is current; versions before it lie in a table of their own, and so do delete
//! markers, so that reads and listings cost the same with and without them. The body is a chain of blobs in the row, or,
//! for an object that was uploaded in parts, the rows of those parts, which completing leaves where they are.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

pub(crate) use fogbank_accesspoints::{BUCKET_TAGS, Tags};
use fogbank_core::store::{BlobRef, Table, TableLabel};
use fogbank_core::{Tx, WriteTx};

use crate::annotations::rows::{ANNOTATED, ANNOTATIONS, ORPHANS as ORPHANED_ANNOTATIONS, forget};
use crate::ciphers::{self, Stretch};
use crate::directory;
use crate::error::Error;
use crate::metadata_tables::rows::{CONFIGURED, JOURNALS, LIVES, RECORDS, STRETCHES};
pub(crate) use crate::rows::*;
use crate::rules;
use crate::tasks;
use crate::tiering::{Tiered, Watched};
use crate::warehouses;

/// Buckets by name: one namespace for all accounts.
pub(crate) static BUCKETS: Table<String, Bucket> = Table::new("s3.buckets", 0x0201).read_often();
/// The names of each account's buckets.
pub(crate) static OWNED: Table<(String, String), ()> = Table::new("s3.owned-buckets", 0x0202);
/// The policies of buckets.
pub(crate) static POLICIES: Table<String, String> = Table::new("s3.policies", 0x0203);
/// The notifications of buckets that have some.
pub(crate) static NOTIFICATIONS: Table<String, Notifications> =
    Table::new("s3.notifications", 0x0205);
/// Buckets that are gone, by their ids, whose unfinished uploads are still to be removed.
pub(crate) static DELETED: Table<u64, ()> = Table::new("s3.deleted-buckets", 0x0206);
/// Uploads, by their numbers, whose parts belong to nothing any more and are still to be removed.
pub(crate) static ORPHANS: Table<u64, ()> = Table::new("s3.orphaned-parts", 0x0207);
/// Versions that are not current, and delete markers, newest first, by bucket and key.
pub(crate) static VERSIONS: Table<(String, String, Reverse<u64>), Version> =
    Table::new("s3.versions", 0x0211);
/// The same rows as far as a listing needs them.
pub(crate) static SHOWN: Table<(String, String, Reverse<u64>), ShownVersion> =
    Table::new("s3.versions", 0x0211);
/// Which of the versions of a key in `VERSIONS` is the one called `null`.
pub(crate) static NULLS: Table<(String, String), u64> = Table::new("s3.null-versions", 0x0212);
/// Configurations of buckets by kind and id, as the model has them, in JSON.
pub(crate) static DOCUMENTS: Table<(String, String, String), String> =
    Table::new("s3.configurations", 0x0208);
/// Objects by bucket and key.
pub(crate) static OBJECTS: Table<(String, String), Object> = Table::new("s3.objects", 0x0210);
/// The same rows as far as a listing needs them.
pub(crate) static LISTED: Table<(String, String), Listed> = Table::new("s3.objects", 0x0210);
/// The same rows as far as a listing of versions needs them.
pub(crate) static CURRENT: Table<(String, String), ListedVersion> =
    Table::new("s3.objects", 0x0210);
/// Uploads in progress by bucket's id, key and upload id.
pub(crate) static UPLOADS: Table<(u64, String, String), Upload> = Table::new("s3.uploads", 0x0220);
/// Parts by the number of their upload and their own, of uploads in progress and of objects.
pub(crate) static PARTS: Table<(u64, u16), Part> = Table::new("s3.parts", 0x0221);

/// The lifecycles of buckets that have one: how far each is swept.
pub(crate) static LIFECYCLES: Table<String, Lifecycle> = Table::new("s3.lifecycles", 0x0230);

/// The buckets that have had configurations of intelligent tiering: how far each is swept.
pub(crate) static TIERINGS: Table<String, Watched> = Table::new("s3.tierings", 0x0238);

/// Where versions are that tier themselves, by bucket, key and number; none where nobody read them yet.
pub(crate) static TIERED: Table<(String, String, u64), Tiered> = Table::new("s3.tiered", 0x0239);

/// The buckets that have an access log.
pub(crate) static LOGGED: Table<String, ()> = Table::new("s3.logged-buckets", 0x0231);

/// The day, since 1970, for which a bucket's objects were counted last.
pub(crate) static COUNTED: Table<String, u64> = Table::new("s3.counted-buckets", 0x0232);

/// How far the inventories are that are enabled, by bucket and id.
pub(crate) static INVENTORIES: Table<(String, String), Inventory> =
    Table::new("s3.inventories", 0x0240);

/// All tables; `LISTED`, `CURRENT` and `SHOWN` are other views of the objects and versions.
pub(crate) static TABLES: &[TableLabel] = &[
    BUCKETS.label(),
    OWNED.label(),
    POLICIES.label(),
    BUCKET_TAGS.label(),
    NOTIFICATIONS.label(),
    DELETED.label(),
    DOCUMENTS.label(),
    ORPHANS.label(),
    OBJECTS.label(),
    VERSIONS.label(),
    NULLS.label(),
    UPLOADS.label(),
    PARTS.label(),
    LIFECYCLES.label(),
    TIERINGS.label(),
    TIERED.label(),
    LOGGED.label(),
    COUNTED.label(),
    INVENTORIES.label(),
    CONFIGURED.label(),
    JOURNALS.label(),
    RECORDS.label(),
    LIVES.label(),
    STRETCHES.label(),
    ANNOTATED.label(),
    ANNOTATIONS.label(),
    ORPHANED_ANNOTATIONS.label(),
    directory::DIRECTORIES.label(),
    directory::RENAMES.label(),
    directory::RENAME_ENDS.label(),
];

/// How many parts one transaction removes.
pub(crate) const PARTS_AT_ONCE: usize = 256;

/// The bucket, or why there is none under this name.
pub(crate) fn bucket(tx: &(impl Tx + ?Sized), name: &str) -> Result<Bucket, Error> {
    match BUCKETS.get(tx, name)? {
        Some(bucket) => Ok(bucket),
        None if fogbank_tablebuckets::is_warehouse(name) => warehouses::bucket(tx, name)?
            .ok_or_else(|| Error::NoSuchBucket { bucket: name.to_owned() }),
        None if rules::is_bucket_name(name) || directory::zone(name).is_some() => {
            Err(Error::NoSuchBucket { bucket: name.to_owned() })
        }
        None => Err(Error::InvalidBucketName { bucket: name.to_owned() }),
    }
}

/// The same, to be looked at only.
pub(crate) fn shared_bucket(tx: &(impl Tx + ?Sized), name: &str) -> Result<Arc<Bucket>, Error> {
    match BUCKETS.get_shared(tx, name)? {
        Some(bucket) => Ok(bucket),
        None => bucket(tx, name).map(Arc::new),
    }
}

/// The bucket, if the account that the caller expects owns it.
pub(crate) fn expected_bucket(
    tx: &(impl Tx + ?Sized),
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Bucket, Error> {
    check_owner(bucket(tx, name)?, expected_owner)
}

/// The same, to be looked at only.
pub(crate) fn expected_shared_bucket(
    tx: &(impl Tx + ?Sized),
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Arc<Bucket>, Error> {
    check_owner(shared_bucket(tx, name)?, expected_owner)
}

fn check_owner<B: Borrow<Bucket>>(bucket: B, expected_owner: Option<&str>) -> Result<B, Error> {
    let Some(account) = expected_owner else { return Ok(bucket) };
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::InvalidBucketOwnerAWSAccountID { account: account.to_owned() });
    }
    if bucket.borrow().account == account { Ok(bucket) } else { Err(Error::AccessDenied) }
}

/// The object under a key.
pub(crate) fn object(
    tx: &(impl Tx + ?Sized),
    bucket: &str,
    key: &str,
) -> Result<Option<Object>, Error> {
    Ok(OBJECTS.get(tx, &(bucket, key))?)
}

/// Writes an object in place of the one that `old` is, whose body goes in the same transaction.
pub(crate) fn put_object(
    tx: &mut WriteTx<'_>,
    (bucket, key): (&str, &str),
    object: &Object,
    old: Option<&Object>,
) -> Result<(), Error> {
    if let Some(old) = old {
        free(tx, (bucket, key), old)?;
    }
    Ok(OBJECTS.put(tx, &(bucket, key), object)?)
}

/// Removes an object with its body.
pub(crate) fn delete_object(
    tx: &mut WriteTx<'_>,
    (bucket, key): (&str, &str),
    old: &Object,
) -> Result<(), Error> {
    free(tx, (bucket, key), old)?;
    Ok(OBJECTS.delete(tx, &(bucket, key))?)
}

/// Gives back what a version of an object holds: its body and its annotations.
pub(crate) fn free(tx: &mut WriteTx<'_>, at: (&str, &str), object: &Object) -> Result<(), Error> {
    forget(tx, at, object.version)?;
    free_body(tx, object)
}

/// Gives back what the body of an object holds.
pub(crate) fn free_body(tx: &mut WriteTx<'_>, object: &Object) -> Result<(), Error> {
    object.body.free(tx)?;
    match &object.parts {
        Some(parts) => free_parts(tx, parts.number),
        None => Ok(()),
    }
}

/// Removes the parts of an upload: few at once, many in the background.
pub(crate) fn free_parts(tx: &mut WriteTx<'_>, number: u64) -> Result<(), Error> {
    if delete_parts(tx, number, PARTS_AT_ONCE)? == PARTS_AT_ONCE {
        ORPHANS.put(tx, &number, &())?;
        tx.wake(tasks::PARTS);
    }
    Ok(())
}

/// Removes up to `limit` parts of an upload with their bodies, and says how many there were.
pub(crate) fn delete_parts(
    tx: &mut WriteTx<'_>,
    number: u64,
    limit: usize,
) -> Result<usize, Error> {
    let parts = PARTS.range(&(number,)).limit(limit).list(tx)?;
    for (key, part) in &parts {
        delete_part(tx, *key, part)?;
    }
    Ok(parts.len())
}

/// Removes a part with its body.
pub(crate) fn delete_part(tx: &mut WriteTx<'_>, key: (u64, u16), part: &Part) -> Result<(), Error> {
    part.body.free(tx)?;
    Ok(PARTS.delete(tx, &key)?)
}

/// Where a range of an object's body lies.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) blobs: Vec<BlobRef>,
    /// The range within the blobs.
    pub(crate) range: Range<u64>,
    /// The stretches that were encrypted each by itself, with their lengths.
    pub(crate) stretches: Vec<(Stretch, u64)>,
}

impl Stored {
    /// All of a body, which the key of a customer or of KMS encrypts if there is a nonce for it.
    pub(crate) fn whole(body: &Chain, nonce: Option<ciphers::Nonce>) -> Stored {
        let mut stored = Stored::default();
        stored.add(body, nonce);
        stored.range = 0..stored.stretches.iter().map(|(_, len)| len).sum();
        stored
    }

    /// Whether S3's own key seals all of it.
    pub(crate) fn is_managed(&self) -> bool {
        self.stretches.iter().all(|(stretch, len)| match stretch {
            Stretch::Managed(_) => true,
            Stretch::Plain => *len == 0,
            Stretch::Keyed(_) => false,
        })
    }

    fn add(&mut self, body: &Chain, nonce: Option<ciphers::Nonce>) {
        let links = body.links();
        if let Some(nonce) = nonce {
            let len = body.blobs().map(BlobRef::len).sum();
            self.stretches.push((Stretch::Keyed(nonce), len));
        } else {
            self.stretches.extend(links.iter().map(|link| {
                let stretch = link.nonce.map_or(Stretch::Plain, Stretch::Managed);
                (stretch, link.blob.len())
            }));
        }
        self.blobs.extend(body.blobs().cloned());
    }
}

/// The blobs that hold a range of an object's body, and the range within them.
pub(crate) fn body(
    tx: &(impl Tx + ?Sized),
    object: &Object,
    range: Range<u64>,
) -> Result<Stored, Error> {
    let Some(parts) = &object.parts else {
        let mut stored = Stored::whole(&object.body, object.encryption().map(|of| *of.nonce()));
        stored.range = range;
        return Ok(stored);
    };
    let Some((first, last, offset)) = parts.covering(&range) else { return Ok(Stored::default()) };
    let mut stored =
        Stored { range: range.start - offset..range.end - offset, ..Stored::default() };
    let number = parts.number;
    let rows = PARTS.range(&(number,)).from(&(number, first)).up_to(&(number, last));
    rows.visit(tx, |_, part| {
        stored.add(&part.body, part.nonce);
        ControlFlow::Continue(())
    })?;
    Ok(stored)
}

/// The body of an object in one, wherever it lies.
pub(crate) fn chain(tx: &(impl Tx + ?Sized), object: &Object) -> Result<Chain, Error> {
    let Some(parts) = &object.parts else { return Ok(object.body.clone()) };
    let mut chain = Chain::default();
    PARTS.range(&(parts.number,)).visit(tx, |_, part| {
        chain.append(part.body);
        ControlFlow::Continue(())
    })?;
    Ok(chain)
}

/// Whether no row names a key of the bucket any more.
pub(crate) fn is_empty(tx: &(impl Tx + ?Sized), bucket: &str) -> Result<bool, Error> {
    let keys: Vec<(String, String)> = LISTED.range(&(bucket,)).limit(1).keys(tx)?;
    Ok(keys.is_empty() && VERSIONS.range(&(bucket,)).limit(1).keys(tx)?.is_empty())
}

/// The row of an upload, or the error that names its id.
pub(crate) fn upload(
    tx: &(impl Tx + ?Sized),
    bucket: &Bucket,
    key: &str,
    upload_id: &str,
) -> Result<Upload, Error> {
    UPLOADS
        .get(tx, &(bucket.id, key, upload_id))?
        .ok_or_else(|| Error::NoSuchUpload { upload: upload_id.to_owned() })
}
