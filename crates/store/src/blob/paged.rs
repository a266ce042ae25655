//! Writing a blob in whole pages, past the system's cache.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::disk::DiskFile;
use super::pages::{PAGE_BYTES, Pages};
use super::segment::{self, HEADER_BYTES, Segment};
use super::{Blobs, writer};
use crate::Error;

/// Writes of one blob that run at the same time, while the next buffer is filled.
const IN_FLIGHT: usize = 2;
/// How much of a long file is allocated ahead: writes into allocated blocks do not wait for each other.
const AHEAD_BYTES: u64 = 32 << 20;

/// Where the pages go.
#[derive(Clone)]
pub(super) enum Home {
    /// An extent from an offset on, with a header in front of up to `capacity` bytes.
    Segment { segment: Arc<Segment>, offset: u64, capacity: u64 },
    /// A file of its own.
    File { file: Arc<dyn DiskFile>, id: u64 },
}

/// A blob on its way to the disk.
pub(super) struct Paged {
    pub(super) home: Home,
    /// The length of the blob, or an upper bound of it, as far as it is known.
    expected: Option<u64>,
    pages: Option<Pages>,
    /// The first page of an extent, which waits for the header when the pages behind it are written.
    first: Option<Bytes>,
    /// Bytes before those in `pages`, with the header.
    flushed: u64,
    allocated: u64,
    running: VecDeque<JoinHandle<Result<(), Error>>>,
}

impl Home {
    fn header_bytes(&self) -> u64 {
        match self {
            Home::Segment { .. } => HEADER_BYTES,
            Home::File { .. } => 0,
        }
    }

    fn base(&self) -> u64 {
        match self {
            Home::Segment { offset, .. } => *offset,
            Home::File { .. } => 0,
        }
    }

    fn name(&self) -> String {
        match self {
            Home::Segment { segment, .. } => segment::name(segment.id),
            Home::File { id, .. } => writer::name(*id),
        }
    }

    /// Writes pages at an offset from the blob's begin, once there are blocks for the file up to `allocate`.
    fn write(
        &self,
        pages: &Pages,
        skip: usize,
        at: u64,
        allocate: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        let file = match self {
            Home::Segment { segment, offset, .. } => {
                segment.allocate(offset + at + pages.len() as u64);
                &segment.file
            }
            Home::File { file, .. } => {
                if let Some((from, to)) = allocate {
                    // Where it cannot be done the write does it, or says why not.
                    let _ = file.allocate(from, to - from);
                }
                file
            }
        };
        file.write_pages(pages, skip, self.base() + at + skip as u64)
            .map_err(|error| Error::io(format!("writing {}", self.name()), error))
    }
}

impl Paged {
    pub(super) fn new(home: Home, expected: Option<u64>) -> Paged {
        Paged {
            home,
            expected,
            pages: None,
            first: None,
            flushed: 0,
            allocated: 0,
            running: VecDeque::new(),
        }
    }

    /// Adds bytes; waits for the disk if too many are on their way to it.
    pub(super) async fn push(&mut self, blobs: &Blobs, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.pages.as_ref().is_some_and(Pages::is_full) {
                self.flush(blobs).await?;
            }
            let pages = self
                .pages
                .get_or_insert_with(|| new_pages(&self.home, self.expected, self.flushed));
            bytes = &bytes[pages.push(bytes)..];
        }
        Ok(())
    }

    /// Begins to write the buffer, which is not the last.
    async fn flush(&mut self, blobs: &Blobs) -> Result<(), Error> {
        let Some(pages) = self.pages.take() else { return Ok(()) };
        let (at, mut skip) = (self.flushed, 0);
        self.flushed += pages.len() as u64;
        if at == 0 && self.home.header_bytes() > 0 {
            self.first = Some(pages.first_page());
            skip = PAGE_BYTES;
        }
        let allocate = self.ahead();
        let home = self.home.clone();
        while self.running.len() >= IN_FLIGHT {
            self.wait_for_one().await?;
        }
        let write = move || home.write(&pages, skip, at, allocate);
        self.running.push_back(blobs.spawn(write).await);
        Ok(())
    }

    /// The blocks of the file that are allocated with this write.
    fn ahead(&mut self) -> Option<(u64, u64)> {
        if self.flushed <= self.allocated {
            return None;
        }
        let from = self.allocated;
        let step = from + AHEAD_BYTES;
        let end = self.expected.map_or(step, |expected| step.min(expected.max(self.flushed)));
        self.allocated = end.max(self.flushed);
        Some((from, self.allocated))
    }

    async fn wait_for_one(&mut self) -> Result<(), Error> {
        match self.running.pop_front() {
            Some(running) => writer::joined(running).await,
            None => Ok(()),
        }
    }

    /// Writes what is left and returns when all of it is on disk.
    pub(super) async fn finish(&mut self, blobs: &Blobs, len: u64, crc: u64) -> Result<(), Error> {
        let mut last = self.pages.take();
        let mut first = None;
        if let Home::Segment { segment, offset, .. } = &self.home {
            let header = segment::header(segment.id, *offset, len, crc);
            match self.first.take() {
                Some(page) => {
                    let mut pages = Pages::new(PAGE_BYTES as u64);
                    pages.push(&page);
                    pages.set_front(&header);
                    first = Some(pages);
                }
                None => {
                    let pages = last.get_or_insert_with(|| new_pages(&self.home, Some(0), 0));
                    pages.set_front(&header);
                }
            }
        }
        let (home, at) = (self.home.clone(), self.flushed);
        let write = move || {
            if let Some(pages) = &mut last {
                pages.pad();
                home.write(pages, 0, at, None)?;
            }
            first.map_or(Ok(()), |pages| home.write(&pages, 0, 0, None))
        };
        self.running.push_back(blobs.spawn(write).await);
        while !self.running.is_empty() {
            self.wait_for_one().await?;
        }
        match &self.home {
            Home::Segment { segment, .. } => segment.sync(blobs.inner.threads).await,
            Home::File { file, id } => sync(blobs, file.clone(), *id, len).await,
        }
    }
}

/// Makes a file of its own survive a power cut, with its name and nothing behind its `len` bytes.
async fn sync(blobs: &Blobs, file: Arc<dyn DiskFile>, id: u64, len: u64) -> Result<(), Error> {
    let inner = blobs.inner.clone();
    let sync = move || {
        file.set_len(len)
            .and_then(|()| file.sync())
            .and_then(|()| inner.disk.sync_names())
            .map_err(|error| Error::io(format!("syncing {}", writer::name(id)), error))
    };
    writer::joined(blobs.spawn(sync).await).await
}

/// The next buffer, with room for a header where one stands in front.
fn new_pages(home: &Home, expected: Option<u64>, flushed: u64) -> Pages {
    let header = home.header_bytes();
    let left = expected.map_or(u64::MAX, |expected| (expected + header).saturating_sub(flushed));
    let mut pages = Pages::new(left);
    if flushed == 0 {
        pages.push(&[0; HEADER_BYTES as usize][..header as usize]);
    }
    pages
}
