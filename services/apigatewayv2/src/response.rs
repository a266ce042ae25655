//! What an API answers: a function's answer as HTTP, and API Gateway's own messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Body, HttpResponse};
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

/// API Gateway's own answer: `{"message":"…"}`.
pub(crate) fn message(status: u16, text: &str) -> HttpResponse {
    let mut response = HttpResponse::new(json!({ "message": text }).to_string().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer of a function; `None` if it is none that API Gateway takes.
pub(crate) fn of_function(payload: &[u8], is_version_2: bool) -> Option<HttpResponse> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    let Some(status) = value.get("statusCode") else {
        // Format 2.0 infers the rest: whatever else it is, it is JSON with a status of 200.
        return is_version_2.then(|| inferred(&value));
    };
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let mut response = HttpResponse::new(body(&value)?);
    *response.status_mut() = status;
    for (name, value) in pairs(value.get("headers")) {
        insert(&mut response, name, value, false)?;
    }
    for (name, values) in
        value.get("multiValueHeaders").and_then(Value::as_object).into_iter().flatten()
    {
        for (index, value) in values.as_array()?.iter().enumerate() {
            insert(&mut response, name, value, index > 0)?;
        }
    }
    for cookie in value.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        insert(&mut response, SET_COOKIE.as_str(), cookie, true)?;
    }
    let default = HeaderValue::from_static(if is_version_2 {
        "text/plain;charset=UTF-8"
    } else {
        "application/json"
    });
    response.headers_mut().entry(CONTENT_TYPE).or_insert(default);
    Some(response)
}

fn inferred(value: &Value) -> HttpResponse {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut response = HttpResponse::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn body(value: &Value) -> Option<Body> {
    let text = match value.get("body") {
        None | Some(Value::Null) => return Some(Body::empty()),
        Some(Value::String(text)) => text.clone(),
        // AWS takes only text here, and so functions send only text.
        Some(_) => return None,
    };
    if value.get("isBase64Encoded").and_then(Value::as_bool) == Some(true) {
        return STANDARD.decode(text).ok().map(Body::from);
    }
    Some(text.into())
}

fn pairs(headers: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    headers.and_then(Value::as_object).into_iter().flatten()
}

fn insert(response: &mut HttpResponse, name: &str, value: &Value, append: bool) -> Option<()> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    // The length is that of the body, whatever the function says.
    if name == http::header::CONTENT_LENGTH || name == http::header::TRANSFER_ENCODING {
        return Some(());
    }
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let value = HeaderValue::from_str(&text).ok()?;
    if append {
        response.headers_mut().append(name, value);
    } else {
        response.headers_mut().insert(name, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &Value, is_version_2: bool) -> Option<(u16, String, String)> {
        let response = of_function(payload.to_string().as_bytes(), is_version_2)?;
        let kind = response.headers().get(CONTENT_TYPE)?.to_str().ok()?.to_owned();
        let body = response.body().bytes().cloned().unwrap_or_default();
        Some((response.status().as_u16(), kind, String::from_utf8(body.to_vec()).ok()?))
    }

    #[test]
    fn answers_of_functions() {
        let full = json!({
            "statusCode": 201, "headers": { "Content-Type": "text/html" }, "body": "<p>",
        });
        assert_eq!(shown(&full, true), Some((201, "text/html".into(), "<p>".into())));
        let bare = json!({ "name": "x" });
        let inferred = (200, "application/json".into(), "{\"name\":\"x\"}".into());
        assert_eq!(shown(&bare, true), Some(inferred));
        assert_eq!(shown(&bare, false), None);
        let binary = json!({ "statusCode": "200", "body": "aGk=", "isBase64Encoded": true });
        let plain = (200, "text/plain;charset=UTF-8".into(), "hi".into());
        assert_eq!(shown(&binary, true), Some(plain));
        assert_eq!(shown(&json!({ "statusCode": 99999 }), true), None);
        assert_eq!(shown(&json!({ "statusCode": 200, "body": {} }), true), None);
        let bad = json!({ "statusCode": 200, "headers": { "a b": "c" } });
        assert_eq!(shown(&bad, true), None);
    }

    #[test]
    fn cookies_and_repeated_headers() {
        let payload = json!({
            "statusCode": 200, "cookies": ["a=1", "b=2"],
            "multiValueHeaders": { "x-many": ["1", "2"] },
        });
        let response = of_function(payload.to_string().as_bytes(), true).expect("an answer");
        assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 2);
        assert_eq!(response.headers().get_all("x-many").iter().count(), 2);
    }
}
