//! Aliases: names for versions, which can be moved.

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::{Error, function_not_found, invalid};
use crate::functions::{marker, page_size, require_revision};
use crate::model::{
    AliasConfiguration, AliasRoutingConfiguration, CreateAliasInput, DeleteAliasInput,
    DeleteAliasOutput, GetAliasInput, ListAliasesInput, ListAliasesOutput, UpdateAliasInput,
};
use crate::rules::target::{Target, version_name, version_number};
use crate::store::{self, ALIASES, Alias, INVOKE_CONFIGS, POLICIES};

/// Creates an alias.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAliasInput,
) -> Result<AliasConfiguration, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    let alias = Alias {
        version: version(tx, &target, &input.function_version)?,
        description: input.description.unwrap_or_default(),
        also: None,
        revision_id: store::revision(tx),
    };
    let alias = routed(tx, &target, alias, input.routing_config)?;
    let key = store::qualified_key(&target, &input.name);
    if ALIASES.contains(tx, &key)? {
        return Err(Error::ResourceConflictException(format!(
            "Alias already exists: {}",
            target.arn_with(&input.name)
        )));
    }
    ALIASES.put(tx, &key, &alias)?;
    Ok(shown(&target, &input.name, &alias))
}

/// Describes an alias.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetAliasInput) -> Result<AliasConfiguration, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    let alias = store::alias(tx, &target, &input.name)?;
    let alias = alias.ok_or_else(|| cannot_find(&target.arn_with(&input.name)))?;
    Ok(shown(&target, &input.name, &alias))
}

/// Lists the aliases of a function, or of a version of it.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListAliasesInput) -> Result<ListAliasesOutput, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    store::function(tx, &target)?;
    let version = input.function_version.as_deref().and_then(version_number);
    let limit = page_size(input.max_items);
    let mut after = marker(input.marker.as_deref())?.map(|name| {
        let (account, region, function) = target.key();
        (account.to_owned(), region.to_owned(), function.to_owned(), name)
    });
    let mut aliases = Vec::new();
    let next = loop {
        let (rows, more) = ALIASES.page(tx, &target.key(), after.as_ref(), limit)?;
        for (key, alias) in rows {
            let is_meant = version.is_none_or(|it| {
                alias.version == it || alias.also.is_some_and(|also| also.0 == it)
            });
            if is_meant && aliases.len() < limit {
                aliases.push(shown(&target, &key.3, &alias));
            } else if is_meant {
                // The page is full: the next begins after the alias before this one.
                return Ok(ListAliasesOutput {
                    next_marker: after.map(|key| page::text_token(&key.3)),
                    aliases: Some(aliases),
                });
            }
            after = Some(key);
        }
        if !more {
            break None;
        }
        if aliases.len() == limit {
            break after.map(|key| page::text_token(&key.3));
        }
    };
    Ok(ListAliasesOutput { next_marker: next, aliases: Some(aliases) })
}

/// Moves an alias, or changes its description.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateAliasInput,
) -> Result<AliasConfiguration, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    let Some(mut alias) = store::alias(tx, &target, &input.name)? else {
        return Err(Error::ResourceNotFoundException(format!(
            "Alias not found: {}",
            target.arn_with(&input.name)
        )));
    };
    require_revision(input.revision_id.as_deref(), &alias.revision_id)?;
    if let Some(name) = &input.function_version {
        alias.version = version(tx, &target, name)?;
    }
    if let Some(description) = input.description {
        alias.description = description;
    }
    if input.routing_config.is_some() {
        alias.also = None;
    }
    alias.revision_id = store::revision(tx);
    let alias = routed(tx, &target, alias, input.routing_config)?;
    ALIASES.put(tx, &store::qualified_key(&target, &input.name), &alias)?;
    Ok(shown(&target, &input.name, &alias))
}

/// Deletes an alias; one that does not exist is deleted already.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAliasInput,
) -> Result<DeleteAliasOutput, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    store::function(tx, &target)?;
    let key = store::qualified_key(&target, &input.name);
    ALIASES.delete(tx, &key)?;
    POLICIES.delete(tx, &key)?;
    INVOKE_CONFIGS.delete(tx, &key)?;
    Ok(DeleteAliasOutput {})
}

/// The error that there is no alias with this ARN.
pub(crate) fn cannot_find(arn: &str) -> Error {
    Error::ResourceNotFoundException(format!("Cannot find alias arn: {arn}"))
}

/// A version that exists.
fn version(tx: &WriteTx<'_>, target: &Target, name: &str) -> Result<u64, Error> {
    let missing = || function_not_found(&target.arn_with(name));
    let number = version_number(name).ok_or_else(missing)?;
    store::version(tx, target, number)?.map(|_| number).ok_or_else(missing)
}

/// The alias with a second version.
fn routed(
    tx: &WriteTx<'_>,
    target: &Target,
    mut alias: Alias,
    routing: Option<AliasRoutingConfiguration>,
) -> Result<Alias, Error> {
    let weights = routing.and_then(|routing| routing.additional_version_weights);
    let weights = weights.unwrap_or_default();
    if weights.len() > 1 {
        return Err(invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let Some((name, weight)) = weights.into_iter().next() else {
        return Ok(alias);
    };
    if alias.version == 0 {
        return Err(invalid(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    let also = version(tx, target, &name)?;
    if also == alias.version {
        return Err(invalid(format!(
            "Invalid function version {name}. Function version {name} is already included in routing configuration."
        )));
    }
    alias.also = Some((also, weight));
    Ok(alias)
}

fn shown(target: &Target, name: &str, alias: &Alias) -> AliasConfiguration {
    let weights = alias.also.map(|(version, weight)| AliasRoutingConfiguration {
        additional_version_weights: Some(BTreeMap::from([(version.to_string(), weight)])),
    });
    AliasConfiguration {
        alias_arn: Some(target.arn_with(name)),
        name: Some(name.to_owned()),
        function_version: Some(version_name(alias.version)),
        description: Some(alias.description.clone()),
        routing_config: weights,
        revision_id: Some(alias.revision_id.clone()),
    }
}
