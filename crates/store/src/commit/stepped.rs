//! Commits without a thread: a simulation takes the committer's steps itself, so that a run repeats exactly.

use super::{Committer, Group, Mode, Shared};
use crate::Error;

/// Where a group is when a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitStep {
    /// The group is taken: later transactions join the next one.
    Taken,
    /// The group is on the disk, or has failed to get there, and nobody knows yet.
    Committed,
    /// All who wait have been told.
    Told,
}

impl Committer {
    /// Commits groups until the database is closed; `pause` is awaited after each step.
    pub(crate) async fn take_steps<P: Future<Output = ()>>(
        &self,
        mut pause: impl FnMut(CommitStep) -> P,
    ) {
        let shared = &self.shared;
        let Mode::Stepped(survives) = shared.mode else { return };
        loop {
            shared.step.notified().await;
            while let Some(group) = shared.take_work() {
                pause(CommitStep::Taken).await;
                let outcome = group.commit(survives);
                pause(CommitStep::Committed).await;
                // Its waiters are told.
                let _ = shared.settle(group, outcome);
                pause(CommitStep::Told).await;
            }
            if shared.state.lock().closing {
                return;
            }
        }
    }
}

impl Shared {
    fn take_work(&self) -> Option<Group> {
        let mut state = self.state.lock();
        let idle = state.pending.is_empty() && state.waiters.is_empty();
        if idle || state.committing.is_some() { None } else { Group::take(&mut state) }
    }

    /// Commits what waits, where no thread does, on behalf of somebody who is about to block for it.
    pub(super) fn step_if_nobody_does(&self) -> Result<(), Error> {
        let Mode::Stepped(survives) = self.mode else { return Ok(()) };
        while let Some(group) = self.take_work() {
            let outcome = group.commit(survives);
            // Its waiters are told.
            let _ = self.settle(group, outcome);
        }
        match self.state.lock().committing {
            None => Ok(()),
            Some(_) => Err(Error::Engine("a group is between two steps".into())),
        }
    }
}
