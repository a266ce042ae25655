//! Amazon CloudWatch: metrics and alarms.
//!
//! Nouns: metrics (a namespace, a name, dimensions), their data points by time, queries and expressions over them; alarms, which
//! watch a query or other alarms and tell topics, functions and EventBridge of their state; dashboards.
//!
//! Limits are AWS's: 1,000 metrics a call, 30 dimensions, 150 different values, data at most two weeks old and two hours
//! ahead; it is kept for 3 hours by the second, 15 days by the minute, 63 days by five minutes and 455 days by the hour.
//!
//! What is missing: anomaly detection, actions of alarms other than topics and functions, suppressors and mute rules, alarms on
//! logs and PromQL, contributor insights, metric streams, Metrics Insights (`SELECT …`), pictures of widgets, data of other
//! accounts.

mod access;
mod alarms;
mod dashboards;
mod data;
mod error;
mod metric_data;
mod metrics;
mod model;
#[doc(hidden)]
pub mod parsers;
mod queries;
mod reset;
mod rules;
mod statistics;
mod store;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;

use std::time::Duration;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write PutMetricData           => metrics::put,           access::namespace;
    read  ListMetrics             => metrics::list,          access::all;
    read  GetMetricStatistics     => statistics::get,        access::all;
    read  GetMetricData           => metric_data::get,       access::all;
    write PutMetricAlarm          => alarms::put,            access::put_alarm;
    write PutCompositeAlarm       => alarms::put_composite,  access::put_alarm;
    read  DescribeAlarms          => alarms::list,           access::alarms;
    read  DescribeAlarmsForMetric => alarms::for_metric,     access::all;
    read  DescribeAlarmHistory    => alarms::history,        access::alarm;
    write SetAlarmState           => alarms::set_state,      access::alarm;
    write EnableAlarmActions      => alarms::enable,         access::named;
    write DisableAlarmActions     => alarms::disable,        access::named;
    write DeleteAlarms            => alarms::delete,         access::named;
    write PutDashboard            => dashboards::put,        access::dashboard;
    read  GetDashboard            => dashboards::get,        access::dashboard;
    read  ListDashboards          => dashboards::list,       access::all;
    write DeleteDashboards        => dashboards::delete,     access::named_dashboards;
    write TagResource             => tags::tag,              access::resource;
    write UntagResource           => tags::untag,            access::resource;
    read  ListTagsForResource     => tags::list,             access::resource;
};

/// Amazon CloudWatch.
pub static SERVICE: Service = Service {
    packed: &["PutMetricData"],
    resource_tags: Some(tags::of_resource),
    tasks: &[
        Task {
            name: tasks::MEASURES,
            every: tasks::MINUTE,
            run: |cx| Box::pin(tasks::write_measures(cx)),
        },
        Task {
            name: tasks::ALARMS,
            every: tasks::EVALUATION,
            run: |cx| Box::pin(alarms::evaluate_all(cx)),
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
