//! What a service crate exports: one `pub static SERVICE`.

use std::time::Duration;

use fogbank_store::TableLabel;
use fogbank_wire::{Struct, Style};
use serde_json::Value;

use crate::{
    BoxFuture, Check, Cloud, Cx, Fault, HttpRequest, HttpResponse, Op, ReadTx, Request,
    ResourcePolicy, Way,
};

/// Finds the policy and owner of the resource that a check names; `None` if there is no such resource.
pub type PolicyLookUp = fn(&ReadTx<'_>, &Check) -> Result<Option<ResourcePolicy>, Fault>;

/// Finds the tags of the resource that a permission is asked for; none if it has none or does not exist.
pub type TagLookUp = fn(&ReadTx<'_>, &Check) -> Result<Vec<(String, String)>, Fault>;

/// A request that a page of another origin makes, or asks beforehand whether it may make.
pub struct CrossOrigin<'a> {
    /// Whether the page asks beforehand, with `OPTIONS`.
    pub is_preflight: bool,
    /// The method of HTTP.
    pub method: &'a str,
    /// The path as sent, or with the bucket of the host put in front.
    pub path: &'a str,
    /// The request's headers.
    pub headers: &'a http::HeaderMap,
}

/// The headers that let a page of another origin read the answer to its request, or why it may not make it.
pub type CrossOriginLookUp = fn(&ReadTx<'_>, &CrossOrigin<'_>) -> Result<http::HeaderMap, Fault>;

/// Hears of requests from the network when they were answered.
pub struct Observer {
    /// Whether it wants to hear of a request, told from the labels of its path, still percent-encoded. It is asked of
    /// every request, before it runs.
    pub watches: fn(&Cloud, &[(&'static str, &str)]) -> bool,
    /// Hears how a request was answered, and may want to know when the answer's body was sent.
    pub answered: fn(&Cloud, &Answered<'_>) -> Option<WhenSent>,
}

/// Hears how long it took until an answer's body was sent, or its client was gone.
pub type WhenSent = Box<dyn FnOnce(Duration) + Send>;

/// A request from the network, and how it was answered.
pub struct Answered<'a> {
    /// The facts of the call; the principal is anonymous if nobody was found who signed it.
    pub request: &'a Request,
    /// The method of HTTP.
    pub method: &'a str,
    /// Path and query as they were sent.
    pub uri: &'a str,
    /// The labels of the path, still percent-encoded.
    pub labels: &'a [(&'static str, &'a str)],
    /// The version of the signature, and whether it stood in `AuthHeader` or `QueryString`.
    pub signature: Option<(&'static str, &'static str)>,
    /// How many bytes the request said that its body has, without the chunks' framing.
    pub received: Option<u64>,
    /// The status of the answer.
    pub status: u16,
    /// The code of the error, if it is one.
    pub error_code: Option<&'a str>,
    /// The answer's headers.
    pub headers: &'a http::HeaderMap,
    /// How many bytes the answer's body has, where it is known.
    pub sent: Option<u64>,
    /// How long it took until the answer was there.
    pub took: Duration,
}

/// Puts right what waits for a time that the clock has left and that has to come again.
pub type TimeWentBack = fn(Cx) -> BoxFuture<'static, Result<(), Fault>>;

/// A service: its model, its handlers, its background work and its own host names.
pub struct Service {
    /// The service in the model.
    pub model: &'static fogbank_wire::Service,
    /// How the service differs from others on the wire.
    pub style: Style,
    /// The implemented operations.
    pub operations: &'static [Op],
    /// The operations whose requests may come in `Content-Encoding: gzip`.
    pub packed: &'static [&'static str],
    /// The operations that look at some rows, store or fetch a body, and compute little. Others are kept from holding up
    /// the requests of other connections.
    pub quick: &'static [&'static str],
    /// Work that goes on in the background.
    pub tasks: &'static [Task],
    /// Work that effects of the outbox ask for.
    pub jobs: &'static [Job],
    /// The policy and owner of the resource with this ARN, for services with resource policies.
    pub resource_policy: Option<PolicyLookUp>,
    /// The tags of a resource, for the condition key `aws:ResourceTag/…`. Asked only if a policy has such a condition
    /// and the call's own access does not say.
    pub resource_tags: Option<TagLookUp>,
    /// The tags of an object that is there already, for S3's condition key `s3:ExistingObjectTag/…`, likewise.
    pub object_tags: Option<TagLookUp>,
    /// Puts what is meant in place of what stands for it in an input, such as a bucket's name in place of an access
    /// point's, before anybody asks whether the call is allowed, and says in which ways the call reaches it.
    pub reached: Option<ReachLookUp>,
    /// Lets pages of other origins call the service as far as it says, without a signature too. Others may not be called
    /// by pages that do not sign.
    pub cross_origin: Option<CrossOriginLookUp>,
    /// Hears of the service's requests from the network.
    pub observer: Option<&'static Observer>,
    /// HTTP that is not an AWS API: what users reach under a resource's own host or path.
    pub data_planes: &'static [DataPlane],
    /// Told when the clock went back: what rows put off until a time that they knew would else wait for that time to
    /// come again. It may be told twice.
    pub time_went_back: Option<TimeWentBack>,
    /// What is done, within seconds, before the server stops. A server that is killed does not do it.
    pub stop: Option<fn(Cx) -> BoxFuture<'static, ()>>,
    /// The tables of the service's rows, for those who look at the store as a whole.
    pub tables: &'static [TableLabel],
    /// Removes all that the service keeps of an account; of every account for `None`.
    pub reset: Option<Reset>,
    /// Forgets what was remembered of the rows: they are being replaced as a whole, and no transaction runs meanwhile. It
    /// must neither read nor write any.
    pub replaced: Option<fn(&Cloud)>,
}

/// Puts what is meant in place of what stands for it.
pub type ReachLookUp = fn(&ReadTx<'_>, &mut dyn Struct) -> Result<Vec<Way>, Fault>;

/// Removes all that a service keeps of an account, or of every account. It may be stopped at any point, and called again.
pub type Reset = fn(Cx, Option<String>) -> BoxFuture<'static, Result<(), Fault>>;

impl Service {
    /// A service without background work and without HTTP of its own.
    pub const fn new(
        model: &'static fogbank_wire::Service,
        style: Style,
        operations: &'static [Op],
    ) -> Service {
        Service {
            model,
            style,
            operations,
            packed: &[],
            quick: &[],
            tasks: &[],
            jobs: &[],
            resource_policy: None,
            resource_tags: None,
            object_tags: None,
            reached: None,
            cross_origin: None,
            observer: None,
            data_planes: &[],
            time_went_back: None,
            stop: None,
            tables: &[],
            reset: None,
            replaced: None,
        }
    }
}

/// A reconciler: it compares what is wanted with what is, and may run at any time, twice.
pub struct Task {
    /// Its name in logs and the topic that wakes it, such as `sqs.retention`.
    pub name: &'static str,
    /// How long it rests when nothing wakes it, by the cloud's clock or the machine's, whichever is faster.
    pub every: Duration,
    /// One round.
    pub run: fn(Cx) -> BoxFuture<'static, Result<(), Fault>>,
}

/// Work that a service asks of itself by [`crate::Effect::job`]; it may run more than once.
pub struct Job {
    /// Its name, such as `deliver-http`.
    pub name: &'static str,
    /// The work. An error means: try again later.
    pub run: fn(Cx, Value) -> BoxFuture<'static, Result<(), Fault>>,
}

/// HTTP that is not an AWS API, such as the routes of an API Gateway stage.
pub struct DataPlane {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// Whether a request is for it, told from method, path and headers alone.
    pub claims: fn(&http::request::Parts, &Cloud) -> bool,
    /// Serves a request. `cx` carries an anonymous principal and the endpoint that was reached.
    pub serve: fn(Cx, HttpRequest) -> BoxFuture<'static, HttpResponse>,
}
