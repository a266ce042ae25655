//! Which service and operation a request means, and in which protocol it speaks.
//!
//! The first sign that decides wins: the RPC v2 path, `X-Amz-Target`, the signature's scope, an
//! `Action`, the path. S3 takes what nobody else claims.

use std::borrow::Cow;

use bytes::Bytes;
use fogbank_core::wire::{self, Protocol};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};

use crate::catalogue::{Catalogue, Entry, S3_EXPRESS};

/// A name that is parsed once.
static TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// A request as routing sees it.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    /// The path as sent, or with the bucket of the host put in front.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// The service in the signature's scope.
    pub(crate) scope: Option<&'a str>,
    /// Whether the host named a bucket.
    pub(crate) is_bucket_host: bool,
}

/// What a request means.
pub(crate) struct Route<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) protocol: Protocol,
    /// The operation's name; empty if the request names none that the model knows.
    pub(crate) operation: Cow<'static, str>,
    /// The labels of the path, still percent-encoded.
    pub(crate) labels: Vec<(&'static str, &'a str)>,
}

/// The outcome of a look at the head.
pub(crate) enum Routed<'a> {
    /// The head told all.
    Known(Route<'a>),
    /// The form in the body names the operation.
    InBody(Option<&'a Entry>),
}

/// Routes by the head alone, as far as it tells.
pub(crate) fn by_head<'a>(catalogue: &'a Catalogue, head: &Head<'a>) -> Option<Routed<'a>> {
    if is_s3_control(head.path, head.headers)
        && let Some(entry) = catalogue.by_name("s3control")
    {
        return Some(Routed::Known(rest(entry, head)));
    }
    if head.is_bucket_host {
        return catalogue.by_name("s3").map(|entry| rest(entry, head)).map(Routed::Known);
    }
    if let Some(route) = rpc_v2(catalogue, head).or_else(|| target(catalogue, head)) {
        return Some(Routed::Known(route));
    }
    let candidates = head.scope.into_iter().flat_map(|name| catalogue.by_signing_name(name));
    let speaks_query =
        |entry: &&Entry| entry.speaks(Protocol::AwsQuery) || entry.speaks(Protocol::Ec2Query);
    if let Some(entry) = candidates.clone().find(speaks_query) {
        return Some(query(entry, head));
    }
    if let Some(mut route) = candidates.clone().find_map(|entry| rest_match(entry, head)) {
        // The two have one path.
        if head.scope == Some(S3_EXPRESS) && route.operation == "ListBuckets" {
            route.operation = Cow::Borrowed("ListDirectoryBuckets");
        }
        return Some(Routed::Known(route));
    }
    if let Some(entry) = candidates.clone().next() {
        return Some(Routed::Known(rest(entry, head)));
    }
    if head.scope.is_some() {
        return None;
    }
    unsigned(catalogue, head)
}

/// Whether a request is for S3 Control, which has the host of an account and is signed as for S3: no client of S3 sends
/// this header.
pub(crate) fn is_s3_control(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with("/v20180820/") && headers.contains_key("x-amz-account-id")
}

/// Routes by the form in the body.
pub(crate) fn by_form<'a>(
    catalogue: &'a Catalogue,
    entry: Option<&'a Entry>,
    form: &Bytes,
) -> Option<Route<'a>> {
    let text = std::str::from_utf8(form).unwrap_or_default();
    let action = parameter(text, "Action").unwrap_or_default();
    let version = parameter(text, "Version").unwrap_or_default();
    let entry = entry.or_else(|| by_action(catalogue, &action, &version))?;
    Some(query_route(entry, action))
}

fn rpc_v2<'a>(catalogue: &'a Catalogue, head: &Head<'_>) -> Option<Route<'a>> {
    if head.method != "POST" {
        return None;
    }
    let mut segments = head.path.rsplit('/');
    let (operation, marker) = (segments.next()?, segments.next()?);
    let (shape, service) = (segments.next()?, segments.next()?);
    if marker != "operation" || service != "service" {
        return None;
    }
    let shape = shape.rsplit(['.', '#']).next().unwrap_or(shape);
    let entry = catalogue.services().find(|entry| {
        entry.service.model.service_shape == shape && entry.speaks(Protocol::RpcV2Cbor)
    })?;
    Some(route(entry, Protocol::RpcV2Cbor, operation.to_owned()))
}

