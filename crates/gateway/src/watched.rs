//! Requests of which a service's observer hears when they were answered.

use std::sync::Arc;
use std::time::Instant;

use fogbank_core::wire::Body;
use fogbank_core::{Answered, Observer, Principal, WhenSent};
use fogbank_sigv4::{Error, Presented, Source};
use futures_util::stream;
use http::HeaderMap;
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::catalogue::Entry;
use crate::pipeline::Exchange;

/// What is kept of a request until it was answered.
pub(crate) struct Watched {
    observer: &'static Observer,
    labels: Vec<(&'static str, String)>,
    signature: Option<(&'static str, &'static str)>,
    /// Who calls, once that is known.
    pub(crate) principal: Arc<Principal>,
    pub(crate) error_code: Option<String>,
}

impl Watched {
    /// Begins to watch a request.
    pub(crate) fn new(
        observer: &'static Observer,
        labels: &[(&'static str, &str)],
        presented: &Result<Option<Presented<'_>>, Error>,
        is_old: bool,
    ) -> Watched {
        let signature = match presented {
            Ok(Some(presented)) if presented.source == Source::Query => {
                Some(("SigV4", "QueryString"))
            }
            Ok(Some(_)) => Some(("SigV4", "AuthHeader")),
            _ if is_old => Some(("SigV2", "QueryString")),
            _ => None,
        };
        let principal = Principal::anonymous().into();
        let labels = labels.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Watched { observer, labels, signature, principal, error_code: None }
    }

    /// Begins to watch a form, if its bucket is watched.
    pub(crate) fn of_form(exchange: &Exchange<'_>, entry: &Entry, bucket: &str) -> Option<Watched> {
        let observer = entry.service.observer?;
        let (name, text) = label("Bucket", bucket);
        let principal = Principal::anonymous().into();
        (observer.watches)(exchange.cloud, &[(name, &text)]).then(|| Watched {
            observer,
            labels: vec![(name, text)],
            signature: None,
            principal,
            error_code: None,
        })
    }

    /// Notes what the fields of a form say: the key, and who signed it.
    pub(crate) fn found(&mut self, key: &str, principal: &Arc<Principal>) {
        self.labels.push(label("Key", key));
        self.principal = principal.clone();
        // That a signature stands in a form, logs have no word for.
        self.signature = (!principal.is_anonymous()).then_some(("SigV4", "-"));
    }

    /// Tells the observer how the request was answered.
    pub(crate) fn tell(
        self,
        exchange: &Exchange<'_>,
        (service, operation): (&'static str, &'static str),
        parts: &Parts,
        (status, headers, body): (u16, &HeaderMap, &mut Body),
        begun: Instant,
    ) {
        let number = |name: &str| parts.headers.get(name)?.to_str().ok()?.parse().ok();
        let request = exchange.request(
            service,
            operation,
            self.principal,
            String::new(),
            String::new(),
            &parts.headers,
        );
        let labels: Vec<_> = self.labels.iter().map(|(name, text)| (*name, &**text)).collect();
        let answered = Answered {
            request: &request,
            method: parts.method.as_str(),
            uri: parts.uri.path_and_query().map_or("/", |uri| uri.as_str()),
            labels: &labels,
            signature: self.signature,
            received: number("x-amz-decoded-content-length").or_else(|| number("content-length")),
            status,
            error_code: self.error_code.as_deref(),
            headers,
            sent: body.len(),
            took: begun.elapsed(),
        };
        if let Some(when_sent) = (self.observer.answered)(exchange.cloud, &answered) {
            *body = sent(std::mem::take(body), begun, when_sent);
        }
    }
}

/// A body of which somebody hears when it was sent. One in memory is as good as sent.
fn sent(body: Body, begun: Instant, when_sent: WhenSent) -> Body {
    let telling = Telling { when_sent: Some(when_sent), begun };
    if body.is_empty() || body.bytes().is_some() {
        return body;
    }
    let (len, trailers) = (body.len(), body.trailers());
    let frames = stream::unfold((body, telling), |(mut body, telling)| async move {
        let frame = body.next().await?;
        Some((frame, (body, telling)))
    });
    let body = Body::stream(len, frames);
    match trailers {
        Some(trailers) => body.with_trailers(trailers),
        None => body,
    }
}

/// Tells when it is dropped: at the body's end, or when nobody reads on.
struct Telling {
    when_sent: Option<WhenSent>,
    begun: Instant,
}

impl Drop for Telling {
    fn drop(&mut self) {
        if let Some(when_sent) = self.when_sent.take() {
            when_sent(self.begun.elapsed());
        }
    }
}

/// A label as paths have it.
fn label(name: &'static str, value: &str) -> (&'static str, String) {
    (name, utf8_percent_encode(value, NON_ALPHANUMERIC).to_string())
}
