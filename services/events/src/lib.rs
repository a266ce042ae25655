//! Amazon EventBridge: events, and who hears of them.
//!
//! Nouns: a **bus** gets events, from callers of `PutEvents` and, the default bus of an account and region, from AWS's
//! services; a **rule** of a bus wants those that its **pattern** takes, or makes one itself by its **schedule**; its
//! **targets** (queues, topics, functions, log groups, other buses, HTTP endpoints) get them, as they are or transformed.
//! An **archive** keeps events of a bus, a **replay** sends them to its rules again. An **API destination** is an HTTP
//! endpoint, its **connection** proves to it who is calling.
//!
//! Deliveries are effects of the transaction that accepts an event: at least once, tried again while the target's service
//! fails for as long as the target's retry policy says, given up (to the dead-letter queue) when the target refuses.
//! Targets are called through the front door as the target's role, or as `events.amazonaws.com` on behalf of the rule.
//!
//! Limits, which are AWS's: 10 entries and 1 MiB a call, 300 rules a bus, 5 targets a rule, 100 buses, JSON 1,100 levels
//! deep. An event that came from another bus goes to no third one.
//!
//! What differs from AWS: connections keep their secrets in their own rows, sealed, and not in Secrets Manager; rate limits
//! of API destinations are kept and shown, and not obeyed; archives make no rules that can be seen.
//!
//! What is missing: partners' sources (there is no partner), global endpoints, keys of KMS, logs of buses; targets of
//! services that Fogbank does not have answer `NotImplemented`.

mod access;
mod archives;
mod buses;
mod connections;
mod dead_letters;
mod delivery;
mod destinations;
mod entries;
mod error;
mod event_rules;
mod forwarding;
mod invocations;
mod logs;
mod model;
mod pages;
mod patterns;
mod permissions;
mod replays;
mod reset;
mod roles;
mod routing;
pub mod rules;
mod schedules;
mod sources;
mod store;
mod tags;
mod targets;
mod tasks;
#[cfg(test)]
mod tests;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write CreateEventBus        => buses::create,              access::bus;
    read  DescribeEventBus      => buses::describe,            access::bus;
    read  ListEventBuses        => buses::list,                access::all;
    write UpdateEventBus        => buses::update,              access::bus;
    write DeleteEventBus        => buses::delete,              access::bus;
    write PutPermission         => permissions::put,           access::all;
    write RemovePermission      => permissions::remove,        access::all;
    write PutRule               => event_rules::put,           access::put_rule;
    read  DescribeRule          => event_rules::describe,      access::seen_rule;
    read  ListRules             => event_rules::list,          access::all;
    read  ListRuleNamesByTarget => event_rules::list_by_target, access::all;
    write EnableRule            => event_rules::enable,        access::rule;
    write DisableRule           => event_rules::disable,       access::rule;
    write DeleteRule            => event_rules::delete,        access::rule;
    read  TestEventPattern      => event_rules::test,          access::all;
    write PutTargets            => targets::put,               access::put_targets;
    write RemoveTargets         => targets::remove,            access::rule;
    read  ListTargetsByRule     => targets::list,              access::seen_rule;
    task  PutEvents             => entries::put,               access::put_events;
    write CreateArchive         => archives::create,           access::create_archive;
    read  DescribeArchive       => archives::describe,         access::archive;
    read  ListArchives          => archives::list,             access::all;
    write UpdateArchive         => archives::update,           access::archive;
    write DeleteArchive         => archives::delete,           access::archive;
    write StartReplay           => replays::start,             access::start_replay;
    read  DescribeReplay        => replays::describe,          access::replay;
    read  ListReplays           => replays::list,              access::all;
    write CancelReplay          => replays::cancel,            access::replay;
    write CreateConnection      => connections::create,        access::connection;
    read  DescribeConnection    => connections::describe,      access::connection;
    read  ListConnections       => connections::list,          access::all;
    write UpdateConnection      => connections::update,        access::connection;
    write DeauthorizeConnection => connections::deauthorize,   access::connection;
    write DeleteConnection      => connections::delete,        access::connection;
    write CreateApiDestination  => destinations::create,       access::create_destination;
    read  DescribeApiDestination => destinations::describe,    access::destination;
    read  ListApiDestinations   => destinations::list,         access::all;
    write UpdateApiDestination  => destinations::update,       access::destination;
    write DeleteApiDestination  => destinations::delete,       access::destination;
    read  ListEventSources      => sources::list,              access::all;
    read  DescribeEventSource   => sources::describe,          access::source;
    write ActivateEventSource   => sources::activate,          access::source;
    write DeactivateEventSource => sources::deactivate,        access::source;
    write TagResource           => tags::add,                  access::resource;
    write UntagResource         => tags::remove,               access::resource;
    read  ListTagsForResource   => tags::list,                 access::resource;
};

/// Amazon EventBridge.
pub static SERVICE: Service = Service {
    resource_policy: Some(|tx, check| permissions::resource_policy(tx, &check.resource)),
    resource_tags: Some(tags::of_resource),
    tasks: tasks::TASKS,
    jobs: tasks::JOBS,
    tables: store::TABLES,
    reset: Some(reset::reset),
    time_went_back: Some(|cx| Box::pin(schedules::time_went_back(cx))),
    ..Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS)
};
