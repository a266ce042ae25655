//! The data plane: requests to APIs, from the stage to the integration and back.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::{Body, Cloud, Cx, Fault, HttpRequest, HttpResponse, Principal, arn, tracing};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use serde_json::json;

use crate::error::Error;
use crate::event::{self, Incoming};
use crate::store::{self, APIS, Api, Cors, DEPLOYMENTS, Integration, Route, STAGES, Stage};
use crate::{integrations, matching, response};

/// Where APIs are reached without any DNS.
const PATH: &str = "/_aws/execute-api/";
/// The largest body of a request, in bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Whether a request is for an API.
pub(crate) fn claims(parts: &Parts, _: &Cloud) -> bool {
    parts.uri.path().starts_with(PATH) || api_of_host(host(parts)).is_some()
}

/// Serves a request.
pub(crate) async fn serve(cx: Cx, request: HttpRequest) -> HttpResponse {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut answer = match answer(&cx, request).await {
        Ok(answer) => answer,
        Err(Refusal::Message(status, text)) => response::message(status, text),
        Err(Refusal::Ours(fault)) => {
            tracing::error!(?fault, id = cx.request().id, "an API failed");
            response::message(500, "Internal Server Error")
        }
    };
    let cors = answer.extensions_mut().remove::<Option<Cors>>().flatten();
    if let (Some(cors), Some(origin)) = (cors, origin) {
        allow_origin(&cors, &origin, &mut answer);
    }
    if let Ok(id) = HeaderValue::from_str(&cx.request().id) {
        answer.headers_mut().insert("apigw-requestid", id);
    }
    answer
}

enum Refusal {
    Message(u16, &'static str),
    Ours(Fault),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Ours(error.into())
    }
}

impl From<fogbank_core::store::Error> for Refusal {
    fn from(error: fogbank_core::store::Error) -> Refusal {
        Refusal::Ours(error.into())
    }
}

const NOT_FOUND: Refusal = Refusal::Message(404, "Not Found");

/// What a request reaches.
struct Target {
    api_id: String,
    api: Api,
    stage_name: String,
    stage: Stage,
    routes: BTreeMap<String, Route>,
    integrations: BTreeMap<String, Integration>,
    /// The path behind the stage, percent-encoded.
    path: String,
    /// The path as the caller sees it behind the API's address.
    raw_path: String,
}

async fn answer(cx: &Cx, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let (parts, body) = request.into_parts();
    let target = find(cx, &parts)?;
    if target.api.disable_execute_api_endpoint {
        return Err(NOT_FOUND);
    }
    if let Some(cors) = target.api.cors.as_ref().filter(|_| is_preflight(&parts)) {
        return Ok(preflight(cors, &parts));
    }
    let chosen = matching::choose(target.routes.values(), parts.method.as_str(), &target.path)
        .ok_or(NOT_FOUND)?;
    let integration = chosen
        .route
        .target
        .as_deref()
        .and_then(|target| target.strip_prefix("integrations/"))
        .and_then(|id| target.integrations.get(id))
        .ok_or(Refusal::Message(500, "Internal Server Error"))?;
    let body = body
        .collect(BODY_LIMIT)
        .await
        .map_err(|_| Refusal::Message(413, "Request Entity Too Large"))?;
    let exchange = Exchange { cx, parts: &parts, target: &target, chosen: &chosen, body };
    let span = Duration::from_millis(u64::try_from(integration.timeout_millis).unwrap_or(30_000));
    let answered = tokio::time::timeout(span, exchange.integrate(integration)).await;
    let mut answer = answered.map_err(|_| Refusal::Message(503, "Service Unavailable"))??;
    answer.extensions_mut().insert(target.api.cors.clone());
    Ok(answer)
}

