//! The pump: performs the outbox's effects when they are due, at least once each.
//!
//! Effects lie in lanes ([`fogbank_core::outbox::lanes`]), one for what each needs to succeed. A lane begins with few at
//! once and gets more as they succeed; one whose last try failed gets few, and lanes that fail have places of their own.
//! So what is broken or slow holds up itself and nobody else. Effects of a lane begin in the order of their
//! transactions.

mod performance;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use fogbank_core::outbox;
use fogbank_core::outbox::lanes::{self, EFFECTS, EffectKey, Turn};
use fogbank_core::store::{Error, Read};
use fogbank_core::{Cloud, Cx, Effect, Service, Timestamp};
use futures_util::FutureExt;
use tokio::task::{JoinError, JoinSet};

use performance::Performance;

/// How many effects are under way at once: of lanes that do not fail, and of those that do.
const PLACES: [usize; 2] = [96, 32];
/// How many effects of a lane are under way at once: at first, at most, and while it fails.
const FIRST_WINDOW: usize = 2;
const WIDEST_WINDOW: usize = 16;
const FAILING_WINDOW: usize = 2;
/// How many turns are looked at in one piece.
const TURNS: usize = 64;
/// How long to rest when the store fails, so that nothing is performed over and over meanwhile.
const REST: Duration = Duration::from_secs(1);

/// Performs effects for ever; those under way end with it.
pub(crate) async fn run(cloud: Cloud, services: &'static [&'static Service]) {
    let cx = Cx::background(cloud.clone(), "core", "outbox");
    loop {
        match lanes::move_old(&cx).await {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "effects cannot be moved into their lanes");
                cloud.clock().rest(REST).await;
            }
        }
    }
    let mut pump = Pump::new(cloud.clone(), services);
    loop {
        let woken = cloud.wakes().waiter(outbox::TOPIC);
        let next = match pump.fill() {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                cloud.clock().rest(REST).await;
                continue;
            }
        };
        let next = next.map(|due| Timestamp::from_millis(i64::try_from(due).unwrap_or(i64::MAX)));
        tokio::select! {
            biased;
            () = pump.settle() => {}
            () = woken.wait() => {}
            () = cloud.clock().sleep_until(next.unwrap_or_default()), if next.is_some() => {}
        }
    }
}

/// A lane of which effects are under way.
struct Lane {
    under_way: BTreeSet<EffectKey>,
    /// How many may be under way.
    window: usize,
    /// The last that began: the look for the next one goes on behind it.
    last: EffectKey,
}

/// An effect that was tried.
struct Done {
    key: EffectKey,
    /// The kind of place that it had.
    is_failing: bool,
    failed: bool,
}

struct Pump {
    cloud: Cloud,
    services: &'static [&'static Service],
    lanes: HashMap<String, Lane>,
    /// How many places of each kind are taken.
    taken: [usize; 2],
    /// The turn of each kind that was served last: the look for the next one goes on behind it.
    cursors: [Option<Turn>; 2],
    performances: JoinSet<Done>,
    /// The lanes of which an effect was tried since the last look.
    served: Vec<String>,
    /// How many rows were looked at, which tells whether it slows down.
    visited: usize,
}

