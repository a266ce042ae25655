//! Background work: the jobs of deliveries, and cleaning up behind deleted topics.

use std::time::Duration;

use fogbank_core::{Cx, Fault, Job, Task};
use serde_json::Value;

use crate::store::{self, SUBSCRIPTIONS};
use crate::{delivery, outboxes};

/// The job that delivers to a queue or a function.
pub(crate) const DELIVER: &str = "sns:deliver";
/// The job that delivers to an HTTP endpoint.
pub(crate) const DELIVER_HTTP: &str = "sns:deliver-http";
/// The job that serves the next of very many subscribers.
pub(crate) const FAN_OUT: &str = "sns:fan-out";
/// The job that removes a deleted topic's subscriptions.
pub(crate) const FORGET: &str = "sns:forget-topic";

/// How many subscriptions one transaction removes.
const ROWS: usize = 200;

/// The jobs; their names are those above without the service.
pub(crate) static JOBS: &[Job] = &[
    Job { name: "deliver", run: |cx, input| Box::pin(delivery::call(cx, input)) },
    Job { name: "deliver-http", run: |cx, input| Box::pin(delivery::post(cx, input)) },
    Job { name: "fan-out", run: |cx, input| Box::pin(delivery::go_on(cx, input)) },
    Job { name: "forget-topic", run: |cx, input| Box::pin(forget(cx, input)) },
];

/// The background work.
pub(crate) static TASKS: &[Task] = &[Task {
    name: "sns.outboxes",
    every: Duration::from_secs(60),
    run: |cx| Box::pin(async move { outboxes::trim(&cx).await }),
}];

/// Removes the subscriptions of a topic that is gone.
async fn forget(cx: Cx, input: Value) -> Result<(), Fault> {
    let topic_id = input["topic_id"].as_u64().unwrap_or_default();
    let region = input["region"].as_str().unwrap_or_default().to_owned();
    while cx
        .write(|tx| {
            let rows = SUBSCRIPTIONS.range(&(topic_id,)).limit(ROWS).list(tx)?;
            for (_, subscription) in &rows {
                store::remove(tx, topic_id, &region, subscription)?;
            }
            Ok::<_, Fault>(rows.len() == ROWS)
        })
        .await?
    {}
    Ok(())
}
