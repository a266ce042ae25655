//! Access points: names under which a bucket is reached, each with a policy of its own. S3 Control makes them.
//!
//! Where an ARN or alias of one stands for a bucket, the bucket's name takes its place before the call is decided. The call
//! must then be allowed twice, as AWS says: on the bucket and on the access point.

use std::sync::Arc;

use fogbank_accesspoints::{self as points, AccessPoint, Granted, Key};
use fogbank_core::policy::Document;
use fogbank_core::wire::{Kind as Shape, Slot, Struct};
use fogbank_core::{Demand, Fault, ParsedPolicies, PrincipalKind, ReadTx, ResourcePolicy, Tx, Way};
use percent_encoding::percent_decode_str;

use crate::acceleration;
use crate::access::bucket_arn;
use crate::error::Error;
use crate::store::{BUCKETS, Bucket, PublicAccess};

/// How many policies of access points are kept parsed.
const MAX_PARSED: usize = 1024;

/// Policies of access points as parsed documents.
struct Parsed(ParsedPolicies);

/// The operations that AWS offers through access points.
const OFFERED: [&str; 41] = [
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetBucketAcl",
    "GetBucketCors",
    "GetBucketLocation",
    "GetBucketNotificationConfiguration",
    "GetBucketPolicy",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "RestoreObject",
    "SelectObjectContent",
    "UploadPart",
    "UploadPartCopy",
    "GetObjectTorrent",
    "RenameObject",
    "UpdateObjectEncryption",
    // AWS's list at hand is older than annotations, which are the object's.
    "PutObjectAnnotation",
    "GetObjectAnnotation",
    "ListObjectAnnotations",
    "DeleteObjectAnnotation",
];

/// Puts buckets in place of the access points that an input names.
pub(crate) fn reached(tx: &ReadTx<'_>, input: &mut dyn Struct) -> Result<Vec<Way>, Fault> {
    acceleration::check_host(tx, input)?;
    let mut ways = Vec::new();
    if let Some(named) = input.text("Bucket").filter(|named| points::is_meant(named)) {
        let named = named.to_owned();
        let operation = tx.request().operation;
        if !OFFERED.contains(&operation) {
            let (method, kind) = (operation.to_owned(), "ACCESS_POINT".to_owned());
            return Err(Error::MethodNotAllowed { method, kind }.into());
        }
        let found = find(tx, &named)?;
        set(input, "Bucket", found.1.bucket.clone());
        ways.push(way(&found));
    }
    if !matches!(tx.request().operation, "CopyObject" | "UploadPartCopy") {
        return Ok(ways);
    }
    let source = input.text("CopySource").map(|source| source.trim_start_matches('/').to_owned());
    if let Some((named, rest)) = source.as_deref().and_then(split_source) {
        let found = find(tx, &named)?;
        set(input, "CopySource", format!("{}/{rest}", found.1.bucket));
        let way = way(&found);
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    Ok(ways)
}

/// The access point of a source of copies, and what follows: `ARN/object/KEY` or `ALIAS/KEY`.
fn split_source(source: &str) -> Option<(String, String)> {
    if let Some((alias, key)) = source.split_once('/')
        && alias.ends_with(points::ALIAS_END)
    {
        return Some((alias.to_owned(), key.to_owned()));
    }
    // An ARN may come encoded as a whole. What it was encoded for a second time is the key's own.
    let is_encoded = source.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("arn%3a"));
    let at = |marker: &str| {
        let (named, key) = source.split_once(marker)?;
        let named = percent_decode_str(named).decode_utf8().ok()?;
        points::parse(&named)?;
        Some((named.into_owned(), key.to_owned()))
    };
    if source.starts_with("arn:") || is_encoded {
        return at("/object/").or_else(|| at("%2Fobject%2F")).or_else(|| at("%2fobject%2f"));
    }
    None
}

fn find(tx: &ReadTx<'_>, named: &str) -> Result<(Key, AccessPoint), Error> {
    let found = points::find(tx, named, tx.region())?;
    let Some(found) = found.filter(|_| !points::is_directory(named)) else {
        return Err(match points::parse(named) {
            Some((_, _, name)) if !points::is_directory(name) => {
                Error::NoSuchAccessPoint { point: name.to_owned() }
            }
            _ if named.starts_with("arn:") => Error::InvalidBucketName { bucket: named.to_owned() },
            _ => Error::NoSuchBucket { bucket: named.to_owned() },
        });
    };
    // Nobody here comes from a network of one's own.
    if found.1.vpc.is_some() {
        return Err(Error::AccessDenied);
    }
    Ok(found)
}

