//! The executor of write transactions and the thread that commits them in groups.
//!
//! Closures run one after the other under one lock, each upon everything that ran before it. While the committer
//! waits for the disk with one group, closures of the next group already run: their writes wait in `pending`, above
//! those that are `committing`, above the `base` that is durable. A transaction is acknowledged, and readers see it, once
//! its group is on disk. Nobody waits for the disk while holding the lock.
//!
//! Where a group need not reach the disk, the writer who began it leads it: he lets the others run who are ready to, and
//! then commits it himself. That is cheaper than waking another thread and being woken by it. The commit thread is left to
//! pace writers who are faster than the engine.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use crate::blob::claims;
use crate::engine::{ClosedView, Engine, Survives, View};
use crate::published::{Glance, Published};
use crate::tx::{Hook, Overlay, WriteTx};
use crate::{Error, meta};

mod stepped;
#[cfg(test)]
mod tests;

pub use stepped::CommitStep;

/// Writers wait for the next commit before they add to more pending bytes than this.
const MAX_PENDING_BYTES: usize = 64 * 1024 * 1024;
/// How many groups of others a writer commits before it hears of its own.
const MAX_FAVOURS: usize = 4;
/// While the engine is behind, a group waits for it in steps of this, at most so many times.
const PACE: Duration = Duration::from_millis(1);
const MAX_PACES: usize = 20;

/// When a transaction counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A thread commits groups and waits for the disk with each.
    Grouped(Survives),
    /// Somebody takes the steps of the commit thread one by one: a simulation, which has one thread only.
    Stepped(Survives),
    /// Each transaction goes to the engine at once, on the thread that runs it.
    Inline,
}

pub(crate) struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    mode: Mode,
    state: Mutex<State>,
    /// Tells the committer that there is work.
    work: Condvar,
    /// Tells it to whoever takes its steps.
    step: Notify,
    /// Tells those who wait to run that the engine has been exchanged.
    exchanged: Condvar,
    /// There may be as much pending as there may be.
    is_full: AtomicBool,
    /// What readers see: all that is durable.
    published: Published,
}

struct State {
    engine: Option<Arc<dyn Engine>>,
    pending: Overlay,
    committing: Option<Arc<Overlay>>,
    base: Arc<dyn View>,
    version: u64,
    waiters: Vec<Waiter>,
    hooks: Vec<Hook>,
    flush: bool,
    /// Somebody is about to commit what is pending.
    led: bool,
    /// The engine had more to do after the last commit than it should; see [`Engine::is_behind`].
    behind: bool,
    failed: Option<Error>,
    closing: bool,
    /// Nobody may run until what has run is durable and another engine is in place.
    exchanging: bool,
}

/// Somebody who waits for a group to be durable.
enum Waiter {
    Task(oneshot::Sender<Result<(), Error>>),
    Thread(mpsc::Sender<Result<(), Error>>),
}

impl Waiter {
    fn tell(self, outcome: Result<(), Error>) {
        // Whoever has stopped waiting does not want to know.
        match self {
            Waiter::Task(sender) => drop(sender.send(outcome)),
            Waiter::Thread(sender) => drop(sender.send(outcome)),
        }
    }
}

impl Committer {
    /// Starts above an engine; `version` is the last one that was given to a transaction.
    pub(crate) fn start(
        engine: Arc<dyn Engine>,
        mode: Mode,
        version: u64,
    ) -> Result<Committer, Error> {
        let view = engine.view()?;
        let shared = Arc::new(Shared {
            mode,
            state: Mutex::new(State {
                engine: Some(engine),
                pending: Overlay::default(),
                committing: None,
                base: view.clone(),
                version,
                waiters: Vec::new(),
                hooks: Vec::new(),
                flush: false,
                led: false,
                behind: false,
                failed: None,
                closing: false,
                exchanging: false,
            }),
            work: Condvar::new(),
            step: Notify::new(),
            exchanged: Condvar::new(),
            is_full: AtomicBool::new(false),
            published: Published::new(view),
        });
        let thread = match mode {
            Mode::Inline | Mode::Stepped(_) => None,
            Mode::Grouped(survives) => {
                let shared = shared.clone();
                let thread = std::thread::Builder::new()
                    .name("store-commit".to_owned())
                    .spawn(move || shared.commit_groups(survives))
                    .map_err(|error| Error::io("starting the commit thread", error))?;
                Some(thread)
            }
        };
        Ok(Committer { shared, thread: Mutex::new(thread) })
    }

