//! A run: the lives of a cloud under one seed, and whether it kept its promises.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fogbank_core::store::{Bug, CommitStep, Crash, Db, Durability, Faults, Options, SimulatedDisk};
use fogbank_core::{Clock, Ids, RootKey, Service, Timestamp};
use fogbank_testkit::World;
use futures_util::future::try_join_all;
use tokio::runtime::Runtime;

use crate::actors::{self, Actor};
use crate::chance::Chance;
use crate::life::{Broken, Life};
use crate::trace::Trace;

static SERVICES: &[&Service] = &[
    &fogbank_s3::SERVICE,
    &fogbank_dynamodb::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sns::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_sts::SERVICE,
    &fogbank_kms::SERVICE,
    &fogbank_events::SERVICE,
    &fogbank_cloudwatch::SERVICE,
    &fogbank_s3control::SERVICE,
    &fogbank_s3tables::SERVICE,
];

/// What seals the keys of KMS in all lives.
const ROOT_KEY: [u8; 32] = [7; 32];

/// 2026-01-01T00:00:00Z, in milliseconds.
const BEGINNING: i64 = 1_767_225_600_000;

/// Within this time a cloud without faults has done all that it was asked for.
const SETTLING: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// A mistake of the store that the run is to find.
    pub bug: Option<Bug>,
    /// Whether to keep the events as text.
    pub keep_events: bool,
}

impl Plan {
    /// A run of a seed, as it should be.
    pub fn new(seed: u64) -> Plan {
        Plan { seed, bug: None, keep_events: false }
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// A hash of all that happened.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How many crashes there were.
    pub crashes: u64,
    /// How many operations the disk was asked for.
    pub disk_operations: u64,
    /// How much simulated time passed.
    pub simulated: Duration,
    /// The promise that was broken, if one was.
    pub broken: Option<String>,
    /// The events, if they were to be kept.
    pub lines: Vec<String>,
}

/// Runs a cloud through several lives.
pub fn run(plan: Plan) -> Outcome {
    let trace = Rc::new(Trace::new(plan.keep_events));
    let mut chance = Chance::new(plan.seed);
    let disk = SimulatedDisk::new(chance.number());
    disk.set_faults(Faults { bug: plan.bug, ..Faults::default() });
    let durability = if chance.percent(80) { Durability::Fsync } else { Durability::Buffered };
    let mut history = History {
        plan,
        durability,
        actors: actors::all(&mut chance),
        chance,
        disk,
        trace: trace.clone(),
        millis: BEGINNING,
        lives: 0,
        crashes: 0,
    };
    let lived = catch_unwind(AssertUnwindSafe(|| history.live_all()));
    let broken = match lived {
        Ok(Ok(())) => None,
        Ok(Err(broken)) => Some(broken.0),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("a panic: {}", text.unwrap_or("of an unknown kind")))
        }
    };
    let (crashes, disk_operations) = (history.crashes, history.disk.operations());
    let simulated = Duration::from_millis((history.millis - BEGINNING).unsigned_abs());
    drop(history);
    let (hash, events) = (trace.hash(), trace.events());
    let lines = Rc::into_inner(trace).map(Trace::into_lines).unwrap_or_default();
    Outcome { hash, events, crashes, disk_operations, simulated, broken, lines }
}

struct History {
    plan: Plan,
    durability: Durability,
    actors: Vec<Box<dyn Actor>>,
    chance: Chance,
    disk: SimulatedDisk,
    trace: Rc<Trace>,
    millis: i64,
    lives: u64,
    crashes: u64,
}

/// Why a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The disk stopped in the middle of something.
    Stopped,
    /// It was time.
    Time,
    /// The store accepts no more writes, and the operator restarts it.
    Unhealthy,
}

impl History {
    fn live_all(&mut self) -> Result<(), Broken> {
        self.live(async |life, actors, _| {
            for actor in actors {
                actor.prepare(life).await?;
            }
            Ok(End::Time)
        })?;
        for _ in 0..self.chance.between(2, 6) {
            self.restart();
            self.live_roughly()?;
        }
        self.restart();
        self.live(async |life, actors, _| {
            let settled = try_join_all(actors.iter_mut().map(|actor| actor.settle(life)));
            let settled = tokio::time::timeout(SETTLING, settled).await;
            settled.map_err(|_| Broken("the cloud does not come to rest".to_owned()))??;
            Ok(End::Time)
        })?;
        // What was found to be right must be so after one more start.
        self.restart();
        self.live(async |life, actors, _| {
            for actor in actors.iter_mut() {
                actor.look(life).await?;
            }
            for actor in actors {
                actor.clear(life).await?;
            }
            // Reconcilers remove the parts of uploads that belong to nothing any more.
            life.sleep(65 * 60_000).await;
            Ok(End::Time)
        })?;
        self.restart();
        self.live(async |life, _, db| {
            sweep(life, db).await?;
            Ok(End::Time)
        })?;
        let left = self.disk.files();
        if left.is_empty() { Ok(()) } else { Err(Broken(format!("files without names: {left:?}"))) }
    }

