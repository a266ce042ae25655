//! Topics' tags.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Fault, ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use crate::rules::names;
use crate::store::{TOPICS, Topic, TopicKey};

/// How many tags a topic may have.
const MAX_TAGS: usize = 50;

/// Takes over a list of tags and refuses it if a key stands in it twice.
pub(crate) fn of_list(list: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let count = list.len();
    let tags: BTreeMap<String, String> = list.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if tags.len() < count {
        return Err(Error::invalid("Duplicated keys are not allowed."));
    }
    if tags.len() > MAX_TAGS {
        return Err(Error::TagLimitExceededException);
    }
    Ok(tags)
}

/// The tags of the topic that a permission is asked for; a subscription has its topic's.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let Some(arn) = Arn::parse(&check.resource) else { return Ok(Vec::new()) };
    let name = arn.resource.split(':').next().unwrap_or_default();
    let topic = TOPICS.get(tx, &(arn.account, arn.region, name))?;
    Ok(topic.map(|topic| topic.tags.into_iter().collect()).unwrap_or_default())
}

fn find(tx: &impl Tx, arn: &str) -> Result<(TopicKey, Topic), Error> {
    let key = names::topic(tx.request(), "ResourceArn", arn)?;
    let topic = TOPICS.get(tx, &key)?.ok_or(Error::ResourceNotFoundException)?;
    Ok((key, topic))
}

/// Adds tags, in place of those with the same keys.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let (key, mut topic) = find(tx, &input.resource_arn)?;
    topic.tags.extend(of_list(input.tags)?);
    if topic.tags.len() > MAX_TAGS {
        return Err(Error::TagLimitExceededException);
    }
    TOPICS.put(tx, &key, &topic)?;
    Ok(TagResourceOutput {})
}

/// Removes the tags with the given keys.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let (key, mut topic) = find(tx, &input.resource_arn)?;
    for tag in &input.tag_keys {
        topic.tags.remove(tag);
    }
    TOPICS.put(tx, &key, &topic)?;
    Ok(UntagResourceOutput {})
}

/// Shows the tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let (_, topic) = find(tx, &input.resource_arn)?;
    let tags = topic.tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}
