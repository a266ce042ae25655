//! One request from its head to its answer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fogbank_core::wire::{self, Body, Protocol, Struct};
use fogbank_core::{
    Cloud, Cx, Endpoint, Fault, HttpRequest, HttpResponse, Principal, ReadTx, Request,
    RequestSignature, Run, Timestamp,
};
use fogbank_sigv4::{
    EMPTY_SHA256, Error as SignatureError, Payload, Presented, PresignedV2, RequestView, Rules,
    Source, sha256_hex,
};
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use crate::authenticate::{self, Caller, Old, Refusal};
use crate::budget::Reserved;
use crate::catalogue::{Entry, Known, S3_EXPRESS};
use crate::failures::{self, Form};
use crate::route::{self, Head, Route, Routed};
use crate::watched::Watched;
use crate::{
    Inner, admin, authorise, bodies, cross_origin, digests, events, forms, guard, hosts, packed,
    quirks, workers,
};

/// The largest body that is read into memory, in bytes; `Body` members stream without a limit.
const BODY_LIMIT: usize = 20 * 1024 * 1024;
/// The same for Lambda, whose functions' code comes in base64.
const CODE_LIMIT: usize = 72 * 1024 * 1024;

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address, unless it comes from inside the process.
    pub address: Option<SocketAddr>,
    /// The version of TLS that it came over, such as `1.3`.
    pub tls: Option<&'static str>,
}

/// Where requests come in: a connection. What they share is counted here, apart from that of others.
pub(crate) struct Entrance {
    gateway: Arc<Inner>,
    cloud: Cloud,
    peer: Peer,
    /// The last one: most requests of a connection name the same.
    host: Mutex<Option<Host>>,
}

/// The host that a request names.
#[derive(Clone)]
struct Host {
    authority: Arc<str>,
    /// Whether it can be meant for this machine.
    is_ours: bool,
}

impl Entrance {
    pub(crate) fn new(gateway: Arc<Inner>, peer: Peer) -> Entrance {
        let cloud = gateway.cloud.apart();
        Entrance { gateway, cloud, peer, host: Mutex::default() }
    }

    /// The host of a request; nothing if it names several, of which each could be meant.
    fn host(&self, parts: &Parts) -> Option<Host> {
        let named = host(parts)?;
        let mut last = self.host.lock();
        match &*last {
            Some(host) if *host.authority == *named => Some(host.clone()),
            _ => {
                let host = Host { authority: named.into(), is_ours: guard::is_ours(named) };
                Some(last.insert(host).clone())
            }
        }
    }
}

