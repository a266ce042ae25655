//! Works a query off, piece by piece, in memory that does not depend on the object.

use std::ops::Range;

use bytes::{Buf, Bytes};

use crate::aggregates::Running;
use crate::ast::{List, Path, Query, Step as PathStep};
#[cfg(feature = "parquet")]
use crate::columnar::{self, Columns, Turn};
use crate::csv::{CsvInput, Header, Record, Splitter};
use crate::error::Error;
use crate::evaluate::{Row, Scope, ambiguous, step_into, truth};
use crate::json::{self, Framer};
use crate::output::Output;
use crate::parser;
use crate::source::{Compression, Ready, Source};
use crate::timestamp::Stamp;
use crate::value::Value;

/// From how many bytes on the answer so far is to be taken.
const FULL: usize = 128 << 10;
/// How many rows of Parquet are taken in a step, at most.
#[cfg(feature = "parquet")]
const ROWS_AT_ONCE: usize = 1024;

/// The form of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Lines of fields.
    Csv(CsvInput),
    /// Values of JSON; whether each has a line of its own.
    Json {
        /// Whether it is JSON Lines.
        is_lines: bool,
    },
    /// Columns in an object of this size.
    #[cfg(feature = "parquet")]
    Parquet {
        /// How many bytes it has.
        size: u64,
    },
}

/// The bytes, both included, in which the records must begin that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The first byte.
    pub start: u64,
    /// The last byte.
    pub end: u64,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// The query.
    pub expression: &'r str,
    /// The form of the object.
    pub input: Input,
    /// How the object is compressed.
    pub compression: Compression,
    /// The form of the answer.
    pub output: Output,
    /// Which part of the object counts; all of it by default.
    pub scan: Option<Scan>,
    /// The time in milliseconds since 1970, for UTCNOW.
    pub now_millis: i64,
}

/// What an engine waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes, or to hear that there are no more.
    Starved,
    /// To be called again, after what it has written is taken away.
    Going,
    /// The object's bytes from here on, in place of those that would come next.
    Elsewhere(u64),
    /// To be fed these bytes of the object, all of them at once.
    Wanted(Range<u64>),
    /// Nothing: all is written.
    Done,
}

/// How many bytes have passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of the object.
    pub scanned: u64,
    /// Bytes after decompression.
    pub processed: u64,
    /// Bytes of the answer.
    pub returned: u64,
}

#[derive(Debug)]
enum Reader {
    Csv { splitter: Splitter, record: Record, header: Header, names: Vec<String> },
    Json { framer: Framer, text: String },
}

/// What becomes of the next bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first record is the header.
    Header,
    /// The rest of a record that began before the range.
    Skip,
    Rows,
    Done,
}

/// A query at work.
#[derive(Debug)]
pub struct Engine {
    /// What is read in place of pieces, if the object is Parquet.
    #[cfg(feature = "parquet")]
    columns: Option<Box<Columns>>,
    source: Source,
    piece: Bytes,
    phase: Phase,
    reader: Reader,
    /// What stands between records, for the beginning of a range; and the last bytes that may be a part of it.
    delimiter: Vec<u8>,
    tail: Vec<u8>,
    scan: Option<Scan>,
    rows: Rows,
    counts: Counts,
}

/// What rows are turned into.
#[derive(Debug)]
struct Rows {
    query: Query,
    output: Output,
    running: Vec<Running>,
    now: Stamp,
    /// How many more records may be answered.
    left: u64,
    out: Vec<u8>,
}

