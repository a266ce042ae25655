//! The rows of S3: what is kept of buckets, objects, versions, uploads and parts.

use fogbank_core::Timestamp;
use fogbank_core::store::{self, BlobRef, decode_fields, row};
use serde::{Deserialize, Serialize};

use crate::checksums::{Algorithm, Checksum};
use crate::rules::ETag;

mod parts;

pub(crate) use parts::Parts;

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
    pub(crate) encryption: DefaultEncryption,
    pub(crate) versioning: Versioning,
    /// Whether Object Lock is enabled, which it then is for ever.
    pub(crate) has_lock: bool,
    /// The retention of new versions whose requests name none.
    pub(crate) retention: Option<DefaultRetention>,
    /// None if it was removed, which means `ObjectWriter`.
    pub(crate) ownership: Option<Ownership>,
    /// None for the owner's full control and nothing else.
    pub(crate) acl: Option<Acl>,
    pub(crate) requester_pays: bool,
    /// Whether there is a configuration of websites, of lifecycles, of replication.
    pub(crate) has_lifecycle: bool,
    pub(crate) has_replication: bool,
    pub(crate) has_logging: bool,
    /// The number of the metadata configuration whose journal hears of changes; zero if there is none.
    pub(crate) metadata: u64,
}

row!(Bucket, 3, older_bucket);

/// A bucket of the second version.
#[derive(Deserialize)]
struct BucketV2 {
    id: u64,
    account: String,
    region: String,
    created_millis: i64,
    location: String,
    notifies: bool,
    policy: u64,
    public_access: Option<PublicAccess>,
    encryption: DefaultEncryption,
    versioning: Versioning,
    has_lock: bool,
    retention: Option<DefaultRetention>,
    ownership: Option<Ownership>,
    acl: Option<Acl>,
    requester_pays: bool,
    has_lifecycle: bool,
    has_replication: bool,
    has_logging: bool,
}

impl From<BucketV2> for Bucket {
    fn from(old: BucketV2) -> Bucket {
        Bucket {
            location: old.location,
            notifies: old.notifies,
            policy: old.policy,
            public_access: old.public_access,
            encryption: old.encryption,
            versioning: old.versioning,
            has_lock: old.has_lock,
            retention: old.retention,
            ownership: old.ownership,
            acl: old.acl,
            requester_pays: old.requester_pays,
            has_lifecycle: old.has_lifecycle,
            has_replication: old.has_replication,
            has_logging: old.has_logging,
            ..Bucket::fresh(old.id, (&old.account, &old.region), old.created_millis)
        }
    }
}

/// A bucket of the first version.
#[derive(Deserialize)]
struct BucketV1 {
    id: u64,
    account: String,
    region: String,
    created_millis: i64,
    location: String,
    notifies: bool,
    policy: u64,
    public_access: Option<PublicAccess>,
    encryption: DefaultEncryption,
}

fn older_bucket(version: u8, bytes: &[u8]) -> Result<Bucket, store::Error> {
    match version {
        1 => {}
        2 => return Ok(decode_fields::<BucketV2>(bytes)?.into()),
        _ => return store::no_older_version(version, bytes),
    }
    let old: BucketV1 = decode_fields(bytes)?;
    Ok(Bucket {
        location: old.location,
        notifies: old.notifies,
        policy: old.policy,
        public_access: old.public_access,
        encryption: old.encryption,
        ..Bucket::fresh(old.id, (&old.account, &old.region), old.created_millis)
    })
}

impl Bucket {
    /// A bucket of an account in a region, as a new one is of which nothing more is said.
    pub(crate) fn fresh(id: u64, (account, region): (&str, &str), created_millis: i64) -> Bucket {
        Bucket {
            id,
            account: account.to_owned(),
            region: region.to_owned(),
            created_millis,
            location: String::new(),
            notifies: false,
            policy: 0,
            public_access: Some(PublicAccess::ALL),
            encryption: DefaultEncryption::S3,
            versioning: Versioning::Never,
            has_lock: false,
            retention: None,
            ownership: Some(Ownership::Enforced),
            acl: None,
            requester_pays: false,
            has_lifecycle: false,
            has_replication: false,
            has_logging: false,
            metadata: 0,
        }
    }

