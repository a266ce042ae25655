//! Listens: plain HTTP/1.1, HTTP/2 and TLS on one port; the first bytes decide.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::net::sockopt::set_tcp_congestion;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::bodies::{self, Outgoing};
use crate::pipeline::{self, Entrance, Peer};
use crate::readers::{Answers, Patient};
use crate::timer::ConnectionTimer;
use crate::tls::Certificates;
use crate::workers::Workers;
use crate::{Gateway, Inner};

/// How long a client may take to send a request's headers.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// How long requests may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes; also the size of a connection's buffer at most.
const HEAD_LIMIT: usize = 64 * 1024;
/// How many connections are served at once; more wait to be accepted. Each may hold a head.
const CONNECTIONS: usize = 4096;
/// TLS's handshake begins with this byte.
const TLS_HANDSHAKE: u8 = 0x16;
/// HTTP/2's preface begins so; no method of HTTP/1.1 does.
const HTTP2_PREFACE: &[u8] = b"PRI ";

/// Serves `listener` until `stop` is done, then lets open requests end.
pub async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let certificates = Arc::new(Certificates::new(gateway.cloud().settings().data_dir.clone()));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(stop);
    if listener.local_addr().is_ok_and(|address| address.ip().is_loopback()) {
        // Some systems pace what is sent by default, with a timer for every few packets. Within a machine that is a
        // quarter of the work of a large answer. Where it cannot be chosen, it stays.
        let _ = set_tcp_congestion(&listener, "reno");
    }
    gateway.cloud().spawn_here();
    let mut workers = Workers::new();
    loop {
        if places.available_permits() == 0 {
            tracing::warn!(CONNECTIONS, "all connections are taken; the next ones wait");
        }
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            listener.accept().await.map(|accepted| (accepted, place))
        };
        let accepted = tokio::select! {
            accepted = accept => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok(((stream, address), place)) => {
                let connection = Connection {
                    gateway: Arc::clone(&gateway.0),
                    address,
                    watcher: graceful.watcher(),
                    _place: place.ok(),
                };
                let certificates = Arc::clone(&certificates);
                workers.spawn(stream, |stream| connection.sniff(stream, certificates));
            }
            // Out of descriptors or memory: the listener lives on, so pause and go on.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

struct Connection {
    gateway: Arc<Inner>,
    address: SocketAddr,
    watcher: Watcher,
    /// Held as long as the connection lives.
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    async fn sniff(self, stream: TcpStream, certificates: Arc<Certificates>) {
        let _ = stream.set_nodelay(true);
        let mut first = [0; 4];
        let Ok(Ok(count)) = tokio::time::timeout(HEADER_TIME, peek(&stream, &mut first)).await
        else {
            return;
        };
        if count == 0 {
            return;
        }
        if first[0] != TLS_HANDSHAKE {
            let is_http2 = &first[..count] == HTTP2_PREFACE;
            return self.http(stream, is_http2, None).await;
        }
        let config = match certificates.config() {
            Ok(config) => config,
            Err(error) => return tracing::warn!(%error, "cannot serve TLS"),
        };
        let handshake = TlsAcceptor::from(config).accept(stream);
        if let Ok(Ok(stream)) = tokio::time::timeout(HEADER_TIME, handshake).await {
            let session = stream.get_ref().1;
            let is_http2 = session.alpn_protocol() == Some(b"h2");
            let version = match session.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "1.2",
                _ => "1.3",
            };
            self.http(stream, is_http2, Some(version)).await;
        }
    }

    async fn http<S>(self, stream: S, is_http2: bool, tls: Option<&'static str>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer { address: Some(self.address), tls };
        let entrance = Arc::new(Entrance::new(self.gateway, peer));
        let answers = is_http2.then(Answers::default);
        let known = answers.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (entrance, answers) = (Arc::clone(&entrance), known.clone());
            async move {
                let (request, told) = bodies::request(request);
                let mut response = pipeline::handle(&entrance, request).await;
                Ok::<_, std::convert::Infallible>(match answers {
                    Some(answers) => Outgoing::one_of(response, &answers),
                    None => {
                        // HTTP/2 has streams to end, and no such header.
                        if let Some(told) = told {
                            told.end_unless_told(&mut response);
                        }
                        Outgoing::response(response)
                    }
                })
            }
        });
        let outcome = match answers {
            Some(answers) => serve_streams(stream, service, self.watcher, &answers).await,
            None => {
                let mut builder = hyper::server::conn::http1::Builder::new();
                builder
                    .timer(ConnectionTimer::default())
                    .header_read_timeout(HEADER_TIME)
                    .max_buf_size(HEAD_LIMIT);
                let stream = TokioIo::new(Patient::new(stream));
                self.watcher.watch(builder.serve_connection(stream, service)).await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, peer = %self.address, "a connection ended early");
        }
    }
}

