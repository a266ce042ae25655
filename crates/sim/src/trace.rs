//! What happened, as a hash that repeats with the seed, and as text for who wants to read it.

use std::cell::{Cell, RefCell};

/// Collects the events of a run.
pub(crate) struct Trace {
    hash: Cell<u64>,
    events: Cell<u64>,
    /// The events themselves, kept on request.
    lines: Option<RefCell<Vec<String>>>,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Trace {
        Trace {
            hash: Cell::new(0xcbf2_9ce4_8422_2325),
            events: Cell::new(0),
            lines: keep.then(RefCell::default),
        }
    }

    /// Adds an event.
    pub(crate) fn event(&self, millis: i64, who: &str, what: &str) {
        let line = format!("{millis} {who}: {what}");
        // FNV-1a: it need not be strong, only the same on every machine.
        let hash = line.bytes().chain([b'\n']).fold(self.hash.get(), |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.hash.set(hash);
        self.events.set(self.events.get() + 1);
        if let Some(lines) = &self.lines {
            lines.borrow_mut().push(line);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.get()
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.get()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.map(RefCell::into_inner).unwrap_or_default()
    }
}
