//! Sends requests over kept connections and times the answers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// A request, ready to send.
pub(crate) type Bytes = Rc<[u8]>;

/// What a run came to.
pub(crate) struct Run {
    pub(crate) done: u64,
    pub(crate) errors: u64,
    pub(crate) took: Duration,
    micros: Vec<u32>,
}

impl Run {
    /// The latency in microseconds that `percent` of the requests stayed below.
    pub(crate) fn percentile(&self, percent: usize) -> u32 {
        self.permille(percent * 10)
    }

    /// The latency in microseconds that so many of a thousand requests stayed below.
    pub(crate) fn permille(&self, permille: usize) -> u32 {
        let last = self.micros.len().saturating_sub(1);
        self.micros.get(last * permille / 1000).copied().unwrap_or_default()
    }
}

/// Replays `requests` in turn from `concurrency` connections for `span`.
pub(crate) async fn run(
    authority: &str,
    requests: &[Bytes],
    concurrency: usize,
    span: Duration,
) -> anyhow::Result<Run> {
    let next = Rc::new(Cell::new(0_usize));
    let errors = Rc::new(Cell::new(0_u64));
    let micros = Rc::new(RefCell::new(Vec::new()));
    let begun = Instant::now();
    let local = LocalSet::new();
    for _ in 0..concurrency {
        let mut connection = Connection::open(authority).await?;
        let requests: Vec<Bytes> = requests.to_vec();
        let (next, errors, micros) = (Rc::clone(&next), Rc::clone(&errors), Rc::clone(&micros));
        local.spawn_local(async move {
            while begun.elapsed() < span {
                let index = next.get();
                next.set(index + 1);
                let sent = Instant::now();
                match connection.exchange(&requests[index % requests.len()]).await {
                    Ok(200..=299) => {}
                    Ok(_) => errors.set(errors.get() + 1),
                    Err(_) => {
                        errors.set(errors.get() + 1);
                        break;
                    }
                }
                let took = sent.elapsed().as_micros();
                micros.borrow_mut().push(u32::try_from(took).unwrap_or(u32::MAX));
            }
        });
    }
    local.await;
    let took = begun.elapsed();
    let mut micros = micros.take();
    micros.sort_unstable();
    Ok(Run { done: micros.len() as u64, errors: errors.get(), took, micros })
}

/// A kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(authority: &str) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(authority).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: vec![0; 256 * 1024] })
    }

    /// Sends a request and reads the whole answer; returns its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.exchange_into(request, |_| ()).await
    }

    /// The same with the answer's body.
    pub(crate) async fn exchange_for_body(
        &mut self,
        request: &[u8],
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut body = Vec::new();
        let status = self.exchange_into(request, |bytes| body.extend_from_slice(bytes)).await?;
        Ok((status, body))
    }

    /// The same with the answer's body as it comes, piece by piece.
    pub(crate) async fn exchange_into(
        &mut self,
        request: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let (head, status, len) = loop {
            let count = self.stream.read(&mut self.buffer[filled..]).await?;
            if count == 0 {
                bail!("the server closed the connection");
            }
            filled += count;
            if let Some(head) = find_head(&self.buffer[..filled]) {
                let text = std::str::from_utf8(&self.buffer[..head])?;
                break (head, status(text)?, content_length(text)?);
            }
            if filled == self.buffer.len() {
                bail!("the answer's head is too long");
            }
        };
        take(&self.buffer[head..filled]);
        let mut remaining = (head + len).saturating_sub(filled);
        while remaining > 0 {
            let room = remaining.min(self.buffer.len());
            let count = self.stream.read(&mut self.buffer[..room]).await?;
            if count == 0 {
                bail!("the server closed the connection");
            }
            take(&self.buffer[..count]);
            remaining -= count;
        }
        Ok(status)
    }
}

/// The length of the head with its blank line.
fn find_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn status(head: &str) -> anyhow::Result<u16> {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return value.trim().parse().context("a content-length");
        }
    }
    if status(head)? == 204 { Ok(0) } else { bail!("the answer has no content-length") }
}
