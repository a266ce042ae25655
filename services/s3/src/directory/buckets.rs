//! Directory buckets themselves: create, list and find them.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use super::names::{is_zone_of, zone};
use super::{DIRECTORIES, Directory, arn, is_name};
use crate::error::Error;
use crate::model::{
    Bucket as ListedBucket, CreateBucketConfiguration, CreateBucketInput, CreateBucketOutput,
    DataRedundancy, HeadBucketOutput, ListDirectoryBucketsInput, ListDirectoryBucketsOutput,
    LocationType,
};
use crate::rules;
use crate::store::{self, BUCKETS, Bucket};

/// The most buckets that one answer lists.
const MAX_BUCKETS: i32 = 1000;
/// How many directory buckets an account has in a region.
const MAX_OWNED: usize = 100;

/// Whether a request of CreateBucket means a directory bucket.
pub(crate) fn is_meant(input: &CreateBucketInput) -> bool {
    let configuration = input.create_bucket_configuration.as_ref();
    is_name(&input.bucket)
        || configuration.is_some_and(|given| given.bucket.is_some() || given.location.is_some())
}

/// Creates a directory bucket.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateBucketInput,
) -> Result<CreateBucketOutput, Error> {
    let name = &input.bucket;
    let Some(zone) = zone(name) else {
        return Err(Error::InvalidBucketName { bucket: name.clone() });
    };
    let configuration = input.create_bucket_configuration.unwrap_or_default();
    let directory = read(&configuration, zone, tx.region())?;
    let tags = rules::pairs(configuration.tags.unwrap_or_default());
    rules::check_bucket_tags(&tags)?;
    if let Some(known) = BUCKETS.get(tx, name)? {
        return Err(match known.account == tx.account() {
            true => Error::BucketAlreadyOwnedByYou { bucket: name.clone() },
            false => Error::BucketAlreadyExists { bucket: name.clone() },
        });
    }
    if count(tx)? >= MAX_OWNED {
        return Err(Error::TooManyBuckets);
    }
    let bucket = Bucket::fresh(tx.version(), (tx.account(), tx.region()), tx.now().millis());
    BUCKETS.put(tx, name, &bucket)?;
    DIRECTORIES.put(tx, &(&*bucket.account, &**name), &directory)?;
    if !tags.is_empty() {
        store::BUCKET_TAGS.put(tx, name, &store::Tags(tags))?;
    }
    Ok(CreateBucketOutput {
        location: Some(format!("{}/{name}", tx.request().endpoint.url())),
        bucket_arn: Some(arn(&bucket.region, &bucket.account, name)),
    })
}

/// How many directory buckets the caller's account has in the region.
fn count(tx: &WriteTx<'_>) -> Result<usize, Error> {
    let mut count = 0;
    for (_, name) in DIRECTORIES.range(&(tx.account(),)).keys(tx)? {
        let bucket = BUCKETS.get_shared(tx, &*name)?;
        count += usize::from(bucket.is_some_and(|bucket| bucket.region == tx.region()));
    }
    Ok(count)
}

/// Reads where the bucket is to be. S3 was seen to answer `MalformedXML` to documents without these elements, and to those
/// with a location constraint.
fn read(given: &CreateBucketConfiguration, zone: &str, region: &str) -> Result<Directory, Error> {
    let (Some(bucket), Some(location)) = (&given.bucket, &given.location) else {
        return Err(Error::MalformedXML);
    };
    let (Some(_), Some(kind), None) =
        (&bucket.r#type, &location.r#type, &given.location_constraint)
    else {
        return Err(Error::MalformedXML);
    };
    let is_local_zone = *kind == LocationType::LocalZone;
    let expected = match is_local_zone {
        true => DataRedundancy::SingleLocalZone,
        false => DataRedundancy::SingleAvailabilityZone,
    };
    if bucket.data_redundancy.as_ref().is_some_and(|given| *given != expected) {
        let given = bucket.data_redundancy.as_ref().map_or("", |given| given.as_str());
        let message = "The data redundancy does not fit the type of the location";
        return Err(Error::argument("DataRedundancy", given, message));
    }
    let named = location.name.as_deref().unwrap_or_default();
    if named != zone || !is_zone_of(zone, region) {
        // The code and the words are a guess.
        return Err(Error::InvalidLocationConstraint { constraint: named.to_owned() });
    }
    Ok(Directory { is_local_zone })
}

/// Adds to the answer of HeadBucket what it tells of a directory bucket.
pub(crate) fn head(
    tx: &ReadTx<'_>,
    name: &str,
    bucket: &Bucket,
    output: &mut HeadBucketOutput,
) -> Result<(), Error> {
    let Some(directory) = DIRECTORIES.get(tx, &(&*bucket.account, name))? else { return Ok(()) };
    output.bucket_arn = Some(arn(&bucket.region, &bucket.account, name));
    output.bucket_location_name = zone(name).map(ToOwned::to_owned);
    output.bucket_location_type = Some(match directory.is_local_zone {
        true => LocationType::LocalZone,
        false => LocationType::AvailabilityZone,
    });
    Ok(())
}

/// Lists the caller's directory buckets in the region by name.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListDirectoryBucketsInput,
) -> Result<ListDirectoryBucketsOutput, Error> {
    let limit = match input.max_directory_buckets {
        None => MAX_BUCKETS as usize,
        Some(count @ 0..=MAX_BUCKETS) => count as usize,
        Some(count) => {
            let message = "Argument max-directory-buckets must be an integer between 0 and 1000";
            return Err(Error::argument("max-directory-buckets", count, message));
        }
    };
    let after = match input.continuation_token.as_deref().filter(|token| !token.is_empty()) {
        Some(token) => Some(page::parse_text(token).ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            Error::argument("continuation-token", token, message)
        })?),
        None => None,
    };
    let account = tx.account();
    let mut names = DIRECTORIES.range(&(account,));
    if let Some(after) = &after {
        names = names.after(&(account, &**after));
    }
    let mut buckets: Vec<ListedBucket> = Vec::new();
    let mut next = None;
    names.try_visit_keys::<Error>(tx, |(_, name)| {
        let found = BUCKETS.get(tx, &*name)?.filter(|bucket| bucket.region == tx.region());
        let Some(bucket) = found else { return Ok(ControlFlow::Continue(())) };
        if buckets.len() == limit {
            next = buckets.last().and_then(|last| last.name.clone());
            return Ok(ControlFlow::Break(()));
        }
        buckets.push(listed(name, &bucket));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ListDirectoryBucketsOutput {
        buckets: Some(buckets),
        continuation_token: next.as_deref().map(page::text_token),
    })
}

fn listed(name: String, bucket: &Bucket) -> ListedBucket {
    ListedBucket {
        creation_date: Some(bucket.created()),
        bucket_region: None,
        bucket_arn: Some(arn(&bucket.region, &bucket.account, &name)),
        name: Some(name),
    }
}
