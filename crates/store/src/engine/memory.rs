//! The engine of `--ephemeral` and of tests: rows in memory, lost with the process.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::cow::CowMap;
use super::{Engine, Fill, Survives, View};
use crate::Error;
use crate::tx::Overlay;

/// Rows in a map whose copies share all that is equal, so that a view costs one reference.
#[derive(Default)]
pub(crate) struct MemoryEngine {
    rows: Mutex<CowMap>,
}

impl Engine for MemoryEngine {
    fn view(&self) -> Result<Arc<dyn View>, Error> {
        Ok(Arc::new(self.rows.lock().clone()))
    }

    fn commit(&self, batch: &Overlay, _: Survives) -> Result<(), Error> {
        let mut rows = self.rows.lock();
        for (key, value) in batch.iter() {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }

    fn rebuild(&self, fill: &mut Fill<'_>) -> Result<Arc<dyn Engine>, Error> {
        let mut rows = CowMap::default();
        fill(&mut |key, value| {
            rows.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            Ok(())
        })?;
        Ok(Arc::new(MemoryEngine { rows: Mutex::new(rows) }))
    }

    fn take_over(&self) -> Result<(), Error> {
        Ok(())
    }

    fn retire(&self) {}
}
