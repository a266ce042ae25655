//! Fogbank's own paths: health, metrics, and what the binary adds under `/_fogbank/`.
//!
//! What changes something or shows state is asked for with a signature for the service `fogbank` and allowed by IAM, as
//! every call is. Requests and answers are JSON; backups stream.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use fogbank_core::wire::Body;
use fogbank_core::{Access, BoxFuture, Cx, Fault, HttpRequest, HttpResponse};
use fogbank_sigv4::{Error as SignatureError, RequestView, Source, Style};
use futures_util::FutureExt;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::authenticate::{self, Caller, Refusal};
use crate::catalogue::Catalogue;
use crate::metrics::Counters;
use crate::pipeline::{Exchange, collect, is_stated, promised};
use crate::{Inner, authorise, bodies, metrics, workers};

/// The name that signatures for Fogbank's own calls have in their scope, and the prefix of the calls' actions.
pub(crate) const SERVICE: &str = "fogbank";
/// The largest JSON input, in bytes.
const INPUT_LIMIT: usize = 1 << 20;

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

/// A call of Fogbank's own, such as `POST /_fogbank/clock`.
#[derive(Clone, Copy)]
pub struct AdminRoute {
    /// The method.
    pub method: &'static str,
    /// The path, exactly.
    pub path: &'static str,
    /// The IAM action without its prefix, such as `AdvanceClock` for `fogbank:AdvanceClock`; asked for on `*`.
    pub action: &'static str,
    /// The work.
    pub run: AdminRun,
}

