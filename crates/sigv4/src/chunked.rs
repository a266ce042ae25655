//! Bodies in `aws-chunked` framing: takes the frames off and verifies the chain of chunk signatures, as bytes arrive.

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use crate::error::{Error, Mismatch};
use crate::key::{Signature, SigningKey};
use crate::parse::Algorithm;
use crate::time::AmzDate;
use crate::trailers::Trailers;
use crate::verify::{EMPTY_SHA256, Verified};

/// Every chunk but the last must have as many bytes; S3 refuses smaller ones.
const MIN_CHUNK_BYTES: u64 = 8192;
/// A chunk's header is a size and a signature, about ninety bytes. More than this is not a header.
const MAX_HEADER_BYTES: usize = 1024;

/// Which of the three kinds of `aws-chunked` a body is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Every chunk is signed, and so are the trailing headers if there are any.
    Signed {
        /// Whether trailing headers follow the last chunk.
        trailer: bool,
    },
    /// Nothing is signed. Trailing headers may follow the last chunk.
    Unsigned,
}

/// What a body turned out to be, when its end was reached and everything in it was found to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes of payload there were.
    pub length: u64,
    /// The trailing headers, names in lower case, without `x-amz-trailer-signature`.
    pub trailers: Vec<(String, String)>,
}

/// Takes a body out of `aws-chunked` framing, incrementally and without copying payload.
///
/// Feed what arrives to [`ChunkedDecoder::decode`] and, at the end of the body, call [`ChunkedDecoder::finish`]. Only
/// a chunk header and the trailing headers are ever buffered, both within bounds. Slices of a chunk are handed out
/// before its signature can be known; the slice that completes a wrong chunk is not. So nothing may be committed
/// before `finish` has returned.
pub struct ChunkedDecoder {
    state: State,
    line: Vec<u8>,
    chain: Option<Chain>,
    trailers: Trailers,
    expected: u64,
    received: u64,
    chunks: u64,
    previous_size: u64,
    failed: Option<Error>,
}

enum State {
    /// Within the line that opens a chunk.
    Header,
    /// Within a chunk's payload.
    Payload { remaining: u64 },
    /// Within the line break that closes a payload.
    PayloadEnd { line_feed: bool },
    /// After the last chunk.
    Trailers,
    /// After the blank line that ends the body.
    End,
}

impl ChunkedDecoder {
    /// Makes the decoder of a verified request's body, of `length` bytes without frames.
    pub(crate) fn new(
        framing: Framing,
        verified: &Verified<'_>,
        length: u64,
        announced: Option<&str>,
    ) -> Self {
        let mut decoder = Self::unsigned(length, announced);
        if let Framing::Signed { trailer } = framing {
            decoder.chain = Some(Chain::new(verified));
            decoder.trailers = Trailers::new(trailer, announced);
        }
        decoder
    }

    /// Makes the decoder of an anonymous request's body, whose framing can only be the unsigned one.
    pub fn unsigned(length: u64, announced: Option<&str>) -> Self {
        Self {
            state: State::Header,
            line: Vec::with_capacity(128),
            chain: None,
            trailers: Trailers::new(true, announced),
            expected: length,
            received: 0,
            chunks: 0,
            previous_size: u64::MAX,
            failed: None,
        }
    }