    /// All that is durable.
    pub(crate) fn published(&self) -> Arc<dyn View> {
        self.shared.published.glance().kept()
    }

    /// The same for a moment.
    pub(crate) fn glance(&self) -> Glance {
        self.shared.published.glance()
    }

    /// The error that writes get, if they get one.
    pub(crate) fn health(&self) -> Result<(), Error> {
        claims::refuse_nesting()?;
        let state = self.shared.state.lock();
        if state.closing { Err(Error::Closed) } else { state.failed.clone().map_or(Ok(()), Err) }
    }

    pub(crate) fn engine(&self) -> Result<Arc<dyn Engine>, Error> {
        claims::refuse_nesting()?;
        self.shared.state.lock().engine.clone().ok_or(Error::Closed)
    }

    pub(crate) async fn write<T, E: From<Error>>(
        &self,
        mut f: impl FnMut(&mut WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        claims::refuse_nesting()?;
        while let Some(turn) = self.wait_for_room(task_waiter) {
            turn.await.unwrap_or(Err(Error::Closed))?;
        }
        let (result, next) = self.shared.execute(&mut f, task_waiter);
        drop(f);
        match next {
            Next::Hear => {}
            Next::Wait(durable) => durable.await.unwrap_or(Err(Error::Closed))?,
            Next::Lead(lead) => {
                tokio::task::yield_now().await;
                lead.commit()?;
            }
        }
        result
    }

    pub(crate) fn write_blocking<T, E: From<Error>>(
        &self,
        mut f: impl FnMut(&mut WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        claims::refuse_nesting()?;
        while let Some(turn) = self.wait_for_room(thread_waiter) {
            self.shared.step_if_nobody_does()?;
            turn.recv().unwrap_or(Err(Error::Closed))?;
        }
        let (result, next) = self.shared.execute(&mut f, thread_waiter);
        match next {
            Next::Hear => {}
            Next::Wait(durable) => {
                self.shared.step_if_nobody_does()?;
                durable.recv().unwrap_or(Err(Error::Closed))?;
            }
            Next::Lead(lead) => lead.commit()?,
        }
        result
    }

    /// Blocks until all that has run is on disk, past the caches of the operating system.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        claims::refuse_nesting()?;
        let durable = {
            let mut state = self.shared.state.lock();
            state.check()?;
            if self.shared.mode == Mode::Inline {
                let engine = state.engine.clone().ok_or(Error::Closed)?;
                drop(state);
                return engine.flush();
            }
            state.flush = true;
            let (waiter, durable) = thread_waiter();
            state.waiters.push(waiter);
            self.shared.tell_of_work();
            durable
        };
        self.shared.step_if_nobody_does()?;
        durable.recv().unwrap_or(Err(Error::Closed))
    }

    /// The version that was given last.
    pub(crate) fn version(&self) -> u64 {
        self.shared.state.lock().version
    }

    /// Puts another engine in place of the present one, when all that has run upon that is durable, and calls `then`
    /// before anybody runs upon the new one. Returns the last view of the old one. Blocks; whoever wants to write meanwhile waits for that short time.
    pub(crate) fn exchange(
        &self,
        engine: Arc<dyn Engine>,
        then: impl FnOnce(),
    ) -> Result<Arc<dyn View>, Error> {
        claims::refuse_nesting()?;
        let mut state = self.shared.state.lock();
        state.exchanging = true;
        let outcome = loop {
            if let Err(error) = state.check() {
                break Err(error);
            }
            if !state.is_ahead() {
                break self.shared.put_in_place(&mut state, engine).inspect(|_| then());
            }
            let (waiter, durable) = thread_waiter();
            state.waiters.push(waiter);
            self.shared.work.notify_one();
            drop(state);
            // A failure of the group shows in the state.
            let _ = durable.recv();
            state = self.shared.state.lock();
        };
        state.exchanging = false;
        self.shared.exchanged.notify_all();
        outcome
    }

    /// Commits what waits, stops the thread and lets go of the engine. Later calls find it closed.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let flushed = match self.flush() {
            Err(Error::Closed) => return Ok(()),
            Err(Error::Nested) => return Err(Error::Nested),
            other => other,
        };
        self.shared.state.lock().closing = true;
        self.shared.tell_of_work();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the committer has told its waiters already.
            let _ = thread.join();
        }
        let mut state = self.shared.state.lock();
        state.base = Arc::new(ClosedView);
        self.shared.published.publish(state.base.clone());
        let engine = state.engine.take();
        drop(state);
        drop(engine);
        flushed
    }

    fn wait_for_room<R>(&self, make: impl FnOnce() -> (Waiter, R)) -> Option<R> {
        if !self.shared.is_full.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.shared.state.lock();
        if state.pending.bytes() < MAX_PENDING_BYTES || state.check().is_err() {
            self.shared.is_full.store(false, Ordering::Relaxed);
            return None;
        }
        let (waiter, turn) = make();
        state.waiters.push(waiter);
        self.shared.tell_of_work();
        Some(turn)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the store could not be flushed at its end");
        }
    }
}

