//! Writing a blob: bytes come in, a reference comes out once they are on disk.

use std::sync::Arc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use tokio::task::JoinHandle;

use super::disk::DiskFile;
use super::paged::{Home, Paged};
use super::reference::{BlobRef, FILE, Fresh, Place, SEGMENT};
use super::segment::{self, HEADER_BYTES, Segment};
use super::{Blobs, Inner};
use crate::Error;

/// Bytes kept in memory before a place on disk is chosen.
const BUFFER_BYTES: u64 = 256 << 10;
/// Larger blobs are written in whole pages, on disks that take them.
const PAGED_BYTES: u64 = 64 << 10;
/// Bytes per write to a file of its own.
const CHUNK_BYTES: u64 = 1 << 20;
/// Writes up to this size are done at once; larger ones on a thread that may block.
const INLINE_WRITE_BYTES: u64 = 64 << 10;
/// A long file is synced each time this much was added, so that the last sync is short.
const SYNC_EVERY_BYTES: u64 = 32 << 20;

/// Takes the bytes of one blob. What was written is removed if it is dropped before [`BlobWriter::finish`].
pub struct BlobWriter {
    blobs: Blobs,
    size_hint: Option<u64>,
    len: u64,
    digest: Digest,
    buffer: Vec<Bytes>,
    buffered: u64,
    target: Target,
    /// A write failed or was abandoned half way, so that bytes may be missing.
    broken: bool,
}

/// Where the bytes go that no longer fit into the buffer.
enum Target {
    Undecided,
    Extent(Extent),
    File(OwnFile),
    Paged(Paged),
}

struct Extent {
    segment: Arc<Segment>,
    offset: u64,
    capacity: u64,
    written: u64,
}

struct OwnFile {
    id: u64,
    file: Arc<dyn DiskFile>,
    written: u64,
    synced: u64,
    /// The write that runs while the next bytes come in.
    running: Option<JoinHandle<Result<(), Error>>>,
}

impl BlobWriter {
    pub(super) fn new(blobs: Blobs, size_hint: Option<u64>) -> BlobWriter {
        BlobWriter {
            blobs,
            size_hint,
            len: 0,
            digest: Digest::new(CrcAlgorithm::Crc64Nvme),
            buffer: Vec::new(),
            buffered: 0,
            target: Target::Undecided,
            broken: false,
        }
    }

    /// How many bytes came in so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no bytes came in so far.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes; waits for the disk if too many are on their way to it. After an error the writer is of no use.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.len += bytes.len() as u64;
        if let Some(hint) = self.size_hint
            && self.len > hint
        {
            self.broken = true;
            let (size, limit) = (to_usize(self.len), to_usize(hint));
            return Err(Error::TooLarge { what: "blob", size, limit });
        }
        self.digest.update(&bytes);
        self.buffered += bytes.len() as u64;
        self.buffer.push(bytes);
        if self.buffered < self.room() {
            return Ok(());
        }
        self.choose()?;
        self.drain(None).await
    }

    /// How many bytes are collected before they are given on.
    fn room(&self) -> u64 {
        match self.target {
            // Pages are buffers themselves.
            Target::Paged(_) => 0,
            Target::Undecided if self.size_hint.is_some_and(|size| self.is_paged(size)) => 0,
            Target::Undecided | Target::Extent(_) => BUFFER_BYTES,
            Target::File(_) => CHUNK_BYTES,
        }
    }

    fn is_paged(&self, size: u64) -> bool {
        size > PAGED_BYTES && self.blobs.inner.disk.takes_pages()
    }

    /// Returns a reference once the bytes are on disk. They stay if a transaction stores the reference.
    pub async fn finish(mut self) -> Result<BlobRef, Error> {
        let (len, crc) = (self.len, self.digest.finalize());
        if matches!(self.target, Target::Undecided) {
            if len <= self.blobs.inner.limits.inline_bytes && !self.broken {
                return Ok(BlobRef::inline(join(std::mem::take(&mut self.buffer))));
            }
            self.size_hint = Some(len);
            self.choose()?;
        }
        self.drain(Some((len, crc))).await?;
        let place = match &mut self.target {
            Target::Undecided => return Err(Error::Closed),
            Target::Extent(Extent { segment, offset, .. }) => {
                segment.sync(self.blobs.inner.threads).await?;
                Place::Segment { id: segment.id, offset: *offset, len, crc }
            }
            Target::File(own) => {
                own.sync(&self.blobs).await?;
                Place::File { id: own.id, len, crc }
            }
            Target::Paged(paged) => {
                paged.finish(&self.blobs, len, crc).await?;
                match &paged.home {
                    Home::Segment { segment, offset, .. } => {
                        Place::Segment { id: segment.id, offset: *offset, len, crc }
                    }
                    Home::File { id, .. } => Place::File { id: *id, len, crc },
                }
            }
        };
        self.target = Target::Undecided;
        let fresh = Fresh::new(place.clone(), Arc::downgrade(&self.blobs.inner));
        Ok(BlobRef { place, fresh: Some(fresh) })
    }

    /// Picks the place on disk, by the size as far as it is known.
    fn choose(&mut self) -> Result<(), Error> {
        self.blobs.inner.disk.check_space()?;
        if !matches!(self.target, Target::Undecided) {
            return Ok(());
        }
        let blobs = &self.blobs.inner;
        self.target = match self.size_hint {
            Some(capacity) if capacity <= blobs.limits.segment_bytes => {
                let (segment, offset) =
                    blobs.segments.reserve(&*blobs.disk, capacity, || blobs.next_id())?;
                if self.is_paged(capacity) {
                    let home = Home::Segment { segment, offset, capacity };
                    Target::Paged(Paged::new(home, Some(capacity)))
                } else {
                    Target::Extent(Extent { segment, offset, capacity, written: 0 })
                }
            }
            size => {
                let own = OwnFile::create(blobs)?;
                if self.is_paged(size.unwrap_or(u64::MAX)) {
                    Target::Paged(Paged::new(Home::File { file: own.file, id: own.id }, size))
                } else {
                    Target::File(own)
                }
            }
        };
        Ok(())
    }

    /// Writes the buffer, and the header where one is needed if the length and checksum are known.
    async fn drain(&mut self, end: Option<(u64, u64)>) -> Result<(), Error> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(Error::NoSuchBlob("that was not written completely".to_owned()));
        }
        let parts = std::mem::take(&mut self.buffer);
        let bytes = std::mem::take(&mut self.buffered);
        match &mut self.target {
            Target::Undecided => {}
            Target::Extent(extent) => extent.write(&self.blobs, parts, bytes, end).await?,
            Target::File(own) => own.write(&self.blobs, parts, bytes).await?,
            Target::Paged(paged) => {
                for part in parts {
                    paged.push(&self.blobs, &part).await?;
                }
            }
        }
        self.broken = false;
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        let inner = &self.blobs.inner;
        match &self.target {
            Target::Undecided => {}
            Target::Extent(Extent { segment, offset, capacity, .. }) => {
                inner.discard((SEGMENT, segment.id, *offset), *capacity);
            }
            Target::File(own) => inner.discard((FILE, own.id, 0), self.len),
            Target::Paged(paged) => match &paged.home {
                Home::Segment { segment, offset, capacity } => {
                    inner.discard((SEGMENT, segment.id, *offset), *capacity);
                }
                Home::File { id, .. } => inner.discard((FILE, *id, 0), self.len),
            },
        }
    }
}

