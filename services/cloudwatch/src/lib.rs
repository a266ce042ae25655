//! Amazon CloudWatch: metrics and alarms.
//!
//! Nouns: metrics (a namespace, a name, dimensions), their data points by time, queries and expressions over them.
//!
//! Limits are AWS's: 1,000 metrics a call, 30 dimensions, 150 different values, data at most two weeks old and two hours
//! ahead; it is kept for 3 hours by the second, 15 days by the minute, 63 days by five minutes and 455 days by the hour.
//!
//! What is missing: alarms, dashboards, anomaly detection, contributor insights, metric streams, Metrics Insights (`SELECT …`), pictures of
//! widgets, data of other accounts.

mod access;
mod data;
mod error;
mod metric_data;
mod metrics;
mod model;
mod queries;
mod reset;
mod rules;
mod statistics;
mod store;
mod tasks;
#[cfg(test)]
mod tests;

use std::time::Duration;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write PutMetricData       => metrics::put,     access::namespace;
    read  ListMetrics         => metrics::list,    access::all;
    read  GetMetricStatistics => statistics::get,  access::all;
    read  GetMetricData       => metric_data::get, access::all;
};

/// Amazon CloudWatch.
pub static SERVICE: Service = Service {
    packed: &["PutMetricData"],
    tasks: &[
        Task {
            name: tasks::MEASURES,
            every: tasks::MINUTE,
            run: |cx| Box::pin(tasks::write_measures(cx)),
        },
        Task {
            name: "cloudwatch.roll-up",
            every: Duration::from_secs(3600),
            run: |cx| Box::pin(tasks::roll_up(cx)),
        },
    ],
    stop: Some(tasks::stop),
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "ValidationException", ..Style::DEFAULT },
        OPERATIONS,
    )
};
