//! The columns of a file as a tree, and what their values mean.

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::Type;

/// The most bytes of a number that is written as bytes: 38 digits.
const MAX_NUMBER_BYTES: i32 = 16;
/// The most digits after the point.
const MAX_SCALE: i32 = 38;

/// What the values of a leaf are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Bool,
    /// An integer of at most so many bits.
    Int(u8),
    /// The same without a sign.
    Unsigned(u8),
    Float,
    Decimal(u32),
    Text,
    /// Days since 1970.
    Date,
    Time(Unit),
    /// Twelve bytes that mean nothing here.
    Raw,
}

/// What a point in time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// A field and what it is made of.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: Arc<str>,
    /// The definition level from which on it is there.
    pub(super) definition: i16,
    /// The leaves below it.
    pub(super) leaves: Range<usize>,
    pub(super) of: NodeKind,
}

#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    Leaf(Meaning),
    Structure(Vec<Node>),
    /// A list, whose elements are repeated at a level and are there from another on.
    List {
        element: Box<Node>,
        repetition: i16,
        definition: i16,
    },
    /// A field that is repeated without being a list, of which the last value counts.
    Last {
        element: Box<Node>,
        repetition: i16,
    },
    /// What cannot be read, by its name.
    Unsupported(&'static str),
}

impl Node {
    /// What in this field cannot be read.
    pub(super) fn unsupported(&self) -> Option<&'static str> {
        match &self.of {
            NodeKind::Leaf(_) => None,
            NodeKind::Structure(fields) => fields.iter().find_map(Node::unsupported),
            NodeKind::List { element, .. } | NodeKind::Last { element, .. } => {
                element.unsupported()
            }
            NodeKind::Unsupported(what) => Some(what),
        }
    }

    /// The same node where its leaves begin at another index.
    pub(super) fn moved(&self, from: usize, to: usize) -> Node {
        let move_one = |node: &Node| node.moved(from, to);
        let of = match &self.of {
            NodeKind::Structure(fields) => {
                NodeKind::Structure(fields.iter().map(move_one).collect())
            }
            NodeKind::List { element, repetition, definition } => NodeKind::List {
                element: Box::new(move_one(element)),
                repetition: *repetition,
                definition: *definition,
            },
            NodeKind::Last { element, repetition } => {
                NodeKind::Last { element: Box::new(move_one(element)), repetition: *repetition }
            }
            other => other.clone(),
        };
        let leaves = self.leaves.start - from + to..self.leaves.end - from + to;
        Node { name: self.name.clone(), definition: self.definition, leaves, of }
    }

    /// What the leaves mean, in their order.
    pub(super) fn meanings(&self, all: &mut Vec<Meaning>) {
        match &self.of {
            NodeKind::Leaf(meaning) => all.push(*meaning),
            NodeKind::Structure(fields) => fields.iter().for_each(|field| field.meanings(all)),
            NodeKind::List { element, .. } | NodeKind::Last { element, .. } => {
                element.meanings(all)
            }
            NodeKind::Unsupported(_) => {}
        }
    }
}

/// Where in the tree a field is.
#[derive(Clone, Copy, Default)]
struct Place {
    definition: i16,
    repetition: i16,
}

/// The fields of a file.
pub(super) fn fields(root: &Type) -> Vec<Node> {
    let mut leaf = 0;
    root.get_fields().iter().map(|field| node(field, Place::default(), &mut leaf)).collect()
}

/// Counts the leaves of what is not read.
fn pass(of: &Type, leaf: &mut usize) {
    match of.is_group() {
        true => of.get_fields().iter().for_each(|field| pass(field, leaf)),
        false => *leaf += 1,
    }
}

