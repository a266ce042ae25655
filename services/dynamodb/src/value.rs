//! Attribute values and items: what a table holds.
//!
//! A value can only be built valid: the constructors refuse with DynamoDB's texts what DynamoDB refuses.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::Hash;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::invalid::Invalid;
use crate::number::Number;

/// The most bytes an item may have, names included.
pub const MAX_ITEM_SIZE: usize = 400 * 1024;
/// The most levels of maps and lists, the attribute itself being the first.
pub const MAX_NESTING: usize = 32;

/// For an attribute value without a type.
pub const EMPTY_VALUE: &str =
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
/// For an attribute value with two types.
pub const AMBIGUOUS_VALUE: &str = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes";

/// An item: attributes by name, in the order of their names.
pub type Item = BTreeMap<String, AttributeValue>;

/// One value of an attribute. Sets keep the order in which they were given, and are equal in any order.
#[derive(Debug, Clone)]
pub enum AttributeValue {
    /// A string.
    S(String),
    /// A number.
    N(Number),
    /// Bytes.
    B(Vec<u8>),
    /// A set of strings, never empty.
    Ss(Vec<String>),
    /// A set of numbers, never empty.
    Ns(Vec<Number>),
    /// A set of byte strings, never empty.
    Bs(Vec<Vec<u8>>),
    /// A map.
    M(Item),
    /// A list.
    L(Vec<AttributeValue>),
    /// The null value.
    Null,
    /// A boolean.
    Bool(bool),
}

/// The type of an attribute value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// String.
    S,
    /// Number.
    N,
    /// Binary.
    B,
    /// String set.
    Ss,
    /// Number set.
    Ns,
    /// Binary set.
    Bs,
    /// Map.
    M,
    /// List.
    L,
    /// Null.
    Null,
    /// Boolean.
    Bool,
}

