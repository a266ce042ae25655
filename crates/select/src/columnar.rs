//! Rows of Parquet: which columns a query takes, which bytes they lie in, and what their values are in SQL.

use std::borrow::Cow;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use fogbank_columns::read::{Group, Item, Next, Refusal, TAIL_BYTES, Table, Unit};
use rust_decimal::Decimal;

use crate::ast::{Expr, List, Query, Step as PathStep};
use crate::engine::Scan;
use crate::error::Error;
use crate::timestamp::{Precision, Stamp};
use crate::value::Value;

/// How many bytes of an object's end are asked for first: most footers lie in them.
const GUESS_BYTES: u64 = 64 << 10;
/// How many rows without columns are counted in a step.
const ROWS_AT_ONCE: u64 = 4096;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Damaged(_) => Error::parquet(),
            Refusal::Codec => Error::parquet_codec(),
            Refusal::Type(_) => Error::parquet_type(),
            Refusal::GroupTooLarge => Error::parquet_group(),
            Refusal::RecordTooLarge => Error::record_too_long(),
        }
    }
}

/// Does what may panic on a damaged object, which is not looked at after that.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::parquet()))
}

/// What comes next.
pub(crate) enum Turn {
    /// These bytes are wanted.
    Wanted(Range<u64>),
    /// A row of these members.
    Row(Vec<(Arc<str>, Item)>),
    /// So many rows, none of whose values count.
    Rows(u64),
    End,
}

/// An object that is being read.
#[derive(Debug)]
pub(crate) struct Columns {
    size: u64,
    scan: Option<Scan>,
    state: State,
    /// What was given and not looked at.
    given: Option<Bytes>,
    /// How many bytes the groups that are read had.
    processed: u64,
}

#[derive(Debug)]
enum State {
    /// The end of the object is wanted, from this byte on.
    Tail(u64),
    /// The footer is wanted, as far as it is not there.
    Footer(Range<u64>, Bytes),
    Groups(Box<Groups>),
}

#[derive(Debug)]
struct Groups {
    table: Table,
    /// The fields that the query takes.
    fields: Vec<usize>,
    /// The groups that are still to come, the next one last.
    left: Vec<usize>,
    group: Option<Group>,
    /// How many rows are still to come of a group of which no column is read.
    uncounted: u64,
}

impl Columns {
    /// An object of this size.
    pub(crate) fn new(size: u64, scan: Option<Scan>) -> Columns {
        let state = State::Tail(size.saturating_sub(GUESS_BYTES));
        Columns { size, scan, state, given: None, processed: 0 }
    }

    /// Takes the bytes that were wanted.
    pub(crate) fn give(&mut self, bytes: Bytes) {
        self.given = Some(bytes);
    }

    fn look(&mut self, bytes: Bytes, query: &Query) -> Result<(), Error> {
        match &mut self.state {
            State::Tail(start) => {
                let start = *start;
                let tail = bytes.len().checked_sub(TAIL_BYTES as usize);
                let tail =
                    tail.and_then(|at| bytes[at..].try_into().ok()).ok_or_else(Error::parquet)?;
                let footer = Table::footer(self.size, tail).map_err(Refusal::from)?;
                if footer.start < start {
                    let there = bytes.slice(..(footer.end - start) as usize);
                    self.state = State::Footer(footer, there);
                    return Ok(());
                }
                let at = (footer.start - start) as usize;
                let len = (footer.end - footer.start) as usize;
                self.open(footer.start, &bytes[at..at + len], query)
            }
            State::Footer(range, there) => {
                let (start, whole) = (range.start, [&bytes[..], &there[..]].concat());
                self.open(start, &whole, query)
            }
            State::Groups(groups) => {
                if let Some(group) = &mut groups.group {
                    group.give(bytes);
                }
                Ok(())
            }
        }
    }

