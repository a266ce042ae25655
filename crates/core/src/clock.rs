//! The cloud's one clock: the machine's, or one that was advanced, frozen or scaled.
//!
//! The clock is a history of segments, each a straight line from the machine's time to the cloud's. So not only the
//! present is known but also what the clock showed at a moment of the machine's time: clients stamp their requests with
//! their own clocks, and a URL that was presigned before the clock was advanced began before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fogbank_store::{Table, row};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Cloud, Fault, Timestamp};

/// The topic that wakes those who must know that time went back.
pub const WENT_BACK: &str = "core.clock";

/// The rate of a clock that runs with the machine's.
pub const REAL_RATE_PERMILLE: u32 = 1000;
/// The fastest clock: a day in less than nine seconds.
pub const MAX_RATE_PERMILLE: u32 = 10_000 * REAL_RATE_PERMILLE;

/// How long a sleeper goes without a look at the clock: the machine may be suspended, or its time
/// set, while the timers of the runtime run on.
const LONGEST_NAP: Duration = Duration::from_secs(30);
/// The latest time that the clock may show: 3000-01-01. Every format of a date can still write it.
const LATEST_MILLIS: i64 = 32_503_680_000_000;
/// So many changes are remembered; what was before them counts as real time.
const MAX_SEGMENTS: usize = 1000;
/// How long a change takes to become durable, mostly, in milliseconds.
const LEAD_MILLIS: i64 = 30;
/// A change that comes no later than this is to come, in milliseconds.
const LONGEST_LEAD_MILLIS: i64 = 2_000;

/// What the store knows of the clock; no row means the machine's.
pub(crate) static CLOCK: Table<(), ClockRow> = Table::new("core.clock", 0x0011);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockRow {
    history: Vec<Segment>,
    /// How often time went back.
    went_back: u64,
    /// How many of these times services know of.
    told: u64,
}

row!(ClockRow, 1);

/// A stretch of time in which the clock ran evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    /// The machine's time at which it begins.
    from_millis: i64,
    /// What the clock shows then.
    shows_millis: i64,
    /// How fast the clock runs, in thousandths of the machine's.
    rate_permille: u32,
}

/// A change of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Moves the time forward by milliseconds; a frozen clock stays frozen.
    Advance(i64),
    /// Has it stand still, at a time or where it is.
    Freeze(Option<Timestamp>),
    /// Has it run from where it is, in thousandths of the machine's speed.
    Scale(u32),
    /// Back to the machine's time.
    Reset,
}

/// The time that everything in the cloud obeys. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What stands in for the machine's time in a simulation: a start, and the runtime's time at it.
    simulated: Option<(i64, Instant)>,
    /// Ordered by the machine's time; empty for the machine's clock.
    history: RwLock<Vec<Segment>>,
    /// Whether there is a history, for those who read the clock a million times.
    has_history: AtomicBool,
    changed: Notify,
}

impl Clock {
    /// A clock that runs with the machine's.
    pub fn system() -> Clock {
        Clock(Arc::default())
    }

    /// A clock that shows `now` and runs with the runtime's time, which a simulation lets jump from timer to timer.
    pub fn simulated(now: Timestamp) -> Clock {
        let simulated = Some((now.millis(), Instant::now()));
        Clock(Arc::new(Inner { simulated, ..Inner::default() }))
    }

    /// A clock that stands still at `now` until it is advanced.
    pub fn frozen(now: Timestamp) -> Clock {
        let clock = Clock::system();
        let (from_millis, shows_millis) = (i64::MIN, now.millis());
        clock.put(vec![Segment { from_millis, shows_millis, rate_permille: 0 }]);
        clock
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.both().0
    }

    /// The time, and the machine's at the same moment.
    pub fn both(&self) -> (Timestamp, Timestamp) {
        let machine = self.machine_now();
        if !self.0.has_history.load(Ordering::Acquire) {
            return (machine, machine);
        }
        let history = self.0.history.read();
        let segment = present(&history, machine.millis());
        let millis = segment.map_or(machine.millis(), |now| now.shows_at(machine.millis()));
        (Timestamp::from_millis(millis), machine)
    }

