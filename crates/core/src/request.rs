//! What is known of a call before its handler runs.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Principal, Timestamp, Way};

/// The facts of one call.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request id that the answer carries.
    pub id: String,
    /// The service's name, such as `sqs`.
    pub service: &'static str,
    /// The operation's name, such as `SendMessage`.
    pub operation: &'static str,
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The account whose resources are meant unless the input names another: the caller's.
    pub account: String,
    /// The region that the caller signed for.
    pub region: String,
    /// The time at which the call was accepted.
    pub now: Timestamp,
    /// The address under which the caller reached the cloud.
    pub endpoint: Endpoint,
    /// The caller's address; `None` for calls from inside.
    pub source_ip: Option<std::net::IpAddr>,
    /// The caller's `User-Agent`.
    pub user_agent: String,
    /// The page from which the caller says to come.
    pub referer: String,
    /// For calls by a service: the ARN and account of the resource on whose behalf it calls.
    pub source: Option<(String, String)>,
    /// How the call was signed; `None` for calls from inside and for those that nobody signed.
    pub signature: Option<RequestSignature>,
    /// The version of TLS over which the call came, such as `1.3`.
    pub tls_version: Option<&'static str>,
    /// The ways by which the call reaches what it is about, such as access points of S3.
    pub ways: Vec<Way>,
    /// The services through which a caller's own credentials reach this call, the first one first.
    pub via: Vec<String>,
}

/// How a call was signed, as condition keys of S3 tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSignature {
    /// The algorithm: `AWS4-HMAC-SHA256`, `AWS4-ECDSA-P256-SHA256`, or `AWS` for version 2.
    pub version: &'static str,
    /// Where the signature stands: `REST-HEADER`, `REST-QUERY-STRING` or `POST`.
    pub auth_type: &'static str,
    /// When it was made by the cloud's clock, if it says.
    pub signed_at: Option<Timestamp>,
    /// What the request states of its body in `x-amz-content-sha256`.
    pub content_sha256: Option<Cow<'static, str>>,
}

/// The address under which a caller reached the cloud; URLs that are returned use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it was reached over TLS.
    pub tls: bool,
    /// Host and port, such as `127.0.0.1:4566`.
    pub authority: Arc<str>,
}

impl Endpoint {
    /// The URL without a trailing slash, such as `http://127.0.0.1:4566`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let default = if self.tls { 443 } else { 80 };
        self.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(default)
    }
}
