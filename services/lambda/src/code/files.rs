//! A blob as a file that can be read at any place, which reading zip files needs.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use fogbank_core::store::{BlobRef, Blobs};

/// Bytes that are read at once.
const WINDOW_BYTES: u64 = 256 * 1024;

/// A blob with a position. It blocks where the disk does: for threads that may.
pub(crate) struct BlobFile {
    blobs: Blobs,
    blob: BlobRef,
    position: u64,
    window_start: u64,
    window: Bytes,
}

impl BlobFile {
    pub(crate) fn new(blobs: Blobs, blob: BlobRef) -> BlobFile {
        BlobFile { blobs, blob, position: 0, window_start: 0, window: Bytes::new() }
    }

    /// The bytes of the window from the position on, read anew if the position is outside.
    fn ahead(&mut self) -> io::Result<&[u8]> {
        let end = self.window_start + self.window.len() as u64;
        if self.position < self.window_start || self.position >= end {
            let until = self.blob.len().min(self.position.saturating_add(WINDOW_BYTES));
            if self.position >= until {
                return Ok(&[]);
            }
            self.window = read(&self.blobs, &self.blob, self.position, until)?;
            self.window_start = self.position;
        }
        Ok(&self.window[(self.position - self.window_start) as usize..])
    }
}

/// Reads a range of a blob, all at once.
fn read(blobs: &Blobs, blob: &BlobRef, start: u64, end: u64) -> io::Result<Bytes> {
    let reader = blobs.read(blob, start..end).map_err(io::Error::other)?;
    tokio::runtime::Handle::current().block_on(reader.collect()).map_err(io::Error::other)
}

impl Read for BlobFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead()?;
        let taken = ahead.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&ahead[..taken]);
        self.position += taken as u64;
        Ok(taken)
    }
}

impl Seek for BlobFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.blob.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position =
            position.ok_or_else(|| io::Error::other("a position before the beginning"))?;
        Ok(self.position)
    }
}
