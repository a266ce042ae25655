//! The pages of one column's chunk, taken out of bytes that come in pieces.

use std::io::Read;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

use super::thrift::{self, Header, PageKind, Stop};
use super::{Damage, Refusal, delta};

/// The most bytes of a header. Statistics, which are not read, may be long.
const MAX_HEADER: usize = 4 << 20;
/// What a value of a dictionary takes in memory besides its bytes.
const VALUE_BYTES: u64 = 32;
/// The most values of a page of a column that is repeated, all of which may be one record.
const MAX_REPEATED: u32 = 4 << 20;

/// How the pages of a chunk are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Snappy,
    Gzip,
}

/// What comes next of a chunk.
pub(super) enum Turn {
    /// These bytes are wanted.
    Wanted(Range<u64>),
    Page(Page),
    End,
}

/// How many bytes the pages of a group may have.
pub(super) struct Budget {
    left: u64,
    /// How many bytes they have had.
    pub(super) passed: u64,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Budget {
        Budget { left: bytes, passed: 0 }
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(bytes).ok_or(Refusal::GroupTooLarge)?;
        Ok(())
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.passed += bytes;
        self.spend(bytes)
    }
}

/// A chunk that is being read.
pub(super) struct Chunk {
    codec: Codec,
    /// The bytes that are there from `at` on.
    window: Bytes,
    at: u64,
    end: u64,
    /// How many values are still to come.
    left: u64,
    /// How many bytes are asked for at once.
    piece: u64,
    has_dictionary: bool,
    has_data: bool,
}

impl Chunk {
    pub(super) fn new(codec: Codec, range: Range<u64>, values: u64, piece: u64) -> Chunk {
        Chunk {
            codec,
            window: Bytes::new(),
            at: range.start,
            end: range.end,
            left: values,
            piece,
            has_dictionary: false,
            has_data: false,
        }
    }

    /// Gives the bytes that were wanted.
    pub(super) fn give(&mut self, bytes: Bytes) {
        if self.window.is_empty() {
            self.window = bytes;
            return;
        }
        let mut window = BytesMut::with_capacity(self.window.len() + bytes.len());
        window.extend_from_slice(&self.window);
        window.extend_from_slice(&bytes);
        self.window = window.freeze();
    }

    /// What is missing of so many bytes; an error if the chunk does not have them.
    fn missing(&self, len: u64) -> Result<Option<Range<u64>>, Damage> {
        let there = self.window.len() as u64;
        if len > self.end - self.at {
            return Err(Damage::new("a page is longer than its column"));
        }
        let wanted = len.max(self.piece).min(self.end - self.at);
        Ok((there < len).then(|| self.at + there..self.at + wanted))
    }

    fn advance(&mut self, len: usize) -> Bytes {
        self.at += len as u64;
        self.window.split_to(len)
    }

    /// The next page, for which there must be room in the budget.
    pub(super) fn next(
        &mut self,
        budget: &mut Budget,
        of: &ColumnDescriptor,
    ) -> Result<Turn, Refusal> {
        while self.left > 0 {
            if let Some(range) = self.missing(1)? {
                return Ok(Turn::Wanted(range));
            }
            let (header, len) = match thrift::header(&self.window) {
                Ok(read) => read,
                Err(Stop::Short) if self.window.len() < MAX_HEADER => {
                    let there = self.window.len() as u64;
                    // Twice as many as are there, if there are as many.
                    let wanted = (there + self.piece).min(self.end - self.at).max(there + 1);
                    return match self.missing(wanted)? {
                        Some(range) => Ok(Turn::Wanted(range)),
                        None => Err(Damage::new("a header cannot be read").into()),
                    };
                }
                Err(stop) => return Err(Damage::from(stop).into()),
            };
            let whole = (len + header.stored) as u64;
            if let Some(range) = self.missing(whole)? {
                // What the header promises is believed only as far as the budget goes.
                check_size(&header, budget)?;
                return Ok(Turn::Wanted(range));
            }
            self.advance(len);
            let body = self.advance(header.stored);
            if let Some(page) = self.page(&header, body, budget, of)? {
                return Ok(Turn::Page(page));
            }
        }
        Ok(Turn::End)
    }

    fn page(
        &mut self,
        header: &Header,
        body: Bytes,
        budget: &mut Budget,
        of: &ColumnDescriptor,
    ) -> Result<Option<Page>, Refusal> {
        check_size(header, budget)?;
        budget.pass(header.size as u64)?;
        match header.of {
            PageKind::Other => Ok(None),
            PageKind::Dictionary { values, encoding } => {
                if self.has_dictionary || self.has_data {
                    return Err(Damage::new("a dictionary is in a wrong place").into());
                }
                self.has_dictionary = true;
                let buf = self.decompress(body, header.size)?;
                if values as usize > buf.len() {
                    return Err(Damage::new("a dictionary has fewer values than it says").into());
                }
                budget.spend(u64::from(values) * VALUE_BYTES)?;
                Ok(Some(Page::DictionaryPage {
                    buf,
                    num_values: values,
                    encoding,
                    is_sorted: false,
                }))
            }
            PageKind::Data { values, encoding, definitions, repetitions } => {
                let buf = self.decompress(body, header.size)?;
                let data = levels_end(&buf, of, definitions, repetitions, values);
                self.take(values, encoding, data.and_then(|at| buf.get(at..)), budget, of)?;
                let page = Page::DataPage {
                    buf,
                    num_values: values,
                    encoding,
                    def_level_encoding: definitions,
                    rep_level_encoding: repetitions,
                    statistics: None,
                };
                Ok((values > 0).then_some(page))
            }
            PageKind::DataV2 {
                values, nulls, encoding, definitions_len, repetitions_len, ..
            } => {
                let levels = definitions_len as usize + repetitions_len as usize;
                let buf = self.decompress_v2(header, &body, levels)?;
                if nulls > values {
                    return Err(Damage::new("a page has more nulls than values").into());
                }
                self.take(values, encoding, buf.get(levels..), budget, of)?;
                let page = Page::DataPageV2 {
                    buf,
                    num_values: values,
                    encoding,
                    num_nulls: nulls,
                    num_rows: 0,
                    def_levels_byte_len: definitions_len,
                    rep_levels_byte_len: repetitions_len,
                    is_compressed: false,
                    statistics: None,
                };
                Ok((values > 0).then_some(page))
            }
        }
    }

