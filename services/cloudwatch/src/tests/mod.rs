//! Operations through the whole pipeline.

mod alarms;
mod dashboards;
mod expressions;
mod formats;
mod metrics;
mod retention;

use fogbank_core::Service;
use fogbank_testkit::{Value, World, json};

static SERVICES: &[&Service] = &[&crate::SERVICE];

/// 2026-01-01T00:00:00Z, where a world's clock stands, in seconds.
const NOW: i64 = 1_767_225_600;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Publishes data of a namespace `App`.
async fn put(world: &World, data: Value) {
    let input = json!({ "Namespace": "App", "MetricData": data });
    world.call("cloudwatch:PutMetricData", input).await.expect("it is published");
}

/// The statistics of a metric of `App`: the answer's data points as `time from now: value`, the time in seconds.
async fn told(
    world: &World,
    metric: &str,
    statistic: &str,
    span: (i64, i64),
    period: i64,
) -> String {
    let is_extended = crate::rules::statistics::Statistic::parse_extended(statistic).is_some();
    let list = if is_extended { "ExtendedStatistics" } else { "Statistics" };
    let input = json!({
        "Namespace": "App", "MetricName": metric, "Period": period, list: [statistic],
        "StartTime": span.0, "EndTime": span.1,
    });
    let output = world.call("cloudwatch:GetMetricStatistics", input).await.expect("statistics");
    let points = output["Datapoints"].as_array().expect("a list").iter().map(|point| {
        let secs = point["Timestamp"].as_f64().expect("a time") as i64 - NOW;
        let value = match is_extended {
            true => &point["ExtendedStatistics"][statistic],
            false => &point[statistic],
        };
        format!("{secs}: {value}")
    });
    points.collect::<Vec<_>>().join(", ")
}
