//! Rows: APIs and what belongs to them.

use std::collections::BTreeMap;

use fogbank_core::store::{Read, Table, TableLabel, row};
use fogbank_core::wire::{self, Struct};
use fogbank_core::{Fault, Tx, page};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Every API by its id, which is unique in the whole cloud: data planes know nothing else.
pub(crate) static APIS: Table<String, Api> = Table::new("apigatewayv2.apis", 0x0701);
/// Account, region, API: for listings.
pub(crate) static OWNED: Table<(String, String, String), ()> =
    Table::new("apigatewayv2.owned", 0x0702);
/// API, integration.
pub(crate) static INTEGRATIONS: Table<(String, String), Integration> =
    Table::new("apigatewayv2.integrations", 0x0703);
/// API, route.
pub(crate) static ROUTES: Table<(String, String), Route> =
    Table::new("apigatewayv2.routes", 0x0704);
/// API, stage.
pub(crate) static STAGES: Table<(String, String), Stage> =
    Table::new("apigatewayv2.stages", 0x0705);
/// API, deployment.
pub(crate) static DEPLOYMENTS: Table<(String, String), Deployment> =
    Table::new("apigatewayv2.deployments", 0x0706);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    APIS.label(),
    OWNED.label(),
    INTEGRATIONS.label(),
    ROUTES.label(),
    STAGES.label(),
    DEPLOYMENTS.label(),
];

/// An API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Api {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) cors: Option<Cors>,
    pub(crate) disable_execute_api_endpoint: bool,
    pub(crate) created_millis: i64,
    pub(crate) tags: BTreeMap<String, String>,
}

row!(Api, 1);

/// What browsers of other origins may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cors {
    pub(crate) allow_credentials: Option<bool>,
    pub(crate) allow_headers: Option<Vec<String>>,
    pub(crate) allow_methods: Option<Vec<String>>,
    pub(crate) allow_origins: Option<Vec<String>>,
    pub(crate) expose_headers: Option<Vec<String>>,
    pub(crate) max_age_secs: Option<i32>,
}

/// What a route points at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Integration {
    /// `AWS_PROXY` or `HTTP_PROXY`.
    pub(crate) integration_type: String,
    pub(crate) uri: String,
    pub(crate) method: Option<String>,
    /// `1.0` or `2.0`.
    pub(crate) payload_format_version: String,
    pub(crate) timeout_millis: i32,
    pub(crate) description: Option<String>,
    /// Whether quick create made it.
    pub(crate) managed: bool,
}

row!(Integration, 1);

/// A method and path with their integration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) route_key: String,
    /// `integrations/ID`
    pub(crate) target: Option<String>,
    pub(crate) operation_name: Option<String>,
    pub(crate) managed: bool,
}

row!(Route, 1);

/// A published API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) description: Option<String>,
    pub(crate) auto_deploy: bool,
    pub(crate) deployment_id: Option<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) created_millis: i64,
    pub(crate) updated_millis: i64,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) managed: bool,
}

row!(Stage, 1);

/// Routes and integrations as they were at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) description: Option<String>,
    pub(crate) created_millis: i64,
    pub(crate) auto_deployed: bool,
    pub(crate) routes: BTreeMap<String, Route>,
    pub(crate) integrations: BTreeMap<String, Integration>,
}

row!(Deployment, 1);

/// An API of the caller's account and region, or AWS's error.
pub(crate) fn api(tx: &impl Tx, id: &str) -> Result<Api, Error> {
    let found = APIS.get(tx, &id.to_owned())?;
    found
        .filter(|api| api.account == tx.account() && api.region == tx.region())
        .ok_or_else(|| not_found(tx, "API", id))
}

/// AWS names the account in front of the id.
pub(crate) fn not_found(tx: &impl Tx, noun: &'static str, id: &str) -> Error {
    Error::NotFoundException(noun, format!("{}:{id}", tx.account()))
}

/// The routes of an API as they are now.
pub(crate) fn live_routes(
    rows: &(impl Read + ?Sized),
    api: &str,
) -> Result<BTreeMap<String, Route>, Error> {
    let routes = ROUTES.list(rows, &(api.to_owned(),))?;
    Ok(routes.into_iter().map(|((_, id), route)| (id, route)).collect())
}

/// The integrations of an API as they are now.
pub(crate) fn live_integrations(
    rows: &(impl Read + ?Sized),
    api: &str,
) -> Result<BTreeMap<String, Integration>, Error> {
    let integrations = INTEGRATIONS.list(rows, &(api.to_owned(),))?;
    Ok(integrations.into_iter().map(|((_, id), integration)| (id, integration)).collect())
}

/// The same members in another structure: the model has one for each of Create, Get and Update.
pub(crate) fn recast<T: Struct + Default>(from: &dyn Struct) -> Result<T, Error> {
    let mut into = T::default();
    wire::from_json(&wire::to_json(from), &mut into)
        .map_err(|rejection| Error::Fault(Fault::internal(rejection)))?;
    Ok(into)
}

/// One page of `items`, which are sorted by the key that `key_of` tells, and the token of the next.
pub(crate) fn paged<T>(
    items: Vec<T>,
    key_of: impl Fn(&T) -> &str,
    max_results: Option<&str>,
    next_token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let limit = match max_results {
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|limit| (1..=500).contains(limit))
            .ok_or_else(|| Error::bad("Invalid maxResults value specified"))?,
        None => 500,
    };
    let after = match next_token {
        Some(token) => Some(
            page::parse_text(token)
                .ok_or_else(|| Error::bad("Invalid nextToken value specified"))?,
        ),
        None => None,
    };
    let mut rest: Vec<T> = items
        .into_iter()
        .filter(|item| after.as_deref().is_none_or(|after| key_of(item) > after))
        .collect();
    let more = rest.len() > limit;
    rest.truncate(limit);
    let token = rest.last().filter(|_| more).map(|item| page::text_token(key_of(item)));
    Ok((rest, token))
}