/// Serves a connection of HTTP/2 until its end, or until one of its answers is not read.
async fn serve_streams<S, H>(
    stream: S,
    service: H,
    watcher: Watcher,
    answers: &Answers,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: HttpService<Incoming, ResBody = Outgoing, Error = std::convert::Infallible>,
    H::Future: Send + 'static,
{
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(HEAD_LIMIT as u32)
        .keep_alive_interval(Some(HEADER_TIME));
    let connection = builder.serve_connection(TokioIo::new(Patient::new(stream)), service);
    tokio::select! {
        outcome = watcher.watch(connection) => outcome,
        // What goes with it are the other streams of a client that stopped reading one.
        () = answers.overdue() => Ok(()),
    }
}

/// Waits for the first bytes, four if they come together, without taking them.
async fn peek(stream: &TcpStream, first: &mut [u8; 4]) -> io::Result<usize> {
    loop {
        let count = stream.peek(first).await?;
        // One to three bytes can only be HTTP/2's preface if they begin like it; wait for the rest.
        if count == 4 || count == 0 || !HTTP2_PREFACE.starts_with(&first[..count]) {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fogbank_core::wire::Body;
    use http_body_util::{BodyExt, Empty};

    use super::*;

    /// Serves HTTP/2 with answers of a mebibyte; the path `/stream` has them in pieces. Says when the connection ends.
    fn streams() -> (tokio::io::DuplexStream, tokio::task::JoinHandle<Duration>) {
        let (client, server) = tokio::io::duplex(1 << 20);
        let answers = Answers::default();
        let known = answers.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let body = if request.uri().path() == "/stream" {
                let piece = || Some((Ok(Bytes::from(vec![0; 4096])), ()));
                Body::stream(
                    None,
                    futures_util::stream::unfold((), move |()| async move { piece() }),
                )
            } else {
                Body::from(Bytes::from(vec![0; 1 << 20]))
            };
            let answer = Outgoing::one_of(http::Response::new(body), &known);
            async { Ok::<_, std::convert::Infallible>(answer) }
        });
        let served = tokio::spawn(async move {
            let begun = tokio::time::Instant::now();
            let graceful = GracefulShutdown::new();
            let _ = serve_streams(server, service, graceful.watcher(), &answers).await;
            begun.elapsed()
        });
        (client, served)
    }

    async fn ask(client: tokio::io::DuplexStream, path: &str) -> http::Response<Incoming> {
        let stream = TokioIo::new(client);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
                .await
                .expect("HTTP/2");
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let request = hyper::Request::get(path).body(Empty::<Bytes>::new()).expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        tokio::spawn(async move {
            // The client stays, and answers pings.
            let _sender = sender;
            std::future::pending::<()>().await;
        });
        response
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_not_read_ends_its_connection() {
        let (client, served) = streams();
        let unread = ask(client, "http://fogbank/stream").await;
        let lived = served.await.expect("the server").as_secs();
        assert!((60..=75).contains(&lived), "{lived} seconds");
        drop(unread);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_read_comes_whole() {
        let (client, served) = streams();
        let answer = ask(client, "http://fogbank/").await;
        assert_eq!(answer.headers()["content-length"], "1048576");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body.len(), 1 << 20);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!served.is_finished(), "an answer that was read is no reason to end");
    }
}