    fn open(&mut self, start: u64, footer: &[u8], query: &Query) -> Result<(), Error> {
        let table = Table::read(start, footer).map_err(Refusal::from)?;
        let names: Vec<&str> = table.names().collect();
        let fields = fields(query, &names)?;
        let is_raw = |name: &str, is_quoted: bool| {
            let mut all = names.iter().enumerate();
            all.any(|(index, known)| is_named(known, name, is_quoted) && table.is_raw(index))
        };
        check_raw(query, &is_raw)?;
        // A group counts if it begins in the range.
        let counts = |group: &usize| {
            let start = table.start(*group);
            self.scan.is_none_or(|scan| (scan.start..=scan.end).contains(&start))
        };
        let left = (0..table.groups()).filter(counts).rev().collect();
        let groups = Groups { table, fields, left, group: None, uncounted: 0 };
        self.state = State::Groups(Box::new(groups));
        Ok(())
    }

    /// How many bytes have passed, after decompression.
    pub(crate) fn processed(&self) -> u64 {
        let group = match &self.state {
            State::Groups(groups) => groups.group.as_ref().map_or(0, Group::processed),
            _ => 0,
        };
        self.processed + group
    }

    /// How many bytes it may take in memory to go on, once that is known.
    pub(crate) fn weight(&self) -> Option<u64> {
        let State::Groups(groups) = &self.state else { return None };
        let bytes = groups.left.iter().map(|group| groups.table.bytes(*group, &groups.fields));
        Some(bytes.max().unwrap_or(0))
    }

    /// What comes next.
    pub(crate) fn next(&mut self, query: &Query) -> Result<Turn, Error> {
        guarded(|| {
            if let Some(bytes) = self.given.take() {
                self.look(bytes, query)?;
            }
            match &mut self.state {
                State::Tail(_) if self.size < TAIL_BYTES => Err(Error::parquet()),
                State::Tail(start) => Ok(Turn::Wanted(*start..self.size)),
                State::Footer(range, there) => {
                    Ok(Turn::Wanted(range.start..range.end - there.len() as u64))
                }
                State::Groups(groups) => groups.next(&mut self.processed),
            }
        })
    }
}

impl Groups {
    fn next(&mut self, processed: &mut u64) -> Result<Turn, Error> {
        loop {
            if self.uncounted > 0 {
                let rows = self.uncounted.min(ROWS_AT_ONCE);
                self.uncounted -= rows;
                return Ok(Turn::Rows(rows));
            }
            if let Some(group) = &mut self.group {
                match group.advance()? {
                    Next::Wanted(range) => return Ok(Turn::Wanted(range)),
                    Next::Row(row) => return Ok(Turn::Row(row)),
                    Next::End => {
                        *processed += group.processed();
                        self.group = None;
                    }
                }
            }
            let Some(next) = self.left.pop() else { return Ok(Turn::End) };
            match self.fields.is_empty() {
                true => self.uncounted = self.table.rows(next).map_err(Refusal::from)?,
                false => self.group = Some(self.table.group(next, &self.fields)?),
            }
        }
    }
}

fn is_named(known: &str, name: &str, is_quoted: bool) -> bool {
    if is_quoted { known == name } else { known.eq_ignore_ascii_case(name) }
}

/// The fields that a query takes.
fn fields(query: &Query, names: &[&str]) -> Result<Vec<usize>, Error> {
    let mut taken = vec![false; names.len()];
    let mut take = |step: Option<&PathStep>| match step {
        Some(PathStep::Name { name, is_quoted }) => {
            let mut is_there = false;
            for (taken, known) in taken.iter_mut().zip(names) {
                let is = is_named(known, name, *is_quoted);
                (*taken, is_there) = (*taken || is, is_there || is);
            }
            // AWS says so of CSV; of Parquet it is a guess.
            if is_there { Ok(()) } else { Err(Error::missing_headers()) }
        }
        // A row is no list.
        Some(PathStep::Index(_) | PathStep::AllElements) => Ok(()),
        Some(PathStep::AllMembers) | None => {
            taken.fill(true);
            Ok(())
        }
    };
    match query.from.path.first() {
        Some(step) => take(Some(step))?,
        None => {
            if query.list == List::Star {
                take(None)?;
            }
            // Paths are only changed by those who bind them.
            query.clone().paths(&mut |path| take(path.steps.first()))?;
        }
    }
    Ok((0..names.len()).filter(|index| taken[*index]).collect())
}

