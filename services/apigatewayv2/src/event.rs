//! What a function gets to see of a request: payload formats 1.0 and 2.0.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::Timestamp;
use http::HeaderMap;
use serde_json::{Map, Value, json};

/// A request to an API, as far as events show it.
pub(crate) struct Incoming<'a> {
    pub(crate) account: &'a str,
    pub(crate) api_id: &'a str,
    pub(crate) stage: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) method: &'a str,
    /// The path with a named stage still in front, percent-encoded.
    pub(crate) raw_path: &'a str,
    pub(crate) raw_query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    pub(crate) source_ip: String,
    pub(crate) request_id: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) route_key: &'a str,
    pub(crate) path_parameters: &'a BTreeMap<String, String>,
    pub(crate) stage_variables: &'a BTreeMap<String, String>,
}

/// The event of payload format 2.0.
pub(crate) fn version_2(incoming: &Incoming<'_>) -> Value {
    let (body, is_base64) = body(incoming);
    let mut event = json!({
        "version": "2.0",
        "routeKey": incoming.route_key,
        "rawPath": decoded(incoming.raw_path),
        "rawQueryString": incoming.raw_query,
        "headers": joined_headers(incoming.headers),
        "requestContext": {
            "accountId": incoming.account,
            "apiId": incoming.api_id,
            "domainName": incoming.domain,
            "domainPrefix": prefix(incoming.domain),
            "http": {
                "method": incoming.method,
                "path": decoded(incoming.raw_path),
                "protocol": "HTTP/1.1",
                "sourceIp": incoming.source_ip,
                "userAgent": agent(incoming.headers),
            },
            "requestId": incoming.request_id,
            "routeKey": incoming.route_key,
            "stage": incoming.stage,
            "time": access_log_time(incoming.now),
            "timeEpoch": incoming.now.millis(),
        },
        "isBase64Encoded": is_base64,
    });
    let cookies: Vec<&str> =
        header_values(incoming.headers, "cookie").flat_map(|line| line.split("; ")).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let query = joined(query_pairs(incoming.raw_query));
    if !query.is_empty() {
        event["queryStringParameters"] = Value::Object(query);
    }
    if !incoming.path_parameters.is_empty() {
        event["pathParameters"] = json!(incoming.path_parameters);
    }
    if !incoming.stage_variables.is_empty() {
        event["stageVariables"] = json!(incoming.stage_variables);
    }
    if let Some(body) = body {
        event["body"] = body.into();
    }
    event
}

/// The event of payload format 1.0.
pub(crate) fn version_1(incoming: &Incoming<'_>) -> Value {
    let (body, is_base64) = body(incoming);
    let mut headers = Map::new();
    let mut all_headers = Map::new();
    for name in incoming.headers.keys() {
        let values: Vec<&str> = header_values(incoming.headers, name.as_str()).collect();
        headers.insert(name.to_string(), values.last().copied().unwrap_or_default().into());
        all_headers.insert(name.to_string(), json!(values));
    }
    let mut query = Map::new();
    let mut all_query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in query_pairs(incoming.raw_query) {
        query.insert(name.clone(), value.clone().into());
        all_query.entry(name).or_default().push(value);
    }
    let resource = incoming.route_key.split_once(' ').map_or("$default", |(_, path)| path);
    let or_null = |is_empty: bool, value: Value| if is_empty { Value::Null } else { value };
    json!({
        "version": "1.0",
        "resource": resource,
        "path": decoded(incoming.raw_path),
        "httpMethod": incoming.method,
        "headers": headers,
        "multiValueHeaders": all_headers,
        "queryStringParameters": or_null(query.is_empty(), query.into()),
        "multiValueQueryStringParameters": or_null(all_query.is_empty(), json!(all_query)),
        "requestContext": {
            "accountId": incoming.account,
            "apiId": incoming.api_id,
            "domainName": incoming.domain,
            "domainPrefix": prefix(incoming.domain),
            "extendedRequestId": incoming.request_id,
            "httpMethod": incoming.method,
            "identity": {
                "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null, "cognitoIdentityId": null,
                "cognitoIdentityPoolId": null, "principalOrgId": null,
                "sourceIp": incoming.source_ip, "user": null,
                "userAgent": agent(incoming.headers), "userArn": null,
            },
            "path": decoded(incoming.raw_path),
            "protocol": "HTTP/1.1",
            "requestId": incoming.request_id,
            "requestTime": access_log_time(incoming.now),
            "requestTimeEpoch": incoming.now.millis(),
            "resourceId": incoming.route_key,
            "resourcePath": resource,
            "stage": incoming.stage,
        },
        "pathParameters": or_null(incoming.path_parameters.is_empty(), json!(incoming.path_parameters)),
        "stageVariables": or_null(incoming.stage_variables.is_empty(), json!(incoming.stage_variables)),
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// The body as text where it is text, else in base64.
fn body(incoming: &Incoming<'_>) -> (Option<String>, bool) {
    if incoming.body.is_empty() {
        return (None, false);
    }
    let content_type = header_values(incoming.headers, "content-type").next().unwrap_or_default();
    match std::str::from_utf8(incoming.body) {
        Ok(text) if is_text(content_type) => (Some(text.to_owned()), false),
        _ => (Some(STANDARD.encode(incoming.body)), true),
    }
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/x-www-form-urlencoded"
        )
}

fn header_values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

fn joined_headers(headers: &HeaderMap) -> Map<String, Value> {
    let pairs = headers
        .iter()
        .filter(|(name, _)| *name != "cookie")
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    joined(pairs)
}

/// One text a name: several values are joined by commas.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        texts.entry(name).and_modify(|text| *text = format!("{text},{value}")).or_insert(value);
    }
    texts.into_iter().map(|(name, text)| (name, text.into())).collect()
}

fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    })
}

pub(crate) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn prefix(domain: &str) -> &str {
    domain.split('.').next().unwrap_or_default()
}

fn agent(headers: &HeaderMap) -> &str {
    header_values(headers, "user-agent").next().unwrap_or_default()
}

/// `20/Nov/2026:20:56:00 +0000`
fn access_log_time(now: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(now.millis())
        .map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
        .unwrap_or_default()
}
