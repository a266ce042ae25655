//! Tags of functions.

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::{Error, invalid, unsupported};
use crate::functions::touch;
use crate::model::{
    ListTagsInput, ListTagsOutput, TagResourceInput, TagResourceOutput, UntagResourceInput,
    UntagResourceOutput,
};
use crate::rules::target::Target;
use crate::store::{self, FUNCTIONS};

/// The most tags that a resource may have.
const MAX_TAGS: usize = 50;

/// Adds tags, or changes the values of those that are there.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let target = target(tx, &input.resource)?;
    let mut function = store::function(tx, &target)?;
    if input.tags.is_empty() {
        return Err(invalid("An error occurred and the request cannot be processed."));
    }
    function.tags.extend(input.tags);
    check(&function.tags)?;
    FUNCTIONS.put(tx, &target.key(), &function)?;
    touch(tx, &target)?;
    Ok(TagResourceOutput {})
}

/// Removes tags.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let target = target(tx, &input.resource)?;
    let mut function = store::function(tx, &target)?;
    function.tags.retain(|key, _| !input.tag_keys.contains(key));
    FUNCTIONS.put(tx, &target.key(), &function)?;
    touch(tx, &target)?;
    Ok(UntagResourceOutput {})
}

/// Lists the tags.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListTagsInput) -> Result<ListTagsOutput, Error> {
    let target = target(tx, &input.resource)?;
    Ok(ListTagsOutput { tags: Some(store::function(tx, &target)?.tags) })
}

/// Refuses tags that AWS refuses.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > MAX_TAGS {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}

fn target(tx: &impl Tx, arn: &str) -> Result<Target, Error> {
    let target =
        Target::of_arn(arn).ok_or_else(|| unsupported("tags on anything but functions"))?;
    if target.qualifier.is_some() {
        return Err(invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    // The region decides where the function is looked for, as with every other ARN.
    Target::parse(arn, None, tx.account(), tx.region())
}
