//! Pure rules: names of functions, what a configuration may hold, what an event may be.

pub(crate) mod environment;
pub(crate) mod payload;
pub(crate) mod principal;
pub(crate) mod runtimes;
pub(crate) mod target;
