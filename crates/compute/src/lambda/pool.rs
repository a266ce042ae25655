//! Keeps execution environments warm, limits their number, and replaces them when a function changes.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::environment::Environment;
use super::spec::{Invocation, Outcome, Spec};
use crate::compute::{Compute, StartError};

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Invocations at one time, of all functions; AWS's default for an account is 1000.
    pub concurrency: usize,
    /// Environments at one time, busy and idle; beyond it the longest idle one goes.
    pub environments: usize,
    /// How long an idle environment is kept.
    pub idle: Duration,
    /// How long an environment is used at most; it must be less than the life of its credentials.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 1000,
            environments: 256,
            idle: Duration::from_secs(10 * 60),
            age: Duration::from_secs(5 * 60 * 60),
        }
    }
}

/// An invocation did not reach a function.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// All the concurrency that the function or the account may use is in use.
    #[error("Rate Exceeded.")]
    TooManyRequests {
        /// AWS's reason: `ReservedFunctionConcurrentInvocationLimitExceeded` or `ConcurrentInvocationLimitExceeded`.
        reason: &'static str,
    },
    /// No environment could be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

/// Warm environments of many functions. Cloning shares them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    _reaper: Arc<Reaper>,
}

struct Shared {
    compute: Compute,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: HashMap<String, Group>,
    busy: usize,
    idle: usize,
    stopped: bool,
    generations: u64,
}

/// The environments of one function version.
#[derive(Default)]
struct Group {
    /// The most recently used environment is last and goes first.
    idle: Vec<Warm>,
    busy: usize,
    /// Changes with the function; an environment of another generation is not used again.
    generation: u64,
}

struct Warm {
    environment: Environment,
    generation: u64,
    born: Instant,
    idle_since: Instant,
}

/// Ends the task that reaps idle environments.
struct Reaper(AbortHandle);

impl Drop for Reaper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A place in a group that is in use; dropping it frees the place.
struct Place {
    shared: Arc<Shared>,
    key: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.busy -= 1;
        if let Some(group) = state.groups.get_mut(&self.key) {
            group.busy -= 1;
        }
    }
}

impl Pool {
    /// An empty pool. Needs a tokio runtime.
    pub fn new(compute: Compute, limits: Limits) -> Self {
        let shared = Arc::new(Shared { compute, limits, state: Mutex::default() });
        let weak = Arc::downgrade(&shared);
        let pause = (limits.idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(30));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(shared) = weak.upgrade() else { break };
                shared.reap();
            }
        });
        Self { shared, _reaper: Arc::new(Reaper(task.abort_handle())) }
    }

    /// Runs a function in a warm environment of this key, or in a new one of the spec.
    ///
    /// `key` names one state of one function version; `concurrency` is its own limit, if it has one. The invocation
    /// goes on if the returned future is dropped, as it does on AWS when the caller hangs up.
    pub async fn invoke<F, E>(
        &self,
        key: &str,
        concurrency: Option<usize>,
        spec: impl FnOnce() -> F + Send + 'static,
        invocation: Invocation,
    ) -> Result<Outcome, InvokeError>
    where
        F: Future<Output = Result<Spec, E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let (place, warm) = self.shared.take(key, concurrency)?;
        let task = tokio::spawn(async move {
            let mut warm = match warm {
                Some(warm) => warm,
                None => place.shared.create(&place.key, spec).await?,
            };
            let outcome = warm.environment.invoke(invocation).await;
            place.shared.put_back(&place.key, warm);
            drop(place);
            Ok(outcome)
        });
        task.await.unwrap_or(Err(InvokeError::Stopped))
    }

    /// Starts an environment ahead of the first invocation and waits until it is ready; true if it is.
    ///
    /// One that cannot start is left to the first invocation to report, so it is not kept.
    pub async fn prewarm<F, E>(
        &self,
        key: &str,
        spec: impl FnOnce() -> F + Send + 'static,
    ) -> Result<bool, InvokeError>
    where
        F: Future<Output = Result<Spec, E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut warm = self.shared.create(key, spec).await?;
        let ready = warm.environment.ready().await;
        if ready {
            self.shared.put_back(key, warm);
        }
        Ok(ready)
    }

    /// Ends the idle environments of a key, and the busy ones when their invocation ends.
    pub fn retire(&self, key: &str) {
        let mut state = self.shared.state.lock();
        state.generations += 1;
        let generation = state.generations;
        let Some(group) = state.groups.get_mut(key) else { return };
        group.generation = generation;
        let retired = std::mem::take(&mut group.idle);
        state.idle -= retired.len();
        drop(state);
        drop(retired);
    }

    /// Ends every idle environment and refuses invocations from now on.
    pub fn stop(&self) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        state.idle = 0;
        let retired: Vec<Warm> =
            state.groups.values_mut().flat_map(|group| std::mem::take(&mut group.idle)).collect();
        drop(state);
        drop(retired);
    }

    /// How many environments are busy and idle.
    pub fn usage(&self) -> (usize, usize) {
        let state = self.shared.state.lock();
        (state.busy, state.idle)
    }
}

