//! The Lambda Runtime API (2018-06-01), one listener for each execution environment.
//!
//! A runtime asks for the next event and waits for it without a timeout, then posts the response or an error. The
//! environment on the other side submits one event at a time and waits for its `Reply`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};

use super::report::{self, MAX_RESPONSE_BYTES};
use super::spec::{Invocation, StreamPart};

/// Largest error document that is kept; a longer one is refused.
const MAX_ERROR_BYTES: usize = 1024 * 1024;
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const PREFIX: &str = "/2018-06-01/runtime/";

/// What the runtime made of an event.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The response, empty if it was streamed to the invocation's receiver.
    Response(Bytes),
    /// An error document and its type.
    Error { error_type: String, payload: Bytes },
    /// The response had more bytes than allowed.
    TooLarge,
}

/// How far the runtime has come.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It has not asked for an event yet.
    Starting,
    /// It asked for its first event at this time.
    Ready(Instant),
    /// It reported that it cannot start.
    Failed { error_type: String, payload: Bytes },
}

/// An event on its way to the runtime.
pub(crate) struct Work {
    pub(crate) invocation: Invocation,
    pub(crate) function_arn: String,
    pub(crate) deadline_unix_ms: i64,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// The event that the runtime works on.
struct Current {
    invocation: Invocation,
    reply: Option<oneshot::Sender<Reply>>,
}

#[derive(Default)]
struct State {
    queued: Option<Work>,
    current: Option<Current>,
}

/// The server's side of one environment's Runtime API.
pub(crate) struct RuntimeApi {
    state: Mutex<State>,
    submitted: Notify,
    phase: watch::Sender<Phase>,
}

impl RuntimeApi {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            submitted: Notify::new(),
            phase: watch::Sender::new(Phase::Starting),
        })
    }

    /// Serves the listener until the task is aborted.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().serve_connection(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "the Runtime API could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        stream.set_nodelay(true).ok();
        let service = hyper::service::service_fn(move |request| {
            let api = self.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = serving.await {
            tracing::debug!(%error, "a Runtime API connection ended");
        }
    }

    /// How far the runtime has come, to be waited on.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Gives the runtime an event. The environment submits one at a time.
    pub(crate) fn submit(&self, work: Work) {
        self.state.lock().queued = Some(work);
        self.submitted.notify_one();
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let Some(path) = path.strip_prefix(PREFIX) else {
            return refuse(StatusCode::NOT_FOUND, "NotFound", "There is no such endpoint.");
        };
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.response(id, request).await,
            (&Method::POST, ["invocation", id, "error"]) => self.error(id, request).await,
            (&Method::POST, ["init", "error"]) => self.init_error(request).await,
            _ => refuse(StatusCode::NOT_FOUND, "NotFound", "There is no such endpoint."),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.phase.send_if_modified(|phase| {
            let first = matches!(phase, Phase::Starting);
            if first {
                *phase = Phase::Ready(Instant::now());
            }
            first
        });
        loop {
            let submitted = self.submitted.notified();
            {
                let mut state = self.state.lock();
                if state.current.as_ref().is_some_and(|current| current.reply.is_some()) {
                    return refuse(
                        StatusCode::FORBIDDEN,
                        "InvalidStateTransition",
                        "Transition from Running to Ready is not allowed.",
                    );
                }
                if let Some(work) = state.queued.take() {
                    let response = event(&work);
                    let Work { invocation, reply, .. } = work;
                    state.current = Some(Current { invocation, reply: Some(reply) });
                    return response;
                }
            }
            submitted.await;
        }
    }

    /// Takes the reply's sender if the runtime answers the event that it works on.
    fn take_current(&self, id: &str) -> Option<Current> {
        let mut state = self.state.lock();
        let current = state.current.as_mut().filter(|it| it.invocation.request_id == id)?;
        let reply = current.reply.take()?;
        Some(Current { invocation: current.invocation.clone(), reply: Some(reply) })
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Some(Current { invocation, reply: Some(reply) }) = self.take_current(id) else {
            return refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
        };
        let streaming = request
            .headers()
            .get("lambda-runtime-function-response-mode")
            .is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming"));
        let received = if streaming {
            stream_body(request, &invocation).await
        } else {
            collect(request.into_body(), MAX_RESPONSE_BYTES).await.map(Reply::Response)
        };
        match received {
            Ok(answer) => {
                reply.send(answer).ok();
                accepted()
            }
            Err(Broken::TooLarge) => {
                reply.send(Reply::TooLarge).ok();
                refuse(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    &format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."),
                )
            }
            Err(Broken::Cut) => {
                reply.send(truncated()).ok();
                refuse(StatusCode::BAD_REQUEST, "InvalidRequest", "The body was cut off.")
            }
        }
    }

    async fn error(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Some(Current { reply: Some(reply), .. }) = self.take_current(id) else {
            return refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
        };
        let (error_type, payload) = error_of(request).await;
        reply.send(Reply::Error { error_type, payload }).ok();
        accepted()
    }

    async fn init_error(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (error_type, payload) = error_of(request).await;
        let failed = self.phase.send_if_modified(|phase| {
            let starting = matches!(phase, Phase::Starting);
            if starting {
                *phase = Phase::Failed { error_type, payload };
            }
            starting
        });
        if failed {
            accepted()
        } else {
            refuse(
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                "Transition from Ready to InitError is not allowed.",
            )
        }
    }
}

