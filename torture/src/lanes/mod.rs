//! The load and the model of it: lanes of requests, each with what it knows of the state that must be there.
//!
//! A lane owns the keys that it writes to, so that its model is exact: for each key, the states that are possible. An
//! acknowledged write leaves one; one of unknown outcome adds one. After a restart the lane looks which it is, and
//! anything else is a failure. The model knows nothing of how the cloud keeps its state.

pub mod appends;
pub mod counters;
pub mod fifo;
pub mod functions;
pub mod items;
pub mod money;
pub mod objects;
pub mod queues;
pub mod snapshots;

use std::sync::Arc;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::client::{Answer, Client, Outcome, TIMED_OUT};

/// Failures found so far.
#[derive(Clone, Default)]
pub struct Failures(Arc<Mutex<Vec<String>>>);

impl Failures {
    /// Notes a failure.
    pub fn add(&self, what: impl Into<String>) {
        self.0.lock().push(what.into());
    }

    /// Notes a failure unless `good`.
    pub fn check(&self, good: bool, what: impl FnOnce() -> String) {
        if !good {
            self.add(what());
        }
    }

    /// Takes the failures out.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

/// What a step of a lane needs.
pub struct Step {
    /// Calls the cloud.
    pub client: Client,
    /// Decides what happens.
    pub random: StdRng,
    /// Takes failures.
    pub failures: Failures,
}

/// Whether a lane can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// The next step may come.
    Go,
    /// The cloud failed: it may still answer, so a moment later.
    Wait,
    /// There was no answer; until the cloud was restarted, what was asked for may still happen.
    Stop,
}

impl Step {
    /// What a lane needs, for one stretch of load; the same for the same seed.
    pub fn new(client: Client, seed: u64, cycle: u64, lane: u64, failures: Failures) -> Step {
        let mixed = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(cycle << 20 | lane)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Step { client, random: StdRng::seed_from_u64(mixed), failures }
    }

    /// Sorts an outcome: an answer that tells, or what to do without one.
    pub fn sort(&self, what: &str, outcome: Outcome) -> Result<Answer, Next> {
        match outcome {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Failed(answer) => {
                let is_ours = matches!(answer.status, 500 | 503);
                self.failures.check(is_ours, || format!("{what}: status {}", answer.status));
                Err(Next::Wait)
            }
            Outcome::Lost(why) => {
                self.failures.check(why != TIMED_OUT, || format!("{what}: no answer in time"));
                Err(Next::Stop)
            }
        }
    }
}

/// How often something of unknown outcome is asked for again when a check reads: none may fail.
pub async fn read(
    failures: &Failures,
    what: &str,
    outcome: impl Future<Output = Outcome>,
) -> Option<Answer> {
    match outcome.await.known() {
        Ok(answer) => Some(answer),
        Err(error) => {
            failures.add(format!("{what} cannot be read: {error:#}"));
            None
        }
    }
}
