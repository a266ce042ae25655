//! How asynchronous invocations are handled: retries, ages and destinations.

use fogbank_core::{Arn, ReadTx, Tx, WriteTx, page};

use crate::error::{Error, invalid, unsupported};
use crate::functions::{marker, page_size};
use crate::model::{
    DeleteFunctionEventInvokeConfigInput, DeleteFunctionEventInvokeConfigOutput, DestinationConfig,
    FunctionEventInvokeConfig, GetFunctionEventInvokeConfigInput,
    ListFunctionEventInvokeConfigsInput, ListFunctionEventInvokeConfigsOutput, OnFailure,
    OnSuccess, PutFunctionEventInvokeConfigInput, UpdateFunctionEventInvokeConfigInput,
};
use crate::rules::target::Target;
use crate::store::{self, INVOKE_CONFIGS, InvokeConfig};

/// Sets the configuration; what is not given is AWS's default again.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutFunctionEventInvokeConfigInput,
) -> Result<FunctionEventInvokeConfig, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    let given = Given {
        retries: input.maximum_retry_attempts,
        age: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    set(tx, &target, InvokeConfig::default(), given)
}

/// Changes the configuration; what is not given stays.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateFunctionEventInvokeConfigInput,
) -> Result<FunctionEventInvokeConfig, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    require_existence(tx, &target)?;
    let old = read(tx, &target)?;
    let given = Given {
        retries: input.maximum_retry_attempts,
        age: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    set(tx, &target, old, given)
}

/// Shows the configuration.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetFunctionEventInvokeConfigInput,
) -> Result<FunctionEventInvokeConfig, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    let config = read(tx, &target)?;
    Ok(shown(&target, target.qualifier_or_latest(), &config))
}

/// Lists the configurations of a function and its versions and aliases.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListFunctionEventInvokeConfigsInput,
) -> Result<ListFunctionEventInvokeConfigsOutput, Error> {
    let target = target(tx, &input.function_name, None)?;
    require_existence(tx, &Target { qualifier: None, ..target.clone() })?;
    let after = marker(input.marker.as_deref())?.map(|qualifier| {
        let (account, region, name) = target.key();
        (account.to_owned(), region.to_owned(), name.to_owned(), qualifier)
    });
    let limit = page_size(input.max_items);
    let (rows, more) = INVOKE_CONFIGS.page(tx, &target.key(), after.as_ref(), limit)?;
    let last = rows.last().filter(|_| more).map(|(key, _)| page::text_token(&key.3));
    let configs = rows.iter().map(|(key, config)| shown(&target, &key.3, config)).collect();
    Ok(ListFunctionEventInvokeConfigsOutput {
        function_event_invoke_configs: Some(configs),
        next_marker: last,
    })
}

/// Deletes the configuration.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteFunctionEventInvokeConfigInput,
) -> Result<DeleteFunctionEventInvokeConfigOutput, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    read(tx, &target)?;
    INVOKE_CONFIGS.delete(tx, &store::qualified_key(&target, target.qualifier_or_latest()))?;
    Ok(DeleteFunctionEventInvokeConfigOutput {})
}

/// The members that put and update have in common.
struct Given {
    retries: Option<i32>,
    age: Option<i32>,
    destinations: Option<DestinationConfig>,
}

