//! Rows read from Parquet, by whoever has its bytes: nothing here reads a file or waits.
//!
//! A [`Table`] is made of a file's footer and a [`Group`] of the table; both say which bytes they want next. The footer and the
//! headers of pages are looked at before the crate `parquet` believes them, pages are taken apart and decompressed here within
//! a budget, their values are decoded by the crate, and rows are put together here within what a record may be.
//!
//! The crate may panic on what is damaged. Who reads what others wrote catches that.

mod delta;
mod leaves;
mod pages;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod thrift;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::CompressionCodec;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};

use leaves::Leaf;
pub use leaves::Text;
use pages::{Budget, Chunk, Codec};
use rows::Room;
use schema::Node;
pub use schema::Unit;

/// The most bytes of a group before compression: S3 Select's limit.
pub const MAX_GROUP_BYTES: u64 = 512 << 20;
/// The most bytes of a footer.
const MAX_FOOTER_BYTES: u64 = 16 << 20;
/// The bytes at the end that tell how long the footer is.
pub const TAIL_BYTES: u64 = 8;
/// How many bytes of all columns are asked for at once, about.
const PIECES_BYTES: u64 = 16 << 20;

/// What of a file cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is damaged: {0}")]
pub struct Damage(String);

impl Damage {
    fn new(what: impl Into<String>) -> Damage {
        Damage(what.into())
    }
}

impl From<ParquetError> for Damage {
    fn from(error: ParquetError) -> Damage {
        Damage(error.to_string())
    }
}

/// Why rows cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A column is compressed in a way that is not supported.
    #[error("a column is compressed in a way that is not supported")]
    Codec,
    /// A column has a type that is not supported.
    #[error("{0} is not supported")]
    Type(&'static str),
    /// A group has more bytes than [`MAX_GROUP_BYTES`].
    #[error("a group is too large")]
    GroupTooLarge,
    /// A record has too many values, or too long ones.
    #[error("a record is too large")]
    RecordTooLarge,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// None.
    Null,
    /// A truth.
    Bool(bool),
    /// An integer of at most 32 bits.
    Int(i64),
    /// A longer integer, or one without a sign.
    Long(i128),
    /// A floating-point number.
    Float(f64),
    /// An integer divided by so many tens.
    Decimal {
        /// The integer.
        digits: i128,
        /// How many of its digits follow the point.
        scale: u32,
    },
    /// A text.
    Text(Text),
    /// Days since 1970.
    Date(i64),
    /// A point in time since 1970.
    Time {
        /// How many units have passed.
        value: i64,
        /// The unit.
        unit: Unit,
    },
    /// Twelve bytes, the first of which is the lowest.
    Raw(u128),
    /// A list.
    List(Vec<Item>),
    /// Names and their values.
    Structure(Vec<(Arc<str>, Item)>),
}

/// What a file's footer tells.
pub struct Table {
    meta: ParquetMetaData,
    fields: Vec<Node>,
    /// Where the footer begins, before which all columns lie.
    end: u64,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} groups)", self.meta.num_row_groups())
    }
}

impl Table {
    /// Where the footer lies in a file of this size that ends so.
    pub fn footer(size: u64, tail: [u8; TAIL_BYTES as usize]) -> Result<Range<u64>, Damage> {
        let [a, b, c, d, magic @ ..] = tail;
        if &magic != b"PAR1" {
            return Err(Damage::new("it does not end as Parquet does"));
        }
        let len = u64::from(u32::from_le_bytes([a, b, c, d]));
        if len > MAX_FOOTER_BYTES {
            return Err(Damage::new("its footer is too long"));
        }
        // The file begins with four bytes of its own.
        let end = size.checked_sub(TAIL_BYTES);
        let start = end.and_then(|end| end.checked_sub(len)).filter(|start| *start >= 4);
        let (start, end) = start.zip(end).ok_or_else(|| Damage::new("its footer is missing"))?;
        Ok(start..end)
    }

