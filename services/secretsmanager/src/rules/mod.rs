//! Pure rules: names, labels, filters, passwords and schedules.

pub(crate) mod cron;
pub(crate) mod filter;
pub(crate) mod identifier;
pub(crate) mod password;
pub(crate) mod schedule;
pub(crate) mod stages;
