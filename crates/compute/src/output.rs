//! Captures what a child process writes, as lines, without losing one and without unbounded memory.
//!
//! Standard output and error share one pipe, which keeps their order. Beside plain text the pipe carries the frames of
//! Lambda's telemetry protocol (`_LAMBDA_TELEMETRY_LOG_FD`): a runtime that knows it sends a message of several lines
//! as one event. A frame begins with the bytes A5 5A 00, which no UTF-8 text contains.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

/// Longest log event; longer lines are split.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// How much of an invocation's log the caller may get back.
const TAIL_BYTES: usize = 4096;
const FRAME_MAGIC: [u8; 3] = [0xa5, 0x5a, 0x00];

/// Takes log lines. It is called on the server's own threads and must not block.
pub trait LogSink: Send + Sync {
    /// One event without its line end, at milliseconds since 1970.
    fn line(&self, at_unix_ms: i64, message: &str);
}

/// Milliseconds since 1970.
pub(crate) fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Hands lines to the sink and remembers the end of them.
pub(crate) struct Emitter {
    sink: Arc<dyn LogSink>,
    tail: Mutex<VecDeque<u8>>,
}

impl Emitter {
    pub(crate) fn new(sink: Arc<dyn LogSink>) -> Self {
        Self { sink, tail: Mutex::default() }
    }

    /// Emits one line, now.
    pub(crate) fn line(&self, message: &str) {
        self.line_at(now_unix_ms(), message);
    }

    fn line_at(&self, at_unix_ms: i64, message: &str) {
        self.sink.line(at_unix_ms, message);
        let mut tail = self.tail.lock();
        let start = message.len().saturating_sub(TAIL_BYTES);
        tail.extend(&message.as_bytes()[start..]);
        tail.push_back(b'\n');
        let excess = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
    }

    /// Forgets the tail: an invocation begins.
    pub(crate) fn begin(&self) {
        self.tail.lock().clear();
    }

    /// The last 4 KB since `begin`.
    pub(crate) fn tail(&self) -> String {
        let tail = self.tail.lock();
        let bytes: Vec<u8> = tail.iter().copied().collect();
        // The cut may fall inside a character; its rest is dropped rather than shown as garbage.
        let start = bytes.iter().position(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

/// Splits bytes into lines and frames.
struct Splitter {
    emitter: Arc<Emitter>,
    buffer: Vec<u8>,
    /// Bytes at the start of the buffer that are known to hold no line end.
    scanned: usize,
    /// The rest of a frame that is being read, and its time.
    frame: Option<(usize, Option<i64>)>,
}

impl Splitter {
    fn new(emitter: Arc<Emitter>) -> Self {
        Self { emitter, buffer: Vec::new(), scanned: 0, frame: None }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while self.step() {}
    }

    /// Emits one line or frame if the buffer holds it.
    fn step(&mut self) -> bool {
        if let Some((remaining, at)) = self.frame {
            let take = remaining.min(MAX_LINE_BYTES);
            if self.buffer.len() < take {
                return false;
            }
            self.emit(take, 0, at);
            self.frame = (remaining > take).then_some((remaining - take, at));
            return true;
        }
        if self.buffer.starts_with(&FRAME_MAGIC) {
            return self.begin_frame();
        }
        let found = self.buffer[self.scanned..]
            .iter()
            .position(|byte| *byte == b'\n' || *byte == FRAME_MAGIC[0])
            .map(|at| at + self.scanned);
        match found {
            Some(at) if at > MAX_LINE_BYTES => self.emit(MAX_LINE_BYTES, 0, None),
            Some(at) if self.buffer[at] == b'\n' => self.emit(at, 1, None),
            Some(at) => {
                let rest = &self.buffer[at..];
                if rest.len() < FRAME_MAGIC.len() && FRAME_MAGIC.starts_with(rest) {
                    self.scanned = at;
                    return false;
                }
                if rest.starts_with(&FRAME_MAGIC) {
                    self.emit(at, 0, None);
                } else {
                    self.scanned = at + 1;
                }
            }
            None if self.buffer.len() > MAX_LINE_BYTES => self.emit(MAX_LINE_BYTES, 0, None),
            None => {
                self.scanned = self.buffer.len();
                return false;
            }
        }
        true
    }

    /// Reads a frame's header: type (4 bytes), length (4) and, but for the oldest type, microseconds (8).
    fn begin_frame(&mut self) -> bool {
        let header = if self.buffer.get(3) == Some(&1) { 8 } else { 16 };
        if self.buffer.len() < header {
            return false;
        }
        let number = |range: std::ops::Range<usize>| {
            self.buffer[range].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let length = usize::try_from(number(4..8)).unwrap_or(usize::MAX);
        let at = (header == 16).then(|| i64::try_from(number(8..16) / 1000).unwrap_or(i64::MAX));
        self.buffer.drain(..header);
        self.scanned = 0;
        self.frame = (length > 0).then_some((length, at));
        true
    }

    /// Emits the first `length` bytes and skips `skip` more.
    fn emit(&mut self, length: usize, skip: usize, at: Option<i64>) {
        let mut line = &self.buffer[..length];
        while let [rest @ .., b'\n' | b'\r'] = line {
            line = rest;
        }
        if !line.is_empty() || skip > 0 {
            let text = String::from_utf8_lossy(line);
            self.emitter.line_at(at.unwrap_or_else(now_unix_ms), &text);
        }
        self.buffer.drain(..length + skip);
        self.scanned = 0;
    }

    /// Emits a last line that lacks its end.
    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let at = self.frame.take().and_then(|(_, at)| at);
            let length = self.buffer.len().min(MAX_LINE_BYTES);
            self.emit(length, 0, at);
        }
    }
}

/// The reading end of a child's output.
pub(crate) struct Output {
    drains: mpsc::Sender<oneshot::Sender<()>>,
}

impl Output {
    /// Makes the pipe; the second value is for the child's standard output and error.
    pub(crate) fn open(emitter: Arc<Emitter>) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = crate::process::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let reader = crate::sys::watch(reader)?;
        let (drains, requests) = mpsc::channel(1);
        tokio::spawn(read_all(reader, Splitter::new(emitter), requests));
        Ok((Self { drains }, writer))
    }

    /// Returns once everything that the child had written before the call has reached the sink.
    pub(crate) async fn drain(&self) {
        let (done, wait) = oneshot::channel();
        // After the end of the output the reader is gone, and everything was emitted.
        if self.drains.send(done).await.is_ok() {
            wait.await.ok();
        }
    }
}

async fn read_all(
    reader: AsyncFd<OwnedFd>,
    mut splitter: Splitter,
    mut requests: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            ready = reader.readable() => {
                let Ok(mut ready) = ready else { break };
                match read_available(&reader, &mut splitter, &mut chunk) {
                    Ok(true) => ready.clear_ready(),
                    Ok(false) | Err(_) => break,
                }
            }
            request = requests.recv() => {
                let Some(done) = request else { break };
                let open = read_available(&reader, &mut splitter, &mut chunk);
                splitter.flush();
                done.send(()).ok();
                if !matches!(open, Ok(true)) {
                    break;
                }
            }
        }
    }
    read_available(&reader, &mut splitter, &mut chunk).ok();
    splitter.flush();
}

