//! How buckets, objects and uploads lie in the store.
//!
//! An object's row holds the version that is current; versions before it will lie in a table of their own, so that
//! reads and listings cost the same with and without them. The body is a chain of blobs in the row, or, for an object
//! that was uploaded in parts, the rows of those parts, which completing leaves where they are.

use std::ops::{ControlFlow, Range};

use fogbank_core::store::{BlobRef, Table, TableLabel, row};
use fogbank_core::{Timestamp, Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::checksums::{Algorithm, Checksum};
use crate::error::Error;
use crate::rules::{self, ETag};
use crate::tasks;

/// Buckets by name: one namespace for all accounts.
pub(crate) static BUCKETS: Table<String, Bucket> = Table::new("s3.buckets", 0x0201);
/// The names of each account's buckets.
pub(crate) static OWNED: Table<(String, String), ()> = Table::new("s3.owned-buckets", 0x0202);
/// The policies of buckets.
pub(crate) static POLICIES: Table<String, String> = Table::new("s3.policies", 0x0203);
/// The tags of buckets that have some.
pub(crate) static BUCKET_TAGS: Table<String, Tags> = Table::new("s3.bucket-tags", 0x0204);
/// The notifications of buckets that have some.
pub(crate) static NOTIFICATIONS: Table<String, Notifications> =
    Table::new("s3.notifications", 0x0205);
/// Buckets that are gone, by their ids, whose unfinished uploads are still to be removed.
pub(crate) static DELETED: Table<u64, ()> = Table::new("s3.deleted-buckets", 0x0206);
/// Uploads, by their numbers, whose parts belong to nothing any more and are still to be removed.
pub(crate) static ORPHANS: Table<u64, ()> = Table::new("s3.orphaned-parts", 0x0207);
/// Objects by bucket and key.
pub(crate) static OBJECTS: Table<(String, String), Object> = Table::new("s3.objects", 0x0210);
/// The same rows as far as a listing needs them.
pub(crate) static LISTED: Table<(String, String), Listed> = Table::new("s3.objects", 0x0210);
/// Uploads in progress by bucket's id, key and upload id.
pub(crate) static UPLOADS: Table<(u64, String, String), Upload> = Table::new("s3.uploads", 0x0220);
/// Parts by the number of their upload and their own, of uploads in progress and of objects.
pub(crate) static PARTS: Table<(u64, u16), Part> = Table::new("s3.parts", 0x0221);

/// All tables; `LISTED` is another view of the objects.
pub(crate) static TABLES: &[TableLabel] = &[
    BUCKETS.label(),
    OWNED.label(),
    POLICIES.label(),
    BUCKET_TAGS.label(),
    NOTIFICATIONS.label(),
    DELETED.label(),
    ORPHANS.label(),
    OBJECTS.label(),
    UPLOADS.label(),
    PARTS.label(),
];

/// How many parts one transaction removes.
pub(crate) const PARTS_AT_ONCE: usize = 256;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// A number that no other bucket has had, whatever its name.
    pub(crate) id: u64,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) created_millis: i64,
    /// The location constraint as it was given; empty for `us-east-1`.
    pub(crate) location: String,
    /// Whether there is a row of notifications.
    pub(crate) notifies: bool,
    /// The number of the policy, which every change of it changes; zero if there is none.
    pub(crate) policy: u64,
    pub(crate) public_access: Option<PublicAccess>,
    /// Whether encryption by default uses a bucket key.
    pub(crate) bucket_key: bool,
}

row!(Bucket, 1);

impl Bucket {
    pub(crate) fn created(&self) -> Timestamp {
        Timestamp::from_millis(self.created_millis)
    }
}

/// What the block of public access blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicAccess {
    pub(crate) block_acls: bool,
    pub(crate) ignore_acls: bool,
    pub(crate) block_policy: bool,
    pub(crate) restrict_buckets: bool,
}

impl PublicAccess {
    /// What a new bucket has.
    pub(crate) const ALL: PublicAccess = PublicAccess {
        block_acls: true,
        ignore_acls: true,
        block_policy: true,
        restrict_buckets: true,
    };
}

/// Tags in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tags(pub(crate) Vec<(String, String)>);

row!(Tags, 1);

/// Where a bucket sends its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notifications {
    pub(crate) event_bridge: bool,
    pub(crate) destinations: Vec<Destination>,
}

row!(Notifications, 1);

/// The kinds of destinations. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DestinationKind {
    Queue,
    Topic,
    Function,
}

/// One destination of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Destination {
    pub(crate) kind: DestinationKind,
    pub(crate) id: String,
    pub(crate) arn: String,
    /// Event types such as `s3:ObjectCreated:*`.
    pub(crate) events: Vec<String>,
    /// `Prefix` and `Suffix` with their values; none if there is no filter.
    pub(crate) filter: Option<Vec<(String, String)>>,
}

