//! The front door: accept → route → verify → decode → authorise → run → encode.
//!
//! The only crate that knows hyper. Calls from inside the cloud enter behind the network layer, so
//! that policies, metrics and logs hold for them as for any client.

mod admin;
mod authenticate;
mod authorise;
mod bodies;
mod budget;
mod catalogue;
pub mod client;
mod cross_origin;
mod digests;
mod events;
mod failures;
mod fetch;
mod forms;
mod guard;
mod hosts;
mod internal;
mod metrics;
pub mod objects;
mod outbound;
mod packed;
mod pipeline;
mod quirks;
mod readers;
mod route;
mod server;
mod timer;
mod tls;
mod watched;
mod workers;

use std::sync::Arc;

use fogbank_core::store::Apart;
use fogbank_core::{Cloud, Service};
use fogbank_identity::Directory;
use fogbank_sigv4::SigningKeyCache;

pub use admin::{AdminRoute, AdminRun, Banner};
use catalogue::Catalogue;
pub use server::serve;

/// How many signing keys each thread remembers.
const KEYS: usize = 256;

/// What the operator may set of the gateway.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether requests may come from other machines; else only `Host`s of this machine are served.
    pub allow_remote: bool,
    /// Whether metrics are shown to whoever asks; else to those who sign and may.
    pub open_metrics: bool,
    /// What `/_fogbank/health` and the banner say of the mode.
    pub banner: Banner,
}

/// The gateway of one cloud; clones share it.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) cloud: Cloud,
    pub(crate) catalogue: Catalogue,
    pub(crate) directory: Arc<Directory>,
    pub(crate) keys: Apart<SigningKeyCache>,
    pub(crate) admin: Vec<admin::Admin>,
    pub(crate) options: Options,
    pub(crate) fetch: fetch::Client,
    pub(crate) budget: budget::Budget,
}

impl Gateway {
    /// Builds the gateway over `services` and connects it to the cloud for internal calls.
    pub fn new(
        cloud: Cloud,
        services: &[&'static Service],
        directory: Arc<Directory>,
        admin: Vec<AdminRoute>,
        options: Options,
    ) -> Gateway {
        let gateway = Gateway(Arc::new(Inner {
            cloud: cloud.clone(),
            catalogue: Catalogue::new(services),
            directory,
            keys: Apart::new(|| SigningKeyCache::new(KEYS)),
            admin: admin.into_iter().map(admin::Admin::from).collect(),
            options,
            fetch: fetch::Client::new(),
            budget: budget::Budget::new(),
        }));
        cloud.open_front_door(Arc::new(internal::Door(Arc::downgrade(&gateway.0))));
        gateway
    }

    /// The cloud behind the gateway.
    pub fn cloud(&self) -> &Cloud {
        &self.0.cloud
    }

    /// Serves one request as if it had come over the network; for tests and embedding.
    pub async fn handle(
        &self,
        request: fogbank_core::HttpRequest,
        peer: pipeline::Peer,
    ) -> fogbank_core::HttpResponse {
        let entrance = pipeline::Entrance::new(Arc::clone(&self.0), peer);
        pipeline::handle(&entrance, request).await
    }
}

pub use pipeline::Peer;
