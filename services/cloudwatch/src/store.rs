//! Rows: metrics, their data points, alarms with their history, dashboards.
//!
//! A data point is what is known of all values of a metric in one period and unit, so that what is stored grows with
//! metrics and time and not with what is published. High-resolution values lie twice: for three hours in their second,
//! and in their minute like all others. Minutes become five minutes after 15 days, and hours after 63.

use std::collections::BTreeMap;

use fogbank_core::measures::Summary;
use fogbank_core::store::{self, Read, Table, TableLabel, row};
use fogbank_core::{Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::model::{Dimension, StandardUnit};

/// Account, region, namespace, metric, [`dimensions_key`].
pub(crate) type MetricKey = (String, String, String, String, String);
/// The metric's id, the seconds of a period, when the period began in seconds since 1970, the unit.
pub(crate) type PointKey = (u64, u64, i64, u8);

/// Account, region, name.
pub(crate) type AlarmKey = (String, String, String);
/// Account, region, milliseconds since 1970, a number that grows with commits, the alarm's name.
pub(crate) type HistoryKey = (String, String, i64, u64, String);

pub(crate) static METRICS: Table<MetricKey, Metric> = Table::new("cloudwatch.metrics", 0x1401);
pub(crate) static POINTS: Table<PointKey, Point> = Table::new("cloudwatch.points", 0x1402);

pub(crate) static ALARMS: Table<AlarmKey, Alarm> = Table::new("cloudwatch.alarms", 0x1403);
pub(crate) static HISTORY: Table<HistoryKey, History> = Table::new("cloudwatch.history", 0x1404);
pub(crate) static DASHBOARDS: Table<(String, String), Dashboard> =
    Table::new("cloudwatch.dashboards", 0x1405);

/// All tables.
pub(crate) static TABLES: &[TableLabel] =
    &[METRICS.label(), POINTS.label(), ALARMS.label(), HISTORY.label(), DASHBOARDS.label()];

/// How much later the last publication of a metric must be to be written down, in milliseconds.
const PUBLISHED_STEP_MILLIS: i64 = 5 * 60 * 1000;

/// A metric that has data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metric {
    /// Under which its data points lie.
    pub(crate) id: u64,
    /// About when data was published last.
    pub(crate) published_millis: i64,
}

row!(Metric, 1);

/// All values of a metric in a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Point {
    /// The same value, so often.
    Same { value: f64, count: f64 },
    /// Different ones.
    Many(Summary),
}

row!(Point, 1);

/// An alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alarm {
    pub(crate) is_composite: bool,
    /// The input that made it, without tags, as JSON.
    pub(crate) configuration: String,
    pub(crate) actions_enabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) configured_millis: i64,
    /// As on the wire.
    pub(crate) state: String,
    pub(crate) reason: String,
    /// JSON.
    pub(crate) reason_data: Option<String>,
    pub(crate) updated_millis: i64,
    pub(crate) transitioned_millis: i64,
}

row!(Alarm, 1);

/// What happened to an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) is_composite: bool,
    /// As on the wire.
    pub(crate) kind: String,
    pub(crate) summary: String,
    /// JSON.
    pub(crate) data: String,
}

row!(History, 1);

/// A dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dashboard {
    pub(crate) body: String,
    pub(crate) modified_millis: i64,
    pub(crate) tags: BTreeMap<String, String>,
}

row!(Dashboard, 1);

impl Point {
    pub(crate) fn of(summary: &Summary) -> Point {
        match summary.only_value() {
            Some(value) => Point::Same { value, count: summary.count() },
            None => Point::Many(summary.clone()),
        }
    }

    pub(crate) fn summary(self) -> Summary {
        match self {
            Point::Same { value, count } => Summary::of(value, count),
            Point::Many(summary) => summary,
        }
    }
}

/// A metric's dimensions as they stand in keys: in order of their names, which cannot hold a NUL.
pub(crate) fn dimensions_key(dimensions: &[Dimension]) -> String {
    let mut pairs: Vec<(&str, &str)> =
        dimensions.iter().map(|dimension| (&*dimension.name, &*dimension.value)).collect();
    pairs.sort_unstable();
    key_of_pairs(pairs)
}

/// The same of pairs in order.
pub(crate) fn key_of_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    pairs.into_iter().flat_map(|(name, value)| [name, "\0", value, "\0"]).collect()
}

/// The dimensions that a key tells.
pub(crate) fn dimensions_of(key: &str) -> Vec<Dimension> {
    let mut parts = key.split_terminator('\0');
    let mut dimensions = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        dimensions.push(Dimension { name: name.to_owned(), value: value.to_owned() });
    }
    dimensions
}

/// The key of a metric of the caller.
pub(crate) fn metric_key(
    tx: &impl Tx,
    namespace: &str,
    name: &str,
    dimensions: &[Dimension],
) -> MetricKey {
    let dimensions = dimensions_key(dimensions);
    let (account, region) = (tx.account().to_owned(), tx.region().to_owned());
    (account, region, namespace.to_owned(), name.to_owned(), dimensions)
}

/// What is published of a metric at a time.
pub(crate) struct Publication<'a> {
    pub(crate) secs: i64,
    pub(crate) unit: StandardUnit,
    pub(crate) is_high_resolution: bool,
    pub(crate) summary: &'a Summary,
}

/// Adds what is published to the metric. `place` tells apart what one transaction publishes.
pub(crate) fn publish(
    tx: &mut WriteTx<'_>,
    key: &MetricKey,
    place: u64,
    now_millis: i64,
    publication: &Publication<'_>,
) -> Result<(), store::Error> {
    let known = METRICS.get(tx, key)?;
    let is_known_lately = known
        .as_ref()
        .is_some_and(|metric| (metric.published_millis - now_millis).abs() < PUBLISHED_STEP_MILLIS);
    let id = match known {
        Some(metric) => metric.id,
        // Commits are counted, and no transaction publishes more.
        None => tx.version() << 16 | (place & 0xffff),
    };
    if !is_known_lately {
        METRICS.put(tx, key, &Metric { id, published_millis: now_millis })?;
    }
    let seconds = publication.is_high_resolution.then_some(1);
    for resolution in seconds.into_iter().chain([60]) {
        let start = publication.secs - publication.secs.rem_euclid(resolution);
        let key = (id, resolution.cast_unsigned(), start, publication.unit as u8);
        merge(tx, &key, publication.summary)?;
    }
    Ok(())
}

/// Adds values to a data point.
pub(crate) fn merge(
    tx: &mut WriteTx<'_>,
    key: &PointKey,
    more: &Summary,
) -> Result<(), store::Error> {
    let mut summary = POINTS.get(tx, key)?.map(Point::summary).unwrap_or_default();
    summary.merge(more);
    POINTS.put(tx, key, &Point::of(&summary))
}

/// The unit of a row.
pub(crate) fn unit_of(number: u8) -> StandardUnit {
    let name = StandardUnit::NAMES.get(usize::from(number));
    name.and_then(|name| StandardUnit::from_name(name)).unwrap_or(StandardUnit::None)
}

/// The metric with this key, if data was ever published.
pub(crate) fn metric(
    rows: &(impl Read + ?Sized),
    key: &MetricKey,
) -> Result<Option<Metric>, store::Error> {
    METRICS.get(rows, key)
}