/// Serves one request.
pub(crate) async fn handle(entrance: &Entrance, request: HttpRequest) -> HttpResponse {
    let Entrance { gateway, cloud, peer, .. } = entrance;
    let (parts, body) = request.into_parts();
    let Some(Host { authority, is_ours }) = entrance.host(&parts) else {
        let why = Bytes::from_static(b"The request names more than one host.");
        return admin::response(400, "text/plain", why.into());
    };
    let host = &*authority;
    let is_signed = parts.headers.contains_key(http::header::AUTHORIZATION)
        || parts.uri.query().is_some_and(is_presigned);
    let plane = gateway.catalogue.services().find_map(|entry| {
        let mut planes = entry.service.data_planes.iter();
        let plane = planes.find(|plane| (plane.claims)(&parts, cloud))?;
        Some((entry.service.model.name, plane))
    });
    let is_own = admin::claims(parts.uri.path(), is_signed);
    // An API's own users call it, from pages of any origin that it allows. Some of our own paths look
    // at no signature, so that a page could make one up.
    let form = forms::bucket(&parts, host).filter(|_| !is_own);
    let is_api = !is_own && plane.is_none();
    let crossing = is_api.then(|| cross_origin::find(gateway, &parts, host)).flatten();
    let may_cross =
        (is_signed && !is_own) || plane.is_some() || form.is_some() || crossing.is_some();
    let refusal = guard::refusal(is_ours, &parts.headers, may_cross, gateway.options.allow_remote);
    if let Some(why) = refusal {
        return admin::response(403, "text/plain", Bytes::from_static(why.as_bytes()).into());
    }
    let exchange = Exchange {
        gateway,
        cloud,
        endpoint: Endpoint { tls: peer.tls.is_some(), authority: authority.clone() },
        peer,
        id: cloud.ids().uuid(),
    };
    // What is rare is boxed: every request's future has room for all that it may await, and is moved.
    if is_own {
        return Box::pin(admin::serve(&exchange, host, parts, body)).await;
    }
    if let Some((service, plane)) = plane {
        let cx = exchange.anonymous(service);
        let served = workers::aside((plane.serve)(cx, HttpRequest::from_parts(parts, body))).await;
        return served.unwrap_or_else(|fault| admin::failure(&fault));
    }
    if let Some(crossing) = crossing.as_ref().filter(|crossing| crossing.is_preflight()) {
        return crossing.answer(&exchange, &parts);
    }
    let granted = crossing.map(|crossing| crossing.headers(&exchange, &parts));
    let is_head = parts.method == http::Method::HEAD;
    let mut response = match form {
        Some(bucket) => Box::pin(forms::serve(&exchange, bucket, &parts, body)).await,
        None => exchange.api(host, parts, body).await,
    };
    if let Some(granted) = granted {
        response.headers_mut().extend(granted);
    }
    if is_head && response.status().is_client_error() {
        *response.body_mut() = Body::empty();
    }
    response
}

/// `Host`, or the authority of HTTP/2; nothing if there are several, of which each could be meant.
fn host(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(http::header::HOST).iter();
    let header = headers.next().map(|host| host.to_str().unwrap_or_default());
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let is_one = match (header, authority) {
        (Some(header), Some(authority)) => header.eq_ignore_ascii_case(authority),
        _ => true,
    };
    let host = header.or(authority).unwrap_or_default();
    (is_one && headers.next().is_none()).then_some(host)
}

/// Whether a query carries a signature, of version 4 or 2.
fn is_presigned(query: &str) -> bool {
    query.contains("X-Amz-Signature=")
        || (query.contains("AWSAccessKeyId=") && query.contains("Signature="))
}

/// One request and what is known of it from the start.
pub(crate) struct Exchange<'a> {
    pub(crate) gateway: &'a Arc<Inner>,
    pub(crate) cloud: &'a Cloud,
    pub(crate) endpoint: Endpoint,
    peer: &'a Peer,
    pub(crate) id: String,
}

/// A routed request whose caller is known.
struct Call<'a> {
    route: Route<'a>,
    known: &'a Known,
    caller: Caller,
    region: String,
    signature: Option<RequestSignature>,
    body: Body,
}

/// The signature that a request presents, or one of Signature Version 2.
struct Signed<'a> {
    presented: Result<Option<Presented<'a>>, SignatureError>,
    old: Option<Old<'a>>,
}

/// What a request means, and its body with the memory that is reserved for it.
type Found<'a> = (Route<'a>, Body, Option<Reserved<'a>>);

impl Call<'_> {
    /// Whether the body comes in something of which it must be taken.
    fn is_framed(&self, headers: &HeaderMap) -> bool {
        self.caller.events.is_some()
            || self.caller.decoder.is_some()
            || (self.known.may_be_packed && packed::is_packed(headers))
    }

    /// Takes the body out of its events, chunks or packing.
    async fn unframed(mut self, view: &RequestView<'_>, limit: usize) -> Result<Self, Refusal> {
        let streams = self.known.streams_in;
        if let Some(chain) = self.caller.events.take() {
            self.body = events::signed(self.body, *chain);
            if !streams {
                self.body = collect(self.body, limit).await?.into();
            }
        }
        if let Some(decoder) = self.caller.decoder.take() {
            self.body = bodies::chunked(self.body, *decoder, authenticate::decoded_len(view));
            if !streams {
                let trailers = self.body.trailers().unwrap_or_default();
                let document = Body::from(collect(self.body, limit).await?);
                self.body = document.with_trailers(trailers);
            }
        }
        if self.known.may_be_packed && packed::is_packed(view.headers) {
            self.body = packed::unpack(&collect(self.body, limit).await?, limit)?.into();
        }
        Ok(self)
    }
}

