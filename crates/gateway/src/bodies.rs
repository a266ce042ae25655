//! Bodies on their way in and out: limits, signed chunks, promised hashes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::wire::{Body, BodyError, Trailers};
use fogbank_core::{Fault, HttpRequest, HttpResponse};
use fogbank_sigv4::ChunkedDecoder;
use http_body::{Body as HttpBody, Frame, SizeHint};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, Sleep};

use crate::authenticate;
use crate::readers::{Answers, Turn};

/// A body as hyper wants it, with its length where it is known.
pub(crate) struct Outgoing {
    body: Body,
    watched: Option<Box<Watched>>,
}

/// What is watched of an answer that shares its connection with others.
struct Watched {
    turn: Arc<Turn>,
    /// What is left of a frame that was too large to be given away at once.
    rest: Bytes,
}

/// The largest frame that a stream of HTTP/2 is given, in bytes: it may lie there when the client stops reading.
const STREAM_FRAME: usize = 64 * 1024;

impl Outgoing {
    pub(crate) fn response(response: HttpResponse) -> http::Response<Outgoing> {
        response.map(Outgoing::from)
    }

    /// The same as one of several answers on a connection.
    pub(crate) fn one_of(response: HttpResponse, answers: &Answers) -> http::Response<Outgoing> {
        response.map(|body| {
            let watched = (!body.is_empty())
                .then(|| Box::new(Watched { turn: answers.begin(), rest: Bytes::new() }));
            Outgoing { body, watched }
        })
    }
}

impl From<Body> for Outgoing {
    fn from(body: Body) -> Outgoing {
        Outgoing { body, watched: None }
    }
}

impl Watched {
    fn poll(
        &mut self,
        body: &mut Body,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.turn.ours();
        if self.rest.is_empty() {
            match ready!(body.poll_frame(context)) {
                Some(Ok(frame)) => self.rest = frame,
                other => return Poll::Ready(other),
            }
        }
        let frame = self.rest.split_to(self.rest.len().min(STREAM_FRAME));
        self.turn.clients(frame.len());
        Poll::Ready(Some(Ok(frame)))
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match &mut this.watched {
            None => this.body.poll_frame(context),
            Some(watched) => watched.poll(&mut this.body, context),
        };
        frame.map(|frame| frame.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty() && self.watched.as_ref().is_none_or(|watched| watched.rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.watched.as_ref().map_or(0, |watched| watched.rest.len() as u64);
        self.body.len().map(|len| SizeHint::with_exact(len + rest)).unwrap_or_default()
    }
}

/// A request with hyper's body as one with ours; and, if the sender waits to be told to send, whether he was.
pub(crate) fn request<B>(request: http::Request<B>) -> (HttpRequest, Option<Told>)
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let told = request.headers().contains_key(http::header::EXPECT).then(Told::default);
    // Who waits is told the answer instead, and has nothing under way.
    let drains = told.is_none();
    (request.map(|body| frames(body, drains, told.clone())), told)
}

/// Whether a sender was told to send: hyper does so when the body is first asked for.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<AtomicBool>);

impl Told {
    /// Ends the connection with the answer if the sender was not told to send.
    ///
    /// S3 does so, too, and says `100 Continue` even before an empty body. Botocore before 1.44, and so the AWS CLI,
    /// is confused by the next answer on a connection on which an answer came in the place of `100 Continue`.
    pub(crate) fn end_unless_told(&self, response: &mut HttpResponse) {
        if !self.0.load(Ordering::Relaxed) {
            let close = http::HeaderValue::from_static("close");
            response.headers_mut().insert(http::header::CONNECTION, close);
        }
    }
}

/// A hyper body as ours.
pub(crate) fn incoming<B>(body: B) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    frames(body, false, None)
}

fn frames<B>(body: B, drains: bool, told: Option<Told>) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    if body.is_end_stream() {
        return Body::empty();
    }
    let len = body.size_hint().exact();
    let (waited, received) = (Duration::ZERO, 0);
    let body = Some(Box::pin(body));
    Body::stream(len, Frames { body, patience: None, waited, received, drains, told })
}

