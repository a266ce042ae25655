//! Calls from one service to another, through the same front door as any client's.

use bytes::Bytes;
use fogbank_wire::Body;

use crate::{Access, BoxFuture, Cloud, Cx, Fault, Principal};

/// A request of HTTP for a data plane.
pub type HttpRequest = http::Request<Body>;
/// A response of HTTP from a data plane.
pub type HttpResponse = http::Response<Body>;

/// A call of an operation by name. It is decoded, authorised and audited like a client's.
#[derive(Debug)]
pub struct Call {
    /// Service and operation, such as `sqs:SendMessage`.
    pub action: String,
    /// Who calls.
    pub principal: Principal,
    /// The region in which to call.
    pub region: String,
    /// The account whose resources are meant unless the input names others.
    pub account: String,
    /// The input by the model's member names; blobs in base64, timestamps in epoch seconds.
    pub input: serde_json::Value,
    /// The streaming body, for operations that take one.
    pub body: Body,
    /// The ARN and account of the resource on whose behalf a service calls.
    pub source: Option<(String, String)>,
    /// The service that passes on a caller's own credentials, such as `rekognition.amazonaws.com`.
    pub via: Option<String>,
    /// The services that passed them on before, the first one first.
    pub called_via: Vec<String>,
}

/// The answer to a [`Call`].
#[derive(Debug)]
pub struct Reply {
    /// The output by the model's member names.
    pub output: serde_json::Value,
    /// The streaming body, for operations that return one.
    pub body: Body,
}

impl Reply {
    /// The whole streaming body, refusing more than `limit` bytes.
    pub async fn bytes(self, limit: usize) -> Result<Bytes, Fault> {
        self.body.collect(limit).await.map_err(Fault::internal)
    }
}

/// What the gateway offers to the inside of the cloud.
pub trait FrontDoor: Send + Sync {
    /// Runs a call: decode, authorise, run, audit.
    fn call(&self, cloud: Cloud, call: Call) -> BoxFuture<'static, Result<Reply, Fault>>;

    /// Refuses with AWS's message unless the caller of `cx` is granted every check of `access`.
    fn authorise(&self, cx: &Cx, access: &Access) -> Result<(), Fault>;

    /// Sends an HTTP request to the outside, such as an SNS delivery.
    fn fetch(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, Fault>>;
}