/// The answer to `next`: the event and its headers.
fn event(work: &Work) -> Response<Full<Bytes>> {
    let invocation = &work.invocation;
    let mut response = Response::new(Full::new(invocation.payload.clone()));
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        // A value that no header can carry, such as one with a line end, is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("content-type", "application/json");
    set("lambda-runtime-aws-request-id", &invocation.request_id);
    set("lambda-runtime-deadline-ms", &work.deadline_unix_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &work.function_arn);
    if let Some(trace_id) = &invocation.trace_id {
        set("lambda-runtime-trace-id", trace_id);
    }
    if let Some(context) = &invocation.client_context {
        set("lambda-runtime-client-context", context);
    }
    if let Some(identity) = &invocation.cognito_identity {
        set("lambda-runtime-cognito-identity", identity);
    }
    response
}

/// Why a body could not be used.
enum Broken {
    TooLarge,
    Cut,
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Broken> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Broken::Cut)?;
        if let Ok(chunk) = frame.into_data() {
            if whole.len() + chunk.len() > limit {
                drain(body).await;
                return Err(Broken::TooLarge);
            }
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(whole.freeze())
}

/// Reads the rest, so that a client that only reads after it has written gets its answer.
async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// Passes a streamed response on, or collects it when nobody takes the stream.
///
/// A handler that fails in the middle says so in the trailers.
async fn stream_body(request: Request<Incoming>, invocation: &Invocation) -> Result<Reply, Broken> {
    let content_type = header(request.headers(), CONTENT_TYPE.as_str());
    let mut receiver = invocation.stream.clone();
    if let Some(sender) = &receiver {
        let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        if sender.send(StreamPart::ContentType(content_type)).await.is_err() {
            receiver = None;
        }
    }
    let mut whole = BytesMut::new();
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Broken::Cut)?;
        if let Some(trailers) = frame.trailers_ref() {
            if let Some(error_type) = header(trailers, ERROR_TYPE) {
                let payload = header(trailers, "lambda-runtime-function-error-body");
                return Ok(Reply::Error {
                    payload: trailer_body(payload, &error_type),
                    error_type,
                });
            }
        } else if let Ok(chunk) = frame.into_data() {
            if let Some(sender) = &receiver {
                if sender.send(StreamPart::Chunk(chunk)).await.is_err() {
                    receiver = None;
                }
            } else if invocation.stream.is_none() {
                if whole.len() + chunk.len() > MAX_RESPONSE_BYTES {
                    drain(body).await;
                    return Err(Broken::TooLarge);
                }
                whole.extend_from_slice(&chunk);
            }
        }
    }
    Ok(Reply::Response(whole.freeze()))
}

