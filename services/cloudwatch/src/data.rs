//! Data points as requests see them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::measures::Summary;
use fogbank_core::store::{self, Read};

use crate::model::StandardUnit;
use crate::rules::window::{RETENTION, Window};
use crate::store::{MetricKey, POINTS, Point, metric, unit_of};

/// The summaries of a metric's values by the start of their period and their unit.
pub(crate) fn summaries(
    rows: &(impl Read + ?Sized),
    key: &MetricKey,
    window: Window,
    unit: Option<StandardUnit>,
    now_secs: i64,
) -> Result<BTreeMap<(i64, u8), Summary>, store::Error> {
    let mut found: BTreeMap<(i64, u8), Summary> = BTreeMap::new();
    let Some(metric) = metric(rows, key)? else { return Ok(found) };
    let unit = unit.map(|unit| unit as u8);
    for (resolution, _) in RETENTION {
        let span = (metric.id, resolution.cast_unsigned());
        let from = (span.0, span.1, window.start, 0_u8);
        let to = (span.0, span.1, window.end, 0_u8);
        if (window.period < 60) != (resolution == 1) {
            continue;
        }
        POINTS.range(&span).from(&from).before(&to).visit(rows, |(_, _, secs, of), point| {
            if window.sees(secs, resolution, now_secs) && unit.is_none_or(|unit| unit == of) {
                let period = found.entry((window.period_of(secs), of)).or_default();
                period.merge(&Point::summary(point));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(found)
}

/// The summaries of a metric's values by the start of their period. Where nobody asks for a unit, values of all units
/// are taken together: AWS has one answer for each period and does not convert.
pub(crate) fn merged(
    rows: &(impl Read + ?Sized),
    key: &MetricKey,
    window: Window,
    unit: Option<StandardUnit>,
    now_secs: i64,
) -> Result<BTreeMap<i64, Summary>, store::Error> {
    let mut periods: BTreeMap<i64, Summary> = BTreeMap::new();
    for ((start, _), summary) in summaries(rows, key, window, unit, now_secs)? {
        periods.entry(start).or_default().merge(&summary);
    }
    Ok(periods)
}

/// A unit by the number under which rows have it.
pub(crate) fn unit(number: u8) -> StandardUnit {
    unit_of(number)
}