impl Pump {
    fn new(cloud: Cloud, services: &'static [&'static Service]) -> Pump {
        Pump {
            cloud,
            services,
            lanes: HashMap::new(),
            taken: [0; 2],
            cursors: [None, None],
            performances: JoinSet::new(),
            served: Vec::new(),
            visited: 0,
        }
    }

    /// Begins what is due and has a place; returns when something else is due.
    fn fill(&mut self) -> Result<Option<u64>, Error> {
        let now = self.now();
        let cloud = self.cloud.clone();
        cloud.db().read(|rows| {
            for is_failing in [false, true] {
                self.fill_kind(rows, is_failing, now)?;
            }
            // What nobody else wants, a lane that gets on may have on top.
            for lane in std::mem::take(&mut self.served) {
                self.serve(rows, &lane, now)?;
                if self.lanes.get(&lane).is_some_and(|lane| lane.under_way.is_empty()) {
                    self.lanes.remove(&lane);
                }
            }
            lanes::next_turn(rows, now)
        })
    }

    fn has_place(&self, is_failing: bool) -> bool {
        self.taken[usize::from(is_failing)] < PLACES[usize::from(is_failing)]
    }

    /// Goes once around the lanes of a kind whose turn has come, beginning behind the one that was served last.
    fn fill_kind(&mut self, rows: &dyn Read, is_failing: bool, now: u64) -> Result<(), Error> {
        let begun = self.cursors[usize::from(is_failing)].clone();
        let mut after = begun.clone();
        let mut is_around = begun.is_none();
        while self.has_place(is_failing) {
            let turns = lanes::turns(rows, &self.cloud, is_failing, after.as_ref(), now, TURNS)?;
            self.visited += turns.len();
            let was_last = turns.len() < TURNS;
            for turn in turns {
                if !self.has_place(is_failing) {
                    return Ok(());
                }
                if is_around && begun.as_ref().is_some_and(|begun| turn > *begun) {
                    return Ok(());
                }
                self.serve(rows, &turn.1, now)?;
                self.cursors[usize::from(is_failing)] = Some(turn.clone());
                after = Some(turn);
            }
            if was_last && is_around {
                return Ok(());
            }
            if was_last {
                is_around = true;
                after = None;
            }
        }
        Ok(())
    }

    /// Begins an effect of a lane if its window is open and there is a place.
    fn serve(&mut self, rows: &dyn Read, lane: &str, now: u64) -> Result<(), Error> {
        let known = self.lanes.get(lane);
        if known.is_some_and(|known| known.under_way.len() >= known.window) {
            return Ok(());
        }
        let Some(row) = lanes::lane(rows, lane)? else { return Ok(()) };
        if !self.has_place(row.is_failing) {
            return Ok(());
        }
        if let Some((key, effect)) = self.next_of(rows, lane, row.first(lane))?
            && key.1 <= now
        {
            self.begin(key, effect, row.is_failing);
        }
        Ok(())
    }

    /// The lane's first effect or, if that is under way, the next behind the last that began.
    fn next_of(
        &mut self,
        rows: &dyn Read,
        lane: &str,
        first: EffectKey,
    ) -> Result<Option<(EffectKey, Effect)>, Error> {
        let range = EFFECTS.range(&(lane,)).limit(1);
        let range = match self.lanes.get(lane) {
            Some(known) if known.under_way.contains(&first) => range.after(&known.last),
            _ => range.from(&first),
        };
        let mut found = range.list(rows)?;
        self.visited += found.len();
        // A view from before an effect was removed still has it.
        let is_under_way = |key: &EffectKey| {
            self.lanes.get(lane).is_some_and(|known| known.under_way.contains(key))
        };
        Ok(found.pop().filter(|(key, _)| !is_under_way(key)))
    }

    fn begin(&mut self, key: EffectKey, effect: Effect, is_failing: bool) {
        let window = if is_failing { FAILING_WINDOW } else { FIRST_WINDOW };
        let lane = self.lanes.entry(key.0.clone()).or_insert_with(|| Lane {
            under_way: BTreeSet::new(),
            window,
            last: key.clone(),
        });
        lane.under_way.insert(key.clone());
        lane.last = lane.last.clone().max(key.clone());
        self.taken[usize::from(is_failing)] += 1;
        let performance = Performance { cloud: self.cloud.clone(), services: self.services };
        self.performances.spawn(async move {
            // Whatever happens, the place is given back.
            let performed = AssertUnwindSafe(performance.perform(&key, effect)).catch_unwind();
            let failed = performed.await.unwrap_or(true);
            Done { key, is_failing, failed }
        });
    }

    /// Waits until an effect is done, and counts all that are. Never ends if none is under way.
    async fn settle(&mut self) {
        match self.performances.join_next().await {
            Some(done) => self.settled(done),
            None => std::future::pending().await,
        }
        while let Some(done) = self.performances.try_join_next() {
            self.settled(done);
        }
    }

    fn settled(&mut self, done: Result<Done, JoinError>) {
        let Done { key, is_failing, failed } = match done {
            Ok(done) => done,
            Err(error) => return tracing::error!(%error, "an effect was lost until the next start"),
        };
        self.taken[usize::from(is_failing)] -= 1;
        if let Some(lane) = self.lanes.get_mut(&key.0) {
            lane.under_way.remove(&key);
            lane.window = match failed {
                true => FAILING_WINDOW,
                false => (lane.window * 2).min(WIDEST_WINDOW),
            };
        }
        self.served.push(key.0);
    }

    fn now(&self) -> u64 {
        self.cloud.clock().now().millis().max(0).unsigned_abs()
    }
}