fn node(of: &Type, at: Place, leaf: &mut usize) -> Node {
    let info = of.get_basic_info();
    let repetition = if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED };
    let mut place = at;
    place.definition += i16::from(repetition != Repetition::REQUIRED);
    place.repetition += i16::from(repetition == Repetition::REPEATED);
    let name: Arc<str> = info.name().into();
    let start = *leaf;
    let kind = match of.is_group() {
        true => group(of, place, leaf),
        false => {
            *leaf += 1;
            meaning(of).map_or_else(NodeKind::Unsupported, NodeKind::Leaf)
        }
    };
    let leaves = start..*leaf;
    let kind =
        if leaves.is_empty() { NodeKind::Unsupported("a group without columns") } else { kind };
    let inner =
        Node { name: name.clone(), definition: place.definition, leaves: leaves.clone(), of: kind };
    if repetition != Repetition::REPEATED {
        return inner;
    }
    let of = NodeKind::Last { element: Box::new(inner), repetition: place.repetition };
    Node { name, definition: place.definition, leaves, of }
}

fn group(of: &Type, place: Place, leaf: &mut usize) -> NodeKind {
    let info = of.get_basic_info();
    let (logical, converted) = (info.logical_type_ref(), info.converted_type());
    let start = *leaf;
    let mut refuse = |what| {
        *leaf = start;
        pass(of, leaf);
        NodeKind::Unsupported(what)
    };
    match (logical, converted) {
        (Some(LogicalType::List), _) | (None, ConvertedType::LIST) => list(of, place, leaf),
        (Some(LogicalType::Map), _) | (None, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => {
            refuse("MAP")
        }
        (Some(_), _) => refuse("a group of an unknown kind"),
        (None, _) => {
            let fields = of.get_fields().iter();
            NodeKind::Structure(fields.map(|field| node(field, place, leaf)).collect())
        }
    }
}

/// A list: a group of one repeated field, which is the element or, as a rule, a group around it. The rules for files of older
/// writers are those of the format's description.
fn list(of: &Type, place: Place, leaf: &mut usize) -> NodeKind {
    let [repeated] = of.get_fields() else {
        pass(of, leaf);
        return NodeKind::Unsupported("a LIST of another shape");
    };
    let info = repeated.get_basic_info();
    if !info.has_repetition() || info.repetition() != Repetition::REPEATED {
        pass(of, leaf);
        return NodeKind::Unsupported("a LIST of another shape");
    }
    let below = Place { definition: place.definition + 1, repetition: place.repetition + 1 };
    let is_named = info.name() == "array" || info.name() == format!("{}_tuple", of.name());
    let wrapped = match repeated.is_group() && !is_named {
        true => repeated.get_fields(),
        false => &[],
    };
    let element = match wrapped {
        [only] if only.get_basic_info().repetition() != Repetition::REPEATED => {
            node(only, below, leaf)
        }
        _ => {
            let start = *leaf;
            let kind = match repeated.is_group() {
                true => group(repeated, below, leaf),
                false => {
                    *leaf += 1;
                    meaning(repeated).map_or_else(NodeKind::Unsupported, NodeKind::Leaf)
                }
            };
            let leaves = start..*leaf;
            Node { name: info.name().into(), definition: below.definition, leaves, of: kind }
        }
    };
    let (repetition, definition) = (below.repetition, below.definition);
    NodeKind::List { element: Box::new(element), repetition, definition }
}

/// What the values of a leaf mean, or the name of what is not supported.
fn meaning(of: &Type) -> Result<Meaning, &'static str> {
    let info = of.get_basic_info();
    let Type::PrimitiveType { physical_type, type_length, scale: old_scale, .. } = of else {
        return Err("a group in place of a column");
    };
    let physical = *physical_type;
    let is_fixed = physical == Physical::FIXED_LEN_BYTE_ARRAY;
    if is_fixed && !(1..=1 << 20).contains(type_length) {
        return Err("FIXED_LEN_BYTE_ARRAY of this length");
    }
    let scale = |given: i32| {
        let is_number = match physical {
            Physical::INT32 | Physical::INT64 | Physical::BYTE_ARRAY => true,
            Physical::FIXED_LEN_BYTE_ARRAY => *type_length <= MAX_NUMBER_BYTES,
            _ => false,
        };
        let scale = u32::try_from(given).ok().filter(|_| is_number && given <= MAX_SCALE);
        scale.map(Meaning::Decimal).ok_or("DECIMAL of this size")
    };
    let is_bytes = matches!(physical, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY);
    match info.logical_type_ref() {
        Some(LogicalType::String | LogicalType::Enum) if is_bytes => return Ok(Meaning::Text),
        Some(LogicalType::Decimal(decimal)) => return scale(decimal.scale),
        Some(LogicalType::Date) if physical == Physical::INT32 => return Ok(Meaning::Date),
        Some(LogicalType::Timestamp(stamp)) if physical == Physical::INT64 => {
            return Ok(Meaning::Time(match stamp.unit {
                TimeUnit::MILLIS => Unit::Millis,
                TimeUnit::MICROS => Unit::Micros,
                TimeUnit::NANOS => Unit::Nanos,
            }));
        }
        Some(LogicalType::Integer(integer)) => {
            let bits = u8::try_from(integer.bit_width).unwrap_or(64);
            return plain(physical, Some((bits, integer.is_signed)));
        }
        Some(LogicalType::Time(_)) => return Err("TIME"),
        Some(LogicalType::Json) => return Err("JSON"),
        Some(LogicalType::Bson) => return Err("BSON"),
        Some(LogicalType::Uuid) => return Err("UUID"),
        Some(LogicalType::Float16) => return Err("FLOAT16"),
        Some(LogicalType::Unknown) | None => {}
        Some(_) => return Err("a column of an unknown kind"),
    }
    match info.converted_type() {
        ConvertedType::UTF8 | ConvertedType::ENUM if is_bytes => Ok(Meaning::Text),
        ConvertedType::DECIMAL => scale(*old_scale),
        ConvertedType::DATE if physical == Physical::INT32 => Ok(Meaning::Date),
        ConvertedType::TIMESTAMP_MILLIS if physical == Physical::INT64 => {
            Ok(Meaning::Time(Unit::Millis))
        }
        ConvertedType::TIMESTAMP_MICROS if physical == Physical::INT64 => {
            Ok(Meaning::Time(Unit::Micros))
        }
        ConvertedType::UINT_8 => plain(physical, Some((8, false))),
        ConvertedType::UINT_16 => plain(physical, Some((16, false))),
        ConvertedType::UINT_32 => plain(physical, Some((32, false))),
        ConvertedType::UINT_64 => plain(physical, Some((64, false))),
        ConvertedType::INT_8
        | ConvertedType::INT_16
        | ConvertedType::INT_32
        | ConvertedType::INT_64
        | ConvertedType::NONE => plain(physical, None),
        ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => Err("TIME"),
        ConvertedType::JSON => Err("JSON"),
        ConvertedType::BSON => Err("BSON"),
        ConvertedType::INTERVAL => Err("INTERVAL"),
        _ => Err("a column of an unknown kind"),
    }
}

/// What values mean that are nothing but what they are stored as, or integers of so many bits with or without a sign.
fn plain(physical: Physical, integer: Option<(u8, bool)>) -> Result<Meaning, &'static str> {
    match (physical, integer) {
        (Physical::INT32, Some((bits, false))) => Ok(Meaning::Unsigned(bits.min(32))),
        (Physical::INT64, Some((bits, false))) => Ok(Meaning::Unsigned(bits)),
        (Physical::INT32, _) => Ok(Meaning::Int(32)),
        (Physical::INT64, _) => Ok(Meaning::Int(64)),
        (_, Some(_)) => Err("an INTEGER of another size"),
        (Physical::BOOLEAN, None) => Ok(Meaning::Bool),
        (Physical::FLOAT | Physical::DOUBLE, None) => Ok(Meaning::Float),
        (Physical::INT96, None) => Ok(Meaning::Raw),
        // Writers of old leave texts without a mark.
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, None) => Ok(Meaning::Text),
    }
}
