//! API destinations: HTTP endpoints as targets.

use fogbank_core::store::Read;
use fogbank_core::wire::Timestamp;
use fogbank_core::{Arn, ReadTx, Tx, WriteTx};

use crate::connections;
use crate::error::Error;
use crate::model::{
    ApiDestination, ApiDestinationHttpMethod, CreateApiDestinationInput,
    CreateApiDestinationOutput, DeleteApiDestinationInput, DeleteApiDestinationOutput,
    DescribeApiDestinationInput, DescribeApiDestinationOutput, ListApiDestinationsInput,
    ListApiDestinationsOutput, UpdateApiDestinationInput, UpdateApiDestinationOutput,
};
use crate::pages;
use crate::rules::names::{self, NamedKey};
use crate::store::{self, CONNECTIONS, Connection, DESTINATIONS};

/// How many destinations an account may have in a region.
const MOST: usize = 3_000;
/// How many requests a second AWS makes if it is not told.
const RATE_LIMIT: i32 = 300;

fn key_of(tx: &impl Tx, name: &str) -> NamedKey {
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

/// A destination's ARN.
pub(crate) fn arn(key: &NamedKey, destination: &store::ApiDestination) -> String {
    format!("{}/{}", names::named_arn("api-destination", key), destination.id)
}

fn find(tx: &impl Tx, key: &NamedKey) -> Result<store::ApiDestination, Error> {
    let missing = || {
        let message = format!("An api-destination '{}' does not exist.", key.2);
        Error::ResourceNotFoundException(message)
    };
    DESTINATIONS.get(tx, key)?.ok_or_else(missing)
}

/// The connection with an ARN.
pub(crate) fn connection(
    tx: &(impl Read + ?Sized),
    text: &str,
) -> Result<(NamedKey, Connection), Error> {
    let (key, id) = named(text, "connection").ok_or_else(|| connections::missing(text))?;
    let connection = CONNECTIONS.get(tx, &key)?.filter(|connection| connection.id == id);
    match connection {
        Some(connection) => Ok((key, connection)),
        None => Err(connections::missing(&key.2)),
    }
}

/// The destination with an ARN.
pub(crate) fn of_arn(
    tx: &(impl Read + ?Sized),
    text: &str,
) -> Result<Option<store::ApiDestination>, Error> {
    let Some((key, id)) = named(text, "api-destination") else { return Ok(None) };
    Ok(DESTINATIONS.get(tx, &key)?.filter(|destination| destination.id == id))
}

/// Key and id in an ARN of the form `…:KIND/NAME/ID`.
fn named<'a>(text: &'a str, kind: &str) -> Option<(NamedKey, &'a str)> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "events")?;
    let (name, id) = arn.resource.strip_prefix(kind)?.strip_prefix('/')?.split_once('/')?;
    Some(((arn.account.to_owned(), arn.region.to_owned(), name.to_owned()), id))
}

/// A destination can be used as long as its connection can.
fn state(tx: &impl Tx, destination: &store::ApiDestination) -> String {
    let connection = connection(tx, &destination.connection_arn);
    let is_active = connection.is_ok_and(|(_, it)| it.state == connections::AUTHORIZED);
    if is_active { "ACTIVE".to_owned() } else { "INACTIVE".to_owned() }
}

/// Makes a destination.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateApiDestinationInput,
) -> Result<CreateApiDestinationOutput, Error> {
    let key = key_of(tx, &input.name);
    if DESTINATIONS.contains(tx, &key)? {
        let message = format!("An api-destination '{}' already exists.", key.2);
        return Err(Error::ResourceAlreadyExistsException(message));
    }
    connection(tx, &input.connection_arn)?;
    if DESTINATIONS.range(&(&key.0, &key.1)).limit(MOST).count(tx)? >= MOST {
        return Err(Error::LimitExceededException);
    }
    check_endpoint(&input.invocation_endpoint)?;
    let now = tx.now().millis();
    let destination = store::ApiDestination {
        id: tx.ids().uuid(),
        description: input.description,
        connection_arn: input.connection_arn,
        endpoint: input.invocation_endpoint,
        method: input.http_method.as_str().to_owned(),
        rate_limit: input.invocation_rate_limit_per_second.unwrap_or(RATE_LIMIT),
        created_millis: now,
        modified_millis: now,
    };
    DESTINATIONS.put(tx, &key, &destination)?;
    Ok(CreateApiDestinationOutput {
        api_destination_arn: Some(arn(&key, &destination)),
        api_destination_state: Some(state(tx, &destination)),
        creation_time: Some(Timestamp::from_millis(now)),
        last_modified_time: Some(Timestamp::from_millis(now)),
    })
}