fn target<'a>(catalogue: &'a Catalogue, head: &Head<'_>) -> Option<Route<'a>> {
    let target = head.headers.get(&TARGET)?.to_str().ok()?;
    let (prefix, operation) = target.rsplit_once('.')?;
    let entry = catalogue.by_target(prefix)?;
    let content_type = header(head.headers, CONTENT_TYPE.as_str());
    let protocol = if content_type.starts_with("application/x-amz-json-1.0") {
        Protocol::AwsJson1_0
    } else if content_type.starts_with("application/x-amz-json-1.1") {
        Protocol::AwsJson1_1
    } else if entry.speaks(Protocol::AwsJson1_0) {
        Protocol::AwsJson1_0
    } else {
        Protocol::AwsJson1_1
    };
    Some(route(entry, protocol, operation.to_owned()))
}

fn query<'a>(entry: &'a Entry, head: &Head<'_>) -> Routed<'a> {
    match parameter(head.query, "Action") {
        Some(action) => Routed::Known(query_route(entry, action)),
        None => Routed::InBody(Some(entry)),
    }
}

fn query_route(entry: &Entry, action: String) -> Route<'_> {
    let protocol =
        if entry.speaks(Protocol::Ec2Query) { Protocol::Ec2Query } else { Protocol::AwsQuery };
    route(entry, protocol, action)
}

fn unsigned<'a>(catalogue: &'a Catalogue, head: &Head<'a>) -> Option<Routed<'a>> {
    if let Some(action) = parameter(head.query, "Action") {
        let version = parameter(head.query, "Version").unwrap_or_default();
        let entry = by_action(catalogue, &action, &version)?;
        return Some(Routed::Known(query_route(entry, action)));
    }
    let content_type = header(head.headers, CONTENT_TYPE.as_str());
    if head.method == "POST" && content_type.starts_with("application/x-www-form-urlencoded") {
        return Some(Routed::InBody(None));
    }
    catalogue
        .services()
        .filter(|entry| entry.speaks(Protocol::RestJson1) && !looks_like_s3(entry))
        .find_map(|entry| rest_match(entry, head))
        .or_else(|| catalogue.by_name("s3").map(|entry| rest(entry, head)))
        .map(Routed::Known)
}

/// Whether a service's paths could be buckets and keys of S3. Nobody calls it without a signature, which tells the two apart.
fn looks_like_s3(entry: &Entry) -> bool {
    entry.service.model.name == "s3tables"
}

fn by_action<'a>(catalogue: &'a Catalogue, action: &str, version: &str) -> Option<&'a Entry> {
    let knows = |entry: &&Entry| {
        let model = entry.service.model;
        (version.is_empty() || model.api_version == version)
            && (entry.speaks(Protocol::AwsQuery) || entry.speaks(Protocol::Ec2Query))
            && model.operations.iter().any(|operation| operation.name == action)
    };
    catalogue.services().find(knows)
}

fn rest<'a>(entry: &'a Entry, head: &Head<'a>) -> Route<'a> {
    rest_match(entry, head).unwrap_or_else(|| route(entry, entry.first_protocol(), ""))
}

fn rest_match<'a>(entry: &'a Entry, head: &Head<'a>) -> Option<Route<'a>> {
    let protocol = [Protocol::RestXml, Protocol::RestJson1]
        .into_iter()
        .find(|protocol| entry.speaks(*protocol))?;
    let model = entry.service.model;
    let found = wire::route::match_rest(model, head.method, head.path, head.query, head.headers)?;
    let (operation, labels) = (found.operation.into(), found.labels);
    Some(Route { entry, protocol, operation, labels })
}

fn route(entry: &Entry, protocol: Protocol, operation: impl Into<Cow<'static, str>>) -> Route<'_> {
    Route { entry, protocol, operation: operation.into(), labels: Vec::new() }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The decoded value of a form's or query's parameter.
pub(crate) fn parameter(form: &str, name: &str) -> Option<String> {
    let value = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))?;
    let spaced = value.replace('+', " ");
    Some(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}
