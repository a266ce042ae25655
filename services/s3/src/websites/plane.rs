//! Serves websites: anonymous reads of objects, which the bucket's policy and ACLs allow or not.

use std::time::Duration;

use bytes::Bytes;
use fogbank_core::{
    Access, Answered, Body, BoxFuture, Cloud, CrossOrigin, Cx, DataPlane, Fault, HttpRequest,
    HttpResponse, Principal, Timestamp,
};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use super::routing::{self, Asked};
use super::{KIND, pages};
use crate::access::object_arn;
use crate::access_logs::{self, Entry};
use crate::cors;
use crate::documents;
use crate::error::Error;
use crate::model::{GetObjectInput, GetObjectOutput, RedirectAllRequestsTo, WebsiteConfiguration};
use crate::objects;
use crate::reads::http_date;
use crate::store;

/// Websites of buckets.
pub(crate) static PLANES: &[DataPlane] = &[DataPlane { name: "s3-website", claims, serve }];

/// The host that a request names.
fn host(parts: &Parts) -> &str {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or(parts.uri.authority().map(|authority| authority.as_str())).unwrap_or_default()
}

fn claims(parts: &Parts, _: &Cloud) -> bool {
    routing::asked(host(parts), parts.uri.path()).is_some()
}

fn serve(cx: Cx, request: HttpRequest) -> BoxFuture<'static, HttpResponse> {
    Box::pin(async move {
        let (parts, _) = request.into_parts();
        let cx = as_reader(&cx, &parts);
        let host = host(&parts).to_owned();
        let Some(asked) = routing::asked(&host, parts.uri.path()) else {
            return pages::error(&cx, &Fault::internal("no website is asked for"), None);
        };
        let asked_of = (asked.bucket.to_owned(), routing::decoded(asked.key));
        let began = cx.now();
        let mut response = match parts.method {
            Method::GET | Method::HEAD => {
                let visit = Visit { cx: &cx, parts: &parts, host: &host, asked };
                let answered = visit.answer().await;
                answered.unwrap_or_else(|fault| pages::error(&cx, &fault, None))
            }
            Method::OPTIONS => HttpResponse::new(Body::empty()),
            _ => {
                let message = "The specified method is not allowed against this resource.";
                let fault = Fault::new("MethodNotAllowed", message).with_status(405);
                let fault = fault.with("Method", parts.method.as_str());
                pages::error(&cx, &fault.with("ResourceType", "OBJECT"), None)
            }
        };
        cross(&cx, &parts, &host, &mut response);
        for name in ["x-amz-request-id", "x-amz-id-2"] {
            if let Ok(id) = HeaderValue::from_str(&cx.request().id) {
                response.headers_mut().insert(HeaderName::from_static(name), id);
            }
        }
        if parts.method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        log(&cx, &parts, &asked_of, &response, began);
        response
    })
}

/// Has a visit in the access log.
fn log(
    cx: &Cx,
    parts: &Parts,
    (bucket, key): &(String, String),
    response: &HttpResponse,
    began: Timestamp,
) {
    let mut request = cx.request().clone();
    request.operation = access_logs::WEBSITE;
    let error = response.headers().get("x-amz-error-code").and_then(|code| code.to_str().ok());
    let took = u64::try_from(cx.now().millis() - began.millis()).unwrap_or_default();
    let answered = Answered {
        request: &request,
        method: parts.method.as_str(),
        uri: parts.uri.path_and_query().map_or("/", |uri| uri.as_str()),
        labels: &[],
        signature: None,
        received: None,
        status: response.status().as_u16(),
        error_code: error,
        headers: response.headers(),
        sent: response.body().len(),
        took: Duration::from_millis(took),
    };
    access_logs::note(cx, bucket, || [Entry::of(&answered, Some(key))]);
}

/// The context of an anonymous read, with what conditions of policies look at.
fn as_reader(cx: &Cx, parts: &Parts) -> Cx {
    let text = |name: HeaderName| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut request = cx.request().clone();
    request.operation = "GetObject";
    request.principal = Principal::anonymous().into();
    request.user_agent = text(header::USER_AGENT);
    request.referer = text(header::REFERER);
    Cx::new(cx.cloud().clone(), request)
}

/// Adds what the bucket's rules say to pages of other origins; answers their questions.
fn cross(cx: &Cx, parts: &Parts, host: &str, response: &mut HttpResponse) {
    let is_preflight = parts.method == Method::OPTIONS;
    let Some(asked) = routing::asked(host, parts.uri.path()) else { return };
    if !is_preflight && !parts.headers.contains_key(header::ORIGIN) {
        return;
    }
    let path = format!("/{}/{}", asked.bucket, asked.key);
    let method = parts.method.as_str();
    let crossing = CrossOrigin { is_preflight, method, path: &path, headers: &parts.headers };
    match cx.read(|tx| cors::answer(tx, &crossing)) {
        Ok(headers) => response.headers_mut().extend(headers),
        Err(fault) if is_preflight => *response = pages::error(cx, &fault, None),
        Err(_) => {}
    }
}

/// A request for a page.
struct Visit<'a> {
    cx: &'a Cx,
    parts: &'a Parts,
    host: &'a str,
    asked: Asked<'a>,
}

