//! The answer of SelectObjectContent: events that come while the query is worked off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use fogbank_core::wire::BodyError;
use fogbank_core::wire::eventstream::{HeaderValue, Message};
use fogbank_core::{Body, Fault, tracing};
use fogbank_select::{Counts, Engine, Error, Step};

use super::room::{self, Room};
use super::whole::Whole;

/// How many steps the engine takes before others have their turn.
const STEPS_AT_ONCE: usize = 16;
/// From how many bytes on records are sent.
const RECORDS_BYTES: usize = 64 << 10;
/// After how many bytes of the object fewer records are sent, too.
const FLUSH_BYTES: u64 = 1 << 20;
/// After how many bytes a client hears that the query is still going on.
const SIGN_BYTES: u64 = 8 << 20;
/// Up to how many bytes an error is answered as one, before the stream begins.
const PATIENCE_BYTES: u64 = 4 << 20;

/// A query at work and the events that it has made.
pub(super) struct Events {
    whole: Whole,
    /// Not there while it works, and after its end.
    engine: Option<Engine>,
    /// The bytes that come next, unless the engine says which ones it wants.
    body: Body,
    /// What it may take in memory, once that is known.
    room: Option<Room>,
    wants_progress: bool,
    /// How many bytes had passed at the last sign of life.
    told: u64,
    /// How many bytes had passed when records were last sent.
    flushed: u64,
    events: BytesMut,
}

/// Why there will be no more events.
enum Failure {
    /// The query cannot be worked off.
    Query(Error),
    /// The object cannot be read.
    Body(BodyError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Query(error)
    }
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Failure {
        Failure::Body(Fault::from(error).into())
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Body(fault.into())
    }
}

impl Events {
    pub(super) fn new(
        mut engine: Engine,
        mut whole: Whole,
        wants_progress: bool,
    ) -> Result<Events, crate::Error> {
        let body = match engine.start() {
            Some(start) => whole.body(start)?,
            None => Body::empty(),
        };
        Ok(Events {
            whole,
            engine: Some(engine),
            body,
            room: None,
            wants_progress,
            told: 0,
            flushed: 0,
            events: BytesMut::new(),
        })
    }

    /// Works until there is something to answer with.
    pub(super) async fn begin(mut self) -> Result<Body, crate::Error> {
        while self.engine.is_some() && self.events.is_empty() {
            match self.advance().await {
                Ok(counts) if counts.processed >= PATIENCE_BYTES => break,
                Ok(_) => {}
                Err(Failure::Query(error)) => return Err(error.into()),
                Err(Failure::Body(error)) => return Err(Fault::internal(error).into()),
            }
        }
        Ok(Body::stream(None, Stream { idle: Some(self), next: None }))
    }

    /// Works for a bounded time.
    async fn advance(&mut self) -> Result<Counts, Failure> {
        let Some(mut engine) = self.engine.take() else { return Ok(Counts::default()) };
        let worked = self.whole.cloud.work(move || {
            let mut step = engine.step();
            for _ in 1..STEPS_AT_ONCE {
                match step {
                    Ok(Step::Going) if engine.pending() < RECORDS_BYTES => step = engine.step(),
                    _ => break,
                }
            }
            (engine, step)
        });
        let (mut engine, step) = worked.await?;
        let step = step?;
        let processed = engine.counts().processed;
        let is_due = engine.pending() >= RECORDS_BYTES
            || processed - self.flushed >= FLUSH_BYTES
            || step == Step::Done;
        if engine.pending() > 0 && is_due {
            self.flushed = processed;
            let records = engine.take();
            self.push("Records", "application/octet-stream", records);
        }
        match step {
            Step::Going => {}
            Step::Starved => match self.body.next().await {
                Some(Ok(piece)) => engine.feed(piece),
                Some(Err(error)) => return Err(Failure::Body(error)),
                None => engine.end(),
            },
            Step::Elsewhere(from) => self.body = self.whole.body(from)?,
            Step::Wanted(range) => {
                if self.room.is_none()
                    && let Some(bytes) = engine.weight()
                {
                    self.room = Some(room::take(&self.whole.cloud, bytes).await?);
                }
                engine.feed(self.whole.bytes(range).await?);
            }
            Step::Done => {
                let counts = engine.counts();
                if self.wants_progress {
                    self.push("Progress", "text/xml", document("Progress", counts));
                }
                self.push("Stats", "text/xml", document("Stats", counts));
                self.push("End", "", Bytes::new());
                return Ok(counts);
            }
        }
        let counts = engine.counts();
        if counts.processed - self.told >= SIGN_BYTES {
            self.told = counts.processed;
            match self.wants_progress {
                true => self.push("Progress", "text/xml", document("Progress", counts)),
                false => self.push("Cont", "", Bytes::new()),
            }
        }
        self.engine = Some(engine);
        Ok(counts)
    }

    fn push(&mut self, name: &'static str, media: &'static str, payload: Bytes) {
        let mut message = Message::event(name, media, payload);
        if media.is_empty() {
            message.headers.pop();
        }
        self.push_message(&message);
    }

    fn push_message(&mut self, message: &Message) {
        // Records are far shorter than messages may be.
        match message.encode() {
            Ok(bytes) => self.events.extend_from_slice(&bytes),
            Err(error) => tracing::error!(%error, "an event of a selection does not fit"),
        }
    }

    /// The next events; none at the end.
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        while self.events.is_empty() {
            self.engine.as_ref()?;
            match self.advance().await {
                Ok(_) => {}
                Err(Failure::Body(error)) => return Some(Err(error)),
                Err(Failure::Query(Error { code, message })) => {
                    let text = |text: String| HeaderValue::Text(text.into());
                    let headers = vec![
                        (":error-code".into(), HeaderValue::Text(code.into())),
                        (":error-message".into(), text(message)),
                        (":message-type".into(), HeaderValue::Text("error".into())),
                    ];
                    self.push_message(&Message { headers, payload: Bytes::new() });
                }
            }
        }
        Some(Ok(self.events.split().freeze()))
    }
}

/// The document of an event that tells how many bytes have passed.
fn document(name: &str, counts: Counts) -> Bytes {
    let Counts { scanned, processed, returned } = counts;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name}><BytesScanned>{scanned}</BytesScanned><BytesProcessed>{processed}</BytesProcessed><BytesReturned>{returned}</BytesReturned></{name}>"
    )
    .into()
}

type Next = Pin<Box<dyn Future<Output = (Events, Option<Result<Bytes, BodyError>>)> + Send>>;

/// The events as a body, made as they are read.
struct Stream {
    idle: Option<Events>,
    next: Option<Next>,
}

impl futures_core::Stream for Stream {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(mut events) = self.idle.take() {
            self.next = Some(Box::pin(async move {
                let next = events.next().await;
                (events, next)
            }));
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let (events, item) = ready!(next.as_mut().poll(context));
        self.next = None;
        if matches!(item, Some(Ok(_))) {
            self.idle = Some(events);
        }
        Poll::Ready(item)
    }
}
