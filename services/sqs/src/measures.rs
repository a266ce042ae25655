//! What CloudWatch tells of queues: the metrics of `AWS/SQS`.

use fogbank_core::measures::{Measure, SourceRef};
use fogbank_core::store::Write;
use fogbank_core::{Cloud, Cx, Fault, Tx, WriteTx};

use crate::error::Error;
use crate::store::{self, QUEUES, QueueKey};

/// How many queues are looked at in one view.
const QUEUES_AT_ONCE: usize = 100;

/// Counts what happened to a queue's messages.
pub(crate) fn record<const N: usize>(
    cloud: &Cloud,
    (account, region, name): &QueueKey,
    values: [Measure; N],
) {
    if !cloud.measures().is_wanted() {
        return;
    }
    let dimensions = &[("QueueName", &**name)];
    let source = SourceRef { account, region, namespace: "AWS/SQS", dimensions };
    cloud.measures().record_ref(source, cloud.clock().now(), values);
}

/// The same for what a transaction does, once it has happened: it may be tried more than once.
pub(crate) fn record_on_commit(tx: &mut WriteTx<'_>, key: QueueKey, value: Measure) {
    if tx.cx().measures().is_wanted() {
        let cloud = tx.cx().cloud().clone();
        tx.on_commit(Box::new(move || record(&cloud, &key, [value])));
    }
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