impl Engine {
    /// An engine for a query that can be worked off.
    pub fn new(request: Request<'_>) -> Result<Engine, Error> {
        let mut query = parser::parse(request.expression)?;
        let (reader, delimiter, phase) = match &request.input {
            Input::Csv(csv) => {
                bind_shape(&mut query)?;
                let splitter = Splitter::new(csv.clone());
                let (record, header, names) = (Record::default(), csv.header, Vec::new());
                let reader = Reader::Csv { splitter, record, header, names };
                let has_header = header != Header::None;
                let phase = if has_header { Phase::Header } else { Phase::Rows };
                (reader, csv.record_delimiter.clone().into_bytes(), phase)
            }
            Input::Json { .. } => {
                bind_tree(&mut query);
                (json_reader(), b"\n".to_vec(), Phase::Rows)
            }
            #[cfg(feature = "parquet")]
            Input::Parquet { .. } => (json_reader(), Vec::new(), Phase::Rows),
        };
        if let Some(scan) = request.scan {
            check_scan(&request, scan)?;
        }
        let running =
            query.aggregates.iter().map(|aggregate| Running::new(aggregate.kind)).collect();
        let mut engine = Engine {
            #[cfg(feature = "parquet")]
            columns: match request.input {
                Input::Parquet { size } => Some(Box::new(Columns::new(size, request.scan))),
                _ => None,
            },
            source: Source::new(request.compression),
            piece: Bytes::new(),
            phase,
            reader,
            delimiter,
            tail: Vec::new(),
            scan: request.scan,
            rows: Rows {
                left: query.limit.unwrap_or(u64::MAX),
                now: Stamp::from_millis(request.now_millis),
                query,
                output: request.output,
                running,
                out: Vec::new(),
            },
            counts: Counts::default(),
        };
        if let Reader::Csv { header, .. } = &engine.reader
            && *header != Header::Use
        {
            engine.bind_columns(&[])?;
        }
        Ok(engine)
    }

    /// From where on the object's bytes are wanted; none if the engine asks for each of them.
    pub fn start(&mut self) -> Option<u64> {
        #[cfg(feature = "parquet")]
        if self.columns.is_some() {
            return None;
        }
        Some(match self.scan {
            Some(scan) if scan.start > 0 && self.phase != Phase::Header => self.skip_to(scan.start),
            _ => 0,
        })
    }

    /// Where a delimiter begins after which a record begins at this byte.
    fn lead(&self, start: u64) -> u64 {
        start.saturating_sub(self.delimiter.len() as u64)
    }

    /// Goes to the first record that begins at this byte or after it, and says from where on bytes are wanted.
    fn skip_to(&mut self, start: u64) -> u64 {
        let from = self.lead(start);
        self.phase = if from < start && from > 0 { Phase::Skip } else { Phase::Rows };
        self.piece = Bytes::new();
        self.tail.clear();
        self.source.clear();
        self.place(from);
        from
    }

    fn place(&mut self, offset: u64) {
        match &mut self.reader {
            Reader::Csv { splitter, .. } => splitter.offset = offset,
            Reader::Json { framer, .. } => framer.offset = offset,
        }
    }

    /// Gives the next bytes of the object, or those that were wanted.
    pub fn feed(&mut self, piece: Bytes) {
        self.counts.scanned += piece.len() as u64;
        #[cfg(feature = "parquet")]
        if let Some(columns) = &mut self.columns {
            return columns.give(piece);
        }
        self.source.feed(piece);
    }

    /// How many bytes it may take in memory, by what the object says of itself, once that is known. Only objects that are not
    /// read piece by piece say it.
    pub fn weight(&self) -> Option<u64> {
        #[cfg(feature = "parquet")]
        let weight = self.columns.as_ref().and_then(|columns| columns.weight());
        #[cfg(not(feature = "parquet"))]
        let weight = None;
        weight
    }

    /// Says that there are no more bytes.
    pub fn end(&mut self) {
        self.source.end();
    }

    /// How many bytes have passed so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many bytes are written and not taken away.
    pub fn pending(&self) -> usize {
        self.rows.out.len()
    }

    /// Takes away what is written so far.
    pub fn take(&mut self) -> Bytes {
        self.counts.returned += self.rows.out.len() as u64;
        std::mem::take(&mut self.rows.out).into()
    }

