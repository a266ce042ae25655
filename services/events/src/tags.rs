//! Tags of buses and rules.

use std::collections::BTreeMap;

use fogbank_core::{Check, Fault, ReadTx, WriteTx};

use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use crate::rules::names::{self, BusKey, RuleKey};
use crate::store::{self, BUSES, RULES};

/// How many tags a bus or rule may have.
const MOST: usize = 50;

/// Takes over a list of tags; of two with one key the last counts.
pub(crate) fn of_list(list: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let tags: BTreeMap<_, _> = list.into_iter().map(|tag| (tag.key, tag.value)).collect();
    match tags.len() > MOST {
        true => Err(Error::LimitExceededException),
        false => Ok(tags),
    }
}

/// What has tags.
enum Tagged {
    Bus(BusKey),
    Rule(RuleKey),
}

fn tagged(arn: &str) -> Result<Tagged, Error> {
    if let Some(key) = names::bus_of_arn(arn) {
        return Ok(Tagged::Bus(key));
    }
    if let Some(key) = names::rule_of_arn(arn) {
        return Ok(Tagged::Rule(key));
    }
    Err(Error::invalid(
        "Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.",
    ))
}

/// The tags of the bus or rule that a permission is asked for.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let tags = match tagged(&check.resource) {
        Ok(Tagged::Bus(key)) => BUSES.get(tx, &key)?.map(|bus| bus.tags),
        Ok(Tagged::Rule(key)) => RULES.get(tx, &key)?.map(|rule| rule.tags),
        Err(_) => None,
    };
    Ok(tags.unwrap_or_default().into_iter().collect())
}

fn change(
    tx: &mut WriteTx<'_>,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Error> {
    match tagged(arn)? {
        Tagged::Bus(key) => {
            let mut bus = store::bus(tx, &key)?;
            change(&mut bus.tags);
            refuse_too_many(&bus.tags)?;
            Ok(BUSES.put(tx, &key, &bus)?)
        }
        Tagged::Rule(key) => {
            let mut rule = store::rule(tx, &key)?;
            change(&mut rule.tags);
            refuse_too_many(&rule.tags)?;
            Ok(RULES.put(tx, &key, &rule)?)
        }
    }
}

fn refuse_too_many(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > MOST { Err(Error::LimitExceededException) } else { Ok(()) }
}

/// Adds tags, in place of those with the same keys.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let added = of_list(input.tags)?;
    change(tx, &input.resource_arn, |tags| tags.extend(added))?;
    Ok(TagResourceOutput {})
}

/// Removes the tags with the given keys.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    change(tx, &input.resource_arn, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })?;
    Ok(UntagResourceOutput {})
}

/// Shows the tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let tags = match tagged(&input.resource_arn)? {
        Tagged::Bus(key) => store::bus(tx, &key)?.tags,
        Tagged::Rule(key) => store::rule(tx, &key)?.tags,
    };
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}
