//! Operations through the whole pipeline.

mod faces;
