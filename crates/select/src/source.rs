//! The bytes of an object as they come, decompressed.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read};

use bytes::{Buf, Bytes};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

use crate::error::Error;

/// How much is decompressed at once.
const PIECE: usize = 64 << 10;

/// How an object is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// It is not.
    #[default]
    None,
    /// As gzip does.
    Gzip,
    /// As bzip2 does.
    Bzip2,
}

impl Compression {
    /// Whether an object that begins so is compressed like this.
    fn begins(self, head: &[u8]) -> bool {
        match self {
            Compression::None => true,
            Compression::Gzip => head.starts_with(b"\x1f\x8b\x08"),
            Compression::Bzip2 => head.starts_with(b"BZh"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Compression::None => "NONE",
            Compression::Gzip => "GZIP",
            Compression::Bzip2 => "BZIP2",
        }
    }
}

/// How many bytes tell how an object is compressed.
const MAGIC_BYTES: usize = 3;

/// What can be had of an object at present.
pub(crate) enum Ready {
    Piece(Bytes),
    /// Nothing before more is given.
    Starved,
    End,
}

/// Pieces that wait to be read.
#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    has_ended: bool,
}

impl Read for Queue {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let len = from.len().min(to.len());
        to[..len].copy_from_slice(&from[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Queue {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.pieces.front().is_some_and(Bytes::is_empty) {
            self.pieces.pop_front();
        }
        match self.pieces.front() {
            Some(piece) => Ok(piece),
            None if self.has_ended => Ok(&[]),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn consume(&mut self, len: usize) {
        if let Some(piece) = self.pieces.front_mut() {
            piece.advance(len);
        }
    }
}

enum Decoder {
    None(Queue),
    Gzip(Box<MultiGzDecoder<Queue>>),
    Bzip2(Box<MultiBzDecoder<Queue>>),
}

/// The bytes of an object.
pub(crate) struct Source {
    decoder: Decoder,
    compression: Compression,
    /// The first bytes, which tell how an object is compressed.
    head: Vec<u8>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.compression.name())
    }
}

impl Source {
    pub(crate) fn new(compression: Compression) -> Source {
        let queue = Queue::default();
        let decoder = match compression {
            Compression::None => Decoder::None(queue),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(queue))),
            Compression::Bzip2 => Decoder::Bzip2(Box::new(MultiBzDecoder::new(queue))),
        };
        Source { decoder, compression, head: Vec::new() }
    }

    fn queue(&mut self) -> &mut Queue {
        match &mut self.decoder {
            Decoder::None(queue) => queue,
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Bzip2(decoder) => decoder.get_mut(),
        }
    }

    pub(crate) fn feed(&mut self, piece: Bytes) {
        let missing = MAGIC_BYTES - self.head.len();
        self.head.extend(piece.iter().take(missing));
        self.queue().pieces.push_back(piece);
    }

    pub(crate) fn end(&mut self) {
        self.queue().has_ended = true;
    }

    /// Forgets what waits, because other bytes are wanted.
    pub(crate) fn clear(&mut self) {
        self.queue().pieces.clear();
    }

    pub(crate) fn next(&mut self) -> Result<Ready, Error> {
        let decoder: &mut dyn Read = match &mut self.decoder {
            Decoder::None(queue) => {
                return Ok(loop {
                    match queue.pieces.pop_front() {
                        Some(piece) if piece.is_empty() => {}
                        Some(piece) => break Ready::Piece(piece),
                        None if queue.has_ended => break Ready::End,
                        None => break Ready::Starved,
                    }
                });
            }
            Decoder::Gzip(decoder) => decoder,
            Decoder::Bzip2(decoder) => decoder,
        };
        let mut piece = vec![0; PIECE];
        match decoder.read(&mut piece) {
            Ok(0) => Ok(Ready::End),
            Ok(len) => {
                piece.truncate(len);
                Ok(Ready::Piece(piece.into()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Ready::Starved),
            Err(_) if self.compression.begins(&self.head) => Err(Error::truncated()),
            Err(_) => {
                let name = self.compression.name();
                let message = format!(
                    "{name} is not applicable to the queried object. Please correct the request and try again."
                );
                Err(Error::new("InvalidCompressionFormat", message))
            }
        }
    }
}