fn set(
    tx: &mut WriteTx<'_>,
    target: &Target,
    mut config: InvokeConfig,
    given: Given,
) -> Result<FunctionEventInvokeConfig, Error> {
    if given.retries.is_none() && given.age.is_none() && given.destinations.is_none() {
        return Err(invalid(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    require_existence(tx, target)?;
    if let Some(retries) = given.retries {
        config.max_retries = Some(retries.unsigned_abs());
    }
    if let Some(age) = given.age {
        config.max_age_secs = Some(age.unsigned_abs());
    }
    if let Some(destinations) = given.destinations {
        check_destinations(tx, target, &destinations)?;
        let filled = |arn: Option<String>| arn.filter(|arn| !arn.is_empty());
        if let Some(on_success) = destinations.on_success {
            config.on_success = filled(on_success.destination);
        }
        if let Some(on_failure) = destinations.on_failure {
            config.on_failure = filled(on_failure.destination);
        }
    }
    config.last_modified_millis = tx.now().millis();
    let qualifier = target.qualifier_or_latest();
    INVOKE_CONFIGS.put(tx, &store::qualified_key(target, qualifier), &config)?;
    Ok(shown(target, qualifier, &config))
}

fn check_destinations(
    tx: &WriteTx<'_>,
    target: &Target,
    given: &DestinationConfig,
) -> Result<(), Error> {
    let on_success = given.on_success.as_ref().and_then(|it| it.destination.as_deref());
    let on_failure = given.on_failure.as_ref().and_then(|it| it.destination.as_deref());
    for arn in [on_success, on_failure].into_iter().flatten().filter(|arn| !arn.is_empty()) {
        match Arn::parse(arn).map(|arn| arn.service) {
            Some("sqs" | "sns" | "events") => {}
            Some("lambda") => check_function(tx, target, arn)?,
            Some("s3") => return Err(unsupported("buckets as destinations")),
            _ => return Err(invalid(refused(given))),
        }
    }
    Ok(())
}

/// A destination may be another function that exists.
fn check_function(tx: &WriteTx<'_>, target: &Target, arn: &str) -> Result<(), Error> {
    let unknown = || invalid(format!("The destination ARN {arn} is invalid."));
    let destination = Target::of_arn(arn).ok_or_else(unknown)?;
    if destination.key() == target.key() {
        return Err(invalid("You can't specify the function as a destination for itself."));
    }
    if destination.account == target.account
        && !store::FUNCTIONS.contains(tx, &destination.key())?
    {
        return Err(unknown());
    }
    Ok(())
}

/// AWS's own words, which show the members as its server prints them.
fn refused(given: &DestinationConfig) -> String {
    let text = |name: &str, destination: Option<Option<&str>>| match destination {
        None => "null".to_owned(),
        Some(arn) => format!("{name}(destination={})", arn.unwrap_or("null")),
    };
    let on_success = given.on_success.as_ref().map(|it| it.destination.as_deref());
    let on_failure = given.on_failure.as_ref().map(|it| it.destination.as_deref());
    format!(
        "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
        text("OnSuccess", on_success),
        text("OnFailure", on_failure)
    )
}

fn target(tx: &impl Tx, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    Target::parse(name, qualifier, tx.account(), tx.region())
}

fn require_existence(tx: &impl Tx, target: &Target) -> Result<(), Error> {
    let exists = match target.version() {
        Some(number) => store::version(tx, target, number)?.is_some(),
        None => store::alias(tx, target, target.qualifier_or_latest())?.is_some(),
    };
    if exists {
        return Ok(());
    }
    Err(Error::ResourceNotFoundException("The function doesn't exist.".to_owned()))
}

fn read(tx: &impl Tx, target: &Target) -> Result<InvokeConfig, Error> {
    let qualifier = target.qualifier_or_latest();
    let config = INVOKE_CONFIGS.get(tx, &store::qualified_key(target, qualifier))?;
    config.ok_or_else(|| {
        Error::ResourceNotFoundException(format!(
            "The function {} doesn't have an EventInvokeConfig",
            target.arn_with(qualifier)
        ))
    })
}

fn shown(target: &Target, qualifier: &str, config: &InvokeConfig) -> FunctionEventInvokeConfig {
    let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    FunctionEventInvokeConfig {
        last_modified: Some(fogbank_core::Timestamp::from_millis(config.last_modified_millis)),
        function_arn: Some(target.arn_with(qualifier)),
        maximum_retry_attempts: number(config.max_retries),
        maximum_event_age_in_seconds: number(config.max_age_secs),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess { destination: config.on_success.clone() }),
            on_failure: Some(OnFailure { destination: config.on_failure.clone() }),
        }),
    }
}
