//! Pure domain logic: JSON with its places, event patterns, what targets get, schedules, names.

pub mod compile;
pub mod json;
pub(crate) mod names;
pub(crate) mod path;
pub mod pattern;
pub mod schedule;
pub mod template;
pub(crate) mod tokens;
