//! Gives up clients who do not read the answers that they asked for.
//!
//! The bytes of a connection are watched where they are written: a client whose system takes none has stopped reading.
//! In HTTP/2 a client may stop reading one stream and go on with another, which shows in the body of that answer: nobody
//! asks for its next piece.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a client may pause while it is sent an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long its pauses may be together. Bytes that it takes earn it back, a second for each of so many, but no more: who
/// read fast once may not dwell for ever on what follows.
const CREDIT: Duration = Duration::from_secs(120);
const LEAST_BYTES_PER_SEC: u64 = 1024;
/// How often the streams of a connection are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How much longer a client may pause.
#[derive(Clone, Copy)]
struct Credit(Duration);

impl Credit {
    /// How long the next pause may be.
    fn left(self) -> Duration {
        self.0.min(PATIENCE)
    }

    fn spend(&mut self, pause: Duration) {
        self.0 = self.0.saturating_sub(pause);
    }

    fn earn(&mut self, bytes: usize) {
        if self.0 < CREDIT {
            let micros = bytes as u64 * 1_000_000 / LEAST_BYTES_PER_SEC;
            self.0 = (self.0 + Duration::from_micros(micros)).min(CREDIT);
        }
    }
}

/// A connection whose client must read what is sent to it.
pub(crate) struct Patient<S> {
    stream: S,
    credit: Credit,
    /// Runs while no more bytes are taken, and since when that is.
    waits: Option<(Pin<Box<Sleep>>, Instant)>,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S) -> Patient<S> {
        Patient { stream, credit: Credit(CREDIT), waits: None }
    }

    /// Has a write that cannot go on fail once it was awaited for too long.
    fn settle<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        bytes: impl Fn(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if written.is_pending() {
            let left = self.credit.left();
            let (wait, _) = self
                .waits
                .get_or_insert_with(|| (Box::pin(tokio::time::sleep(left)), Instant::now()));
            ready!(wait.as_mut().poll(context));
            let why = "the client does not read what it is sent";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
        }
        if let Some((_, since)) = self.waits.take() {
            self.credit.spend(since.elapsed());
        }
        if let Poll::Ready(Ok(taken)) = &written {
            self.credit.earn(bytes(taken));
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.settle(context, written, |count| *count)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.settle(context, written, |count| *count)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.settle(context, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        self.settle(context, closed, |()| 0)
    }
}

/// The answers that are being sent on a connection of many streams.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Vec<Weak<Turn>>>>);

/// Whose turn it is with an answer: ours to make its next piece, or the client's to take what was made.
pub(crate) struct Turn(Mutex<(Credit, Option<Instant>)>);

impl Answers {
    /// Watches another answer; at first its head is to be taken.
    pub(crate) fn begin(&self) -> Arc<Turn> {
        let turn = Arc::new(Turn(Mutex::new((Credit(CREDIT), Some(Instant::now())))));
        let mut turns = self.0.lock();
        turns.retain(|turn| turn.strong_count() > 0);
        turns.push(Arc::downgrade(&turn));
        turn
    }

    /// Waits until an answer is not read.
    pub(crate) async fn overdue(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.0.lock().iter().filter_map(Weak::upgrade).any(|turn| turn.is_overdue()) {
                return;
            }
        }
    }
}

impl Turn {
    /// The client asks for more.
    pub(crate) fn ours(&self) {
        let (credit, since) = &mut *self.0.lock();
        if let Some(since) = since.take() {
            credit.spend(since.elapsed());
        }
    }

    /// The client is given so many bytes.
    pub(crate) fn clients(&self, bytes: usize) {
        let (credit, since) = &mut *self.0.lock();
        credit.earn(bytes);
        *since = Some(Instant::now());
    }

    fn is_overdue(&self) -> bool {
        let (credit, since) = *self.0.lock();
        since.is_some_and(|since| since.elapsed() >= credit.left())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn send(stream: tokio::io::DuplexStream, bytes: usize) -> io::Result<()> {
        Patient::new(stream).write_all(&vec![0; bytes]).await
    }

    #[tokio::test(start_paused = true)]
    async fn clients_who_do_not_read_are_given_up() {
        let begun = Instant::now();
        let (client, server) = tokio::io::duplex(1024);
        let error = send(server, 10_000).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_who_read_in_drops_are_given_up_however_fast_they_were() {
        let (mut client, server) = tokio::io::duplex(1024);
        let begun = Instant::now();
        let reader = tokio::spawn(async move {
            let mut bytes = vec![0; 1 << 20];
            client.read_exact(&mut bytes).await.expect("a megabyte at once");
            while client.read_exact(&mut bytes[..1]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        });
        assert!(send(server, 2 << 20).await.is_err());
        assert!(begun.elapsed() <= CREDIT + PATIENCE, "{:?}", begun.elapsed());
        reader.await.expect("the reader");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_clients_get_all_of_it() {
        let (mut client, server) = tokio::io::duplex(1024);
        let reader = tokio::spawn(async move {
            let (mut all, mut bytes) = (0, vec![0; 40 * 1024]);
            while let Ok(count @ 1..) = client.read(&mut bytes).await {
                all += count;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            all
        });
        send(server, 2 << 20).await.expect("it is read");
        assert_eq!(reader.await.expect("the reader"), 2 << 20);
    }
}
