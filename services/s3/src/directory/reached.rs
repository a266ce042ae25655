//! What comes before a call that reaches a directory bucket: whether the bucket has the operation, what it takes, and what
//! the caller must be allowed to do.
//!
//! AWS asks for `s3express:CreateSession` in place of everything that S3 asks for with objects. Whoever comes with a session
//! was asked already; whoever comes with other credentials is asked as if a session were to be created. The bucket itself
//! is guarded by actions of the same names as S3's, but for their prefix.
//!
//! AWS's tools that are given an endpoint sign with a session whatever they do with a directory bucket, which at AWS's own
//! endpoints they do for objects alone. So a session may be created for a bucket that is not there by those who may create
//! it; and such a session for the objects of the bucket that came, and any session for operations on its bucket as a whole,
//! but then everything is asked of its creator's policies. A session with a bucket that is gone reaches no object of the next
//! bucket of its name.

use fogbank_accesspoints as points;
use fogbank_core::wire::{Item, Kind, Slot, Struct};
use fogbank_core::{Access, Demand, Fault, ReadTx, Tx, Way};
use fogbank_identity::bucket_sessions::{self, BucketSession};

use super::operations::{self, Standing};
use super::points::Point;
use super::sessions::BEFORE_CREATION;
use super::{EXPRESS, LOCAL, arn, is_name, names};
use crate::access::bucket_arn;
use crate::access_points;
use crate::error::Error;
use crate::rules;
use crate::store::{self, BUCKETS, Bucket};

/// The prefix of the actions of directory buckets.
const PREFIX: &str = "s3express";
/// The condition key that tells how a session may be used.
const MODE: &str = "s3express:SessionMode";

/// Puts buckets in place of what stands for them, refuses what directory buckets do not have, and says in which ways a call
/// reaches what it is about.
pub(crate) fn reached(tx: &ReadTx<'_>, input: &mut dyn Struct) -> Result<Vec<Way>, Fault> {
    let session = bucket_sessions::of(&tx.request().principal);
    let operation = tx.request().operation;
    // Access points of directory buckets are named by no ARN here.
    let is_meant =
        |name: &&str| !name.contains(':') && (is_name(name) || points::is_directory(name));
    let Some(named) = input.text("Bucket").filter(is_meant).map(ToOwned::to_owned) else {
        refuse_elsewhere(operation, session.is_some())?;
        let ways = access_points::reached(tx, input)?;
        return with_source(tx, input, ways);
    };
    let point = match points::is_directory(&named) {
        true => Some(Point::find(tx, &named, operation)?),
        false => None,
    };
    let name = match &point {
        Some(point) => {
            point.check_scope(operation, input)?;
            set(input, "Bucket", point.bucket());
            point.bucket().to_owned()
        }
        None => named.clone(),
    };
    let standing = operations::standing(operation);
    if standing == Standing::Missing {
        return Err(operations::missing(operation));
    }
    check_members(operation, input)?;
    check_listing(input)?;
    if let Some(session) = session {
        check_session(session, &named, standing, operation)?;
        if matches!(standing, Standing::Zonal { .. }) {
            let bucket = store::bucket(tx, &name)?;
            if session.number != BEFORE_CREATION && session.number != bucket.id {
                return Err(Error::AccessDenied.into());
            }
            if bucket.id == session.number {
                let (to, demand, context) = (bucket_arn(&name), Demand::Nothing, Vec::new());
                let arn = point.map_or_else(|| arn_of(&bucket, &name), |point| point.arn());
                return Ok(vec![Way { to, arn, demand, context }]);
            }
        }
    }
    let way = way(tx, input, &name, standing, point.as_ref())?;
    with_source(tx, input, vec![way])
}

/// Refuses at other buckets what only directory buckets have.
fn refuse_elsewhere(operation: &str, has_session: bool) -> Result<(), Fault> {
    if has_session {
        return Err(Error::AccessDenied.into());
    }
    match operation {
        "CreateSession" | "RenameObject" => {
            let (method, kind) = (operation.to_owned(), "BUCKET".to_owned());
            Err(Error::MethodNotAllowed { method, kind }.into())
        }
        _ => Ok(()),
    }
}