fn task_waiter() -> (Waiter, oneshot::Receiver<Result<(), Error>>) {
    let (sender, receiver) = oneshot::channel();
    (Waiter::Task(sender), receiver)
}

fn thread_waiter() -> (Waiter, mpsc::Receiver<Result<(), Error>>) {
    let (sender, receiver) = mpsc::channel();
    (Waiter::Thread(sender), receiver)
}

impl State {
    fn check(&self) -> Result<(), Error> {
        if self.closing {
            return Err(Error::Closed);
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn open(&mut self) -> WriteTx {
        self.version += 1;
        WriteTx {
            own: Overlay::default(),
            pending: std::mem::take(&mut self.pending),
            committing: self.committing.clone(),
            base: self.base.clone(),
            version: self.version,
            hooks: Vec::new(),
            failure: None,
        }
    }

    /// Whether nothing waits to be committed and nobody to be told.
    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.waiters.is_empty()
    }

    /// Whether there is work that no writer does himself.
    fn is_for_thread(&self) -> bool {
        !self.is_idle() && !self.led && self.committing.is_none()
    }

    /// Whether the state that closures see is ahead of what is durable.
    fn is_ahead(&self) -> bool {
        !self.pending.is_empty() || self.committing.is_some()
    }

    fn fail(&mut self, error: &Error) -> Error {
        let failed =
            Error::ReadOnly { reason: error.to_string().into(), disk_full: error.is_disk_full() };
        self.failed.get_or_insert(failed).clone()
    }
}

/// What a writer does after his closure has run.
enum Next<'s, R> {
    /// He may hear of it at once.
    Hear,
    /// He waits until somebody has committed his group.
    Wait(R),
    /// He commits his group.
    Lead(Lead<'s>),
}

/// The duty to commit what is pending. If its writer is gone, it falls to the commit thread.
struct Lead<'s> {
    shared: &'s Shared,
    is_done: bool,
}

impl Lead<'_> {
    fn commit(mut self) -> Result<(), Error> {
        self.is_done = true;
        self.shared.commit_here()
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.state.lock().led = false;
            self.shared.work.notify_one();
        }
    }
}

/// Transactions that go to the disk together, and all who wait for that.
struct Group {
    engine: Arc<dyn Engine>,
    rows: Arc<Overlay>,
    waiters: Vec<Waiter>,
    hooks: Vec<Hook>,
    flush: bool,
}

impl Group {
    /// Takes what waits; nothing if the database is closed.
    fn take(state: &mut State) -> Option<Group> {
        let engine = state.engine.clone()?;
        let mut rows = std::mem::take(&mut state.pending);
        if !rows.is_empty() {
            stamp(&mut rows, state.version);
        }
        let rows = Arc::new(rows);
        state.committing = Some(rows.clone());
        Some(Group {
            engine,
            rows,
            waiters: std::mem::take(&mut state.waiters),
            hooks: std::mem::take(&mut state.hooks),
            flush: std::mem::take(&mut state.flush),
        })
    }

    /// Puts the group on the disk and returns the view of it, if there was anything to commit.
    fn commit(&self, survives: Survives) -> Result<Option<Arc<dyn View>>, Error> {
        let work = || commit(&*self.engine, &self.rows, survives, self.flush);
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Error::Engine("the engine panicked".into())))
    }
}

