//! A few of something of which each thread mostly uses its own.
//!
//! Memory to which several processors write in turn travels between them each time, which costs more than most of what
//! a small request does. Counters, locks and memories that every request uses are therefore kept several times.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many there are. Threads beyond that share.
const PLACES: usize = 16;

/// Several of something, of which each thread mostly uses its own.
#[derive(Debug)]
pub struct Apart<T>(Box<[Padded<T>]>);

/// Two lines of the processor's cache, since it fetches them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T> Apart<T> {
    /// Makes each of them.
    pub fn new(make: impl Fn() -> T) -> Apart<T> {
        Apart((0..PLACES).map(|_| Padded(make())).collect())
    }

    /// The one of this thread, which a few other threads may use as well.
    pub fn own(&self) -> &T {
        &self.0[place() % PLACES].0
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &padded.0)
    }
}

impl<T: Default> Default for Apart<T> {
    fn default() -> Apart<T> {
        Apart::new(T::default)
    }
}

/// Numbers the threads in the order in which they ask.
fn place() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    PLACE.get().unwrap_or_else(|| {
        let place = THREADS.fetch_add(1, Ordering::Relaxed);
        PLACE.set(Some(place));
        place
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn threads_have_their_own() {
        let apart = Apart::<AtomicUsize>::default();
        let own = || std::ptr::from_ref(apart.own()) as usize;
        assert_eq!(own(), own());
        let of_threads: Vec<usize> = (0..4)
            .map(|_| std::thread::scope(|scope| scope.spawn(own).join().expect("no thread panics")))
            .collect();
        // Other tests' threads may come between these, so that two of them may share.
        assert!(of_threads.iter().collect::<BTreeSet<_>>().len() > 1, "{of_threads:x?}");
        assert!(of_threads.iter().all(|address| address % 128 == 0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| apart.own().fetch_add(1, Ordering::Relaxed));
            }
        });
        assert_eq!(apart.iter().map(|count| count.load(Ordering::Relaxed)).sum::<usize>(), 40);
    }
}