fn find(cx: &Cx, parts: &Parts) -> Result<Target, Refusal> {
    let path = parts.uri.path();
    let (api_id, raw_path) = match path.strip_prefix(PATH) {
        Some(rest) => match rest.split_once('/') {
            Some((id, rest)) => (id, format!("/{rest}")),
            None => (rest, "/".to_owned()),
        },
        None => (api_of_host(host(parts)).ok_or(NOT_FOUND)?, path.to_owned()),
    };
    let api_id = api_id.to_owned();
    cx.read(|tx| {
        let api = APIS.get(tx, &api_id)?.ok_or(NOT_FOUND)?;
        let (first, rest) = raw_path[1..].split_once('/').unwrap_or((&raw_path[1..], ""));
        let named = STAGES.get(tx, &(api_id.clone(), first.to_owned()))?;
        let (stage_name, stage, path) = match named.filter(|_| first != "$default") {
            Some(stage) => (first.to_owned(), stage, format!("/{rest}")),
            None => {
                let default = "$default".to_owned();
                let stage = STAGES.get(tx, &(api_id.clone(), default.clone()))?;
                (default, stage.ok_or(NOT_FOUND)?, raw_path.clone())
            }
        };
        let frozen = match stage.deployment_id.as_ref().filter(|_| !stage.auto_deploy) {
            Some(id) => DEPLOYMENTS.get(tx, &(api_id.clone(), id.clone()))?,
            None => None,
        };
        let (routes, integrations) = match frozen {
            Some(deployment) => (deployment.routes, deployment.integrations),
            None if stage.auto_deploy => {
                (store::live_routes(tx, &api_id)?, store::live_integrations(tx, &api_id)?)
            }
            // A stage without a deployment serves nothing.
            None => return Err(NOT_FOUND),
        };
        let api_id = api_id.clone();
        let raw_path = raw_path.clone();
        Ok(Target { api_id, api, stage_name, stage, routes, integrations, path, raw_path })
    })
}

struct Exchange<'a> {
    cx: &'a Cx,
    parts: &'a Parts,
    target: &'a Target,
    chosen: &'a matching::Chosen<'a>,
    body: Bytes,
}

impl Exchange<'_> {
    async fn integrate(&self, integration: &Integration) -> Result<HttpResponse, Refusal> {
        match integrations::function_arn(&integration.uri) {
            Some(function) if integration.integration_type == "AWS_PROXY" => {
                self.invoke(function, integration).await
            }
            _ => self.forward(integration).await,
        }
    }

    async fn invoke(
        &self,
        function: &str,
        integration: &Integration,
    ) -> Result<HttpResponse, Refusal> {
        let is_version_2 = integration.payload_format_version == "2.0";
        let variables = self.decoded_variables();
        let incoming = self.incoming(&variables);
        let event =
            if is_version_2 { event::version_2(&incoming) } else { event::version_1(&incoming) };
        let Api { account, region, .. } = &self.target.api;
        let cx = self.cx.located(account, region);
        let input = json!({
            "FunctionName": function,
            "InvocationType": "RequestResponse",
            "Payload": STANDARD.encode(event.to_string()),
        });
        let principal = Principal::service("apigateway.amazonaws.com");
        let mut call = cx.prepare(principal, "lambda:Invoke", input);
        call.source = Some((self.source_arn(), account.clone()));
        let broken = Refusal::Message(500, "Internal Server Error");
        let reply = match cx.cloud().call(call).await {
            Ok(reply) => reply,
            Err(fault) => {
                let (api, message) = (&self.target.api_id, fault.message());
                tracing::warn!(api, function, code = fault.name(), message, "cannot invoke");
                return Err(broken);
            }
        };
        if reply.output.get("FunctionError").is_some_and(|error| !error.is_null()) {
            return Err(broken);
        }
        let payload = reply.output.get("Payload").and_then(|payload| payload.as_str());
        let payload = payload.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        response::of_function(&payload, is_version_2).ok_or(broken)
    }

    /// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`: what a function's policy names.
    fn source_arn(&self) -> String {
        let Api { account, region, .. } = &self.target.api;
        let key = &self.chosen.route.route_key;
        let route = match key.split_once(' ') {
            Some(("ANY", path)) => format!("*{path}"),
            Some((method, path)) => format!("{method}{path}"),
            None => key.clone(),
        };
        let resource = format!("{}/{}/{route}", self.target.api_id, self.target.stage_name);
        arn::arn("execute-api", region, account, resource)
    }

    fn decoded_variables(&self) -> BTreeMap<String, String> {
        let variables = self.chosen.variables.iter();
        variables.map(|(name, value)| (name.clone(), event::decoded(value))).collect()
    }

    fn incoming<'b>(&'b self, variables: &'b BTreeMap<String, String>) -> Incoming<'b> {
        Incoming {
            account: &self.target.api.account,
            api_id: &self.target.api_id,
            stage: &self.target.stage_name,
            domain: &self.cx.request().endpoint.authority,
            method: self.parts.method.as_str(),
            raw_path: &self.target.raw_path,
            raw_query: self.parts.uri.query().unwrap_or_default(),
            headers: &self.parts.headers,
            body: &self.body,
            source_ip: self.cx.request().source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            request_id: &self.cx.request().id,
            now: self.cx.request().now,
            route_key: &self.chosen.route.route_key,
            path_parameters: variables,
            stage_variables: &self.target.stage.variables,
        }
    }

    /// Passes the request on to an HTTP server, with the path's variables put into its address.
    async fn forward(&self, integration: &Integration) -> Result<HttpResponse, Refusal> {
        let mut address = integration.uri.clone();
        for (name, value) in &self.chosen.variables {
            address = address.replace(&format!("{{{name}}}"), value);
        }
        if let Some(query) = self.parts.uri.query() {
            let separator = if address.contains('?') { '&' } else { '?' };
            address = format!("{address}{separator}{query}");
        }
        let bad = Refusal::Message(500, "Internal Server Error");
        let Ok(address) = address.parse::<Uri>() else { return Err(bad) };
        let mut request = HttpRequest::new(Body::from(self.body.clone()));
        *request.method_mut() = match integration.method.as_deref() {
            None | Some("ANY") => self.parts.method.clone(),
            Some(method) => Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
        };
        for (name, value) in &self.parts.headers {
            if !is_hop(name) {
                request.headers_mut().append(name, value.clone());
            }
        }
        *request.uri_mut() = address;
        let answered = self.cx.cloud().fetch(request).await;
        let mut answer = answered.map_err(|_| bad)?;
        for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
            answer.headers_mut().remove(name);
        }
        Ok(answer)
    }
}

