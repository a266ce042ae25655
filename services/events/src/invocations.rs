//! Events as requests of HTTP to API destinations.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Access, Body, Cx, Fault, HttpRequest, HttpResponse, Principal};
use http::StatusCode;
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::connections::{self, OAuth, Parameter, Parameters};
use crate::delivery::Delivery;
use crate::destinations;
use crate::error::Error;
use crate::rules::json::Json;
use crate::rules::path::Path;
use crate::store::{ApiDestination, Http};

/// What must not stand as it is in a segment of a path.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');
/// What hides nothing in a query or form.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// How much of an answer with a token is read.
const TOKEN_BYTES: usize = 64 * 1024;
/// A token is not used in the last minute of its life.
const SPARE_MILLIS: i64 = 60_000;
/// How long a token is used that does not say how long it lives, in seconds.
const LIFE_SECS: i64 = 3_600;

/// Tokens by the connection and when it was changed, and until when they are used.
#[derive(Default)]
struct Tokens(Mutex<HashMap<(String, i64), (String, i64)>>);

/// Sends an event to a destination, if the role may.
pub(crate) async fn invoke(
    cx: &Cx,
    delivery: &Delivery,
    principal: Option<Principal>,
) -> Result<(), Fault> {
    let arn = &delivery.target_arn;
    let principal = principal.ok_or_else(|| Fault::access_denied("there is no role"))?;
    let access = Access::to("events:InvokeApiDestination", arn.clone());
    cx.located(&principal.account, cx.region()).as_principal(principal).authorise(&access)?;
    let (destination, key, connection) = cx.read(|tx| {
        let found = destinations::of_arn(tx, arn)?;
        let destination = found.ok_or_else(|| {
            Error::ResourceNotFoundException("The API destination does not exist.".to_owned())
        })?;
        let (key, connection) = destinations::connection(tx, &destination.connection_arn)?;
        Ok::<_, Error>((destination, key, connection))
    })?;
    let Some(parameters) = connections::open(cx.cloud(), &key, &connection)? else {
        return Err(Fault::new("NO_PERMISSIONS", "The connection is not authorized."));
    };
    let holder = (destination.connection_arn.clone(), connection.modified_millis);
    let request = request(cx, delivery, &destination, &parameters, &holder).await?;
    let status = cx.cloud().fetch(request).await?.status();
    if status.is_success() {
        return Ok(());
    }
    if status == StatusCode::UNAUTHORIZED {
        cx.state(Tokens::default).0.lock().remove(&holder);
    }
    // AWS tries these again, and no others.
    let is_temporary = status.is_server_error() || matches!(status.as_u16(), 401 | 407 | 409 | 429);
    let name = if is_temporary { "ServiceUnavailable" } else { "SDK_CLIENT_ERROR" };
    Err(Fault::new(name, format!("The API destination answered {status}.")))
}

async fn request(
    cx: &Cx,
    delivery: &Delivery,
    destination: &ApiDestination,
    parameters: &Parameters,
    holder: &(String, i64),
) -> Result<HttpRequest, Fault> {
    let event = Json::parse(delivery.event()).unwrap_or(Json::Null);
    let given = delivery.http.clone().unwrap_or_default();
    let common = parameters.http.clone().unwrap_or_default();
    let mut request = http::Request::builder()
        .method(destination.method.as_str())
        .uri(url(&destination.endpoint, &given, common.query.as_deref(), &event))
        .header("content-type", "application/json; charset=utf-8")
        .header("user-agent", "Amazon/EventBridge/ApiDestinations")
        .header("range", "bytes=0-1048575");
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in given.headers.iter().flatten() {
        headers.push((name.clone(), resolved(value, &event)));
    }
    // What the connection says counts more.
    headers.extend(common.headers.iter().flatten().map(|it| (it.key.clone(), it.value.clone())));
    if let Some((user, password)) = &parameters.basic {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        headers.push(("authorization".to_owned(), format!("Basic {pair}")));
    }
    headers.extend(parameters.api_key.clone());
    if let Some(oauth) = &parameters.oauth {
        let token = token(cx, oauth, holder).await?;
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    let target = request.headers_mut().ok_or_else(|| unusable("the URL"))?;
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(unusable)?;
        target.insert(name, http::HeaderValue::from_str(&value).map_err(unusable)?);
    }
    let body = match destination.method.as_str() {
        "GET" | "HEAD" => String::new(),
        _ => with_members(&delivery.payload, common.body.as_deref()),
    };
    request.body(Body::from(body)).map_err(unusable)
}

fn unusable(cause: impl std::fmt::Display) -> Fault {
    Fault::new("SDK_CLIENT_ERROR", format!("The request cannot be made: {cause}"))
}

/// A value of a target's parameters: itself, or what it leads to in the event.
fn resolved(value: &str, event: &Json) -> String {
    let found = Path::parse(value).filter(|_| value.starts_with("$.")).map(|path| path.find(event));
    match found {
        None => value.to_owned(),
        Some(None) => String::new(),
        Some(Some(Json::String(text))) => text,
        Some(Some(value)) => value.to_string(),
    }
}

