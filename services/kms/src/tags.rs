//! Tags of keys.

use std::collections::BTreeMap;

use fogbank_core::{Check, Fault, ReadTx, WriteTx};

use crate::error::Error;
use crate::lookup;
use crate::model::{
    ListResourceTagsInput, ListResourceTagsOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use crate::rules::names::{self, Named};
use crate::store::{self, KEYS};

/// How many tags a key may have, and a page has unless the caller says.
const MOST: usize = 50;

/// The tags of a request.
pub(crate) fn wanted(tags: Option<&[Tag]>) -> Result<BTreeMap<String, String>, Error> {
    let mut wanted = BTreeMap::new();
    for tag in tags.into_iter().flatten() {
        if tag.tag_key.to_lowercase().starts_with("aws:") {
            return Err(Error::TagException("Tags beginning with aws: are reserved".to_owned()));
        }
        if wanted.insert(tag.tag_key.clone(), tag.tag_value.clone()).is_some() {
            let message = format!("Duplicate tag key found: {}", tag.tag_key);
            return Err(Error::TagException(message));
        }
    }
    check_count(&wanted)?;
    Ok(wanted)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > MOST {
        return Err(Error::TagException("Too many tags".to_owned()));
    }
    Ok(())
}

/// Adds tags, and replaces the values of those that are there.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let mut found = lookup::own(tx, &input.key_id)?;
    crate::keys::check_customer(&found)?;
    found.check_not_pending_deletion()?;
    found.key.tags.extend(wanted(Some(&input.tags))?);
    check_count(&found.key.tags)?;
    store::put(tx, &found.at, found.key)?;
    Ok(TagResourceOutput {})
}

/// Removes tags; those that are not there are no error.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let mut found = lookup::own(tx, &input.key_id)?;
    crate::keys::check_customer(&found)?;
    found.check_not_pending_deletion()?;
    found.key.tags.retain(|key, _| !input.tag_keys.contains(key));
    store::put(tx, &found.at, found.key)?;
    Ok(UntagResourceOutput {})
}

/// Lists tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListResourceTagsInput,
) -> Result<ListResourceTagsOutput, Error> {
    let found = lookup::own(tx, &input.key_id)?;
    let tags = found.key.tags.into_iter();
    let tags = tags.map(|(key, value)| (key.clone(), Tag { tag_key: key, tag_value: value }));
    let (tags, next_marker) =
        lookup::page_of(tags.collect(), input.marker.as_deref(), input.limit, MOST)?;
    Ok(ListResourceTagsOutput {
        tags: Some(tags),
        truncated: Some(next_marker.is_some()),
        next_marker,
    })
}

/// The tags of the key with this ARN, for the gateway.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let resource = &*check.resource;
    let Some(arn) = fogbank_core::Arn::parse(resource) else { return Ok(Vec::new()) };
    match names::parse(resource, arn.account, arn.region) {
        Ok(Named::Key(account, id)) => {
            let key = KEYS.get(tx, &(account, arn.region.to_owned(), id))?;
            Ok(key.map(|key| key.tags.into_iter().collect()).unwrap_or_default())
        }
        _ => Ok(Vec::new()),
    }
}
