//! The pages that S3 writes itself: errors, as HTML.

use std::fmt::Write;

use bytes::Bytes;
use fogbank_core::{Cx, Fault, HttpResponse};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::model;

/// The status of a fault.
pub(super) fn status(fault: &Fault) -> u16 {
    let known = model::SERVICE.errors.iter().find(|error| error.name == fault.name());
    let fallback = if fault.name() == "InternalFailure" { 500 } else { 400 };
    fault.status().or(known.map(|error| error.status)).unwrap_or(fallback)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The elements of a fault, as lines of a list.
fn list(fault: &Fault) -> String {
    let mut lines = String::new();
    let extra = fault.extra().iter().map(|(name, value)| (*name, value.as_str()));
    // What is a header of answers stands in no page.
    let extra = extra.filter(|(name, _)| !name.starts_with("x-amz-"));
    for (name, value) in
        [("Code", fault.name()), ("Message", fault.message())].into_iter().chain(extra)
    {
        // Writing to a text does not fail.
        let _ = writeln!(lines, "<li>{name}: {}</li>", escape(value));
    }
    lines
}

/// The page of an error; `second` is why the error document of the website could not be had.
pub(super) fn error(cx: &Cx, fault: &Fault, second: Option<&Fault>) -> HttpResponse {
    let status = StatusCode::from_u16(status(fault)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let id = &cx.request().id;
    let second = second.map_or_else(String::new, |second| {
        format!(
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n{}</ul>\n",
            list(second)
        )
    });
    let page = format!(
        "<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{}<li>RequestId: {id}</li>\n<li>HostId: {id}</li>\n</ul>\n{second}<hr/>\n</body>\n</html>\n",
        list(fault)
    );
    let mut response = HttpResponse::new(Bytes::from(page).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    tell_error(headers, fault);
    response
}

/// Tells an error in headers, as S3 does beside its pages and a website's own.
pub(super) fn tell_error(headers: &mut HeaderMap, fault: &Fault) {
    for (name, value) in
        [("x-amz-error-code", fault.name()), ("x-amz-error-message", fault.message())]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
