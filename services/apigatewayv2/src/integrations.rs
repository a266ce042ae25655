//! Integrations: what routes point at.

use fogbank_core::{Arn, ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    self, ConnectionType, CreateIntegrationInput, CreateIntegrationOutput, DeleteIntegrationInput,
    DeleteIntegrationOutput, GetIntegrationInput, GetIntegrationOutput, GetIntegrationsInput,
    GetIntegrationsOutput, IntegrationType, UpdateIntegrationInput, UpdateIntegrationOutput,
};
use crate::store::{self, INTEGRATIONS, Integration};

/// How long an integration may take at most, in milliseconds.
const LONGEST_MILLIS: i32 = 30_000;

/// Creates an integration.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateIntegrationInput,
) -> Result<CreateIntegrationOutput, Error> {
    store::api(tx, &input.api_id)?;
    refuse_unknown_parts(&input)?;
    let integration = Integration {
        integration_type: input.integration_type.as_str().to_owned(),
        uri: input.integration_uri.unwrap_or_default(),
        method: input.integration_method,
        payload_format_version: input.payload_format_version.unwrap_or("1.0".to_owned()),
        timeout_millis: input.timeout_in_millis.unwrap_or(LONGEST_MILLIS),
        description: input.description,
        managed: false,
    };
    check(&integration)?;
    let id = tx.ids().lower(7);
    INTEGRATIONS.put(tx, &(input.api_id, id.clone()), &integration)?;
    store::recast(&shown(&id, integration))
}

fn refuse_unknown_parts(input: &CreateIntegrationInput) -> Result<(), Error> {
    let unknown = [
        (input.connection_type == Some(ConnectionType::VpcLink), "private integrations"),
        (input.connection_id.is_some(), "private integrations"),
        (input.credentials_arn.is_some(), "credentials of integrations"),
        (input.integration_subtype.is_some(), "integrations with AWS services"),
        (input.request_parameters.is_some(), "parameter mapping"),
        (input.response_parameters.is_some(), "parameter mapping"),
        (input.tls_config.is_some(), "TLS settings of integrations"),
    ];
    match unknown.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, what)) => Err(Error::missing(what)),
        None => Ok(()),
    }
}

/// The integration that quick create makes of a target.
pub(crate) fn quick(target: &str) -> Result<Integration, Error> {
    let is_function = target.starts_with("arn:");
    let integration = Integration {
        integration_type: if is_function { "AWS_PROXY" } else { "HTTP_PROXY" }.to_owned(),
        uri: target.to_owned(),
        method: (!is_function).then(|| "ANY".to_owned()),
        payload_format_version: if is_function { "2.0" } else { "1.0" }.to_owned(),
        timeout_millis: LONGEST_MILLIS,
        description: None,
        managed: true,
    };
    check(&integration)?;
    Ok(integration)
}

fn check(integration: &Integration) -> Result<(), Error> {
    if !(50..=LONGEST_MILLIS).contains(&integration.timeout_millis) {
        return Err(Error::bad("Timeout should be between 50 ms and 30000 ms"));
    }
    if !matches!(integration.payload_format_version.as_str(), "1.0" | "2.0") {
        return Err(Error::bad("PayloadFormatVersion must be one of 1.0, 2.0"));
    }
    match integration.integration_type.as_str() {
        "AWS_PROXY" => match function_arn(&integration.uri) {
            Some(_) => Ok(()),
            None => Err(Error::bad(
                "For AWS_PROXY integrations, the integration URI should be a valid Lambda \
                 function ARN",
            )),
        },
        "HTTP_PROXY" if integration.uri.starts_with("https://") => {
            Err(Error::missing("HTTPS backends"))
        }
        "HTTP_PROXY" if !integration.uri.starts_with("http://") => {
            Err(Error::bad("Invalid HTTP endpoint specified for URI"))
        }
        "HTTP_PROXY" if integration.method.is_none() => {
            Err(Error::bad("HttpMethod must be specified for HTTP_PROXY integrations"))
        }
        "HTTP_PROXY" => Ok(()),
        _ => Err(Error::bad("HTTP APIs only support AWS_PROXY and HTTP_PROXY integrations")),
    }
}

