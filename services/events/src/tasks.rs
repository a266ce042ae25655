//! Background work: the jobs of deliveries, and rules that fire by themselves.

use std::time::Duration;

use fogbank_core::{Job, Task};

use crate::{archives, delivery, replays, routing, schedules};

/// The job that brings an event to a target.
pub(crate) const DELIVER: &str = "events:deliver";
/// The job that goes on with an event for very many targets.
pub(crate) const ROUTE: &str = "events:route";
/// The job that replays events of an archive.
pub(crate) const REPLAY: &str = "events:replay";
/// The job that removes what an archive has kept that is gone.
pub(crate) const FORGET: &str = "events:forget-archive";
/// The task that fires rules, and the topic that wakes it.
pub(crate) const SCHEDULES: &str = "events.schedules";

/// The jobs; their names are those above without the service.
pub(crate) static JOBS: &[Job] = &[
    Job { name: "deliver", run: |cx, input| Box::pin(delivery::deliver(cx, input)) },
    Job { name: "route", run: |cx, input| Box::pin(routing::go_on(cx, input)) },
    Job { name: "replay", run: |cx, input| Box::pin(replays::run(cx, input)) },
    Job { name: "forget-archive", run: |cx, input| Box::pin(archives::forget(cx, input)) },
];

/// The background work.
pub(crate) static TASKS: &[Task] = &[
    Task {
        name: SCHEDULES,
        every: Duration::from_secs(1),
        run: |cx| Box::pin(schedules::fire(cx)),
    },
    Task {
        name: "events.archives",
        every: Duration::from_secs(3600),
        run: |cx| Box::pin(archives::expire(cx)),
    },
];