    pub(crate) fn created(&self) -> Timestamp {
        Timestamp::from_millis(self.created_millis)
    }

    /// Whether ACLs mean nothing: the owner of the bucket owns all in it.
    pub(crate) fn is_enforced(&self) -> bool {
        self.ownership == Some(Ownership::Enforced)
    }
}

/// Whether writes keep the versions before. The order is the format on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    /// It was never enabled.
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// Who owns what is written. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ownership {
    Enforced,
    Preferred,
    Writer,
}

/// For how long new versions are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultRetention {
    pub(crate) is_compliance: bool,
    pub(crate) is_years: bool,
    pub(crate) count: u32,
}

/// Who beside the owner may do what: the grants in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acl(pub(crate) Vec<AclGrant>);

/// One grant of an ACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AclGrant {
    pub(crate) grantee: AclGrantee,
    pub(crate) permission: AclPermission,
}

/// Whom a grant means. The order is the format on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AclGrantee {
    /// An account by its canonical id.
    Canonical(String),
    Everybody,
    Authenticated,
    LogDelivery,
}

/// What a grant allows. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AclPermission {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
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

/// How far the lifecycle of a bucket is swept, and what does not stand in its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lifecycle {
    /// The number of the transaction that set the rules.
    pub(crate) number: u64,
    /// Whether only some classes are closed to small objects.
    pub(crate) varies_by_class: bool,
    /// The midnight for which all is done; none if the rules are new.
    pub(crate) swept_millis: Option<i64>,
}

row!(Lifecycle, 1);

/// How far the reports of an inventory are that is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inventory {
    /// The number of the transaction that set the configuration.
    pub(crate) number: u64,
    /// For when the last report was, or when the inventory was enabled.
    pub(crate) since_millis: i64,
    pub(crate) has_reported: bool,
    /// The report that is being written.
    pub(crate) begun: Option<Begun>,
}

row!(Inventory, 1);

/// A report of which something is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// For when it is.
    pub(crate) due_millis: i64,
    pub(crate) files: Vec<ReportFile>,
    /// The key and number of the last version that stands in the files.
    pub(crate) after: Option<(String, u64)>,
    /// Whether only the manifests are left to be written.
    pub(crate) is_whole: bool,
}

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportFile {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
}

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
    pub(crate) version_name: VersionName,
    /// The parts that are the body, if it was uploaded so.
    pub(crate) parts: Option<Parts>,
    pub(crate) headers: Headers,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    /// What few objects have.
    pub(crate) more: Option<Box<More>>,
    /// The body, unless it lies in parts.
    pub(crate) body: Vec<BlobRef>,
}

row!(Object, 2, older_object);

/// What a version is called. The order is the format on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum VersionName {
    /// `null`, though nobody is told: versioning was never enabled.
    #[default]
    Unversioned,
    /// `null`: written while versioning was suspended.
    Null,
    /// An id made of the version's number.
    Id,
}

impl VersionName {
    pub(crate) fn is_null(self) -> bool {
        self != VersionName::Id
    }
}

/// What few objects have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct More {
    /// None for the owner's full control and nothing else.
    pub(crate) acl: Option<Acl>,
    pub(crate) retention: Option<Retention>,
    pub(crate) legal_hold: bool,
    pub(crate) encryption: Option<Encryption>,
    /// `PENDING`, `COMPLETED`, `FAILED` or `REPLICA`.
    pub(crate) replication: Option<String>,
}

/// Until when a version must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retention {
    pub(crate) is_compliance: bool,
    pub(crate) until_millis: i64,
}

/// How a body is encrypted, if not as every body is. The order is the format on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Encryption {
    /// With a key of the customer's, of which the MD5 is kept.
    Customer { key_md5: [u8; 16], nonce: [u8; 12] },
    /// With a data key of KMS.
    Kms(Box<KmsEncryption>),
}