/// The error document of a trailer is base64, because its text may hold line ends.
fn trailer_body(encoded: Option<String>, error_type: &str) -> Bytes {
    encoded
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .map(Bytes::from)
        .unwrap_or_else(|| report::error_document(error_type, "The response stream failed."))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The error document that a runtime posts; its type is in the header, or else in the document.
async fn error_of(request: Request<Incoming>) -> (String, Bytes) {
    let named = header(request.headers(), ERROR_TYPE);
    let payload = collect(request.into_body(), MAX_ERROR_BYTES).await.unwrap_or_default();
    let in_document = || {
        let document: serde_json::Value = serde_json::from_slice(&payload).ok()?;
        document.get("errorType")?.as_str().map(str::to_owned)
    };
    let error_type = named
        .filter(|named| !named.is_empty())
        .or_else(in_document)
        .unwrap_or_else(|| "Runtime.Unknown".to_owned());
    let payload = if payload.is_empty() {
        report::error_document(&error_type, "Unknown application error occurred")
    } else {
        payload
    };
    (error_type, payload)
}

fn truncated() -> Reply {
    let error_type = "Runtime.TruncatedResponse".to_owned();
    let payload = report::error_document(&error_type, "The runtime cut its response off.");
    Reply::Error { error_type, payload }
}

fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(r#"{"status":"OK"}"#));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(report::error_document(error_type, message)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Sends one request on its own connection and returns status and body.
    async fn send(address: std::net::SocketAddr, request: String) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    fn post(path: &str, headers: &str, body: &str) -> String {
        format!(
            "POST {PREFIX}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    async fn serve() -> (Arc<RuntimeApi>, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let api = RuntimeApi::new();
        tokio::spawn(api.clone().serve(listener));
        (api, address)
    }

    fn submit(api: &RuntimeApi, id: &str) -> oneshot::Receiver<Reply> {
        let (reply, wait) = oneshot::channel();
        api.submit(Work {
            invocation: Invocation {
                request_id: id.to_owned(),
                payload: Bytes::from_static(b"{\"a\":1}"),
                trace_id: Some("Root=1".to_owned()),
                client_context: Some("bad\nvalue".to_owned()),
                ..Invocation::default()
            },
            function_arn: "arn:f".to_owned(),
            deadline_unix_ms: 42,
            reply,
        });
        wait
    }

    const NEXT: &str =
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn an_event_goes_out_and_its_response_comes_back() {
        let (api, address) = serve().await;
        let waiting = tokio::spawn(send(address, NEXT.to_owned()));
        api.phase().wait_for(|phase| matches!(phase, Phase::Ready(_))).await.unwrap();
        let reply = submit(&api, "id-1");
        let (status, answer) = waiting.await.unwrap();
        assert_eq!(status, 200);
        for header in [
            "lambda-runtime-aws-request-id: id-1",
            "lambda-runtime-deadline-ms: 42",
            "lambda-runtime-invoked-function-arn: arn:f",
            "lambda-runtime-trace-id: Root=1",
            "{\"a\":1}",
        ] {
            assert!(answer.contains(header), "{answer}");
        }
        assert!(!answer.contains("client-context"));

        let (status, _) = send(address, NEXT.to_owned()).await;
        assert_eq!(status, 403, "an unanswered event blocks the next");
        let (status, _) = send(address, post("invocation/other/response", "", "1")).await;
        assert_eq!(status, 400);
        let (status, _) = send(address, post("invocation/id-1/response", "", "[1]")).await;
        assert_eq!(status, 202);
        assert!(matches!(reply.await.unwrap(), Reply::Response(body) if body == "[1]"));
        let (status, _) = send(address, post("invocation/id-1/response", "", "[2]")).await;
        assert_eq!(status, 400, "an event has one response");
    }

    #[tokio::test]
    async fn errors_carry_their_type_and_document() {
        let (api, address) = serve().await;
        let reply = submit(&api, "id");
        send(address, NEXT.to_owned()).await;
        send(address, post("invocation/id/error", "", r#"{"errorType":"E"}"#)).await;
        let Reply::Error { error_type, payload } = reply.await.unwrap() else { panic!() };
        assert_eq!((error_type.as_str(), &payload[..]), ("E", &br#"{"errorType":"E"}"#[..]));

        let (status, _) = send(address, post("init/error", "", "")).await;
        assert_eq!(status, 403, "initialisation is over");
        let (api, address) = serve().await;
        let headers = "Lambda-Runtime-Function-Error-Type: Runtime.X\r\n";
        send(address, post("init/error", headers, "")).await;
        let phase = api.phase().borrow().clone();
        assert!(matches!(phase, Phase::Failed { error_type, .. } if error_type == "Runtime.X"));
    }

    #[tokio::test]
    async fn a_response_that_is_too_large_is_refused() {
        let (api, address) = serve().await;
        let reply = submit(&api, "id");
        send(address, NEXT.to_owned()).await;
        let body = "x".repeat(MAX_RESPONSE_BYTES + 1);
        let (status, _) = send(address, post("invocation/id/response", "", &body)).await;
        assert_eq!(status, 413);
        assert!(matches!(reply.await.unwrap(), Reply::TooLarge));
    }
}