fn arn_of(bucket: &Bucket, name: &str) -> String {
    arn(&bucket.region, &bucket.account, name)
}

/// What a caller without a session must be allowed to do.
fn way(
    tx: &ReadTx<'_>,
    input: &mut dyn Struct,
    name: &str,
    standing: Standing,
    point: Option<&Point>,
) -> Result<Way, Fault> {
    let (own, mut context) = match tx.request().operation {
        "CreateBucket" => of_new(tx, name),
        "CreateSession" if BUCKETS.get(tx, name)?.is_none() => {
            return before_creation(tx, input, name);
        }
        _ => (arn_of(&store::bucket(tx, name)?, name), Vec::new()),
    };
    context.extend(point.iter().flat_map(|point| point.context()));
    let asked = point.map_or_else(|| own.clone(), Point::arn);
    // By an access point, the bucket must let the caller in as well.
    let also = point.map(|_| own);
    let action = match standing {
        Standing::Zonal { .. } | Standing::Unsessioned => {
            let writes = standing != Standing::Zonal { writes: false };
            context.push((MODE, mode(writes).to_owned()));
            Some("CreateSession")
        }
        Standing::Session => {
            settle_mode(tx, input, (&asked, also.as_deref()), &context);
            None
        }
        Standing::Regional | Standing::Missing => None,
    };
    let to = match standing {
        Standing::Session => arn(tx.region(), tx.account(), name),
        _ => bucket_arn(name),
    };
    let demand = Demand::Instead { prefix: PREFIX, action, also };
    Ok(Way { to, arn: asked, demand, context })
}

/// The ARN of a bucket that the caller is to create, and what tells of it.
fn of_new(tx: &ReadTx<'_>, name: &str) -> (String, Vec<(&'static str, String)>) {
    let zone = names::zone(name).unwrap_or_default().to_owned();
    (arn(tx.region(), tx.account(), name), vec![("s3express:LocationName", zone)])
}

/// The way of a session for a bucket that is not there, for those who may create it. Others hear that it is not there.
fn before_creation(tx: &ReadTx<'_>, input: &mut dyn Struct, name: &str) -> Result<Way, Fault> {
    let (own, context) = of_new(tx, name);
    let access = Access::to("s3express:CreateBucket", own.clone());
    let asked =
        context.iter().fold(access, |access, (key, value)| access.with(*key, [value.clone()]));
    if names::zone(name).is_none() || tx.cx().authorise(&asked).is_err() {
        return Err(store::bucket(tx, name).err().unwrap_or(Error::AccessDenied).into());
    }
    set(input, "SessionMode", mode(true));
    Ok(Way { to: own.clone(), arn: own, demand: Demand::Nothing, context })
}

fn mode(writes: bool) -> &'static str {
    if writes { "ReadWrite" } else { "ReadOnly" }
}

