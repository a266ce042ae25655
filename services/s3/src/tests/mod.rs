//! Tests through the whole pipeline, in process.
