//! Amazon EventBridge: events, and who hears of them.
//!
//! Nouns: a **bus** gets events, from callers of `PutEvents` and, the default bus of an account and region, from AWS's
//! services; a **rule** of a bus wants those that its **pattern** takes, or makes one itself by its **schedule**; its
//! **targets** (queues, topics, functions, log groups, other buses) get them, as they are or transformed.
//!
//! Deliveries are effects of the transaction that accepts an event: at least once, tried again while the target's service
//! fails for as long as the target's retry policy says, given up (to the dead-letter queue) when the target refuses.
//! Targets are called through the front door as the target's role, or as `events.amazonaws.com` on behalf of the rule.
//!
//! Limits, which are AWS's: 10 entries and 1 MiB a call, 300 rules a bus, 5 targets a rule, 100 buses, JSON 1,100 levels
//! deep. An event that came from another bus goes to no third one.
//!
//! What is missing: archives and replays, connections and API destinations, partners' sources, global endpoints, keys of
//! KMS, logs of buses; targets of services that Fogbank does not have answer `NotImplemented`.

mod access;
mod buses;
mod dead_letters;
mod delivery;
mod entries;
mod error;
mod event_rules;
mod forwarding;
mod logs;
mod model;
mod pages;
mod patterns;
mod permissions;
mod reset;
mod roles;
mod routing;
pub mod rules;
mod schedules;
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