/// An object. What a listing shows comes first, so that it can be read without the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) listed: Listed,
    /// The number of the transaction that wrote it: larger for every later write.
    pub(crate) version: u64,
    /// The parts that are the body, if it was uploaded so.
    pub(crate) parts: Option<Parts>,
    pub(crate) headers: Headers,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    /// The body, unless it lies in parts.
    pub(crate) body: Vec<BlobRef>,
}

row!(Object, 1);

/// The parts of an object: where their rows are, and how the object's bytes lie in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// The number of the upload.
    pub(crate) number: u64,
    runs: Vec<Run>,
}

/// Parts with successive numbers and one size: an upload has seldom more than two such runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: u16,
    count: u16,
    size: u64,
}

impl Parts {
    /// The parts of an upload by their numbers and sizes.
    pub(crate) fn new(number: u64, parts: impl Iterator<Item = (u16, u64)>) -> Parts {
        let mut runs: Vec<Run> = Vec::new();
        for (part, size) in parts {
            match runs.last_mut() {
                Some(run) if run.size == size && run.first + run.count == part => run.count += 1,
                _ => runs.push(Run { first: part, count: 1, size }),
            }
        }
        Parts { number, runs }
    }

    /// The bytes of the object that lie in a part.
    pub(crate) fn bytes(&self, part: u16) -> Option<Range<u64>> {
        let mut start = 0;
        for run in &self.runs {
            match part.checked_sub(run.first) {
                Some(index) if index < run.count => {
                    start += u64::from(index) * run.size;
                    return Some(start..start + run.size);
                }
                _ => start += u64::from(run.count) * run.size,
            }
        }
        None
    }

    /// The first and last part with bytes of a range, and where the first begins; none for an empty range.
    fn covering(&self, range: &Range<u64>) -> Option<(u16, u16, u64)> {
        let (mut first, mut last) = (None, None);
        let mut start = 0;
        for run in self.runs.iter().filter(|run| run.size > 0) {
            let end = start + u64::from(run.count) * run.size;
            let within = range.start.max(start)..range.end.min(end);
            if within.start < within.end {
                let index =
                    |byte: u64| u16::try_from((byte - start) / run.size).unwrap_or(u16::MAX);
                let begin = index(within.start);
                first.get_or_insert((run.first + begin, start + u64::from(begin) * run.size));
                last = Some(run.first + index(within.end - 1));
            }
            start = end;
        }
        first.zip(last).map(|((first, offset), last)| (first, last, offset))
    }
}

/// What a listing shows of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) size: u64,
    pub(crate) modified_millis: i64,
    pub(crate) e_tag: ETag,
    /// None for `STANDARD`.
    pub(crate) storage_class: Option<String>,
    pub(crate) checksum: Option<Checksum>,
}

// The version is that of an object: these are the first fields of the same row.
row!(Listed, 1);

impl Listed {
    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp::from_millis(self.modified_millis)
    }

    pub(crate) fn class(&self) -> &str {
        self.storage_class.as_deref().unwrap_or("STANDARD")
    }
}

/// The system's metadata of an object: headers that are stored and returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Headers {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) website_redirect: Option<String>,
}

/// An upload in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// A number that no other upload has had.
    pub(crate) number: u64,
    pub(crate) initiated_millis: i64,
    /// The ARN and the id of whoever began it.
    pub(crate) initiator: (String, String),
    pub(crate) storage_class: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    /// The algorithm that the client chose, and whether the checksum is one of the parts' checksums.
    pub(crate) checksum: Option<(Algorithm, bool)>,
}

row!(Upload, 1);

/// A part of an upload, or of the object that the upload became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) modified_millis: i64,
    /// The CRC-64/NVME of the bytes.
    pub(crate) crc64nvme: u64,
    pub(crate) checksum: Checksum,
    pub(crate) body: Vec<BlobRef>,
}

row!(Part, 1);

/// The bucket, or why there is none under this name.
pub(crate) fn bucket(tx: &(impl Tx + ?Sized), name: &str) -> Result<Bucket, Error> {
    match BUCKETS.get(tx, name)? {
        Some(bucket) => Ok(bucket),
        None if rules::is_bucket_name(name) => Err(Error::NoSuchBucket { bucket: name.to_owned() }),
        None => Err(Error::InvalidBucketName { bucket: name.to_owned() }),
    }
}

/// The bucket, if the account that the caller expects owns it.
pub(crate) fn expected_bucket(
    tx: &(impl Tx + ?Sized),
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Bucket, Error> {
    let bucket = bucket(tx, name)?;
    let Some(account) = expected_owner else { return Ok(bucket) };
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::InvalidBucketOwnerAWSAccountID { account: account.to_owned() });
    }
    if bucket.account == account { Ok(bucket) } else { Err(Error::AccessDenied) }
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
        free_body(tx, old)?;
    }
    Ok(OBJECTS.put(tx, &(bucket, key), object)?)
}

