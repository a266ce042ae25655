//! Keys: what a table's schema asks of an item, and the order-preserving bytes under which the item is stored.
//!
//! A row of a table lies under `table id (8) | hash of pk (2) | pk | sk`: the hash spreads partitions and gives a Scan's
//! segments a fixed order, and a Query is one range. A row of a global index lies under
//! `index id (8) | hash of index pk (2) | index pk | index sk | pk | sk`; a local index has the table's pk for its own.
//! Strings and bytes are escaped (`00` becomes `00 FF`) and end in `00 01`; numbers see [`Decimal::encode_key`]. No
//! encoding is a prefix of another, so that a range of values is a range of bytes.

use crate::invalid::Invalid;
use crate::number::Decimal;
use crate::value::{AttributeType, AttributeValue, Item};

/// The most bytes of a partition key.
pub const MAX_PARTITION_KEY_SIZE: usize = 2048;
/// The most bytes of a sort key.
pub const MAX_SORT_KEY_SIZE: usize = 1024;

/// An attribute that is part of a key, with the type that the table declares: S, N or B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// The attribute's type.
    pub kind: AttributeType,
}

impl KeyAttribute {
    /// A key attribute of that name and type.
    pub fn new(name: impl Into<String>, kind: AttributeType) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The key of a table or of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    /// The partition key.
    pub partition: KeyAttribute,
    /// The sort key, where there is one.
    pub sort: Option<KeyAttribute>,
}

/// The values of a key, checked against its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The value of the partition key.
    pub partition: AttributeValue,
    /// The value of the sort key, where the schema has one.
    pub sort: Option<AttributeValue>,
}

impl KeySchema {
    /// The key attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    /// Whether the attribute is part of the key.
    pub fn contains(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }

    /// The key in a request's `Key`, which must hold exactly the key attributes.
    pub fn check_key(&self, key: &Item) -> Result<Key, Invalid> {
        if key.len() != self.attributes().count() {
            return Err(schema_mismatch());
        }
        self.key_of(|attribute| {
            let value = key.get(&attribute.name).ok_or_else(schema_mismatch)?;
            if value.kind() != attribute.kind {
                return Err(schema_mismatch());
            }
            if value.length() == Some(0) {
                return Err(Invalid::parameter(empty_key(attribute)));
            }
            Ok(value.clone())
        })
    }

    /// The key of an item that a request would store.
    pub fn check_item(&self, item: &Item) -> Result<Key, Invalid> {
        self.key_of(|attribute| {
            let name = &attribute.name;
            let value = item
                .get(name)
                .ok_or_else(|| Invalid::parameter(format!("Missing the key {name} in the item")))?;
            if value.kind() != attribute.kind {
                return Err(Invalid::parameter(format!(
                    "Type mismatch for key {name} expected: {} actual: {}",
                    attribute.kind,
                    value.kind()
                )));
            }
            if value.length() == Some(0) {
                let detail = empty_key(attribute);
                return Err(Invalid::new(format!(
                    "One or more parameter values are not valid. {detail}"
                )));
            }
            Ok(value.clone())
        })
    }

    /// The key of an item in the index `index` whose schema this is: `None` when the item lacks a key attribute and so
    /// is not in the index.
    pub fn check_index_item(&self, index: &str, item: &Item) -> Result<Option<Key>, Invalid> {
        for attribute in self.attributes() {
            let name = &attribute.name;
            let Some(value) = item.get(name) else { continue };
            if value.kind() != attribute.kind {
                return Err(Invalid::parameter(format!(
                    "Type mismatch for Index Key {name} Expected: {} Actual: {} IndexName: {index}",
                    attribute.kind,
                    value.kind()
                )));
            }
            if value.length() == Some(0) {
                return Err(Invalid::new(format!(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty {} value. IndexName: {index}, IndexKey: {name}",
                    noun(attribute.kind)
                )));
            }
        }
        if self.attributes().any(|attribute| !item.contains_key(&attribute.name)) {
            return Ok(None);
        }
        self.key_of(|attribute| item.get(&attribute.name).cloned().ok_or_else(schema_mismatch))
            .map(Some)
    }

