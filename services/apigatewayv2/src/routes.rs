//! Routes.

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::matching;
use crate::model::{
    self, AuthorizationType, CreateRouteInput, CreateRouteOutput, DeleteRouteInput,
    DeleteRouteOutput, GetRouteInput, GetRouteOutput, GetRoutesInput, GetRoutesOutput,
    UpdateRouteInput, UpdateRouteOutput,
};
use crate::store::{self, INTEGRATIONS, ROUTES, Route};

/// Creates a route.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateRouteInput,
) -> Result<CreateRouteOutput, Error> {
    store::api(tx, &input.api_id)?;
    refuse_authorization(input.authorization_type, input.api_key_required)?;
    matching::check_route_key(&input.route_key)?;
    check_unique(tx, &input.api_id, None, &input.route_key)?;
    check_target(tx, &input.api_id, input.target.as_deref())?;
    let route = Route {
        route_key: input.route_key,
        target: input.target,
        operation_name: input.operation_name,
        managed: false,
    };
    let id = tx.ids().lower(7);
    ROUTES.put(tx, &(input.api_id, id.clone()), &route)?;
    store::recast(&shown(&id, route))
}

fn refuse_authorization(
    kind: Option<AuthorizationType>,
    api_key: Option<bool>,
) -> Result<(), Error> {
    if kind.is_some_and(|kind| kind != AuthorizationType::None) {
        return Err(Error::missing("authorization of routes"));
    }
    if api_key == Some(true) {
        return Err(Error::bad("ApiKeyRequired is not currently supported for HTTP APIs"));
    }
    Ok(())
}

fn check_unique(tx: &WriteTx<'_>, api: &str, own: Option<&str>, key: &str) -> Result<(), Error> {
    let routes = store::live_routes(tx, api)?;
    let taken = routes.iter().any(|(id, route)| route.route_key == key && Some(id.as_str()) != own);
    if taken {
        let message = format!("Route with key {key} already exists for this API");
        return Err(Error::ConflictException(message));
    }
    Ok(())
}

fn check_target(tx: &WriteTx<'_>, api: &str, target: Option<&str>) -> Result<(), Error> {
    let Some(target) = target else { return Ok(()) };
    let id = target
        .strip_prefix("integrations/")
        .ok_or_else(|| Error::bad("Invalid target: it must be integrations/INTEGRATION-ID"))?;
    if !INTEGRATIONS.contains(tx, &(api.to_owned(), id.to_owned()))? {
        return Err(store::not_found(tx, "Integration", id));
    }
    Ok(())
}

/// Shows a route.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetRouteInput) -> Result<GetRouteOutput, Error> {
    store::api(tx, &input.api_id)?;
    let found = ROUTES.get(tx, &(input.api_id, input.route_id.clone()))?;
    let route = found.ok_or_else(|| store::not_found(tx, "Route", &input.route_id))?;
    store::recast(&shown(&input.route_id, route))
}

/// Lists an API's routes.
pub(crate) fn list(tx: &ReadTx<'_>, input: GetRoutesInput) -> Result<GetRoutesOutput, Error> {
    store::api(tx, &input.api_id)?;
    let all = store::live_routes(tx, &input.api_id)?.into_iter().collect();
    let (page, next_token) = store::paged(
        all,
        |(id, _): &(String, Route)| id,
        input.max_results.as_deref(),
        input.next_token.as_deref(),
    )?;
    let items = page.into_iter().map(|(id, route)| shown(&id, route)).collect();
    Ok(GetRoutesOutput { items: Some(items), next_token })
}

/// Changes what the input names.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateRouteInput,
) -> Result<UpdateRouteOutput, Error> {
    store::api(tx, &input.api_id)?;
    refuse_authorization(input.authorization_type, input.api_key_required)?;
    let key = (input.api_id, input.route_id);
    let found = ROUTES.get(tx, &key)?;
    let mut route = found.ok_or_else(|| store::not_found(tx, "Route", &key.1))?;
    if let Some(route_key) = input.route_key {
        matching::check_route_key(&route_key)?;
        check_unique(tx, &key.0, Some(&key.1), &route_key)?;
        route.route_key = route_key;
    }
    if input.target.is_some() {
        check_target(tx, &key.0, input.target.as_deref())?;
        route.target = input.target;
    }
    route.operation_name = input.operation_name.or(route.operation_name);
    ROUTES.put(tx, &key, &route)?;
    store::recast(&shown(&key.1, route))
}

/// Deletes a route.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteRouteInput,
) -> Result<DeleteRouteOutput, Error> {
    store::api(tx, &input.api_id)?;
    let key = (input.api_id, input.route_id);
    if !ROUTES.contains(tx, &key)? {
        return Err(store::not_found(tx, "Route", &key.1));
    }
    ROUTES.delete(tx, &key)?;
    Ok(DeleteRouteOutput {})
}

fn shown(id: &str, route: Route) -> model::Route {
    model::Route {
        api_gateway_managed: route.managed.then_some(true),
        api_key_required: Some(false),
        authorization_type: Some(AuthorizationType::None),
        operation_name: route.operation_name,
        route_id: Some(id.to_owned()),
        route_key: Some(route.route_key),
        target: route.target,
        ..model::Route::default()
    }
}
