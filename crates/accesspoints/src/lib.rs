//! Access points of S3 and what accounts block of public access, as rows.
//!
//! S3 Control writes them and S3 reads them for its requests, and neither may depend on the other. By the same way S3 answers
//! to batch jobs of S3 Control. It has the tags of buckets for the same reason, since either service sets them, and the rows of
//! Access Grants, whose ARNs are S3's. Nothing else may depend on this crate.

mod actions;
mod bucket_tags;
mod conditions;
mod grants;
mod policies;
mod scopes;
#[cfg(test)]
mod tests;

pub use actions::check_actions;
pub use bucket_tags::{BUCKET_TAGS, BUCKETS, Bucket, Tags};
pub use conditions::{check_conditions, check_operators};
use fogbank_core::store::{self, Error, Read, Table, TableLabel, decode_fields, row};
use fogbank_core::{Arn, WriteTx};
pub use grants::{
    GRANTEES, GRANTS, Grant, Granted, INSTANCES, Instance, InstancePolicy, LOCATIONS, Location,
};
pub use policies::{check, check_directory, is_public};
pub use scopes::Scope;
use serde::{Deserialize, Serialize};

/// An access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPoint {
    /// The bucket to which it leads.
    pub bucket: String,
    /// The account that owns the bucket.
    pub bucket_account: String,
    /// The name that stands for it where a bucket's name is expected.
    pub alias: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// The network from which alone it may be used; none for everywhere.
    pub vpc: Option<String>,
    /// What it blocks of public access.
    pub block: Block,
    /// Its policy, as it was given.
    pub policy: Option<String>,
    /// Its tags by their keys.
    pub tags: Vec<(String, String)>,
    /// What alone may be done through it; none for all, as it always is but with directory buckets.
    pub scope: Option<Scope>,
}

row!(AccessPoint, 2, older_point);

/// An access point of the first version.
#[derive(Deserialize)]
struct AccessPointV1 {
    bucket: String,
    bucket_account: String,
    alias: String,
    created_millis: i64,
    vpc: Option<String>,
    block: Block,
    policy: Option<String>,
    tags: Vec<(String, String)>,
}

fn older_point(version: u8, bytes: &[u8]) -> Result<AccessPoint, Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let old: AccessPointV1 = decode_fields(bytes)?;
    Ok(AccessPoint {
        bucket: old.bucket,
        bucket_account: old.bucket_account,
        alias: old.alias,
        created_millis: old.created_millis,
        vpc: old.vpc,
        block: old.block,
        policy: old.policy,
        tags: old.tags,
        scope: None,
    })
}

/// What is blocked of public access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// New public ACLs are refused.
    pub acls: bool,
    /// Public ACLs mean nothing.
    pub ignore_acls: bool,
    /// Public policies are refused.
    pub policy: bool,
    /// Public policies let only the owner's account and services in.
    pub restrict: bool,
}

row!(Block, 1);

/// The account, region and name of an access point.
pub type Key = (String, String, String);

/// Access points by account, region and name.
pub static ACCESS_POINTS: Table<Key, AccessPoint> = Table::new("s3control.access-points", 0x0250);
/// Access points by their aliases.
pub static ALIASES: Table<String, Named> = Table::new("s3control.aliases", 0x0251);
/// The access points that lead to a bucket.
pub static OF_BUCKETS: Table<(String, String, String, String), ()> =
    Table::new("s3control.access-points-of-buckets", 0x0252);
/// What accounts block of public access, if they do.
pub static BLOCKS: Table<String, Block> = Table::new("s3control.public-access-blocks", 0x0253);

/// What S3 answers to batch jobs that ask it to replicate what is there: by the job's account, region and id and the
/// request's id.
pub static REPLICATIONS: Table<(String, String, String, String), Replication> =
    Table::new("s3control.replications", 0x0257);

/// All tables.
pub static TABLES: &[TableLabel] = &[
    ACCESS_POINTS.label(),
    ALIASES.label(),
    OF_BUCKETS.label(),
    BLOCKS.label(),
    REPLICATIONS.label(),
    INSTANCES.label(),
    LOCATIONS.label(),
    GRANTS.label(),
    GRANTEES.label(),
];

