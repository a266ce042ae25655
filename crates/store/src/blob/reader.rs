//! Reading blobs, frame by frame.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};
use futures_core::Stream;
use parking_lot::Mutex;

use super::disk::DiskFile;
use super::reference::{BlobKey, BlobRef, Place};
use super::segment::{self, HEADER_BYTES};
use super::{Blobs, writer};
use crate::Error;
use crate::frames::FRAME_BYTES;

/// How many readers a blob has; such a blob is not removed.
#[derive(Default)]
pub(super) struct Pins {
    counts: Mutex<HashMap<BlobKey, usize>>,
}

impl Pins {
    pub(super) fn is_pinned(&self, key: BlobKey) -> bool {
        self.counts.lock().contains_key(&key)
    }

    fn pin(&self, key: BlobKey) {
        *self.counts.lock().entry(key).or_default() += 1;
    }

    fn unpin(&self, key: BlobKey) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&key);
            }
        }
    }
}

/// The bytes of a range of one or more blobs, in frames of at most 256 KiB (an inline blob comes as it is).
///
/// A blob that is read from its first byte to its last is checked against its checksum; a mismatch is an error in place
/// of the end.
pub struct BlobReader {
    blobs: Blobs,
    len: u64,
    /// What is still to be opened, with the range in each.
    rest: VecDeque<(BlobRef, Range<u64>)>,
    open: Option<Part>,
    pinned: Vec<BlobKey>,
}

/// An open blob.
struct Part {
    blob: BlobRef,
    file: Option<Arc<dyn DiskFile>>,
    /// Where the blob's first byte is in the file.
    base: u64,
    at: u64,
    end: u64,
    digest: Option<Digest>,
}

impl BlobReader {
    pub(super) fn open(
        blobs: &Blobs,
        refs: &[BlobRef],
        range: Range<u64>,
    ) -> Result<BlobReader, Error> {
        let mut rest = VecDeque::new();
        let mut pinned = Vec::new();
        let mut start = 0;
        for blob in refs {
            let end = start + blob.len();
            let part = range.start.max(start)..range.end.min(end);
            if part.start < part.end {
                rest.push_back((blob.clone(), part.start - start..part.end - start));
                pinned.extend(blob.place.key());
            }
            start = end;
        }
        for key in &pinned {
            blobs.inner.pins.pin(*key);
        }
        let len = range.end - range.start;
        let mut reader = BlobReader { blobs: blobs.clone(), len, rest, open: None, pinned };
        // The first part is opened now, so that bytes that are gone are an error before an answer has begun.
        reader.open_next()?;
        Ok(reader)
    }

    /// The length of the range in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the range has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next bytes; nothing after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.next_frame()
    }

    /// All the bytes that are left.
    pub async fn collect(mut self) -> Result<Bytes, Error> {
        let Some(first) = self.next_frame().transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = self.next_frame().transpose()? else { return Ok(first) };
        let mut all = BytesMut::with_capacity(usize::try_from(self.len).unwrap_or(0));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(frame) = self.next_frame().transpose()? {
            all.extend_from_slice(&frame);
        }
        Ok(all.freeze())
    }

    /// The next bytes, for a thread that may block.
    pub(crate) fn next_frame(&mut self) -> Option<Result<Bytes, Error>> {
        let frame = self.try_next_frame().transpose()?;
        if let Err(error) = &frame {
            // An answer that has begun can only be cut off, so that nobody else would tell the reason.
            tracing::error!(%error, "a blob could not be read to its end");
            self.open = None;
            self.rest.clear();
        }
        Some(frame)
    }

    fn try_next_frame(&mut self) -> Result<Option<Bytes>, Error> {
        if self.open.is_none() {
            self.open_next()?;
        }
        let Some(part) = &mut self.open else { return Ok(None) };
        let frame = part.read()?;
        if part.at == part.end {
            part.verify()?;
            self.open = None;
        }
        Ok(Some(frame))
    }

    fn open_next(&mut self) -> Result<(), Error> {
        if let Some((blob, range)) = self.rest.pop_front() {
            self.open = Some(Part::open(&self.blobs, blob, range)?);
        }
        Ok(())
    }
}

impl Stream for BlobReader {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.get_mut().next_frame())
    }
}

impl Drop for BlobReader {
    fn drop(&mut self) {
        for key in &self.pinned {
            self.blobs.inner.pins.unpin(*key);
        }
    }
}

impl Part {
    fn open(blobs: &Blobs, blob: BlobRef, range: Range<u64>) -> Result<Part, Error> {
        let inner = &blobs.inner;
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoSuchBlob(blob.to_string()),
            _ => Error::io(format!("opening the blob {blob}"), error),
        };
        let (file, base) = match &blob.place {
            Place::Inline(_) => (None, 0),
            Place::File { id, .. } => (Some(inner.disk.open(&writer::name(*id)).map_err(gone)?), 0),
            Place::Segment { id, offset, len, crc } => {
                let file = inner.segments.open(&*inner.disk, *id).map_err(gone)?;
                let header = file.read_at(*offset, HEADER_BYTES as usize).map_err(gone)?;
                if header != segment::header(*id, *offset, *len, *crc) {
                    return Err(Error::NoSuchBlob(blob.to_string()));
                }
                (Some(file), offset + HEADER_BYTES)
            }
        };
        let whole = range == (0..blob.len()) && file.is_some();
        let digest = whole.then(|| Digest::new(CrcAlgorithm::Crc64Nvme));
        Ok(Part { file, base, at: range.start, end: range.end, digest, blob })
    }

    fn read(&mut self) -> Result<Bytes, Error> {
        let left = self.end - self.at;
        let Some(file) = &self.file else {
            let Some(body) = self.blob.as_inline() else { return Ok(Bytes::new()) };
            let (start, end) = (self.at as usize, self.end as usize);
            self.at = self.end;
            return Ok(body.slice(start..end));
        };
        let frame = file
            .read_at(self.base + self.at, left.min(FRAME_BYTES as u64) as usize)
            .map_err(|error| Error::io(format!("reading the blob {}", self.blob), error))?;
        if frame.is_empty() {
            return Err(Error::corrupt(format!("the blob {}", self.blob), "its file ends early"));
        }
        self.at += frame.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&frame);
        }
        Ok(frame)
    }

    fn verify(&self) -> Result<(), Error> {
        match &self.digest {
            Some(digest) if digest.finalize() != self.blob.crc64nvme() => Err(Error::corrupt(
                format!("the blob {}", self.blob),
                "its bytes do not match their checksum",
            )),
            _ => Ok(()),
        }
    }
}