    /// Reads a footer that begins at this byte.
    pub fn read(start: u64, footer: &[u8]) -> Result<Table, Damage> {
        thrift::check_footer(footer)?;
        let skip = ParquetStatisticsPolicy::SkipAll;
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(skip.clone())
            .with_encoding_stats_policy(skip.clone())
            .with_size_stats_policy(skip);
        let meta = ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))?;
        let fields = schema::fields(meta.file_metadata().schema());
        let columns = meta.file_metadata().schema_descr().num_columns();
        let is_whole = |group: &RowGroupMetaData| group.num_columns() == columns;
        let leaves: usize = fields.iter().map(|field| field.leaves.len()).sum();
        if leaves != columns || !meta.row_groups().iter().all(is_whole) {
            return Err(Damage::new("a group has other columns than the file"));
        }
        Ok(Table { meta, fields, end: start })
    }

    /// The names of the fields, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.name)
    }

    /// Whether a field's values are nothing but bytes without a meaning.
    pub fn is_raw(&self, field: usize) -> bool {
        let of = self.fields.get(field).map(|field| &field.of);
        matches!(of, Some(schema::NodeKind::Leaf(schema::Meaning::Raw)))
    }

    /// How many groups of rows there are.
    pub fn groups(&self) -> usize {
        self.meta.num_row_groups()
    }

    /// How many rows a group has.
    pub fn rows(&self, group: usize) -> Result<u64, Damage> {
        let rows = self.meta.row_groups().get(group).map(RowGroupMetaData::num_rows);
        rows.and_then(|rows| u64::try_from(rows).ok())
            .ok_or_else(|| Damage::new("a group has no rows"))
    }

    /// Where a group's first byte lies.
    pub fn start(&self, group: usize) -> u64 {
        let columns = self.meta.row_groups().get(group).map_or(&[][..], RowGroupMetaData::columns);
        let starts = columns
            .iter()
            .flat_map(|column| [Some(column.data_page_offset()), column.dictionary_page_offset()]);
        // Writers of old say 0 where there is no dictionary.
        let starts = starts.flatten().filter_map(|start| u64::try_from(start).ok());
        starts.filter(|start| *start > 0).min().unwrap_or(0)
    }

    /// How many bytes the fields of a group take before compression, by what the footer says.
    pub fn bytes(&self, group: usize, fields: &[usize]) -> u64 {
        let Some(group) = self.meta.row_groups().get(group) else { return 0 };
        let leaves = fields.iter().filter_map(|field| self.fields.get(*field));
        let leaves = leaves.flat_map(|field| field.leaves.clone());
        let sizes = leaves.map(|leaf| u64::try_from(group.column(leaf).uncompressed_size()));
        sizes.map(|size| size.unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// Begins to read fields of a group, of which there is at least one.
    pub fn group(&self, index: usize, fields: &[usize]) -> Result<Group, Refusal> {
        let missing = || Damage::new("a group is missing");
        let group = self.meta.row_groups().get(index).ok_or_else(missing)?;
        if u64::try_from(group.total_byte_size()).is_ok_and(|size| size > MAX_GROUP_BYTES) {
            return Err(Refusal::GroupTooLarge);
        }
        let (mut nodes, mut leaves) = (Vec::new(), Vec::new());
        let chosen = fields.iter().filter_map(|field| self.fields.get(*field));
        let chosen: Vec<&Node> = chosen.collect();
        let count: usize = chosen.iter().map(|node| node.leaves.len()).sum();
        let piece = (PIECES_BYTES / (count as u64).max(1)).clamp(16 << 10, 1 << 20);
        for node in chosen {
            if let Some(what) = node.unsupported() {
                return Err(Refusal::Type(what));
            }
            let mut meanings = Vec::new();
            node.meanings(&mut meanings);
            nodes.push(node.moved(node.leaves.start, leaves.len()));
            for (leaf, meaning) in node.leaves.clone().zip(meanings) {
                let chunk = self.chunk(group, leaf, piece)?;
                leaves.push(Leaf::new(group.schema_descr().column(leaf), meaning, chunk));
            }
        }
        let left = self.rows(index)?;
        Ok(Group { nodes, leaves, left, wanting: None, budget: Budget::new(MAX_GROUP_BYTES) })
    }

    /// The bytes of a column in a group.
    fn chunk(&self, group: &RowGroupMetaData, leaf: usize, piece: u64) -> Result<Chunk, Refusal> {
        let column = group.column(leaf);
        let codec = match column.compression_codec() {
            CompressionCodec::UNCOMPRESSED => Codec::None,
            CompressionCodec::SNAPPY => Codec::Snappy,
            CompressionCodec::GZIP => Codec::Gzip,
            _ => return Err(Refusal::Codec),
        };
        let wrong = || Damage::new("a column lies outside of the file");
        let number = |value: i64| u64::try_from(value).map_err(|_| wrong());
        let data = number(column.data_page_offset())?;
        let dictionary = column.dictionary_page_offset().filter(|start| *start > 0);
        let start = match dictionary {
            Some(start) => number(start)?.min(data),
            None => data,
        };
        let end = start.checked_add(number(column.compressed_size())?);
        let end = end.filter(|end| *end <= self.end).ok_or_else(wrong)?;
        Ok(Chunk::new(codec, start..end, number(column.num_values())?, piece))
    }
}

/// What comes next of a group.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// These bytes of the file are wanted, all of them.
    Wanted(Range<u64>),
    /// A row: the values of the fields, in the order in which they were asked for.
    Row(Vec<(Arc<str>, Item)>),
    /// There is nothing more.
    End,
}

/// A group of rows that is being read.
pub struct Group {
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    /// How many rows are still to come.
    left: u64,
    /// The leaf that wants bytes.
    wanting: Option<usize>,
    budget: Budget,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({} rows to come)", self.left)
    }
}

impl Group {
    /// Gives the bytes that were wanted last.
    pub fn give(&mut self, bytes: Bytes) {
        if let Some(leaf) = self.wanting.take().and_then(|index| self.leaves.get_mut(index)) {
            leaf.give(bytes);
        }
    }

    /// How many bytes the pages that were read have, after decompression.
    pub fn processed(&self) -> u64 {
        self.budget.passed
    }

    /// The next row, or the bytes that it takes.
    pub fn advance(&mut self) -> Result<Next, Refusal> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        for (index, leaf) in self.leaves.iter_mut().enumerate() {
            if !leaf.is_taken() {
                continue;
            }
            if let Some(range) = leaf.ready(&mut self.budget)? {
                self.wanting = Some(index);
                return Ok(Next::Wanted(range));
            }
        }
        let mut room = Room::new();
        let mut row = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            row.push((node.name.clone(), rows::build(node, &mut self.leaves, &mut room)?));
        }
        if !self.leaves.iter().all(Leaf::is_taken) {
            return Err(Damage::new("columns disagree on where a record ends").into());
        }
        self.left -= 1;
        Ok(Next::Row(row))
    }
}
