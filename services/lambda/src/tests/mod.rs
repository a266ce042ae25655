//! Lambda through the whole pipeline, in process.
