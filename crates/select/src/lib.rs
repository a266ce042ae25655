//! The engine of S3 Select: a query over CSV or JSON that comes in pieces, or over Parquet of which it asks for ranges.
//!
//! An [`Engine`] is given the bytes of an object and writes records, in memory that depends on neither. It reads no file, waits
//! for nothing and knows no clock: who drives it calls [`Engine::step`] and does what it asks for.
//!
//! The dialect is that of the S3 User Guide. What AWS leaves open is decided so: a text that is compared or added with a number
//! counts as the number that it reads as; comparisons of what cannot be compared are unknown. Decimals have 28 digits, where
//! AWS's have 38.

mod aggregates;
mod ast;
mod calls;
#[cfg(feature = "parquet")]
mod columnar;
mod csv;
mod engine;
mod error;
mod evaluate;
mod expressions;
mod functions;
mod json;
mod lexer;
mod output;
mod parser;
mod patterns;
mod source;
#[cfg(test)]
mod tests;
mod timestamp;
mod value;

pub use csv::{CsvInput, Header};
pub use engine::{Counts, Engine, Input, Request, Scan, Step};
pub use error::{Error, WORDED_CODES};
pub use output::{CsvOutput, Output};
pub use source::Compression;