    /// Works on for a bounded time.
    pub fn step(&mut self) -> Result<Step, Error> {
        if self.phase == Phase::Done {
            return Ok(Step::Done);
        }
        if self.rows.left == 0 {
            return self.finish();
        }
        #[cfg(feature = "parquet")]
        if self.columns.is_some() {
            return self.step_columns();
        }
        if self.piece.is_empty() {
            match self.source.next()? {
                Ready::Piece(piece) => {
                    self.counts.processed += piece.len() as u64;
                    self.piece = piece;
                }
                Ready::Starved => return Ok(Step::Starved),
                Ready::End => {
                    if self.phase != Phase::Skip && self.reader_finish()? && self.begins_within() {
                        self.record()?;
                    }
                    return self.finish();
                }
            }
        }
        self.work()
    }

    #[cfg(feature = "parquet")]
    fn step_columns(&mut self) -> Result<Step, Error> {
        let Some(columns) = &mut self.columns else { return Ok(Step::Done) };
        for _ in 0..ROWS_AT_ONCE {
            let turn = columns.next(&self.rows.query)?;
            self.counts.processed = columns.processed();
            match turn {
                Turn::Wanted(range) => return Ok(Step::Wanted(range)),
                Turn::Row(row) => self.rows.expand(&columnar::row(&row))?,
                Turn::Rows(count) => {
                    let none = Value::Struct(Vec::new());
                    (0..count).try_for_each(|_| self.rows.expand(&none))?;
                }
                Turn::End => return self.finish(),
            }
            if self.rows.left == 0 || self.rows.out.len() >= FULL {
                break;
            }
        }
        Ok(Step::Going)
    }

    fn finish(&mut self) -> Result<Step, Error> {
        self.phase = Phase::Done;
        self.rows.finish()?;
        Ok(Step::Going)
    }

    fn reader_finish(&mut self) -> Result<bool, Error> {
        match &mut self.reader {
            Reader::Csv { splitter, .. } => splitter.finish(),
            Reader::Json { framer, .. } => framer.finish(),
        }
    }

    /// Works on the present piece, until it is read or the answer so far is long.
    fn work(&mut self) -> Result<Step, Error> {
        if self.phase == Phase::Skip && !self.skip() {
            return Ok(Step::Going);
        }
        while !self.piece.is_empty() {
            let (taken, is_whole) = match &mut self.reader {
                Reader::Csv { splitter, .. } => splitter.push(&self.piece)?,
                Reader::Json { framer, .. } => framer.push(&self.piece)?,
            };
            self.piece.advance(taken);
            if is_whole && self.begins_within() {
                if let Some(from) = self.record()? {
                    return Ok(Step::Elsewhere(from));
                }
            } else if is_whole {
                return self.finish();
            }
            if self.is_past() {
                return self.finish();
            }
            if self.rows.left == 0 || self.rows.out.len() >= FULL {
                break;
            }
        }
        Ok(Step::Going)
    }

    /// Whether the record that is whole now does not begin after the range. The header counts wherever it is.
    fn begins_within(&self) -> bool {
        let start = match &self.reader {
            Reader::Csv { splitter, .. } => splitter.start,
            Reader::Json { framer, .. } => framer.start,
        };
        self.phase == Phase::Header || self.scan.is_none_or(|scan| start <= scan.end)
    }

    /// Whether the next record, of which nothing is there, would begin after the range.
    fn is_past(&self) -> bool {
        let (is_between, offset) = match &self.reader {
            Reader::Csv { splitter, .. } => (splitter.is_between(), splitter.offset),
            Reader::Json { framer, .. } => (framer.is_between(), framer.offset),
        };
        self.phase == Phase::Rows && is_between && self.scan.is_some_and(|scan| offset > scan.end)
    }

    /// Looks for the end of the record in which the range begins.
    fn skip(&mut self) -> bool {
        let wanted = &self.delimiter;
        for (at, byte) in self.piece.iter().enumerate() {
            self.tail.push(*byte);
            if self.tail.len() > wanted.len() {
                self.tail.remove(0);
            }
            if self.tail == *wanted {
                self.advance_over(at + 1);
                self.phase = Phase::Rows;
                return true;
            }
        }
        self.advance_over(self.piece.len());
        false
    }

