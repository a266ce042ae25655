//! The protocol layer: AWS's models as `'static` data, and codecs that walk them.
//!
//! A generated struct is described by a [`Schema`] and opens its members through [`Value`]. Every
//! codec (awsJson, awsQuery, ec2Query, restJson1, restXml, rpcv2Cbor) is written once against those
//! two, so that adding a protocol is a file and adding a shape is a table.
//!
//! This crate knows HTTP's vocabulary (`http` types) but no server, no socket and no runtime.

mod body;
mod cbor;
mod check;
pub mod eventstream;
mod failure;
mod form;
mod inner;
mod json;
mod made;
mod mismatch;
mod pattern;
mod read;
mod rejection;
mod request;
mod response;
mod rest;
pub mod route;
mod schema;
mod style;
mod text;
mod timestamp;
mod tree;
mod value;
mod xml;

pub use body::{Body, BodyError, Trailers};
pub use failure::{Failure, encode_failure, encode_rejection};
pub use inner::{from_json, to_json};
pub use rejection::{Rejection, Shown, Violation};
pub use request::{Request, decode, streaming_member};
pub use response::{Response, encode, put_body, take_body};
pub use schema::{
    Constraint, ErrorShape, Flags, Kind, List, Location, Map, Member, Operation, OperationName,
    OperationShape, Protocol, Schema, Service, TimestampFormat,
};
pub use style::{Style, TypeTexts, XmlFlavour};
pub use timestamp::Timestamp;
pub use value::{
    Document, Encoded, EnumValue, Item, ListValue, MapValue, Slot, Struct, UnionValue, Value,
};