/// Headers that belong to one connection and are not passed on.
fn is_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::HOST
            | header::CONNECTION
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::TE
            | header::UPGRADE
            | header::EXPECT
    )
}

fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(cors: &Cors, parts: &Parts) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::empty());
    *answer.status_mut() = http::StatusCode::NO_CONTENT;
    let mut say = |name: HeaderName, text: Option<String>| {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            answer.headers_mut().insert(name, value);
        }
    };
    let listed = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(","));
    say(header::ACCESS_CONTROL_ALLOW_METHODS, listed(&cors.allow_methods));
    say(header::ACCESS_CONTROL_ALLOW_HEADERS, listed(&cors.allow_headers));
    say(header::ACCESS_CONTROL_MAX_AGE, cors.max_age_secs.map(|secs| secs.to_string()));
    if let Some(origin) = parts.headers.get(header::ORIGIN) {
        allow_origin(cors, origin, &mut answer);
    }
    answer
}

fn allow_origin(cors: &Cors, origin: &HeaderValue, answer: &mut HttpResponse) {
    let Ok(asked) = origin.to_str() else { return };
    let allowed = cors
        .allow_origins
        .iter()
        .flatten()
        .any(|allowed| allowed == "*" || allowed == asked || wildcard_scheme(allowed, asked));
    if !allowed {
        return;
    }
    let is_any = cors.allow_origins.iter().flatten().any(|allowed| allowed == "*");
    let value = if is_any { HeaderValue::from_static("*") } else { origin.clone() };
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    if cors.allow_credentials == Some(true) {
        let value = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, value);
    }
    let exposed = cors.expose_headers.as_ref().map(|list| list.join(","));
    if let Some(value) = exposed.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value);
    }
}

/// `https://*` and `http://*` allow every origin of their scheme.
fn wildcard_scheme(allowed: &str, asked: &str) -> bool {
    allowed
        .strip_suffix('*')
        .is_some_and(|scheme| scheme.ends_with("://") && asked.starts_with(scheme))
}

fn host(parts: &Parts) -> &str {
    let header = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    header.or(parts.uri.authority().map(|authority| authority.as_str())).unwrap_or_default()
}

fn api_of_host(host: &str) -> Option<&str> {
    // Every request is asked, so that nothing is searched for: the id is the first part of the name.
    let (id, rest) = host.split_once('.')?;
    rest.starts_with("execute-api.").then_some(id)
}
