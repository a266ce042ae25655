//! Buffers for bytes on their way through a cipher, which are used again: fresh pages from the system would cost more than
//! to encipher what lies in them.

use std::sync::{Mutex, PoisonError};

use fogbank_core::bytes::Bytes;

/// Size of the buffers that are used again: that of a frame out of the store, and the most that comes at once into it.
const POOLED_BYTES: usize = 256 << 10;
/// What fits is not worth a buffer of the pool.
const SMALL_BYTES: usize = POOLED_BYTES / 4;
/// Buffers kept at most, 4 MiB.
const SPARE_BUFFERS: usize = 16;

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
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }
}

/// The bytes, up to `len`, that `fill` adds to an empty buffer.
pub(crate) fn filled(len: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    if !(SMALL_BYTES..=POOLED_BYTES).contains(&len) {
        let mut buffer = Vec::with_capacity(len);
        fill(&mut buffer);
        return buffer.into();
    }
    let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut buffer = Pooled(spare.unwrap_or_else(|| Vec::with_capacity(POOLED_BYTES)));
    fill(&mut buffer.0);
    Bytes::from_owner(buffer)
}