impl Encryption {
    /// That of the body; parts have their own.
    pub(crate) fn nonce(&self) -> &[u8; 12] {
        match self {
            Encryption::Customer { nonce, .. } => nonce,
            Encryption::Kms(kms) => &kms.nonce,
        }
    }
}

/// What opens a body again that is encrypted with a data key of KMS, and what is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KmsEncryption {
    /// Whether there is a second layer.
    pub(crate) is_dual: bool,
    /// The ARN of the key of KMS.
    pub(crate) key_arn: String,
    /// Whether the data key was made for the bucket and not for the object.
    pub(crate) bucket_key: bool,
    /// The encryption context that the client gave.
    pub(crate) context: Vec<(String, String)>,
    /// The data key as KMS sealed it.
    pub(crate) data_key: Vec<u8>,
    /// That of the body; parts have their own.
    pub(crate) nonce: [u8; 12],
}

/// How new objects of a bucket are encrypted unless their requests say it. The order is the format on disk, and the first
/// two are what was once a flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DefaultEncryption {
    /// As S3 encrypts.
    #[default]
    S3,
    /// The same, and with bucket keys, which then mean nothing.
    S3BucketKey,
    /// With a key of KMS: the one that is named, or that of S3 in the caller's account.
    Kms { is_dual: bool, key_id: Option<String>, bucket_key: bool },
    /// As S3 encrypts, though nobody said so: what buckets had before 2023.
    Unset,
}

impl Object {
    /// How the body is encrypted, if not as every body is.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.more.as_ref()?.encryption.as_ref()
    }

    /// The additions, to be changed.
    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

/// An object of the first version.
#[derive(Deserialize)]
struct ObjectV1 {
    listed: ListedV1,
    version: u64,
    parts: Option<Parts>,
    headers: Headers,
    metadata: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    body: Vec<BlobRef>,
}

#[derive(Deserialize)]
struct ListedV1 {
    size: u64,
    modified_millis: i64,
    e_tag: ETag,
    storage_class: Option<String>,
    checksum: Option<Checksum>,
}

impl From<ListedV1> for Listed {
    fn from(old: ListedV1) -> Listed {
        Listed {
            size: old.size,
            modified_millis: old.modified_millis,
            e_tag: old.e_tag,
            storage_class: old.storage_class,
            checksum: old.checksum,
            owner: None,
            restored: None,
        }
    }
}

fn older_object(version: u8, bytes: &[u8]) -> Result<Object, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let old: ObjectV1 = decode_fields(bytes)?;
    Ok(Object {
        listed: old.listed.into(),
        version: old.version,
        version_name: VersionName::Unversioned,
        parts: old.parts,
        headers: old.headers,
        metadata: old.metadata,
        tags: old.tags,
        more: None,
        body: old.body,
    })
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
    /// The account that owns it, if it is not the bucket's.
    pub(crate) owner: Option<String>,
    /// Until when a copy is there of what lies in an archive.
    pub(crate) restored: Option<Restored>,
}

// The version is that of an object: these are the first fields of the same row.
row!(Listed, 2, older_listed);

/// A copy of an archived object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restored {
    /// When the copy is there.
    pub(crate) from_millis: i64,
    /// When it goes.
    pub(crate) until_millis: i64,
}

fn older_listed(version: u8, bytes: &[u8]) -> Result<Listed, store::Error> {
    match version {
        1 => Ok(decode_fields::<ListedV1>(bytes)?.into()),
        _ => store::no_older_version(version, bytes),
    }
}

impl Listed {
    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp::from_millis(self.modified_millis)
    }

    pub(crate) fn class(&self) -> &str {
        self.storage_class.as_deref().unwrap_or("STANDARD")
    }

    /// The checksum's algorithm as lists show it, and its type.
    pub(crate) fn checksum_names(&self) -> (Option<Vec<String>>, Option<String>) {
        let checksum = self.checksum.as_ref();
        let algorithm = checksum.map(|checksum| vec![checksum.algorithm.name().to_owned()]);
        (algorithm, checksum.map(|checksum| checksum.type_name().to_owned()))
    }
}

