//! How far a version is replicated: the status that callers see and, while something waits, what it is and for whom.
//!
//! It is kept as one text in the version's row: the status, and after a space the rest as JSON.

use fogbank_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::Rule;

/// How far a version is replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    word: Word,
    /// The number of the transaction that asked for what waits; jobs of older ones are void.
    pub(super) round: u64,
    /// When that was.
    pub(super) asked_millis: i64,
    pub(super) targets: Vec<Target>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Pending,
    Completed,
    Failed,
    Replica,
}

/// A destination, and what is to be done there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    /// The bucket.
    pub(super) to: String,
    /// The id of the rule.
    pub(super) rule: String,
    /// Whether the version is to be copied, and not only a change of it.
    pub(super) copies: bool,
    pub(super) progress: Progress,
    /// Whether the time was over before it was done.
    pub(super) late: bool,
}

/// How far a destination is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Progress {
    Waits,
    Done,
    Failed,
}

impl Target {
    /// What a rule wants.
    pub(super) fn new(rule: &Rule, copies: bool) -> Target {
        Target {
            to: rule.destination.clone(),
            rule: rule.id.clone(),
            copies,
            progress: Progress::Waits,
            late: false,
        }
    }
}

/// What follows the status.
#[derive(Serialize, Deserialize)]
struct Rest {
    round: u64,
    asked: i64,
    targets: Vec<Target>,
}

impl State {
    /// That of a copy.
    pub(super) fn replica() -> State {
        State { word: Word::Replica, round: 0, asked_millis: 0, targets: Vec::new() }
    }

    /// That of a version of which something is to be done. A replica is called one all the while.
    pub(super) fn pending(
        round: u64,
        now: Timestamp,
        targets: Vec<Target>,
        is_replica: bool,
    ) -> State {
        let word = if is_replica { Word::Replica } else { Word::Pending };
        State { word, round, asked_millis: now.millis(), targets }
    }

    /// Reads what a row keeps.
    pub(super) fn read(text: &str) -> State {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = serde_json::from_str(rest).ok();
        let Rest { round, asked, targets } =
            rest.unwrap_or(Rest { round: 0, asked: 0, targets: Vec::new() });
        let word = match word {
            "PENDING" => Word::Pending,
            "COMPLETED" => Word::Completed,
            "FAILED" => Word::Failed,
            _ => Word::Replica,
        };
        State { word, round, asked_millis: asked, targets }
    }

    /// What a row keeps.
    pub(super) fn text(&self) -> String {
        let word = self.word();
        if self.targets.is_empty() {
            return word.to_owned();
        }
        let targets = self.targets.clone();
        let rest = Rest { round: self.round, asked: self.asked_millis, targets };
        // Numbers, texts and names always have a JSON.
        format!("{word} {}", serde_json::to_string(&rest).unwrap_or_default())
    }

    /// The status that callers see.
    pub(super) fn word(&self) -> &'static str {
        match self.word {
            Word::Pending => "PENDING",
            Word::Completed => "COMPLETED",
            Word::Failed => "FAILED",
            Word::Replica => "REPLICA",
        }
    }

    pub(super) fn is_replica(&self) -> bool {
        self.word == Word::Replica
    }

    /// Whether the version is still to be copied to a bucket.
    pub(super) fn awaits_copy(&self, to: &str) -> bool {
        let mut targets = self.targets.iter();
        targets.any(|target| target.to == to && target.copies && target.progress == Progress::Waits)
    }

    /// What waits for other destinations than these.
    pub(super) fn waiting_beside(&self, targets: &[Target]) -> Vec<Target> {
        let is_other = |target: &&Target| !targets.iter().any(|known| known.to == target.to);
        let waiting = self.targets.iter().filter(|target| target.progress == Progress::Waits);
        waiting.filter(is_other).cloned().collect()
    }

    /// What waits for a bucket since a round.
    pub(super) fn waiting(&mut self, round: u64, to: &str) -> Option<&mut Target> {
        let mut targets = self.targets.iter_mut();
        targets
            .find(|target| target.to == to && target.progress == Progress::Waits)
            .filter(|_| self.round == round)
    }

    /// Notes the end of what waited for a bucket; with the last one the version has its final status.
    pub(super) fn settle(&mut self, to: &str, progress: Progress) {
        for target in self.targets.iter_mut().filter(|target| target.to == to) {
            target.progress = progress;
        }
        let is = |progress| self.targets.iter().any(|target| target.progress == progress);
        if is(Progress::Waits) {
            return;
        }
        if !self.is_replica() {
            self.word = if is(Progress::Failed) { Word::Failed } else { Word::Completed };
        }
        self.targets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(to: &str) -> Target {
        let rule = "r".to_owned();
        Target { to: to.into(), rule, copies: true, progress: Progress::Waits, late: false }
    }

    fn state(is_replica: bool) -> State {
        State::pending(7, Timestamp::from_millis(5), vec![target("a"), target("b")], is_replica)
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let text = state(false).text();
        assert_eq!(
            text,
            r#"PENDING {"round":7,"asked":5,"targets":[{"to":"a","rule":"r","copies":true,"progress":"Waits","late":false},{"to":"b","rule":"r","copies":true,"progress":"Waits","late":false}]}"#
        );
        assert_eq!(State::read(&text), state(false));
        for text in ["COMPLETED", "FAILED", "REPLICA"] {
            assert_eq!(State::read(text).text(), text);
        }
    }

    #[test]
    fn the_last_destination_decides() {
        for (first, second, word) in [
            (Progress::Done, Progress::Done, "COMPLETED"),
            (Progress::Failed, Progress::Done, "FAILED"),
            (Progress::Done, Progress::Failed, "FAILED"),
        ] {
            let mut state = state(false);
            assert!(state.waiting(6, "a").is_none());
            assert!(state.waiting(7, "a").is_some());
            state.settle("a", first);
            assert!(state.waiting(7, "a").is_none());
            assert_eq!(state.word(), "PENDING");
            state.settle("b", second);
            assert_eq!(state.text(), word);
        }
        let mut replica = state(true);
        assert_eq!(replica.word(), "REPLICA");
        replica.settle("a", Progress::Done);
        replica.settle("b", Progress::Failed);
        assert_eq!(replica.text(), "REPLICA");
    }
}
