//! Buffers of whole pages, for writes that go past the system's cache.
//!
//! In a virtual machine a page of the cache costs more to get than its bytes cost to write, so a body that is not small
//! is collected in such a buffer and goes to the device from there. The device wants memory and offsets that begin at
//! multiples of a page.

use std::io;

use bytes::Bytes;
use parking_lot::Mutex;

/// Size and alignment of a page.
pub(super) const PAGE_BYTES: usize = 4096;
/// What a buffer holds: a megabyte, and a page more for what stands in front of it.
const LARGE_BYTES: usize = (1 << 20) + PAGE_BYTES;
/// What it holds while too many large ones are in use.
const SMALL_BYTES: usize = (64 << 10) + PAGE_BYTES;
/// Large buffers in use at most: the memory of a thousand uploads at once stays below 140 MiB.
const MAX_LARGE: usize = 64;
/// Large buffers kept for the next bodies.
const SPARE_LARGE: usize = 24;

static POOL: Mutex<Pool> = Mutex::new(Pool { spare: Vec::new(), in_use: 0 });

struct Pool {
    spare: Vec<Vec<u8>>,
    in_use: usize,
}

/// A buffer of whole pages, to be filled once.
pub(crate) struct Pages {
    buffer: Vec<u8>,
    /// Where the first page begins in the buffer.
    start: usize,
    len: usize,
    room: usize,
}

impl Pages {
    /// An empty buffer for up to `wanted` bytes, or for as many as there is memory for.
    pub(super) fn new(wanted: u64) -> Pages {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).max(1);
        let spare = {
            let mut pool = POOL.lock();
            if wanted <= SMALL_BYTES || pool.in_use >= MAX_LARGE {
                None
            } else {
                pool.in_use += 1;
                Some(pool.spare.pop())
            }
        };
        let (buffer, room) = match spare {
            None => {
                let room = wanted.min(SMALL_BYTES).next_multiple_of(PAGE_BYTES);
                (vec![0; room + PAGE_BYTES], room)
            }
            Some(spare) => {
                (spare.unwrap_or_else(|| vec![0; LARGE_BYTES + PAGE_BYTES]), LARGE_BYTES)
            }
        };
        let start = buffer.as_ptr().align_offset(PAGE_BYTES);
        Pages { buffer, start, len: 0, room }
    }

    /// Takes as many of the bytes as there is room for, and says how many.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room - self.len);
        self.buffer[self.start + self.len..][..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        taken
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.room
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Replaces the first bytes.
    pub(super) fn set_front(&mut self, bytes: &[u8]) {
        self.buffer[self.start..][..bytes.len()].copy_from_slice(bytes);
    }

    /// The bytes of the first page.
    pub(super) fn first_page(&self) -> Bytes {
        Bytes::copy_from_slice(&self.buffer[self.start..][..PAGE_BYTES])
    }

    /// Fills the last page with zeros.
    pub(super) fn pad(&mut self) {
        let end = self.len.next_multiple_of(PAGE_BYTES);
        self.buffer[self.start + self.len..self.start + end].fill(0);
        self.len = end;
    }

    /// Fills the buffer with what `read` makes of an offset and of room, which is whole pages, until it has `wanted`
    /// bytes, is full, or `read` has no more.
    pub(super) fn fill(
        &mut self,
        wanted: u64,
        mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(self.room);
        let end = wanted.next_multiple_of(PAGE_BYTES);
        while self.len < wanted {
            let room = &mut self.buffer[self.start + self.len..self.start + end];
            match read(self.len as u64, room) {
                Ok(0) => break,
                Ok(count) => self.len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.len = self.len.min(wanted);
        Ok(())
    }

    /// What was filled in, without the first `skip` bytes.
    pub(crate) fn after(&self, skip: usize) -> &[u8] {
        &self.buffer[self.start + skip..self.start + self.len]
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.room < LARGE_BYTES {
            return;
        }
        let mut pool = POOL.lock();
        pool.in_use -= 1;
        if pool.spare.len() < SPARE_LARGE {
            pool.spare.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_aligned_and_padded() {
        for wanted in [1, 5000, 70_000, 3 << 20] {
            let mut pages = Pages::new(wanted);
            assert_eq!(pages.push(&[7; 5000]), 5000.min(pages.room));
            pages.pad();
            let bytes = pages.after(0);
            assert_eq!(bytes.as_ptr().align_offset(PAGE_BYTES), 0);
            assert_eq!(bytes.len() % PAGE_BYTES, 0);
            assert!(bytes[5000.min(pages.room)..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn many_buffers_are_small_ones() {
        let many: Vec<Pages> = (0..1000).map(|_| Pages::new(1 << 20)).collect();
        let bytes: usize = many.iter().map(|pages| pages.buffer.len()).sum();
        assert!(bytes < 140 << 20, "{bytes}");
        drop(many);
        assert!(POOL.lock().spare.len() <= SPARE_LARGE);
    }
}
