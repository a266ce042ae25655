//! Making and changing alarms.

use std::collections::BTreeMap;

use fogbank_core::wire::{self, Struct};
use fogbank_core::{Arn, Fault, Tx, WriteTx};
use serde_json::json;

use super::{key, name, remember};
use crate::error::Error;
use crate::metrics::check_dimensions;
use crate::model::*;
use crate::queries;
use crate::rules::alarms::Missing;
use crate::rules::composite::Rule;
use crate::rules::statistics::Statistic as Reckoned;
use crate::store::{ALARMS, Alarm};
use crate::tags;

/// How long all periods of an alarm may be together, in seconds: a day, or a week where one is an hour or more.
const LONGEST_SECS: i64 = 86_400;
const LONGEST_OF_HOURS_SECS: i64 = 7 * 86_400;

fn unknown(what: &str) -> Error {
    Fault::not_implemented("cloudwatch", &format!("PutMetricAlarm with {what}")).into()
}

/// Makes or changes an alarm on a metric or an expression.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    mut input: PutMetricAlarmInput,
) -> Result<PutMetricAlarmOutput, Error> {
    let tags = input.tags.take();
    refuse_unknown(&input)?;
    check_thresholds(&input)?;
    let seconds = match &input.metrics {
        Some(metrics) => check_metrics(tx, &input, metrics)?,
        None => check_metric(&input)?,
    };
    let periods = i64::from(input.evaluation_periods.unwrap_or(1));
    let longest = if seconds >= 3600 { LONGEST_OF_HOURS_SECS } else { LONGEST_SECS };
    if seconds * periods > longest {
        let message = format!(
            "Metrics cannot be checked across more than {} (EvaluationPeriods * Period must be <= {longest}).",
            if seconds >= 3600 { "seven days" } else { "a day" },
        );
        return Err(Error::validation(message));
    }
    check_actions(tx, [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions])?;
    let enabled = input.actions_enabled.take().unwrap_or(true);
    let name = input.alarm_name.clone();
    keep(tx, &name, false, &input, enabled, tags)?;
    Ok(PutMetricAlarmOutput {})
}

fn refuse_unknown(input: &PutMetricAlarmInput) -> Result<(), Error> {
    let is_wall_clock =
        matches!(input.evaluation_window, Some(EvaluationWindow::WallClockWindow(_)));
    for (is_given, what) in [
        (input.threshold_metric_id.is_some(), "ThresholdMetricId (anomaly detection)"),
        (input.evaluation_criteria.is_some(), "EvaluationCriteria"),
        (input.evaluation_interval.is_some(), "EvaluationInterval"),
        (input.warm_up_configuration.is_some(), "WarmUpConfiguration"),
        (input.action_configuration.is_some(), "ActionConfiguration"),
        (is_wall_clock, "a wall clock window"),
        (
            input.evaluate_low_sample_count_percentile.as_deref() == Some("ignore"),
            "EvaluateLowSampleCountPercentile ignore",
        ),
    ] {
        if is_given {
            return Err(unknown(what));
        }
    }
    Ok(())
}

fn check_thresholds(input: &PutMetricAlarmInput) -> Result<(), Error> {
    let required = |is_there: bool, name: &str| match is_there {
        true => Ok(()),
        false => Err(Error::missing(name)),
    };
    required(input.evaluation_periods.is_some(), "EvaluationPeriods")?;
    required(input.comparison_operator.is_some(), "ComparisonOperator")?;
    required(input.threshold.is_some(), "Threshold")?;
    if input.threshold.is_some_and(|threshold| !threshold.is_finite()) {
        return Err(Error::value("The value for parameter Threshold is invalid."));
    }
    if matches!(
        input.comparison_operator,
        Some(
            ComparisonOperator::LessThanLowerOrGreaterThanUpperThreshold
                | ComparisonOperator::LessThanLowerThreshold
                | ComparisonOperator::GreaterThanUpperThreshold
        )
    ) {
        return Err(unknown("a comparison with a band (anomaly detection)"));
    }
    let periods = input.evaluation_periods.unwrap_or(1);
    if periods < 1 {
        let message = format!("The value {periods} for parameter EvaluationPeriods is invalid.");
        return Err(Error::validation(message));
    }
    if input.datapoints_to_alarm.is_some_and(|enough| !(1..=periods).contains(&enough)) {
        let message = "DatapointsToAlarm must be between 1 and EvaluationPeriods.";
        return Err(Error::validation(message));
    }
    if Missing::parse(input.treat_missing_data.as_deref()).is_none() {
        let given = input.treat_missing_data.as_deref().unwrap_or_default();
        return Err(Error::validation(format!(
            "The value {given} for parameter TreatMissingData is not supported. Valid values are breaching, \
             notBreaching, ignore, missing."
        )));
    }
    Ok(())
}

/// Checks an alarm on one metric, and tells its period.
fn check_metric(input: &PutMetricAlarmInput) -> Result<i64, Error> {
    for (is_there, name) in [
        (input.metric_name.is_some(), "MetricName"),
        (input.namespace.is_some(), "Namespace"),
        (input.period.is_some(), "Period"),
    ] {
        if !is_there {
            return Err(Error::missing(name));
        }
    }
    match (&input.statistic, &input.extended_statistic) {
        (Some(_), None) => {}
        (None, Some(name)) if Reckoned::parse_extended(name).is_some() => {}
        (None, Some(name)) => {
            let message =
                format!("The value {name} for parameter ExtendedStatistic is not supported.");
            return Err(Error::validation(message));
        }
        _ => {
            let message = "Exactly one of Statistic and ExtendedStatistic must be specified.";
            return Err(Error::validation(message));
        }
    }
    check_dimensions("", input.dimensions.as_deref().unwrap_or_default())?;
    let period = i64::from(input.period.unwrap_or(0));
    if !matches!(period, 10 | 20 | 30) && (period < 60 || period % 60 != 0) {
        let message = "Period must be 10, 20, 30 or a multiple of 60.";
        return Err(Error::validation(message));
    }
    Ok(period)
}