fn way(((account, region, name), point): &(Key, AccessPoint)) -> Way {
    let arn = points::arn((account, region, name));
    Way {
        to: bucket_arn(&point.bucket),
        context: vec![
            ("s3:DataAccessPointArn", arn.clone()),
            ("s3:DataAccessPointAccount", account.clone()),
            ("s3:AccessPointNetworkOrigin", "Internet".to_owned()),
        ],
        arn,
        demand: Demand::Both { within: "/object/" },
    }
}

/// Sets a member that is text.
fn set(input: &mut dyn Struct, name: &str, value: String) {
    let Shape::Structure(members) = &input.schema().kind else { return };
    let Some(index) = members.iter().position(|member| member.name == name) else { return };
    if let Slot::Text(text) = input.member_mut(index).slot() {
        *text = value;
    }
}

/// The owner and the policy of the access point that an ARN names, or of something in it, or of what Access Grants have.
pub(crate) fn policy(tx: &ReadTx<'_>, resource: &str) -> Result<Option<ResourcePolicy>, Fault> {
    if let Some((account, region, _)) = Granted::parse(resource) {
        return policy_of_grants(tx, account, region).map(Some);
    }
    let named = resource.split_once("/object/").map_or(resource, |(named, _)| named);
    if points::parse(named).is_none() {
        return Ok(None);
    }
    let Some(((account, ..), point)) = points::find(tx, named, tx.region())? else {
        return Ok(None);
    };
    let principal = &tx.request().principal;
    let is_stranger =
        principal.account != account && !matches!(principal.kind, PrincipalKind::Service { .. });
    let is_meant =
        |text: &&String| !(point.block.restrict && is_stranger && points::is_public(text));
    let document = match point.policy.as_ref().filter(is_meant) {
        Some(text) => Some(parsed(tx, text)?),
        None => None,
    };
    Ok(Some(ResourcePolicy::new(account, document)))
}

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(MAX_PARSED))).0.get(text)
}

/// The owner and the policy of an instance of Access Grants, to which its locations and grants belong.
fn policy_of_grants(tx: &ReadTx<'_>, account: &str, region: &str) -> Result<ResourcePolicy, Fault> {
    let row = points::INSTANCES.get(tx, &(account, region))?;
    let policy = row.and_then(|row| row.policy);
    let document = policy.map(|policy| parsed(tx, &policy.document)).transpose()?;
    Ok(ResourcePolicy::new(account.to_owned(), document))
}

/// What a bucket, its account, or the access point by which a call reaches it blocks of public access.
pub(crate) fn blocks(tx: &(impl Tx + ?Sized), bucket: &Bucket) -> Result<PublicAccess, Error> {
    let none = PublicAccess {
        block_acls: false,
        ignore_acls: false,
        block_policy: false,
        restrict_buckets: false,
    };
    let mut blocks = bucket.public_access.unwrap_or(none);
    add(&mut blocks, points::BLOCKS.get(tx, &bucket.account)?.unwrap_or_default());
    for way in &tx.request().ways {
        let name = way.to.strip_prefix("arn:aws:s3:::").unwrap_or_default();
        let is_meant = BUCKETS.get_shared(tx, name)?.is_some_and(|found| found.id == bucket.id);
        if is_meant && let Some((_, point)) = points::find(tx, &way.arn, tx.region())? {
            add(&mut blocks, point.block);
        }
    }
    Ok(blocks)
}

/// Adds what somebody else blocks.
fn add(blocks: &mut PublicAccess, other: points::Block) {
    blocks.block_acls |= other.acls;
    blocks.ignore_acls |= other.ignore_acls;
    blocks.block_policy |= other.policy;
    blocks.restrict_buckets |= other.restrict;
}

/// The bucket for which an access point's ARN or alias stands, or the bucket itself.
pub(crate) fn bucket_of(tx: &(impl Tx + ?Sized), named: String) -> Result<String, Error> {
    if !points::is_meant(&named) {
        return Ok(named);
    }
    let found = points::find(tx, &named, tx.region())?;
    Ok(found.map_or(named, |(_, point)| point.bucket))
}

/// The tags of the access point that an ARN names, or of that in which something lies, or of what Access Grants have.
pub(crate) fn tags(tx: &ReadTx<'_>, resource: &str) -> Result<Vec<(String, String)>, Fault> {
    if let Some((account, region, what)) = Granted::parse(resource) {
        return Ok(what.tags(tx, (account, region))?.unwrap_or_default());
    }
    let named = resource.split_once("/object/").map_or(resource, |(named, _)| named);
    if points::parse(named).is_none() {
        return Ok(Vec::new());
    }
    let found = points::find(tx, named, tx.region())?;
    Ok(found.map(|(_, point)| point.tags).unwrap_or_default())
}
