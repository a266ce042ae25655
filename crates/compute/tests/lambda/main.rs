//! Real functions in real runtimes, without a control plane.

mod python;
mod world;
