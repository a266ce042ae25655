//! What services measure of themselves, for the metrics of CloudWatch whose namespaces begin with `AWS/`.
//!
//! Whoever measures calls [`Measures::record`], which adds to a summary in memory: one for each minute, source and
//! metric. CloudWatch takes what was gathered once a minute and writes it as rows. It is as good as AWS promises such
//! metrics to be: best effort. What a killed process had gathered in its last minute is lost.

mod summary;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fogbank_store::Apart;
use fogbank_wire::Timestamp;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;

pub use summary::{Spread, Summary};

/// How many minutes of sources wait at most, of which each thread that measures one has its own; what comes beyond is
/// dropped and counted.
const MAX_WAITING: usize = 40_000;

/// What is measured: where the metrics belong, and their dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The account that sees the metrics.
    pub account: String,
    /// The region in which it sees them.
    pub region: String,
    /// The namespace, such as `AWS/S3`.
    pub namespace: &'static str,
    /// The dimensions that the metrics have in common.
    pub dimensions: Vec<(&'static str, String)>,
}

/// The same, of which nothing need be owned: most of what is measured adds to what is known already.
#[derive(Clone, Copy, Debug)]
pub struct SourceRef<'a> {
    /// The account that sees the metrics.
    pub account: &'a str,
    /// The region in which it sees them.
    pub region: &'a str,
    /// The namespace, such as `AWS/S3`.
    pub namespace: &'static str,
    /// The dimensions that the metrics have in common.
    pub dimensions: &'a [(&'static str, &'a str)],
}

/// One value of a metric: the metric's name, its unit and the value.
pub type Measure = (&'static str, &'static str, f64);

/// Summaries by metric and unit.
pub type Summaries = BTreeMap<(&'static str, &'static str), Summary>;

/// What was gathered of one source in one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// What was measured.
    pub source: Source,
    /// When the minute began, in seconds since 1970.
    pub minute_secs: i64,
    /// Summaries by metric and unit.
    pub summaries: Summaries,
}

/// Summaries that wait for CloudWatch, by minute and source.
#[derive(Debug, Default)]
pub struct Measures {
    /// Whether anybody takes them: a cloud without CloudWatch gathers nothing.
    is_wanted: AtomicBool,
    waiting: Apart<Mutex<Waiting>>,
    /// How many minutes of sources wait in all.
    count: AtomicUsize,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Waiting {
    gathered: HashTable<Gathered>,
    dropped: u64,
}

impl SourceRef<'_> {
    fn hash(&self, minute_secs: i64, hasher: &RandomState) -> u64 {
        hasher.hash_one((minute_secs, self.account, self.region, self.namespace, self.dimensions))
    }

    fn is(&self, source: &Source) -> bool {
        let same = |(a, b): (&(&str, &str), &(&str, String))| a.0 == b.0 && a.1 == b.1;
        self.account == source.account
            && self.region == source.region
            && self.namespace == source.namespace
            && self.dimensions.len() == source.dimensions.len()
            && self.dimensions.iter().zip(&source.dimensions).all(same)
    }

    fn to_source(self) -> Source {
        Source {
            account: self.account.to_owned(),
            region: self.region.to_owned(),
            namespace: self.namespace,
            dimensions: self
                .dimensions
                .iter()
                .map(|(name, text)| (*name, (*text).to_owned()))
                .collect(),
        }
    }
}

impl Source {
    /// Lets go of what is owned.
    fn with_ref<T>(&self, f: impl FnOnce(SourceRef<'_>) -> T) -> T {
        let Source { account, region, namespace, dimensions } = self;
        let dimensions: Vec<_> = dimensions.iter().map(|(name, text)| (*name, &**text)).collect();
        f(SourceRef { account, region, namespace, dimensions: &dimensions })
    }
}

impl Measures {
    /// Whether anything that is recorded will be seen.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Adds what was measured at a time.
    pub fn record(
        &self,
        source: &Source,
        now: Timestamp,
        values: impl IntoIterator<Item = Measure>,
    ) {
        source.with_ref(|source| self.record_ref(source, now, values));
    }

    /// The same for what does not own the source.
    pub fn record_ref(
        &self,
        source: SourceRef<'_>,
        now: Timestamp,
        values: impl IntoIterator<Item = Measure>,
    ) {
        if !self.is_wanted() {
            return;
        }
        let minute_secs = now.secs() - now.secs().rem_euclid(60);
        let hash = source.hash(minute_secs, &self.hasher);
        let mut waiting = self.waiting.own().lock();
        let is_meant = |it: &Gathered| it.minute_secs == minute_secs && source.is(&it.source);
        let rehash = |it: &Gathered| it.source.with_ref(|of| of.hash(it.minute_secs, &self.hasher));
        let mut found = match waiting.gathered.entry(hash, is_meant, rehash) {
            Entry::Occupied(found) => found,
            Entry::Vacant(_) if self.count.load(Ordering::Relaxed) >= MAX_WAITING => {
                waiting.dropped += 1;
                return;
            }
            Entry::Vacant(place) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                let (source, summaries) = (source.to_source(), Summaries::new());
                place.insert(Gathered { source, minute_secs, summaries })
            }
        };
        for (metric, unit, value) in values {
            found.get_mut().summaries.entry((metric, unit)).or_default().add(value, 1.0);
        }
    }