/// The function's ARN in an integration's URI, which is that ARN or wraps it.
pub(crate) fn function_arn(uri: &str) -> Option<&str> {
    let arn = match uri.split_once(":lambda:path/2015-03-31/functions/") {
        Some((_, wrapped)) => wrapped.strip_suffix("/invocations")?,
        None => uri,
    };
    let parsed = Arn::parse(arn)?;
    (parsed.service == "lambda" && parsed.resource.starts_with("function:")).then_some(arn)
}

/// Shows an integration.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetIntegrationInput,
) -> Result<GetIntegrationOutput, Error> {
    store::api(tx, &input.api_id)?;
    let found = INTEGRATIONS.get(tx, &(input.api_id, input.integration_id.clone()))?;
    let integration =
        found.ok_or_else(|| store::not_found(tx, "Integration", &input.integration_id))?;
    store::recast(&shown(&input.integration_id, integration))
}

/// Lists an API's integrations.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: GetIntegrationsInput,
) -> Result<GetIntegrationsOutput, Error> {
    store::api(tx, &input.api_id)?;
    let all = store::live_integrations(tx, &input.api_id)?.into_iter().collect();
    let (page, next_token) = store::paged(
        all,
        |(id, _): &(String, Integration)| id,
        input.max_results.as_deref(),
        input.next_token.as_deref(),
    )?;
    let items = page.into_iter().map(|(id, integration)| shown(&id, integration)).collect();
    Ok(GetIntegrationsOutput { items: Some(items), next_token })
}

/// Changes what the input names.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateIntegrationInput,
) -> Result<UpdateIntegrationOutput, Error> {
    store::api(tx, &input.api_id)?;
    let key = (input.api_id, input.integration_id);
    let found = INTEGRATIONS.get(tx, &key)?;
    let mut integration = found.ok_or_else(|| store::not_found(tx, "Integration", &key.1))?;
    if input.request_parameters.is_some() || input.response_parameters.is_some() {
        return Err(Error::missing("parameter mapping"));
    }
    if let Some(integration_type) = input.integration_type {
        integration.integration_type = integration_type.as_str().to_owned();
    }
    if let Some(uri) = input.integration_uri {
        integration.uri = uri;
    }
    if let Some(version) = input.payload_format_version {
        integration.payload_format_version = version;
    }
    if let Some(millis) = input.timeout_in_millis {
        integration.timeout_millis = millis;
    }
    integration.method = input.integration_method.or(integration.method);
    integration.description = input.description.or(integration.description);
    check(&integration)?;
    INTEGRATIONS.put(tx, &key, &integration)?;
    store::recast(&shown(&key.1, integration))
}

/// Deletes an integration that no route points at.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteIntegrationInput,
) -> Result<DeleteIntegrationOutput, Error> {
    store::api(tx, &input.api_id)?;
    let key = (input.api_id, input.integration_id);
    if !INTEGRATIONS.contains(tx, &key)? {
        return Err(store::not_found(tx, "Integration", &key.1));
    }
    let target = format!("integrations/{}", key.1);
    let routes = store::live_routes(tx, &key.0)?;
    if routes.values().any(|route| route.target.as_ref() == Some(&target)) {
        let message = format!("Cannot delete Integration '{}'. It is referenced by a route", key.1);
        return Err(Error::ConflictException(message));
    }
    INTEGRATIONS.delete(tx, &key)?;
    Ok(DeleteIntegrationOutput {})
}

fn shown(id: &str, integration: Integration) -> model::Integration {
    model::Integration {
        api_gateway_managed: integration.managed.then_some(true),
        connection_type: Some(ConnectionType::Internet),
        description: integration.description,
        integration_id: Some(id.to_owned()),
        integration_method: integration.method,
        integration_type: IntegrationType::from_name(&integration.integration_type),
        integration_uri: Some(integration.uri),
        payload_format_version: Some(integration.payload_format_version),
        timeout_in_millis: Some(integration.timeout_millis),
        ..model::Integration::default()
    }
}