    fn key_of(
        &self,
        mut value: impl FnMut(&KeyAttribute) -> Result<AttributeValue, Invalid>,
    ) -> Result<Key, Invalid> {
        let partition = value(&self.partition)?;
        check_partition_size(&partition)?;
        let sort = self.sort.as_ref().map(value).transpose()?;
        sort.as_ref().map_or(Ok(()), check_sort_size)?;
        Ok(Key { partition, sort })
    }
}

impl Key {
    /// The key as the attributes of an item.
    pub fn to_item(&self, schema: &KeySchema) -> Item {
        let values = std::iter::once(&self.partition).chain(&self.sort);
        let names = schema.attributes().map(|attribute| attribute.name.clone());
        names.zip(values.cloned()).collect()
    }

    /// Appends the sort-preserving bytes of the partition and the sort value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_value(&self.partition, out);
        if let Some(sort) = &self.sort {
            encode_value(sort, out);
        }
    }
}

/// The store key of a table's row.
pub fn row_key(table_id: u64, key: &Key) -> Vec<u8> {
    let mut out = partition_prefix(table_id, &key.partition);
    if let Some(sort) = &key.sort {
        encode_value(sort, &mut out);
    }
    out
}

/// The store key of an index's row: the index's key, then the table's, because index keys are not unique.
pub fn index_row_key(index_id: u64, index_key: &Key, key: &Key) -> Vec<u8> {
    let mut out = row_key(index_id, index_key);
    key.encode(&mut out);
    out
}

/// What every store key of a partition begins with.
pub fn partition_prefix(id: u64, partition: &AttributeValue) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    encode_value(partition, &mut out);
    let hash = partition_hash(&out[10..]);
    out[8..10].copy_from_slice(&hash.to_be_bytes());
    out
}

/// The hash of an encoded partition key: FNV-1a, folded to two bytes. Rows lie under it, so it can never change.
pub fn partition_hash(encoded: &[u8]) -> u16 {
    let hash = encoded.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48)) as u16
}

/// The hashes that segment `segment` of `total` scans: from the first, up to but without the second (65536 at the end).
pub fn segment_hashes(segment: u32, total: u32) -> (u32, u32) {
    let bound = |at: u32| (u64::from(at) * 65536 / u64::from(total.max(1))) as u32;
    (bound(segment), bound(segment + 1))
}

/// A range of store keys, from `start` up to but without `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in the range.
    pub start: Vec<u8>,
    /// The first key after the range.
    pub end: Vec<u8>,
}

impl KeyRange {
    /// All keys that begin with `prefix`.
    pub fn of_prefix(prefix: Vec<u8>) -> Self {
        let end = successor(&prefix);
        Self { start: prefix, end }
    }

    /// All rows of a table or index in those partition hashes, as [`segment_hashes`] gives them.
    pub fn of_hashes(id: u64, (first, end): (u32, u32)) -> Self {
        let bound = |hash: u32| {
            let mut key = id.to_be_bytes().to_vec();
            match u16::try_from(hash) {
                Ok(hash) => key.extend_from_slice(&hash.to_be_bytes()),
                Err(_) => key = successor(&key),
            }
            key
        };
        Self { start: bound(first), end: bound(end) }
    }
}

/// A condition on a sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortCondition {
    /// Equal.
    Eq(AttributeValue),
    /// Less.
    Lt(AttributeValue),
    /// Less or equal.
    Le(AttributeValue),
    /// Greater.
    Gt(AttributeValue),
    /// Greater or equal.
    Ge(AttributeValue),
    /// Between both, which belong to it.
    Between(AttributeValue, AttributeValue),
    /// Begins with the string or bytes.
    BeginsWith(AttributeValue),
}

impl SortCondition {
    /// The store keys of a partition whose sort value fulfils the condition; `prefix` is [`partition_prefix`].
    pub fn range(&self, prefix: &[u8]) -> KeyRange {
        let at = |value: &AttributeValue| {
            let mut key = prefix.to_vec();
            encode_value(value, &mut key);
            key
        };
        let (first, end) = (prefix.to_vec(), successor(prefix));
        match self {
            Self::Eq(value) => KeyRange::of_prefix(at(value)),
            Self::Lt(value) => KeyRange { start: first, end: at(value) },
            Self::Le(value) => KeyRange { start: first, end: successor(&at(value)) },
            Self::Gt(value) => KeyRange { start: successor(&at(value)), end },
            Self::Ge(value) => KeyRange { start: at(value), end },
            Self::Between(low, high) => KeyRange { start: at(low), end: successor(&at(high)) },
            Self::BeginsWith(value) => {
                let mut key = prefix.to_vec();
                encode_unterminated(value, &mut key);
                KeyRange::of_prefix(key)
            }
        }
    }

