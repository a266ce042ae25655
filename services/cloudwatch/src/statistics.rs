//! Statistics of one metric.

use std::collections::BTreeMap;

use fogbank_core::measures::Summary;
use fogbank_core::{ReadTx, Timestamp, Tx};

use crate::data;
use crate::error::Error;
use crate::metrics::check_dimensions;
use crate::model::{self, Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput};
use crate::rules::statistics::Statistic;
use crate::rules::window::{Window, is_period};
use crate::store;

/// How many data points a call may ask for.
const MAX_POINTS: i64 = 1_440;

/// Tells statistics of a metric in periods.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput, Error> {
    let statistics = input.statistics.unwrap_or_default();
    let extended = input.extended_statistics.unwrap_or_default();
    if statistics.is_empty() && extended.is_empty() {
        return Err(Error::combination("Must specify either Statistics or ExtendedStatistics"));
    }
    if !statistics.is_empty() && !extended.is_empty() {
        // "When calling GetMetricStatistics, you must specify either Statistics or ExtendedStatistics, but not both."
        let message = "The parameters Statistics and ExtendedStatistics are mutually exclusive and \
             you have specified both.";
        return Err(Error::combination(message));
    }
    let parsed = extended.into_iter().map(|name| match Statistic::parse_extended(&name) {
        Some(statistic) => Ok((name, statistic)),
        None => {
            let message =
                format!("The value {name} for parameter ExtendedStatistics.member.1 is invalid.");
            Err(Error::value(message))
        }
    });
    let extended: Vec<(String, Statistic)> = parsed.collect::<Result<_, _>>()?;
    let window = window(input.start_time, input.end_time, input.period, tx.now())?;
    let dimensions = input.dimensions.unwrap_or_default();
    check_dimensions("Dimensions", &dimensions)?;
    let key = store::metric_key(tx, &input.namespace, &input.metric_name, &dimensions);
    let found = data::summaries(tx, &key, window, input.unit, tx.now().secs())?;
    let points = found.into_iter().map(|((start, unit), summary)| {
        shown(start, data::unit(unit), &summary, &statistics, &extended)
    });
    Ok(GetMetricStatisticsOutput {
        label: Some(input.metric_name),
        datapoints: Some(points.flatten().collect()),
    })
}

fn window(start: Timestamp, end: Timestamp, period: i32, now: Timestamp) -> Result<Window, Error> {
    if !is_period(i64::from(period)) {
        let message = format!("The value {period} for parameter Period is invalid.");
        return Err(Error::value(message));
    }
    // Parts of seconds do not count.
    if start.secs() == end.secs() {
        return Err(Error::value("The parameter StartTime must not equal parameter EndTime."));
    }
    if start.secs() > end.secs() {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(Error::value(message));
    }
    let window = Window::new(start.secs(), end.secs(), i64::from(period), now.secs());
    let points = window.periods();
    if points > MAX_POINTS {
        let message = format!(
            "You have requested up to {points} datapoints, which exceeds the limit of {MAX_POINTS}. You may reduce \
             the datapoints requested by increasing Period, or decreasing the time range."
        );
        return Err(Error::combination(message));
    }
    Ok(window)
}

fn shown(
    start: i64,
    unit: model::StandardUnit,
    summary: &Summary,
    statistics: &[model::Statistic],
    extended: &[(String, Statistic)],
) -> Option<Datapoint> {
    let of = |wanted: model::Statistic, statistic: Statistic| {
        statistics.contains(&wanted).then(|| statistic.of(summary)).flatten()
    };
    let told = extended.iter().filter_map(|(name, it)| Some((name.clone(), it.of(summary)?)));
    let extended_statistics: BTreeMap<String, f64> = told.collect();
    if !extended.is_empty() && extended_statistics.is_empty() {
        return None;
    }
    Some(Datapoint {
        timestamp: Some(Timestamp::from_secs(start)),
        sample_count: of(model::Statistic::SampleCount, Statistic::SampleCount),
        average: of(model::Statistic::Average, Statistic::Average),
        sum: of(model::Statistic::Sum, Statistic::Sum),
        minimum: of(model::Statistic::Minimum, Statistic::Minimum),
        maximum: of(model::Statistic::Maximum, Statistic::Maximum),
        unit: Some(unit),
        extended_statistics: (!extended.is_empty()).then_some(extended_statistics),
    })
}