impl Shared {
    /// Runs a closure and returns its result, with what to wait for before anybody may hear of it.
    fn execute<T, E: From<Error>, R>(
        &self,
        f: &mut impl FnMut(&mut WriteTx) -> Result<T, E>,
        make: impl FnOnce() -> (Waiter, R),
    ) -> (Result<T, E>, Next<'_, R>) {
        let Some(mut claims) = claims::Scope::enter() else {
            return (Err(Error::Nested.into()), Next::Hear);
        };
        let mut state = self.state.lock();
        while state.exchanging {
            self.exchanged.wait(&mut state);
        }
        if let Err(error) = state.check() {
            return (Err(error.into()), Next::Hear);
        }
        let mut tx = state.open();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let value = f(&mut tx)?;
            if let Some(failure) = tx.failure.take() {
                return Err(failure.into());
            }
            claims.settle(&mut tx)?;
            Ok(value)
        }));
        let WriteTx { own, pending, hooks, .. } = tx;
        state.pending = pending;
        let result = match outcome {
            Ok(result) => result,
            Err(panic) => {
                drop(state);
                resume_unwind(panic);
            }
        };
        if result.is_ok() {
            claims.keep();
        }
        let (own, hooks) =
            if result.is_ok() { (own, hooks) } else { (Overlay::default(), Vec::new()) };
        match self.mode {
            Mode::Inline => {
                (self.commit_inline(state, own, hooks).map_err(E::from).and(result), Next::Hear)
            }
            Mode::Grouped(_) | Mode::Stepped(_) => {
                (result, self.join_group(state, own, hooks, make))
            }
        }
    }

    /// Adds a transaction to the next group. One that wrote nothing, or failed, waits as well where it may have seen
    /// what is not durable yet: its answer must not tell of something that a crash could undo.
    fn join_group<R>(
        &self,
        mut state: MutexGuard<'_, State>,
        own: Overlay,
        hooks: Vec<Hook>,
        make: impl FnOnce() -> (Waiter, R),
    ) -> Next<'_, R> {
        if own.is_empty() && !state.is_ahead() {
            drop(state);
            run(hooks);
            return Next::Hear;
        }
        state.pending.absorb(own);
        if state.pending.bytes() >= MAX_PENDING_BYTES {
            self.is_full.store(true, Ordering::Relaxed);
        }
        state.hooks.extend(hooks);
        // Whoever commits now looks for work afterwards.
        let somebody_commits = state.led || state.committing.is_some();
        let need_not_sync = self.mode == Mode::Grouped(Survives::Crash);
        if need_not_sync && !somebody_commits && !state.behind {
            state.led = true;
            return Next::Lead(Lead { shared: self, is_done: false });
        }
        let (waiter, durable) = make();
        state.waiters.push(waiter);
        drop(state);
        if !somebody_commits {
            self.tell_of_work();
        }
        Next::Wait(durable)
    }

    /// Commits what is pending, and then some of what others added meanwhile.
    fn commit_here(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.led = false;
        if let Some(failed) = &state.failed {
            return Err(failed.clone());
        }
        let Some(group) = Group::take(&mut state) else { return Err(Error::Closed) };
        drop(state);
        let told = self.settle_here(group);
        for _ in 0..MAX_FAVOURS {
            let mut state = self.state.lock();
            if state.is_idle() || state.led || state.committing.is_some() {
                return told;
            }
            let Some(group) = Group::take(&mut state) else { return told };
            drop(state);
            // Its waiters are told.
            let _ = self.settle_here(group);
        }
        self.work.notify_one();
        told
    }

    fn settle_here(&self, group: Group) -> Result<(), Error> {
        let outcome = group.commit(Survives::Crash);
        self.settle(group, outcome)
    }

    fn commit_inline(
        &self,
        mut state: MutexGuard<'_, State>,
        mut own: Overlay,
        hooks: Vec<Hook>,
    ) -> Result<(), Error> {
        if !own.is_empty() {
            let engine = state.engine.clone().ok_or(Error::Closed)?;
            stamp(&mut own, state.version);
            let view = engine.commit(&own, Survives::Crash).and_then(|()| engine.view());
            match view {
                Ok(view) => {
                    state.base = view.clone();
                    self.published.publish(view);
                }
                Err(error) => return Err(state.fail(&error)),
            }
        }
        drop(state);
        run(hooks);
        Ok(())
    }

    /// The committer's thread.
    fn commit_groups(&self, survives: Survives) {
        let mut state = self.state.lock();
        loop {
            while !state.is_for_thread() {
                if state.closing && state.is_idle() && state.committing.is_none() {
                    return;
                }
                self.work.wait(&mut state);
            }
            if state.behind {
                state = self.pace(state);
                if !state.is_for_thread() {
                    continue;
                }
            }
            let Some(group) = Group::take(&mut state) else { return };
            drop(state);
            let outcome = group.commit(survives);
            // Its waiters are told.
            let _ = self.settle(group, outcome);
            state = self.state.lock();
        }
    }

    fn tell_of_work(&self) {
        match self.mode {
            Mode::Stepped(_) => self.step.notify_one(),
            _ => {
                self.work.notify_one();
            }
        }
    }

    /// Lets the engine catch up for a moment before the next group, so that its memory stays bounded and its writers
    /// slow down by and by instead of being stopped.
    fn pace<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let Some(engine) = state.engine.clone() else { return state };
        drop(state);
        let mut paces = 0;
        while engine.is_behind() && paces < MAX_PACES {
            std::thread::sleep(PACE);
            paces += 1;
        }
        self.state.lock()
    }

    /// Shows readers what a group wrote, or gives up, and tells those who wait.
    fn settle(
        &self,
        group: Group,
        outcome: Result<Option<Arc<dyn View>>, Error>,
    ) -> Result<(), Error> {
        let Group { engine, rows, waiters, hooks, .. } = group;
        let behind = engine.is_behind();
        drop(engine);
        let mut state = self.state.lock();
        state.committing = None;
        state.behind = behind;
        let told = match outcome {
            Ok(view) => {
                if let Some(view) = view {
                    state.base = view.clone();
                    self.published.publish(view);
                }
                Ok(())
            }
            Err(error) => Err(self.give_up(&mut state, &error)),
        };
        if state.closing {
            self.work.notify_all();
        }
        drop(state);
        for waiter in waiters {
            waiter.tell(told.clone());
        }
        if told.is_ok() {
            run(hooks);
        }
        drop(rows);
        told
    }

    fn put_in_place(
        &self,
        state: &mut State,
        engine: Arc<dyn Engine>,
    ) -> Result<Arc<dyn View>, Error> {
        let view = engine.view()?;
        if let Err(error) = engine.take_over() {
            // Only then nobody knows which of the two a restart would find; else all stays as it was.
            let is_unknown = matches!(error, Error::ReadOnly { .. });
            return Err(if is_unknown { self.give_up(state, &error) } else { error });
        }
        self.published.publish(view.clone());
        if let Some(replaced) = state.engine.replace(engine) {
            replaced.retire();
        }
        Ok(std::mem::replace(&mut state.base, view))
    }

    /// After a failed commit nobody knows what is on disk, so that nothing may build on it: all who wait are told,
    /// and so is everybody who comes later.
    fn give_up(&self, state: &mut State, error: &Error) -> Error {
        let failed = state.fail(error);
        tracing::error!(%error, "a commit failed; the store accepts no more writes");
        if let Some(engine) = &state.engine {
            engine.note_failure(&failed.to_string());
        }
        state.pending = Overlay::default();
        state.hooks.clear();
        for waiter in std::mem::take(&mut state.waiters) {
            waiter.tell(Err(failed.clone()));
        }
        failed
    }
}

/// Commits a group and returns the view of it, if there was anything to commit.
fn commit(
    engine: &dyn Engine,
    group: &Overlay,
    survives: Survives,
    flush: bool,
) -> Result<Option<Arc<dyn View>>, Error> {
    let view = if group.is_empty() {
        None
    } else {
        engine.commit(group, survives)?;
        Some(engine.view()?)
    };
    if flush {
        engine.flush()?;
    }
    Ok(view)
}

/// Adds the version of the last transaction to the batch, so that a restart continues after it.
fn stamp(batch: &mut Overlay, version: u64) {
    batch.set(meta::version_key(), Some(Bytes::copy_from_slice(&version.to_be_bytes())));
}

fn run(hooks: Vec<Hook>) {
    for hook in hooks {
        if catch_unwind(AssertUnwindSafe(hook)).is_err() {
            tracing::error!("a hook of a transaction panicked");
        }
    }
}
