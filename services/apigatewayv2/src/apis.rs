//! APIs.

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    self, CreateApiInput, CreateApiOutput, DeleteApiInput, DeleteApiOutput, GetApiInput,
    GetApiOutput, GetApisInput, GetApisOutput, IpAddressType, ProtocolType, UpdateApiInput,
    UpdateApiOutput,
};
use crate::store::{
    self, APIS, Api, Cors, DEPLOYMENTS, INTEGRATIONS, OWNED, ROUTES, Route, STAGES, Stage,
};
use crate::{integrations, matching};

/// Creates an API; with a target also its integration, route and `$default` stage.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateApiInput,
) -> Result<CreateApiOutput, Error> {
    if input.protocol_type == ProtocolType::Websocket {
        return Err(Error::missing("WebSocket APIs"));
    }
    if input.credentials_arn.is_some() {
        return Err(Error::missing("credentials of integrations"));
    }
    let id = tx.ids().lower(10);
    let api = Api {
        account: tx.account().to_owned(),
        region: tx.region().to_owned(),
        name: input.name,
        description: input.description,
        version: input.version,
        cors: input.cors_configuration.map(cors_row),
        disable_execute_api_endpoint: input.disable_execute_api_endpoint.unwrap_or_default(),
        created_millis: tx.now().millis(),
        tags: input.tags.unwrap_or_default(),
    };
    APIS.put(tx, &id, &api)?;
    OWNED.put(tx, &(api.account.clone(), api.region.clone(), id.clone()), &())?;
    if let Some(target) = input.target {
        quick_create(tx, &id, &target, input.route_key.as_deref().unwrap_or("$default"))?;
    } else if input.route_key.is_some() {
        return Err(Error::bad("A route key can only be given together with a target"));
    }
    store::recast(&shown(tx, &id, api))
}

fn quick_create(
    tx: &mut WriteTx<'_>,
    api: &str,
    target: &str,
    route_key: &str,
) -> Result<(), Error> {
    matching::check_route_key(route_key)?;
    let now = tx.now().millis();
    let integration = integrations::quick(target)?;
    let integration_id = tx.ids().lower(7);
    INTEGRATIONS.put(tx, &(api.to_owned(), integration_id.clone()), &integration)?;
    let route = Route {
        route_key: route_key.to_owned(),
        target: Some(format!("integrations/{integration_id}")),
        operation_name: None,
        managed: true,
    };
    let route_id = tx.ids().lower(7);
    ROUTES.put(tx, &(api.to_owned(), route_id), &route)?;
    let stage = Stage {
        description: None,
        auto_deploy: true,
        deployment_id: None,
        variables: BTreeMap::new(),
        created_millis: now,
        updated_millis: now,
        tags: BTreeMap::new(),
        managed: true,
    };
    Ok(STAGES.put(tx, &(api.to_owned(), "$default".to_owned()), &stage)?)
}

/// Shows an API.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetApiInput) -> Result<GetApiOutput, Error> {
    let api = store::api(tx, &input.api_id)?;
    store::recast(&shown(tx, &input.api_id, api))
}

/// Lists the APIs of the account and region.
pub(crate) fn list(tx: &ReadTx<'_>, input: GetApisInput) -> Result<GetApisOutput, Error> {
    let place = (tx.account().to_owned(), tx.region().to_owned());
    let ids: Vec<String> = OWNED.range(&place).keys(tx)?.into_iter().map(|(_, _, id)| id).collect();
    let (ids, next_token) = store::paged(
        ids,
        String::as_str,
        input.max_results.as_deref(),
        input.next_token.as_deref(),
    )?;
    let mut items = Vec::new();
    for id in ids {
        let api = store::api(tx, &id)?;
        items.push(shown(tx, &id, api));
    }
    Ok(GetApisOutput { items: Some(items), next_token })
}

/// Changes what the input names.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateApiInput,
) -> Result<UpdateApiOutput, Error> {
    let mut api = store::api(tx, &input.api_id)?;
    if input.target.is_some() || input.route_key.is_some() || input.credentials_arn.is_some() {
        return Err(Error::missing("UpdateApi of quick-created parts"));
    }
    if let Some(name) = input.name {
        api.name = name;
    }
    api.description = input.description.or(api.description);
    api.version = input.version.or(api.version);
    if let Some(cors) = input.cors_configuration {
        api.cors = Some(cors_row(cors));
    }
    if let Some(disable) = input.disable_execute_api_endpoint {
        api.disable_execute_api_endpoint = disable;
    }
    APIS.put(tx, &input.api_id, &api)?;
    store::recast(&shown(tx, &input.api_id, api))
}

/// Deletes an API with all that belongs to it.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteApiInput,
) -> Result<DeleteApiOutput, Error> {
    let api = store::api(tx, &input.api_id)?;
    remove(tx, &input.api_id, &api)?;
    Ok(DeleteApiOutput {})
}

/// Removes an API with all that belongs to it.
pub(crate) fn remove(tx: &mut WriteTx<'_>, id: &String, api: &Api) -> Result<(), Error> {
    let own = (id,);
    INTEGRATIONS.delete_all(tx, &own)?;
    ROUTES.delete_all(tx, &own)?;
    STAGES.delete_all(tx, &own)?;
    DEPLOYMENTS.delete_all(tx, &own)?;
    OWNED.delete(tx, &(&api.account, &api.region, id))?;
    Ok(APIS.delete(tx, id)?)
}

fn shown(tx: &impl Tx, id: &str, api: Api) -> model::Api {
    model::Api {
        api_endpoint: Some(format!("{}/_aws/execute-api/{id}", tx.request().endpoint.url())),
        api_id: Some(id.to_owned()),
        api_key_selection_expression: Some("$request.header.x-api-key".to_owned()),
        cors_configuration: api.cors.map(cors_shown),
        created_date: Some(Timestamp::from_millis(api.created_millis)),
        description: api.description,
        disable_execute_api_endpoint: Some(api.disable_execute_api_endpoint),
        ip_address_type: Some(IpAddressType::Ipv4),
        name: Some(api.name),
        protocol_type: Some(ProtocolType::Http),
        route_selection_expression: Some("$request.method $request.path".to_owned()),
        tags: Some(api.tags),
        version: api.version,
        ..model::Api::default()
    }
}

fn cors_row(cors: model::Cors) -> Cors {
    Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age_secs: cors.max_age,
    }
}

fn cors_shown(cors: Cors) -> model::Cors {
    model::Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age: cors.max_age_secs,
    }
}
