//! HTTP to the outside, such as SNS deliveries.

use std::time::Duration;

use fogbank_core::{Fault, HttpRequest, HttpResponse};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::bodies::{self, Outgoing};

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(15);

/// A client that keeps its connections. Only plain HTTP so far: HTTPS needs a store of trusted roots.
pub(crate) struct Client(hyper_util::client::legacy::Client<HttpConnector, Outgoing>);

impl Client {
    pub(crate) fn new() -> Client {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        Client(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector))
    }

    pub(crate) fn fetch(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, Fault>> + Send + 'static {
        let is_plain = request.uri().scheme_str() == Some("http");
        let answer = self.0.request(request.map(Outgoing::from));
        async move {
            if !is_plain {
                return Err(Fault::internal("only http:// addresses can be reached so far"));
            }
            match tokio::time::timeout(TIME, answer).await {
                Ok(Ok(response)) => Ok(response.map(bodies::incoming)),
                Ok(Err(error)) => Err(Fault::internal(error)),
                Err(_) => Err(Fault::internal("the receiver did not answer in time")),
            }
        }
    }
}