/// Removes an object with its body.
pub(crate) fn delete_object(
    tx: &mut WriteTx<'_>,
    (bucket, key): (&str, &str),
    old: &Object,
) -> Result<(), Error> {
    free_body(tx, old)?;
    Ok(OBJECTS.delete(tx, &(bucket, key))?)
}

fn free_body(tx: &mut WriteTx<'_>, object: &Object) -> Result<(), Error> {
    for blob in &object.body {
        tx.free_blob(blob)?;
    }
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
    for blob in &part.body {
        tx.free_blob(blob)?;
    }
    Ok(PARTS.delete(tx, &key)?)
}

/// The blobs that hold a range of an object's body, and the range within them.
pub(crate) fn body(
    tx: &(impl Tx + ?Sized),
    object: &Object,
    range: Range<u64>,
) -> Result<(Vec<BlobRef>, Range<u64>), Error> {
    let Some(parts) = &object.parts else { return Ok((object.body.clone(), range)) };
    let Some((first, last, offset)) = parts.covering(&range) else { return Ok((Vec::new(), 0..0)) };
    let mut body = Vec::new();
    let number = parts.number;
    let rows = PARTS.range(&(number,)).from(&(number, first)).up_to(&(number, last));
    rows.visit(tx, |_, part| {
        body.extend(part.body);
        ControlFlow::Continue(())
    })?;
    Ok((body, range.start - offset..range.end - offset))
}

/// Whether no row names a key of the bucket any more.
pub(crate) fn is_empty(tx: &(impl Tx + ?Sized), bucket: &str) -> Result<bool, Error> {
    let keys: Vec<(String, String)> = LISTED.range(&(bucket,)).limit(1).keys(tx)?;
    Ok(keys.is_empty())
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

#[cfg(test)]
mod tests {
    use fogbank_core::bytes::Bytes;
    use fogbank_core::store::Value;

    use super::*;

    fn object() -> Object {
        Object {
            listed: Listed {
                size: 5,
                modified_millis: 1_767_225_600_000,
                e_tag: ETag { md5: [7; 16], parts: 0 },
                storage_class: None,
                checksum: Some(Checksum::crc64nvme(0x0102_0304_0506_0708)),
            },
            version: 9,
            parts: None,
            headers: Headers { content_type: Some("text/plain".into()), ..Headers::default() },
            metadata: vec![("a".into(), "b".into())],
            tags: Vec::new(),
            body: vec![BlobRef::inline(Bytes::from_static(b"hello"))],
        }
    }

    fn bytes(value: &impl Value) -> String {
        let mut bytes = Vec::new();
        value.encode(&mut bytes).expect("a row");
        hex::encode(bytes)
    }

    #[test]
    fn an_objects_row_begins_with_what_is_listed() {
        let mut encoded = Vec::new();
        object().encode(&mut encoded).expect("a row");
        assert_eq!(Object::decode_slice(&encoded).expect("an object"), object());
        assert_eq!(Listed::decode_slice(&encoded).expect("its head"), object().listed);
    }

    #[test]
    fn parts_are_found_by_number_and_by_byte() {
        let parts = Parts::new(1, [(1, 10), (2, 10), (4, 10), (5, 3), (6, 0)].into_iter());
        assert_eq!(parts.runs.len(), 4);
        assert_eq!(parts.bytes(2), Some(10..20));
        assert_eq!(parts.bytes(3), None);
        assert_eq!(parts.bytes(5), Some(30..33));
        assert_eq!(parts.bytes(6), Some(33..33));
        assert_eq!(parts.covering(&(0..33)), Some((1, 5, 0)));
        assert_eq!(parts.covering(&(10..11)), Some((2, 2, 10)));
        assert_eq!(parts.covering(&(19..31)), Some((2, 5, 10)));
        assert_eq!(parts.covering(&(32..33)), Some((5, 5, 30)));
        assert_eq!(parts.covering(&(5..5)), None);
    }

    #[test]
    fn rows_keep_their_bytes() {
        assert_eq!(
            bytes(&object()),
            "010580a0d5edee660707070707070707070707070707070700000102000801020304050607080900\
             010a746578742f706c61696e00000000000001016101620001000568656c6c6f"
                .replace(' ', "")
        );
        let part = Part {
            size: 5,
            md5: [1; 16],
            modified_millis: 1,
            crc64nvme: 2,
            checksum: Checksum { algorithm: Algorithm::Sha1, is_composite: false, value: vec![3] },
            body: Vec::new(),
        };
        assert_eq!(bytes(&part), format!("0105{}0202030001030", "01".repeat(16)) + "0");
    }
}
