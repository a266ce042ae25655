//! Tags of functions and event source mappings.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Fault, ReadTx, Tx, WriteTx};

use crate::error::{Error, invalid, unsupported};
use crate::functions::touch;
use crate::mappings;
use crate::model::{
    ListTagsInput, ListTagsOutput, TagResourceInput, TagResourceOutput, UntagResourceInput,
    UntagResourceOutput,
};
use crate::rules::target::Target;
use crate::store::{self, FUNCTIONS, Function, FunctionKey, MAPPINGS, Mapping};

/// The most tags that a resource may have.
const MAX_TAGS: usize = 50;

/// A resource with tags.
enum Tagged {
    Function(Target),
    Mapping(FunctionKey),
}

impl Tagged {
    /// The resource with this ARN.
    fn of_arn(tx: &impl Tx, arn: &str) -> Result<Tagged, Error> {
        if let Some(target) = Target::of_arn(arn) {
            if target.qualifier.is_some() {
                return Err(invalid(
                    "Tags on function aliases and versions are not supported. Please specify a function ARN.",
                ));
            }
            // The region decides where the function is looked for, as with every other ARN.
            return Target::parse(arn, None, tx.account(), tx.region()).map(Tagged::Function);
        }
        mapping_key(arn)
            .map(Tagged::Mapping)
            .ok_or_else(|| unsupported("tags on this kind of resource"))
    }

    /// The resource's tags, if it exists.
    fn tags(&self, tx: &impl Tx) -> Result<BTreeMap<String, String>, Error> {
        match self {
            Tagged::Function(target) => Ok(store::function(tx, target)?.tags),
            Tagged::Mapping(key) => Ok(mapping(tx, key)?.tags),
        }
    }

    fn put(&self, tx: &mut WriteTx<'_>, tags: BTreeMap<String, String>) -> Result<(), Error> {
        match self {
            Tagged::Function(target) => {
                let function = Function { tags, ..store::function(tx, target)? };
                FUNCTIONS.put(tx, &target.key(), &function)?;
                touch(tx, target)?;
            }
            Tagged::Mapping(key) => {
                let mapping = Mapping { tags, ..mapping(tx, key)? };
                MAPPINGS.put(tx, key, &mapping)?;
            }
        }
        Ok(())
    }
}

/// The key of the event source mapping with this ARN.
fn mapping_key(arn: &str) -> Option<FunctionKey> {
    let arn = Arn::parse(arn)?;
    let uuid = arn.resource.strip_prefix("event-source-mapping:")?;
    Some((arn.account.to_owned(), arn.region.to_owned(), uuid.to_owned()))
}

fn mapping(tx: &impl Tx, key: &FunctionKey) -> Result<Mapping, Error> {
    MAPPINGS.get(tx, key)?.ok_or_else(|| {
        let (account, region, uuid) = key;
        let arn = mappings::arn(account, region, uuid);
        Error::ResourceNotFoundException(format!("Event source mapping not found: {arn}"))
    })
}

/// The tags of the function or event source mapping with this ARN; none if there is no such thing.
fn of_arn(
    tx: &ReadTx<'_>,
    arn: &str,
) -> Result<BTreeMap<String, String>, fogbank_core::store::Error> {
    if let Some(target) = Target::of_arn(arn) {
        let function = FUNCTIONS.get(tx, &target.key())?;
        return Ok(function.map(|function| function.tags).unwrap_or_default());
    }
    let Some(key) = mapping_key(arn) else { return Ok(BTreeMap::new()) };
    Ok(MAPPINGS.get(tx, &key)?.map(|mapping| mapping.tags).unwrap_or_default())
}

/// The tags of the resource that a permission is asked for.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    Ok(of_arn(tx, &check.resource)?.into_iter().collect())
}

/// Adds tags, or changes the values of those that are there.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let resource = Tagged::of_arn(tx, &input.resource)?;
    let mut tags = resource.tags(tx)?;
    if input.tags.is_empty() {
        return Err(invalid("An error occurred and the request cannot be processed."));
    }
    tags.extend(input.tags);
    check(&tags)?;
    resource.put(tx, tags)?;
    Ok(TagResourceOutput {})
}

/// Removes tags.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let resource = Tagged::of_arn(tx, &input.resource)?;
    let mut tags = resource.tags(tx)?;
    tags.retain(|key, _| !input.tag_keys.contains(key));
    resource.put(tx, tags)?;
    Ok(UntagResourceOutput {})
}

/// Lists the tags.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListTagsInput) -> Result<ListTagsOutput, Error> {
    let resource = Tagged::of_arn(tx, &input.resource)?;
    Ok(ListTagsOutput { tags: Some(resource.tags(tx)?) })
}

/// Refuses tags that AWS refuses.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > MAX_TAGS {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}
