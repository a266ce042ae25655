//! What is in a file, for those who decide by it whether to read it.

/// How many characters or bytes a bound has at most.
const BOUND_LENGTH: usize = 16;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// How many rows it has.
    pub rows: u64,
    /// Its columns without parts, in the order of the schema.
    pub columns: Vec<ColumnStatistics>,
    /// Where its row groups begin.
    pub split_offsets: Vec<i64>,
}

/// What is in a column without parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnStatistics {
    /// Its id.
    pub id: Option<i32>,
    /// How many bytes it takes in the file.
    pub bytes: u64,
    /// How many values it has, those that are none among them.
    pub values: u64,
    /// How many of them are none.
    pub nulls: u64,
    /// How many of them are not numbers; none of a column that has no numbers with a point.
    pub nans: Option<u64>,
    /// What no value is below: numbers in little endian, texts and bytes as they are, cut to 16. Columns of lists and maps
    /// have no bounds.
    pub lower: Option<Vec<u8>>,
    /// What no value is above.
    pub upper: Option<Vec<u8>>,
}

/// The lowest and highest value of a column.
pub(crate) enum Range {
    None,
    Int {
        lowest: i64,
        highest: i64,
        encode: fn(i64) -> Vec<u8>,
    },
    /// Of values that are all not numbers there is no lowest.
    Float {
        range: Option<(f64, f64)>,
        nans: u64,
        encode: fn(f64) -> Vec<u8>,
    },
    Bytes {
        lowest: Vec<u8>,
        highest: Vec<u8>,
    },
}

impl Range {
    pub(crate) fn add_int(&mut self, value: i64, encode: fn(i64) -> Vec<u8>) {
        match self {
            Range::Int { lowest, highest, .. } => {
                *lowest = value.min(*lowest);
                *highest = value.max(*highest);
            }
            _ => *self = Range::Int { lowest: value, highest: value, encode },
        }
    }

    pub(crate) fn add_float(&mut self, value: f64, encode: fn(f64) -> Vec<u8>) {
        if !matches!(self, Range::Float { .. }) {
            *self = Range::Float { range: None, nans: 0, encode };
        }
        let Range::Float { range, nans, .. } = self else { return };
        if value.is_nan() {
            *nans += 1;
            return;
        }
        let (lowest, highest) = range.unwrap_or((value, value));
        *range = Some((value.min(lowest), value.max(highest)));
    }

    pub(crate) fn add_bytes(&mut self, value: &[u8]) {
        match self {
            Range::Bytes { lowest, highest } => {
                if value < &lowest[..] {
                    *lowest = value.to_vec();
                } else if value > &highest[..] {
                    *highest = value.to_vec();
                }
            }
            _ => *self = Range::Bytes { lowest: value.to_vec(), highest: value.to_vec() },
        }
    }

    /// How many values are not numbers.
    pub(crate) fn nans(&self) -> Option<u64> {
        match self {
            Range::Float { nans, .. } => Some(*nans),
            _ => None,
        }
    }

    /// The bounds as bytes. An upper bound that cannot be cut is none.
    pub(crate) fn bounds(&self, is_text: bool) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        match self {
            Range::None | Range::Float { range: None, .. } => (None, None),
            Range::Int { lowest, highest, encode } => {
                (Some(encode(*lowest)), Some(encode(*highest)))
            }
            Range::Float { range: Some((lowest, highest)), encode, .. } => {
                // Zero has two signs, which some readers tell apart.
                let lowest = if *lowest == 0.0 { -0.0 } else { *lowest };
                let highest = if *highest == 0.0 { 0.0 } else { *highest };
                (Some(encode(lowest)), Some(encode(highest)))
            }
            Range::Bytes { lowest, highest } if is_text => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let lower: String = text(lowest).chars().take(BOUND_LENGTH).collect();
                (Some(lower.into_bytes()), text_above(&text(highest)).map(String::into_bytes))
            }
            Range::Bytes { lowest, highest } => {
                let lower = lowest[..lowest.len().min(BOUND_LENGTH)].to_vec();
                (Some(lower), bytes_above(highest))
            }
        }
    }
}

/// A short text that a text and all that begin with the same characters are not above.
fn text_above(text: &str) -> Option<String> {
    let mut cut: Vec<char> = text.chars().take(BOUND_LENGTH).collect();
    if text.chars().nth(BOUND_LENGTH).is_none() {
        return Some(text.to_owned());
    }
    while let Some(last) = cut.pop() {
        // After the last character below the surrogates comes the first above them.
        let next = match u32::from(last) {
            0xd7ff => Some('\u{e000}'),
            code => char::from_u32(code + 1),
        };
        if let Some(next) = next {
            cut.push(next);
            return Some(cut.into_iter().collect());
        }
    }
    None
}

fn bytes_above(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() <= BOUND_LENGTH {
        return Some(bytes.to_vec());
    }
    let mut cut = bytes[..BOUND_LENGTH].to_vec();
    while let Some(last) = cut.pop() {
        if last < u8::MAX {
            cut.push(last + 1);
            return Some(cut);
        }
    }
    None
}
