//! What holds for every operation of every service.

mod authorization;
mod operations;
mod reference;
mod refusals;
