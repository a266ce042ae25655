//! Tags of access points.

use fogbank_accesspoints::{self as points, ACCESS_POINTS, AccessPoint, Key};
use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::access_points::find;
use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};

/// The most tags that an access point has.
const MAX_TAGS: usize = 50;

/// Tags as rows have them.
pub(crate) fn of(given: &[Tag]) -> Result<Vec<(String, String)>, Error> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for tag in given {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            let message = "System tags cannot be added/updated by requester";
            return Err(Error::InvalidTag(message.to_owned()));
        }
        if tags.iter().any(|(known, _)| *known == tag.key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(Error::InvalidTag(message.to_owned()));
        }
        tags.push((tag.key.clone(), tag.value.clone()));
    }
    check_count(&tags)?;
    tags.sort();
    Ok(tags)
}

fn check_count(tags: &[(String, String)]) -> Result<(), Error> {
    match tags.len() {
        0..=MAX_TAGS => Ok(()),
        _ => Err(Error::InvalidTag(format!("Object tags cannot be greater than {MAX_TAGS}"))),
    }
}

/// The access point with an ARN; nothing else here has tags.
fn resource(tx: &(impl Tx + ?Sized), arn: &str) -> Result<(Key, AccessPoint), Error> {
    let (account, region, name) = points::parse(arn).ok_or(Error::NoSuchResource)?;
    if account != tx.account() || region != tx.region() {
        return Err(Error::NoSuchResource);
    }
    find(tx, name).map_err(|_| Error::NoSuchResource)
}

/// Adds tags to an access point.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let (key, mut row) = resource(tx, &input.resource_arn)?;
    let given = of(&input.tags)?;
    row.tags.retain(|(known, _)| given.iter().all(|(key, _)| key != known));
    row.tags.extend(given);
    row.tags.sort();
    check_count(&row.tags)?;
    ACCESS_POINTS.put(tx, &key, &row)?;
    Ok(TagResourceOutput {})
}

/// Takes tags from an access point.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let (key, mut row) = resource(tx, &input.resource_arn)?;
    row.tags.retain(|(known, _)| !input.tag_keys.contains(known));
    ACCESS_POINTS.put(tx, &key, &row)?;
    Ok(UntagResourceOutput {})
}

/// The tags of an access point.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let (_, row) = resource(tx, &input.resource_arn)?;
    let tags = row.tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}
