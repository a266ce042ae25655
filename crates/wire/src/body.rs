//! Bodies that stream.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

/// Why a body could not be read or produced to its end.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Headers that follow a body; they are known when its last frame was read.
pub type Trailers = Arc<OnceLock<Vec<(String, String)>>>;

/// Memory that is taken for a body only because its sender announced it.
const AT_ONCE_BYTES: usize = 1 << 20;

/// A message's body: in memory, or a stream of frames.
#[derive(Default)]
pub struct Body {
    frames: Inner,
    trailers: Option<Trailers>,
    sha256: Option<[u8; 32]>,
}

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Full(Bytes),
    Stream {
        len: Option<u64>,
        frames: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
    },
}

impl Body {
    /// A body without a byte.
    pub const fn empty() -> Body {
        Body { frames: Inner::Empty, trailers: None, sha256: None }
    }

    /// A body of frames, `len` bytes in all where that is known.
    pub fn stream(
        len: Option<u64>,
        frames: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    ) -> Body {
        Body {
            frames: Inner::Stream { len, frames: Box::pin(frames) },
            trailers: None,
            sha256: None,
        }
    }

    /// The same body, followed by headers that its producer sets before the last frame's end.
    pub fn with_trailers(mut self, trailers: Trailers) -> Body {
        self.trailers = Some(trailers);
        self
    }

    /// Where the headers that follow the body will stand once it was read to its end.
    pub fn trailers(&self) -> Option<Trailers> {
        self.trailers.clone()
    }

    /// The same body, of which its producer sees to it that its end is an error unless this is its SHA-256.
    pub fn with_sha256(mut self, sha256: [u8; 32]) -> Body {
        self.sha256 = Some(sha256);
        self
    }

    /// The SHA-256 of the body, where it is known beforehand; to be trusted once the body was read to its end.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.sha256
    }

    /// The number of bytes that are still to come, where it is known.
    pub fn len(&self) -> Option<u64> {
        match &self.frames {
            Inner::Empty => Some(0),
            Inner::Full(bytes) => Some(bytes.len() as u64),
            Inner::Stream { len, .. } => *len,
        }
    }

    /// Whether the body is known to have no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The whole body, if it is in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.frames {
            Inner::Full(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Reads the whole body, refusing more than `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BodyError> {
        if let Inner::Empty = self.frames {
            return Ok(Bytes::new());
        }
        if let Inner::Full(bytes) = self.frames {
            return Ok(bytes);
        }
        let fits = |len: usize| {
            let error = || format!("the body is longer than {limit} bytes").into();
            if len <= limit { Ok(()) } else { Err::<(), BodyError>(error()) }
        };
        // Most bodies that are collected come in one piece, which need not be copied.
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        fits(first.len())?;
        let Some(second) = self.next().await.transpose()? else { return Ok(first) };
        let announced = usize::try_from(self.len().unwrap_or(0)).unwrap_or(0).min(AT_ONCE_BYTES);
        let mut whole = Vec::with_capacity(first.len() + second.len() + announced);
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(frame) = next {
            fits(whole.len() + frame.len())?;
            whole.extend_from_slice(&frame);
            next = self.next().await.transpose()?;
        }
        Ok(whole.into())
    }

    /// The next frame, or none at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|context| self.poll_frame(context)).await
    }

    /// Polls for the next frame.
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        match std::mem::take(&mut self.frames) {
            Inner::Empty => Poll::Ready(None),
            Inner::Full(bytes) => Poll::Ready(Some(Ok(bytes))),
            Inner::Stream { len, mut frames } => {
                let polled = frames.as_mut().poll_next(context);
                let len = match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        len.map(|len| len.saturating_sub(frame.len() as u64))
                    }
                    _ => len,
                };
                if !matches!(polled, Poll::Ready(None)) {
                    self.frames = Inner::Stream { len, frames };
                }
                polled
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        if bytes.is_empty() {
            return Body::empty();
        }
        Body { frames: Inner::Full(bytes), trailers: None, sha256: None }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Bytes::from(text).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            Some(len) => write!(f, "Body({len} bytes)"),
            None => f.write_str("Body(stream)"),
        }
    }
}