    fn advance_over(&mut self, len: usize) {
        self.piece.advance(len);
        match &mut self.reader {
            Reader::Csv { splitter, .. } => splitter.offset += len as u64,
            Reader::Json { framer, .. } => framer.offset += len as u64,
        }
    }

    /// Takes in a whole record, and says from where on bytes are wanted, if they are not those that follow.
    fn record(&mut self) -> Result<Option<u64>, Error> {
        let starts_before = |start| self.scan.is_some_and(|scan| start < scan.start);
        match &mut self.reader {
            Reader::Csv { splitter, record, header, names } => {
                let start = splitter.start;
                splitter.take(record).map_err(|valid| bad_text(start + valid as u64))?;
                if self.phase == Phase::Header {
                    self.phase = Phase::Rows;
                    if *header == Header::Use {
                        *names = record.fields().map(str::to_owned).collect();
                        let names = names.clone();
                        self.bind_columns(&names)?;
                    }
                    let next = match &self.reader {
                        Reader::Csv { splitter, .. } => splitter.offset,
                        Reader::Json { .. } => 0,
                    };
                    return Ok(match self.scan {
                        Some(scan) if scan.start > next => Some(self.skip_to(scan.start)),
                        _ => None,
                    });
                }
                if !starts_before(start) {
                    self.rows.add(Row::Csv(record, names))?;
                }
            }
            Reader::Json { framer, text } => {
                let start = framer.start;
                framer.take(text).map_err(|valid| bad_text(start + valid as u64))?;
                if !starts_before(start) {
                    let value = json::parse(text)?;
                    self.rows.expand(&value)?;
                }
            }
        }
        Ok(None)
    }

    /// Finds the columns that the query names.
    fn bind_columns(&mut self, names: &[String]) -> Result<(), Error> {
        let uses_names = matches!(self.reader, Reader::Csv { header: Header::Use, .. });
        self.rows.query.paths(&mut |path| {
            if let Some(PathStep::Name { name, is_quoted }) = path.steps.first() {
                path.column = Some(column(path, name, *is_quoted, uses_names.then_some(names))?);
            }
            Ok(())
        })
    }
}

fn json_reader() -> Reader {
    Reader::Json { framer: Framer::default(), text: String::new() }
}

/// The index of the column that a name means: that of a name of the header, or `_N`.
fn column(
    path: &Path,
    name: &str,
    is_quoted: bool,
    names: Option<&[String]>,
) -> Result<usize, Error> {
    let mut found = names.into_iter().flatten().enumerate().filter(|(_, known)| match is_quoted {
        true => *known == name,
        false => known.eq_ignore_ascii_case(name),
    });
    if let Some((index, _)) = found.next() {
        return match found.next() {
            Some(_) => Err(ambiguous(name)),
            None => Ok(index),
        };
    }
    let number = name.strip_prefix('_').and_then(|number| number.parse::<usize>().ok());
    match number {
        Some(number) if number > 0 => Ok(number - 1),
        _ if names.is_some() => Err(Error::missing_headers()),
        _ => {
            let message = format!(
                "The column index at {} is invalid. Please check the service documentation and try again.",
                path.place
            );
            Err(Error::new("InvalidColumnIndex", message))
        }
    }
}

/// Refuses paths that CSV does not have.
fn bind_shape(query: &mut Query) -> Result<(), Error> {
    let bad_path =
        || Error::new("InvalidKeyPath", "The key path in the SQL expression is not valid.");
    if !query.from.path.is_empty() {
        return Err(bad_path());
    }
    query.paths(&mut |path| match &path.steps[..] {
        [] | [PathStep::Name { .. }] => Ok(()),
        _ => Err(bad_path()),
    })
}