    /// The machine's time, with which clients' clocks are compared.
    pub fn machine_now(&self) -> Timestamp {
        let since = match self.0.simulated {
            Some((start, begun)) => {
                let elapsed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
                return Timestamp::from_millis(start.saturating_add(elapsed));
            }
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// What the clock showed, or will show if nobody changes it, at a moment of the machine's time.
    pub fn at(&self, machine: Timestamp) -> Timestamp {
        if !self.0.has_history.load(Ordering::Acquire) {
            return machine;
        }
        let millis = show(&self.0.history.read(), machine.millis());
        Timestamp::from_millis(millis)
    }

    /// How fast the clock runs, in thousandths of the machine's speed: 0 is frozen.
    pub fn rate_permille(&self) -> u32 {
        let history = self.0.history.read();
        present(&history, self.machine_now().millis())
            .map_or(REAL_RATE_PERMILLE, |segment| segment.rate_permille)
    }

    /// By how much the clock is ahead of the machine's, in milliseconds.
    pub fn lead_millis(&self) -> i64 {
        let (now, machine) = self.both();
        now.millis().saturating_sub(machine.millis())
    }

    /// Whether it shows the machine's time.
    pub fn is_machines(&self) -> bool {
        self.rate_permille() == REAL_RATE_PERMILLE && self.lead_millis() == 0
    }

    /// Moves the time forward by `millis` milliseconds, at once and until the process ends.
    pub fn advance(&self, millis: i64) {
        self.change(Change::Advance(millis));
    }

    /// Changes the clock, at once and until the process ends; what cannot be shown is not done.
    pub fn change(&self, change: Change) {
        if let Ok(history) = self.planned(change, self.machine_now().millis()) {
            self.put(history);
        }
    }

    /// The history with a change that comes at a moment of the machine's time.
    fn planned(&self, change: Change, from_millis: i64) -> Result<Vec<Segment>, Fault> {
        let mut history = self.0.history.read().clone();
        let before = present(&history, from_millis);
        let shown = before.map_or(from_millis, |segment| segment.shows_at(from_millis));
        let rate = before.map_or(REAL_RATE_PERMILLE, |segment| segment.rate_permille);
        let (shows_millis, rate_permille) = match change {
            Change::Advance(millis) => (shown.saturating_add(millis), rate),
            Change::Freeze(at) => (at.map_or(shown, Timestamp::millis), 0),
            Change::Scale(rate) => (shown, rate),
            Change::Reset => (from_millis, REAL_RATE_PERMILLE),
        };
        if !(0..=LATEST_MILLIS).contains(&shows_millis) {
            let message = "The clock can show the years 1970 to 2999.";
            return Err(Fault::validation(message));
        }
        if rate_permille > MAX_RATE_PERMILLE {
            let most = MAX_RATE_PERMILLE / REAL_RATE_PERMILLE;
            let message = format!("The clock can run up to {most} times as fast as the machine's.");
            return Err(Fault::validation(message));
        }
        if history.is_empty() {
            history.push(Segment {
                from_millis: 0,
                shows_millis: 0,
                rate_permille: REAL_RATE_PERMILLE,
            });
        }
        history.push(Segment { from_millis, shows_millis, rate_permille });
        if history.len() > MAX_SEGMENTS {
            history.remove(0);
        }
        Ok(history)
    }

    fn put(&self, history: Vec<Segment>) {
        let has_history = !history.is_empty();
        *self.0.history.write() = history;
        self.0.has_history.store(has_history, Ordering::Release);
        self.0.changed.notify_waiters();
    }

    /// Waits until the clock shows `deadline`.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let changed = self.0.changed.notified();
            let remaining = deadline.millis().saturating_sub(self.now().millis());
            let Ok(remaining) = u64::try_from(remaining) else { return };
            if remaining == 0 {
                return;
            }
            let rate = u64::from(self.rate_permille());
            if rate == 0 {
                changed.await;
                continue;
            }
            let millis = remaining.saturating_mul(1000).div_ceil(rate);
            tokio::select! {
                biased;
                () = tokio::time::sleep(Duration::from_millis(millis).min(LONGEST_NAP)) => {}
                () = changed => {}
            }
        }
    }

    /// Waits for a span of this clock's time.
    pub async fn sleep(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.sleep_until(self.now().plus_millis(millis)).await;
    }

    /// Whether the runtime's time stands in for the machine's.
    pub(crate) fn is_simulated(&self) -> bool {
        self.0.simulated.is_some()
    }