/// AWS wants HTTPS. What runs on this machine or in its network has no certificate, so HTTP is taken as well.
fn check_endpoint(endpoint: &str) -> Result<(), Error> {
    let has_host = endpoint
        .strip_prefix("https://")
        .or_else(|| endpoint.strip_prefix("http://"))
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '*']));
    match has_host && endpoint.replace('*', "x").parse::<http::Uri>().is_ok() {
        true => Ok(()),
        // AWS's words are not known.
        false => Err(Error::invalid("Parameter InvocationEndpoint is not valid.")),
    }
}

/// Shows a destination.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeApiDestinationInput,
) -> Result<DescribeApiDestinationOutput, Error> {
    let key = key_of(tx, &input.name);
    let destination = find(tx, &key)?;
    Ok(DescribeApiDestinationOutput {
        api_destination_arn: Some(arn(&key, &destination)),
        name: Some(key.2),
        api_destination_state: Some(state(tx, &destination)),
        description: destination.description,
        connection_arn: Some(destination.connection_arn),
        invocation_endpoint: Some(destination.endpoint),
        http_method: ApiDestinationHttpMethod::from_name(&destination.method),
        invocation_rate_limit_per_second: Some(destination.rate_limit),
        creation_time: Some(Timestamp::from_millis(destination.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(destination.modified_millis)),
    })
}

/// Lists destinations by name.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListApiDestinationsInput,
) -> Result<ListApiDestinationsOutput, Error> {
    let mut destinations = DESTINATIONS.list(tx, &(tx.account(), tx.region()))?;
    destinations.retain(|(key, destination)| {
        input.name_prefix.as_ref().is_none_or(|prefix| key.2.starts_with(prefix))
            && input.connection_arn.as_ref().is_none_or(|arn| destination.connection_arn == *arn)
    });
    let (page, next_token) =
        pages::of(destinations, |(key, _)| &key.2, input.next_token.as_deref(), input.limit)?;
    let shown = |(key, destination): (NamedKey, store::ApiDestination)| ApiDestination {
        api_destination_arn: Some(arn(&key, &destination)),
        name: Some(key.2),
        api_destination_state: Some(state(tx, &destination)),
        connection_arn: Some(destination.connection_arn),
        invocation_endpoint: Some(destination.endpoint),
        http_method: ApiDestinationHttpMethod::from_name(&destination.method),
        invocation_rate_limit_per_second: Some(destination.rate_limit),
        creation_time: Some(Timestamp::from_millis(destination.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(destination.modified_millis)),
    };
    let api_destinations = Some(page.into_iter().map(shown).collect());
    Ok(ListApiDestinationsOutput { api_destinations, next_token })
}

/// Changes a destination; what is not named stays.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateApiDestinationInput,
) -> Result<UpdateApiDestinationOutput, Error> {
    let key = key_of(tx, &input.name);
    let mut destination = find(tx, &key)?;
    if let Some(arn) = input.connection_arn {
        connection(tx, &arn)?;
        destination.connection_arn = arn;
    }
    if let Some(endpoint) = input.invocation_endpoint {
        check_endpoint(&endpoint)?;
        destination.endpoint = endpoint;
    }
    if let Some(method) = input.http_method {
        method.as_str().clone_into(&mut destination.method);
    }
    destination.description = input.description.or(destination.description);
    destination.rate_limit =
        input.invocation_rate_limit_per_second.unwrap_or(destination.rate_limit);
    destination.modified_millis = tx.now().millis();
    DESTINATIONS.put(tx, &key, &destination)?;
    Ok(UpdateApiDestinationOutput {
        api_destination_arn: Some(arn(&key, &destination)),
        api_destination_state: Some(state(tx, &destination)),
        creation_time: Some(Timestamp::from_millis(destination.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(destination.modified_millis)),
    })
}

/// Removes a destination.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteApiDestinationInput,
) -> Result<DeleteApiDestinationOutput, Error> {
    let key = key_of(tx, &input.name);
    find(tx, &key)?;
    DESTINATIONS.delete(tx, &key)?;
    Ok(DeleteApiDestinationOutput {})
}