    /// Counts a page of values, and checks what its decoder would believe.
    fn take(
        &mut self,
        values: u32,
        encoding: Encoding,
        data: Option<&[u8]>,
        budget: &mut Budget,
        of: &ColumnDescriptor,
    ) -> Result<(), Refusal> {
        self.has_data = true;
        self.left = self
            .left
            .checked_sub(u64::from(values))
            .ok_or_else(|| Damage::new("a column has more values than it says"))?;
        if of.max_rep_level() > 0 && values > MAX_REPEATED {
            return Err(Refusal::RecordTooLarge);
        }
        let data = data.ok_or_else(|| Damage::new("the levels of a page cannot be read"))?;
        match (encoding, of.physical_type()) {
            (Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY, _) if !self.has_dictionary => {
                Err(Damage::new("a dictionary is missing").into())
            }
            _ if data.is_empty() => Ok(()),
            (Encoding::DELTA_BINARY_PACKED, _) => {
                Ok(delta::integers(data, values, &mut |_| Ok(())).map(drop)?)
            }
            (Encoding::DELTA_LENGTH_BYTE_ARRAY, _) => {
                Ok(delta::text_bytes(data, false, values).map(drop)?)
            }
            // Values that share what they begin with may be far longer than their page.
            (Encoding::DELTA_BYTE_ARRAY, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => {
                budget.spend(delta::text_bytes(data, true, values)?)
            }
            _ => Ok(()),
        }
    }

    fn decompress(&self, body: Bytes, size: usize) -> Result<Bytes, Damage> {
        let wrong = || Damage::new("a page cannot be decompressed");
        let bytes = match self.codec {
            Codec::None => body,
            _ if size == 0 => Bytes::new(),
            Codec::Snappy => {
                // The length stands in front, and is not believed before.
                if snap::raw::decompress_len(&body).ok() != Some(size) {
                    return Err(wrong());
                }
                snap::raw::Decoder::new().decompress_vec(&body).map_err(|_| wrong())?.into()
            }
            Codec::Gzip => {
                let mut bytes = Vec::new();
                let mut decoder = MultiGzDecoder::new(&body[..]).take(size as u64 + 1);
                decoder.read_to_end(&mut bytes).map_err(|_| wrong())?;
                bytes.into()
            }
        };
        if bytes.len() == size { Ok(bytes) } else { Err(wrong()) }
    }

    fn decompress_v2(&self, header: &Header, body: &Bytes, levels: usize) -> Result<Bytes, Damage> {
        let is_compressed = matches!(header.of, PageKind::DataV2 { is_compressed: true, .. });
        let size = header.size.checked_sub(levels).filter(|_| levels <= body.len());
        let size = size.ok_or_else(|| Damage::new("the levels of a page are longer than it is"))?;
        if !is_compressed || self.codec == Codec::None {
            return match body.len() == header.size {
                true => Ok(body.clone()),
                false => Err(Damage::new("a page is not as long as it says")),
            };
        }
        let values = self.decompress(body.slice(levels..), size)?;
        let mut whole = BytesMut::with_capacity(header.size);
        whole.extend_from_slice(&body[..levels]);
        whole.extend_from_slice(&values);
        Ok(whole.freeze())
    }
}

fn check_size(header: &Header, budget: &Budget) -> Result<(), Refusal> {
    // What is compressed is hardly ever longer than what it was.
    let most = header.size as u64 * 2 + (1 << 16);
    match (header.size as u64 > budget.left, header.stored as u64 > most) {
        (true, _) => Err(Refusal::GroupTooLarge),
        (false, true) => Err(Damage::new("a page is longer than before its compression").into()),
        (false, false) => Ok(()),
    }
}

/// Where the values of a page begin whose levels stand in front of them.
#[expect(deprecated, reason = "old files have levels packed in bits")]
fn levels_end(
    page: &[u8],
    of: &ColumnDescriptor,
    definitions: Encoding,
    repetitions: Encoding,
    values: u32,
) -> Option<usize> {
    let mut at: usize = 0;
    for (max, encoding) in [(of.max_rep_level(), repetitions), (of.max_def_level(), definitions)] {
        if max == 0 {
            continue;
        }
        let bits = 16 - max.cast_unsigned().leading_zeros() as usize;
        at = match encoding {
            Encoding::RLE => {
                let len = page.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)?;
                at.checked_add(4)?.checked_add(len as usize)?
            }
            Encoding::BIT_PACKED => at.checked_add((values as usize * bits).div_ceil(8))?,
            _ => return None,
        };
    }
    (at <= page.len()).then_some(at)
}