impl AttributeType {
    /// The name on the wire: `S`, `N`, … `BOOL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Ss => "SS",
            Self::Ns => "NS",
            Self::Bs => "BS",
            Self::M => "M",
            Self::L => "L",
            Self::Null => "NULL",
            Self::Bool => "BOOL",
        }
    }

    /// The name in messages about `ADD` and `DELETE`: `STRING`, `NUMBER`, …
    pub fn long_name(self) -> &'static str {
        match self {
            Self::S => "STRING",
            Self::N => "NUMBER",
            Self::B => "BINARY",
            Self::Ss => "STRING_SET",
            Self::Ns => "NUMBER_SET",
            Self::Bs => "BINARY_SET",
            Self::M => "MAP",
            Self::L => "LIST",
            Self::Null => "NULL",
            Self::Bool => "BOOLEAN",
        }
    }

    /// The type of that name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::S,
            Self::N,
            Self::B,
            Self::Ss,
            Self::Ns,
            Self::Bs,
            Self::M,
            Self::L,
            Self::Null,
            Self::Bool,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }

    /// Whether values of the type have an order: strings, numbers and bytes do.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::S | Self::N | Self::B)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AttributeValue {
    /// A number in any notation that DynamoDB accepts.
    pub fn number(text: &str) -> Result<Self, Invalid> {
        parse_number(text).map(Self::N)
    }

    /// The null value; on the wire it must say `true`.
    pub fn null(flag: bool) -> Result<Self, Invalid> {
        if flag {
            Ok(Self::Null)
        } else {
            Err(Invalid::parameter("Null attribute value types must have the value of true"))
        }
    }

    /// A set of strings: not empty, without duplicates.
    pub fn string_set(members: Vec<String>) -> Result<Self, Invalid> {
        if members.is_empty() {
            return Err(Invalid::parameter("An string set  may not be empty"));
        }
        if has_duplicates(&members) {
            let list = members.join(", ");
            return Err(Invalid::parameter(format!(
                "Input collection [{list}] contains duplicates."
            )));
        }
        Ok(Self::Ss(members))
    }

    /// A set of numbers: not empty, no value twice.
    pub fn number_set<T: AsRef<str>>(members: &[T]) -> Result<Self, Invalid> {
        if members.is_empty() {
            return Err(Invalid::parameter("An number set  may not be empty"));
        }
        let numbers = members
            .iter()
            .map(|text| parse_number(text.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        if has_duplicates(&numbers) {
            return Err(Invalid::new("Input collection contains duplicates"));
        }
        Ok(Self::Ns(numbers))
    }

    /// A set of byte strings: not empty, without duplicates.
    pub fn binary_set(members: Vec<Vec<u8>>) -> Result<Self, Invalid> {
        if members.is_empty() {
            return Err(Invalid::parameter("Binary sets should not be empty"));
        }
        if has_duplicates(&members) {
            let list = members.iter().map(|bytes| BASE64.encode(bytes)).collect::<Vec<_>>();
            let list = list.join(", ");
            // AWS leaves out the space before "of".
            return Err(Invalid::parameter(format!(
                "Input collection [{list}]of type BS contains duplicates."
            )));
        }
        Ok(Self::Bs(members))
    }

    /// The type of the value.
    pub fn kind(&self) -> AttributeType {
        match self {
            Self::S(_) => AttributeType::S,
            Self::N(_) => AttributeType::N,
            Self::B(_) => AttributeType::B,
            Self::Ss(_) => AttributeType::Ss,
            Self::Ns(_) => AttributeType::Ns,
            Self::Bs(_) => AttributeType::Bs,
            Self::M(_) => AttributeType::M,
            Self::L(_) => AttributeType::L,
            Self::Null => AttributeType::Null,
            Self::Bool(_) => AttributeType::Bool,
        }
    }

    /// The order of two strings, numbers or byte strings; `None` for other or different types.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::S(a), Self::S(b)) => Some(a.cmp(b)),
            (Self::N(a), Self::N(b)) => Some(a.cmp(b)),
            (Self::B(a), Self::B(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// What `size()` answers: UTF-16 units of a string, as Java counts them, bytes, members or elements; `None` where
    /// there is no size.
    pub fn extent(&self) -> Option<usize> {
        match self {
            Self::S(text) if !text.is_ascii() => Some(text.encode_utf16().count()),
            other => other.length(),
        }
    }

    /// Bytes of a string or of binary data, members or elements; `None` for numbers, booleans and null.
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::S(text) => Some(text.len()),
            Self::B(bytes) => Some(bytes.len()),
            Self::Ss(members) => Some(members.len()),
            Self::Ns(members) => Some(members.len()),
            Self::Bs(members) => Some(members.len()),
            Self::M(members) => Some(members.len()),
            Self::L(members) => Some(members.len()),
            Self::N(_) | Self::Null | Self::Bool(_) => None,
        }
    }

    /// Bytes that DynamoDB counts for the value.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
    pub fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.decimal().stored_size(),
            Self::B(bytes) => bytes.len(),
            Self::Ss(members) => members.iter().map(String::len).sum(),
            Self::Ns(members) => members.iter().map(|n| n.decimal().stored_size()).sum(),
            Self::Bs(members) => members.iter().map(Vec::len).sum(),
            Self::M(members) => 3 + members.len() + item_size(members),
            Self::L(members) => 3 + members.iter().map(|member| 1 + member.size()).sum::<usize>(),
            Self::Null | Self::Bool(_) => 1,
        }
    }

    /// Levels of maps and lists, counting the value itself.
    pub fn nesting(&self) -> usize {
        match self {
            Self::M(members) => 1 + members.values().map(Self::nesting).max().unwrap_or(0),
            Self::L(members) => 1 + members.iter().map(Self::nesting).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// The value as messages print it: `{S:text}`.
    pub fn describe(&self) -> String {
        let content = match self {
            Self::S(text) => text.clone(),
            Self::N(number) => number.to_string(),
            Self::B(bytes) => BASE64.encode(bytes),
            Self::Ss(members) => format!("[{}]", members.join(", ")),
            Self::Bool(flag) => flag.to_string(),
            Self::Null => "true".to_owned(),
            Self::Ns(_) | Self::Bs(_) | Self::M(_) | Self::L(_) => "…".to_owned(),
        };
        format!("{{{}:{content}}}", self.kind())
    }
}

impl PartialEq for AttributeValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::S(a), Self::S(b)) => a == b,
            (Self::N(a), Self::N(b)) => a == b,
            (Self::B(a), Self::B(b)) => a == b,
            (Self::Ss(a), Self::Ss(b)) => same_members(a, b),
            (Self::Ns(a), Self::Ns(b)) => same_members(a, b),
            (Self::Bs(a), Self::Bs(b)) => same_members(a, b),
            (Self::M(a), Self::M(b)) => a == b,
            (Self::L(a), Self::L(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Null, Self::Null) => true,
            _ => false,
        }
    }
}

impl Eq for AttributeValue {}

/// Bytes that DynamoDB counts for an item: names and values.
pub fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}

/// Refuses an item that nests too deep; `item` is what a request would store.
pub fn check_item_nesting(item: &Item) -> Result<(), Invalid> {
    if item.values().any(|value| value.nesting() > MAX_NESTING) {
        return Err(Invalid::new(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
        ));
    }
    Ok(())
}

/// Refuses an item that a put would make larger than 400 KB.
pub fn check_put_size(item: &Item) -> Result<(), Invalid> {
    if item_size(item) > MAX_ITEM_SIZE {
        return Err(Invalid::new("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// Refuses an item that an update would make larger than 400 KB.
pub fn check_update_size(item: &Item) -> Result<(), Invalid> {
    if item_size(item) > MAX_ITEM_SIZE {
        return Err(Invalid::new("Item size to update has exceeded the maximum allowed size"));
    }
    Ok(())
}

fn parse_number(text: &str) -> Result<Number, Invalid> {
    Number::parse(text).map_err(|error| Invalid::new(error.to_string()))
}

fn has_duplicates<T: Eq + Hash>(members: &[T]) -> bool {
    let mut seen = HashSet::with_capacity(members.len());
    !members.iter().all(|member| seen.insert(member))
}

fn same_members<T: Eq + Hash>(a: &[T], b: &[T]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a == b {
        return true;
    }
    let members: HashSet<&T> = a.iter().collect();
    b.iter().all(|member| members.contains(member))
}
