//! Buckets: create, find, list and delete them.

use std::ops::ControlFlow;

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, ReadTx, Request, Tx, WriteTx, page};

use crate::access::{self, bucket_arn};
use crate::acls;
use crate::directory;
use crate::encryption;
use crate::error::Error;
use crate::metadata_tables;
use crate::model::{
    Bucket as ListedBucket, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
    HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner,
};
use crate::namespaces;
use crate::rules;
use crate::store::{
    self, Acl, AclPermission, BUCKETS, Bucket, DefaultEncryption, Ownership, PublicAccess,
    Versioning,
};
use crate::tasks;

/// The most buckets that one answer lists.
const MAX_BUCKETS: i32 = 10_000;
/// How many buckets an account has, directory buckets apart.
const MAX_OWNED: usize = 10_000;

/// An account as an owner.
pub(crate) fn owner(tx: &(impl Tx + ?Sized), account: &str) -> Owner {
    Owner { display_name: display_name(tx, account), id: Some(rules::canonical_id(account)) }
}

/// The name of an account, which AWS sends no more since November 2025.
pub(crate) fn display_name(tx: &(impl Tx + ?Sized), account: &str) -> Option<String> {
    tx.cx().settings().has_legacy_buckets.then(|| account.to_owned())
}

/// Creates a bucket.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateBucketInput,
) -> Result<CreateBucketOutput, Error> {
    if directory::buckets::is_meant(&input) {
        return directory::buckets::create(tx, input);
    }
    let name = &input.bucket;
    if !rules::is_bucket_name(name) {
        return Err(Error::InvalidBucketName { bucket: name.clone() });
    }
    let is_legacy = tx.cx().settings().has_legacy_buckets;
    let ownership = ownership(input.object_ownership.as_deref(), input.acl.as_deref(), is_legacy)?;
    let acl = acl(&input, tx.account(), ownership)?;
    let has_lock = input.object_lock_enabled_for_bucket == Some(true);
    let configuration = input.create_bucket_configuration.unwrap_or_default();
    let (region, location) = place(tx.region(), configuration.location_constraint)?;
    namespaces::check(name, input.bucket_namespace.as_deref(), (tx.account(), &region))?;
    let tags = rules::pairs(configuration.tags.unwrap_or_default());
    rules::check_bucket_tags(&tags)?;
    let output = CreateBucketOutput {
        location: Some(match &*region {
            "us-east-1" => format!("/{name}"),
            _ => format!("{}/{name}", tx.request().endpoint.url()),
        }),
        bucket_arn: Some(bucket_arn(name)),
    };
    if let Some(known) = BUCKETS.get(tx, name)? {
        return match known.account == tx.account() {
            // Only us-east-1 forgives a second creation by the owner, and sets the ACL anew.
            true if known.region == "us-east-1" && region == "us-east-1" => {
                let is_enforced = known.is_enforced();
                let known = Bucket { acl: acl.filter(|_| !is_enforced), ..known };
                BUCKETS.put(tx, name, &known)?;
                Ok(output)
            }
            true => Err(Error::BucketAlreadyOwnedByYou { bucket: name.clone() }),
            false => Err(Error::BucketAlreadyExists { bucket: name.clone() }),
        };
    }
    acls::refuse_public_bucket(tx, acl.as_ref(), is_legacy)?;
    if store::OWNED.range(&(tx.account(),)).limit(MAX_OWNED).count(tx)? == MAX_OWNED {
        return Err(Error::TooManyBuckets);
    }
    let bucket = Bucket {
        location,
        public_access: (!is_legacy).then_some(PublicAccess::ALL),
        encryption: if is_legacy { DefaultEncryption::Unset } else { DefaultEncryption::S3 },
        versioning: if has_lock { Versioning::Enabled } else { Versioning::Never },
        has_lock,
        ownership,
        acl,
        ..Bucket::fresh(tx.version(), (tx.account(), &region), tx.now().millis())
    };
    BUCKETS.put(tx, name, &bucket)?;
    if !tx.cx().settings().allows_customer_keys {
        encryption::block_customer_keys(tx, name)?;
    }
    store::OWNED.put(tx, &(&*bucket.account, &**name), &())?;
    if !tags.is_empty() {
        store::BUCKET_TAGS.put(tx, name, &store::Tags(tags))?;
    }
    Ok(output)
}

