//! Tags of parameters.

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    AddTagsToResourceInput, AddTagsToResourceOutput, ListTagsForResourceInput,
    ListTagsForResourceOutput, RemoveTagsFromResourceInput, RemoveTagsFromResourceOutput,
    ResourceTypeForTagging, Tag,
};
use crate::rules::names::Named;
use crate::store::{self, Parameter, ParameterKey};

/// How many tags a parameter has at most.
const MAX: usize = 50;

/// Adds tags to a parameter.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: AddTagsToResourceInput,
) -> Result<AddTagsToResourceOutput, Error> {
    let (key, mut parameter) = parameter(tx, input.resource_type, &input.resource_id)?;
    add(&mut parameter.tags, input.tags)?;
    store::put(tx, &key, &parameter)?;
    Ok(AddTagsToResourceOutput {})
}

/// Removes tags from a parameter.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: RemoveTagsFromResourceInput,
) -> Result<RemoveTagsFromResourceOutput, Error> {
    let (key, mut parameter) = parameter(tx, input.resource_type, &input.resource_id)?;
    parameter.tags.retain(|(key, _)| !input.tag_keys.contains(key));
    store::put(tx, &key, &parameter)?;
    Ok(RemoveTagsFromResourceOutput {})
}

/// Lists a parameter's tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let (_, parameter) = parameter(tx, input.resource_type, &input.resource_id)?;
    let tags = parameter.tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceOutput { tag_list: Some(tags) })
}

/// The parameter; there are no resources of other types.
fn parameter(
    tx: &impl Tx,
    kind: ResourceTypeForTagging,
    id: &str,
) -> Result<(ParameterKey, Parameter), Error> {
    if kind != ResourceTypeForTagging::Parameter {
        return Err(Error::InvalidResourceId);
    }
    let named = Named::parse(id, tx.account(), tx.region());
    store::look_up(tx, &named)?.ok_or(Error::InvalidResourceId)
}

/// Adds tags to others; one with the same key is replaced in its place.
pub(crate) fn add(tags: &mut Vec<(String, String)>, new: Vec<Tag>) -> Result<(), Error> {
    for Tag { key, value } in new {
        if key.to_lowercase().starts_with("aws:") {
            // AWS's words are not known.
            return Err(Error::invalid("Tag keys can't start with aws:."));
        }
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MAX { Err(Error::TooManyTagsError) } else { Ok(()) }
}
