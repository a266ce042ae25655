//! Tags of table buckets and tables.

use std::collections::BTreeMap;

use fogbank_core::store::Error as StoreError;
use fogbank_core::{Check, Fault, ReadTx, WriteTx};

use crate::error::Error;
use crate::model::*;
use crate::store::{self, BUCKETS, BucketKey, TABLES, Table, TableBucket, TableKey};

/// The most tags that a resource has.
const MAX_TAGS: usize = 50;

type Tags = Vec<(String, String)>;

/// Adds what is given to tags that are there.
pub(crate) fn read(mut known: Tags, given: BTreeMap<String, String>) -> Result<Tags, Error> {
    if given.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(Error::bad("Tag keys that begin with aws: are reserved."));
    }
    known.retain(|(key, _)| !given.contains_key(key));
    known.extend(given);
    known.sort();
    if known.len() > MAX_TAGS {
        return Err(Error::bad("A resource can have at most 50 tags."));
    }
    Ok(known)
}

/// What has tags.
enum Tagged {
    Bucket(BucketKey, Box<TableBucket>),
    Table(TableKey, Box<Table>),
}

impl Tagged {
    fn find(tx: &impl fogbank_core::store::Read, arn: &str) -> Result<Tagged, Error> {
        match store::parse(arn) {
            Some((.., Some(_))) => {
                store::table_with_arn(tx, arn).map(|(key, row)| Tagged::Table(key, Box::new(row)))
            }
            Some((.., None)) => {
                store::bucket(tx, arn).map(|(key, row)| Tagged::Bucket(key, Box::new(row)))
            }
            None => Err(Error::bad("The specified resource ARN is not valid.")),
        }
    }

    fn tags(&mut self) -> &mut Tags {
        match self {
            Tagged::Bucket(_, row) => &mut row.tags,
            Tagged::Table(_, row) => &mut row.tags,
        }
    }

    fn put(&self, tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
        match self {
            Tagged::Bucket(key, row) => BUCKETS.put(tx, key, row),
            Tagged::Table(key, row) => TABLES.put(tx, key, row),
        }
    }
}

/// Adds tags to a table bucket or a table.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let mut found = Tagged::find(tx, &input.resource_arn)?;
    let known = std::mem::take(found.tags());
    *found.tags() = read(known, input.tags)?;
    found.put(tx)?;
    Ok(TagResourceOutput {})
}

/// Takes tags from a table bucket or a table.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let mut found = Tagged::find(tx, &input.resource_arn)?;
    found.tags().retain(|(key, _)| !input.tag_keys.contains(key));
    found.put(tx)?;
    Ok(UntagResourceOutput {})
}

/// The tags of a table bucket or a table.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let mut found = Tagged::find(tx, &input.resource_arn)?;
    let tags = std::mem::take(found.tags());
    Ok(ListTagsForResourceOutput { tags: Some(tags.into_iter().collect()) })
}

/// The tags of the resource that a permission is asked for.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Tags, Fault> {
    match Tagged::find(tx, &check.resource) {
        Ok(mut found) => Ok(std::mem::take(found.tags())),
        Err(Error::Fault(fault)) => Err(fault),
        Err(_) => Ok(Vec::new()),
    }
}
