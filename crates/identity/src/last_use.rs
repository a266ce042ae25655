//! When access keys and roles were last used. Noted in memory by every request and written from time to time: the last
//! minute may be lost with the process, as AWS too is late with these times.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use fogbank_core::store::Error;
use fogbank_core::{Request, WriteTx};
use parking_lot::Mutex;

use crate::rows::{ENTITIES, LAST_USES, LastUse, SERVICE_USES};

/// How many ids wait to be written at most; what is over is not noted.
const CAPACITY: usize = 65_536;

/// The last uses that are not written yet.
#[derive(Default)]
pub struct LastUses {
    /// By the id of the access key or role.
    keys: Mutex<HashMap<String, LastUse>>,
    /// By the unique id of the user or role, one for each service, which is named by the prefix of its actions.
    services: Mutex<HashMap<String, Vec<LastUse>>>,
}

impl LastUses {
    /// Notes that the user or role with this unique id called something of a service.
    pub(crate) fn note_service(&self, id: &str, service: &str, request: &Request) {
        let mut services = self.services.lock();
        let is_full = services.len() >= CAPACITY;
        let secs = request.now.secs();
        let new =
            |secs| LastUse { secs, service: service.to_owned(), region: request.region.clone() };
        match services.get_mut(id) {
            Some(uses) => match uses.iter_mut().find(|last| last.service == service) {
                Some(last) => {
                    last.secs = last.secs.max(secs);
                    if last.region != request.region {
                        request.region.clone_into(&mut last.region);
                    }
                }
                None => uses.push(new(secs)),
            },
            None if !is_full => {
                services.insert(id.to_owned(), vec![new(secs)]);
            }
            None => {}
        }
    }

    /// The last use of a service that is not written yet.
    pub fn of_service(&self, id: &str, service: &str) -> Option<LastUse> {
        let services = self.services.lock();
        services.get(id)?.iter().find(|last| last.service == service).cloned()
    }

    /// The last uses of services that wait to be written.
    pub fn pending_services(&self) -> Vec<(String, LastUse)> {
        let services = self.services.lock();
        let each = services.iter().flat_map(|(id, uses)| uses.iter().map(move |last| (id, last)));
        each.map(|(id, last)| (id.clone(), last.clone())).collect()
    }

    /// Writes what was pending of services.
    pub fn write_services(
        tx: &mut WriteTx<'_>,
        pending: &[(String, LastUse)],
    ) -> Result<(), Error> {
        for (id, last) in pending {
            // Who is gone by now leaves no row behind.
            if ENTITIES.contains(tx, id)? {
                SERVICE_USES.put(tx, &(id.clone(), last.service.clone()), last)?;
            }
        }
        Ok(())
    }

    /// Forgets what was written of services, unless it was used again since.
    pub fn written_services(&self, pending: Vec<(String, LastUse)>) {
        let mut services = self.services.lock();
        for (id, last) in pending {
            if let Entry::Occupied(mut entry) = services.entry(id) {
                entry.get_mut().retain(|known| *known != last);
                if entry.get().is_empty() {
                    entry.remove();
                }
            }
        }
    }

    /// Notes that `id` made `request`.
    pub(crate) fn note(&self, id: &str, request: &Request) {
        let mut uses = self.keys.lock();
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
        self.keys.lock().get(id).cloned()
    }

    /// What waits to be written.
    pub fn pending(&self) -> Vec<(String, LastUse)> {
        self.keys.lock().iter().map(|(id, last)| (id.clone(), last.clone())).collect()
    }

    /// Writes what was pending.
    pub fn write(tx: &mut WriteTx<'_>, pending: &[(String, LastUse)]) -> Result<(), Error> {
        pending.iter().try_for_each(|(id, last)| LAST_USES.put(tx, id, last))
    }

    /// Forgets what was written, unless it was used again since.
    pub fn written(&self, pending: Vec<(String, LastUse)>) {
        let mut uses = self.keys.lock();
        for (id, last) in pending {
            if let Entry::Occupied(entry) = uses.entry(id)
                && *entry.get() == last
            {
                entry.remove();
            }
        }
    }
}
