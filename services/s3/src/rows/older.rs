//! Rows as earlier versions wrote them.

use fogbank_core::store::{self, BlobRef, decode_fields};
use serde::Deserialize;

use super::*;

/// A bucket of the third version.
#[derive(Deserialize)]
struct BucketV3 {
    second: BucketV2,
    metadata: u64,
}

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

pub(super) fn older_bucket(version: u8, bytes: &[u8]) -> Result<Bucket, store::Error> {
    match version {
        1 => {}
        2 => return Ok(decode_fields::<BucketV2>(bytes)?.into()),
        3 => {
            let BucketV3 { second, metadata } = decode_fields(bytes)?;
            return Ok(Bucket { metadata, ..second.into() });
        }
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

/// An object of the second version, whose body no key of S3 sealed.
#[derive(Deserialize)]
struct ObjectV2 {
    listed: Listed,
    version: u64,
    version_name: VersionName,
    parts: Option<Parts>,
    headers: Headers,
    metadata: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    more: Option<Box<More>>,
    body: Vec<BlobRef>,
}

impl From<ObjectV2> for Object {
    fn from(old: ObjectV2) -> Object {
        Object {
            listed: old.listed,
            version: old.version,
            version_name: old.version_name,
            parts: old.parts,
            headers: old.headers,
            metadata: old.metadata,
            tags: old.tags,
            more: old.more,
            body: old.body.into(),
        }
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

pub(super) fn older_object(version: u8, bytes: &[u8]) -> Result<Object, store::Error> {
    match version {
        1 => {}
        2 => return Ok(decode_fields::<ObjectV2>(bytes)?.into()),
        _ => return store::no_older_version(version, bytes),
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
        body: old.body.into(),
    })
}

pub(super) fn older_listed(version: u8, bytes: &[u8]) -> Result<Listed, store::Error> {
    match version {
        1 => Ok(decode_fields::<ListedV1>(bytes)?.into()),
        2 => decode_fields(bytes),
        _ => store::no_older_version(version, bytes),
    }
}

pub(super) fn older_listed_version(
    version: u8,
    bytes: &[u8],
) -> Result<ListedVersion, store::Error> {
    match version {
        1 => {}
        2 => return decode_fields(bytes),
        _ => return store::no_older_version(version, bytes),
    }
    let (listed, version): (ListedV1, u64) = decode_fields(bytes)?;
    Ok(ListedVersion { listed: listed.into(), version, version_name: VersionName::Unversioned })
}

/// A version of the first version.
#[derive(Deserialize)]
enum VersionV1 {
    Object(Box<ObjectV2>),
    Marker(Marker),
}

pub(super) fn older_version(version: u8, bytes: &[u8]) -> Result<Version, store::Error> {
    match version {
        1 => Ok(match decode_fields(bytes)? {
            VersionV1::Object(object) => Version::Object(Box::new((*object).into())),
            VersionV1::Marker(marker) => Version::Marker(marker),
        }),
        _ => store::no_older_version(version, bytes),
    }
}

pub(super) fn older_shown_version(version: u8, bytes: &[u8]) -> Result<ShownVersion, store::Error> {
    match version {
        1 => decode_fields(bytes),
        _ => store::no_older_version(version, bytes),
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

pub(super) fn older_upload(version: u8, bytes: &[u8]) -> Result<Upload, store::Error> {
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

#[derive(Deserialize)]
struct PartV2 {
    size: u64,
    md5: [u8; 16],
    modified_millis: i64,
    crc64nvme: u64,
    checksum: Checksum,
    nonce: Option<[u8; 12]>,
    body: Vec<BlobRef>,
}

#[derive(Deserialize)]
struct PartV1 {
    size: u64,
    md5: [u8; 16],
    modified_millis: i64,
    crc64nvme: u64,
    checksum: Checksum,
    body: Vec<BlobRef>,
}

pub(super) fn older_part(version: u8, bytes: &[u8]) -> Result<Part, store::Error> {
    let old = match version {
        1 => {
            let PartV1 { size, md5, modified_millis, crc64nvme, checksum, body } =
                decode_fields(bytes)?;
            PartV2 { size, md5, modified_millis, crc64nvme, checksum, nonce: None, body }
        }
        2 => decode_fields(bytes)?,
        _ => return store::no_older_version(version, bytes),
    };
    Ok(Part {
        size: old.size,
        md5: old.md5,
        modified_millis: old.modified_millis,
        crc64nvme: old.crc64nvme,
        checksum: old.checksum,
        nonce: old.nonce,
        body: old.body.into(),
    })
}