/// Reads until the pipe is empty (true) or closed (false).
fn read_available(
    reader: &AsyncFd<OwnedFd>,
    splitter: &mut Splitter,
    chunk: &mut [u8],
) -> io::Result<bool> {
    loop {
        match rustix::io::read(reader.get_ref(), &mut *chunk) {
            Ok(0) => return Ok(false),
            Ok(read) => splitter.feed(&chunk[..read]),
            Err(rustix::io::Errno::AGAIN) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<(i64, String)>>);

    impl LogSink for Lines {
        fn line(&self, at: i64, message: &str) {
            self.0.lock().push((at, message.to_owned()));
        }
    }

    /// Feeds the input whole and byte by byte, and expects the same lines.
    fn split(input: &[u8]) -> Vec<(i64, String)> {
        let run = |step: usize| {
            let lines = Arc::new(Lines::default());
            let mut splitter = Splitter::new(Arc::new(Emitter::new(lines.clone())));
            input.chunks(step).for_each(|chunk| splitter.feed(chunk));
            splitter.flush();
            lines.0.lock().clone()
        };
        let (whole, single) = (run(input.len()), run(1));
        let texts = |lines: &[(i64, String)]| -> Vec<String> {
            lines.iter().map(|line| line.1.clone()).collect()
        };
        assert_eq!(texts(&whole), texts(&single));
        whole
    }

    fn frame(kind: u8, at_us: u64, text: &str) -> Vec<u8> {
        let mut frame = vec![0xa5, 0x5a, 0, kind];
        frame.extend((text.len() as u32).to_be_bytes());
        if kind != 1 {
            frame.extend(at_us.to_be_bytes());
        }
        frame.extend(text.as_bytes());
        frame
    }

    #[test]
    fn text_splits_at_line_ends_and_keeps_the_last() {
        let lines = split("a\r\nü\n\nlast ¥".as_bytes());
        let texts: Vec<&str> = lines.iter().map(|line| line.1.as_str()).collect();
        assert_eq!(texts, ["a", "ü", "", "last ¥"]);
    }

    #[test]
    fn frames_keep_their_line_ends_and_time() {
        let mut input = b"before".to_vec();
        input.extend(frame(3, 5_000, "one\ntwo\n"));
        input.extend(b"after\n");
        input.extend(frame(1, 0, "old"));
        let lines = split(&input);
        assert_eq!(lines[1], (5, "one\ntwo".to_owned()));
        let texts: Vec<&str> = lines.iter().map(|line| line.1.as_str()).collect();
        assert_eq!(texts, ["before", "one\ntwo", "after", "old"]);
    }

    #[test]
    fn long_lines_are_split_and_complete() {
        let mut input = vec![b'x'; MAX_LINE_BYTES * 2 + 10];
        input.push(b'\n');
        let lines: Vec<usize> = split(&input).iter().map(|line| line.1.len()).collect();
        assert_eq!(lines, [MAX_LINE_BYTES, MAX_LINE_BYTES, 10]);
        let big = "y".repeat(MAX_LINE_BYTES + 1);
        let lines: Vec<usize> = split(&frame(3, 1, &big)).iter().map(|l| l.1.len()).collect();
        assert_eq!(lines, [MAX_LINE_BYTES, 1]);
    }

    #[test]
    fn tail_holds_the_last_four_kilobytes() {
        let emitter = Emitter::new(Arc::new(Lines::default()));
        emitter.line("gone");
        emitter.begin();
        emitter.line("first");
        emitter.line(&"é".repeat(3000));
        let tail = emitter.tail();
        assert!(tail.len() <= TAIL_BYTES && tail.len() > TAIL_BYTES - 4);
        assert!(tail.ends_with("é\n") && !tail.contains('\u{fffd}') && !tail.contains("first"));
    }
}
