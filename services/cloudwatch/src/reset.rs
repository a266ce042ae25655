//! Removing all metrics, alarms and dashboards of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{ALARMS, DASHBOARDS, HISTORY, METRICS, MetricKey, POINTS};

/// How many data points one transaction removes.
const BATCH: usize = 2_000;
/// How many metrics are looked at in one view.
const LOOKED_AT: usize = 1_000;

/// Removes all that CloudWatch keeps of an account.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "cloudwatch", account).await?;
        cx.measures().forget(account);
        each(&cx, &ALARMS, |key, _| is_meant(account, &key.0), |tx, key, _| ALARMS.delete(tx, key))
            .await?;
        each(
            &cx,
            &HISTORY,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| HISTORY.delete(tx, key),
        )
        .await?;
        let dashboards = &DASHBOARDS;
        each(
            &cx,
            dashboards,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| dashboards.delete(tx, key),
        )
        .await?;
        let mut after: Option<MetricKey> = None;
        loop {
            let (metrics, is_more) =
                cx.read(|tx| METRICS.page(tx, &(), after.as_ref(), LOOKED_AT))?;
            for (key, metric) in metrics.iter().filter(|(key, _)| is_meant(account, &key.0)) {
                remove(&cx, key, metric.id).await?;
            }
            if !is_more {
                return Ok(());
            }
            after = metrics.into_iter().next_back().map(|(key, _)| key);
            tokio::task::yield_now().await;
        }
    })
}

/// Removes a metric's data, and with the last of it the metric.
async fn remove(cx: &Cx, key: &MetricKey, id: u64) -> Result<(), Fault> {
    loop {
        let is_done = cx
            .write(|tx| {
                let keys = POINTS.range(&(id,)).limit(BATCH).keys(tx)?;
                for key in &keys {
                    POINTS.delete(tx, key)?;
                }
                let is_done = keys.len() < BATCH;
                if is_done {
                    METRICS.delete(tx, key)?;
                }
                Ok::<_, Fault>(is_done)
            })
            .await?;
        if is_done {
            return Ok(());
        }
    }
}
