//! Hints that something may have changed: long polls and background tasks wait for them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The topics that somebody waits for. A wake-up is only a hint: who wakes looks at the store.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<Mutex<HashMap<String, Arc<Notify>>>>);

impl Wakes {
    /// Wakes everybody who waits for `topic`.
    pub fn wake(&self, topic: &str) {
        if let Some(notify) = self.0.lock().get(topic) {
            // One permit is kept for a waiter that is between its look and its wait.
            notify.notify_waiters();
            notify.notify_one();
        }
    }

    /// Registers for `topic`. Register first, look at the store, then wait.
    pub fn waiter(&self, topic: &str) -> Waiter {
        let notify = Arc::clone(self.0.lock().entry(topic.to_owned()).or_default());
        Waiter { wakes: self.clone(), topic: topic.to_owned(), notify }
    }
}

/// A registration for a topic.
#[derive(Debug)]
pub struct Waiter {
    wakes: Wakes,
    topic: String,
    notify: Arc<Notify>,
}

impl Waiter {
    /// Waits for the next wake-up.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut topics = self.wakes.0.lock();
        // The map's and ours: nobody else waits, so the topic need not be kept.
        if Arc::strong_count(&self.notify) <= 2 {
            topics.remove(&self.topic);
        }
    }
}
