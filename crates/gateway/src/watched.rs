//! Requests of which a service's observer hears when they were answered.

use std::time::Instant;

use fogbank_core::wire::{Body, Response};
use fogbank_core::{Answered, Observer, Principal, WhenSent};
use fogbank_sigv4::{Error, Presented, Source};
use futures_util::stream;
use http::request::Parts;

use crate::pipeline::Exchange;

/// What is kept of a request until it was answered.
pub(crate) struct Watched {
    observer: &'static Observer,
    labels: Vec<(&'static str, String)>,
    signature: Option<(&'static str, &'static str)>,
    /// Who calls, once that is known.
    pub(crate) principal: Principal,
    pub(crate) error_code: Option<String>,
}

impl Watched {
    /// Begins to watch a request.
    pub(crate) fn new(
        observer: &'static Observer,
        labels: &[(&'static str, String)],
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
        let principal = Principal::anonymous();
        Watched { observer, labels: labels.to_vec(), signature, principal, error_code: None }
    }

    /// Tells the observer how the request was answered.
    pub(crate) fn tell(
        self,
        exchange: &Exchange<'_>,
        (service, operation): (&'static str, &'static str),
        parts: &Parts,
        response: &mut Response,
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
        let answered = Answered {
            request: &request,
            method: parts.method.as_str(),
            uri: parts.uri.path_and_query().map_or("/", |uri| uri.as_str()),
            labels: &self.labels,
            signature: self.signature,
            received: number("x-amz-decoded-content-length").or_else(|| number("content-length")),
            status: response.status,
            error_code: self.error_code.as_deref(),
            headers: &response.headers,
            sent: response.body.len(),
            took: begun.elapsed(),
        };
        if let Some(when_sent) = (self.observer.answered)(exchange.cloud, &answered) {
            let body = std::mem::take(&mut response.body);
            response.body = sent(body, begun, when_sent);
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