impl Exchange<'_> {
    /// The context of a request that is no API call.
    pub(crate) fn anonymous(&self, service: &'static str) -> Cx {
        let settings = self.cloud.settings();
        let (account, region) = (settings.account.clone(), settings.region.clone());
        let request = self.request(
            service,
            "",
            Arc::new(Principal::anonymous()),
            account,
            region,
            &HeaderMap::new(),
        );
        Cx::new(self.cloud.clone(), request)
    }

    pub(crate) fn request(
        &self,
        service: &'static str,
        operation: &'static str,
        principal: Arc<Principal>,
        account: String,
        region: String,
        headers: &HeaderMap,
    ) -> Request {
        let text =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Request {
            id: self.id.clone(),
            service,
            operation,
            principal,
            account,
            region,
            now: self.cloud.clock().now(),
            endpoint: self.endpoint.clone(),
            source_ip: self.peer.address.map(|address| address.ip()),
            user_agent: text(http::header::USER_AGENT).to_owned(),
            referer: text(http::header::REFERER).to_owned(),
            source: None,
            signature: None,
            tls_version: self.peer.tls,
            ways: Vec::new(),
            via: Vec::new(),
        }
    }

    async fn api(&self, host: &str, parts: Parts, body: Body) -> HttpResponse {
        let begun = Instant::now();
        let raw_path = parts.uri.path();
        let raw_query = parts.uri.query().unwrap_or_default();
        let view = RequestView {
            method: parts.method.as_str(),
            raw_path,
            raw_query,
            host,
            headers: &parts.headers,
        };
        let presented = fogbank_sigv4::parse(&view);
        let is_control = route::is_s3_control(raw_path, &parts.headers);
        let point = hosts::access_point(host).filter(|_| !is_control);
        let bucket = point.as_deref().or_else(|| hosts::bucket(host)).filter(|_| !is_control);
        let old = matches!(presented, Err(SignatureError::SigV2))
            .then(|| PresignedV2::parse(&view))
            .flatten()
            .map(|presigned| Old { presigned, bucket });
        let signed = Signed { presented, old };
        let scope = match (&signed.old, &signed.presented) {
            (Some(_), _) => Some("s3"),
            (None, Ok(Some(found))) => Some(found.service()),
            (None, _) => None,
        };
        let mut path = cross_origin::with_bucket(bucket, raw_path);
        if scope == Some(S3_EXPRESS) {
            path = quirks::path(path, &parts.headers);
        }
        let head = Head {
            method: parts.method.as_str(),
            path: &path,
            query: raw_query,
            headers: &parts.headers,
            scope,
            is_bucket_host: bucket.is_some(),
        };
        match self.find_route(&head, body).await {
            Ok(found) => self.serve(&parts, &head, &view, &signed, found, begun).await,
            Err(fault) => {
                self.log("", &parts, &fault);
                into_http(failures::render_for_nobody(&fault, &head, &self.id))
            }
        }
    }

    /// Answers a request of which is known what it means.
    async fn serve(
        &self,
        parts: &Parts,
        head: &Head<'_>,
        view: &RequestView<'_>,
        signed: &Signed<'_>,
        (route, body, reserved): Found<'_>,
        begun: Instant,
    ) -> HttpResponse {
        let entry = route.entry;
        let known = route.entry.operation(&route.operation);
        let service = route.entry.service.model.name;
        let protocol = route.protocol;
        let observer = route.entry.service.observer;
        let mut watched = observer
            .filter(|observer| (observer.watches)(self.cloud, &route.labels))
            .map(|observer| {
                let Signed { presented, old } = signed;
                Watched::new(observer, &route.labels, presented, old.is_some())
            });
        let prepared = self.prepare(head, view, signed, (route, body, reserved)).await;
        if let (Some(watched), Ok(call)) = (&mut watched, &prepared) {
            watched.principal = call.caller.principal.clone();
        }
        let answer = match prepared {
            // A panic ends this request and not the others of its connection.
            Ok(call) => AssertUnwindSafe(self.run(parts, head, call))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Fault::internal("the handler panicked"))),
            Err(refusal) => Err(refusal.into_fault(service, protocol)),
        };
        let mut response = answer.unwrap_or_else(|fault| {
            self.log(service, parts, &fault);
            if let Some(watched) = &mut watched {
                watched.error_code = Some(fault.name().to_owned());
            }
            let query_mode = parts.headers.contains_key("x-amzn-query-mode");
            let form = Form { entry, protocol, query_mode, request_id: &self.id };
            failures::render(&fault, &form)
        });
        if let Some(watched) = watched {
            let operation = known.map_or("", |known| known.op.model.name);
            let answer = (response.status, &response.headers, &mut response.body);
            watched.tell(self, (service, operation), parts, answer, begun);
        }
        if let Some(known) = known {
            self.count(known, service, response.status, begun);
        }
        into_http(response)
    }

    fn count(&self, known: &Known, service: &str, status: u16, begun: Instant) {
        let took = begun.elapsed();
        known.counters.count(status, took);
        let (operation, micros) = (known.op.model.name, took.as_micros());
        tracing::debug!(service, operation, status, micros, id = self.id, "answered");
    }

    /// Finds what the request means, reading the body if only the body tells.
    async fn find_route<'r>(&'r self, head: &Head<'r>, body: Body) -> Result<Found<'r>, Fault> {
        let catalogue = &self.gateway.catalogue;
        match route::by_head(catalogue, head).ok_or_else(|| failures::unclaimed(head))? {
            Routed::Known(route) => Ok((route, body, None)),
            Routed::InBody(entry) => {
                let mut reserved = None;
                let form = Box::pin(self.read(body, BODY_LIMIT, &mut reserved)).await?;
                let route = route::by_form(catalogue, entry, &form);
                Ok((route.ok_or_else(|| failures::unclaimed(head))?, form.into(), reserved))
            }
        }
    }

    /// Reads a body for which nobody vouches yet.
    async fn read<'r>(
        &'r self,
        body: Body,
        limit: usize,
        reserved: &mut Option<Reserved<'r>>,
    ) -> Result<Bytes, Fault> {
        if body.is_empty() {
            return Ok(Bytes::new());
        }
        if reserved.is_none() {
            *reserved = self.gateway.budget.reserve(body.len(), limit).await?;
        }
        collect(body, limit).await
    }

    /// Finds the handler, verifies the signature and reads the body unless it streams.
    async fn prepare<'r>(
        &'r self,
        head: &Head<'_>,
        view: &RequestView<'_>,
        Signed { presented, old }: &Signed<'_>,
        (route, mut body, mut reserved): Found<'r>,
    ) -> Result<Call<'r>, Refusal> {
        let presented = match (presented, old) {
            (_, Some(_)) => None,
            (Ok(presented), None) => presented.as_ref(),
            (Err(error), None) => return Err(error.clone().into()),
        };
        let known = route.entry.operation(&route.operation);
        let streams = known.is_some_and(|known| known.streams_in);
        let service = route.entry.service.model.name;
        let limit = if service == "lambda" { CODE_LIMIT } else { BODY_LIMIT };
        let (unsigned, is_read_later) = match presented {
            None => (Some(self.unsigned(view, old, route.entry, known)?), streams),
            Some(found) => (None, found.payload.is_framed() || (streams && is_stated(found))),
        };
        if !is_read_later && !body.is_empty() {
            body = Box::pin(self.read(body, limit, &mut reserved)).await?.into();
        }
        let settings = self.cloud.settings();
        let (caller, region) = match (presented, unsigned) {
            (Some(found), _) => {
                let signing_name =
                    authenticate::signing_name(route.entry.service.model, found.service());
                let is_hashed = !is_read_later && !is_unsigned(found);
                let hash = is_hashed.then(|| body_hash(&body));
                let gateway = self.gateway;
                let caller = authenticate::verify_signature(
                    gateway,
                    found,
                    signing_name,
                    view,
                    hash.as_deref(),
                )?;
                if is_read_later {
                    body = promised(found, body);
                }
                (caller, authenticate::region(found, &settings.region).to_owned())
            }
            (None, Some(caller)) => (caller, settings.region.clone()),
            (None, None) => return Err(SignatureError::MissingAuthentication.into()),
        };
        // From here on somebody vouches for the body.
        drop(reserved);
        let Some(known) = known else {
            return Err(Refusal::Ours(self.unknown(&route, head)));
        };
        let signature = (service == "s3").then(|| self.signature(presented, old.is_some()));
        let signature = signature.flatten();
        let call = Call { route, known, caller, region, signature, body };
        if call.is_framed(view.headers) {
            Box::pin(call.unframed(view, limit)).await
        } else {
            Ok(call)
        }
    }

    /// Who calls without a signature of today's kind, if that is possible.
    fn unsigned(
        &self,
        view: &RequestView<'_>,
        old: &Option<Old<'_>>,
        entry: &Entry,
        known: Option<&Known>,
    ) -> Result<Caller, Refusal> {
        if entry.service.model.name == "s3" {
            check_scheme(view.headers)?;
        }
        let principal = match old {
            Some(old) if entry.service.model.name == "s3" => {
                authenticate::verify_old(self.gateway, old, view)?
            }
            Some(_) => return Err(SignatureError::SigV2.into()),
            None if may_be_anonymous(entry, known) => Principal::anonymous().into(),
            None => return Err(SignatureError::MissingAuthentication.into()),
        };
        let decoder = authenticate::anonymous_decoder(view)?.map(Box::new);
        Ok(Caller { principal, decoder, events: None })
    }

    /// What S3's condition keys tell of a signature that was verified.
    fn signature(
        &self,
        presented: Option<&Presented<'_>>,
        is_old: bool,
    ) -> Option<RequestSignature> {
        const QUERY: &str = "REST-QUERY-STRING";
        let Some(found) = presented else {
            let (version, auth_type) = ("AWS", QUERY);
            let (signed_at, content_sha256) = (None, None);
            let old = RequestSignature { version, auth_type, signed_at, content_sha256 };
            return is_old.then_some(old);
        };
        let signed_at = Timestamp::from_secs(found.signed_at.unix_secs());
        Some(RequestSignature {
            version: found.algorithm.as_str(),
            auth_type: if found.source == Source::Query { QUERY } else { "REST-HEADER" },
            signed_at: Some(self.cloud.clock().at(signed_at)),
            content_sha256: found.payload.stated(),
        })
    }

    /// The operation stands in the model without a handler, or nowhere.
    fn unknown(&self, route: &Route<'_>, head: &Head<'_>) -> Fault {
        let model = route.entry.service.model;
        let operation = &route.operation;
        if model.operations.iter().any(|known| known.name == operation) {
            return Fault::not_implemented(model.name, operation);
        }
        if model.name == "s3" {
            return quirks::not_allowed(head.method, head.path);
        }
        let message = match (model.name, route.protocol) {
            (_, Protocol::AwsQuery | Protocol::Ec2Query) => {
                let version = model.api_version;
                format!(
                    "The action {operation} is not valid for this web service (version {version})."
                )
            }
            _ => "The operation is not known.".to_owned(),
        };
        Fault::new("UnknownOperation", message)
    }

    /// Decodes, authorises and runs.
    async fn run(
        &self,
        parts: &Parts,
        head: &Head<'_>,
        call: Call<'_>,
    ) -> Result<wire::Response, Fault> {
        let Call { route, known, caller, region, signature, body } = call;
        let service = route.entry.service;
        let account = match caller.principal.account.as_str() {
            "" => self.cloud.settings().account.clone(),
            account => account.to_owned(),
        };
        let mut request = self.request(
            service.model.name,
            known.op.model.name,
            caller.principal,
            account,
            region,
            &parts.headers,
        );
        request.signature = signature;
        let cx = Cx::new(self.cloud.clone(), request);
        let model = known.op.model;
        quirks::check(service.model.name, model.name, head.query, head.headers)?;
        let has_document = model.checksum_required || known.streams_in || !body.is_empty();
        if has_document && service.model.name == "s3" {
            digests::check(model.name, head.headers, &body, known.streams_in)?;
        }
        let message = wire::Request {
            method: head.method,
            raw_path: head.path,
            raw_query: head.query,
            headers: head.headers,
            labels: &route.labels,
        };
        let mut input = (known.op.input)();
        wire::decode(
            route.protocol,
            service.model,
            known.op.model,
            &service.style,
            &message,
            body,
            &mut *input,
        )
        .map_err(|rejection| rejected(&rejection, route.protocol, route.entry))?;
        let mut output = match known.is_quick || !workers::is_shared() {
            true => perform(self.gateway, known, cx, input).await?,
            false => Box::pin(self.perform_aside(known, cx, input)).await?,
        };
        Ok(wire::encode(
            route.protocol,
            service.model,
            known.op.model,
            &service.style,
            &mut *output,
            &self.id,
        ))
    }

    /// The same where it holds up no other connection.
    async fn perform_aside(
        &self,
        known: &Known,
        cx: Cx,
        input: Box<dyn Struct>,
    ) -> Result<Box<dyn Struct>, Fault> {
        let (gateway, operation) = (Arc::clone(self.gateway), known.op.model.name);
        let perform = async move {
            let entry = gateway.catalogue.by_name(cx.request().service);
            match entry.and_then(|entry| entry.operation(operation)) {
                Some(known) => perform(&gateway, known, cx, input).await,
                None => Err(Fault::internal("an operation is gone")),
            }
        };
        workers::aside(perform).await?
    }

    pub(crate) fn log(&self, service: &str, parts: &Parts, fault: &Fault) {
        let (method, path, id) = (&parts.method, parts.uri.path(), &self.id);
        match fault.cause() {
            Some(cause) if fault.name() == "InternalFailure" => {
                tracing::error!(service, %method, path, id, cause, "a request failed");
            }
            // What the caller is not told is told here, without being asked.
            Some(cause) => {
                let (code, message) = (fault.name(), fault.message());
                tracing::info!(service, %method, path, id, code, message, cause, "a request was refused");
            }
            None => {
                let (code, message) = (fault.name(), fault.message());
                tracing::debug!(service, %method, path, id, code, message, "a request was refused");
            }
        }
    }
}

