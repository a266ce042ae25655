//! Finding out in which state alarms should be.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Fault, ReadTx, Tx, tracing};
use serde_json::json;

use super::{Configuration, arn, change_state, key, located, name, stamp, state};
use crate::error::Error;
use crate::model::*;
use crate::queries::{self, Span};
use crate::rules::alarms::{MORE_PERIODS, Missing, Test};
use crate::rules::composite::Rule;
use crate::store::{ALARMS, Alarm, AlarmKey};

/// How many alarms are looked at in one view.
const AT_ONCE: usize = 200;
/// How deep composite alarms are followed in one round.
const ROUNDS: usize = 10;

/// A state that an alarm should be in: the state, the reason, and the reason's data as JSON.
type New = (StateValue, String, Option<String>);

/// Evaluates all alarms: those on metrics first, then those on other alarms until nothing changes.
pub(crate) async fn evaluate_all(cx: Cx) -> Result<(), Fault> {
    let has_composites = round(&cx, false).await?.1;
    for _ in 0..ROUNDS {
        if !has_composites || !round(&cx, true).await?.0 {
            break;
        }
    }
    Ok(())
}

/// Evaluates one kind of alarms; tells whether any changed, and whether there are composite ones.
async fn round(cx: &Cx, is_composite: bool) -> Result<(bool, bool), Fault> {
    let (mut has_changed, mut has_composites) = (false, false);
    let mut after: Option<AlarmKey> = None;
    loop {
        let (alarms, is_more) = cx.read(|tx| ALARMS.page(tx, &(), after.as_ref(), AT_ONCE))?;
        for (key, alarm) in &alarms {
            has_composites |= alarm.is_composite;
            if alarm.is_composite != is_composite {
                continue;
            }
            let of = located(cx, key);
            match of.read(|tx| judge(tx, key, alarm)) {
                Ok(Some(new)) if new.0 != state(alarm) => {
                    has_changed |= change(&of, key, alarm, new).await?;
                }
                Ok(_) => {}
                // One alarm that cannot be evaluated holds up no other.
                Err(error) => tracing::warn!(alarm = key.2, %error, "an alarm cannot be evaluated"),
            }
        }
        if !is_more {
            return Ok((has_changed, has_composites));
        }
        after = alarms.into_iter().next_back().map(|(key, _)| key);
        tokio::task::yield_now().await;
    }
}

/// Changes the state of an alarm unless it was changed meanwhile.
async fn change(cx: &Cx, key: &AlarmKey, seen: &Alarm, new: New) -> Result<bool, Fault> {
    let is_done = cx
        .write(|tx| {
            let Some(alarm) = ALARMS.get(tx, key)?.filter(|alarm| alarm == seen) else {
                return Ok(false);
            };
            change_state(tx, key, alarm, new.clone())?;
            Ok::<_, Error>(true)
        })
        .await?;
    Ok(is_done)
}

fn judge(tx: &ReadTx<'_>, key: &AlarmKey, alarm: &Alarm) -> Result<Option<New>, Error> {
    match Configuration::of(alarm)? {
        Configuration::Metric(input) => by_metric(tx, &input),
        Configuration::Composite(input) => by_rule(tx, key, alarm, &input),
    }
}

/// The queries that an alarm's configuration means, and their longest period.
pub(super) fn queries_of(input: &PutMetricAlarmInput) -> (Vec<MetricDataQuery>, i64) {
    if let Some(metrics) = &input.metrics {
        return (metrics.clone(), queries::longest_period(metrics));
    }
    let period = input.period.unwrap_or(60);
    let named = input.statistic.map(|statistic| statistic.as_str().to_owned());
    let metric = Metric {
        namespace: input.namespace.clone(),
        metric_name: input.metric_name.clone(),
        dimensions: input.dimensions.clone(),
    };
    let stat = named.or_else(|| input.extended_statistic.clone()).unwrap_or_default();
    let metric_stat = Some(MetricStat { metric, period, stat, unit: input.unit });
    let query = MetricDataQuery { id: "m1".to_owned(), metric_stat, ..MetricDataQuery::default() };
    (vec![query], i64::from(period))
}

