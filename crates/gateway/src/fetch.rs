//! HTTP to the outside, such as SNS deliveries.

use std::time::Duration;

use fogbank_core::{Fault, HttpRequest, HttpResponse};

use crate::bodies::{self, Outgoing};
use crate::outbound::Outbound;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(15);

/// A client that keeps its connections.
pub(crate) struct Client(Outbound);

impl Client {
    pub(crate) fn new() -> Client {
        Client(Outbound::new())
    }

    pub(crate) fn fetch(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, Fault>> + Send + 'static {
        let answer = self.0.send(request.map(Outgoing::from));
        async move {
            match tokio::time::timeout(TIME, answer).await {
                Ok(Ok(response)) => Ok(response.map(bodies::incoming)),
                Ok(Err(error)) => Err(Fault::internal(error)),
                Err(_) => Err(Fault::internal("the receiver did not answer in time")),
            }
        }
    }
}
