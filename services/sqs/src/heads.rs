//! Where the queues' heads are: a hint in memory that spares long walks.
//!
//! Receiving takes messages from the head of an index and puts them back further down. On a
//! log-structured engine the places that they left are tombstones, through which every later look
//! at the head would have to walk. So the earliest time at which a message of a space becomes
//! visible is remembered, and looks begin there.
//!
//! The hint is never later than the truth: it is raised only by a transaction that has looked at the
//! head, and lowered by every one that puts something before it, each inside its closure, and
//! closures run one after the other. The first look after a start may be long, and so is not taken
//! within a transaction: one marks that somebody looks, which waits for all before it to be durable;
//! the look then sees those, and those that come later leave word. The hint belongs to one process; an
//! engine that several processes share needs to forget it whenever another one has written.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::store::Counts;

/// What is remembered of each space.
#[derive(Debug, Default)]
pub(crate) struct Heads(Mutex<HashMap<u64, Head>>);

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// No message becomes visible before this; unknown until a receive has looked.
    visible_millis: Option<u64>,
    /// The earliest time of those that became known since somebody began to look.
    meanwhile_millis: Option<u64>,
    /// No message has a lower sequence.
    sequence: u64,
    /// How many messages were hidden, and until when that is right enough.
    counts: Option<(Counts, u64)>,
}

impl Heads {
    /// The earliest time at which a message may become visible, if known; `u64::MAX`: there is none.
    pub(crate) fn visible(&self, space: u64) -> Option<u64> {
        self.0.lock().get(&space)?.visible_millis
    }

    /// Something becomes visible at `millis`.
    pub(crate) fn lower(&self, space: u64, millis: u64) {
        if let Some(head) = self.0.lock().get_mut(&space) {
            for known in
                [&mut head.visible_millis, &mut head.meanwhile_millis].into_iter().flatten()
            {
                *known = millis.min(*known);
            }
        }
    }

    /// Somebody begins to look.
    pub(crate) fn begin_look(&self, space: u64) {
        self.0.lock().entry(space).or_default().meanwhile_millis.get_or_insert(u64::MAX);
    }

    /// A look has found that of all that was durable after it began nothing becomes visible before `millis`; returns
    /// since when something may be visible.
    pub(crate) fn end_look(&self, space: u64, millis: u64) -> u64 {
        let mut heads = self.0.lock();
        let head = heads.entry(space).or_default();
        match (head.visible_millis, head.meanwhile_millis.take()) {
            (Some(visible), _) => visible,
            (None, Some(meanwhile)) => *head.visible_millis.insert(meanwhile.min(millis)),
            // The space was forgotten meanwhile.
            (None, None) => millis,
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

    /// How many messages of the space were hidden a short while ago.
    pub(crate) fn counts(&self, space: u64, now_millis: u64) -> Option<Counts> {
        let (counts, until_millis) = self.0.lock().get(&space)?.counts?;
        (now_millis < until_millis).then_some(counts)
    }

    /// Remembers how many are hidden, until a time.
    pub(crate) fn set_counts(&self, space: u64, counts: Counts, until_millis: u64) {
        self.0.lock().entry(space).or_default().counts = Some((counts, until_millis));
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
    fn a_look_hears_of_what_came_meanwhile() {
        let heads = Heads::default();
        heads.begin_look(1);
        heads.lower(1, 40);
        assert_eq!(heads.visible(1), None, "the look has not ended");
        assert_eq!(heads.end_look(1, 60), 40);
        assert_eq!(heads.visible(1), Some(40));
        assert_eq!(heads.end_look(1, 60), 40, "another look ends later");
        heads.begin_look(2);
        assert_eq!(heads.end_look(2, u64::MAX), u64::MAX);
        heads.begin_look(3);
        heads.set(3, 7);
        assert_eq!(heads.end_look(3, 60), 7, "a transaction has looked meanwhile");
    }

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