/// Runs a handler in the way of its kind, if the caller may call it.
pub(crate) async fn perform(
    gateway: &Inner,
    known: &Known,
    mut cx: Cx,
    mut input: Box<dyn Struct>,
) -> Result<Box<dyn Struct>, Fault> {
    {
        let rows = cx.db().glance();
        if let Some(look_up) = known.reached {
            let ways = look_up(&ReadTx::new(&rows, &cx), &mut *input)?;
            if !ways.is_empty() {
                cx = cx.by(ways);
            }
        }
        let tx = ReadTx::new(&rows, &cx);
        authorise::authorise(gateway, known, &tx, &*input)?;
        // What only reads sees the rows upon which it was allowed.
        if let Run::Read(handler) = &known.op.run {
            return handler(&tx, input);
        }
    }
    match &known.op.run {
        Run::Read(_) => Err(Fault::internal("a handler that only reads was not run")),
        Run::Write(handler) => {
            let mut input = Some(input);
            // What waits for the disk has much to remember, which every other call would carry along.
            Box::pin(cx.write(|tx| match input.take() {
                Some(input) => handler(tx, input),
                None => Err(Fault::internal("the engine retried a transaction without its input")),
            }))
            .await
        }
        Run::Task(handler) => handler(cx, input).await,
    }
}

