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
//!
//! A look at the head costs more than the few messages that it is for, so that it also notes who comes
//! next. Whatever is put among or before those that were noted undoes the note.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::store::Counts;

/// What is remembered of each space.
#[derive(Debug, Default)]
pub(crate) struct Heads(Mutex<HashMap<u64, Head>>);

#[derive(Debug, Default)]
struct Head {
    /// No message becomes visible before this; unknown until a receive has looked.
    visible_millis: Option<u64>,
    /// The earliest time of those that became known since somebody began to look.
    meanwhile_millis: Option<u64>,
    /// No message has a lower sequence.
    sequence: u64,
    /// The messages at the head.
    ahead: Ahead,
    /// How many messages were hidden when they were last counted.
    counted: Option<Counted>,
}

/// The messages of a standard queue that come next: all that become visible before others do. Some may be gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead {
    /// When each becomes visible, and its sequence, in this order.
    pub(crate) messages: VecDeque<(u64, u64)>,
    /// No other message becomes visible before this.
    pub(crate) rest_millis: u64,
}

impl Ahead {
    /// When the next message becomes visible, or any other; `u64::MAX`: there is none.
    pub(crate) fn next_millis(&self) -> u64 {
        self.messages.front().map_or(self.rest_millis, |(visible, _)| *visible)
    }

    fn lower(&mut self, millis: u64) {
        if self.messages.back().is_some_and(|(visible, _)| millis <= *visible) {
            self.messages.clear();
        }
        self.rest_millis = self.rest_millis.min(millis);
    }
}

/// A count that is right enough for a while: of the cloud's time, which may jump, and of the machine's, which goes on.
#[derive(Clone, Copy, Debug)]
struct Counted {
    counts: Counts,
    at_millis: u64,
    at: Instant,
    holds: Duration,
}

impl Counted {
    fn holds(&self, now_millis: u64) -> bool {
        let apart = Duration::from_millis(now_millis.abs_diff(self.at_millis));
        apart.max(self.at.elapsed()) < self.holds
    }
}

impl Heads {
    /// The earliest time at which a message may become visible, if known; `u64::MAX`: there is none.
    pub(crate) fn visible(&self, space: u64) -> Option<u64> {
        self.0.lock().get(&space)?.visible_millis
    }

    /// Something becomes visible at `millis`.
    pub(crate) fn lower(&self, space: u64, millis: u64) {
        if let Some(head) = self.0.lock().get_mut(&space) {
            head.ahead.lower(millis);
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

    /// The messages that were noted at the head, if that is still true of them.
    pub(crate) fn ahead(&self, space: u64) -> Ahead {
        self.0.lock().get(&space).map(|head| head.ahead.clone()).unwrap_or_default()
    }

    /// A transaction has seen that these come next, and nothing before them.
    pub(crate) fn set_ahead(&self, space: u64, ahead: Ahead) {
        let mut heads = self.0.lock();
        let head = heads.entry(space).or_default();
        head.visible_millis = Some(ahead.next_millis());
        head.ahead = ahead;
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
        let counted = self.0.lock().get(&space)?.counted?;
        counted.holds(now_millis).then_some(counted.counts)
    }

    /// Remembers for a while how many are hidden.
    pub(crate) fn set_counts(&self, space: u64, counts: Counts, now_millis: u64, holds: Duration) {
        let counted = Counted { counts, at_millis: now_millis, at: Instant::now(), holds };
        self.0.lock().entry(space).or_default().counted = Some(counted);
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
    fn what_is_put_before_others_undoes_the_note_of_them() {
        let heads = Heads::default();
        let ahead = Ahead { messages: [(10, 1), (20, 2)].into(), rest_millis: 90 };
        heads.set_ahead(1, ahead.clone());
        assert_eq!(heads.visible(1), Some(10));
        heads.lower(1, 50);
        assert_eq!(heads.ahead(1).messages, ahead.messages, "it comes after them");
        assert_eq!(heads.ahead(1).rest_millis, 50);
        heads.lower(1, 20);
        assert!(heads.ahead(1).messages.is_empty(), "it may come between them");
        assert_eq!(heads.visible(1), Some(10), "a look begins where they were");
        heads.set_ahead(1, ahead);
        heads.forget(1);
        assert!(heads.ahead(1).messages.is_empty());
    }

    #[test]
    fn a_count_holds_until_either_clock_has_moved() {
        let heads = Heads::default();
        let counts = Counts { in_flight: 5000, ..Counts::default() };
        heads.set_counts(1, counts, 1_000_000, Duration::from_secs(3600));
        assert_eq!(heads.counts(1, 1_000_500), Some(counts));
        assert_eq!(heads.counts(1, 999_500), Some(counts));
        assert_eq!(heads.counts(1, 1_000_000 + 3_600_000), None, "the cloud's clock went on");
        assert_eq!(heads.counts(1, 0), Some(counts), "less than an hour back");
        heads.set_counts(1, counts, 1_000_000, Duration::ZERO);
        assert_eq!(heads.counts(1, 1_000_000), None, "the machine's clock went on");
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
