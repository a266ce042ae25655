//! Pages of other origins: preflights, answered before anybody is authenticated, and the headers with which a browser
//! lets a page read an answer.

use std::borrow::Cow;

use bytes::Bytes;
use fogbank_core::{CrossOrigin, CrossOriginLookUp, Fault, HttpResponse};
use http::header::{HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::catalogue::Entry;
use crate::failures::{self, Form};
use crate::pipeline::{self, Exchange};
use crate::route::{self, Head, Routed};
use crate::{Inner, hosts};

/// A request that a page of another origin makes to a service which says what such pages may do.
pub(crate) struct Crossing<'a> {
    entry: &'a Entry,
    look_up: CrossOriginLookUp,
    path: Cow<'a, str>,
    is_preflight: bool,
}

/// Whether a request is one that a page of another origin makes, and to whom. It names what the page wants: the endpoint
/// itself is open to no page.
pub(crate) fn find<'a>(gateway: &'a Inner, parts: &'a Parts, host: &str) -> Option<Crossing<'a>> {
    let is_preflight = parts.method == Method::OPTIONS;
    if !is_preflight && !parts.headers.contains_key(ORIGIN) {
        return None;
    }
    let point = hosts::access_point(host);
    let bucket = point.as_deref().or_else(|| hosts::bucket(host));
    let path = with_bucket(bucket, parts.uri.path());
    if path == "/" {
        return None;
    }
    let head = Head {
        method: parts.method.as_str(),
        path: &path,
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        scope: None,
        is_bucket_host: bucket.is_some(),
    };
    let Some(Routed::Known(route)) = route::by_head(&gateway.catalogue, &head) else { return None };
    // The route also holds on to the path.
    let entry = gateway.catalogue.by_name(route.entry.service.model.name)?;
    let look_up = entry.service.cross_origin?;
    Some(Crossing { entry, look_up, path, is_preflight })
}

/// A path with the bucket that the host named put in front.
pub(crate) fn with_bucket<'a>(bucket: Option<&str>, path: &'a str) -> Cow<'a, str> {
    match bucket {
        Some(bucket) => Cow::Owned(format!("/{bucket}{path}")),
        None => Cow::Borrowed(path),
    }
}

impl Crossing<'_> {
    /// Whether the page only asks what it may do.
    pub(crate) fn is_preflight(&self) -> bool {
        self.is_preflight
    }

    /// The headers that the answer bears, or why the page may not make the request.
    fn allowed(&self, exchange: &Exchange<'_>, parts: &Parts) -> Result<HeaderMap, Fault> {
        let asked = CrossOrigin {
            is_preflight: self.is_preflight,
            method: parts.method.as_str(),
            path: &self.path,
            headers: &parts.headers,
        };
        let cx = exchange.anonymous(self.entry.service.model.name);
        cx.read(|tx| (self.look_up)(tx, &asked))
    }

    /// The headers for the answer to an actual request; none where no rule allows it.
    pub(crate) fn headers(&self, exchange: &Exchange<'_>, parts: &Parts) -> HeaderMap {
        self.allowed(exchange, parts).unwrap_or_default()
    }

    /// The answer to a page that asks what it may do.
    pub(crate) fn answer(&self, exchange: &Exchange<'_>, parts: &Parts) -> HttpResponse {
        match self.allowed(exchange, parts) {
            Ok(mut headers) => {
                if let Ok(id) = HeaderValue::from_str(&exchange.id) {
                    headers.insert("x-amz-request-id", id.clone());
                    headers.insert("x-amz-id-2", id);
                }
                let mut response = HttpResponse::new(Bytes::new().into());
                *response.headers_mut() = headers;
                response
            }
            Err(fault) => {
                let entry = self.entry;
                exchange.log(entry.service.model.name, parts, &fault);
                let protocol = entry.first_protocol();
                let form = Form { entry, protocol, query_mode: false, request_id: &exchange.id };
                pipeline::into_http(failures::render(&fault, &form))
            }
        }
    }
}
