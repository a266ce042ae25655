//! Rows taken apart into columns of primitive values, with the levels at which they are defined and repeated.

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;

use crate::statistics::{ColumnStatistics, Range, Statistics};
use crate::{Cell, Column, Kind};

/// The values of all columns that are in no row group yet.
pub(crate) struct Leaves {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) rows: usize,
    /// How many bytes they take, about.
    pub(crate) bytes: usize,
}

/// The values of a column without parts.
pub(crate) struct Leaf {
    kind: Kind,
    id: Option<i32>,
    /// The level at which a value is there.
    max_defined: i16,
    max_repeated: i16,
    defined: Vec<i16>,
    repeated: Vec<i16>,
    values: Values,
    count: u64,
    nulls: u64,
    range: Range,
}

/// The values that are there, by their physical type.
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

/// Where in its row a value is: how many optional or repeated levels above it are there, at which level it is repeated,
/// and how many repeated levels are above it.
#[derive(Clone, Copy)]
struct Place {
    defined: i16,
    repeated: i16,
    depth: i16,
}

impl Leaves {
    pub(crate) fn new(columns: &[Column]) -> Leaves {
        let mut leaves = Vec::new();
        columns.iter().for_each(|column| add(column, column.is_required, (0, 0), &mut leaves));
        Leaves { leaves, rows: 0, bytes: 0 }
    }

    /// Takes a row apart.
    pub(crate) fn push(&mut self, columns: &[Column], row: Vec<Cell>) {
        let mut cells = row.into_iter();
        let place = Place { defined: 0, repeated: 0, depth: 0 };
        let mut rest = &mut self.leaves[..];
        for column in columns {
            let (own, others) = rest.split_at_mut(width(&column.kind));
            let cell = cells.next().unwrap_or(Cell::None);
            self.bytes += put(&column.kind, column.is_required, cell, place, own);
            rest = others;
        }
        self.rows += 1;
    }

    /// Forgets the values that are in a row group.
    pub(crate) fn clear(&mut self) {
        (self.rows, self.bytes) = (0, 0);
    }

    /// What all rows had, but for what the file's metadata says.
    pub(crate) fn statistics(&self, rows: u64) -> Statistics {
        let columns = self.leaves.iter().map(|leaf| {
            let (lower, upper) = leaf.range.bounds(leaf.kind == Kind::Text);
            ColumnStatistics {
                id: leaf.id,
                bytes: 0,
                values: leaf.count,
                nulls: leaf.nulls,
                nans: leaf.range.nans(),
                lower: lower.filter(|_| leaf.max_repeated == 0),
                upper: upper.filter(|_| leaf.max_repeated == 0),
            }
        });
        Statistics { rows, columns: columns.collect(), split_offsets: Vec::new() }
    }
}

fn add(column: &Column, is_required: bool, (defined, repeated): (i16, i16), to: &mut Vec<Leaf>) {
    let defined = defined + i16::from(!is_required);
    match &column.kind {
        Kind::List(element) => add(element, element.is_required, (defined + 1, repeated + 1), to),
        Kind::Map(key, value) => {
            add(key, true, (defined + 1, repeated + 1), to);
            add(value, value.is_required, (defined + 1, repeated + 1), to);
        }
        Kind::Struct(columns) => {
            columns.iter().for_each(|each| add(each, each.is_required, (defined, repeated), to));
        }
        kind => to.push(Leaf {
            kind: kind.clone(),
            id: column.id,
            max_defined: defined,
            max_repeated: repeated,
            defined: Vec::new(),
            repeated: Vec::new(),
            values: Values::of(kind),
            count: 0,
            nulls: 0,
            range: Range::None,
        }),
    }
}

/// How many leaves a column has.
fn width(kind: &Kind) -> usize {
    match kind {
        Kind::List(element) => width(&element.kind),
        Kind::Map(key, value) => width(&key.kind) + width(&value.kind),
        Kind::Struct(columns) => columns.iter().map(|column| width(&column.kind)).sum(),
        _ => 1,
    }
}

/// Puts a cell into the leaves of its column; returns how many bytes it takes there.
fn put(kind: &Kind, is_required: bool, cell: Cell, mut at: Place, leaves: &mut [Leaf]) -> usize {
    // Of a column whose every row has a value, what is none or of another kind is empty.
    if !is_required {
        if !is_of(&cell, kind) {
            return put_none(at, leaves);
        }
        at.defined += 1;
    }
    match kind {
        Kind::List(element) => {
            let Cell::List(items) = cell else { return put_none(at, leaves) };
            put_each(items, at, leaves, |item, at, leaves| {
                put(&element.kind, element.is_required, item, at, leaves)
            })
        }
        Kind::Map(key, value) => {
            let Cell::Map(entries) = cell else { return put_none(at, leaves) };
            put_each(entries, at, leaves, |(one, other), at, leaves| {
                let (keys, values) = leaves.split_at_mut(width(&key.kind));
                put(&key.kind, true, one, at, keys)
                    + put(&value.kind, value.is_required, other, at, values)
            })
        }
        Kind::Struct(columns) => {
            let Cell::Struct(cells) = cell else { return put_empty(columns, at, leaves) };
            let mut cells = cells.into_iter();
            let (mut bytes, mut rest) = (0, leaves);
            for column in columns {
                let (own, others) = rest.split_at_mut(width(&column.kind));
                let cell = cells.next().unwrap_or(Cell::None);
                bytes += put(&column.kind, column.is_required, cell, at, own);
                rest = others;
            }
            bytes
        }
        _ => leaves.first_mut().map_or(0, |leaf| leaf.push(cell, at)),
    }
}

