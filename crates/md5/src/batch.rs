//! What one turn hashes: whole blocks of several streams, which arrive in pieces of any length.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use crate::lanes::{self, BLOCK_BYTES, Block, MAX_LANES, State};

/// The bytes of a stream that are still to be hashed.
#[derive(Default)]
pub(crate) struct Pending {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Pending {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.pieces.push_back(bytes);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The whole blocks that are there.
    pub(crate) fn blocks(&self) -> usize {
        self.len / BLOCK_BYTES
    }

    /// Puts bytes that came in meanwhile behind these.
    pub(crate) fn append(&mut self, mut later: Pending) {
        self.len += later.len;
        self.pieces.append(&mut later.pieces);
    }

    /// Makes the first piece begin with a whole block; there must be one.
    fn align(&mut self) {
        if self.pieces[0].len() >= BLOCK_BYTES {
            return;
        }
        // The block lies across pieces.
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        while block.len() < BLOCK_BYTES {
            let first = &mut self.pieces[0];
            let taken = first.len().min(BLOCK_BYTES - block.len());
            block.extend_from_slice(&first[..taken]);
            self.skip(taken);
        }
        self.len += BLOCK_BYTES;
        self.pieces.push_front(block.into());
    }

    fn skip(&mut self, len: usize) {
        self.len -= len;
        let first = &mut self.pieces[0];
        first.advance(len);
        if first.is_empty() {
            self.pieces.pop_front();
        }
    }
}

/// A stream's turn.
pub(crate) struct Lane {
    pub(crate) state: State,
    pub(crate) pending: Pending,
}

/// Hashes up to `blocks` blocks of each lane, as far as there are as many. At most [`MAX_LANES`] lanes.
pub(crate) fn hash(lanes: &mut [Lane], mut blocks: usize) {
    while blocks > 0 {
        let mut active: Vec<&mut Lane> =
            lanes.iter_mut().filter(|lane| lane.pending.blocks() > 0).take(MAX_LANES).collect();
        if active.is_empty() {
            return;
        }
        active.iter_mut().for_each(|lane| lane.pending.align());
        let runs = active.iter().map(|lane| lane.pending.pieces[0].len() / BLOCK_BYTES);
        let run = runs.min().unwrap_or(0).min(blocks);
        let mut states: Vec<State> = active.iter().map(|lane| lane.state).collect();
        let data: Vec<&[Block]> =
            active.iter().map(|lane| &lane.pending.pieces[0].as_chunks().0[..run]).collect();
        lanes::compress(&mut states, &data);
        for (lane, state) in active.iter_mut().zip(states) {
            lane.state = state;
            lane.pending.skip(run * BLOCK_BYTES);
        }
        blocks -= run;
    }
}

/// What follows a stream of so many bytes: a bit, zeros and the length in bits.
pub(crate) fn padding(len: u64) -> Bytes {
    let block = BLOCK_BYTES as u64;
    let zeros = (block + 56 - (len + 1) % block) % block;
    let mut padding = vec![0x80];
    padding.resize(1 + zeros as usize, 0);
    padding.extend_from_slice(&len.wrapping_mul(8).to_le_bytes());
    padding.into()
}