impl Visit<'_> {
    async fn answer(&self) -> Result<HttpResponse, Fault> {
        let name = self.asked.bucket;
        let site = self.cx.read(|tx| {
            store::bucket(tx, name)?;
            documents::get::<WebsiteConfiguration>(tx, name, KIND, "")
        })?;
        let missing = || Error::NoSuchWebsiteConfiguration { bucket: name.to_owned() };
        let site = site.ok_or_else(missing)?;
        if let Some(all) = &site.redirect_all_requests_to {
            return Ok(self.all_elsewhere(all));
        }
        let rules = site.routing_rules.as_deref().unwrap_or_default();
        let asked_key = routing::decoded(self.asked.key);
        if let Some(rule) = routing::rule(rules, &asked_key, None) {
            return Ok(self.redirected(rule, &asked_key));
        }
        let suffix = site.index_document.as_ref().map_or("", |index| &*index.suffix);
        let is_folder = asked_key.is_empty() || asked_key.ends_with('/');
        let key = if is_folder { format!("{asked_key}{suffix}") } else { asked_key.clone() };
        let fault = match self.read(&key, true).await {
            Ok(output) => return Ok(self.object(output)),
            Err(fault) => fault,
        };
        if !is_folder && self.read(&format!("{asked_key}/{suffix}"), false).await.is_ok() {
            let base = &self.asked.base;
            return Ok(redirect(302, &format!("{base}{}/", routing::path_of(&asked_key))));
        }
        let status = pages::status(&fault);
        if let Some(rule) = routing::rule(rules, &asked_key, Some(status)) {
            return Ok(self.redirected(rule, &asked_key));
        }
        let Some(document) = &site.error_document else { return Err(fault) };
        Ok(match self.read(&document.key, false).await {
            Ok(output) => self.error_document(output, &fault, status),
            Err(second) => pages::error(self.cx, &fault, Some(&second)),
        })
    }

    /// Reads an object, if everybody may; with the conditions and ranges of the request or as a whole.
    async fn read(&self, key: &str, as_asked: bool) -> Result<GetObjectOutput, Fault> {
        let bucket = self.asked.bucket;
        self.cx.authorise(&Access::to("s3:GetObject", object_arn(bucket, key)))?;
        let text = |name: HeaderName| {
            let value = self.parts.headers.get(name).filter(|_| as_asked)?;
            value.to_str().ok().map(str::to_owned)
        };
        let input = GetObjectInput {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            range: text(header::RANGE),
            if_none_match: text(header::IF_NONE_MATCH),
            if_match: text(header::IF_MATCH),
            if_modified_since: text(header::IF_MODIFIED_SINCE).and_then(|date| time(&date)),
            if_unmodified_since: text(header::IF_UNMODIFIED_SINCE).and_then(|date| time(&date)),
            ..GetObjectInput::default()
        };
        Ok(objects::get(self.cx, input).await?)
    }

    /// The page of an object, or the place to which the object itself redirects.
    fn object(&self, output: GetObjectOutput) -> HttpResponse {
        if let Some(place) = &output.website_redirect_location {
            let place = match place.strip_prefix('/') {
                Some(key) => format!("{}{key}", self.asked.base),
                None => place.clone(),
            };
            return redirect(301, &place);
        }
        let status = output.status_code.and_then(|status| u16::try_from(status).ok());
        page(output, status.unwrap_or(200))
    }

    fn error_document(&self, output: GetObjectOutput, fault: &Fault, status: u16) -> HttpResponse {
        let mut response = page(output, status);
        pages::tell_error(response.headers_mut(), fault);
        response
    }

    fn scheme(&self) -> &'static str {
        if self.cx.request().endpoint.tls { "https" } else { "http" }
    }

    fn redirected(&self, rule: &crate::model::RoutingRule, key: &str) -> HttpResponse {
        let place = (self.scheme(), self.host, &*self.asked.base);
        let (status, place) = routing::target(rule, key, place);
        redirect(status, &place)
    }

    fn all_elsewhere(&self, all: &RedirectAllRequestsTo) -> HttpResponse {
        let scheme = all.protocol.as_ref().map_or(self.scheme(), |protocol| protocol.as_str());
        let query = self.parts.uri.query().map_or(String::new(), |query| format!("?{query}"));
        let key = self.asked.key;
        redirect(301, &format!("{scheme}://{}/{key}{query}", all.host_name))
    }
}

/// A time as requests have it in headers.
fn time(date: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(Timestamp::from_millis(parsed.timestamp().as_millisecond()))
}

fn redirect(status: u16, place: &str) -> HttpResponse {
    let mut response = HttpResponse::new(Bytes::new().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
    set(response.headers_mut(), header::LOCATION, Some(place));
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

/// An object as an answer.
fn page(output: GetObjectOutput, status: u16) -> HttpResponse {
    let mut headers = HeaderMap::new();
    let mut put = |name, value: Option<&str>| set(&mut headers, name, value);
    put(header::CONTENT_TYPE, output.content_type.as_deref());
    put(header::CACHE_CONTROL, output.cache_control.as_deref());
    put(header::CONTENT_DISPOSITION, output.content_disposition.as_deref());
    put(header::CONTENT_ENCODING, output.content_encoding.as_deref());
    put(header::CONTENT_LANGUAGE, output.content_language.as_deref());
    put(header::EXPIRES, output.expires.as_deref());
    put(header::ETAG, output.e_tag.as_deref());
    put(header::LAST_MODIFIED, output.last_modified.map(http_date).as_deref());
    put(header::CONTENT_RANGE, output.content_range.as_deref());
    put(header::ACCEPT_RANGES, output.accept_ranges.as_deref());
    put(header::CONTENT_LENGTH, output.content_length.map(|len| len.to_string()).as_deref());
    put(HeaderName::from_static("x-amz-version-id"), output.version_id.as_deref());
    for (name, value) in output.metadata.iter().flatten() {
        let name = HeaderName::try_from(format!("x-amz-meta-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let mut response = HttpResponse::new(output.body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    *response.headers_mut() = headers;
    response
}
