//! Sandboxes for foreign processes.

/// Becomes the sandbox helper if the program was started as one; returns at once otherwise.
///
/// The server's `main` must call it before anything else, above all before it starts a thread.
pub fn maybe_enter() {}
