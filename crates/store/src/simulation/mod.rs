//! A disk of a simulation: it keeps apart what was written and what was synced, fails when it is told to, and loses
//! power at any operation.
//!
//! It holds the rows of an engine and the files of blobs. It outlives the databases on it: after
//! [`SimulatedDisk::restart`] it holds what a real disk could hold then, picked by the seed, and whatever still lives of
//! the database before gets errors.

mod files;
mod rows;

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{Db, Error, Options};
use files::{Files, SimulatedFolder};
use rows::{Rows, SimulatedEngine};

/// What ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process was killed: the system still writes what it has.
    Process,
    /// The machine lost power: what was not synced is lost, in part or as a whole.
    Power,
}

/// How a disk misbehaves. Chances are given in so many of a million operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A commit fails; what it wrote may be there after a restart.
    pub commits_per_million: u32,
    /// An operation on a file fails.
    pub files_per_million: u32,
    /// There is no space for anything more.
    pub full: bool,
    /// A mistake of the store to be found by whoever looks for one.
    pub bug: Option<Bug>,
}

/// Mistakes planted on purpose, which show that a search would find such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Commits are acknowledged before they are synced.
    UnsyncedCommits,
    /// A commit that was on its way is there in part after a loss of power.
    TornCommits,
    /// Blobs are named before they are synced.
    UnsyncedBlobs,
    /// The names of new files are not synced.
    UnsyncedNames,
}

/// A disk that outlives the databases on it; clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    died: Notify,
}

struct State {
    chance: Chance,
    faults: Faults,
    /// Counts the restarts: handles of earlier lives are of no use.
    life: u64,
    operations: u64,
    cut_at: Option<u64>,
    dead: bool,
    rows: Rows,
    files: Files,
}

impl SimulatedDisk {
    /// An empty disk. The seed decides which operations fail and what a loss of power leaves.
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Shared {
            state: Mutex::new(State {
                chance: Chance(seed),
                faults: Faults::default(),
                life: 0,
                operations: 0,
                cut_at: None,
                dead: false,
                rows: Rows::default(),
                files: Files::default(),
            }),
            died: Notify::new(),
        }))
    }

    /// Opens the database on this disk.
    pub fn open(&self, options: &Options) -> Result<Db, Error> {
        let life = self.0.state.lock().life;
        let engine = SimulatedEngine::new(self.0.clone(), life);
        let folder = SimulatedFolder::new(self.0.clone(), life);
        Db::simulated(Arc::new(engine), Arc::new(folder), options)
    }

    /// Misbehaves like this from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.state.lock().faults = faults;
    }

    /// Stops for ever, until a restart, before the operation that comes after so many.
    pub fn stop_after(&self, operations: u64) {
        let mut state = self.0.state.lock();
        state.cut_at = Some(state.operations + operations);
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.0.state.lock().operations
    }

    /// The names of all files.
    pub fn files(&self) -> Vec<String> {
        self.0.state.lock().files.names()
    }

    /// Waits until the disk has stopped.
    pub async fn stopped(&self) {
        loop {
            let died = self.0.died.notified();
            if self.0.state.lock().dead {
                return;
            }
            died.await;
        }
    }

    /// Starts again after a crash, without faults.
    pub fn restart(&self, crash: Crash) {
        let mut state = self.0.state.lock();
        let State { chance, rows, files, faults, .. } = &mut *state;
        if crash == Crash::Power {
            rows.lose_power(chance, faults.bug == Some(Bug::TornCommits));
            files.lose_power(chance);
        }
        state.life += 1;
        state.dead = false;
        state.cut_at = None;
        state.faults = Faults { bug: state.faults.bug, ..Faults::default() };
    }
}

impl Shared {
    /// Counts an operation of a life, and says whether it may happen.
    fn begin(&self, state: &mut State, life: u64) -> io::Result<()> {
        if state.life != life || state.dead {
            return Err(io::Error::other("the power is gone"));
        }
        if state.cut_at.is_some_and(|at| state.operations >= at) {
            state.dead = true;
            self.died.notify_waiters();
            return Err(io::Error::other("the power is gone"));
        }
        state.operations += 1;
        Ok(())
    }
}

/// The disk's own source of chance (SplitMix64), so that it repeats whatever else draws numbers.
struct Chance(u64);

impl Chance {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number up to and including `most`.
    fn up_to(&mut self, most: usize) -> usize {
        (self.number() % (most as u64 + 1)) as usize
    }

    fn coin(&mut self) -> bool {
        self.number() & 1 == 1
    }

    fn per_million(&mut self, chance: u32) -> bool {
        chance > 0 && self.number() % 1_000_000 < u64::from(chance)
    }
}

#[cfg(test)]
mod tests;