/// A rejected input as a fault with the service's code.
pub(crate) fn rejected(rejection: &wire::Rejection, protocol: Protocol, entry: &Entry) -> Fault {
    let style = &entry.service.style;
    let fault = Fault::new(rejection.code(protocol, style), rejection.message(protocol, style));
    let extra = rejection.extra(style).into_iter();
    extra.fold(fault.with_status(400), |fault, (name, value)| fault.with(name, value))
}

/// Whether an operation may be called without a signature at all; policies decide the rest.
fn may_be_anonymous(entry: &Entry, known: Option<&Known>) -> bool {
    matches!(entry.service.model.name, "s3" | "sqs" | "sns")
        || known.is_some_and(|known| known.op.model.unsigned)
}

/// S3 takes no tokens of other kinds (`Basic`, `Bearer`) for a request without a signature.
fn check_scheme(headers: &HeaderMap) -> Result<(), Refusal> {
    let found = headers
        .get(http::header::AUTHORIZATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    match found {
        Some(value) if !value.trim().is_empty() => {
            let fault = Fault::new("InvalidArgument", "Unsupported Authorization Type");
            let fault = fault.with("ArgumentName", "Authorization").with("ArgumentValue", value);
            Err(Refusal::Ours(fault))
        }
        _ => Ok(()),
    }
}

/// The SHA-256 of a body that was read, as signatures have it; most requests have none.
fn body_hash(body: &Body) -> Cow<'static, str> {
    match body.bytes() {
        None => Cow::Borrowed(EMPTY_SHA256),
        Some(bytes) => Cow::Owned(sha256_hex(bytes)),
    }
}