impl Extent {
    async fn write(
        &mut self,
        blobs: &Blobs,
        mut parts: Vec<Bytes>,
        bytes: u64,
        end: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        let (segment, offset) = (self.segment.clone(), self.offset);
        let mut at = offset + HEADER_BYTES + self.written;
        self.written += bytes;
        let mut header = end.map(|(len, crc)| segment::header(segment.id, offset, len, crc));
        if at == offset + HEADER_BYTES
            && let Some(header) = header.take()
        {
            parts.insert(0, header);
            at = offset;
        }
        let write = move || {
            segment
                .file
                .write_at(&parts, at)
                .and_then(|()| {
                    header.map_or(Ok(()), |header| segment.file.write_at(&[header], offset))
                })
                .map_err(|error| Error::io(format!("writing {}", segment::name(segment.id)), error))
        };
        if bytes <= INLINE_WRITE_BYTES { write() } else { joined(blobs.spawn(write).await).await }
    }
}

impl OwnFile {
    fn create(blobs: &Inner) -> Result<OwnFile, Error> {
        let id = blobs.next_id()?;
        let file = blobs
            .disk
            .create(&name(id))
            .map_err(|error| Error::io(format!("creating {}", name(id)), error))?;
        Ok(OwnFile { id, file, written: 0, synced: 0, running: None })
    }

    async fn wait(&mut self) -> Result<(), Error> {
        match self.running.take() {
            Some(running) => joined(running).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, blobs: &Blobs, parts: Vec<Bytes>, bytes: u64) -> Result<(), Error> {
        self.wait().await?;
        let (file, offset, id) = (self.file.clone(), self.written, self.id);
        self.written += bytes;
        let sync = self.written - self.synced >= SYNC_EVERY_BYTES;
        if sync {
            self.synced = self.written;
        }
        let write = move || {
            file.write_at(&parts, offset)
                .and_then(|()| if sync { file.sync() } else { Ok(()) })
                .map_err(|error| Error::io(format!("writing {}", name(id)), error))
        };
        self.running = Some(blobs.spawn(write).await);
        Ok(())
    }

    /// Makes the file and its name survive a power cut.
    async fn sync(&mut self, blobs: &Blobs) -> Result<(), Error> {
        self.wait().await?;
        let (inner, file, id) = (blobs.inner.clone(), self.file.clone(), self.id);
        let sync = move || {
            file.sync()
                .and_then(|()| inner.disk.sync_names())
                .map_err(|error| Error::io(format!("syncing {}", name(id)), error))
        };
        joined(blobs.spawn(sync).await).await
    }
}

/// The outcome of work on a thread that may block; a runtime that shuts down does not finish it.
pub(super) async fn joined(work: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    work.await.unwrap_or(Err(Error::Closed))
}

/// The name of a blob's own file.
pub(super) fn name(id: u64) -> String {
    format!("{id:016x}.blob")
}

fn join(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 { parts.remove(0) } else { parts.concat().into() }
}

fn to_usize(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
