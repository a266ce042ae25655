//! Pure rules: statistics, windows, expressions, alarms. No clock, no transaction.

pub(crate) mod alarms;
pub(crate) mod composite;
pub(crate) mod expression;
pub(crate) mod search;
pub(crate) mod statistics;
pub(crate) mod window;
