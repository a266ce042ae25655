//! The stage: streams queue their bytes, threads hash those of many streams in turns.
//!
//! A turn begins when somebody waits for it (a stream has ended, or has as much waiting as it may) or when as many
//! streams as fill the lanes have something to hash; a stream that is alone never waits for others. What the other
//! streams have by then is hashed along. So a slow stream delays nobody, and a fast one is not held up.

use std::collections::HashMap;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::batch::{self, Lane, Pending};
use crate::lanes::{INITIAL, MAX_LANES, State};

/// What a stream has waiting counts from here on: less is not worth a turn.
const WORTH_BYTES: usize = 64 << 10;
/// The most that one stream has waiting, and that all have together, as far as that leaves each [`WORTH_BYTES`].
const STREAM_BYTES: usize = 512 << 10;
const ALL_BYTES: usize = 32 << 20;
/// The most blocks of a stream in one turn: few, so that those who come meanwhile fill the lanes of the next.
const TURN_BLOCKS: usize = WORTH_BYTES / crate::lanes::BLOCK_BYTES;

static STAGE: Stage = Stage { queue: OnceLock::new(), work: Condvar::new() };

struct Stage {
    queue: OnceLock<Mutex<Queue>>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    next_id: u64,
    streams: HashMap<u64, Entry>,
    /// Streams that have at least [`WORTH_BYTES`] waiting and are not in a turn.
    ready: usize,
    /// Streams that somebody waits for and that are not in a turn.
    urgent: usize,
    threads: usize,
    idle: usize,
}

struct Entry {
    state: State,
    pending: Pending,
    len: u64,
    /// A thread hashes bytes of it now.
    in_turn: bool,
    ended: bool,
    waiting: bool,
    waker: Option<Waker>,
}

impl Entry {
    fn is_ready(&self) -> bool {
        !self.in_turn && self.pending.len() >= WORTH_BYTES
    }

    fn is_urgent(&self) -> bool {
        !self.in_turn && (self.ended || self.waiting) && self.pending.blocks() > 0
    }

    fn is_done(&self) -> bool {
        self.ended && !self.in_turn && self.pending.len() == 0
    }
}

impl Queue {
    /// How much a stream may have waiting before whoever fills it has to wait.
    fn room(&self) -> usize {
        (ALL_BYTES / self.streams.len().max(1)).clamp(WORTH_BYTES, STREAM_BYTES)
    }

    fn has_work(&self) -> bool {
        self.urgent > 0 || (self.ready > 0 && self.ready >= self.streams.len().min(MAX_LANES))
    }

    /// Changes a stream and counts what it is afterwards.
    fn change<T>(&mut self, id: u64, f: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let entry = self.streams.get_mut(&id)?;
        let (was_ready, was_urgent) = (entry.is_ready(), entry.is_urgent());
        let result = f(entry);
        self.ready = self.ready + usize::from(entry.is_ready()) - usize::from(was_ready);
        self.urgent = self.urgent + usize::from(entry.is_urgent()) - usize::from(was_urgent);
        Some(result)
    }

    /// Takes out what the next turn hashes, and how many blocks of each at most.
    fn begin_turn(&mut self) -> (Vec<u64>, Vec<Lane>, usize) {
        let mut candidates: Vec<(bool, usize, u64)> = self
            .streams
            .iter()
            .filter(|(_, entry)| !entry.in_turn && entry.pending.blocks() > 0)
            .map(|(id, entry)| (entry.is_urgent(), entry.pending.blocks(), *id))
            .collect();
        // Whoever is waited for comes first, the oldest before the others; then those with the most bytes.
        candidates.sort_unstable_by_key(|(urgent, blocks, id)| {
            (!urgent, if *urgent { 0 } else { usize::MAX - blocks }, *id)
        });
        candidates.truncate(MAX_LANES);
        let urgent = candidates.iter().filter(|candidate| candidate.0).map(|found| found.1).max();
        let blocks = urgent.or(candidates.last().map(|found| found.1)).unwrap_or(0);
        let ids: Vec<u64> = candidates.iter().map(|candidate| candidate.2).collect();
        let lanes = ids.iter().filter_map(|id| {
            self.change(*id, |entry| {
                entry.in_turn = true;
                Lane { state: entry.state, pending: mem::take(&mut entry.pending) }
            })
        });
        let lanes = lanes.collect();
        (ids, lanes, blocks.min(TURN_BLOCKS))
    }