/// Who owns what is written to a new bucket. Tools that say `private` of a bucket say it of objects, too, and so S3 lets
/// ACLs count in such a bucket.
fn ownership(
    given: Option<&str>,
    acl: Option<&str>,
    is_legacy: bool,
) -> Result<Option<Ownership>, Error> {
    match given {
        None if is_legacy => Ok(None),
        None if acl == Some("private") => Ok(Some(Ownership::Preferred)),
        None => Ok(Some(Ownership::Enforced)),
        Some(other) => named_ownership(other).map(Some).ok_or_else(|| {
            let message = format!("Invalid x-amz-object-ownership header: {other}");
            Error::argument("x-amz-object-ownership", other, message)
        }),
    }
}

/// The ownership of this name.
pub(crate) fn named_ownership(name: &str) -> Option<Ownership> {
    match name {
        "BucketOwnerEnforced" => Some(Ownership::Enforced),
        "BucketOwnerPreferred" => Some(Ownership::Preferred),
        "ObjectWriter" => Some(Ownership::Writer),
        _ => None,
    }
}

/// The ACL that a new bucket is to have.
fn acl(
    input: &CreateBucketInput,
    account: &str,
    ownership: Option<Ownership>,
) -> Result<Option<Acl>, Error> {
    let asked = acls::asked(
        input.acl.as_deref(),
        [
            (AclPermission::FullControl, &input.grant_full_control),
            (AclPermission::Read, &input.grant_read),
            (AclPermission::ReadAcp, &input.grant_read_acp),
            (AclPermission::Write, &input.grant_write),
            (AclPermission::WriteAcp, &input.grant_write_acp),
        ],
    )?;
    asked.of_bucket(account, ownership)
}

/// The region in which a bucket is created, and its location constraint.
fn place(endpoint: &str, constraint: Option<String>) -> Result<(String, String), Error> {
    let constraint = constraint.unwrap_or_default();
    if endpoint != "us-east-1" {
        let is_here = constraint == endpoint || (constraint == "EU" && endpoint == "eu-west-1");
        if !is_here {
            let constraint =
                if constraint.is_empty() { "unspecified".to_owned() } else { constraint };
            return Err(Error::IllegalLocationConstraintException { constraint });
        }
        return Ok((endpoint.to_owned(), constraint));
    }
    match &*constraint {
        "" => Ok((endpoint.to_owned(), constraint)),
        "EU" => Ok(("eu-west-1".to_owned(), constraint)),
        "us-east-1" => Err(Error::InvalidLocationConstraint { constraint }),
        region if rules::is_region(region) => Ok((region.to_owned(), constraint)),
        _ => Err(Error::InvalidLocationConstraint { constraint }),
    }
}

/// Deletes an empty bucket. Its unfinished uploads follow in the background.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketInput,
) -> Result<DeleteBucketOutput, Error> {
    let name = &input.bucket;
    let bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    if !store::is_empty(tx, name)? || directory::has_uploads(tx, &bucket, name)? {
        return Err(Error::BucketNotEmpty { bucket: name.clone() });
    }
    if fogbank_accesspoints::lead_to(tx, name)? {
        return Err(Error::BucketHasAccessPointsAttached { bucket: name.clone() });
    }
    remove(tx, name, &bucket)?;
    Ok(DeleteBucketOutput {})
}

/// Removes a bucket that has no objects. Its unfinished uploads follow in the background.
pub(crate) fn remove(tx: &mut WriteTx<'_>, name: &str, bucket: &Bucket) -> Result<(), Error> {
    BUCKETS.delete(tx, name)?;
    store::OWNED.delete(tx, &(&*bucket.account, name))?;
    directory::DIRECTORIES.delete(tx, &(&*bucket.account, name))?;
    store::POLICIES.delete(tx, name)?;
    store::BUCKET_TAGS.delete(tx, name)?;
    store::NOTIFICATIONS.delete(tx, name)?;
    store::DOCUMENTS.delete_all(tx, &(name,))?;
    store::LIFECYCLES.delete(tx, name)?;
    store::TIERINGS.delete(tx, name)?;
    store::LOGGED.delete(tx, name)?;
    store::COUNTED.delete(tx, name)?;
    store::INVENTORIES.delete_all(tx, &(name,))?;
    metadata_tables::forget(tx, name)?;
    if store::UPLOADS.first(tx, &(bucket.id,))?.is_some() {
        store::DELETED.put(tx, &bucket.id, &())?;
        tx.wake(tasks::PARTS);
    }
    Ok(())
}

