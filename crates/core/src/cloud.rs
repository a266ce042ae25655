//! The cloud that all calls share: store, clock, identifiers, wake-ups and the services' own state.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use fogbank_store::{Blobs, Db};
use parking_lot::Mutex;
use tokio::runtime::Handle as Runtime;

use crate::measures::Measures;
use crate::{Call, Clock, Fault, FrontDoor, HttpRequest, HttpResponse, Ids, Reply, RootKey, Wakes};

/// What the operator has set, as far as services need it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account of calls that name none.
    pub account: String,
    /// The region of calls that name none.
    pub region: String,
    /// The directory for files that are not rows or blobs, such as unpacked function code.
    pub data_dir: PathBuf,
    /// The address at which workloads on this machine reach the cloud, such as `127.0.0.1:4566`.
    pub local_authority: String,
    /// Whether new buckets of S3 have the defaults from before April 2023: ACLs count, and nothing public is blocked.
    pub has_legacy_buckets: bool,
    /// Whether new buckets of S3 take what customers' keys encrypt (SSE-C), as they did until April 2026.
    pub allows_customer_keys: bool,
    /// Memory for bodies of S3 that are read again and again, in bytes; zero for none.
    pub s3_cache_bytes: u64,
}

/// A handle to the running cloud; clones share it.
#[derive(Clone)]
pub struct Cloud(Arc<Handle>);

/// What clones of a handle count on, apart from those of others.
struct Handle(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    /// Whoever changes the clock does it alone.
    clock_turn: tokio::sync::Mutex<()>,
    ids: Ids,
    wakes: Wakes,
    measures: Measures,
    settings: Settings,
    front_door: OnceLock<Arc<dyn FrontDoor>>,
    root_key: OnceLock<RootKey>,
    spawner: OnceLock<Runtime>,
    state: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Cloud {
    /// Puts a cloud together; it cannot call until [`Cloud::open_front_door`] was called.
    pub fn new(db: Db, clock: Clock, ids: Ids, settings: Settings) -> Cloud {
        Cloud(Arc::new(Handle(Arc::new(Inner {
            db,
            clock,
            clock_turn: tokio::sync::Mutex::default(),
            ids,
            wakes: Wakes::default(),
            measures: Measures::default(),
            settings,
            front_door: OnceLock::new(),
            root_key: OnceLock::new(),
            spawner: OnceLock::new(),
            state: Mutex::default(),
        }))))
    }

    /// The same cloud by a handle whose clones are counted apart: to count those of all requests in one place has every
    /// processor wait for the others.
    pub fn apart(&self) -> Cloud {
        Cloud(Arc::new(Handle(Arc::clone(&self.0.0))))
    }

    /// Connects the gateway; later calls have no effect.
    pub fn open_front_door(&self, front_door: Arc<dyn FrontDoor>) {
        let _ = self.0.0.front_door.set(front_door);
    }

    /// Has the present runtime do all that is spawned from now on, whichever runtime asks for it.
    pub fn spawn_here(&self) {
        let _ = self.0.0.spawner.set(Runtime::current());
    }

    /// The runtime that does what is spawned: the one that asks, unless another was named.
    pub(crate) fn spawner(&self) -> Runtime {
        self.0.0.spawner.get().cloned().unwrap_or_else(Runtime::current)
    }

    /// The store.
    pub fn db(&self) -> &Db {
        &self.0.0.db
    }

    /// The bodies of objects.
    pub fn blobs(&self) -> &Blobs {
        self.0.0.db.blobs()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.0.clock
    }

    pub(crate) fn clock_turn(&self) -> &tokio::sync::Mutex<()> {
        &self.0.0.clock_turn
    }

    /// Identifiers and chance.
    pub fn ids(&self) -> &Ids {
        &self.0.0.ids
    }

    /// Hints for those who wait.
    pub fn wakes(&self) -> &Wakes {
        &self.0.0.wakes
    }

    /// What services measure of themselves for CloudWatch.
    pub fn measures(&self) -> &Measures {
        &self.0.0.measures
    }

    /// What the operator has set.
    pub fn settings(&self) -> &Settings {
        &self.0.0.settings
    }

    /// Calls an operation through the front door.
    pub async fn call(&self, call: Call) -> Result<Reply, Fault> {
        self.front_door()?.call(self.clone(), call).await
    }

    /// Sends an HTTP request to the outside.
    pub async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        self.front_door()?.fetch(request).await
    }

    /// A service's state that is no data: caches, pools, connections. Made at first use.
    pub fn state<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut states = self.0.0.state.lock();
        let state = states.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make())).clone();
        match state.downcast() {
            Ok(state) => state,
            Err(_) => unreachable!("the key is the type"),
        }
    }

    pub(crate) fn kept_root_key(&self) -> &OnceLock<RootKey> {
        &self.0.0.root_key
    }

    pub(crate) fn front_door(&self) -> Result<&Arc<dyn FrontDoor>, Fault> {
        self.0.0.front_door.get().ok_or_else(|| Fault::internal("the gateway is not running"))
    }
}