    /// Puts back what a turn has left of the streams that still exist, and returns who waits for one of them.
    fn end_turn(&mut self, ids: Vec<u64>, lanes: Vec<Lane>) -> Vec<Waker> {
        let room = self.room();
        let mut wakers = Vec::new();
        for (id, lane) in ids.into_iter().zip(lanes) {
            let waker = self.change(id, |entry| {
                let later = mem::replace(&mut entry.pending, lane.pending);
                entry.pending.append(later);
                entry.state = lane.state;
                entry.in_turn = false;
                if entry.is_done() || (!entry.ended && entry.pending.len() < room) {
                    entry.waiting = false;
                    entry.waker.take()
                } else {
                    None
                }
            });
            wakers.extend(waker.flatten());
        }
        wakers
    }
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.get_or_init(Mutex::default).lock()
    }

    /// Has a thread look for work, if there is some and none is on the way to it.
    fn call(&'static self, mut queue: MutexGuard<'_, Queue>) {
        if !queue.has_work() {
            return;
        }
        if queue.idle > 0 {
            self.work.notify_one();
            return;
        }
        if queue.threads >= max_threads() {
            return;
        }
        queue.threads += 1;
        drop(queue);
        let thread = std::thread::Builder::new().name("md5".to_owned()).spawn(|| self.run());
        if let Err(error) = thread {
            tracing::warn!(%error, "no thread for MD5; hashing where the bytes come in");
            let mut queue = self.lock();
            queue.threads -= 1;
            while queue.threads == 0 && queue.has_work() {
                queue = self.turn(queue);
            }
        }
    }

    fn run(&'static self) {
        let mut queue = self.lock();
        loop {
            while queue.has_work() {
                queue = self.turn(queue);
            }
            queue.idle += 1;
            self.work.wait(&mut queue);
            queue.idle -= 1;
        }
    }

    fn turn<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let (ids, mut lanes, blocks) = queue.begin_turn();
        drop(queue);
        batch::hash(&mut lanes, blocks);
        let wakers = self.lock().end_turn(ids, lanes);
        wakers.into_iter().for_each(Waker::wake);
        self.lock()
    }
}

/// One thread hashes some gigabytes a second.
fn max_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(4))
    })
}

/// The MD5 of one stream in the making; what it has waiting is forgotten if it is dropped.
#[derive(Debug)]
pub struct Stream {
    id: u64,
}

impl Stream {
    /// Begins a stream.
    #[expect(clippy::new_without_default, reason = "a stream takes a place in the stage")]
    pub fn new() -> Stream {
        let mut queue = STAGE.lock();
        let id = queue.next_id;
        queue.next_id += 1;
        let entry = Entry {
            state: INITIAL,
            pending: Pending::default(),
            len: 0,
            in_turn: false,
            ended: false,
            waiting: false,
            waker: None,
        };
        queue.streams.insert(id, entry);
        Stream { id }
    }

    /// Adds bytes, which are hashed later; waits while too many of the stream are waiting.
    pub async fn update(&mut self, bytes: Bytes) {
        {
            let mut queue = STAGE.lock();
            queue.change(self.id, |entry| {
                entry.len += bytes.len() as u64;
                entry.pending.push(bytes);
            });
            STAGE.call(queue);
        }
        poll_fn(|context| self.poll_room(context)).await;
    }

    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = STAGE.lock();
        let room = queue.room();
        let waits = queue.change(self.id, |entry| {
            entry.waiting = entry.pending.len() >= room;
            if entry.waiting {
                entry.waker = Some(context.waker().clone());
            }
            entry.waiting
        });
        if waits != Some(true) {
            return Poll::Ready(());
        }
        STAGE.call(queue);
        Poll::Pending
    }

    /// Ends the stream. It is hashed to its end at once, whether or not somebody awaits the digest.
    pub fn finish(self) -> Digest {
        let mut queue = STAGE.lock();
        queue.change(self.id, |entry| {
            entry.pending.push(batch::padding(entry.len));
            entry.ended = true;
        });
        STAGE.call(queue);
        Digest { stream: self }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut queue = STAGE.lock();
        // What the stream counts for is taken back first.
        queue.change(self.id, |entry| {
            entry.in_turn = true;
        });
        let removed = queue.streams.remove(&self.id);
        // The others may fill the lanes now.
        STAGE.call(queue);
        drop(removed);
    }
}

/// The digest of a stream that has ended.
#[derive(Debug)]
pub struct Digest {
    stream: Stream,
}

impl Future for Digest {
    type Output = [u8; 16];

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<[u8; 16]> {
        let mut queue = STAGE.lock();
        let state = queue.change(self.stream.id, |entry| {
            if entry.is_done() {
                return Some(entry.state);
            }
            entry.waker = Some(context.waker().clone());
            None
        });
        match state.flatten() {
            Some(state) => {
                let mut digest = [0; 16];
                for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
                    *bytes = word.to_le_bytes();
                }
                Poll::Ready(digest)
            }
            None => Poll::Pending,
        }
    }
}