    /// Takes what was gathered, in the order of minutes and sources, and says how often something was dropped. From the
    /// first call on, values are wanted.
    pub fn take(&self) -> (Vec<Gathered>, u64) {
        self.is_wanted.store(true, Ordering::Relaxed);
        let mut by_minute: BTreeMap<(i64, Source), Summaries> = BTreeMap::new();
        let mut dropped = 0;
        for waiting in self.waiting.iter() {
            let waiting = std::mem::take(&mut *waiting.lock());
            self.count.fetch_sub(waiting.gathered.len(), Ordering::Relaxed);
            dropped += waiting.dropped;
            for Gathered { source, minute_secs, summaries } in waiting.gathered {
                let known = by_minute.entry((minute_secs, source)).or_default();
                for (metric, summary) in summaries {
                    known.entry(metric).or_default().merge(&summary);
                }
            }
        }
        let gathered = by_minute.into_iter().map(|((minute_secs, source), summaries)| Gathered {
            source,
            minute_secs,
            summaries,
        });
        (gathered.collect(), dropped)
    }

    /// Forgets what waits for an account, or for every account.
    pub fn forget(&self, account: Option<&str>) {
        let is_meant = |source: &Source| account.is_none_or(|account| account == source.account);
        for waiting in self.waiting.iter() {
            let mut waiting = waiting.lock();
            let before = waiting.gathered.len();
            waiting.gathered.retain(|it| !is_meant(&it.source));
            self.count.fetch_sub(before - waiting.gathered.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(account: &str) -> Source {
        Source {
            account: account.to_owned(),
            region: "r".to_owned(),
            namespace: "AWS/S3",
            dimensions: vec![("BucketName", "b".to_owned())],
        }
    }

    #[test]
    fn nothing_is_gathered_until_somebody_takes_it() {
        let measures = Measures::default();
        measures.record(&source("1"), Timestamp::from_secs(60), [("A", "Count", 1.0)]);
        assert_eq!(measures.take(), (Vec::new(), 0));
    }

    #[test]
    fn values_of_a_minute_are_one_summary() {
        let measures = Measures::default();
        measures.take();
        for (secs, value) in [(60, 1.0), (119, 3.0), (120, 5.0)] {
            measures.record(&source("1"), Timestamp::from_secs(secs), [("A", "Count", value)]);
        }
        measures.record(&source("2"), Timestamp::from_secs(60), [("A", "Count", 1.0)]);
        measures.forget(Some("2"));
        let (gathered, dropped) = measures.take();
        let seen: Vec<_> = gathered
            .iter()
            .map(|it| (it.minute_secs, it.summaries[&("A", "Count")].sum()))
            .collect();
        assert_eq!((seen, dropped), (vec![(60, 4.0), (120, 5.0)], 0));
    }

    #[test]
    fn what_threads_measure_is_taken_as_one() {
        let measures = Measures::default();
        measures.take();
        let dimensions = [("BucketName", "b")];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let source = SourceRef {
                        account: "1",
                        region: "r",
                        namespace: "AWS/S3",
                        dimensions: &dimensions,
                    };
                    for value in 0..1000 {
                        let value = f64::from(value % 2);
                        measures.record_ref(
                            source,
                            Timestamp::from_secs(60),
                            [("A", "Count", value)],
                        );
                    }
                });
            }
        });
        measures.record(&source("1"), Timestamp::from_secs(61), [("A", "Count", 7.0)]);
        let (gathered, dropped) = measures.take();
        assert_eq!((gathered.len(), dropped), (1, 0));
        assert_eq!(gathered[0].source, source("1"));
        let values = gathered[0].summaries[&("A", "Count")].values();
        assert_eq!(values, Some(vec![(0.0, 2000.0), (1.0, 2000.0), (7.0, 1.0)]));
        assert_eq!(measures.take(), (Vec::new(), 0));
    }

    #[test]
    fn what_waits_is_bounded() {
        let measures = Measures::default();
        measures.take();
        for minute in 0..MAX_WAITING as i64 + 5 {
            measures.record(&source("1"), Timestamp::from_secs(minute * 60), [("A", "Count", 1.0)]);
        }
        let (gathered, dropped) = measures.take();
        assert_eq!((gathered.len(), dropped), (MAX_WAITING, 5));
        measures.record(&source("1"), Timestamp::from_secs(60), [("A", "Count", 1.0)]);
        measures.forget(None);
        for minute in 0..MAX_WAITING as i64 {
            measures.record(&source("1"), Timestamp::from_secs(minute * 60), [("A", "Count", 1.0)]);
        }
        assert_eq!(measures.take().1, 0, "there is room again");
    }
}