/// A struct that must be there, of columns without values.
fn put_empty(columns: &[Column], at: Place, leaves: &mut [Leaf]) -> usize {
    let (mut bytes, mut rest) = (0, leaves);
    for column in columns {
        let (own, others) = rest.split_at_mut(width(&column.kind));
        bytes += put(&column.kind, column.is_required, Cell::None, at, own);
        rest = others;
    }
    bytes
}

/// The items of a list or a map.
fn put_each<T>(
    items: Vec<T>,
    at: Place,
    leaves: &mut [Leaf],
    mut each: impl FnMut(T, Place, &mut [Leaf]) -> usize,
) -> usize {
    if items.is_empty() {
        return put_none(at, leaves);
    }
    let mut bytes = 0;
    let mut within = Place { defined: at.defined + 1, depth: at.depth + 1, ..at };
    for item in items {
        bytes += each(item, within, leaves);
        // All but the first repeat the list itself.
        within.repeated = within.depth;
    }
    bytes
}

fn put_none(at: Place, leaves: &mut [Leaf]) -> usize {
    leaves.iter_mut().map(|leaf| leaf.push_level(at)).sum()
}

fn is_of(cell: &Cell, kind: &Kind) -> bool {
    match cell {
        Cell::None => false,
        Cell::Text(_) => *kind == Kind::Text,
        Cell::Bool(_) => *kind == Kind::Bool,
        Cell::Int(_) => matches!(
            kind,
            Kind::Int | Kind::Int32 | Kind::Date | Kind::Millis | Kind::LocalMicros | Kind::Micros
        ),
        Cell::Float(_) => matches!(kind, Kind::Float | Kind::Double),
        Cell::Bytes(_) => *kind == Kind::Binary,
        Cell::List(_) => matches!(kind, Kind::List(_)),
        Cell::Map(_) => matches!(kind, Kind::Map(..)),
        Cell::Struct(_) => matches!(kind, Kind::Struct(_)),
    }
}

impl Leaf {
    /// A value that is not there.
    fn push_level(&mut self, at: Place) -> usize {
        self.count += 1;
        self.nulls += u64::from(at.defined < self.max_defined);
        if self.max_defined > 0 {
            self.defined.push(at.defined);
        }
        if self.max_repeated > 0 {
            self.repeated.push(at.repeated);
        }
        4
    }

    /// A value that is there.
    fn push(&mut self, cell: Cell, at: Place) -> usize {
        let levels = self.push_level(at);
        levels + self.values.push(cell, &mut self.range)
    }

    /// Writes the values and forgets them.
    pub(crate) fn write(&mut self, to: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let defined = std::mem::take(&mut self.defined);
        let repeated = std::mem::take(&mut self.repeated);
        let defined = (self.max_defined > 0).then_some(&defined[..]);
        let repeated = (self.max_repeated > 0).then_some(&repeated[..]);
        let values = std::mem::replace(&mut self.values, Values::of(&self.kind));
        match (to, values) {
            (ColumnWriter::BoolColumnWriter(to), Values::Bool(values)) => {
                to.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::Int32ColumnWriter(to), Values::Int32(values)) => {
                to.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::Int64ColumnWriter(to), Values::Int64(values)) => {
                to.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::FloatColumnWriter(to), Values::Float(values)) => {
                to.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::DoubleColumnWriter(to), Values::Double(values)) => {
                to.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::ByteArrayColumnWriter(to), Values::Bytes(values)) => {
                to.write_batch(&values, defined, repeated)
            }
            _ => Err(ParquetError::NYI("columns of other types".to_owned())),
        }?;
        Ok(())
    }
}

impl Values {
    fn of(kind: &Kind) -> Values {
        match kind {
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Int32 | Kind::Date => Values::Int32(Vec::new()),
            Kind::Int | Kind::Millis | Kind::LocalMicros | Kind::Micros => {
                Values::Int64(Vec::new())
            }
            Kind::Float => Values::Float(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            _ => Values::Bytes(Vec::new()),
        }
    }

    /// Takes a value, or what is empty of its type; returns how many bytes it takes.
    fn push(&mut self, cell: Cell, range: &mut Range) -> usize {
        match self {
            Values::Bool(values) => {
                let value = cell == Cell::Bool(true);
                range.add_int(i64::from(value), |truth| vec![truth as u8]);
                values.push(value);
                1
            }
            Values::Int32(values) => {
                let Cell::Int(number) = cell else {
                    return Values::push(self, Cell::Int(0), range);
                };
                let value = number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
                range.add_int(i64::from(value), |number| (number as i32).to_le_bytes().to_vec());
                values.push(value);
                4
            }
            Values::Int64(values) => {
                let value = if let Cell::Int(number) = cell { number } else { 0 };
                range.add_int(value, |number| number.to_le_bytes().to_vec());
                values.push(value);
                8
            }
            Values::Float(values) => {
                let value = if let Cell::Float(number) = cell { number as f32 } else { 0.0 };
                range.add_float(f64::from(value), |number| (number as f32).to_le_bytes().to_vec());
                values.push(value);
                4
            }
            Values::Double(values) => {
                let value = if let Cell::Float(number) = cell { number } else { 0.0 };
                range.add_float(value, |number| number.to_le_bytes().to_vec());
                values.push(value);
                8
            }
            Values::Bytes(values) => {
                let value = match cell {
                    Cell::Text(text) => ByteArray::from(text.into_bytes()),
                    Cell::Bytes(bytes) => ByteArray::from(bytes),
                    _ => ByteArray::from(Vec::new()),
                };
                range.add_bytes(value.data());
                values.push(value);
                let value = values.last().map_or(0, ByteArray::len);
                size_of::<ByteArray>() + value
            }
        }
    }
}
