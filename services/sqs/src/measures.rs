//! What CloudWatch tells of queues: the metrics of `AWS/SQS`.

use fogbank_core::measures::{Measure, Source};
use fogbank_core::{Cloud, Cx, Fault};

use crate::error::Error;
use crate::store::{self, QUEUES, QueueKey};

/// How many queues are looked at in one view.
const QUEUES_AT_ONCE: usize = 100;

/// Counts what happened to a queue's messages.
pub(crate) fn record<const N: usize>(cloud: &Cloud, key: &QueueKey, values: [Measure; N]) {
    if !cloud.measures().is_wanted() {
        return;
    }
    let (account, region, name) = key.clone();
    let dimensions = vec![("QueueName", name)];
    let source = Source { account, region, namespace: "AWS/SQS", dimensions };
    cloud.measures().record(source, cloud.clock().now(), values);
}

/// Tells how many messages wait in each queue.
pub(crate) async fn count_all(cx: Cx) -> Result<(), Fault> {
    if !cx.measures().is_wanted() {
        return Ok(());
    }
    let mut after: Option<QueueKey> = None;
    loop {
        let now = store::millis(cx.now());
        let (counts, is_more) = cx.read(|tx| {
            let (queues, is_more) = QUEUES.page(tx, &(), after.as_ref(), QUEUES_AT_ONCE)?;
            let mut counts = Vec::with_capacity(queues.len());
            for (key, queue) in queues {
                counts.push((key, store::counts(tx, queue.space, now)?));
            }
            Ok::<_, Error>((counts, is_more))
        })?;
        for (key, counts) in &counts {
            let count = |count: u64| count as f64;
            record(
                &cx,
                key,
                [
                    ("ApproximateNumberOfMessagesVisible", "Count", count(counts.visible)),
                    ("ApproximateNumberOfMessagesNotVisible", "Count", count(counts.in_flight)),
                    ("ApproximateNumberOfMessagesDelayed", "Count", count(counts.delayed)),
                ],
            );
        }
        if !is_more {
            return Ok(());
        }
        after = counts.into_iter().next_back().map(|(key, _)| key);
        tokio::task::yield_now().await;
    }
}
