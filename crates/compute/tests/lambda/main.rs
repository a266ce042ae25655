//! Real functions in real runtimes, without a control plane.

mod node;
mod provided;
mod python;
mod world;
