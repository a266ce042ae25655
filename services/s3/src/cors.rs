//! What pages of other origins may do with a bucket (CORS): the rules, and what they say of a request.

use fogbank_core::{CrossOrigin, Fault, ReadTx, WriteTx};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::access_points;
use crate::documents::{self, CORS};
use crate::error::Error;
use crate::model::{
    CORSConfiguration, CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput, GetBucketCorsInput,
    GetBucketCorsOutput, PutBucketCorsInput, PutBucketCorsOutput,
};
use crate::store::{self, BUCKETS};

/// The most rules of a bucket.
const MAX_RULES: usize = 100;
/// The longest id of a rule.
const MAX_ID_LENGTH: usize = 255;
/// What of a request the answer depends on, for caches.
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
/// Why a request that no rule fits is refused. The spelling is AWS's.
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";

/// Sets the rules of a bucket.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketCorsInput,
) -> Result<PutBucketCorsOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    check(&input.cors_configuration)?;
    documents::put(tx, &input.bucket, CORS, "", &input.cors_configuration)?;
    Ok(PutBucketCorsOutput {})
}

/// The rules of a bucket.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketCorsInput,
) -> Result<GetBucketCorsOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    match documents::get::<CORSConfiguration>(tx, &input.bucket, CORS, "")? {
        Some(found) => Ok(GetBucketCorsOutput { cors_rules: Some(found.cors_rules) }),
        None => Err(Error::NoSuchCORSConfiguration { bucket: input.bucket }),
    }
}

/// Removes the rules of a bucket.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketCorsInput,
) -> Result<DeleteBucketCorsOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    documents::delete(tx, &input.bucket, CORS, "")?;
    Ok(DeleteBucketCorsOutput {})
}

/// Refuses rules that S3 does not take, in its words.
fn check(given: &CORSConfiguration) -> Result<(), Error> {
    if given.cors_rules.is_empty() {
        return Err(Error::MalformedXML);
    }
    if given.cors_rules.len() > MAX_RULES {
        let message = "The number of CORS rules should not exceed allowed limit of 100 rules.";
        return Err(Error::request(message));
    }
    given.cors_rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &CORSRule) -> Result<(), Error> {
    if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
        return Err(Error::MalformedXML);
    }
    if let Some(id) = rule.id.as_ref().filter(|id| id.chars().count() > MAX_ID_LENGTH) {
        // The text is that of lifecycle rules, whose ids have the same limit.
        let message = "ID length should not exceed allowed limit of 255";
        return Err(Error::argument("ID", id, message));
    }
    let is_known = |method: &str| matches!(method, "GET" | "PUT" | "HEAD" | "POST" | "DELETE");
    if let Some(method) = rule.allowed_methods.iter().find(|method| !is_known(method)) {
        return Err(Error::request(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        )));
    }
    let headers = rule.allowed_headers.as_deref().unwrap_or_default();
    for (element, values) in [("AllowedOrigin", &*rule.allowed_origins), ("AllowedHeader", headers)]
    {
        if let Some(value) = values.iter().find(|value| value.matches('*').count() > 1) {
            let message = format!("{element} \"{value}\" can not have more than one wildcard.");
            return Err(Error::request(message));
        }
    }
    let exposed = rule.expose_headers.as_deref().unwrap_or_default();
    if let Some(header) = exposed.iter().find(|header| header.contains('*')) {
        return Err(Error::request(format!(
            "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        )));
    }
    Ok(())
}

/// The headers that let a page of another origin go on, or why it may not.
pub(crate) fn answer(tx: &ReadTx<'_>, asked: &CrossOrigin<'_>) -> Result<HeaderMap, Fault> {
    let text = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else {
        let message = "Insufficient information. Origin request header needed.";
        return Err(Fault::new("BadRequest", message).with_status(400));
    };
    let method = match text(ACCESS_CONTROL_REQUEST_METHOD) {
        // AWS's answer when the header is missing, as recorded by others; what it says of names that are no methods
        // is a guess.
        None if asked.is_preflight => return Err(no_method("null")),
        Some(method) if asked.is_preflight && !is_method(method) => return Err(no_method(method)),
        // What a page asks for beforehand it may tell again.
        Some(method) => method,
        None => asked.method,
    };
    let (bucket, key) = named(asked.path);
    let bucket = access_points::bucket_of(tx, bucket)?;
    let refusal = |message: &str| {
        let kind = if key.is_empty() { "BUCKET" } else { "OBJECT" };
        let fault = Fault::new("AccessForbidden", message).with_status(403);
        fault.with("Method", method).with("ResourceType", kind)
    };
    if !BUCKETS.contains(tx, &*bucket)? {
        return Err(refusal("CORSResponse: Bucket not found"));
    }
    let Some(found) = documents::get::<CORSConfiguration>(tx, &bucket, CORS, "")? else {
        return Err(refusal("CORSResponse: CORS is not enabled for this bucket."));
    };
    let wanted = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let wanted: Vec<String> = wanted
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    let fits = |rule: &&CORSRule| fits(rule, origin, method, &wanted);
    let rule = found.cors_rules.iter().find(fits).ok_or_else(|| refusal(NOT_ALLOWED))?;
    Ok(headers(rule, origin, &wanted))
}

fn is_method(name: &str) -> bool {
    matches!(name, "GET" | "PUT" | "HEAD" | "POST" | "DELETE")
}

fn no_method(method: &str) -> Fault {
    let message = format!("Invalid Access-Control-Request-Method: {method}");
    Fault::new("BadRequest", message).with_status(400)
}

/// The bucket that a path names, and the key, still encoded.
fn named(path: &str) -> (String, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (percent_decode_str(bucket).decode_utf8_lossy().into_owned(), key)
}

/// Whether a text is the pattern, in which one `*` may stand for any text.
fn wildcard_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

fn fits(rule: &CORSRule, origin: &str, method: &str, wanted: &[String]) -> bool {
    let allowed: Vec<String> =
        rule.allowed_headers.iter().flatten().map(|name| name.to_ascii_lowercase()).collect();
    rule.allowed_origins.iter().any(|pattern| wildcard_matches(pattern, origin))
        && rule.allowed_methods.iter().any(|allowed| allowed == method)
        && wanted.iter().all(|name| allowed.iter().any(|pattern| wildcard_matches(pattern, name)))
}

/// What a rule that fits makes of an answer.
fn headers(rule: &CORSRule, origin: &str, wanted: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let is_open = rule.allowed_origins.iter().any(|pattern| pattern == "*");
    set(ACCESS_CONTROL_ALLOW_ORIGIN, if is_open { "*" } else { origin });
    if !is_open {
        set(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    set(ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    if !wanted.is_empty() {
        set(ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(", "));
    }
    if let Some(exposed) = rule.expose_headers.as_ref().filter(|exposed| !exposed.is_empty()) {
        set(ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
    }
    if let Some(secs) = rule.max_age_seconds {
        set(ACCESS_CONTROL_MAX_AGE, &secs.to_string());
    }
    set(VARY, VARIES);
    headers
}
