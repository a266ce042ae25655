//! Amazon CloudWatch Logs: what applications say.
//!
//! Nouns: log groups (retention, tags), log streams in a group, events in a stream by time. Lambda's output lands here.
//!
//! Messages of a group with a key of KMS lie sealed: `encryption.rs`.
//!
//! Limits are AWS's: 10,000 events and 1 MiB a call, events at most 14 days old and 2 hours ahead.
//!
//! What is missing: keys for the results of queries; metric and subscription filters, Insights, exports; filter patterns for JSON (`{ … }`) and
//! space-delimited (`[ … ]`) events, and groups by data source or field index, answer `NotImplemented`.

mod access;
mod encryption;
mod error;
mod events;
mod groups;
mod model;
mod reset;
mod rules;
mod store;
mod streams;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;

use std::time::Duration;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    task  CreateLogGroup        => groups::create,            access::tagged_group;
    write DeleteLogGroup        => groups::delete,            access::group;
    read  DescribeLogGroups     => groups::describe,          access::group;
    read  ListLogGroups         => groups::list,              access::all;
    write PutRetentionPolicy    => groups::put_retention,     access::group;
    write DeleteRetentionPolicy => groups::delete_retention,  access::group;
    task  AssociateKmsKey       => encryption::associate,     access::group;
    write DisassociateKmsKey    => encryption::disassociate,  access::group;
    write CreateLogStream       => streams::create,           access::stream;
    write DeleteLogStream       => streams::delete,           access::stream;
    read  DescribeLogStreams    => streams::describe,         access::group;
    task  PutLogEvents          => events::put,               access::stream;
    task  GetLogEvents          => events::get,               access::stream;
    task  FilterLogEvents       => events::filter,            access::group;
    write TagLogGroup           => tags::tag_group,           access::tagged_group;
    write UntagLogGroup         => tags::untag_group,         access::tagged_group;
    read  ListTagsLogGroup      => tags::list_of_group,       access::group;
    write TagResource           => tags::tag,                 access::resource;
    write UntagResource         => tags::untag,               access::resource;
    read  ListTagsForResource   => tags::list,                access::resource;
};

/// Amazon CloudWatch Logs.
pub static SERVICE: Service = Service {
    // So do the CloudWatch agent and OpenTelemetry's exporter send them.
    packed: &["PutLogEvents"],
    resource_tags: Some(tags::of_resource),
    tasks: &[
        Task {
            name: tasks::REMOVAL,
            every: Duration::from_secs(600),
            run: |cx| Box::pin(tasks::remove_doomed(cx)),
        },
        Task {
            name: "logs.retention",
            every: Duration::from_secs(3600),
            run: |cx| Box::pin(tasks::expire(cx)),
        },
    ],
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "InvalidParameterException", ..Style::DEFAULT },
        OPERATIONS,
    )
};