    /// Whether a sort value fulfils the condition.
    pub fn holds(&self, value: &AttributeValue) -> bool {
        let order = |other: &AttributeValue| value.compare(other);
        match self {
            Self::Eq(other) => value == other,
            Self::Lt(other) => order(other).is_some_and(|order| order.is_lt()),
            Self::Le(other) => order(other).is_some_and(|order| order.is_le()),
            Self::Gt(other) => order(other).is_some_and(|order| order.is_gt()),
            Self::Ge(other) => order(other).is_some_and(|order| order.is_ge()),
            Self::Between(low, high) => {
                order(low).is_some_and(|order| order.is_ge())
                    && order(high).is_some_and(|order| order.is_le())
            }
            Self::BeginsWith(prefix) => match (value, prefix) {
                (AttributeValue::S(text), AttributeValue::S(prefix)) => text.starts_with(prefix),
                (AttributeValue::B(bytes), AttributeValue::B(prefix)) => bytes.starts_with(prefix),
                _ => false,
            },
        }
    }
}

/// Appends the order-preserving bytes of a key value. Values of other types than S, N and B never are keys.
pub fn encode_value(value: &AttributeValue, out: &mut Vec<u8>) {
    if let AttributeValue::N(number) = value {
        number.decimal().encode_key(out);
        return;
    }
    encode_unterminated(value, out);
    out.extend_from_slice(&[0, 1]);
}

fn encode_unterminated(value: &AttributeValue, out: &mut Vec<u8>) {
    let bytes = match value {
        AttributeValue::S(text) => text.as_bytes(),
        AttributeValue::B(bytes) => bytes,
        _ => return,
    };
    for run in bytes.split_inclusive(|byte| *byte == 0) {
        out.extend_from_slice(run);
        if run.ends_with(&[0]) {
            out.push(0xFF);
        }
    }
}

/// Reads a key value of the given type from the front of `bytes`; also returns how many bytes it took.
pub fn decode_value(kind: AttributeType, bytes: &[u8]) -> Option<(AttributeValue, usize)> {
    if kind == AttributeType::N {
        let (number, taken) = Decimal::decode_key(bytes)?;
        return Some((AttributeValue::N(number.to_number()), taken));
    }
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (0, Some(1)) => break,
            (0, Some(0xFF)) => {
                content.push(0);
                at += 2;
            }
            (0, _) => return None,
            (byte, _) => {
                content.push(*byte);
                at += 1;
            }
        }
    }
    let value = match kind {
        AttributeType::S => AttributeValue::S(String::from_utf8(content).ok()?),
        AttributeType::B => AttributeValue::B(content),
        _ => return None,
    };
    Some((value, at + 2))
}

/// The first byte string after all those that begin with `key`.
fn successor(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    while let Some(last) = key.pop() {
        if last < 0xFF {
            key.push(last + 1);
            break;
        }
    }
    key
}

/// Refuses a partition key of more than 2048 bytes.
pub fn check_partition_size(value: &AttributeValue) -> Result<(), Invalid> {
    if value.length().is_some_and(|length| length > MAX_PARTITION_KEY_SIZE) {
        // AWS leaves out the space after "of".
        return Err(Invalid::parameter(
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ));
    }
    Ok(())
}

/// Refuses a sort key of more than 1024 bytes.
pub fn check_sort_size(value: &AttributeValue) -> Result<(), Invalid> {
    if value.length().is_some_and(|length| length > MAX_SORT_KEY_SIZE) {
        return Err(Invalid::parameter(
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ));
    }
    Ok(())
}

fn schema_mismatch() -> Invalid {
    Invalid::new("The provided key element does not match the schema")
}

fn empty_key(attribute: &KeyAttribute) -> String {
    format!(
        "The AttributeValue for a key attribute cannot contain an empty {} value. Key: {}",
        noun(attribute.kind),
        attribute.name
    )
}

fn noun(kind: AttributeType) -> &'static str {
    if kind == AttributeType::B { "binary" } else { "string" }
}
