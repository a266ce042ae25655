//! The rows of S3: what is kept of buckets, objects, versions, uploads and parts.

use fogbank_core::Timestamp;
use fogbank_core::store::row;
use serde::{Deserialize, Serialize};

use crate::checksums::{Algorithm, Checksum};
use crate::rules::ETag;

mod chain;
mod older;
mod parts;

pub(crate) use chain::{Chain, Nonce};
use older::{
    older_bucket, older_listed, older_listed_version, older_object, older_part,
    older_shown_version, older_upload, older_version,
};
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
    /// Whether a second factor is needed to remove versions; None if nobody has ever said so.
    pub(crate) mfa_delete: Option<bool>,
    /// For how long new versions whose requests name no retention stay after an event hold that they begin with.
    pub(crate) event_hold: Option<DefaultRetention>,
}

row!(Bucket, 4, older_bucket);

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
            mfa_delete: None,
            event_hold: None,
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
    pub(crate) period: Period,
}

/// A span of days or of years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) is_years: bool,
    pub(crate) count: u32,
}

impl Period {
    /// How long it is. A year is 365 days.
    pub(crate) fn days(self) -> i64 {
        i64::from(self.count) * if self.is_years { 365 } else { 1 }
    }

    /// When it ends that begins now, in milliseconds since 1970.
    pub(crate) fn end_millis(self, now: Timestamp) -> i64 {
        now.millis().saturating_add(self.days().saturating_mul(86_400_000))
    }
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
    pub(crate) body: Chain,
}

row!(Object, 3, older_object);

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
    pub(crate) mode: RetentionMode,
    /// The date, or as long as an event hold is on: the date before which it does not end.
    pub(crate) until_millis: i64,
}

/// How a version is retained. The order is the format on disk, and the first two are what was once a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RetentionMode {
    Governance,
    Compliance,
    /// With an event hold, which is on or was released.
    Held {
        is_compliance: bool,
        is_on: bool,
        period: Period,
    },
}

impl Retention {
    /// A retention until a date.
    pub(crate) fn fixed(is_compliance: bool, until_millis: i64) -> Retention {
        let mode = match is_compliance {
            true => RetentionMode::Compliance,
            false => RetentionMode::Governance,
        };
        Retention { mode, until_millis }
    }

    pub(crate) fn is_compliance(self) -> bool {
        match self.mode {
            RetentionMode::Governance => false,
            RetentionMode::Compliance => true,
            RetentionMode::Held { is_compliance, .. } => is_compliance,
        }
    }

    /// Its mode as it is called.
    pub(crate) fn mode_name(self) -> &'static str {
        if self.is_compliance() { "COMPLIANCE" } else { "GOVERNANCE" }
    }

    /// The event hold, if there is one: whether it is on, and how long the version stays after it.
    pub(crate) fn hold(self) -> Option<(bool, Period)> {
        match self.mode {
            RetentionMode::Held { is_on, period, .. } => Some((is_on, period)),
            _ => None,
        }
    }

    /// Until when the version must stay as it is now, in milliseconds since 1970: later and later while it is held.
    pub(crate) fn end_millis(self, now: Timestamp) -> i64 {
        match self.hold() {
            Some((true, period)) => self.until_millis.max(period.end_millis(now)),
            _ => self.until_millis,
        }
    }
}

/// How a body is encrypted, if not with S3's own key. The order is the format on disk.
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
    /// How the body is encrypted, if not with S3's own key.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.more.as_ref()?.encryption.as_ref()
    }

    /// The additions, to be changed.
    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
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
    /// The account that owns it, if it is not the bucket's.
    pub(crate) owner: Option<String>,
    /// Until when a copy is there of what lies in an archive.
    pub(crate) restored: Option<Restored>,
}

// The version is that of an object: these are the first fields of the same row.
row!(Listed, 3, older_listed);

/// A copy of an archived object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restored {
    /// When the copy is there.
    pub(crate) from_millis: i64,
    /// When it goes.
    pub(crate) until_millis: i64,
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
row!(ListedVersion, 3, older_listed_version);

/// A version that is not the current object. The order is the format on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    Object(Box<Object>),
    /// A delete marker. It is what is current if there is no object and it is the first version.
    Marker(Marker),
}

row!(Version, 2, older_version);

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
row!(ShownVersion, 2, older_shown_version);

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
    /// How the parts are encrypted, if not with S3's own key.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.more.as_ref()?.encryption.as_ref()
    }
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
    /// What belongs to the key of a customer or of KMS, if one encrypts the body.
    pub(crate) nonce: Option<[u8; 12]>,
    pub(crate) body: Chain,
}

row!(Part, 3, older_part);

#[cfg(test)]
mod tests {
    use fogbank_core::bytes::Bytes;
    use fogbank_core::store::{BlobRef, Value};

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
            body: Chain::of(BlobRef::inline(Bytes::from_static(b"hello")), None),
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
