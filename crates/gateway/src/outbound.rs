//! HTTP and HTTPS to other servers.
//!
//! A certificate must be signed by a root that this machine trusts, or by one of the file that `AWS_CA_BUNDLE` names.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::bodies::Outgoing;

/// How long a connection may take to be made. An answer may take as long as its work does.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A client that keeps its connections.
pub(crate) struct Outbound {
    plain: Client<HttpConnector, Outgoing>,
    /// Made when it is first needed: reading the trusted roots takes longer than a small call.
    secure: OnceLock<Option<Client<HttpsConnector<HttpConnector>, Outgoing>>>,
}

impl Outbound {
    pub(crate) fn new() -> Outbound {
        let plain = Client::builder(TokioExecutor::new()).build(connector());
        Outbound { plain, secure: OnceLock::new() }
    }

    /// Sends a request; an error says in one sentence why there is no answer.
    pub(crate) fn send(
        &self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, String>> + Send + use<> {
        let answer = match request.uri().scheme_str() {
            Some("http") => Ok(self.plain.request(request)),
            Some("https") => match self.secure.get_or_init(secure) {
                Some(client) => Ok(client.request(request)),
                None => Err("the trusted certificates of this machine cannot be read"),
            },
            _ => Err("only http:// and https:// addresses can be reached"),
        };
        async { answer?.await.map_err(|error| innermost(&error)) }
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIME));
    connector
}

fn secure() -> Option<Client<HttpsConnector<HttpConnector>, Outgoing>> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(bundle) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        match CertificateDer::pem_file_iter(&bundle) {
            Ok(found) => {
                roots.add_parsable_certificates(found.flatten());
            }
            Err(error) => tracing::warn!(%error, ?bundle, "AWS_CA_BUNDLE cannot be read"),
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .inspect_err(|error| tracing::error!(%error, "TLS cannot be spoken"))
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut http = connector();
    http.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http1()
        .wrap_connector(http);
    Some(Client::builder(TokioExecutor::new()).build(connector))
}

/// The outermost error says no more than that there was one.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
