//! Amazon DynamoDB: tables of items, read and written by key, with conditions, updates, queries and scans.
//!
//! The rules stand apart from storage and wire, so that they can be tested alone: numbers ([`number`]), values and items
//! ([`value`]), keys and their order ([`keys`]), the bytes of a row ([`encoding`]), DynamoDB's JSON ([`json`]) and the
//! expression languages ([`expressions`]). Each refuses what DynamoDB refuses, in DynamoDB's words ([`invalid`]).

pub mod encoding;
pub mod expressions;
pub mod invalid;
pub mod json;
pub mod keys;
pub mod number;
pub mod value;

#[cfg(test)]
mod tests;
