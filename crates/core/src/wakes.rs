//! Hints that something may have changed: long polls and background tasks wait for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The topics that somebody waits for. A wake-up is only a hint: who wakes looks at the store.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<Mutex<HashMap<String, Topic>>>);

#[derive(Debug, Default)]
struct Topic {
    signal: Arc<Signal>,
    waiters: usize,
}

#[derive(Debug, Default)]
struct Signal {
    /// How often the topic was woken.
    rounds: AtomicU64,
    notify: Notify,
}

impl Wakes {
    /// Wakes everybody who waits for `topic`, and those who are about to.
    pub fn wake(&self, topic: &str) {
        if let Some(topic) = self.0.lock().get(topic) {
            topic.signal.rounds.fetch_add(1, Ordering::SeqCst);
            topic.signal.notify.notify_waiters();
        }
    }

    /// Wakes everybody: all that they know may have changed.
    pub fn wake_all(&self) {
        for topic in self.0.lock().values() {
            topic.signal.rounds.fetch_add(1, Ordering::SeqCst);
            topic.signal.notify.notify_waiters();
        }
    }

    /// Registers for `topic`. Register first, look at the store, then wait.
    pub fn waiter(&self, topic: &str) -> Waiter {
        let mut topics = self.0.lock();
        let entry = topics.entry(topic.to_owned()).or_default();
        entry.waiters += 1;
        let signal = Arc::clone(&entry.signal);
        let seen = AtomicU64::new(signal.rounds.load(Ordering::SeqCst));
        Waiter { wakes: self.clone(), topic: topic.to_owned(), signal, seen }
    }
}

/// A registration for a topic.
#[derive(Debug)]
pub struct Waiter {
    wakes: Wakes,
    topic: String,
    signal: Arc<Signal>,
    /// The wake-ups that this waiter knows of.
    seen: AtomicU64,
}

impl Waiter {
    /// Waits for a wake-up since the registration or the last wait; one that came already counts.
    pub async fn wait(&self) {
        // It hears every wake-up from here on, so that none falls between the look and the wait.
        let notified = self.signal.notify.notified();
        let rounds = self.signal.rounds.load(Ordering::SeqCst);
        if self.seen.swap(rounds, Ordering::SeqCst) == rounds {
            notified.await;
            self.seen.store(self.signal.rounds.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut topics = self.wakes.0.lock();
        if let Some(topic) = topics.get_mut(&self.topic) {
            topic.waiters -= 1;
            if topic.waiters == 0 {
                topics.remove(&self.topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn everybody_who_registered_hears_a_wake_up_before_his_wait() {
        let wakes = Wakes::default();
        let (first, second) = (wakes.waiter("queue"), wakes.waiter("queue"));
        wakes.wake("queue");
        assert!(first.wait().now_or_never().is_some());
        assert!(second.wait().now_or_never().is_some());
        assert!(first.wait().now_or_never().is_none(), "one wake-up counts once");
        wakes.wake("another");
        assert!(second.wait().now_or_never().is_none());
    }

    #[test]
    fn topics_are_forgotten_with_their_last_waiter() {
        let wakes = Wakes::default();
        let (first, second) = (wakes.waiter("queue"), wakes.waiter("queue"));
        drop(first);
        assert_eq!(wakes.0.lock().len(), 1);
        drop(second);
        assert_eq!(wakes.0.lock().len(), 0);
    }
}
