//! Tags of log groups.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Fault, ReadTx, WriteTx};

use crate::access::group_of_arn;
use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, ListTagsLogGroupInput,
    ListTagsLogGroupOutput, TagLogGroupInput, TagLogGroupOutput, TagResourceInput,
    TagResourceOutput, UntagLogGroupInput, UntagLogGroupOutput, UntagResourceInput,
    UntagResourceOutput,
};
use crate::store::{self, GROUPS};

/// Adds tags to a group by name.
pub(crate) fn tag_group(
    tx: &mut WriteTx<'_>,
    input: TagLogGroupInput,
) -> Result<TagLogGroupOutput, Error> {
    change(tx, &input.log_group_name, |tags| tags.extend(input.tags))?;
    Ok(TagLogGroupOutput {})
}

/// Removes tags from a group by name.
pub(crate) fn untag_group(
    tx: &mut WriteTx<'_>,
    input: UntagLogGroupInput,
) -> Result<UntagLogGroupOutput, Error> {
    change(tx, &input.log_group_name, |tags| tags.retain(|key, _| !input.tags.contains(key)))?;
    Ok(UntagLogGroupOutput {})
}

/// Lists a group's tags by name.
pub(crate) fn list_of_group(
    tx: &ReadTx<'_>,
    input: ListTagsLogGroupInput,
) -> Result<ListTagsLogGroupOutput, Error> {
    let group = store::group(tx, &store::group_key(tx, &input.log_group_name))?;
    Ok(ListTagsLogGroupOutput { tags: Some(group.tags) })
}

/// Adds tags to a group by ARN.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let name = named(&input.resource_arn)?;
    change(tx, name, |tags| tags.extend(input.tags))?;
    Ok(TagResourceOutput {})
}

/// Removes tags from a group by ARN.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let name = named(&input.resource_arn)?;
    change(tx, name, |tags| tags.retain(|key, _| !input.tag_keys.contains(key)))?;
    Ok(UntagResourceOutput {})
}

/// Lists a group's tags by ARN.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let name = named(&input.resource_arn)?;
    let group = store::group(tx, &store::group_key(tx, name))?;
    Ok(ListTagsForResourceOutput { tags: Some(group.tags) })
}

/// The tags of the group that a permission is asked for, or that has the stream.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let Some(arn) = Arn::parse(&check.resource) else { return Ok(Vec::new()) };
    let name = arn.resource.strip_prefix("log-group:").unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let group = GROUPS.get(tx, &(arn.account, arn.region, name))?;
    Ok(group.map(|group| group.tags.into_iter().collect()).unwrap_or_default())
}

fn named(arn: &str) -> Result<&str, Error> {
    group_of_arn(arn).ok_or_else(|| Error::invalid("The specified resource ARN is invalid."))
}

fn change(
    tx: &mut WriteTx<'_>,
    name: &str,
    edit: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Error> {
    let key = store::group_key(tx, name);
    let mut group = store::group(tx, &key)?;
    edit(&mut group.tags);
    if group.tags.len() > 50 {
        return Err(Error::invalid("The maximum number of tags for a log group is 50."));
    }
    Ok(GROUPS.put(tx, &key, &group)?)
}