    /// Ends a life and prepares the next one.
    fn restart(&mut self) {
        let may_lose_power = self.durability == Durability::Fsync;
        let crash =
            if may_lose_power && self.chance.percent(60) { Crash::Power } else { Crash::Process };
        self.disk.restart(crash);
        self.crashes += 1;
        self.millis += self.chance.skewed(60_000) as i64;
        self.trace.event(self.millis, "world", &format!("{crash:?} crash"));
    }

    /// A life with faults, which ends when it is time or when the disk stops.
    fn live_roughly(&mut self) -> Result<(), Broken> {
        let chance = &mut self.chance;
        let faults = Faults {
            commits_per_million: if chance.percent(30) { 5_000 } else { 0 },
            files_per_million: if chance.percent(30) { 10_000 } else { 0 },
            full: false,
            bug: self.plan.bug,
        };
        // Early, when everything is about to begin, or anywhere.
        let stop_after = match chance.index(8) {
            0 => Some(chance.skewed(64)),
            1..6 => Some(chance.between(1, 800)),
            _ => None,
        };
        let span = chance.between(5_000, 60_000);
        let full_at = chance.percent(15).then(|| chance.between(0, span));
        let disk = self.disk.clone();
        self.live(async move |life, actors, _| {
            life.is_rough.set(true);
            disk.set_faults(faults);
            if let Some(operations) = stop_after {
                disk.stop_after(operations);
            }
            let fill = async {
                if let Some(millis) = full_at {
                    life.sleep(millis).await;
                    life.note("world", "the disk is full");
                    disk.set_faults(Faults { full: true, ..faults });
                    life.sleep(5_000).await;
                    disk.set_faults(faults);
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = disk.stopped() => Ok(End::Stopped),
                () = fill => Ok(End::Time),
                () = unhealthy(life) => Ok(End::Unhealthy),
                () = life.sleep(span) => Ok(End::Time),
                acted = try_join_all(actors.iter_mut().map(|actor| act(&mut **actor, life))) => {
                    acted.map(|_| End::Time)
                }
            }
        })
    }

    fn live(
        &mut self,
        body: impl AsyncFnOnce(&Life, &mut [Box<dyn Actor>], &Db) -> Result<End, Broken>,
    ) -> Result<(), Broken> {
        self.lives += 1;
        let runtime = runtime();
        let (lives, seed) = (self.lives, self.chance.number());
        let mut pauses = self.chance.fork();
        let mut sweeps = self.chance.fork();
        let slow = self.chance.skewed(40) + 1;
        let options = Options { durability: self.durability, ..Options::memory() };
        let (disk, trace, start) = (self.disk.clone(), self.trace.clone(), self.millis);
        let actors = &mut self.actors;
        let (ended, millis) = runtime.block_on(async {
            let db = match disk.open(&options) {
                Ok(db) => db,
                Err(error) => return (Err(Broken(format!("it does not open: {error}"))), start),
            };
            let clock = Clock::simulated(Timestamp::from_millis(start));
            let world = World::with(SERVICES, db.clone(), clock, Ids::seeded(seed));
            let is_right = world.cloud().use_root_key(RootKey::new(&ROOT_KEY));
            if !matches!(is_right, Ok(true)) {
                return (Err(Broken(format!("the root key is not taken: {is_right:?}"))), start);
            }
            let background = world.background();
            let committing = db.clone();
            let commits = tokio::spawn(async move {
                committing
                    .take_commit_steps(|step| {
                        let millis = pauses.between(0, slow);
                        if step == CommitStep::Told && sweeps.percent(2) {
                            // Between two groups, since a sweep waits for commits of its own.
                            drop(committing.blobs().sweep());
                        }
                        async move { tokio::time::sleep(Duration::from_millis(millis)).await }
                    })
                    .await;
            });
            let chance = RefCell::new(Chance::new(seed));
            let life = Life { world, trace, is_rough: Cell::new(false), chance };
            life.note("world", &format!("life {lives} begins"));
            let ended = body(&life, actors, &db).await;
            let end =
                ended.as_ref().map_or_else(|broken| broken.0.clone(), |end| format!("{end:?}"));
            life.note("world", &format!("life {lives} ends: {end}"));
            commits.abort();
            drop(background);
            (ended.map(|_| ()), life.millis())
        });
        self.millis = millis;
        ended
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing that can be missing")
}

/// Removes the bytes that nobody names.
async fn sweep(life: &Life, db: &Db) -> Result<(), Broken> {
    // Past the grace for those who read.
    life.sleep(120_000).await;
    let mut outcome = db.blobs().sweep();
    for _ in 0..1_000 {
        // A group on its way is in the way of a sweep.
        if outcome.is_ok() {
            return Ok(());
        }
        life.sleep(10).await;
        outcome = db.blobs().sweep();
    }
    Err(Broken(format!("the blobs cannot be swept: {outcome:?}")))
}

/// An actor's life: one step after the other.
async fn act(actor: &mut dyn Actor, life: &Life) -> Result<(), Broken> {
    loop {
        let pause = life.chance.borrow_mut().skewed(4_000);
        life.sleep(pause).await;
        actor.step(life).await?;
    }
}

/// Waits until the store accepts no more writes, and some seconds more, for its operator to notice.
async fn unhealthy(life: &Life) {
    while life.world.cloud().db().health().is_ok() {
        life.sleep(1_000).await;
    }
    let pause = life.chance.borrow_mut().skewed(20_000);
    life.sleep(pause).await;
}