/// What a listing of versions shows of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedVersion {
    pub(crate) listed: Listed,
    pub(crate) version: u64,
    pub(crate) version_name: VersionName,
}

// The version is that of an object: these are the first fields of the same row.
row!(ListedVersion, 2, older_listed_version);

fn older_listed_version(version: u8, bytes: &[u8]) -> Result<ListedVersion, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let (listed, version): (ListedV1, u64) = decode_fields(bytes)?;
    Ok(ListedVersion { listed: listed.into(), version, version_name: VersionName::Unversioned })
}

/// A version that is not the current object. The order is the format on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    Object(Box<Object>),
    /// A delete marker. It is what is current if there is no object and it is the first version.
    Marker(Marker),
}

row!(Version, 1);

/// A delete marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) version_name: VersionName,
    pub(crate) modified_millis: i64,
    /// The account that made it, if it is not the bucket's.
    pub(crate) owner: Option<String>,
}

/// What a listing shows of a version that is not the current object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ShownVersion {
    Object(ListedVersion),
    Marker(Marker),
}

// The version is that of a version: these are the first fields of the same row.
row!(ShownVersion, 1);

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
    /// The account that will own the object, if it is not the bucket's.
    pub(crate) owner: Option<String>,
    pub(crate) more: Option<Box<More>>,
}

row!(Upload, 2, older_upload);

impl Upload {
    /// How the parts are encrypted, if not as every body is.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.more.as_ref()?.encryption.as_ref()
    }
}

#[derive(Deserialize)]
struct UploadV1 {
    number: u64,
    initiated_millis: i64,
    initiator: (String, String),
    storage_class: Option<String>,
    headers: Headers,
    metadata: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    checksum: Option<(Algorithm, bool)>,
}

fn older_upload(version: u8, bytes: &[u8]) -> Result<Upload, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let old: UploadV1 = decode_fields(bytes)?;
    Ok(Upload {
        number: old.number,
        initiated_millis: old.initiated_millis,
        initiator: old.initiator,
        storage_class: old.storage_class,
        headers: old.headers,
        metadata: old.metadata,
        tags: old.tags,
        checksum: old.checksum,
        owner: None,
        more: None,
    })
}

/// A part of an upload, or of the object that the upload became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) modified_millis: i64,
    /// The CRC-64/NVME of the bytes.
    pub(crate) crc64nvme: u64,
    pub(crate) checksum: Checksum,
    /// What belongs to a customer's key, if the body is encrypted with one.
    pub(crate) nonce: Option<[u8; 12]>,
    pub(crate) body: Vec<BlobRef>,
}

row!(Part, 2, older_part);

#[derive(Deserialize)]
struct PartV1 {
    size: u64,
    md5: [u8; 16],
    modified_millis: i64,
    crc64nvme: u64,
    checksum: Checksum,
    body: Vec<BlobRef>,
}

fn older_part(version: u8, bytes: &[u8]) -> Result<Part, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let old: PartV1 = decode_fields(bytes)?;
    Ok(Part {
        size: old.size,
        md5: old.md5,
        modified_millis: old.modified_millis,
        crc64nvme: old.crc64nvme,
        checksum: old.checksum,
        nonce: None,
        body: old.body,
    })
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
                owner: None,
                restored: None,
            },
            version: 9,
            version_name: VersionName::Unversioned,
            parts: None,
            headers: Headers { content_type: Some("text/plain".into()), ..Headers::default() },
            metadata: vec![("a".into(), "b".into())],
            tags: Vec::new(),
            more: None,
            body: vec![BlobRef::inline(Bytes::from_static(b"hello"))],
        }
    }

    #[test]
    fn an_objects_row_begins_with_what_is_listed() {
        let mut encoded = Vec::new();
        object().encode(&mut encoded).expect("a row");
        assert_eq!(Object::decode_slice(&encoded).expect("an object"), object());
        assert_eq!(Listed::decode_slice(&encoded).expect("its head"), object().listed);
    }
}
