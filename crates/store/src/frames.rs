//! Buffers for frames of a body on their way in or out, which are used again: fresh pages from the system would cost more
//! than what is done to the bytes in them.

use bytes::Bytes;
use parking_lot::Mutex;

/// Size of the buffers that are used again: that of a frame, and the most that comes at once into a body.
pub(crate) const FRAME_BYTES: usize = 256 << 10;
/// What fits is not worth a buffer of a whole frame.
const SMALL_BYTES: usize = FRAME_BYTES / 4;
/// Buffers kept at most, 8 MiB: a frame that is opened or sealed takes two.
const SPARE_BUFFERS: usize = 32;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that goes back when its bytes are not needed any more.
struct Pooled(Vec<u8>);

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        let mut spare = SPARE.lock();
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }
}

/// The bytes, up to `len`, that `fill` adds to an empty buffer.
pub fn filled(len: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let filled = try_filled(len, |buffer| -> Result<(), std::convert::Infallible> {
        fill(buffer);
        Ok(())
    });
    match filled {
        Ok(bytes) => bytes,
    }
}

/// The bytes, up to `len`, that `fill` adds to an empty buffer, unless it fails.
pub(crate) fn try_filled<E>(
    len: usize,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Bytes, E> {
    if !(SMALL_BYTES..=FRAME_BYTES).contains(&len) {
        let mut buffer = Vec::with_capacity(len);
        fill(&mut buffer)?;
        return Ok(buffer.into());
    }
    let spare = SPARE.lock().pop();
    let mut buffer = Pooled(spare.unwrap_or_else(|| Vec::with_capacity(FRAME_BYTES)));
    fill(&mut buffer.0)?;
    Ok(Bytes::from_owner(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_frames_are_used_again_and_start_empty() {
        let whole = filled(FRAME_BYTES, |buffer| buffer.resize(FRAME_BYTES, 7));
        assert!(whole.iter().all(|byte| *byte == 7) && whole.len() == FRAME_BYTES);
        drop(whole);
        let next = filled(SMALL_BYTES, |buffer| {
            assert!(buffer.is_empty() && buffer.capacity() >= FRAME_BYTES);
            buffer.push(1);
        });
        assert_eq!(next[..], [1]);
        let failed = try_filled(FRAME_BYTES, |_| Err("it cannot be read"));
        assert_eq!(failed, Err("it cannot be read"));
        assert_eq!(filled(3, |buffer| buffer.extend([1, 2, 3]))[..], [1, 2, 3]);
    }
}