/// `s3:ListBucket`, without which one learns where the bucket is nevertheless: "calls to the HeadBucket operation always
/// return the bucket's location through an HTTP response header, whether access to the bucket is authorized or not"
/// (GetBucketLocation in the API Reference).
pub(crate) fn head_access(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let located = |tx: &ReadTx<'_>, input: &dyn Struct, refusal| {
        located(tx, input.text("Bucket").unwrap_or_default(), refusal)
    };
    Ok(access::bucket_to("s3:ListBucket", input)?.explained(located))
}

/// A refusal that tells the region of the bucket.
fn located(tx: &ReadTx<'_>, name: &str, refusal: Fault) -> Fault {
    match BUCKETS.get_shared(tx, name) {
        Ok(Some(bucket)) => refusal.with("x-amz-bucket-region", bucket.region.clone()),
        _ => refusal,
    }
}

/// Says that a bucket is there, and where.
pub(crate) fn head(tx: &ReadTx<'_>, input: HeadBucketInput) -> Result<HeadBucketOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = store::expected_bucket(tx, &input.bucket, owner)
        .map_err(|error| located(tx, &input.bucket, error.into()))?;
    let mut output = HeadBucketOutput {
        bucket_arn: Some(bucket_arn(&input.bucket)),
        bucket_region: Some(bucket.region.clone()),
        access_point_alias: Some(false),
        ..HeadBucketOutput::default()
    };
    directory::buckets::head(tx, &input.bucket, &bucket, &mut output)?;
    Ok(output)
}

/// The bucket's location constraint; empty for `us-east-1`.
pub(crate) fn location(
    tx: &ReadTx<'_>,
    input: GetBucketLocationInput,
) -> Result<GetBucketLocationOutput, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let location_constraint = Some(bucket.location).filter(|location| !location.is_empty());
    Ok(GetBucketLocationOutput { location_constraint })
}

/// Lists the caller's buckets by name.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListBucketsInput) -> Result<ListBucketsOutput, Error> {
    let limit = match input.max_buckets {
        Some(count @ 1..=MAX_BUCKETS) => count as usize,
        Some(count) => {
            let message = "Argument max-buckets must be an integer between 1 and 10000";
            return Err(Error::argument("max-buckets", count, message));
        }
        None => MAX_BUCKETS as usize,
    };
    if let Some(region) = &input.bucket_region
        && !rules::is_region(region)
    {
        let message = format!("Argument value {region} is not a valid AWS Region");
        return Err(Error::argument("bucket-region", region, message));
    }
    let after = match &input.continuation_token {
        Some(token) => Some(page::parse_text(token).ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            Error::argument("continuation-token", token, message)
        })?),
        None => None,
    };
    let account = tx.account();
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let mut names = store::OWNED.range(&fogbank_core::store::Starting((account,), prefix));
    if let Some(after) = &after {
        names = names.after(&(account, &**after));
    }
    let mut buckets = Vec::new();
    let mut next = None;
    names.try_visit_keys::<Error>(tx, |(_, name)| {
        let Some(bucket) = listed(tx, &name, input.bucket_region.as_deref())? else {
            return Ok(ControlFlow::Continue(()));
        };
        if buckets.len() == limit {
            next = buckets.last().and_then(|last: &ListedBucket| last.name.clone());
            return Ok(ControlFlow::Break(()));
        }
        buckets.push(bucket);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ListBucketsOutput {
        owner: Some(owner(tx, account)),
        buckets: Some(buckets),
        continuation_token: next.as_deref().map(page::text_token),
        prefix: input.prefix,
    })
}

/// A bucket for the list, unless it lies in another region than is asked for.
fn listed(
    tx: &ReadTx<'_>,
    name: &str,
    region: Option<&str>,
) -> Result<Option<ListedBucket>, Error> {
    let Some(bucket) = BUCKETS.get(tx, name)? else { return Ok(None) };
    if region.is_some_and(|region| region != bucket.region) {
        return Ok(None);
    }
    Ok(Some(ListedBucket {
        name: Some(name.to_owned()),
        creation_date: Some(bucket.created()),
        bucket_region: Some(bucket.region),
        bucket_arn: Some(bucket_arn(name)),
    }))
}