/// Settles the mode of the session that is to be created: who names none gets the most that is allowed, and the input says
/// it from then on.
fn settle_mode(
    tx: &ReadTx<'_>,
    input: &mut dyn Struct,
    (arn, also): (&str, Option<&str>),
    context: &[(&'static str, String)],
) {
    if input.text("SessionMode").is_none() {
        let mut asked = Access::to("s3express:CreateSession", arn.to_owned());
        if let Some(also) = also {
            asked = asked.and("s3express:CreateSession", also.to_owned());
        }
        let told = context.iter().map(|(key, value)| (*key, value.clone()));
        let told = told.chain([(MODE, mode(true).to_owned())]);
        asked = told.fold(asked, |asked, (key, value)| asked.with(key, [value]));
        set(input, "SessionMode", mode(tx.cx().authorise(&asked).is_ok()));
    }
}

/// Sets a member that is text or one of some texts.
fn set(input: &mut dyn Struct, name: &str, value: &str) {
    let Kind::Structure(members) = &input.schema().kind else { return };
    let Some(index) = members.iter().position(|member| member.name == name) else { return };
    match input.member_mut(index).slot() {
        Slot::Text(text) => value.clone_into(text),
        Slot::Enum(one) => {
            one.set(value);
        }
        _ => {}
    }
}

/// Adds the way to a directory bucket that is copied from.
fn with_source(
    tx: &ReadTx<'_>,
    input: &mut dyn Struct,
    mut ways: Vec<Way>,
) -> Result<Vec<Way>, Fault> {
    if !matches!(tx.request().operation, "CopyObject" | "UploadPartCopy") {
        return Ok(ways);
    }
    let is_meant = |header: &&str| header.contains("--x-s3") || header.contains("--xa-s3");
    let Some(header) = input.text("CopySource").filter(is_meant).map(ToOwned::to_owned) else {
        return Ok(ways);
    };
    let source = rules::copy_source(&header)?;
    let point = match points::is_directory(&source.bucket) {
        true => Some(Point::find(tx, &source.bucket, "GetObject")?),
        false => None,
    };
    let name = point.as_ref().map_or(&*source.bucket, Point::bucket);
    if let Some(point) = &point {
        point.check_source(&source.key)?;
        set(input, "CopySource", &header.replacen(&source.bucket, name, 1));
    }
    let to = bucket_arn(name);
    if !is_name(name) || ways.iter().any(|way| way.to == to) {
        return Ok(ways);
    }
    let own = arn_of(&store::bucket(tx, name)?, name);
    let arn = point.as_ref().map_or_else(|| own.clone(), Point::arn);
    let also = point.as_ref().map(|_| own);
    let demand = Demand::Instead { prefix: PREFIX, action: Some("CreateSession"), also };
    let told = point.iter().flat_map(Point::context);
    let context = told.chain([(MODE, mode(false).to_owned())]).collect();
    ways.push(Way { to, arn, demand, context });
    Ok(ways)
}

/// Refuses a session at another bucket than its own, and to change something if it may not.
fn check_session(
    session: BucketSession<'_>,
    name: &str,
    standing: Standing,
    operation: &str,
) -> Result<(), Error> {
    let writes = match standing {
        Standing::Zonal { writes } => writes,
        Standing::Regional => !operation.starts_with("Get") && !operation.starts_with("List"),
        _ => return Err(Error::AccessDenied),
    };
    match session.bucket == name && (!writes || session.is_read_write) {
        true => Ok(()),
        false => Err(Error::AccessDenied),
    }
}

/// Refuses members that directory buckets do not have.
fn check_members(operation: &str, input: &dyn Struct) -> Result<(), Error> {
    let Kind::Structure(members) = &input.schema().kind else { return Ok(()) };
    for (index, member) in members.iter().enumerate() {
        let item = input.member(index).item();
        if matches!(item, Item::Absent) || matches!(item, Item::Boolean(false)) {
            continue;
        }
        if let Some(header) = operations::lacks(operation, member.name) {
            return Err(Error::header(header, "Directory buckets do not support this header"));
        }
        match (member.name, item) {
            ("Tagging", Item::Text(tags)) if !tags.is_empty() => {
                let detail = "Directory buckets do not support object tags";
                return Err(Error::header("x-amz-tagging", detail));
            }
            ("VersionId", Item::Text(version)) if version != "null" => {
                let message = "Invalid version id specified";
                return Err(Error::argument("versionId", version, message));
            }
            ("StorageClass", Item::Text(class)) if ![EXPRESS, LOCAL].contains(&class) => {
                return Err(Error::InvalidStorageClass { class: class.to_owned() });
            }
            ("ServerSideEncryption", Item::Text(method)) if method == "aws:kms:dsse" => {
                let message = "The encryption method specified is not supported";
                return Err(Error::argument("x-amz-server-side-encryption", method, message));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses listings that are narrowed to anything but directories.
fn check_listing(input: &dyn Struct) -> Result<(), Error> {
    if let Some(delimiter) = input.text("Delimiter").filter(|text| !text.is_empty())
        && delimiter != "/"
    {
        // The words are a guess.
        let message = "This bucket does not support a delimiter other than '/'. Specify '/' as the delimiter and try again.";
        return Err(Error::request(message));
    }
    if input.text("Prefix").is_some_and(|prefix| !prefix.is_empty() && !prefix.ends_with('/')) {
        let message = "This bucket does not support a prefix that does not end in a delimiter. Specify a prefix path ending with a delimiter and try again.";
        return Err(Error::request(message));
    }
    Ok(())
}