/// Lets `_1` stand for a row that has no name.
pub(crate) fn bind_tree(query: &mut Query) {
    if !query.from.is_unnamed {
        return;
    }
    let _ = query.paths::<Error>(&mut |path| {
        if matches!(path.steps.first(), Some(PathStep::Name { name, is_quoted: false }) if name == "_1") {
            path.steps.remove(0);
        }
        Ok(())
    });
}

fn check_scan(request: &Request<'_>, scan: Scan) -> Result<(), Error> {
    let is_possible = request.compression == Compression::None
        && match &request.input {
            Input::Csv(csv) => !csv.has_quoted_delimiters,
            Input::Json { is_lines } => *is_lines,
            #[cfg(feature = "parquet")]
            Input::Parquet { .. } => true,
        };
    if !is_possible {
        return Err(Error::scan_unsupported());
    }
    if scan.start > scan.end { Err(Error::bad_scan_range()) } else { Ok(()) }
}

fn bad_text(at: u64) -> Error {
    let digits = at.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let message =
        format!("UTF-8 encoding is required. The text encoding error was found near byte {shown}.");
    Error::new("InvalidTextEncoding", message)
}

impl Rows {
    /// Takes in the rows that the path of FROM makes of a value.
    fn expand(&mut self, value: &Value<'_>) -> Result<(), Error> {
        let path = std::mem::take(&mut self.query.from.path);
        let outcome = self.expand_from(value, &path);
        self.query.from.path = path;
        outcome
    }

    fn expand_from(&mut self, value: &Value<'_>, path: &[PathStep]) -> Result<(), Error> {
        let Some((step, rest)) = path.split_first() else { return self.add(Row::Tree(value)) };
        let all: Vec<&Value<'_>> = match (step, value) {
            (PathStep::AllElements, Value::List(list)) => list.iter().collect(),
            (PathStep::AllMembers, Value::Struct(members)) => {
                members.iter().map(|(_, value)| value).collect()
            }
            (PathStep::AllElements | PathStep::AllMembers, _) => Vec::new(),
            _ => step_into(value, step)?.into_iter().collect(),
        };
        // What leads nowhere is one row, which is missing.
        if all.is_empty() {
            return self.add(Row::Tree(&Value::Missing));
        }
        all.into_iter().try_for_each(|value| self.expand_from(value, rest))
    }

    /// Takes in a row.
    pub(crate) fn add(&mut self, row: Row<'_>) -> Result<(), Error> {
        if self.left == 0 {
            return Ok(());
        }
        let scope = Scope { row: Some(row), aggregates: &[], now: self.now };
        if let Some(filter) = &self.query.filter
            && truth(&filter.evaluate(&scope)?)? != Some(true)
        {
            return Ok(());
        }
        if !self.running.is_empty() {
            for (running, aggregate) in self.running.iter_mut().zip(&self.query.aggregates) {
                match &aggregate.of {
                    None => running.add(&Value::Bool(true))?,
                    Some(of) => running.add(&of.evaluate(&scope)?)?,
                }
            }
            return Ok(());
        }
        self.left -= 1;
        match &self.query.list {
            List::Star => self.output.row(row, &mut self.out),
            List::Columns(_) => write_columns(&self.query, &self.output, &scope, &mut self.out),
        }
    }

    /// Writes what is known at the end.
    fn finish(&mut self) -> Result<(), Error> {
        if self.running.is_empty() || self.left == 0 {
            return Ok(());
        }
        let aggregates = self.running.iter().map(Running::result).collect::<Result<Vec<_>, _>>()?;
        let scope = Scope { row: None, aggregates: &aggregates, now: self.now };
        write_columns(&self.query, &self.output, &scope, &mut self.out)
    }
}

fn write_columns(
    query: &Query,
    output: &Output,
    scope: &Scope<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let List::Columns(columns) = &query.list else { return Ok(()) };
    let mut values = columns.iter().map(|column| {
        let value = column.expr.evaluate(scope)?;
        Ok((&*column.name, value))
    });
    output.columns(&mut values, out)
}
