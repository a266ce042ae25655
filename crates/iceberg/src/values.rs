//! Single values: of partitions, and as the bytes in which bounds are written.

use std::cmp::Ordering;

/// A value of a primitive type. Days are `Int`; times and points in time are `Long`, in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A truth.
    Boolean(bool),
    /// An integer of 32 bits, or a day.
    Int(i32),
    /// An integer of 64 bits, a time or a point in time.
    Long(i64),
    /// A number of 32 bits.
    Float(f32),
    /// A number of 64 bits.
    Double(f64),
    /// A text.
    String(String),
    /// Bytes; of a decimal its digits as an integer, the highest byte first.
    Bytes(Vec<u8>),
}

impl Value {
    /// The bytes of Iceberg's single-value serialization, which bounds have.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Value::Boolean(truth) => vec![u8::from(*truth)],
            Value::Int(number) => number.to_le_bytes().to_vec(),
            Value::Long(number) => number.to_le_bytes().to_vec(),
            Value::Float(number) => number.to_le_bytes().to_vec(),
            Value::Double(number) => number.to_le_bytes().to_vec(),
            Value::String(text) => text.as_bytes().to_vec(),
            Value::Bytes(bytes) => bytes.clone(),
        }
    }

    /// Whether it is not a number, which bounds leave out.
    pub(crate) fn is_nan(&self) -> bool {
        match self {
            Value::Float(number) => number.is_nan(),
            Value::Double(number) => number.is_nan(),
            _ => false,
        }
    }

    /// The order of two values of one type; those of different types have none.
    pub(crate) fn order(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Long(a), Value::Long(b)) => Some(a.cmp(b)),
            (Value::Float(a), Value::Float(b)) => Some(a.total_cmp(b)),
            (Value::Double(a), Value::Double(b)) => Some(a.total_cmp(b)),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}