/// How long a sender may pause within a body before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a body may be awaited in all, besides a second for each of so many bytes that came of it.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(120);
const LEAST_BYTES_PER_SEC: u64 = 1024;
/// How much of a body that nobody wants is read, in bytes, and for how long.
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(10);

struct Frames<B>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    /// None after its end.
    body: Option<Pin<Box<B>>>,
    /// Runs while the next frame is awaited, and since when that is.
    patience: Option<(Pin<Box<Sleep>>, Instant)>,
    /// How long frames were awaited before. The time in which nobody wanted any is not the sender's.
    waited: Duration,
    /// How many bytes came.
    received: u64,
    /// Whether the rest is read when nobody wants it any more.
    drains: bool,
    told: Option<Told>,
}

impl<B> futures_core::Stream for Frames<B>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let this = &mut *self;
        if let Some(told) = this.told.take() {
            told.0.store(true, Ordering::Relaxed);
        }
        loop {
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            let Poll::Ready(frame) = body.as_mut().poll_frame(context) else {
                let left = patience_left(this.waited, this.received);
                let (patience, _) = this
                    .patience
                    .get_or_insert_with(|| (Box::pin(tokio::time::sleep(left)), Instant::now()));
                ready!(patience.as_mut().poll(context));
                this.body = None;
                return Poll::Ready(Some(Err(Box::new(timed_out()))));
            };
            if let Some((_, since)) = this.patience.take() {
                this.waited += since.elapsed();
            }
            match frame {
                None => this.body = None,
                Some(Err(error)) => {
                    this.body = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                // Trailers of HTTP itself carry nothing that AWS defines.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        this.received += data.len() as u64;
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

impl<B> Drop for Frames<B>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    /// Many clients read the answer only when they have sent everything. If the connection were closed
    /// over what they still send, they would see a reset in the place of the error.
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|_| self.drains) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(DRAIN_TIME, async move {
            let mut drained = 0;
            while drained < DRAIN_LIMIT {
                let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
                let Some(Ok(frame)) = frame else { return };
                drained += frame.data_ref().map_or(0, Bytes::len);
            }
        }));
    }
}

/// How much longer a frame is awaited.
fn patience_left(waited: Duration, received: u64) -> Duration {
    let earned = Duration::from_secs(received / LEAST_BYTES_PER_SEC);
    (PATIENCE_IN_ALL + earned).saturating_sub(waited).min(PATIENCE)
}

fn timed_out() -> Fault {
    let message = "Your socket connection to the server was not read from or written to within \
                   the timeout period. Idle connections will be closed.";
    Fault::new("RequestTimeout", message).with_status(400)
}

/// A body whose SHA-256 was promised in the signature: its end is an error if the promise is broken.
pub(crate) fn promised(body: Body, sha256_hex: String) -> Body {
    let mut sha256 = [0; 32];
    let is_hash = hex::decode_to_slice(&sha256_hex, &mut sha256).is_ok();
    let sha256 = is_hash.then_some(sha256);
    let len = body.len();
    let body = Body::stream(len, Promised { body, hash: Some(Sha256::new()), sha256, sha256_hex });
    match sha256 {
        Some(sha256) => body.with_sha256(sha256),
        None => body,
    }
}

struct Promised {
    body: Body,
    hash: Option<Sha256>,
    /// What was promised; none if that is no hash.
    sha256: Option<[u8; 32]>,
    sha256_hex: String,
}

impl futures_core::Stream for Promised {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let frame = ready!(self.body.poll_frame(context));
        match (&frame, self.hash.take()) {
            (Some(Ok(bytes)), Some(mut hash)) => {
                hash.update(bytes);
                self.hash = Some(hash);
            }
            (None, Some(hash)) => {
                let computed: [u8; 32] = hash.finalize().into();
                if self.sha256 != Some(computed) {
                    let computed = hex::encode(computed);
                    return Poll::Ready(Some(Err(Box::new(mismatch(&self.sha256_hex, &computed)))));
                }
            }
            _ => {}
        }
        Poll::Ready(frame)
    }
}

