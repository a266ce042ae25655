//! Where the queues' heads are: a hint in memory that spares long walks.
//!
//! Receiving takes messages from the head of an index and puts them back further down. On a
//! log-structured engine the places that they left are tombstones, through which every later look
//! at the head would have to walk. So the earliest time at which a message of a space becomes
//! visible is remembered, and looks begin there.
//!
//! The hint is never later than the truth: it is raised only by a transaction that has looked at the
//! head, and lowered by every one that puts something before it, each inside its closure, and
//! closures run one after the other. It belongs to one process; an engine that several processes
//! share needs to forget it whenever another one has written.

use std::collections::HashMap;

use parking_lot::Mutex;

/// What is remembered of each space.
#[derive(Debug, Default)]
pub(crate) struct Heads(Mutex<HashMap<u64, Head>>);

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// No message becomes visible before this; unknown until a receive has looked.
    visible_millis: Option<u64>,
    /// No message has a lower sequence.
    sequence: u64,
}

impl Heads {
    /// The earliest time at which a message may become visible, if known; `u64::MAX`: there is none.
    pub(crate) fn visible(&self, space: u64) -> Option<u64> {
        self.0.lock().get(&space)?.visible_millis
    }

    /// Something becomes visible at `millis`.
    pub(crate) fn lower(&self, space: u64, millis: u64) {
        if let Some(head) = self.0.lock().get_mut(&space)
            && let Some(visible) = &mut head.visible_millis
        {
            *visible = millis.min(*visible);
        }
    }

    /// A transaction has seen that nothing becomes visible before `millis`.
    pub(crate) fn set(&self, space: u64, millis: u64) {
        self.0.lock().entry(space).or_default().visible_millis = Some(millis);
    }

    /// The lowest sequence that a message may have.
    pub(crate) fn sequence(&self, space: u64) -> u64 {
        self.0.lock().get(&space).map(|head| head.sequence).unwrap_or_default()
    }

    /// All messages below `sequence` are gone; new ones have higher sequences.
    pub(crate) fn set_sequence(&self, space: u64, sequence: u64) {
        self.0.lock().entry(space).or_default().sequence = sequence;
    }

    /// Other rows have taken the place of those that were looked at.
    pub(crate) fn forget_all(&self) {
        self.0.lock().clear();
    }

    /// Nobody will ask for this space again.
    pub(crate) fn forget(&self, space: u64) {
        self.0.lock().remove(&space);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_unknown_until_somebody_looked() {
        let heads = Heads::default();
        heads.lower(1, 5);
        assert_eq!(heads.visible(1), None, "what was there before is not known");
        heads.set(1, u64::MAX);
        heads.lower(1, 50);
        heads.lower(1, 70);
        assert_eq!(heads.visible(1), Some(50));
        heads.forget(1);
        assert_eq!(heads.visible(1), None);
    }
}
