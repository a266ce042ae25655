//! The simulated engine: batches that are written in order, and synced some time after.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::{Bug, Chance, Shared, State};
use crate::Error;
use crate::engine::cow::CowMap;
use crate::engine::{Engine, Fill, Survives, View};
use crate::tx::Overlay;

/// What a batch writes and deletes.
type Batch = Vec<(Bytes, Option<Bytes>)>;

/// The rows on the disk.
#[derive(Default)]
pub(super) struct Rows {
    synced: CowMap,
    written: CowMap,
    unsynced: Vec<Batch>,
}

impl Rows {
    fn write(&mut self, batch: &Overlay) {
        let batch: Batch = batch.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        apply(&mut self.written, &batch);
        self.unsynced.push(batch);
    }

    fn sync(&mut self) {
        self.unsynced.clear();
        self.synced = self.written.clone();
    }

    /// Keeps none, some or all of the batches that were not synced, in their order. A batch is one record with a
    /// checksum, so that it is there as a whole or not at all, unless it may be `torn`.
    pub(super) fn lose_power(&mut self, chance: &mut Chance, torn: bool) {
        let kept = chance.up_to(self.unsynced.len());
        for batch in &self.unsynced[..kept] {
            apply(&mut self.synced, batch);
        }
        if torn && let Some(batch) = self.unsynced.get(kept) {
            apply(&mut self.synced, &batch[..batch.len() / 2]);
        }
        self.unsynced.clear();
        self.written = self.synced.clone();
    }
}

fn apply(rows: &mut CowMap, batch: &[(Bytes, Option<Bytes>)]) {
    for (key, value) in batch {
        match value {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        }
    }
}

/// The engine of one life.
pub(super) struct SimulatedEngine {
    disk: Arc<Shared>,
    life: u64,
}

impl SimulatedEngine {
    pub(super) fn new(disk: Arc<Shared>, life: u64) -> SimulatedEngine {
        SimulatedEngine { disk, life }
    }

    fn write(&self, state: &mut State, batch: &Overlay) -> io::Result<()> {
        self.disk.begin(state, self.life)?;
        if state.faults.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let chance = state.faults.commits_per_million;
        if state.chance.per_million(chance) {
            if state.chance.coin() {
                state.rows.write(batch);
            }
            return Err(io::Error::other("the simulated disk fails"));
        }
        state.rows.write(batch);
        Ok(())
    }

    fn sync(&self, state: &mut State) -> io::Result<()> {
        self.disk.begin(state, self.life)?;
        if state.faults.bug != Some(Bug::UnsyncedCommits) {
            state.rows.sync();
        }
        Ok(())
    }
}

impl Engine for SimulatedEngine {
    fn view(&self) -> Result<Arc<dyn View>, Error> {
        Ok(Arc::new(self.disk.state.lock().rows.written.clone()))
    }

    fn commit(&self, batch: &Overlay, survives: Survives) -> Result<(), Error> {
        let mut state = self.disk.state.lock();
        let written = self.write(&mut state, batch).and_then(|()| match survives {
            Survives::Crash => Ok(()),
            Survives::PowerCut => self.sync(&mut state),
        });
        written.map_err(|error| Error::io("writing the simulated rows", error))
    }

    fn flush(&self) -> Result<(), Error> {
        let mut state = self.disk.state.lock();
        self.sync(&mut state).map_err(|error| Error::io("syncing the simulated rows", error))
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }

    fn rebuild(&self, _: &mut Fill<'_>) -> Result<Arc<dyn Engine>, Error> {
        Err(Error::Engine("the simulated disk has one set of rows".into()))
    }

    fn take_over(&self) -> Result<(), Error> {
        Ok(())
    }

    fn retire(&self) {}
}
