//! Fogbank's own paths: health, metrics, and what services and the binary add under `/_fogbank/`.

use fogbank_core::wire::Body;
use fogbank_core::{BoxFuture, Cx, HttpRequest, HttpResponse};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::{Inner, metrics};

/// What the operator should know of how the cloud runs.
#[derive(Clone, Debug)]
pub struct Banner {
    /// The version of the binary.
    pub version: &'static str,
    /// `durable` or `ephemeral`, and how.
    pub state: String,
    /// Which credentials are taken.
    pub identity: String,
}

/// A path of Fogbank's own, such as `/_fogbank/outbox/email`.
#[derive(Clone, Copy)]
pub struct AdminRoute {
    /// The path that it serves, with all paths below it.
    pub path: &'static str,
    /// Serves a request.
    pub serve: fn(Cx, HttpRequest) -> BoxFuture<'static, HttpResponse>,
}

/// Whether the path is one of Fogbank's own. A signed request for `/metrics` means a bucket.
pub(crate) fn claims(path: &str, is_signed: bool) -> bool {
    path.starts_with("/_fogbank")
        || path.starts_with("/_localstack")
        || (path == "/metrics" && !is_signed)
}

/// Serves one of Fogbank's own paths.
pub(crate) async fn serve(gateway: &Inner, cx: Cx, request: HttpRequest) -> HttpResponse {
    match request.uri().path() {
        "/_fogbank/health" => json_response(200, &health(gateway)),
        "/_localstack/health" => json_response(200, &localstack_health(gateway)),
        "/_fogbank/metrics" | "/metrics" => {
            let text = metrics::render(&gateway.catalogue);
            response(200, "text/plain; version=0.0.4", text.into())
        }
        path => {
            let route = gateway.admin.iter().find(|route| path.starts_with(route.path));
            match route {
                Some(route) => (route.serve)(cx, request).await,
                None => json_response(404, &json!({ "error": format!("no such path: {path}") })),
            }
        }
    }
}

fn health(gateway: &Inner) -> Value {
    let Banner { version, state, identity } = &gateway.options.banner;
    json!({
        "status": "ok",
        "version": version,
        "state": state,
        "identity": identity,
        "services": services(&gateway.catalogue),
    })
}

/// What scripts that were written for LocalStack look for.
fn localstack_health(gateway: &Inner) -> Value {
    json!({
        "services": services(&gateway.catalogue),
        "edition": "fogbank",
        "version": gateway.options.banner.version,
    })
}

fn services(catalogue: &Catalogue) -> Value {
    let running = |entry: &crate::catalogue::Entry| {
        (entry.service.model.name.to_owned(), Value::from("running"))
    };
    Value::Object(catalogue.services().map(running).collect())
}

/// Scripts look for `"s3": "running"` with the space after the colon, so the text is spaced.
fn json_response(status: u16, value: &Value) -> HttpResponse {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    response(status, "application/json", text.into())
}

pub(crate) fn response(status: u16, content_type: &'static str, body: Body) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