    /// Waits for a span of the machine's time, whatever this clock shows: where somebody waits at the other end of a
    /// connection, and before what failed is tried again.
    pub async fn rest(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

impl Segment {
    /// What the clock shows at a moment of the machine's time, if this segment goes on until then.
    fn shows_at(&self, machine_millis: i64) -> i64 {
        let passed = i128::from(machine_millis) - i128::from(self.from_millis);
        let shown = i128::from(self.shows_millis) + passed * i128::from(self.rate_permille) / 1000;
        i64::try_from(shown.clamp(0, i128::from(LATEST_MILLIS))).unwrap_or(LATEST_MILLIS)
    }
}

/// The segment of the present: the last, unless it is about to begin. If it begins later than that, the machine's time
/// was set back, which does not undo a change.
fn present(history: &[Segment], machine_millis: i64) -> Option<&Segment> {
    let last = history.last()?;
    let is_to_come =
        (1..=LONGEST_LEAD_MILLIS).contains(&last.from_millis.saturating_sub(machine_millis));
    match is_to_come {
        true => history[..history.len() - 1].last(),
        false => Some(last),
    }
}

/// What the clock showed at a moment of the machine's time.
fn show(history: &[Segment], machine_millis: i64) -> i64 {
    let begun = history.iter().rev().find(|segment| segment.from_millis <= machine_millis);
    match (begun, history.first()) {
        (Some(segment), _) => segment.shows_at(machine_millis),
        // What is before the first segment that is remembered counts as real time.
        (None, Some(first)) => {
            let first = Segment { rate_permille: REAL_RATE_PERMILLE, ..*first };
            first.shows_at(machine_millis)
        }
        (None, None) => machine_millis,
    }
}

impl Cloud {
    /// Changes the clock for good: a restart goes on with it. Returns by how much time went back, in milliseconds.
    ///
    /// The change comes with a whole second of the machine's time. Clients stamp what they sign with whole seconds, and
    /// so each stamp is clearly of before or after it.
    pub async fn change_clock(&self, change: Change) -> Result<i64, Fault> {
        let _turn = self.clock_turn().lock().await;
        let clock = self.clock();
        let from_millis =
            (clock.machine_now().millis() + LEAD_MILLIS).div_euclid(1000) * 1000 + 1000;
        let history = clock.planned(change, from_millis)?;
        let [.., before, after] = &history[..] else { return Ok(0) };
        let went_back_millis = (before.shows_at(from_millis) - after.shows_millis).max(0);
        self.db()
            .write(|tx| {
                let mut row = CLOCK.get(tx, &())?.unwrap_or_default();
                row.history.clone_from(&history);
                row.went_back += u64::from(went_back_millis > 0);
                CLOCK.put(tx, &(), &row)
            })
            .await?;
        clock.put(history);
        let left = (from_millis - clock.machine_now().millis()).clamp(0, LONGEST_LEAD_MILLIS);
        clock.rest(Duration::from_millis(left.unsigned_abs() + 1)).await;
        clock.0.changed.notify_waiters();
        self.wakes().wake(WENT_BACK);
        Ok(went_back_millis)
    }

    /// Sets the clock to what the store says, after the store was opened or its rows were replaced, and forgets what is
    /// remembered of the outbox's rows.
    pub fn recall_clock(&self) -> Result<(), fogbank_store::Error> {
        crate::outbox::lanes::forget(self);
        let row = self.db().read(|rows| CLOCK.get(rows, &()))?;
        self.clock().put(row.unwrap_or_default().history);
        self.wakes().wake(WENT_BACK);
        Ok(())
    }

    /// How often time went back, if there is a service that does not know of all these times.
    pub fn untold_times(&self) -> Result<Option<u64>, fogbank_store::Error> {
        let row = self.db().read(|rows| CLOCK.get(rows, &()))?.unwrap_or_default();
        Ok((row.told < row.went_back).then_some(row.went_back))
    }

    /// All services know of the first `times` times that time went back.
    pub async fn told(&self, times: u64) -> Result<(), fogbank_store::Error> {
        self.db()
            .write(|tx| match CLOCK.get(tx, &())? {
                Some(mut row) => {
                    row.told = row.told.max(times);
                    CLOCK.put(tx, &(), &row)
                }
                None => Ok(()),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes this must raise the version and read the old form.
    #[test]
    fn the_bytes_of_the_row() {
        let segment =
            Segment { from_millis: -1, shows_millis: 1_767_225_600_000, rate_permille: 60_000 };
        let row = ClockRow { history: vec![segment], went_back: 2, told: 1 };
        let mut bytes = Vec::new();
        fogbank_store::Value::encode(&row, &mut bytes).expect("a row");
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, "01010180a0d5edee66e0d4030201");
        let back: ClockRow = fogbank_store::Value::decode_slice(&bytes).expect("readable");
        assert_eq!(back, row);
    }

    const HOUR: i64 = 3_600_000;

    #[tokio::test]
    async fn a_frozen_clock_moves_only_when_told() {
        let clock = Clock::frozen(Timestamp::from_secs(100));
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Timestamp::from_secs(160)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(59_000);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.advance(1_000);
        waiting.await.expect("the sleeper wakes");
        assert_eq!(clock.now(), Timestamp::from_secs(160));
    }

    #[test]
    fn the_history_tells_what_the_clock_showed() {
        let clock = Clock::system();
        let planned = |change, from| clock.put(clock.planned(change, from).expect("a plan"));
        planned(Change::Advance(2 * HOUR), 1_000_000);
        planned(Change::Scale(60_000), 2_000_000);
        planned(Change::Freeze(None), 2_001_000);
        planned(Change::Advance(HOUR), 3_000_000);
        planned(Change::Reset, 4_000_000);
        let at = |millis| clock.at(Timestamp::from_millis(millis)).millis();
        assert_eq!(at(999_999), 999_999);
        assert_eq!(at(1_000_000), 1_000_000 + 2 * HOUR);
        assert_eq!(at(1_500_000), 1_500_000 + 2 * HOUR);
        assert_eq!(at(2_000_500), 2_000_000 + 2 * HOUR + 30_000);
        assert_eq!(at(2_500_000), 2_000_000 + 2 * HOUR + 60_000);
        assert_eq!(at(3_500_000), 2_000_000 + 3 * HOUR + 60_000);
        assert_eq!(at(4_000_001), 4_000_001);
    }

    #[test]
    fn a_machine_that_is_set_back_undoes_no_change() {
        let clock = Clock::system();
        let shown = |machine| {
            let history = clock.0.history.read();
            present(&history, machine).expect("a segment").shows_at(machine)
        };
        clock.put(clock.planned(Change::Advance(24 * HOUR), 10 * HOUR).expect("a plan"));
        assert_eq!(shown(10 * HOUR - 1), 10 * HOUR - 1, "the change is to come");
        assert_eq!(shown(10 * HOUR), 34 * HOUR);
        assert_eq!(shown(7 * HOUR), 31 * HOUR);
        clock.put(clock.planned(Change::Advance(HOUR), 7 * HOUR).expect("a plan"));
        assert_eq!(shown(7 * HOUR - 1), 31 * HOUR - 1);
        assert_eq!(shown(7 * HOUR), 32 * HOUR);
        assert_eq!(clock.at(Timestamp::from_millis(8 * HOUR)).millis(), 33 * HOUR);
    }

    #[test]
    fn what_no_clock_can_show_is_refused() {
        let clock = Clock::system();
        for change in [
            Change::Advance(i64::MAX),
            Change::Advance(i64::MIN),
            Change::Freeze(Some(Timestamp::from_millis(-1))),
            Change::Freeze(Some(Timestamp::from_millis(LATEST_MILLIS + 1))),
            Change::Scale(MAX_RATE_PERMILLE + 1),
        ] {
            assert!(clock.planned(change, 1_000).is_err(), "{change:?}");
        }
        clock.put(clock.planned(Change::Scale(MAX_RATE_PERMILLE), 0).expect("a plan"));
        assert_eq!(clock.at(Timestamp::from_millis(i64::MAX)).millis(), LATEST_MILLIS);
        assert_eq!(clock.at(Timestamp::from_millis(i64::MIN)).millis(), 0);
    }

    #[test]
    fn the_history_has_an_end() {
        let clock = Clock::system();
        for number in 0..5_000 {
            clock.put(clock.planned(Change::Advance(1_000), number * 1_000).expect("a plan"));
        }
        assert_eq!(clock.0.history.read().len(), MAX_SEGMENTS);
        let last = Timestamp::from_millis(4_999_000);
        assert_eq!(clock.at(last).millis(), 4_999_000 + 5_000_000);
    }

    #[tokio::test]
    async fn sleepers_hear_of_every_change() {
        let clock = Clock::system();
        let sleep = |secs| {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep(Duration::from_secs(secs)).await })
        };
        let (hour, day) = (sleep(3_600), sleep(24 * 3_600));
        tokio::task::yield_now().await;
        clock.change(Change::Scale(MAX_RATE_PERMILLE));
        hour.await.expect("an hour of this clock is a third of a second");
        clock.change(Change::Freeze(None));
        assert!(!day.is_finished());
        clock.advance(24 * HOUR);
        day.await.expect("the sleeper wakes");
    }

    #[test]
    fn a_row_of_the_clock_is_read_for_ever() {
        let row = ClockRow {
            history: vec![Segment { from_millis: 1, shows_millis: -2, rate_permille: 300 }],
            went_back: 5,
            told: 4,
        };
        let mut bytes = Vec::new();
        fogbank_store::Value::encode(&row, &mut bytes).expect("bytes");
        assert_eq!(bytes, [1, 1, 2, 3, 0xac, 2, 5, 4]);
        let read = <ClockRow as fogbank_store::Value>::decode(bytes.into()).expect("a row");
        assert_eq!(read, row);
    }
}