/// Checks an alarm on an expression, and tells the longest period of its metrics.
fn check_metrics(
    tx: &impl Tx,
    input: &PutMetricAlarmInput,
    metrics: &[MetricDataQuery],
) -> Result<i64, Error> {
    let is_both = input.metric_name.is_some()
        || input.namespace.is_some()
        || input.statistic.is_some()
        || input.extended_statistic.is_some()
        || input.period.is_some()
        || input.dimensions.as_ref().is_some_and(|dimensions| !dimensions.is_empty());
    if is_both {
        let message = "Metrics list cannot be specified with MetricName, Namespace, Dimensions, Period, Unit, \
             Statistic or ExtendedStatistic.";
        return Err(Error::validation(message));
    }
    queries::check(metrics, "Metrics", tx.account())?;
    queries::check_expressions(metrics)?;
    if metrics.iter().filter(|query| query.return_data != Some(false)).count() != 1 {
        let message = "Exactly one element of the metrics list should return data.";
        return Err(Error::validation(message));
    }
    Ok(queries::longest_period(metrics))
}

/// Refuses actions that an alarm here cannot take.
fn check_actions(tx: &impl Tx, actions: [&Option<Vec<String>>; 3]) -> Result<(), Error> {
    for action in actions.into_iter().flatten().flatten() {
        let Some(arn) = Arn::parse(action) else {
            return Err(Error::validation(format!("Invalid arn syntax: {action}")));
        };
        match arn.service {
            "sns" if arn.region == tx.region() => {}
            "sns" => {
                let message = format!(
                    "Invalid region {} specified. Only {} is supported.",
                    arn.region,
                    tx.region()
                );
                return Err(Error::validation(message));
            }
            "lambda" => {}
            "automate" | "autoscaling" | "ssm" | "ssm-incidents" | "swf" | "aiops" => {
                return Err(unknown(&format!("an action of {}", arn.service)));
            }
            _ => return Err(Error::validation(format!("Invalid arn syntax: {action}"))),
        }
    }
    Ok(())
}

/// Makes or changes a composite alarm.
pub(crate) fn put_composite(
    tx: &mut WriteTx<'_>,
    mut input: PutCompositeAlarmInput,
) -> Result<PutCompositeAlarmOutput, Error> {
    let tags = input.tags.take();
    if input.actions_suppressor.is_some() || input.action_configuration.is_some() {
        let what = "PutCompositeAlarm with ActionsSuppressor or ActionConfiguration";
        return Err(Fault::not_implemented("cloudwatch", what).into());
    }
    let rule = Rule::parse(&input.alarm_rule)
        .map_err(|why| Error::validation(format!("Error in AlarmRule: {why}")))?;
    for alarm in rule.alarms() {
        let of = key(tx, name(alarm));
        if of.2 == input.alarm_name {
            return Err(Error::validation("An alarm cannot depend on itself."));
        }
        if !ALARMS.contains(tx, &of)? {
            let message =
                format!("Could not save the composite alarm as alarm {alarm} does not exist.");
            return Err(Error::validation(message));
        }
    }
    check_actions(tx, [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions])?;
    let enabled = input.actions_enabled.take().unwrap_or(true);
    let name = input.alarm_name.clone();
    keep(tx, &name, true, &input, enabled, tags)?;
    Ok(PutCompositeAlarmOutput {})
}

/// Keeps an alarm. One that is there keeps its state and its tags.
fn keep(
    tx: &mut WriteTx<'_>,
    name: &str,
    is_composite: bool,
    input: &dyn Struct,
    actions_enabled: bool,
    tags: Option<Vec<Tag>>,
) -> Result<(), Error> {
    let key = key(tx, name);
    let now = tx.now().millis();
    let configuration = wire::to_json(input);
    let known = ALARMS.get(tx, &key)?;
    if known.as_ref().is_some_and(|known| known.is_composite != is_composite) {
        let message = format!("An alarm of another type has the name {name} already.");
        return Err(Error::validation(message));
    }
    let (kind, what) = if known.is_some() { ("Update", "updated") } else { ("Create", "created") };
    let alarm = match known {
        Some(known) => Alarm {
            configuration: configuration.to_string(),
            actions_enabled,
            configured_millis: now,
            ..known
        },
        None => Alarm {
            is_composite,
            configuration: configuration.to_string(),
            actions_enabled,
            tags: tags.map_or(Ok(BTreeMap::new()), tags::checked)?,
            configured_millis: now,
            state: StateValue::InsufficientData.as_str().to_owned(),
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            updated_millis: now,
            transitioned_millis: now,
        },
    };
    ALARMS.put(tx, &key, &alarm)?;
    let data = json!({ "version": "1.0", "type": kind, "alarm": configuration });
    let of = (HistoryItemType::ConfigurationUpdate, is_composite);
    remember(tx, &key, of, format!("Alarm \"{name}\" {what}"), &data, 0)?;
    tx.wake(crate::tasks::ALARMS);
    Ok(())
}
