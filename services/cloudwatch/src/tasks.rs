//! Background work: what services measure of themselves, and the age of data.

use std::time::Duration;

use fogbank_core::measures::Gathered;
use fogbank_core::reset::each;
use fogbank_core::{BoxFuture, Cx, Fault, Tx, WriteTx, tracing};

use crate::model::StandardUnit;
use crate::rules::window::RETENTION;
use crate::store::{
    self, HISTORY, History, HistoryKey, METRICS, MetricKey, POINTS, Point, PointKey, Publication,
};

/// The task that writes what services measured.
pub(crate) const MEASURES: &str = "cloudwatch.measures";
/// How often it does.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// The task that evaluates alarms, and its topic.
pub(crate) const ALARMS: &str = "cloudwatch.alarms";
/// How often it does. Only whole periods are judged, so that nothing is lost by looking too often.
pub(crate) const EVALUATION: Duration = Duration::from_secs(10);
/// For how long it is known what happened to alarms, in milliseconds.
const HISTORY_MILLIS: i64 = 30 * 24 * 3600 * 1000;
/// How many sources one transaction writes.
const SOURCES: usize = 50;
/// How many data points one transaction rolls up or removes.
const BATCH: usize = 1_000;
/// How many metrics are looked at in one view.
const METRICS_AT_ONCE: usize = 500;

/// Writes what services measured of themselves.
pub(crate) async fn write_measures(cx: Cx) -> Result<(), Fault> {
    let (gathered, dropped) = cx.measures().take();
    if dropped > 0 {
        tracing::warn!(dropped, "metrics of services were dropped, since too many waited");
    }
    for some in gathered.chunks(SOURCES) {
        cx.write(|tx| write_some(tx, some)).await?;
    }
    Ok(())
}

fn write_some(tx: &mut WriteTx<'_>, some: &[Gathered]) -> Result<(), Fault> {
    let now = tx.now().millis();
    let mut place = 0;
    for gathered in some {
        let source = &gathered.source;
        let mut pairs: Vec<(&str, &str)> =
            source.dimensions.iter().map(|(name, value)| (*name, &**value)).collect();
        pairs.sort_unstable();
        let dimensions = store::key_of_pairs(pairs);
        for ((metric, unit), summary) in &gathered.summaries {
            let key = (
                source.account.clone(),
                source.region.clone(),
                source.namespace.to_owned(),
                (*metric).to_owned(),
                dimensions.clone(),
            );
            let publication = Publication {
                secs: gathered.minute_secs,
                unit: StandardUnit::from_name(unit).unwrap_or(StandardUnit::None),
                is_high_resolution: false,
                summary,
            };
            store::publish(tx, &key, place, now, &publication)?;
            place += 1;
        }
    }
    Ok(())
}

/// The same before the server stops.
pub(crate) fn stop(cx: Cx) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if let Err(fault) = write_measures(cx).await {
            tracing::warn!(?fault, "the last metrics of services could not be written");
        }
    })
}

/// Rolls up what is too old for its resolution, and removes what is too old for any.
pub(crate) async fn roll_up(cx: Cx) -> Result<(), Fault> {
    let mut after: Option<MetricKey> = None;
    loop {
        let page = cx.read(|tx| METRICS.page(tx, &(), after.as_ref(), METRICS_AT_ONCE))?;
        let (metrics, is_more) = page;
        for (key, metric) in &metrics {
            roll_up_one(&cx, metric.id).await?;
            remove_if_empty(&cx, key).await?;
        }
        if !is_more {
            return forget_history(&cx).await;
        }
        after = metrics.into_iter().next_back().map(|(key, _)| key);
        tokio::task::yield_now().await;
    }
}

/// Removes what happened to alarms long ago.
async fn forget_history(cx: &Cx) -> Result<(), Fault> {
    let oldest = cx.now().millis() - HISTORY_MILLIS;
    let is_old = |key: &HistoryKey, _: &History| key.2 < oldest;
    each(cx, &HISTORY, is_old, |tx, key, _| HISTORY.delete(tx, key)).await
}

/// Rolls up a metric's data, from the finest resolution on.
async fn roll_up_one(cx: &Cx, id: u64) -> Result<(), Fault> {
    let now = cx.now().secs();
    for (place, (resolution, longest)) in RETENTION.into_iter().enumerate() {
        // Seconds lie in their minutes, too; and what is coarser than an hour is not kept.
        let next = RETENTION.get(place + 1).map(|(next, _)| *next).filter(|_| resolution > 1);
        let span = (id, resolution.cast_unsigned());
        let limit = (span.0, span.1, now - longest, 0_u8);
        let old = || POINTS.range(&span).before(&limit).limit(BATCH);
        while !cx.read(|tx| old().limit(1).keys(tx))?.is_empty() {
            cx.write(|tx| {
                for (key, point) in old().list(tx)? {
                    POINTS.delete(tx, &key)?;
                    if let Some(coarser) = next {
                        store::merge(tx, &in_period(key, coarser), &Point::summary(point))?;
                    }
                }
                Ok::<_, Fault>(())
            })
            .await?;
        }
    }
    Ok(())
}

fn in_period((id, _, start, unit): PointKey, resolution: i64) -> PointKey {
    (id, resolution.cast_unsigned(), start - start.rem_euclid(resolution), unit)
}

/// Removes a metric of which no data is left.
async fn remove_if_empty(cx: &Cx, key: &MetricKey) -> Result<(), Fault> {
    let is_empty = |tx: &dyn fogbank_core::store::Read| {
        let metric = METRICS.get(tx, key)?;
        let first = metric.map(|metric| POINTS.first(tx, &(metric.id,))).transpose()?;
        Ok::<_, fogbank_core::store::Error>(first.is_some_and(|first| first.is_none()))
    };
    if !cx.read(|tx| is_empty(tx))? {
        return Ok(());
    }
    cx.write(|tx| {
        if is_empty(&tx.as_read())? {
            METRICS.delete(tx, key)?;
        }
        Ok::<_, Fault>(())
    })
    .await
}
