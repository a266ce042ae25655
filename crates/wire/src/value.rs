//! How codecs reach into generated types: a [`Slot`] to fill, an [`Item`] to read.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;

use crate::{Body, Schema, Timestamp};

/// Any JSON value: the type of the model's documents.
pub type Document = serde_json::Value;

/// A piece of model data.
pub trait Value: Any + Send + Debug {
    /// Opens the value for a reader; an absent value becomes present.
    fn slot(&mut self) -> Slot<'_>;
    /// Shows the value to a writer.
    fn item(&self) -> Item<'_>;
}

/// A place for a reader to fill.
pub enum Slot<'a> {
    /// Text.
    Text(&'a mut String),
    /// One of a closed set of texts.
    Enum(&'a mut dyn EnumValue),
    /// A 32-bit integer.
    Integer(&'a mut i32),
    /// A 64-bit integer.
    Long(&'a mut i64),
    /// A 32-bit float.
    Float(&'a mut f32),
    /// A 64-bit float.
    Double(&'a mut f64),
    /// A boolean.
    Boolean(&'a mut bool),
    /// Bytes.
    Blob(&'a mut Bytes),
    /// A point in time.
    Timestamp(&'a mut Timestamp),
    /// Any JSON value.
    Document(&'a mut Document),
    /// A streaming body.
    Body(&'a mut Body),
    /// A list.
    List(&'a mut dyn ListValue),
    /// A map.
    Map(&'a mut dyn MapValue),
    /// A structure.
    Struct(&'a mut dyn Struct),
    /// A union.
    Union(&'a mut dyn UnionValue),
}

/// A value for a writer to read.
pub enum Item<'a> {
    /// Nothing: the member is left out.
    Absent,
    /// Text.
    Text(&'a str),
    /// A 32-bit integer.
    Integer(i32),
    /// A 64-bit integer.
    Long(i64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// Bytes.
    Blob(&'a Bytes),
    /// A point in time.
    Timestamp(Timestamp),
    /// Any JSON value.
    Document(&'a Document),
    /// A streaming body.
    Body(&'a Body),
    /// A list.
    List(&'a dyn ListValue),
    /// A map.
    Map(&'a dyn MapValue),
    /// A structure.
    Struct(&'a dyn Struct),
    /// A union.
    Union(&'a dyn UnionValue),
    /// A value in a notation of its own.
    Encoded(&'a dyn Encoded),
}

/// A value of an output that lies in a notation of its own and becomes JSON without being opened: a
/// hot path's hand type.
pub trait Encoded {
    /// Appends the value as JSON.
    fn write_json(&self, out: &mut Vec<u8>);
    /// The value opened, for every other notation.
    fn open(&self) -> Box<dyn Value>;
}

/// A generated enumeration.
pub trait EnumValue {
    /// Takes the variant with this name; false if there is none.
    fn set(&mut self, name: &str) -> bool;
    /// The variant's name on the wire.
    fn name(&self) -> &'static str;
}

/// A list of values.
pub trait ListValue {
    /// The number of elements.
    fn len(&self) -> usize;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Removes every element.
    fn clear(&mut self);
    /// Appends an empty element and opens it. A sparse list's element stays absent until opened.
    fn push(&mut self) -> &mut dyn Value;
    /// The element at `index`, which must be below `len`.
    fn at(&self, index: usize) -> &dyn Value;
}

/// A map from text to values.
pub trait MapValue {
    /// The number of entries.
    fn len(&self) -> usize;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Removes every entry.
    fn clear(&mut self);
    /// Inserts an empty entry, replacing one of the same key, and opens it.
    fn insert(&mut self, key: String) -> &mut dyn Value;
    /// Shows every entry in the order of keys.
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a dyn Value));
}

/// A generated structure.
pub trait Struct: Value {
    /// The structure's shape; its members are indexed in the order of `Kind::Structure`.
    fn schema(&self) -> &'static Schema;
    /// The member at `index`.
    fn member(&self, index: usize) -> &dyn Value;
    /// The member at `index`, to fill.
    fn member_mut(&mut self, index: usize) -> &mut dyn Value;
}

impl dyn Struct {
    /// The member that the model calls `name`.
    pub fn get(&self, name: &str) -> Option<&dyn Value> {
        let crate::Kind::Structure(members) = &self.schema().kind else { return None };
        let index = members.iter().position(|member| member.name == name)?;
        Some(self.member(index))
    }

    /// The text of the member that the model calls `name`, if it is text and present.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)?.item() {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes the structure as the Rust type that it is.
    pub fn downcast<T: Struct>(self: Box<Self>) -> Option<Box<T>> {
        let any: Box<dyn Any> = self;
        any.downcast().ok()
    }

    /// Shows the structure as the Rust type that it is.
    pub fn downcast_ref<T: Struct>(&self) -> Option<&T> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// A generated union.
pub trait UnionValue {
    /// The union's shape; its members are indexed in the order of `Kind::Union`.
    fn schema(&self) -> &'static Schema;
    /// Makes the member at `index` the one that is set, empty, and opens it.
    fn select(&mut self, index: usize) -> &mut dyn Value;
    /// The member that is set, if one is.
    fn selected(&self) -> Option<(usize, &dyn Value)>;
}

macro_rules! scalar {
    ($($type:ty => $variant:ident, $copy:expr;)*) => {$(
        impl Value for $type {
            fn slot(&mut self) -> Slot<'_> {
                Slot::$variant(self)
            }
            fn item(&self) -> Item<'_> {
                let read: fn(&$type) -> Item<'_> = $copy;
                read(self)
            }
        }
    )*};
}

scalar! {
    String => Text, |v| Item::Text(v);
    i32 => Integer, |v| Item::Integer(*v);
    i64 => Long, |v| Item::Long(*v);
    f32 => Float, |v| Item::Float(*v);
    f64 => Double, |v| Item::Double(*v);
    bool => Boolean, |v| Item::Boolean(*v);
    Bytes => Blob, |v| Item::Blob(v);
    Timestamp => Timestamp, |v| Item::Timestamp(*v);
    Document => Document, |v| Item::Document(v);
    Body => Body, |v| Item::Body(v);
}

impl<T: Value + Default> Value for Option<T> {
    fn slot(&mut self) -> Slot<'_> {
        self.get_or_insert_with(T::default).slot()
    }

    fn item(&self) -> Item<'_> {
        self.as_ref().map_or(Item::Absent, Value::item)
    }
}

impl<T: Value + Default> Value for Box<T> {
    fn slot(&mut self) -> Slot<'_> {
        (**self).slot()
    }

    fn item(&self) -> Item<'_> {
        (**self).item()
    }
}

impl<T: Value + Default> ListValue for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn push(&mut self) -> &mut dyn Value {
        let index = Vec::len(self);
        Vec::push(self, T::default());
        &mut self[index]
    }

    fn at(&self, index: usize) -> &dyn Value {
        &self[index]
    }
}

impl<T: Value + Default> Value for Vec<T> {
    fn slot(&mut self) -> Slot<'_> {
        Slot::List(self)
    }

    fn item(&self) -> Item<'_> {
        Item::List(self)
    }
}

impl<T: Value + Default> MapValue for BTreeMap<String, T> {
    fn len(&self) -> usize {
        BTreeMap::len(self)
    }

    fn clear(&mut self) {
        BTreeMap::clear(self);
    }

    fn insert(&mut self, key: String) -> &mut dyn Value {
        let value = self.entry(key).or_default();
        *value = T::default();
        value
    }

    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a dyn Value)) {
        for (key, value) in self {
            visit(key, value);
        }
    }
}

impl<T: Value + Default> Value for BTreeMap<String, T> {
    fn slot(&mut self) -> Slot<'_> {
        Slot::Map(self)
    }

    fn item(&self) -> Item<'_> {
        Item::Map(self)
    }
}

/// Opens a generated structure's members to codecs, in the order of its schema.
#[macro_export]
macro_rules! structure {
    ($type:ident, $schema:path, { $($index:literal => $field:ident),* $(,)? }) => {
        impl $crate::Value for $type {
            fn slot(&mut self) -> $crate::Slot<'_> {
                $crate::Slot::Struct(self)
            }
            fn item(&self) -> $crate::Item<'_> {
                $crate::Item::Struct(self)
            }
        }
        impl $crate::Struct for $type {
            fn schema(&self) -> &'static $crate::Schema {
                &$schema
            }
            fn member(&self, index: usize) -> &dyn $crate::Value {
                match index {
                    $($index => &self.$field,)*
                    _ => unreachable!("the schema lists every member"),
                }
            }
            fn member_mut(&mut self, index: usize) -> &mut dyn $crate::Value {
                match index {
                    $($index => &mut self.$field,)*
                    _ => unreachable!("the schema lists every member"),
                }
            }
        }
    };
}

/// Declares a union: `Unset`, and a variant for every member of its schema.
#[macro_export]
macro_rules! union {
    ($type:ident, $schema:path, { $($index:literal => $variant:ident($inner:ty)),* $(,)? }) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        pub enum $type {
            /// No member was given.
            #[default]
            Unset,
            $($variant($inner),)*
        }
        impl $crate::Value for $type {
            fn slot(&mut self) -> $crate::Slot<'_> {
                $crate::Slot::Union(self)
            }
            fn item(&self) -> $crate::Item<'_> {
                $crate::Item::Union(self)
            }
        }
        impl $crate::UnionValue for $type {
            fn schema(&self) -> &'static $crate::Schema {
                &$schema
            }
            fn select(&mut self, index: usize) -> &mut dyn $crate::Value {
                *self = match index {
                    $($index => Self::$variant(Default::default()),)*
                    _ => unreachable!("the schema lists every member"),
                };
                match self {
                    $(Self::$variant(value) => value,)*
                    Self::Unset => unreachable!("a member was just selected"),
                }
            }
            fn selected(&self) -> Option<(usize, &dyn $crate::Value)> {
                match self {
                    Self::Unset => None,
                    $(Self::$variant(value) => Some(($index, value)),)*
                }
            }
        }
    };
}

/// Declares a closed enumeration with its names on the wire.
#[macro_export]
macro_rules! enumeration {
    ($type:ident { $first:ident = $first_name:literal $(, $variant:ident = $name:literal)* $(,)? }) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            #[default]
            $first,
            $($variant,)*
        }
        impl $type {
            /// Every name on the wire.
            pub const NAMES: &'static [&'static str] = &[$first_name $(, $name)*];
            const VARIANTS: &'static [$type] = &[$type::$first $(, $type::$variant)*];
            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                Self::NAMES[self as usize]
            }
            /// The variant with this name on the wire.
            pub fn from_name(name: &str) -> Option<Self> {
                let index = Self::NAMES.iter().position(|known| *known == name)?;
                Some(Self::VARIANTS[index])
            }
        }
        impl $crate::EnumValue for $type {
            fn set(&mut self, name: &str) -> bool {
                Self::from_name(name).map(|variant| *self = variant).is_some()
            }
            fn name(&self) -> &'static str {
                self.as_str()
            }
        }
        impl $crate::Value for $type {
            fn slot(&mut self) -> $crate::Slot<'_> {
                $crate::Slot::Enum(self)
            }
            fn item(&self) -> $crate::Item<'_> {
                $crate::Item::Text(self.as_str())
            }
        }
    };
}
