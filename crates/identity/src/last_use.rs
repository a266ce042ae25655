//! When access keys and roles were last used. Noted in memory by every request and written from time to time: the last
//! minute may be lost with the process, as AWS too is late with these times.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use fogbank_core::store::Error;
use fogbank_core::{Request, WriteTx};
use parking_lot::Mutex;

use crate::rows::{LAST_USES, LastUse};

/// How many ids wait to be written at most; what is over is not noted.
const CAPACITY: usize = 65_536;

/// The last uses that are not written yet, by the id of the access key or role.
#[derive(Default)]
pub struct LastUses(Mutex<HashMap<String, LastUse>>);

impl LastUses {
    /// Notes that `id` made `request`.
    pub(crate) fn note(&self, id: &str, request: &Request) {
        let mut uses = self.0.lock();
        let secs = request.now.secs();
        if let Some(last) = uses.get_mut(id) {
            last.secs = last.secs.max(secs);
            if last.service != request.service {
                request.service.clone_into(&mut last.service);
            }
            if last.region != request.region {
                request.region.clone_into(&mut last.region);
            }
        } else if uses.len() < CAPACITY {
            let service = request.service.to_owned();
            let last = LastUse { secs, service, region: request.region.clone() };
            uses.insert(id.to_owned(), last);
        }
    }

    /// The last use of `id` that is not written yet.
    pub fn get(&self, id: &str) -> Option<LastUse> {
        self.0.lock().get(id).cloned()
    }

    /// What waits to be written.
    pub fn pending(&self) -> Vec<(String, LastUse)> {
        self.0.lock().iter().map(|(id, last)| (id.clone(), last.clone())).collect()
    }

    /// Writes what was pending.
    pub fn write(tx: &mut WriteTx<'_>, pending: &[(String, LastUse)]) -> Result<(), Error> {
        pending.iter().try_for_each(|(id, last)| LAST_USES.put(tx, id, last))
    }

    /// Forgets what was written, unless it was used again since.
    pub fn written(&self, pending: Vec<(String, LastUse)>) {
        let mut uses = self.0.lock();
        for (id, last) in pending {
            if let Entry::Occupied(entry) = uses.entry(id)
                && *entry.get() == last
            {
                entry.remove();
            }
        }
    }
}
