//! Queues' tags.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Fault, ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    ListQueueTagsInput, ListQueueTagsOutput, TagQueueInput, TagQueueOutput, UntagQueueInput,
    UntagQueueOutput,
};
use crate::rules::names;
use crate::store::{self, QUEUES, Queue};

/// How many tags a queue may have.
const MAX_TAGS: usize = 50;

/// Adds tags, in place of those with the same keys.
pub(crate) fn add(tx: &mut WriteTx<'_>, input: TagQueueInput) -> Result<TagQueueOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let mut queue = store::queue(tx, &key)?;
    merge(&mut queue, &key.2, input.tags)?;
    QUEUES.put(tx, &key, &queue)?;
    Ok(TagQueueOutput {})
}

/// Removes the tags with the given keys.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagQueueInput,
) -> Result<UntagQueueOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let mut queue = store::queue(tx, &key)?;
    for tag in &input.tag_keys {
        queue.tags.remove(tag);
    }
    QUEUES.put(tx, &key, &queue)?;
    Ok(UntagQueueOutput {})
}

/// Shows the tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListQueueTagsInput,
) -> Result<ListQueueTagsOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let tags = store::queue(tx, &key)?.tags;
    Ok(ListQueueTagsOutput { tags: (!tags.is_empty()).then_some(tags) })
}

/// The tags of the queue that a permission is asked for.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let Some(arn) = Arn::parse(&check.resource) else { return Ok(Vec::new()) };
    let queue = QUEUES.get(tx, &(arn.account, arn.region, arn.resource))?;
    Ok(queue.map(|queue| queue.tags.into_iter().collect()).unwrap_or_default())
}

/// Adds tags to a queue, by the rules. The texts are guessed; AWS's are not known.
pub(crate) fn merge(
    queue: &mut Queue,
    name: &str,
    tags: BTreeMap<String, String>,
) -> Result<(), Error> {
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > 128 || key.starts_with("aws:") {
            return Err(Error::parameter(format!(
                "Tag keys must be between 1 and 128 characters in length and must not begin with aws:. You have sent {key}."
            )));
        }
        if value.chars().count() > 256 {
            return Err(Error::parameter(
                "Tag values must be between 0 and 256 characters in length.",
            ));
        }
    }
    queue.tags.extend(tags);
    if queue.tags.len() > MAX_TAGS {
        return Err(Error::parameter(format!("Too many tags added for queue {name}.")));
    }
    Ok(())
}