impl Shared {
    /// Takes a place, and with it a warm environment if there is one.
    fn take(
        self: &Arc<Self>,
        key: &str,
        concurrency: Option<usize>,
    ) -> Result<(Place, Option<Warm>), InvokeError> {
        let mut dead = Vec::new();
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.stopped {
            return Err(InvokeError::Stopped);
        }
        if state.busy >= self.limits.concurrency {
            return Err(InvokeError::TooManyRequests {
                reason: "ConcurrentInvocationLimitExceeded",
            });
        }
        let group = state.group(key);
        if concurrency.is_some_and(|limit| group.busy >= limit) {
            let reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
            return Err(InvokeError::TooManyRequests { reason });
        }
        group.busy += 1;
        let mut found = None;
        while let Some(warm) = group.idle.pop() {
            if self.is_usable(&warm, group.generation) {
                found = Some(warm);
                break;
            }
            dead.push(warm);
        }
        state.idle -= dead.len() + usize::from(found.is_some());
        state.busy += 1;
        Ok((Place { shared: self.clone(), key: key.to_owned() }, found))
    }

    fn is_usable(&self, warm: &Warm, generation: u64) -> bool {
        warm.generation == generation
            && warm.born.elapsed() < self.limits.age
            && warm.environment.is_alive()
    }

    async fn create<F, E>(
        &self,
        key: &str,
        spec: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Warm, InvokeError>
    where
        F: Future<Output = Result<Spec, E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let (generation, evicted) = {
            let mut state = self.state.lock();
            let full = state.busy + state.idle > self.limits.environments;
            let evicted = if full { state.evict() } else { None };
            (state.group(key).generation, evicted)
        };
        drop(evicted);
        let spec = spec().await.map_err(|error| StartError::Spec(error.into()))?;
        let environment = self.compute.start(spec).await?;
        let now = Instant::now();
        Ok(Warm { environment, generation, born: now, idle_since: now })
    }

    /// Keeps the environment if it can be used again.
    fn put_back(&self, key: &str, mut warm: Warm) {
        warm.idle_since = Instant::now();
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.stopped {
            return;
        }
        let group = state.group(key);
        if self.is_usable(&warm, group.generation) {
            group.idle.push(warm);
            state.idle += 1;
        }
    }

    /// Ends what has been idle for too long, is too old, or has ended by itself.
    fn reap(&self) {
        let mut reaped = Vec::new();
        let mut state = self.state.lock();
        for group in state.groups.values_mut() {
            let generation = group.generation;
            let (keep, end) = std::mem::take(&mut group.idle).into_iter().partition(|warm| {
                warm.idle_since.elapsed() < self.limits.idle && self.is_usable(warm, generation)
            });
            group.idle = keep;
            reaped.extend::<Vec<Warm>>(end);
        }
        // A group that nothing uses would stay for every version that ever ran.
        state.groups.retain(|_, group| group.busy > 0 || !group.idle.is_empty());
        state.idle -= reaped.len();
        drop(state);
        drop(reaped);
    }
}

impl State {
    /// The group of a key, made when it is first used.
    fn group(&mut self, key: &str) -> &mut Group {
        let generations = &mut self.generations;
        self.groups.entry(key.to_owned()).or_insert_with(|| {
            *generations += 1;
            Group { generation: *generations, ..Group::default() }
        })
    }

    /// Takes the environment out that has been idle for the longest time.
    fn evict(&mut self) -> Option<Warm> {
        // Within a group the longest idle one is first.
        let group = self
            .groups
            .values_mut()
            .filter(|group| !group.idle.is_empty())
            .min_by_key(|group| group.idle[0].idle_since)?;
        self.idle -= 1;
        Some(group.idle.remove(0))
    }
}