/// Refuses to do anything with bytes that mean nothing but to answer with them.
fn check_raw(query: &Query, is_raw: &dyn Fn(&str, bool) -> bool) -> Result<(), Error> {
    let mut query = query.clone();
    if !query.from.path.is_empty() {
        return Ok(());
    }
    if let List::Columns(columns) = &mut query.list {
        columns.retain(|column| !matches!(column.expr, Expr::Path(_)));
    }
    query.paths(&mut |path| match &path.steps[..] {
        [PathStep::Name { name, is_quoted }] if is_raw(name, *is_quoted) => {
            Err(Error::parquet_comparison())
        }
        _ => Ok(()),
    })
}

/// A row as a value.
pub(crate) fn row(members: &[(Arc<str>, Item)]) -> Value<'_> {
    let members = members.iter().map(|(name, item)| (Cow::Borrowed(&**name), value(item)));
    Value::Struct(members.collect())
}

/// What a value is in SQL: as the S3 User Guide's table of types has it.
fn value(item: &Item) -> Value<'_> {
    match item {
        Item::Null => Value::Null,
        Item::Bool(value) => Value::Bool(*value),
        Item::Int(value) => Value::Int(*value),
        Item::Long(value) => decimal(*value, 0),
        Item::Float(value) => Value::Float(*value),
        Item::Decimal { digits, scale } => decimal(*digits, *scale),
        Item::Text(text) => Value::Text(Cow::Borrowed(text.as_str())),
        Item::Date(days) => days
            .checked_mul(86_400_000)
            .and_then(|millis| stamp(millis, Unit::Millis, Precision::Day))
            .unwrap_or(Value::Null),
        Item::Time { value, unit } => {
            let digits = match unit {
                Unit::Millis => 3,
                Unit::Micros => 6,
                Unit::Nanos => 9,
            };
            stamp(*value, *unit, Precision::Second(digits)).unwrap_or(Value::Null)
        }
        // As AWS answers: the twelve bytes as one number.
        Item::Raw(bytes) => {
            let word = |shift: u32| (bytes >> shift) as u32;
            match bytes >> 95 {
                0 => Value::Decimal(Decimal::from_parts(word(0), word(32), word(64), false, 0)),
                _ => Value::text(bytes.to_string()),
            }
        }
        Item::List(items) => Value::List(items.iter().map(value).collect()),
        Item::Structure(members) => row(members),
    }
}

/// A decimal; one that has too many digits is kept as a text.
fn decimal(digits: i128, scale: u32) -> Value<'static> {
    if let Ok(value) = Decimal::try_from_i128_with_scale(digits, scale) {
        return Value::Decimal(value);
    }
    let sign = if digits < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", digits.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = all.split_at(all.len() - scale as usize);
    let point = if fraction.is_empty() { "" } else { "." };
    Value::text(format!("{sign}{whole}{point}{fraction}"))
}

/// A point in time; none outside of the years that there are.
fn stamp(value: i64, unit: Unit, precision: Precision) -> Option<Value<'static>> {
    let time = match unit {
        Unit::Millis => jiff::Timestamp::from_millisecond(value),
        Unit::Micros => jiff::Timestamp::from_microsecond(value),
        Unit::Nanos => jiff::Timestamp::from_nanosecond(value.into()),
    };
    let local = jiff::tz::Offset::UTC.to_datetime(time.ok()?);
    let offset = if precision == Precision::Day { None } else { Some(0) };
    (local.year() > 0).then_some(Value::Stamp(Stamp { local, precision, offset }))
}
