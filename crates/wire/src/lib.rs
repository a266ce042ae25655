//! The protocol layer: AWS's models as `'static` data, and codecs that walk them.
//!
//! A generated struct is described by a [`Schema`] and opens its members through [`Value`]. Every
//! codec (awsJson, awsQuery, ec2Query, restJson1, restXml, rpcv2Cbor) is written once against those
//! two, so that adding a protocol is a file and adding a shape is a table.
//!
//! This crate knows HTTP's vocabulary (`http` types) but no server, no socket and no runtime.

mod body;
mod schema;
mod style;
mod timestamp;
mod value;

pub use body::{Body, BodyError, Trailers};
pub use schema::{
    Constraint, ErrorShape, Flags, Kind, List, Location, Map, Member, Operation, OperationName,
    OperationShape, Protocol, Schema, Service, TimestampFormat,
};
pub use style::{Style, XmlFlavour};
pub use timestamp::Timestamp;
pub use value::{Document, EnumValue, Item, ListValue, MapValue, Slot, Struct, UnionValue, Value};