fn by_metric(tx: &ReadTx<'_>, input: &PutMetricAlarmInput) -> Result<Option<New>, Error> {
    let (queries, period) = queries_of(input);
    let periods = input.evaluation_periods.unwrap_or(1).max(1);
    let enough = input.datapoints_to_alarm.unwrap_or(periods);
    let looked_at = i64::from(periods) + MORE_PERIODS;
    let now = tx.now().secs();
    // Only periods that are over are judged; they end at whole minutes, or where data is old at whole hours.
    let grain = match period {
        period if period < 60 => 10,
        period if period * looked_at > 14 * 86_400 => 3600,
        _ => 60,
    };
    let end = now - now.rem_euclid(grain);
    let start = end - looked_at * period;
    let answers = queries::answer(tx, &queries, Span { start, end, now })?;
    let values: BTreeMap<i64, f64> = match &answers[..] {
        [only] if !only.is_of_array => only.series.values.clone(),
        _ => return Err(Error::validation("The expression of an alarm is worth one time series.")),
    };
    let range: Vec<(i64, Option<f64>)> = (1..=looked_at)
        .map(|age| end - age * period)
        .map(|time| (time, values.get(&time).copied()))
        .collect();
    let to_count = |count: i32| usize::try_from(count).unwrap_or(1);
    let test = Test {
        comparison: input.comparison_operator.unwrap_or_default(),
        threshold: input.threshold.unwrap_or(0.0),
        evaluation_periods: to_count(periods),
        datapoints_to_alarm: to_count(enough),
        missing: Missing::parse(input.treat_missing_data.as_deref()).unwrap_or(Missing::Unknown),
    };
    let Some(verdict) = test.judge(&range) else { return Ok(None) };
    let oldest = verdict.evaluated.last().map(|(time, _)| stamp(*time * 1000));
    let points =
        |(time, value): &(i64, f64)| json!({ "timestamp": stamp(*time * 1000), "value": value });
    let mut data = json!({
        "version": "1.0",
        "queryDate": stamp(tx.now().millis()),
        "period": period,
        "recentDatapoints": verdict.evaluated.iter().rev().map(|(_, it)| *it).collect::<Vec<_>>(),
        "threshold": test.threshold,
        "evaluatedDatapoints": verdict.evaluated.iter().map(points).collect::<Vec<_>>(),
    });
    if let Some(oldest) = oldest {
        data["startDate"] = oldest.into();
    }
    if let [MetricDataQuery { metric_stat: Some(stat), .. }] = &queries[..] {
        data["statistic"] = stat.stat.clone().into();
    }
    Ok(Some((verdict.state, verdict.reason, Some(data.to_string()))))
}

fn by_rule(
    tx: &ReadTx<'_>,
    own: &AlarmKey,
    alarm: &Alarm,
    input: &PutCompositeAlarmInput,
) -> Result<Option<New>, Error> {
    let rule = Rule::parse(&input.alarm_rule).map_err(Error::validation)?;
    let mut states = BTreeMap::new();
    for child in rule.alarms() {
        let key = key(tx, name(child));
        // One that is gone has no data.
        states.insert(child.to_owned(), (arn(&key), ALARMS.get(tx, &key)?));
    }
    let of = |name: &str| {
        let alarm = states.get(name).and_then(|(_, alarm)| alarm.as_ref());
        alarm.map_or(StateValue::InsufficientData, state)
    };
    let new = if rule.holds(&of) { StateValue::Alarm } else { StateValue::Ok };
    if new == state(alarm) {
        return Ok(None);
    }
    let known = states.values().filter_map(|(arn, alarm)| Some((arn, alarm.as_ref()?)));
    let newest = known
        .clone()
        .max_by_key(|(_, child)| (child.transitioned_millis, child.state == new.as_str()));
    let reason = match newest {
        Some((arn, child)) => {
            let at = jiff::Timestamp::from_millisecond(child.transitioned_millis)
                .map(|time| time.strftime("%A %d %B, %Y %H:%M:%S UTC").to_string())
                .unwrap_or_default();
            format!("{arn} transitioned to {} at {at}", child.state)
        }
        None => {
            format!("{} was created and its alarm rule evaluates to {}", arn(own), new.as_str())
        }
    };
    let triggering = known.map(|(arn, child)| {
        let at = stamp(child.transitioned_millis);
        json!({ "arn": arn, "state": { "value": child.state, "timestamp": at } })
    });
    let data = json!({ "triggeringAlarms": triggering.collect::<Vec<_>>() });
    Ok(Some((new, reason, Some(data.to_string()))))
}
