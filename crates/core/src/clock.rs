//! The cloud's one clock: real, shifted or frozen.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Timestamp;

const RUNNING: i64 = i64::MIN;
/// How long a sleeper goes without a look at the clock: the machine may be suspended, or its time
/// set, while the timers of the runtime run on.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// The time that everything in the cloud obeys. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What stands in for the machine's time in a simulation: a start, and the runtime's time at it.
    simulated: Option<(i64, Instant)>,
    offset_millis: AtomicI64,
    frozen_at_millis: AtomicI64,
    changed: Notify,
}

impl Clock {
    /// A clock that runs with the machine's.
    pub fn system() -> Clock {
        Clock::running(None)
    }

    /// A clock that shows `now` and runs with the runtime's time, which a simulation lets jump from timer to timer.
    pub fn simulated(now: Timestamp) -> Clock {
        Clock::running(Some((now.millis(), Instant::now())))
    }

    fn running(simulated: Option<(i64, Instant)>) -> Clock {
        Clock(Arc::new(Inner {
            simulated,
            offset_millis: AtomicI64::new(0),
            frozen_at_millis: AtomicI64::new(RUNNING),
            changed: Notify::new(),
        }))
    }

    /// A clock that stands still at `now` until it is advanced.
    pub fn frozen(now: Timestamp) -> Clock {
        let clock = Clock::system();
        clock.0.frozen_at_millis.store(now.millis(), Ordering::Relaxed);
        clock
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self.0.frozen_at_millis.load(Ordering::Relaxed) {
            RUNNING => {
                let offset = self.0.offset_millis.load(Ordering::Relaxed);
                Timestamp::from_millis(self.machine_millis() + offset)
            }
            frozen => Timestamp::from_millis(frozen),
        }
    }

    /// Moves the time forward by `millis` milliseconds and wakes whoever waits for it.
    pub fn advance(&self, millis: i64) {
        if self.is_frozen() {
            self.0.frozen_at_millis.fetch_add(millis, Ordering::Relaxed);
        } else {
            self.0.offset_millis.fetch_add(millis, Ordering::Relaxed);
        }
        self.0.changed.notify_waiters();
    }

    /// Waits until the clock shows `deadline`.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let changed = self.0.changed.notified();
            let remaining = deadline.millis().saturating_sub(self.now().millis());
            if remaining <= 0 {
                return;
            }
            if self.is_frozen() {
                changed.await;
                continue;
            }
            let remaining = Duration::from_millis(remaining.unsigned_abs());
            tokio::select! {
                biased;
                () = tokio::time::sleep(remaining.min(LONGEST_NAP)) => {}
                () = changed => {}
            }
        }
    }

    /// Waits for a span of this clock's time.
    pub async fn sleep(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.sleep_until(self.now().plus_millis(millis)).await;
    }

    fn machine_millis(&self) -> i64 {
        let since = match self.0.simulated {
            Some((start, begun)) => {
                let elapsed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
                return start.saturating_add(elapsed);
            }
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn is_frozen(&self) -> bool {
        self.0.frozen_at_millis.load(Ordering::Relaxed) != RUNNING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