/// How a call of Fogbank's own works. A `GET`'s input is its query, as an object of texts.
#[derive(Clone, Copy)]
pub enum AdminRun {
    /// JSON in, JSON out.
    Json(fn(Cx, Value) -> BoxFuture<'static, Result<Value, Fault>>),
    /// JSON in, a stream of bytes out.
    Download(fn(Cx, Value) -> BoxFuture<'static, Result<Body, Fault>>),
    /// The query and a stream of bytes in, JSON out.
    Upload(fn(Cx, Value, Body) -> BoxFuture<'static, Result<Value, Fault>>),
    /// Serves whoever asks, signed or not.
    Open(fn(Cx, HttpRequest) -> BoxFuture<'static, HttpResponse>),
}

/// A route with its counters.
pub(crate) struct Admin {
    pub(crate) route: AdminRoute,
    pub(crate) counters: Counters,
}

impl From<AdminRoute> for Admin {
    fn from(route: AdminRoute) -> Admin {
        Admin { route, counters: Counters::default() }
    }
}

/// Whether the path is one of Fogbank's own. A signed request for `/metrics` means a bucket.
pub(crate) fn claims(path: &str, is_signed: bool) -> bool {
    path.starts_with("/_fogbank")
        || path.starts_with("/_localstack")
        || (path == "/metrics" && !is_signed)
}

/// Serves one of Fogbank's own paths.
pub(crate) async fn serve(
    exchange: &Exchange<'_>,
    host: &str,
    parts: Parts,
    body: Body,
) -> HttpResponse {
    let gateway = exchange.gateway;
    let path = parts.uri.path();
    match path {
        "/_fogbank/health" => return json_response(200, &health(gateway)),
        "/_localstack/health" => return json_response(200, &localstack_health(gateway)),
        "/_fogbank/metrics" | "/metrics" => return metrics(exchange, host, &parts, body).await,
        _ => {}
    }
    let at_path = || gateway.admin.iter().filter(|admin| admin.route.path == path);
    let found = at_path().find(|admin| admin.route.method == parts.method.as_str());
    let Some(Admin { route, counters }) = found else {
        let fault = match at_path().next() {
            Some(_) => Fault::new("MethodNotAllowed", format!("{path} takes another method."))
                .with_status(405),
            None => {
                Fault::new("NotFound", format!("There is no such path: {path}.")).with_status(404)
            }
        };
        return failure(&fault);
    };
    if let AdminRun::Open(serve) = route.run {
        let cx = exchange.anonymous(SERVICE);
        return serve(cx, HttpRequest::from_parts(parts, body)).await;
    }
    let begun = Instant::now();
    let streams = matches!(route.run, AdminRun::Upload(_));
    let outcome = match permit(exchange, host, &parts, body, route.action, streams).await {
        Ok(permitted) => permitted.run(exchange, &parts, route.run).await,
        Err(fault) => Err(fault),
    };
    let response = outcome.unwrap_or_else(|fault| {
        exchange.log(SERVICE, &parts, &fault);
        failure(&fault)
    });
    let (took, status) = (begun.elapsed(), response.status().as_u16());
    counters.count(status, took);
    let (operation, micros) = (route.action, took.as_micros());
    tracing::debug!(service = SERVICE, operation, status, micros, id = exchange.id, "answered");
    response
}

/// The counters: for everybody on a developer's machine, for those who may on a server.
async fn metrics(exchange: &Exchange<'_>, host: &str, parts: &Parts, body: Body) -> HttpResponse {
    let gateway = exchange.gateway;
    if !gateway.options.open_metrics
        && let Err(fault) = permit(exchange, host, parts, body, "ReadMetrics", false).await
    {
        exchange.log(SERVICE, parts, &fault);
        return failure(&fault);
    }
    let text = metrics::render(&gateway.catalogue, &gateway.admin);
    response(200, "text/plain; version=0.0.4", text.into())
}

/// A call that may be made.
struct Permitted {
    cx: Cx,
    body: Body,
}

/// Verifies the signature and asks IAM for `action`.
async fn permit(
    exchange: &Exchange<'_>,
    host: &str,
    parts: &Parts,
    body: Body,
    action: &'static str,
    streams: bool,
) -> Result<Permitted, Fault> {
    let gateway = exchange.gateway;
    let view = RequestView {
        method: parts.method.as_str(),
        raw_path: parts.uri.path(),
        raw_query: parts.uri.query().unwrap_or_default(),
        host,
        headers: &parts.headers,
    };
    let refused = |error| authenticate::fault(&error, Style::RestJson);
    let presented = fogbank_sigv4::parse(&view)
        .map_err(refused)?
        // A signature in a query would make a link of what must be meant.
        .filter(|found| found.source == Source::Header)
        .ok_or_else(|| refused(SignatureError::MissingAuthentication))?;
    let is_stated = presented.payload.is_chunked() || is_stated(&presented);
    if streams && !is_stated {
        return Err(refused(SignatureError::MissingContentSha256));
    }
    let (body, hash) = match streams {
        true => (promised(&presented, body), None),
        false => {
            let whole = collect(body, INPUT_LIMIT).await?;
            let hash = hex::encode(Sha256::digest(&whole));
            (whole.into(), Some(hash))
        }
    };
    let hash = hash.as_deref();
    let verified = authenticate::verify_signature(gateway, &presented, SERVICE, &view, hash);
    let Caller { principal, decoder, .. } = verified.map_err(|refusal| match refusal {
        Refusal::Signature(error) => refused(*error),
        Refusal::Ours(fault) => fault,
    })?;
    let mut body = body;
    if let Some(decoder) = decoder {
        body = bodies::chunked(body, *decoder, authenticate::decoded_len(&view));
        if !streams {
            body = collect(body, INPUT_LIMIT).await?.into();
        }
    }
    let own_region = &*exchange.cloud.settings().region;
    let region = authenticate::region(&presented, own_region).to_owned();
    let account = principal.account.clone();
    let request = exchange.request(SERVICE, action, principal, account, region, &parts.headers);
    let cx = Cx::new(exchange.cloud.clone(), request);
    authorise(gateway, &cx, action)?;
    Ok(Permitted { cx, body })
}

/// Refuses unless the caller is of the cloud's own account and a policy allows the action.
fn authorise(gateway: &Inner, cx: &Cx, action: &str) -> Result<(), Fault> {
    let (own, principal) = (&gateway.cloud.settings().account, &cx.request().principal);
    // The clock and the snapshots are everybody's: the root of another account has no say in them.
    if principal.account != *own {
        return Err(Fault::access_denied(format!(
            "User: {} is not authorized to perform: {SERVICE}:{action} because only identities of \
             the account {own} administer the cloud",
            principal.arn
        )));
    }
    let own = format!("{SERVICE}:{action}");
    cx.read(|tx| authorise::granted(gateway, &own, tx, &Access::on_all()))
}

impl Permitted {
    async fn run(
        self,
        exchange: &Exchange<'_>,
        parts: &Parts,
        run: AdminRun,
    ) -> Result<HttpResponse, Fault> {
        let Permitted { cx, body } = self;
        let is_get = parts.method == http::Method::GET;
        if !is_get {
            // Who changed the cloud itself is told without being asked.
            let (principal, operation) = (&*cx.request().principal.arn, cx.request().operation);
            tracing::info!(service = SERVICE, operation, principal, id = exchange.id, "called");
        }
        let input = match run {
            AdminRun::Json(_) | AdminRun::Download(_) if !is_get => input(&body)?,
            _ => query(parts.uri.query().unwrap_or_default()),
        };
        let work = async {
            match run {
                AdminRun::Json(work) => {
                    Ok(json_response(200, &workers::aside(work(cx, input)).await??))
                }
                AdminRun::Download(work) => Ok(response(
                    200,
                    "application/octet-stream",
                    workers::aside(work(cx, input)).await??,
                )),
                AdminRun::Upload(work) => {
                    Ok(json_response(200, &workers::aside(work(cx, input, body)).await??))
                }
                AdminRun::Open(_) => Err(Fault::internal("an open path needs no permission")),
            }
        };
        // A panic ends this call and not the others of its connection.
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        outcome.unwrap_or_else(|_| Err(Fault::internal("the handler panicked")))
    }
}

/// The JSON of a body; none is an empty object.
fn input(body: &Body) -> Result<Value, Fault> {
    let Some(bytes) = body.bytes() else { return Ok(json!({})) };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Fault::new("MalformedInput", format!("The body is no JSON: {error}")).with_status(400)
    })?;
    match value.is_object() {
        true => Ok(value),
        false => Err(Fault::new("MalformedInput", "The body is no JSON object.").with_status(400)),
    }
}

/// A query as an object of texts.
fn query(raw: &str) -> Value {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Value::Object(
        pairs.map(|(name, value)| (decode(name), decode(value).into())).collect::<Map<_, _>>(),
    )
}

fn health(gateway: &Inner) -> Value {
    let Banner { version, state, identity } = &gateway.options.banner;
    // A client that looks for `ok` alone is not told that all is well where nothing can be stored.
    let trouble = gateway.cloud.db().health().err().map(|error| error.to_string());
    let mut health = json!({
        "status": if trouble.is_some() { "read-only" } else { "ok" },
        "trouble": trouble,
        "version": version,
        "state": state,
        "identity": identity,
        "services": services(&gateway.catalogue),
    });
    let clock = gateway.cloud.clock();
    if !clock.is_machines() {
        health["clock"] = json!({
            "lead_secs": clock.lead_millis() as f64 / 1000.0,
            "rate": f64::from(clock.rate_permille()) / 1000.0,
        });
    }
    health
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

/// The fault as `{"error": {"code", "message"}}`.
pub(crate) fn failure(fault: &Fault) -> HttpResponse {
    let status = fault.status().unwrap_or(match fault.name() {
        "AccessDenied" => 403,
        "InternalFailure" => 500,
        _ => 400,
    });
    let error = json!({ "code": fault.name(), "message": fault.message() });
    json_response(status, &json!({ "error": error }))
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