/// What S3 answers to a batch job that asks it to replicate a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// Why it does not: a status of HTTP, a code and a message; none if it has begun.
    pub refusal: Option<(u16, String, String)>,
}

row!(Replication, 1);

/// What wakes the one who waits for the answer to a request.
pub fn replication_topic(request: &str) -> String {
    format!("s3control.replication/{request}")
}

/// The access point for which an alias stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
}

row!(Named, 1);

/// How aliases end.
pub const ALIAS_END: &str = "-s3alias";

/// How the names of access points of directory buckets end, behind their zone. They are their aliases, too, so that no two
/// have the same.
const DIRECTORY_END: &str = "--xa-s3";

/// Whether an access point with this name is one of a directory bucket.
pub fn is_directory(name: &str) -> bool {
    name.ends_with(DIRECTORY_END)
}

/// What a name of an access point of a directory bucket begins with, and its zone: `BASE--ZONE--xa-s3`.
pub fn directory_parts(name: &str) -> Option<(&str, &str)> {
    name.strip_suffix(DIRECTORY_END)?.rsplit_once("--")
}

/// The service that has an access point with this name in its ARN.
fn service(name: &str) -> &'static str {
    if is_directory(name) { "s3express" } else { "s3" }
}

/// The ARN of an access point.
pub fn arn((account, region, name): (&str, &str, &str)) -> String {
    format!("arn:aws:{}:{region}:{account}:accesspoint/{name}", service(name))
}

/// Whether what stands for a bucket is an access point's ARN or alias.
pub fn is_meant(bucket: &str) -> bool {
    bucket.ends_with(ALIAS_END) || bucket.starts_with("arn:") || is_directory(bucket)
}

/// The account, region and name in an ARN, with nothing behind the name.
pub fn parse(text: &str) -> Option<(&str, &str, &str)> {
    let arn = Arn::parse(text)?;
    let name = arn.resource.strip_prefix("accesspoint")?.strip_prefix(['/', ':'])?;
    let is_one = !name.is_empty() && !name.contains(['/', ':']) && arn.service == service(name);
    is_one.then_some((arn.account, arn.region, name))
}

/// The access point that is meant by an ARN, in `region` if it names none, or by an alias.
pub fn find(
    tx: &(impl Read + ?Sized),
    named: &str,
    region: &str,
) -> Result<Option<(Key, AccessPoint)>, Error> {
    let key = match parse(named) {
        Some((account, "", name)) => (account.to_owned(), region.to_owned(), name.to_owned()),
        Some((account, region, name)) => (account.to_owned(), region.to_owned(), name.to_owned()),
        None => match ALIASES.get(tx, named)? {
            Some(Named { account, region, name }) => (account, region, name),
            None => return Ok(None),
        },
    };
    Ok(ACCESS_POINTS.get(tx, &key)?.map(|point| (key, point)))
}

/// Keeps a new access point.
pub fn add(tx: &mut WriteTx<'_>, key: &Key, point: &AccessPoint) -> Result<(), Error> {
    let (account, region, name) = key.clone();
    ALIASES.put(tx, &point.alias, &Named { account, region, name })?;
    OF_BUCKETS.put(tx, &(&*point.bucket, &*key.0, &*key.1, &*key.2), &())?;
    ACCESS_POINTS.put(tx, key, point)
}

/// Removes an access point.
pub fn remove(tx: &mut WriteTx<'_>, key: &Key, point: &AccessPoint) -> Result<(), Error> {
    ALIASES.delete(tx, &point.alias)?;
    OF_BUCKETS.delete(tx, &(&*point.bucket, &*key.0, &*key.1, &*key.2))?;
    ACCESS_POINTS.delete(tx, key)
}

/// Whether access points lead to a bucket.
pub fn lead_to(tx: &(impl Read + ?Sized), bucket: &str) -> Result<bool, Error> {
    Ok(OF_BUCKETS.range(&(bucket,)).limit(1).count(tx)? > 0)
}
