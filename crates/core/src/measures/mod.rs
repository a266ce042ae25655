//! What services measure of themselves, for the metrics of CloudWatch whose namespaces begin with `AWS/`.
//!
//! Whoever measures calls [`Measures::record`], which adds to a summary in memory: one for each minute, source and
//! metric. CloudWatch takes what was gathered once a minute and writes it as rows. It is as good as AWS promises such
//! metrics to be: best effort. What a killed process had gathered in its last minute is lost.

mod summary;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbank_wire::Timestamp;
use parking_lot::Mutex;

pub use summary::{Spread, Summary};

/// How many minutes of sources wait at most; what comes beyond is dropped and counted.
const MAX_WAITING: usize = 20_000;

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
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_minute: BTreeMap<(i64, Source), Summaries>,
    dropped: u64,
}

impl Measures {
    /// Whether anything that is recorded will be seen.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Adds what was measured at a time.
    pub fn record(
        &self,
        source: Source,
        now: Timestamp,
        values: impl IntoIterator<Item = Measure>,
    ) {
        if !self.is_wanted() {
            return;
        }
        let minute = now.secs() - now.secs().rem_euclid(60);
        let mut waiting = self.waiting.lock();
        let key = (minute, source);
        if waiting.by_minute.len() >= MAX_WAITING && !waiting.by_minute.contains_key(&key) {
            waiting.dropped += 1;
            return;
        }
        let summaries = waiting.by_minute.entry(key).or_default();
        for (metric, unit, value) in values {
            summaries.entry((metric, unit)).or_default().add(value, 1.0);
        }
    }

    /// Takes what was gathered, and says how often something was dropped. From the first call on, values are wanted.
    pub fn take(&self) -> (Vec<Gathered>, u64) {
        self.is_wanted.store(true, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let gathered = waiting
            .by_minute
            .into_iter()
            .map(|((minute_secs, source), summaries)| Gathered { source, minute_secs, summaries });
        (gathered.collect(), waiting.dropped)
    }

    /// Forgets what waits for an account, or for every account.
    pub fn forget(&self, account: Option<&str>) {
        let is_meant = |source: &Source| account.is_none_or(|account| account == source.account);
        self.waiting.lock().by_minute.retain(|(_, source), _| !is_meant(source));
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
        measures.record(source("1"), Timestamp::from_secs(60), [("A", "Count", 1.0)]);
        assert_eq!(measures.take(), (Vec::new(), 0));
    }

    #[test]
    fn values_of_a_minute_are_one_summary() {
        let measures = Measures::default();
        measures.take();
        for (secs, value) in [(60, 1.0), (119, 3.0), (120, 5.0)] {
            measures.record(source("1"), Timestamp::from_secs(secs), [("A", "Count", value)]);
        }
        measures.record(source("2"), Timestamp::from_secs(60), [("A", "Count", 1.0)]);
        measures.forget(Some("2"));
        let (gathered, dropped) = measures.take();
        let seen: Vec<_> = gathered
            .iter()
            .map(|it| (it.minute_secs, it.summaries[&("A", "Count")].sum()))
            .collect();
        assert_eq!((seen, dropped), (vec![(60, 4.0), (120, 5.0)], 0));
    }

    #[test]
    fn what_waits_is_bounded() {
        let measures = Measures::default();
        measures.take();
        for minute in 0..MAX_WAITING as i64 + 5 {
            measures.record(source("1"), Timestamp::from_secs(minute * 60), [("A", "Count", 1.0)]);
        }
        let (gathered, dropped) = measures.take();
        assert_eq!((gathered.len(), dropped), (MAX_WAITING, 5));
    }
}