/// Whether the signature covers no body.
fn is_unsigned(presented: &Presented<'_>) -> bool {
    match presented.payload {
        Payload::Unsigned => true,
        Payload::Absent => presented.source == Source::Query && is_s3(presented),
        _ => false,
    }
}

/// Whether the request states what its signature says of the body, so that the body may be read later.
pub(crate) fn is_stated(presented: &Presented<'_>) -> bool {
    is_s3(presented) || matches!(presented.payload, Payload::Sha256(_) | Payload::Unsigned)
}

fn is_s3(presented: &Presented<'_>) -> bool {
    authenticate::rules(presented.service()) == Rules::S3
}

/// The body with the promise of its hash, where the signature made one.
pub(crate) fn promised(presented: &Presented<'_>, body: Body) -> Body {
    match &presented.payload {
        Payload::Sha256(hash) => bodies::promised(body, hash.to_ascii_lowercase()),
        _ => body,
    }
}

pub(crate) async fn collect(body: Body, limit: usize) -> Result<Bytes, Fault> {
    let refused = |error| {
        let message = "The request's body is too large or ended early.";
        Fault::of_body(error, "RequestEntityTooLarge", message)
    };
    // What announces its length is refused before it is read.
    if body.len().is_some_and(|len| len > limit as u64) {
        return Err(refused(format!("the body is longer than {limit} bytes").into()));
    }
    body.collect(limit).await.map_err(refused)
}

pub(crate) fn into_http(response: wire::Response) -> HttpResponse {
    let mut answer = HttpResponse::new(response.body);
    *answer.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *answer.headers_mut() = response.headers;
    answer
}