/// The fault of a body that is not what was signed.
pub(crate) fn mismatch(claimed: &str, computed: &str) -> Fault {
    Fault::new(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
    .with("ClientComputedContentSHA256", claimed)
    .with("S3ComputedContentSHA256", computed)
    .with_status(400)
}

/// A body of signed or unsigned chunks: what it carries, verified on the way.
///
/// The headers that may follow the chunks become the body's trailers when its end is reached.
pub(crate) fn chunked(body: Body, decoder: ChunkedDecoder, decoded_len: Option<u64>) -> Body {
    let trailers = Trailers::default();
    let takes_trailers = decoder.takes_trailers();
    let chunks = Chunks {
        body,
        decoder: Some(decoder),
        input: Bytes::new(),
        trailers: Trailers::clone(&trailers),
    };
    let body = Body::stream(decoded_len, chunks);
    if takes_trailers { body.with_trailers(trailers) } else { body }
}

struct Chunks {
    body: Body,
    decoder: Option<ChunkedDecoder>,
    input: Bytes,
    trailers: Trailers,
}

impl futures_core::Stream for Chunks {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let this = &mut *self;
        loop {
            let Some(decoder) = &mut this.decoder else { return Poll::Ready(None) };
            match decoder.decode(&mut this.input) {
                Err(error) => return Poll::Ready(Some(Err(broken(&error)))),
                Ok(Some(payload)) => return Poll::Ready(Some(Ok(payload))),
                Ok(None) => {}
            }
            match ready!(this.body.poll_frame(context)) {
                Some(Ok(frame)) => this.input = frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let finished = this.decoder.take().map(ChunkedDecoder::finish);
                    return Poll::Ready(match finished {
                        Some(Err(error)) => Some(Err(broken(&error))),
                        Some(Ok(decoded)) => {
                            let _ = this.trailers.set(decoded.trailers);
                            None
                        }
                        None => None,
                    });
                }
            }
        }
    }
}

pub(crate) fn broken(error: &fogbank_sigv4::Error) -> BodyError {
    Box::new(authenticate::fault(error, fogbank_sigv4::Style::S3Xml))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that comes in pieces of `bytes`, one each `pause_secs`.
    fn dripping(bytes: usize, pause_secs: u64) -> impl HttpBody<Data = Bytes, Error = BodyError> {
        let piece = futures_util::stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_secs(pause_secs)).await;
            Some((Ok(Frame::data(Bytes::from(vec![0; bytes]))), ()))
        });
        http_body_util::StreamBody::new(piece)
    }

    #[tokio::test(start_paused = true)]
    async fn senders_who_drip_are_given_up_and_slow_ones_are_not() {
        let begun = Instant::now();
        // A byte every ten seconds keeps each pause short and would last for months.
        let error =
            incoming(dripping(1, 10)).collect(1 << 20).await.expect_err("it takes too long");
        assert!(error.to_string().contains("timeout period"), "{error}");
        assert!(begun.elapsed() < PATIENCE_IN_ALL + Duration::from_secs(20));
        let begun = Instant::now();
        let error = incoming(dripping(1, 1000)).collect(1 << 20).await.expect_err("a long pause");
        assert!(error.to_string().contains("timeout period"), "{error}");
        assert!(begun.elapsed() <= PATIENCE + Duration::from_secs(1));
        // Two KiB a second is slow; it comes to its end, which is the limit here.
        let error = incoming(dripping(20 * 1024, 10)).collect(1 << 20).await.expect_err("too long");
        assert!(error.to_string().contains("longer than"), "{error}");
    }

    #[tokio::test]
    async fn a_promised_body_ends_as_it_was_promised_or_with_an_error() {
        let kept = hex::encode(Sha256::digest(b"hello"));
        let body = promised(Body::from("hello".to_owned()), kept.clone());
        assert_eq!(body.sha256().map(hex::encode), Some(kept.clone()));
        assert_eq!(body.collect(10).await.expect("the body"), "hello");
        let body = promised(Body::from("hullo".to_owned()), kept);
        assert!(body.collect(10).await.is_err());
        let body = promised(Body::from("hello".to_owned()), "hello".to_owned());
        assert_eq!(body.sha256(), None);
        assert!(body.collect(10).await.is_err());
    }
}