    /// Takes bytes from `input` until it has a slice of payload; `None` when `input` is used up.
    ///
    /// After an error every further call returns the same error.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance(input).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Ends the body: it must have had its last chunk, the announced length and trailers that verify.
    pub fn finish(mut self) -> Result<Decoded, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !matches!(self.state, State::Trailers | State::End) || !self.line.is_empty() {
            return Err(Error::IncompleteBody);
        }
        let trailers = self.trailers.finish(self.chain.as_mut())?;
        Ok(Decoded { length: self.received, trailers })
    }

    /// Whether headers may follow the chunks.
    pub fn takes_trailers(&self) -> bool {
        self.trailers.are_allowed()
    }

    /// How many bytes of payload were handed out so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    fn advance(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Error> {
        while !input.is_empty() {
            match self.state {
                State::Header => {
                    if self.take_line(input, MAX_HEADER_BYTES)? {
                        self.open_chunk()?;
                        self.line.clear();
                    }
                }
                State::Payload { remaining } => {
                    return self.take_payload(input, remaining).map(Some);
                }
                State::PayloadEnd { line_feed } => self.end_payload(input.get_u8(), line_feed)?,
                State::Trailers => {
                    if self.take_line(input, self.trailers.room())? {
                        let ended = self.trailers.line(&self.line, self.chain.is_some())?;
                        self.line.clear();
                        if ended {
                            self.state = State::End;
                        }
                    }
                }
                State::End => {
                    // Some clients close with one line break more than they should; anything else is not ours.
                    if !matches!(input.get_u8(), b'\r' | b'\n') {
                        return Err(Error::IncompleteBody);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Moves input to the line buffer, up to a line feed. Whether the line is complete.
    fn take_line(&mut self, input: &mut Bytes, room: usize) -> Result<bool, Error> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + taken > room {
            return Err(match self.state {
                State::Trailers => Error::MalformedTrailer,
                _ => Error::IncompleteBody,
            });
        }
        self.line.extend_from_slice(&input[..taken]);
        input.advance(taken);
        Ok(end.is_some())
    }

    fn open_chunk(&mut self) -> Result<(), Error> {
        let line = self.line.strip_suffix(b"\r\n").ok_or(Error::IncompleteBody)?;
        let mut parts = line.split(|byte| *byte == b';');
        let size = parse_size(parts.next().unwrap_or_default()).ok_or(Error::IncompleteBody)?;
        let stated = parts.find_map(|part| part.trim_ascii().strip_prefix(b"chunk-signature="));
        self.chunks += 1;
        if size > 0 && self.previous_size < MIN_CHUNK_BYTES {
            return Err(Error::ChunkTooSmall { chunk: self.chunks, size: self.previous_size });
        }
        let total = self.received.checked_add(size).ok_or(Error::IncompleteBody)?;
        if total > self.expected || (size == 0 && total != self.expected) {
            return Err(Error::LengthMismatch);
        }
        self.previous_size = size;
        if let Some(chain) = &mut self.chain {
            let stated = stated.and_then(|text| chain.key.read(text));
            chain.open(stated.ok_or(Error::IncompleteBody)?);
        }
        self.state = State::Payload { remaining: size };
        if size == 0 {
            self.close_chunk()?;
            self.state = State::Trailers;
        }
        Ok(())
    }

    fn take_payload(&mut self, input: &mut Bytes, remaining: u64) -> Result<Bytes, Error> {
        let available = usize::try_from(remaining).unwrap_or(usize::MAX).min(input.len());
        let payload = input.split_to(available);
        let remaining = remaining - available as u64;
        if let Some(chain) = &mut self.chain {
            chain.hash.update(&payload);
        }
        self.state = State::Payload { remaining };
        if remaining == 0 {
            self.close_chunk()?;
            self.state = State::PayloadEnd { line_feed: false };
        }
        self.received += available as u64;
        Ok(payload)
    }

    fn close_chunk(&mut self) -> Result<(), Error> {
        self.chain.as_mut().map_or(Ok(()), Chain::close)
    }

    fn end_payload(&mut self, byte: u8, line_feed: bool) -> Result<(), Error> {
        self.state = match (byte, line_feed) {
            (b'\r', false) => State::PayloadEnd { line_feed: true },
            (b'\n', true) => State::Header,
            _ => return Err(Error::IncompleteBody),
        };
        Ok(())
    }
}

impl std::fmt::Debug for ChunkedDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkedDecoder")
            .field("signed", &self.chain.is_some())
            .field("received", &self.received)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

fn parse_size(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() || text.len() > 16 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// The chain of signatures: each covers its chunk and the signature before it, the first the request's own.
pub(crate) struct Chain {
    key: SigningKey,
    access_key_id: String,
    at: AmzDate,
    scope: String,
    previous: String,
    stated: String,
    hash: Sha256,
}

impl Chain {
    fn new(verified: &Verified<'_>) -> Self {
        let presented = verified.presented();
        Self {
            key: verified.signing_key().clone(),
            access_key_id: presented.access_key_id().to_owned(),
            at: presented.signed_at,
            scope: presented.scope().to_owned(),
            previous: verified.seed_signature().to_owned(),
            stated: String::new(),
            hash: Sha256::new(),
        }
    }

    fn open(&mut self, stated: &str) {
        stated.clone_into(&mut self.stated);
        self.hash.reset();
    }

    fn close(&mut self) -> Result<(), Error> {
        let hash = Signature::of(&self.hash.finalize_reset().into());
        self.compare(ChainedPart::Chunk, hash, &self.stated)?;
        std::mem::swap(&mut self.previous, &mut self.stated);
        Ok(())
    }

    /// Verifies the signature of the trailing headers, given as `name:value\n` lines.
    pub(crate) fn check_trailers(&self, lines: &[u8], stated: &str) -> Result<(), Error> {
        let stated = self.key.read(stated.as_bytes()).ok_or(Error::IncompleteBody)?;
        let hash = Signature::of(&Sha256::digest(lines).into());
        self.compare(ChainedPart::Trailer, hash, stated)
    }

    fn compare(&self, part: ChainedPart, hash: Signature, stated: &str) -> Result<(), Error> {
        let Self { key, at, scope, previous, .. } = self;
        let to_sign = ChainedText { algorithm: key.algorithm(), at, scope, previous, part, hash };
        if key.verifies(&to_sign.parts(), stated.as_bytes()) {
            return Ok(());
        }
        Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: stated.to_owned(),
            string_to_sign: to_sign.text(),
            canonical_request: String::new(),
        })))
    }
}

/// What a signature of the chain is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainedPart {
    Chunk,
    Trailer,
}

/// The text that the signature of a chunk or of the trailing headers is of.
pub(crate) struct ChainedText<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) at: &'a AmzDate,
    pub(crate) scope: &'a str,
    pub(crate) previous: &'a str,
    pub(crate) part: ChainedPart,
    pub(crate) hash: Signature,
}

impl ChainedText<'_> {
    fn parts(&self) -> [&[u8]; 11] {
        // A chunk's text has a place for headers of the chunk, of which there are none: the hash of nothing.
        let (part, headers, line_break): (&[u8], &[u8], &[u8]) = match self.part {
            ChainedPart::Chunk => (b"-PAYLOAD\n", EMPTY_SHA256.as_bytes(), b"\n"),
            ChainedPart::Trailer => (b"-TRAILER\n", b"", b""),
        };
        [
            self.algorithm.as_str().as_bytes(),
            part,
            self.at.as_str().as_bytes(),
            b"\n",
            self.scope.as_bytes(),
            b"\n",
            self.previous.as_bytes(),
            b"\n",
            headers,
            line_break,
            self.hash.as_bytes(),
        ]
    }

    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        key.sign(&self.parts())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.parts().concat()).into_owned()
    }
}