/// The endpoint with values in place of its stars, and a query.
fn url(endpoint: &str, given: &Http, common: Option<&[Parameter]>, event: &Json) -> String {
    let mut values = given.path_values.iter().flatten();
    let mut url = String::new();
    for (index, piece) in endpoint.split('*').enumerate() {
        if index > 0 {
            let value = values.next().map(|value| resolved(value, event)).unwrap_or_default();
            url.extend(utf8_percent_encode(&value, SEGMENT));
        }
        url.push_str(piece);
    }
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in given.query.iter().flatten() {
        query.push((name.clone(), resolved(value, event)));
    }
    for parameter in common.unwrap_or_default() {
        query.retain(|(name, _)| *name != parameter.key);
        query.push((parameter.key.clone(), parameter.value.clone()));
    }
    if !query.is_empty() {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&form(&query));
    }
    url
}

fn form(fields: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, FORM).to_string();
    let fields = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// A payload that is an object, with members that the connection adds.
fn with_members(payload: &str, added: Option<&[Parameter]>) -> String {
    let added = added.unwrap_or_default();
    match Json::parse(payload) {
        Some(Json::Object(mut members)) if !added.is_empty() => {
            for parameter in added {
                members.retain(|(name, _)| *name != parameter.key);
                members.push((parameter.key.clone(), Json::String(parameter.value.clone())));
            }
            Json::Object(members).to_string()
        }
        _ => payload.to_owned(),
    }
}

/// The token of a client's credentials, asked for once in its life.
async fn token(cx: &Cx, oauth: &OAuth, holder: &(String, i64)) -> Result<String, Fault> {
    let tokens = cx.state(Tokens::default);
    let now = cx.now().millis();
    let known = tokens.0.lock().get(holder).cloned();
    if let Some((token, until)) = known
        && now < until
    {
        return Ok(token);
    }
    let answer = cx.cloud().fetch(token_request(oauth)?).await?;
    let (token, life_secs) = read_token(answer).await?;
    let until = now + life_secs.saturating_mul(1000) - SPARE_MILLIS;
    let mut tokens = tokens.0.lock();
    tokens.retain(|_, (_, until)| now < *until);
    tokens.insert(holder.clone(), (token.clone(), until));
    Ok(token)
}

fn token_request(oauth: &OAuth) -> Result<HttpRequest, Fault> {
    let more = oauth.http.clone().unwrap_or_default();
    let pair = |it: &Parameter| (it.key.clone(), it.value.clone());
    let mut fields = vec![
        ("grant_type".to_owned(), "client_credentials".to_owned()),
        ("client_id".to_owned(), oauth.client_id.clone()),
        ("client_secret".to_owned(), oauth.client_secret.clone()),
    ];
    fields.extend(more.body.iter().flatten().map(pair));
    let mut query: Vec<_> = more.query.iter().flatten().map(pair).collect();
    if oauth.method == "GET" {
        query.append(&mut fields);
    }
    let mut url = oauth.endpoint.clone();
    if !query.is_empty() {
        url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, form(&query));
    }
    let mut request = http::Request::builder()
        .method(oauth.method.as_str())
        .uri(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", "Amazon/EventBridge/ApiDestinations");
    for header in more.headers.iter().flatten() {
        request = request.header(&header.key, &header.value);
    }
    request.body(Body::from(form(&fields))).map_err(unusable)
}

async fn read_token(answer: HttpResponse) -> Result<(String, i64), Fault> {
    let status = answer.status();
    let refused = |why: &str| {
        let name = if status.is_client_error() { "SDK_CLIENT_ERROR" } else { "ServiceUnavailable" };
        Fault::new(name, format!("The authorization endpoint answered {status}{why}."))
    };
    if !status.is_success() {
        return Err(refused(""));
    }
    let bytes =
        answer.into_body().collect(TOKEN_BYTES).await.map_err(|_| refused(" and too much"))?;
    let found = std::str::from_utf8(&bytes).ok().and_then(Json::parse);
    let found = found.ok_or_else(|| refused(" without JSON"))?;
    let token = found.get("access_token").and_then(Json::as_str);
    let token = token.ok_or_else(|| refused(" without access_token"))?.to_owned();
    let life_secs = match found.get("expires_in") {
        Some(Json::Number(digits)) => digits.parse().ok(),
        Some(Json::String(digits)) => digits.parse().ok(),
        _ => None,
    };
    Ok((token, life_secs.unwrap_or(LIFE_SECS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_filled_in() {
        let event = Json::parse(r#"{"detail":{"id":"a/b","n":1}}"#).expect("JSON");
        let given = Http {
            path_values: Some(vec!["$.detail.id".into(), "plain".into()]),
            headers: None,
            query: Some([("n".to_owned(), "$.detail.n".to_owned())].into()),
        };
        let common = [Parameter { key: "q".into(), value: "ü &".into(), ..Parameter::default() }];
        assert_eq!(
            url("http://h/x/*/y/*?z=1", &given, Some(&common), &event),
            "http://h/x/a%2Fb/y/plain?z=1&n=1&q=%C3%BC%20%26"
        );
    }

    #[test]
    fn bodies_get_members() {
        let added = [Parameter { key: "k".into(), value: "v".into(), ..Parameter::default() }];
        assert_eq!(with_members(r#"{"a":1,"k":2}"#, Some(&added)), r#"{"a":1,"k":"v"}"#);
        assert_eq!(with_members("[1]", Some(&added)), "[1]");
        assert_eq!(with_members(r#"{"a": 1}"#, None), r#"{"a": 1}"#);
    }
}
